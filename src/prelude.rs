//! The items that nearly every file with spans needs: `use tracehound::prelude::*;`.
//!
//! ```
//! use tracehound::prelude::*;
//!
//! fn check_out(tracer: &impl Tracer, items: usize) {
//!     let span = tracer.start_active_span("check_out"); // of `TracerExt`
//!     span.set_tag("items", items);
//!     active_span().log([field("event", "paid")]);
//! }
//!
//! check_out(&JaegerTracer::disabled(), 3);
//! ```
//!
//! Futures get `.in_span(span)` from [`InSpan`].

pub use crate::model::field;
pub use crate::scope::{InSpan, active_span};
pub use crate::span::Span;
pub use crate::tracer::{JaegerTracer, Tracer, TracerExt};
