//! The plain values of a trace: ids, flags, tags, log records, baggage, the process.
//!
//! Nothing here knows of tracers or threads. The wire forms of these values are in
//! [`propagation`](crate::propagation) (headers) and in the reporter (Thrift).
//!
//! # When do I meet owned values, when borrowed ones?
//!
//! A span takes borrowed values, made by `Into<TagRef>` and [`field`], and copies them only if it records. What a
//! test or a reporter reads back is owned.
//!
//! ```
//! use tracehound::model::{field, tags};
//! use tracehound::prelude::*;
//! use tracehound::reporter::InMemoryReporter;
//! use tracehound::sampler::ConstSampler;
//!
//! let spans = InMemoryReporter::new();
//! let tracer = JaegerTracer::builder("shop")
//!     .sampler(ConstSampler::new(true))
//!     .reporter(spans.clone())
//!     .build()?;
//! let span = tracer.start_span("checkout");
//! span.set_tag(tags::HTTP_STATUS_CODE, 503_u16);
//! span.log([field(tags::EVENT, "retry"), field("attempt", 2)]);
//! let trace_id = span.context().trace_id();
//! span.finish();
//!
//! let span = &spans.spans()[0];
//! assert_eq!(Some(span.trace_id), trace_id);
//! assert_eq!(span.tag_text(tags::HTTP_STATUS_CODE), "503");
//! assert_eq!(span.logs[0].fields[1].key, "attempt");
//! # Ok::<(), tracehound::tracer::BuildError>(())
//! ```
//!
//! # Which value is what?
//!
//! | value | is |
//! |---|---|
//! | [`TraceId`], [`SpanId`] | ids that are never zero; they print as hex |
//! | [`Flags`] | the byte that says whether a trace is sampled |
//! | [`Tag`], [`TagValue`], [`TagRef`] | a key with a typed value: owned, and borrowed |
//! | [`LogRecord`], [`LogField`], [`FieldRef`] | a time with fields: owned, and borrowed |
//! | [`Baggage`] | keys and values that travel with a trace |
//! | [`TraceState`] | what other tracing systems keep in the headers of a trace |
//! | [`ReferenceType`] | how a span depends on another one |
//! | [`SpanKind`] | the side of a call that a span stands for |
//! | [`Timestamp`] | a time in microseconds |
//! | [`Process`] | the service and its tags |
//! | [`Place`] | a line in the source of a program |
//! | [`Recording`] | how much of a program's data its spans show |
//! | [`TagNames`] | the vocabulary in which the middleware names tags |
//! | [`tags`] | standard names of tags and log fields |
//! | [`otel_tags`] | OpenTelemetry's names of tags |

mod baggage;
mod carried;
mod flags;
mod id;
mod log;
pub mod otel_tags;
mod place;
mod process;
mod randomness;
mod recording;
mod reference;
mod short_list;
mod span_kind;
mod tag;
mod tag_names;
pub mod tags;
mod timestamp;
mod trace_state;

pub(crate) use baggage::BaggageBuilder;
pub(crate) use baggage::is_unreserved;
pub use baggage::{Baggage, BaggageLimit};
pub(crate) use carried::Carried;
pub use flags::Flags;
pub use id::{ParseIdError, SpanId, TraceId};
pub(crate) use id::{hex_digit, hex_digits, parse_hex};
pub use log::{FieldRef, LogField, LogRecord, field};
pub use place::Place;
pub use process::Process;
pub(crate) use randomness::{Randomness, random_value};
pub use recording::Recording;
pub use reference::{ReferenceType, ReportedReference};
pub(crate) use short_list::ShortList;
pub use span_kind::SpanKind;
#[cfg(feature = "_view")]
pub(crate) use tag::non_finite;
pub use tag::{Tag, TagRef, TagValue, display};
pub use tag_names::TagNames;
pub use timestamp::Timestamp;
pub(crate) use trace_state::OT_KEY;
pub use trace_state::{TraceState, TraceStateError};
