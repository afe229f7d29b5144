//! Distributed tracing for Jaeger.
#![cfg_attr(docsrs, feature(doc_cfg))]
#![allow(dead_code, unused_imports, reason = "the crate is put together")]

pub mod clock;
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
mod sync;
pub mod tracer;

pub use scope::Instrument;
pub use span::{Span, SpanContext};
pub use tracer::{JaegerTracer, NoopTracer, Tracer, TracerExt};
