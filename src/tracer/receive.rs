use std::borrow::Cow;

use crate::model::tags;
use crate::scope::Traced;
use crate::span::Span;
use crate::tracer::{Tracer, TracerExt};

impl<T> Traced<T> {
    /// Takes the message out and starts a span for handling it, which follows from the sender's span. The tag
    /// `queue.wait_us` says how many microseconds the message has waited.
    ///
    /// The span is not active yet: `let _scope = span.activate();`, or `handle(message).in_span(span).await`. If the
    /// message was sent without a context, the span is a root. The receiver's own active span is never the parent,
    /// because it stands for the loop that receives and not for what the message asks for.
    ///
    /// A span that handles many messages follows from each of them:
    ///
    /// ```
    /// use tracehound::prelude::*;
    /// use tracehound::scope::Traced;
    ///
    /// fn pack_all(tracer: &impl Tracer, orders: Vec<Traced<&str>>) -> usize {
    ///     let pack = tracer.build_span("pack_all").ignore_active_span();
    ///     let pack = orders.iter().fold(pack, |pack, order| pack.follows_from(order));
    ///     let _pack = pack.start_active();
    ///     orders.into_iter().map(|order| order.into_inner().len()).sum()
    /// }
    /// assert_eq!(pack_all(&tracehound::NoopTracer, vec![Traced::new("tea")]), 3);
    /// ```
    #[must_use = "the message is in what this returns"]
    #[track_caller]
    pub fn receive(
        self,
        tracer: &(impl Tracer + ?Sized),
        operation_name: impl Into<Cow<'static, str>>,
    ) -> (T, Span) {
        let waited = self.waited().map(|waited| waited.as_micros());
        let waited = waited.and_then(|micros| i64::try_from(micros).ok());
        let span = tracer
            .build_span(operation_name)
            .ignore_active_span()
            .follows_from(&self)
            .tag(tags::QUEUE_WAIT_US, waited)
            .start();
        (self.into_inner(), span)
    }
}
