use crate::model::{Baggage, Flags};
use crate::span::SpanContext;

/// The parts of a caller's context that a server believes.
///
/// Headers are only as good as their sender. A stranger can have every request sampled (flags `3`, `jaeger-debug-id`),
/// can write into a trace that is not theirs, and can send baggage that every service behind carries on. So a listener
/// that strangers reach should believe less than one inside of the network:
///
/// | believed | [`full`](Self::full) | [`ids_only`](Self::ids_only) | [`restart`](Self::restart) |
/// |---|---|---|---|
/// | trace id and span id | yes | yes | no: a new trace, which follows from the caller's span |
/// | sampling decision, `tracestate` | yes | no: the own sampler decides | no: the own sampler decides |
/// | debug flag, debug id | yes | no | no |
/// | baggage | yes | no | no |
///
/// [`sampling`](Self::sampling), [`debug`](Self::debug) and [`baggage`](Self::baggage) change one part.
///
/// Where debug ids are believed, a [`throttler`](crate::throttler) bounds how many traces they force.
///
/// A probabilistic sampler decides by the trace id. With [`ids_only`](Self::ids_only), a caller who knows this can
/// choose ids that are kept. [`restart`](Self::restart) leaves nothing to choose.
///
/// [`ServerLayer::trust`](crate::middleware::ServerLayer::trust) sets it for a server, and
/// [`SpanBuilder::caller`](crate::tracer::SpanBuilder::caller) applies it in a server of your own:
///
/// ```
/// use tracehound::prelude::*;
/// use tracehound::propagation::Trust;
/// use tracehound::reporter::NullReporter;
/// use tracehound::sampler::ConstSampler;
///
/// let tracer = JaegerTracer::builder("shop")
///     .sampler(ConstSampler::new(false))
///     .reporter(NullReporter::new())
///     .build()?;
/// let headers = [("uber-trace-id", "1:2:0:3"), ("uberctx-user", "7")];
/// let caller = tracer.extract(&headers)?;
/// let span = tracer.build_span("pay").caller(&caller, Trust::ids_only()).start();
/// let context = span.context();
/// assert_eq!(context.to_trace_id(), "0000000000000001");
/// assert!(!context.is_sampled() && !context.is_debug() && context.baggage().is_empty());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Trust {
    ids: bool,
    sampling: bool,
    debug: bool,
    baggage: bool,
}

impl Trust {
    /// Believes everything. This is the default.
    ///
    /// ```
    /// use tracehound::SpanContext;
    /// use tracehound::propagation::Trust;
    ///
    /// let caller = SpanContext::default().with_debug_id("find-me");
    /// assert_eq!(Trust::full().apply(caller.clone()).debug_id(), Some("find-me"));
    ///
    /// // For a partner whose decisions and baggage are welcome, but not their debug traces.
    /// let partner = Trust::ids_only().sampling(true).debug(false).baggage(true);
    /// assert_eq!(partner.apply(caller).debug_id(), None);
    /// ```
    pub const fn full() -> Self {
        Self {
            ids: true,
            sampling: true,
            debug: true,
            baggage: true,
        }
    }

    /// Believes the trace id and the span id, so that the caller's trace goes on, and nothing else.
    pub const fn ids_only() -> Self {
        Self {
            ids: true,
            ..Self::restart()
        }
    }

    /// Believes nothing. The span is the root of a new trace with a `FollowsFrom` reference to the caller's span.
    pub const fn restart() -> Self {
        Self {
            ids: false,
            sampling: false,
            debug: false,
            baggage: false,
        }
    }

    /// Sets whether the sampling decision is believed, and with it `tracestate`. Otherwise the own sampler decides.
    #[must_use]
    pub const fn sampling(mut self, is_believed: bool) -> Self {
        self.sampling = is_believed;
        self
    }

    /// Sets whether the debug flag and the debug id are believed. Both have a trace kept whatever the sampler says.
    #[must_use]
    pub const fn debug(mut self, is_believed: bool) -> Self {
        self.debug = is_believed;
        self
    }

    /// Sets whether baggage is believed. Otherwise it is dropped.
    #[must_use]
    pub const fn baggage(mut self, is_believed: bool) -> Self {
        self.baggage = is_believed;
        self
    }

    /// Returns the believed parts of a caller's context.
    ///
    /// Without belief in ids the result has no trace: a span that is started as its child is the root of a new one. Use
    /// it where a context becomes active without a span. For a span,
    /// [`SpanBuilder::caller`](crate::tracer::SpanBuilder::caller) also keeps the reference to the caller.
    ///
    /// ```
    /// use tracehound::SpanContext;
    /// use tracehound::propagation::Trust;
    ///
    /// let caller = SpanContext::default().with_debug_id("find-me").with_baggage_item("user", "7");
    /// let believed = Trust::restart().baggage(true).apply(caller);
    /// assert_eq!(believed.debug_id(), None);
    /// assert_eq!(believed.baggage().get("user"), Some("7"));
    /// ```
    #[must_use]
    pub fn apply(self, caller: SpanContext) -> SpanContext {
        if self == Self::full() {
            return caller;
        }
        let believed = self.believed_trace(&caller);
        let believed = believed.unwrap_or_else(|| self.believed_container(&caller));
        match self.baggage {
            true => believed.with_baggage(caller.baggage().clone()),
            false => believed,
        }
    }

    /// Returns the caller's span, as far as a reference needs it, if its ids are not believed.
    pub(crate) fn distrusted_span(self, caller: &SpanContext) -> Option<SpanContext> {
        if self.ids {
            return None;
        }
        let (trace_id, span_id) = (caller.trace_id()?, caller.span_id()?);
        Some(SpanContext::new(trace_id, span_id, None, Flags::default()))
    }

    /// Returns the caller's trace without baggage, if there is one and its ids are believed.
    fn believed_trace(self, caller: &SpanContext) -> Option<SpanContext> {
        let (trace_id, span_id) = (caller.trace_id()?, caller.span_id()?);
        if !self.ids {
            return None;
        }
        if self.sampling {
            let trace = caller.clone().with_baggage(Baggage::default());
            if self.debug || !caller.is_debug() {
                return Some(trace);
            }
            let trace = trace.with_flags(caller.flags().without(Flags::DEBUG));
            return Some(match caller.is_deferred() {
                true => trace.with_deferred_sampling(),
                false => trace,
            });
        }
        let decision = self.believed_decision(caller);
        // Built from its parts, so that a part that is added one day is not believed by accident.
        let trace = SpanContext::new(
            trace_id,
            span_id,
            caller.parent_id(),
            decision.unwrap_or_default(),
        )
        .with_random_trace_id(caller.has_random_trace_id());
        let trace = match caller.conflict() {
            Some(conflict) => trace.with_conflict(conflict.to_owned()),
            None => trace,
        };
        Some(match decision {
            Some(_) => trace,
            None => trace.with_deferred_sampling(),
        })
    }

    /// Returns a context without a trace that has the believed parts other than ids and baggage.
    fn believed_container(self, caller: &SpanContext) -> SpanContext {
        let container = match self.believed_decision(caller) {
            Some(flags) => SpanContext::without_trace(flags),
            None => SpanContext::default(),
        };
        match caller.debug_id() {
            // Beside a trace a debug id has no effect, at any level.
            Some(debug_id) if self.debug && !caller.has_trace() => {
                container.with_debug_id(debug_id)
            }
            _ => container,
        }
    }

    /// Returns the caller's decision, if there is one and it is believed.
    fn believed_decision(self, caller: &SpanContext) -> Option<Flags> {
        let flags = if caller.has_trace() {
            caller.is_sampling_final().then(|| caller.flags())?
        } else {
            caller.decision_without_trace()?
        };
        match (self.sampling, self.debug) {
            (true, true) => Some(flags),
            (true, false) => Some(flags.without(Flags::DEBUG)),
            // Debug alone keeps no trace, at any level.
            (false, true) => {
                let asked = Flags::SAMPLED.with(Flags::DEBUG);
                (flags.is_sampled() && flags.is_debug()).then_some(asked)
            }
            (false, false) => None,
        }
    }
}

impl Default for Trust {
    /// Returns [`full`](Self::full) trust.
    fn default() -> Self {
        Self::full()
    }
}
