//! Contexts across processes: what is written into a request and read out of it.
//!
//! A *carrier* is what holds the headers: a map, an `http::HeaderMap`, gRPC metadata, bytes, a type of yours.
//! It says itself which format it is ([`WriteTo`], [`ReadFrom`]), so a format and a carrier that do not fit
//! together do not compile. A *codec* writes a context into carriers of one format and reads it out again.
//!
//! | carrier | format |
//! |---|---|
//! | `HashMap`, `BTreeMap` or `Vec` of pairs, of `String` and `String` | text map: values as they are |
//! | the same, slices and arrays of pairs, of any text such as `&str` | text map, to read only |
//! | `http::HeaderMap`, `tonic::metadata::MetadataMap`, [`HttpHeaders`] | HTTP headers: values percent-encoded |
//! | `Vec<u8>`, `[u8]` | binary: there is no codec yet, so nothing is written or read, and a line says so |
//! | a type of yours | what it says it is; [`InjectCarrier`] and [`CustomCodec`] have examples |
//!
//! What comes from outside is bounded and cannot fail a request: baggage beyond the limits of
//! [`Baggage`](crate::model::Baggage) is left out and counted, and a malformed trace header is an [`ExtractError`],
//! after which the caller begins a new trace.
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
mod glance;
#[cfg(feature = "tower")]
pub(crate) mod grpc_headers;
#[cfg(feature = "http")]
mod header_map;
mod header_names;
mod jaeger;
mod key;
#[cfg(feature = "tonic")]
mod metadata_map;
mod text;
mod text_map;
mod uber_trace_id;

use std::any::Any;
use std::fmt;

pub use carrier::{ExtractCarrier, InjectCarrier, ReadFrom, TextMapReader, TextMapWriter, WriteTo};
pub use header_names::HeaderNames;
pub use jaeger::JaegerCodec;
pub use key::{InvalidKey, Key};
pub use text_map::HttpHeaders;

use crate::services::Services;
use crate::span::SpanContext;

/// Writes contexts into carriers of one text format.
pub trait Injector: Send + Sync {
    /// Writes every header that `context` needs, in place of all headers of this format that are there: what an earlier
    /// request has left in the carrier must not go on.
    ///
    /// A context without a trace writes only its baggage.
    fn inject(&self, context: &SpanContext, carrier: &mut dyn TextMapWriter);
}

/// Reads contexts out of carriers of one text format.
pub trait Extractor: Send + Sync {
    /// `Ok(None)` where the carrier holds nothing of this format.
    ///
    /// # Errors
    ///
    /// Where it holds something of this format that is malformed. Nothing of that carrier is then used.
    fn extract(&self, carrier: &dyn TextMapReader) -> Result<Option<SpanContext>, ExtractError>;
}

/// Both directions of one text format, such as a [`JaegerCodec`].
///
/// A type that writes and reads says that it is a codec by `impl Codec for MyCodec {}`.
pub trait Codec: Injector + Extractor {
    /// Takes the tracer's services: where to count and to warn. The tracer's builder calls it once, before the first
    /// carrier. By default nothing.
    ///
    /// A forked child shares the codec with its parent: see [`Services::generation`].
    fn attach(&mut self, _services: &Services) {}
}

impl Injector for Box<dyn Codec> {
    #[inline]
    fn inject(&self, context: &SpanContext, carrier: &mut dyn TextMapWriter) {
        (**self).inject(context, carrier);
    }
}

impl Extractor for Box<dyn Codec> {
    #[inline]
    fn extract(&self, carrier: &dyn TextMapReader) -> Result<Option<SpanContext>, ExtractError> {
        (**self).extract(carrier)
    }
}

impl Codec for Box<dyn Codec> {
    fn attach(&mut self, services: &Services) {
        (**self).attach(services);
    }
}

/// Writes and reads a carrier of a user's own ([`WriteTo::Custom`], [`ReadFrom::Custom`]).
///
/// For what is neither a text map nor bytes, such as a struct with a field for each id:
///
/// ```
/// use std::any::Any;
/// use tracehound::model::{Flags, SpanId, TraceId};
/// use tracehound::prelude::*;
/// use tracehound::propagation::{
///     CustomCodec, ExtractCarrier, ExtractError, InjectCarrier, ReadFrom, WriteTo,
/// };
/// use tracehound::reporter::NullReporter;
/// use tracehound::{JaegerTracer, SpanContext};
///
/// #[derive(Default)]
/// struct Frame {
///     trace: u64,
///     span: u64,
///     sampled: bool,
/// }
///
/// impl InjectCarrier for Frame {
///     fn write(&mut self) -> WriteTo<'_> {
///         WriteTo::Custom(self)
///     }
/// }
///
/// impl ExtractCarrier for Frame {
///     fn read(&self) -> ReadFrom<'_> {
///         ReadFrom::Custom(self)
///     }
/// }
///
/// struct FrameCodec;
///
/// impl CustomCodec for FrameCodec {
///     fn inject(&self, context: &SpanContext, carrier: &mut dyn Any) -> bool {
///         let Some(frame) = carrier.downcast_mut::<Frame>() else {
///             return false;
///         };
///         if let (Some(trace), Some(span)) = (context.trace_id(), context.span_id()) {
///             *frame = Frame {
///                 trace: trace.low(),
///                 span: span.get(),
///                 sampled: context.is_sampled(),
///             };
///         }
///         true
///     }
///
///     fn extract(&self, carrier: &dyn Any) -> Result<Option<SpanContext>, ExtractError> {
///         let Some(frame) = carrier.downcast_ref::<Frame>() else {
///             return Ok(None);
///         };
///         let ids = TraceId::new(0, frame.trace).zip(SpanId::new(frame.span));
///         let flags = if frame.sampled { Flags::SAMPLED } else { Flags::default() };
///         Ok(ids.map(|(trace, span)| SpanContext::new(trace, span, None, flags)))
///     }
/// }
///
/// let tracer = JaegerTracer::builder("shop")
///     .reporter(NullReporter::new())
///     .custom_codec(FrameCodec)
///     .build()?;
/// let incoming = Frame { trace: 1, span: 2, sampled: true };
/// let parent = tracer.extract(&incoming)?.expect("has both ids");
/// let span = tracer.build_span("forward").child_of(&parent).start();
/// let mut outgoing = Frame::default();
/// tracer.inject(&span.context(), &mut outgoing);
/// assert_eq!((outgoing.trace, outgoing.sampled), (1, true));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub trait CustomCodec: Send + Sync {
    /// Takes the tracer's services, as [`Codec::attach`] does. By default nothing.
    fn attach(&mut self, _services: &Services) {}

    /// Writes `context` into `carrier` if that is of the type it knows; else returns false.
    fn inject(&self, context: &SpanContext, carrier: &mut dyn Any) -> bool;

    /// Reads `carrier` if that is of the type it knows; else `Ok(None)`.
    ///
    /// # Errors
    ///
    /// Where the carrier holds something malformed.
    fn extract(&self, carrier: &dyn Any) -> Result<Option<SpanContext>, ExtractError>;
}

impl CustomCodec for Box<dyn CustomCodec> {
    fn attach(&mut self, services: &Services) {
        (**self).attach(services);
    }

    fn inject(&self, context: &SpanContext, carrier: &mut dyn Any) -> bool {
        (**self).inject(context, carrier)
    }

    fn extract(&self, carrier: &dyn Any) -> Result<Option<SpanContext>, ExtractError> {
        (**self).extract(carrier)
    }
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
