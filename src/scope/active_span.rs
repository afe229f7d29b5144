use std::fmt;
use std::ops::Deref;
use std::time::SystemTime;

use crate::scope::Scope;
use crate::span::{Span, SpanContext, TakeContext, ToSpanContext};

/// A span that is active on this thread until it finishes: a [`Span`] and its [`Scope`] in one value.
///
/// [`TracerExt::start_active_span`](crate::TracerExt::start_active_span) and
/// [`SpanBuilder::start_active`](crate::tracer::SpanBuilder::start_active) make it. It finishes when it is dropped, or
/// at [`finish`](Self::finish). All methods of [`Span`] are there; a clone is a plain `Span` that owns.
///
/// ```
/// use tracehound::prelude::*;
/// use tracehound::reporter::InMemoryReporter;
/// use tracehound::sampler::ConstSampler;
///
/// fn check_out(tracer: &impl Tracer) {
///     let span = tracer.start_active_span("check_out");
///     span.set_tag("items", 3);
///     charge(tracer);
/// }
///
/// fn charge(tracer: &impl Tracer) {
///     let _span = tracer.start_active_span("charge");
/// }
///
/// let spans = InMemoryReporter::new();
/// let tracer = JaegerTracer::builder("shop")
///     .sampler(ConstSampler::new(true))
///     .reporter(spans.clone())
///     .build()?;
/// check_out(&tracer);
/// let [charge, check_out] = &spans.spans()[..] else { panic!("two spans") };
/// assert_eq!(charge.parent_id, Some(check_out.span_id));
/// # Ok::<(), tracehound::tracer::BuildError>(())
/// ```
///
/// It stays on its thread, like a scope; [`InSpan`](crate::scope::InSpan) is for futures:
///
/// ```compile_fail,E0277
/// use tracehound::prelude::*;
///
/// fn must_be_send<T: Send>(_: T) {}
/// must_be_send(tracehound::NoopTracer.start_active_span("check_out"));
/// ```
#[must_use = "the span finishes as soon as this is dropped: bind it to a name, and not to `_`"]
pub struct ActiveSpan {
    // Dropped first, so that the span is active no more when it finishes.
    scope: Scope,
    span: Span,
}

impl ActiveSpan {
    pub(crate) fn new(span: Span) -> Self {
        Self {
            scope: span.activate_lent(),
            span,
        }
    }

    /// Finishes the span now, and makes the previous one active again. A span that has finished before is counted.
    pub fn finish(self) {
        self.into_span().finish();
    }

    /// Finishes the span with an end time of your own, as [`Span::finish_at`] does.
    ///
    /// ```
    /// use std::time::SystemTime;
    /// use tracehound::NoopTracer;
    /// use tracehound::prelude::*;
    ///
    /// let span = NoopTracer.start_active_span("import");
    /// let last_row_written = SystemTime::now();
    /// span.finish_at(last_row_written);
    /// ```
    pub fn finish_at(self, time: SystemTime) {
        self.into_span().finish_at(time);
    }

    /// Makes the previous span active again and returns this one, which stays open: to finish it elsewhere.
    ///
    /// ```
    /// use tracehound::prelude::*;
    /// use tracehound::reporter::InMemoryReporter;
    /// use tracehound::sampler::ConstSampler;
    ///
    /// let spans = InMemoryReporter::new();
    /// let tracer = JaegerTracer::builder("shop")
    ///     .sampler(ConstSampler::new(true))
    ///     .reporter(spans.clone())
    ///     .build()?;
    /// let active = tracer.start_active_span("checkout");
    /// let span = active.into_span();
    /// assert!(active_span().is_noop() && spans.spans().is_empty());
    /// std::thread::spawn(move || span.finish()).join().expect("no panic");
    /// assert_eq!(spans.spans().len(), 1);
    /// # Ok::<(), tracehound::tracer::BuildError>(())
    /// ```
    pub fn into_span(self) -> Span {
        drop(self.scope);
        self.span
    }
}

impl Deref for ActiveSpan {
    type Target = Span;

    fn deref(&self) -> &Span {
        &self.span
    }
}

impl ToSpanContext for ActiveSpan {
    fn to_span_context(&self) -> SpanContext {
        self.span.to_span_context()
    }

    #[inline]
    fn give_span_context(&self, to: impl TakeContext) {
        self.span.give_span_context(to);
    }
}

impl fmt::Debug for ActiveSpan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ActiveSpan").field(&self.span).finish()
    }
}
