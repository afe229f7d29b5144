use std::time::Duration;

use crate::scope::{Captured, capture};
use crate::span::{SpanContext, TakeContext, ToSpanContext};

/// A message and the context in which it was sent: an envelope for every kind of channel.
///
/// Channels hand no context over, because the task that receives has a life of its own. The envelope takes the active
/// context along. The receiver starts a span that follows from the sender's, by [`receive`](Self::receive), or goes on
/// in the sender's context, by [`into_parts`](Self::into_parts).
///
/// It does not own the sender's span, so a message that waits keeps no request open. Without an active span it takes
/// nothing along, and costs next to nothing. A message that is never received leaves no trace.
///
/// ```
/// use std::sync::mpsc;
/// use tracehound::prelude::*;
/// use tracehound::reporter::InMemoryReporter;
/// use tracehound::sampler::ConstSampler;
/// use tracehound::scope::Traced;
///
/// let spans = InMemoryReporter::new();
/// let tracer = JaegerTracer::builder("shop")
///     .sampler(ConstSampler::new(true))
///     .reporter(spans.clone())
///     .build()?;
/// let (orders, inbox) = mpsc::channel();
///
/// let checkout = tracer.start_active_span("checkout");
/// orders.send(Traced::new("one teapot")).expect("the inbox is open");
/// checkout.finish();
///
/// let message = inbox.recv().expect("there is one");
/// let (order, span) = message.receive(&tracer, "pack");
/// span.set_tag("order", order);
/// span.finish();
///
/// assert_eq!(spans.tree(), "checkout\n  pack");
/// assert!(spans.find("pack").is_some_and(|pack| !pack.tag_text("queue.wait_us").is_empty()));
/// # Ok::<(), tracehound::tracer::BuildError>(())
/// ```
#[derive(Clone, Debug)]
pub struct Traced<T> {
    value: T,
    sender: Captured,
    /// A reading of the clock of the sender's span.
    sent_at: Option<u64>,
}

impl<T> Traced<T> {
    /// Puts a message into an envelope, with the context that is active on this thread now.
    pub fn new(value: T) -> Self {
        let sender = capture();
        Self {
            value,
            sent_at: sender.ticks(),
            sender,
        }
    }

    /// Replaces the message by what `f` makes of it.
    pub fn map<U>(self, f: impl FnOnce(T) -> U) -> Traced<U> {
        Traced {
            value: f(self.value),
            sender: self.sender,
            sent_at: self.sent_at,
        }
    }

    /// Returns the message.
    pub fn into_inner(self) -> T {
        self.value
    }

    /// Returns the message, and what was active where it was sent: to handle it as if it were part of the sender's
    /// span.
    ///
    /// ```
    /// use tracehound::scope::Traced;
    ///
    /// let (order, sender) = Traced::new("one teapot").into_parts();
    /// let length = sender.run(|| order.len());
    /// assert_eq!(length, 10);
    /// ```
    pub fn into_parts(self) -> (T, Captured) {
        (self.value, self.sender)
    }

    /// Returns the message, still in its envelope.
    pub fn value(&self) -> &T {
        &self.value
    }

    /// Returns the message, still in its envelope.
    pub fn value_mut(&mut self) -> &mut T {
        &mut self.value
    }

    /// Returns how long the message has waited so far, on the clock of the sender's tracer. Returns `None` if no span
    /// was active where it was sent.
    ///
    /// ```
    /// use tracehound::prelude::*;
    /// use tracehound::reporter::NullReporter;
    /// use tracehound::scope::Traced;
    ///
    /// let tracer = JaegerTracer::builder("shop").reporter(NullReporter::new()).build()?;
    /// let mut order = Traced::new(vec!["teapot"]);
    /// assert_eq!(order.waited(), None, "no span is active");
    /// order.value_mut().push("cup");
    /// assert_eq!(order.value().len(), 2);
    ///
    /// let checkout = tracer.start_active_span("checkout");
    /// assert!(Traced::new("teapot").waited().is_some());
    /// # drop(checkout);
    /// # Ok::<(), tracehound::tracer::BuildError>(())
    /// ```
    pub fn waited(&self) -> Option<Duration> {
        // A manual clock can go back.
        let nanos = self.sender.ticks()?.saturating_sub(self.sent_at?);
        Some(Duration::from_nanos(nanos))
    }
}

/// The sender's context, for a span of your own: one that handles several messages follows from each.
impl<T> ToSpanContext for Traced<T> {
    fn to_span_context(&self) -> SpanContext {
        self.sender.to_span_context()
    }

    fn give_span_context(&self, to: impl TakeContext) {
        self.sender.give_span_context(to);
    }
}
