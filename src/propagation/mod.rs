//! Contexts across processes: what is written into a request and read out of it.
//!
//! A *carrier* is what holds the headers: a map, an `http::HeaderMap`, gRPC metadata, bytes, a type of yours.
//! It says itself which format it is ([`WriteTo`], [`ReadFrom`]), so a format and a carrier that do not fit
//! together do not compile. A *codec* writes a context into carriers of one format and reads it out again.
//!
//! | carrier | format |
//! |---|---|
//! | `HashMap<String, String>` and other text maps | text map: values as they are |
//! | `http::HeaderMap`, `tonic::metadata::MetadataMap` | HTTP headers: values percent-encoded |
//! | `Vec<u8>`, `[u8]` | binary |
//!
//! ```
//! use std::collections::HashMap;
//! use tracehound::JaegerTracer;
//! use tracehound::prelude::*;
//! use tracehound::reporter::NullReporter;
//!
//! let tracer = JaegerTracer::builder("shop").reporter(NullReporter::new()).build()?;
//! let span = tracer.start_span("checkout");
//! let mut headers = HashMap::new();
//! tracer.inject(&span.context(), &mut headers);
//! assert!(headers.contains_key("uber-trace-id"));
//!
//! let parent = tracer.extract(&headers)?;
//! let child = tracer.build_span("pay").child_of(&parent).start();
//! assert_eq!(child.context().trace_id(), span.context().trace_id());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod carrier;
mod jaeger;
mod key;

use std::any::Any;
use std::fmt;

pub use carrier::{ExtractCarrier, InjectCarrier, ReadFrom, TextMapReader, TextMapWriter, WriteTo};
pub use jaeger::JaegerCodec;
pub use key::{InvalidKey, Key};

use crate::metrics::Metrics;
use crate::span::SpanContext;

/// Writes contexts into carriers of one text format.
pub trait Injector: Send + Sync {
    /// Writes every header that `context` needs, in place of headers of the same name.
    ///
    /// A context without a trace writes only its baggage.
    fn inject(&self, context: &SpanContext, carrier: &mut dyn TextMapWriter);

    /// Called once by the tracer's builder: where to count what could not be written.
    fn attach_metrics(&mut self, _metrics: &Metrics) {}
}

/// Reads contexts out of carriers of one text format.
pub trait Extractor: Send + Sync {
    /// `Ok(None)` where the carrier holds nothing of this format.
    ///
    /// # Errors
    ///
    /// Where it holds something of this format that is malformed. Nothing of that carrier is then used.
    fn extract(&self, carrier: &dyn TextMapReader) -> Result<Option<SpanContext>, ExtractError>;

    /// Called once by the tracer's builder: where to count what was skipped.
    fn attach_metrics(&mut self, _metrics: &Metrics) {}
}

/// Both directions of one text format.
pub trait Codec: Injector + Extractor {}

impl<T: Injector + Extractor> Codec for T {}

/// Writes and reads a carrier of a user's own ([`WriteTo::Custom`], [`ReadFrom::Custom`]).
pub trait CustomCodec: Send + Sync {
    /// Writes `context` into `carrier` if that is of the type it knows; else returns false.
    fn inject(&self, context: &SpanContext, carrier: &mut dyn Any) -> bool;

    /// Reads `carrier` if that is of the type it knows; else `Ok(None)`.
    ///
    /// # Errors
    ///
    /// Where the carrier holds something malformed.
    fn extract(&self, carrier: &dyn Any) -> Result<Option<SpanContext>, ExtractError>;
}

/// A carrier holds a context that is malformed.
///
/// It tells the place and the rule, and of the value only what cannot be a secret: an id, cut and escaped.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ExtractError {
    /// The trace header does not have the form that it must have.
    Corrupted {
        /// The header.
        header: String,
        /// Which rule it breaks.
        reason: &'static str,
        /// Its value, cut after 64 bytes and escaped.
        value: String,
    },
    /// The bytes are no context.
    CorruptedBinary {
        /// Which rule they break.
        reason: &'static str,
    },
}

impl fmt::Display for ExtractError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Corrupted {
                header,
                reason,
                value,
            } => write!(f, "{header}: {reason}: \"{value}\""),
            Self::CorruptedBinary { reason } => write!(f, "binary context: {reason}"),
        }
    }
}

impl std::error::Error for ExtractError {}
