use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use crate::diagnostics::{Quoted, Rounded};
use crate::model::{Place, SpanId, SpanKind, TraceId};

/// A span that was open when [`OpenSpans::list`](crate::watch::OpenSpans::list) looked.
///
/// Its `Display` is one line. A name that came from outside is escaped and cut there.
///
/// ```
/// use tracehound::JaegerTracer;
/// use tracehound::prelude::*;
/// use tracehound::watch::OpenSpans;
///
/// let open = OpenSpans::new();
/// let tracer = JaegerTracer::builder("shop").observer(open.clone()).build()?;
/// let checkout = tracer.start_span("checkout");
/// let oldest = &open.list()[0];
/// assert_eq!(Some(oldest.trace_id), checkout.context().trace_id());
/// assert!(oldest.is_local_root && oldest.kind.is_none());
/// assert_eq!(&*oldest.service, "shop");
/// # Ok::<(), tracehound::tracer::BuildError>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct OpenSpanInfo {
    /// The name of the operation at the start of the span, at most 256 bytes of it.
    pub operation_name: String,
    /// The id of the trace.
    pub trace_id: TraceId,
    /// The id of the span.
    pub span_id: SpanId,
    /// The kind that the span was started with.
    pub kind: Option<SpanKind>,
    /// Whether it is the first span of its trace in this process.
    pub is_local_root: bool,
    /// The start time.
    pub start_time: SystemTime,
    /// The age by the tracer's clock.
    pub age: Duration,
    /// The place in the program that started it, as [observers](crate::observer::ObservedSpan::place) see it.
    pub place: Option<Place>,
    /// The service of its tracer.
    pub service: Arc<str>,
    /// The thread that started it: its name, or `ThreadId(7)` if it has none.
    pub thread: Arc<str>,
}

impl fmt::Display for OpenSpanInfo {
    /// Writes `"checkout" (server) for 31.2s, started at src/shop.rs:12 on main, trace 5b2b…, span 6ad0…`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", Quoted(&self.operation_name))?;
        if let Some(kind) = self.kind {
            write!(f, " ({})", kind.name())?;
        }
        write!(f, " for {}, started", Rounded(self.age))?;
        if let Some(place) = self.place {
            write!(f, " at {place}")?;
        }
        let (thread, trace_id, span_id) = (&self.thread, self.trace_id, self.span_id);
        write!(f, " on {thread}, trace {trace_id}, span {span_id}")
    }
}
