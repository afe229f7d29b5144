use std::borrow::Cow;
use std::panic::Location;

use crate::propagation::{ExtractCarrier, ExtractError, InjectCarrier};
use crate::span::{Span, SpanContext};
use crate::tracer::{StartSpanOptions, Tracer};

/// A tracer that is off: every span is a no-op, `inject` writes nothing, and `extract` finds nothing.
///
/// ```
/// use tracehound::NoopTracer;
/// use tracehound::prelude::*;
///
/// assert!(NoopTracer.start_span("checkout").is_noop());
/// ```
#[derive(Clone, Copy, Debug, Default)]
#[expect(clippy::exhaustive_structs, reason = "there is nothing in it")]
pub struct NoopTracer;

impl Tracer for NoopTracer {
    #[inline]
    fn start(&self, _options: StartSpanOptions<'_>) -> Span {
        Span::noop()
    }

    #[inline]
    fn inject(&self, _context: &SpanContext, _carrier: &mut dyn InjectCarrier) {}

    #[inline]
    fn extract(&self, _carrier: &dyn ExtractCarrier) -> Result<Option<SpanContext>, ExtractError> {
        Ok(None)
    }

    #[inline]
    fn is_noop(&self) -> bool {
        true
    }

    #[inline]
    fn start_named(
        &self,
        operation_name: Cow<'static, str>,
        _: &'static Location<'static>,
    ) -> Span {
        if let Cow::Owned(name) = operation_name {
            free(name);
        }
        Span::noop()
    }
}

/// Frees a name. Out of line, so that behind a `dyn Tracer` a name that need not be freed costs a comparison.
#[cold]
#[inline(never)]
fn free(name: String) {
    drop(name);
}
