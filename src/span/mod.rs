//! Spans: named and timed units of work.
//!
//! # What is on a span?
//!
//! Tags describe the whole span, log records describe a moment of it, and baggage is passed on to all later spans.
//!
//! ```
//! use tracehound::model::field;
//! use tracehound::prelude::*;
//! use tracehound::reporter::InMemoryReporter;
//! use tracehound::sampler::ConstSampler;
//! use tracehound::JaegerTracer;
//!
//! let spans = InMemoryReporter::new();
//! let tracer = JaegerTracer::builder("shop")
//!     .sampler(ConstSampler::new(true))
//!     .reporter(spans.clone())
//!     .build()?;
//! let span = tracer.start_span("checkout");
//! span.set_tag("items", 3).log([field("event", "paid"), field("cents", 4_200)]);
//! span.finish();
//! assert_eq!(spans.spans()[0].operation_name, "checkout");
//! # Ok::<(), tracehound::tracer::BuildError>(())
//! ```
//!
//! # Who finishes a span?
//!
//! A [`Span`] is a handle, and there may be many handles to one span.
//!
//! | handle from | owns the span |
//! |---|---|
//! | [`start_span`](crate::TracerExt::start_span), [`start`](crate::tracer::SpanBuilder::start), `clone` of an owner | yes |
//! | [`Span::activate`] on an owner, for as long as the [`Scope`](crate::scope::Scope) lives | yes |
//! | [`active_span`](crate::scope::active_span), [`Span::downgrade`], `clone` of such a handle | no |
//!
//! A span finishes at [`Span::finish`] on any handle, or when its last owner is dropped. A task that holds only
//! a downgraded handle keeps no request open. After the end, every method does nothing; only the context stays.

mod baggage_setter;
mod context;
#[cfg(feature = "tracing")]
mod deferred;
mod error_like;
mod error_text;
mod handle;
mod into_tag;
mod marks;
mod recording;
mod reference;
mod to_context;
mod trace_ids;

pub(crate) use context::Decision;
pub use context::SpanContext;
pub use error_like::ErrorLike;
pub(crate) use error_text::{text_of, with_causes};
pub use handle::Span;
pub use into_tag::IntoTag;
pub(crate) use recording::{begin_with_sampler_tags, begin_with_tag};
pub use reference::Reference;
pub(crate) use to_context::TakeContext;
pub use to_context::ToSpanContext;
pub use trace_ids::TraceIds;

pub use crate::record::Limits;
