//! The global tracer of the process, for code that cannot be handed a tracer.

use std::borrow::Cow;
use std::fmt;
use std::panic::Location;
use std::sync::OnceLock;

use crate::clock::Moment;
use crate::model::TagNames;
use crate::propagation::{ExtractCarrier, ExtractError, InjectCarrier};
use crate::span::{Span, SpanContext};
use crate::tracer::{StartSpanOptions, Tracer};

static GLOBAL: OnceLock<Box<dyn Tracer>> = OnceLock::new();

/// Makes a tracer the global one. Only the first call succeeds.
///
/// The global tracer is never dropped. Call [`JaegerTracer::close`](crate::JaegerTracer::close) on a clone before
/// the program ends.
///
/// # Errors
///
/// Returns [`SetTracerError`], which holds `tracer`, if there is a global tracer already.
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

/// Returns the global tracer. It is a no-op until [`set_tracer`] is called, and works from then on, even if the caller
/// has kept it from before.
///
/// ```
/// use tracehound::prelude::*;
/// use tracehound::tracer::tracer;
///
/// let span = tracer().start_span("checkout");
/// ```
pub const fn tracer() -> &'static GlobalTracer {
    &GlobalTracer(())
}

/// A stand-in for the global tracer, which [`tracer`] returns.
///
/// ```
/// use tracehound::prelude::*;
/// use tracehound::tracer::{GlobalTracer, tracer};
///
/// /// A service that cannot be handed a tracer.
/// struct Cart {
///     tracer: &'static GlobalTracer,
/// }
///
/// let cart = Cart { tracer: tracer() };
/// assert!(cart.tracer.start_span("read").is_noop(), "no tracer is set yet");
/// ```
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
    fn start_named(
        &self,
        operation_name: Cow<'static, str>,
        place: &'static Location<'static>,
    ) -> Span {
        match GLOBAL.get() {
            Some(tracer) => tracer.start_named(operation_name, place),
            None => Span::noop(),
        }
    }

    fn moment(&self) -> Moment {
        GLOBAL
            .get()
            .map_or_else(Moment::wall, |tracer| tracer.moment())
    }

    fn tag_names(&self) -> TagNames {
        GLOBAL
            .get()
            .map_or_else(TagNames::default, |tracer| tracer.tag_names())
    }
}

/// The error of [`set_tracer`]: there is a global tracer already.
///
/// ```
/// use tracehound::tracer::set_tracer;
/// use tracehound::{JaegerTracer, NoopTracer};
///
/// # let _ =
/// set_tracer(NoopTracer);
/// let error = set_tracer(JaegerTracer::disabled()).expect_err("there is one already");
/// let mine = error.rejected; // still of use
/// # drop(mine);
/// ```
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
