//! Distributed tracing for Jaeger.
#![cfg_attr(docsrs, feature(doc_cfg))]
#![allow(dead_code, unused_imports, reason = "the crate is put together")]

pub mod clock;
#[cfg(feature = "dev")]
pub mod dev;
pub mod diagnostics;
pub mod metrics;
pub mod model;
pub mod prelude;
pub mod propagation;
mod record;
pub mod reporter;
pub mod sampler;
pub mod scope;
pub mod span;
#[cfg(feature = "_thrift")]
mod thrift;
pub mod tracer;

pub use scope::Instrument;
pub use span::{Span, SpanContext};
pub use tracer::{JaegerTracer, NoopTracer, Tracer, TracerExt};

/// A tracer to look at at once: every trace is kept and drawn in the terminal. Nothing else need be installed.
///
/// All tracers that this function has made share one embedded agent, which other processes can send to as
/// well; the module [`dev`](mod@dev) tells the rest. Where the agent cannot start, or the service has no name, a
/// line says so and the tracer is off.
///
/// ```no_run
/// use tracehound::prelude::*;
///
/// let tracer = tracehound::dev("shop");
/// let span = tracer.start_span("checkout");
/// let _scope = span.activate();
/// ```
#[cfg(feature = "dev")]
pub fn dev(service_name: impl Into<String>) -> JaegerTracer {
    dev::tracer(service_name.into(), dev::DevOptions::new)
}
