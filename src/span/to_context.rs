use crate::span::SpanContext;

/// A possible parent of a span: a span, a context, or an `Option` of either.
///
/// Implement it for a type of your own that holds a span or a context:
///
/// ```
/// use tracehound::prelude::*;
/// use tracehound::span::ToSpanContext;
/// use tracehound::{NoopTracer, SpanContext};
///
/// struct Job {
///     cause: SpanContext,
/// }
///
/// impl ToSpanContext for Job {
///     fn to_span_context(&self) -> SpanContext {
///         self.cause.clone()
///     }
/// }
///
/// let job = Job { cause: SpanContext::default() };
/// NoopTracer.build_span("work").follows_from(&job).start();
/// ```
pub trait ToSpanContext {
    /// Returns the context, which is empty if there is none.
    fn to_span_context(&self) -> SpanContext;

    /// Passes the context to `to`, unless it is empty. No program can name `TakeContext`, so none can override this.
    #[doc(hidden)]
    #[inline]
    fn give_span_context(&self, to: impl TakeContext)
    where
        Self: Sized,
    {
        let context = self.to_span_context();
        if !context.is_empty() {
            to.take(|| context);
        }
    }
}

/// A destination in which a context is constructed in place.
///
/// Returning the context instead would copy it right after it was written. That costs 16 instructions a reference and
/// defeats store forwarding.
pub trait TakeContext {
    /// Stores the context that `make` returns.
    fn take(self, make: impl FnOnce() -> SpanContext);
}

impl ToSpanContext for SpanContext {
    #[inline]
    fn to_span_context(&self) -> SpanContext {
        self.clone()
    }

    #[inline(always)]
    fn give_span_context(&self, to: impl TakeContext) {
        if !self.is_empty() {
            to.take(|| self.clone());
        }
    }
}

impl<T: ToSpanContext> ToSpanContext for Option<T> {
    #[inline]
    fn to_span_context(&self) -> SpanContext {
        self.as_ref()
            .map_or_else(SpanContext::default, ToSpanContext::to_span_context)
    }

    #[inline]
    fn give_span_context(&self, to: impl TakeContext) {
        if let Some(parent) = self {
            parent.give_span_context(to);
        }
    }
}

impl<T: ToSpanContext + ?Sized> ToSpanContext for &T {
    #[inline]
    fn to_span_context(&self) -> SpanContext {
        (**self).to_span_context()
    }
}
