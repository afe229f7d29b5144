use tracing_subscriber::registry::{LookupSpan, SpanRef};

use crate::bridge::tracing::layer::of_span;
use crate::span::TraceIds;

/// Returns the ids for a log line of a span of `tracing`: those of the nearest span, itself or above it, that a layer
/// has made a span of a tracer. Starts that span, if it has not started.
pub(in crate::bridge) fn ids_of_span<'a, R: LookupSpan<'a>>(
    span: SpanRef<'a, R>,
) -> Option<TraceIds> {
    let held = span.scope().find_map(|span| of_span(&span));
    // Before the start runs user code.
    drop(span);
    Some(held?.trace_ids())
}
