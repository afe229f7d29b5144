//! What nearly every file that traces wants: `use tracehound::prelude::*;`.

pub use crate::scope::InSpan;
pub use crate::span::Span;
pub use crate::tracer::{Tracer, TracerExt};
