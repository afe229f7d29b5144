//! The plain values of a trace: ids, flags, tags, log records, baggage, the process.
//!
//! Nothing here knows of tracers or threads. The wire forms of these values are in
//! [`propagation`](crate::propagation) (headers) and in the reporter (Thrift).

mod baggage;
mod flags;
mod id;
mod log;
mod process;
mod tag;
mod timestamp;

mod reference;
pub(crate) mod sampling;
pub mod tags;

pub(crate) use baggage::BaggageBuilder;
#[cfg(test)]
pub(crate) use baggage::is_unreserved;
pub use baggage::{Baggage, BaggageLimit};
pub use flags::Flags;
pub use id::{ParseIdError, SpanId, TraceId};
pub(crate) use id::{hex_digit, hex_digits};
pub use log::{FieldRef, LogField, LogRecord, field};
pub use process::Process;
pub use reference::{ReferenceType, ReportedReference};
#[cfg(feature = "dev")]
pub(crate) use tag::non_finite;
pub use tag::{Tag, TagRef, TagValue, display};
pub use timestamp::Timestamp;
