//! What nearly every file that traces wants: `use tracehound::prelude::*;`.

pub use crate::model::field;
pub use crate::scope::{InSpan, active_span};
pub use crate::span::Span;
pub use crate::tracer::{JaegerTracer, Tracer, TracerExt};
