use std::borrow::Cow;
use std::fmt;

use crate::middleware::message::ProducerSpan;
use crate::middleware::message::settings::{Facts, MESSAGE_COUNT, Settings};
use crate::model::tags;
use crate::propagation::{ExtractCarrier, InjectCarrier};
use crate::scope::active_context;
use crate::span::{Span, SpanContext, ToSpanContext};
use crate::tracer::TracerExt;

/// A message that is not sent yet, from [`MessageBus::send`](crate::middleware::MessageBus::send).
///
/// ```
/// use tracehound::middleware::MessageBus;
/// use tracehound::prelude::*;
/// use tracehound::propagation::MessageHeaders;
/// use tracehound::reporter::InMemoryReporter;
/// use tracehound::sampler::ConstSampler;
///
/// let spans = InMemoryReporter::new();
/// let tracer = JaegerTracer::builder("shop")
///     .sampler(ConstSampler::new(true))
///     .reporter(spans.clone())
///     .build()?;
/// let checkout = tracer.start_span("checkout");
/// let bus = MessageBus::new(tracer, "kafka");
/// let mut headers: Vec<(String, Vec<u8>)> = Vec::new();
/// bus.send("orders.eu")
///     .name("orders")
///     .child_of(&checkout) // which is not active here
///     .id("order-7")
///     .payload(b"one teapot")
///     .start(&mut MessageHeaders(&mut headers))
///     .finish();
/// checkout.finish();
/// assert_eq!(spans.tree(), "checkout\n  To_orders");
/// assert_eq!(spans.find("To_orders").expect("sent").tag_text("message.id"), "order-7");
/// # Ok::<(), tracehound::tracer::BuildError>(())
/// ```
#[must_use = "a message whose span is not started carries no trace"]
pub struct OutgoingMessage<'a> {
    settings: &'a Settings,
    facts: Facts<'a>,
    name: Option<Cow<'a, str>>,
    parent: Option<SpanContext>,
}

impl<'a> OutgoingMessage<'a> {
    pub(super) fn new(settings: &'a Settings, topic: &'a str) -> Self {
        Self {
            settings,
            facts: Facts::new(topic),
            name: None,
            parent: None,
        }
    }

    /// Sets what stands for the topic in the span's name: `orders` makes `To_orders`. Like a topic, it counts towards
    /// [`max_names`](crate::middleware::MessageBus::max_names).
    pub fn name(mut self, name: impl Into<Cow<'a, str>>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// Makes the span a child of another span or of a context, and not of the active span.
    pub fn child_of(mut self, parent: &impl ToSpanContext) -> Self {
        let parent = parent.to_span_context();
        if !parent.is_empty() {
            self.parent = Some(parent);
        }
        self
    }

    /// Sets the id of the message, which is the tag `message.id`.
    pub fn id(mut self, id: &'a str) -> Self {
        self.facts.id = Some(id);
        self
    }

    /// Tells the payload. Its size is the tag `message.bytes`. The payload itself is recorded only at
    /// [`Recording::everything`](crate::model::Recording::everything): as the tag `message`, if it is text and names no
    /// password, token or the like.
    pub fn payload(mut self, payload: &'a [u8]) -> Self {
        self.facts.payload = Some(payload);
        self
    }

    /// Starts the span, and writes its context into the headers of the message, in place of one that was there.
    ///
    /// The span is a child of the active span. If none is active, it is a child of the context in the headers, as when
    /// a message is moved from one queue to another. Without either it begins a trace.
    pub fn start<C: InjectCarrier + ExtractCarrier>(self, headers: &mut C) -> ProducerSpan {
        let sending = self.start_with(|settings| settings.extract(headers));
        sending.inject(headers);
        sending
    }

    /// Starts one span for a batch of messages, and writes its context into the headers of each. The number of messages
    /// is the tag `message.count`.
    ///
    /// ```
    /// use tracehound::middleware::MessageBus;
    /// use tracehound::prelude::*;
    /// use tracehound::propagation::MessageHeaders;
    /// use tracehound::reporter::InMemoryReporter;
    /// use tracehound::sampler::ConstSampler;
    ///
    /// let spans = InMemoryReporter::new();
    /// let tracer = JaegerTracer::builder("shop")
    ///     .sampler(ConstSampler::new(true))
    ///     .reporter(spans.clone())
    ///     .build()?;
    /// let bus = MessageBus::new(tracer, "sqs");
    /// let mut batch: [Vec<(String, Vec<u8>)>; 2] = Default::default();
    /// bus.send("orders").start_batch(batch.iter_mut().map(MessageHeaders)).finish();
    /// assert_eq!(spans.spans()[0].tag_text("message.count"), "2");
    /// assert!(batch.iter().all(|headers| headers.iter().any(|(name, _)| name == "uber-trace-id")));
    /// # Ok::<(), tracehound::tracer::BuildError>(())
    /// ```
    pub fn start_batch<C: InjectCarrier>(
        self,
        headers: impl IntoIterator<Item = C>,
    ) -> ProducerSpan {
        let sending = self.start_with(|_| None);
        if sending.span().is_noop() {
            return sending;
        }
        let mut count = 0_u64;
        for mut headers in headers {
            sending.inject(&mut headers);
            count += 1;
        }
        sending.span().set_tag(MESSAGE_COUNT, count);
        sending
    }

    fn start_with(
        self,
        from_headers: impl FnOnce(&Settings) -> Option<SpanContext>,
    ) -> ProducerSpan {
        let Self {
            settings, facts, ..
        } = self;
        let tracer = &*settings.tracer;
        if tracer.is_noop() {
            return ProducerSpan::new(Span::noop(), settings.tracer.clone());
        }
        let parent = self.parent.or_else(|| {
            let is_alone = active_context().is_empty();
            is_alone.then(|| from_headers(settings)).flatten()
        });
        let mut builder = tracer
            .build_span(settings.operation_name("To_", self.name.as_deref().unwrap_or(facts.topic)))
            .tag(tags::SPAN_KIND, tags::SPAN_KIND_PRODUCER);
        if let Some(parent) = &parent {
            builder = builder.child_of(parent);
        }
        let span = builder.start();
        if span.is_recording() {
            settings.describe(&span, &facts);
        }
        ProducerSpan::new(span, settings.tracer.clone())
    }
}

impl fmt::Debug for OutgoingMessage<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OutgoingMessage")
            .field("topic", &self.facts.topic)
            .finish_non_exhaustive()
    }
}
