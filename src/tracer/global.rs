//! One tracer for the whole process, for code that cannot be handed one.

use std::borrow::Cow;
use std::fmt;
use std::sync::OnceLock;

use crate::propagation::{ExtractCarrier, ExtractError, InjectCarrier};
use crate::span::{Span, SpanContext};
use crate::tracer::{StartSpanOptions, Tracer};

static GLOBAL: OnceLock<Box<dyn Tracer>> = OnceLock::new();

/// Makes a tracer the global one, once.
///
/// The global tracer is never dropped: call [`JaegerTracer::close`](crate::JaegerTracer::close) on a clone before
/// the program ends.
///
/// # Errors
///
/// When there is one already; the error gives the refused one back.
///
/// ```
/// use tracehound::NoopTracer;
/// use tracehound::tracer::set_tracer;
///
/// assert!(set_tracer(NoopTracer).is_ok());
/// assert!(set_tracer(NoopTracer).is_err());
/// ```
pub fn set_tracer<T: Tracer + 'static>(tracer: T) -> Result<(), SetTracerError<T>> {
    let mut tracer = Some(tracer);
    GLOBAL.get_or_init(|| match tracer.take() {
        Some(tracer) => Box::new(tracer),
        None => Box::new(crate::tracer::NoopTracer),
    });
    tracer.map_or(Ok(()), |rejected| Err(SetTracerError { rejected }))
}

/// The global tracer: a no-op until [`set_tracer`] is called, also for those who asked before.
pub const fn tracer() -> &'static GlobalTracer {
    &GlobalTracer(())
}

/// Stands for the global tracer.
#[derive(Clone, Copy, Debug)]
pub struct GlobalTracer(());

impl Tracer for GlobalTracer {
    fn start(&self, options: StartSpanOptions<'_>) -> Span {
        GLOBAL
            .get()
            .map_or_else(Span::noop, |tracer| tracer.start(options))
    }

    fn inject(&self, context: &SpanContext, carrier: &mut dyn InjectCarrier) {
        if let Some(tracer) = GLOBAL.get() {
            tracer.inject(context, carrier);
        }
    }

    fn extract(&self, carrier: &dyn ExtractCarrier) -> Result<Option<SpanContext>, ExtractError> {
        GLOBAL
            .get()
            .map_or(Ok(None), |tracer| tracer.extract(carrier))
    }

    fn is_noop(&self) -> bool {
        GLOBAL.get().is_none_or(|tracer| tracer.is_noop())
    }

    #[inline]
    fn start_named(&self, operation_name: Cow<'static, str>) -> Span {
        match GLOBAL.get() {
            Some(tracer) => tracer.start_named(operation_name),
            None => Span::noop(),
        }
    }
}

/// There is a global tracer already.
pub struct SetTracerError<T> {
    /// The tracer that was refused.
    pub rejected: T,
}

impl<T> fmt::Debug for SetTracerError<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SetTracerError")
    }
}

impl<T> fmt::Display for SetTracerError<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("there is a global tracer already")
    }
}

impl<T> std::error::Error for SetTracerError<T> {}
