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
mod coding;
mod error;
mod jaeger;

use std::any::Any;

#[cfg(feature = "tower")]
pub(crate) use carrier::GrpcHeaders;
pub use carrier::{
    ExtractCarrier, HttpHeaders, InjectCarrier, InvalidKey, Key, ReadFrom, TextMapReader,
    TextMapWriter, WriteTo,
};
pub use error::ExtractError;
pub use jaeger::{HeaderNames, JaegerCodec};

use crate::metrics::Metrics;
use crate::span::SpanContext;

/// Writes contexts into carriers of one text format.
pub trait Injector: Send + Sync {
    /// Writes every header that `context` needs, in place of all headers of this format that are there: what an earlier
    /// request has left in the carrier must not go on.
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

/// Both directions of one text format, such as a [`JaegerCodec`].
pub trait Codec: Injector + Extractor {}

impl<T: Injector + Extractor> Codec for T {}

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
    /// Writes `context` into `carrier` if that is of the type it knows; else returns false.
    fn inject(&self, context: &SpanContext, carrier: &mut dyn Any) -> bool;

    /// Reads `carrier` if that is of the type it knows; else `Ok(None)`.
    ///
    /// # Errors
    ///
    /// Where the carrier holds something malformed.
    fn extract(&self, carrier: &dyn Any) -> Result<Option<SpanContext>, ExtractError>;
}
