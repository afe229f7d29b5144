use std::borrow::Cow;
use std::fmt;
use std::time::SystemTime;

use crate::clock::WallTime;
use crate::middleware::message::ConsumerSpan;
use crate::middleware::message::settings::{Facts, MESSAGE_COUNT, Settings};
use crate::model::{ReferenceType, tags};
use crate::propagation::ExtractCarrier;
use crate::span::{Span, SpanContext};
use crate::tracer::TracerExt;

/// A message that was received and is not handled yet, from
/// [`MessageBus::receive`](crate::middleware::MessageBus::receive).
///
/// ```
/// use std::time::SystemTime;
/// use tracehound::middleware::MessageBus;
/// use tracehound::model::ReferenceType;
/// use tracehound::prelude::*;
/// use tracehound::reporter::InMemoryReporter;
/// use tracehound::sampler::ConstSampler;
///
/// let spans = InMemoryReporter::new();
/// let tracer = JaegerTracer::builder("pack")
///     .sampler(ConstSampler::new(true))
///     .reporter(spans.clone())
///     .build()?;
/// let bus = MessageBus::new(tracer, "kafka");
/// bus.receive("orders.eu")
///     .name("orders")
///     .relation(ReferenceType::ChildOf) // the sender waits for a reply
///     .partition(3)
///     .offset(4_711)
///     .id("order-7")
///     .payload(b"one teapot")
///     .redeliveries(1)
///     .sent_at(SystemTime::UNIX_EPOCH)
///     .start(&[("uber-trace-id", "1:2:0:1")])
///     .finish();
/// let span = &spans.spans()[0];
/// assert_eq!(span.operation_name, "From_orders");
/// assert_eq!((span.tag_text("partition"), span.tag_text("offset")), ("3".into(), "4711".into()));
/// assert_eq!(span.tag_text("message.bytes"), "10");
/// # Ok::<(), tracehound::tracer::BuildError>(())
/// ```
#[must_use = "a message whose span is not started measures nothing"]
pub struct IncomingMessage<'a> {
    settings: &'a Settings,
    facts: Facts<'a>,
    name: Option<Cow<'a, str>>,
    relation: ReferenceType,
    redeliveries: u64,
    sent_at: Option<SystemTime>,
}

impl<'a> IncomingMessage<'a> {
    pub(super) fn new(settings: &'a Settings, topic: &'a str) -> Self {
        Self {
            settings,
            facts: Facts::new(topic),
            name: None,
            relation: settings.relation,
            redeliveries: 0,
            sent_at: None,
        }
    }

    /// Sets what stands for the topic in the span's name: the subject of a subscription, `orders.*.created`, makes
    /// `From_orders.*.created`. Like a topic, it counts towards
    /// [`max_names`](crate::middleware::MessageBus::max_names).
    pub fn name(mut self, name: impl Into<Cow<'a, str>>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// Sets the reference of the span to the producer's. Defaults to that of the
    /// [bus](crate::middleware::MessageBus::relation).
    pub fn relation(mut self, relation: ReferenceType) -> Self {
        self.relation = relation;
        self
    }

    /// Sets the partition of the topic, which is the tag `partition`.
    pub fn partition(mut self, partition: i32) -> Self {
        self.facts.partition = Some(partition);
        self
    }

    /// Sets the place of the message in its partition or stream, which is the tag `offset`.
    pub fn offset(mut self, offset: i64) -> Self {
        self.facts.offset = Some(offset);
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

    /// Sets how many times the message was delivered before, which is the tag `message.redeliveries`. For a broker that
    /// tells only that it was, it is 1. Defaults to 0, which sets no tag.
    pub fn redeliveries(mut self, times: u64) -> Self {
        self.redeliveries = times;
        self
    }

    /// Sets the time at which the message was sent, or came to the broker. The time since then is the tag
    /// `queue.wait_us`. If it lies in the future, the clocks of the two hosts differ, and there is no tag.
    pub fn sent_at(mut self, time: SystemTime) -> Self {
        self.sent_at = Some(time);
        self
    }

    /// Starts the span, from the context in the headers of the message.
    pub fn start(self, headers: &(impl ExtractCarrier + ?Sized)) -> ConsumerSpan {
        if self.settings.tracer.is_noop() {
            return ConsumerSpan::new(Span::noop());
        }
        let sender = self.settings.extract(headers);
        self.start_after(sender.as_slice())
    }

    /// Starts one span for a batch of messages, from the contexts in the headers of each.
    ///
    /// The span follows from the producer of every message, of which the first one is its parent. At most 32 references
    /// are kept; the tag `message.unreferenced` says how many are left out. The tag `message.count` is the number of
    /// messages.
    ///
    /// ```
    /// use tracehound::middleware::MessageBus;
    /// use tracehound::NoopTracer;
    ///
    /// # fn pack_all(_: &[[(&str, &str); 1]]) -> Result<(), std::io::Error> { Ok(()) }
    /// let bus = MessageBus::new(NoopTracer, "kafka");
    /// let batch = [[("uber-trace-id", "1:2:0:1")], [("uber-trace-id", "3:4:0:1")]];
    /// let handling = bus.receive("orders").start_batch(&batch);
    /// handling.run_blocking(|| pack_all(&batch))?;
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn start_batch(
        self,
        headers: impl IntoIterator<Item = impl ExtractCarrier>,
    ) -> ConsumerSpan {
        if self.settings.tracer.is_noop() {
            return ConsumerSpan::new(Span::noop());
        }
        let mut senders = Vec::new();
        let (mut count, mut unreferenced) = (0_u64, 0_u64);
        for headers in headers {
            count += 1;
            match self.settings.extract(&headers) {
                Some(_) if senders.len() == MAX_REFERENCES => unreferenced += 1,
                Some(sender) => senders.push(sender),
                None => {}
            }
        }
        let handling = self
            .relation(ReferenceType::FollowsFrom)
            .start_after(&senders);
        let unreferenced = (unreferenced > 0).then_some(unreferenced);
        let span = handling.span();
        span.set_tag(MESSAGE_COUNT, count)
            .set_tag("message.unreferenced", unreferenced);
        handling
    }

    /// Starts the span, with references to those that sent the messages.
    fn start_after(self, senders: &[SpanContext]) -> ConsumerSpan {
        let (settings, facts) = (self.settings, &self.facts);
        let name = self.name.as_deref().unwrap_or(facts.topic);
        let mut builder = settings
            .tracer
            .build_span(settings.operation_name("From_", name))
            .ignore_active_span()
            .tag(tags::SPAN_KIND, tags::SPAN_KIND_CONSUMER);
        let trust = settings.trust;
        for sender in senders {
            builder = match self.relation {
                ReferenceType::FollowsFrom if trust.distrusted_span(sender).is_none() => {
                    builder.follows_from(&trust.apply(sender.clone()))
                }
                _ => builder.caller(sender, trust),
            };
        }
        let span = builder.start();
        if span.is_recording() {
            settings.describe(&span, facts);
            let redeliveries = (self.redeliveries > 0).then_some(self.redeliveries);
            let waited = self.sent_at.and_then(|sent_at| waited_us(&span, sent_at));
            span.set_tag("message.redeliveries", redeliveries)
                .set_tag(tags::QUEUE_WAIT_US, waited);
        }
        ConsumerSpan::new(span)
    }
}

/// The number of messages of a batch to whose producers the span refers.
const MAX_REFERENCES: usize = 32;

/// Returns the microseconds since a message was sent, by the clock of the span.
fn waited_us(span: &Span, sent_at: SystemTime) -> Option<i64> {
    let slot = span.slot()?;
    let now = slot.wall(slot.recorder.clock.now());
    let waited = now.saturating_sub(WallTime::nearest_to(sent_at).nanos);
    (waited >= 0).then_some(waited / 1_000)
}

impl fmt::Debug for IncomingMessage<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("IncomingMessage")
            .field("topic", &self.facts.topic)
            .finish_non_exhaustive()
    }
}
