//! A context that a propagator has read, kept whole beside the ids that OpenTelemetry has room for.

use opentelemetry::Context;
use opentelemetry::baggage::BaggageExt as _;
use opentelemetry::trace::TraceContextExt as _;
use tracehound::SpanContext;

use crate::{baggage, identity};

/// The context of a caller: also its debug id, parent id, flags and deferred decision.
pub(crate) struct Extracted(SpanContext);

impl Extracted {
    /// Returns a `Context` in which an extracted context is the remote parent.
    pub(crate) fn put(cx: &Context, context: SpanContext) -> Context {
        let mut with = cx.clone();
        if context.has_trace() {
            with = with.with_remote_span_context(identity::to_otel(&context));
        }
        if !context.baggage().is_empty() {
            with = with.with_baggage(baggage::to_otel(context.baggage()));
        }
        with.with_value(Self(context))
    }

    /// Returns what was extracted into a `Context` or into one that it comes from.
    pub(crate) fn of(cx: &Context) -> Option<&SpanContext> {
        cx.get::<Self>().map(|extracted| &extracted.0)
    }
}
