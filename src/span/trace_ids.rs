use std::fmt;
use std::str;

use crate::model::{SpanId, TraceId, hex_digits};
use crate::span::{Span, SpanContext};

/// The ids that join a log line to its trace: trace id, span id, and whether the trace is sampled. Empty without a
/// trace.
///
/// It prints as `trace_id=… span_id=… sampled=…`, and as nothing if it is empty. To read it allocates nothing and
/// formats nothing, so it can be made for every line, and printed only for those that are written. Unlike
/// [`Span::context`], it leaves the sampling decision open: a new operation name may still change it.
///
/// An unsampled trace has ids as well: its lines belong together, though the trace is not kept.
///
/// ```
/// use tracehound::prelude::*;
/// use tracehound::reporter::NullReporter;
/// use tracehound::scope::trace_ids;
///
/// let tracer = JaegerTracer::builder("shop").reporter(NullReporter::new()).build()?;
/// let checkout = tracer.start_active_span("checkout");
/// let line = format!("{} paid", trace_ids());
/// # let [trace_id, span_id] = [checkout.context().to_trace_id(), checkout.context().to_span_id()];
/// assert_eq!(line, format!("trace_id={trace_id} span_id={span_id} sampled=false paid"));
///
/// checkout.finish();
/// assert!(trace_ids().is_empty());
/// # Ok::<(), tracehound::tracer::BuildError>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct TraceIds {
    ids: Option<(TraceId, SpanId)>,
    is_sampled: bool,
}

impl TraceIds {
    /// Returns the id of the trace, if there is one.
    pub fn trace_id(self) -> Option<TraceId> {
        self.ids.map(|(trace_id, _)| trace_id)
    }

    /// Returns the id of the span, if there is one.
    pub fn span_id(self) -> Option<SpanId> {
        self.ids.map(|(_, span_id)| span_id)
    }

    /// Returns whether the trace is kept, as far as it was decided when these ids were read.
    ///
    /// ```
    /// use tracehound::prelude::*;
    /// use tracehound::reporter::NullReporter;
    /// use tracehound::sampler::ConstSampler;
    ///
    /// let tracer = JaegerTracer::builder("shop")
    ///     .sampler(ConstSampler::new(true))
    ///     .reporter(NullReporter::new())
    ///     .build()?;
    /// let span = tracer.start_span("checkout");
    /// let ids = span.trace_ids();
    /// assert!(ids.is_sampled());
    /// assert_eq!(ids.trace_id(), span.context().trace_id());
    /// assert_eq!(ids.span_id(), span.context().span_id());
    /// # Ok::<(), tracehound::tracer::BuildError>(())
    /// ```
    pub fn is_sampled(self) -> bool {
        self.is_sampled
    }

    /// Returns whether there is no trace.
    pub fn is_empty(self) -> bool {
        self.ids.is_none()
    }
}

impl fmt::Display for TraceIds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some((trace_id, span_id)) = self.ids else {
            return Ok(());
        };
        // Piece by piece: `write!` with arguments takes twice the instructions.
        f.write_str("trace_id=")?;
        if trace_id.high() != 0 {
            write_hex(f, trace_id.high())?;
        }
        write_hex(f, trace_id.low())?;
        f.write_str(" span_id=")?;
        write_hex(f, span_id.get())?;
        f.write_str(match self.is_sampled {
            true => " sampled=true",
            false => " sampled=false",
        })
    }
}

fn write_hex(f: &mut fmt::Formatter<'_>, digits: u64) -> fmt::Result {
    f.write_str(str::from_utf8(&hex_digits(digits)).expect("hex digits are ASCII"))
}

impl Span {
    /// Returns the ids for a log line about this span. [`scope::trace_ids`](crate::scope::trace_ids) returns those of
    /// the active span.
    ///
    /// ```
    /// # use tracehound::prelude::*;
    /// # use tracehound::reporter::NullReporter;
    /// # let tracer = JaegerTracer::builder("shop").reporter(NullReporter::new()).build()?;
    /// let span = tracer.start_span("checkout");
    /// assert_eq!(span.trace_ids().trace_id(), span.context().trace_id());
    /// assert_eq!(Span::noop().trace_ids().to_string(), "");
    /// # Ok::<(), tracehound::tracer::BuildError>(())
    /// ```
    pub fn trace_ids(&self) -> TraceIds {
        let Some(slot) = self.slot() else {
            return TraceIds::default();
        };
        TraceIds {
            ids: Some((slot.header.trace_id, slot.header.span_id)),
            is_sampled: slot.flags().is_sampled(),
        }
    }
}

impl SpanContext {
    /// Returns the ids for a log line about the span of this context.
    ///
    /// ```
    /// # use tracehound::SpanContext;
    /// assert!(SpanContext::default().trace_ids().is_empty());
    /// ```
    pub fn trace_ids(&self) -> TraceIds {
        TraceIds {
            ids: self.trace_id().zip(self.span_id()),
            is_sampled: self.has_trace() && self.is_sampled(),
        }
    }
}
