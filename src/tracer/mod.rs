//! Where spans begin.
//!
//! [`Tracer`] is the seam: [`JaegerTracer`] does the work, [`NoopTracer`] none of it, and a wrapper of yours may
//! stand around either. [`TracerExt`] adds the comfortable calls to all of them, `dyn Tracer` included.

mod builder;
mod core;
mod global;
mod jaeger;
mod noop;
mod options;
mod origin;
mod process_tags;
mod span_builder;
mod start;

use std::borrow::Cow;
use std::sync::Arc;

pub use builder::{BuildError, TracerBuilder};
pub use global::{GlobalTracer, SetTracerError, set_tracer, tracer};
pub use jaeger::JaegerTracer;
pub use noop::NoopTracer;
pub use options::StartSpanOptions;
pub use span_builder::SpanBuilder;

use crate::propagation::{ExtractCarrier, ExtractError, InjectCarrier};
use crate::scope::ActiveSpan;
use crate::span::{Span, SpanContext};

/// Starts spans, and carries their contexts into requests and out of them. Object-safe.
pub trait Tracer: Send + Sync {
    /// Starts a span. Never fails. [`TracerExt::build_span`] is the comfortable way.
    fn start(&self, options: StartSpanOptions<'_>) -> Span;

    /// Writes a context into a carrier, in place of what was there. What a carrier cannot hold is counted, and so is a
    /// carrier that no codec knows ([`Counter::EncodingErrors`](crate::metrics::Counter)); a line says so.
    fn inject(&self, context: &SpanContext, carrier: &mut dyn InjectCarrier);

    /// Reads a context out of a carrier; `Ok(None)` where nobody has sent one.
    ///
    /// # Errors
    ///
    /// Where somebody has sent one that is malformed. It is counted; the usual answer is to start a root.
    fn extract(&self, carrier: &dyn ExtractCarrier) -> Result<Option<SpanContext>, ExtractError>;

    /// Whether every span is a no-op, so that work for it can be saved.
    fn is_noop(&self) -> bool {
        false
    }

    /// Starts a span of which nothing is said but its name: [`TracerExt::start_span`], without options to fill.
    #[doc(hidden)]
    #[inline]
    fn start_named(&self, operation_name: Cow<'static, str>) -> Span {
        if self.is_noop() {
            Span::noop()
        } else {
            self.start(StartSpanOptions::new(operation_name))
        }
    }
}

/// The comfortable calls, for every [`Tracer`].
pub trait TracerExt: Tracer {
    /// Begins to describe a span.
    ///
    /// ```
    /// use tracehound::NoopTracer;
    /// use tracehound::prelude::*;
    ///
    /// let span = NoopTracer.build_span("get_account").tag("span.kind", "server").start();
    /// assert!(span.is_noop());
    /// ```
    #[inline(always)]
    fn build_span<'a>(
        &'a self,
        operation_name: impl Into<Cow<'static, str>>,
    ) -> SpanBuilder<'a, Self> {
        SpanBuilder::new(self, operation_name.into())
    }

    /// Starts a span as a child of the active one, or as a root where none is active.
    #[inline(always)]
    fn start_span(&self, operation_name: impl Into<Cow<'static, str>>) -> Span {
        self.start_named(operation_name.into())
    }

    /// Starts a span as [`start_span`](Self::start_span) does, and makes it active on this thread until it finishes.
    ///
    /// ```
    /// use tracehound::NoopTracer;
    /// use tracehound::prelude::*;
    ///
    /// let span = NoopTracer.start_active_span("get_account");
    /// span.set_tag("account", 792); // spans that start from here on are its children
    /// ```
    fn start_active_span(&self, operation_name: impl Into<Cow<'static, str>>) -> ActiveSpan {
        ActiveSpan::new(self.start_span(operation_name))
    }
}

impl<T: Tracer + ?Sized> TracerExt for T {}

impl<T: Tracer + ?Sized> Tracer for Arc<T> {
    fn start(&self, options: StartSpanOptions<'_>) -> Span {
        (**self).start(options)
    }

    fn inject(&self, context: &SpanContext, carrier: &mut dyn InjectCarrier) {
        (**self).inject(context, carrier);
    }

    fn extract(&self, carrier: &dyn ExtractCarrier) -> Result<Option<SpanContext>, ExtractError> {
        (**self).extract(carrier)
    }

    fn is_noop(&self) -> bool {
        (**self).is_noop()
    }

    #[inline]
    fn start_named(&self, operation_name: Cow<'static, str>) -> Span {
        (**self).start_named(operation_name)
    }
}

impl<T: Tracer + ?Sized> Tracer for &T {
    fn start(&self, options: StartSpanOptions<'_>) -> Span {
        (**self).start(options)
    }

    fn inject(&self, context: &SpanContext, carrier: &mut dyn InjectCarrier) {
        (**self).inject(context, carrier);
    }

    fn extract(&self, carrier: &dyn ExtractCarrier) -> Result<Option<SpanContext>, ExtractError> {
        (**self).extract(carrier)
    }

    fn is_noop(&self) -> bool {
        (**self).is_noop()
    }

    #[inline]
    fn start_named(&self, operation_name: Cow<'static, str>) -> Span {
        (**self).start_named(operation_name)
    }
}

impl<T: Tracer + ?Sized> Tracer for Box<T> {
    fn start(&self, options: StartSpanOptions<'_>) -> Span {
        (**self).start(options)
    }

    fn inject(&self, context: &SpanContext, carrier: &mut dyn InjectCarrier) {
        (**self).inject(context, carrier);
    }

    fn extract(&self, carrier: &dyn ExtractCarrier) -> Result<Option<SpanContext>, ExtractError> {
        (**self).extract(carrier)
    }

    fn is_noop(&self) -> bool {
        (**self).is_noop()
    }

    #[inline]
    fn start_named(&self, operation_name: Cow<'static, str>) -> Span {
        (**self).start_named(operation_name)
    }
}
