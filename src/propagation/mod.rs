//! Contexts that travel between processes, in the headers of requests and messages.
//!
//! The sender *injects* the context of its span into the headers of a request. The receiver *extracts* it and starts a
//! span that is a child of the sender's, so both spans belong to one trace:
//!
//! ```
//! use std::collections::HashMap;
//! use tracehound::JaegerTracer;
//! use tracehound::prelude::*;
//! use tracehound::reporter::NullReporter;
//!
//! let tracer = JaegerTracer::builder("shop").reporter(NullReporter::new()).build()?;
//!
//! // The client.
//! let span = tracer.start_span("checkout");
//! let mut headers = HashMap::new();
//! tracer.inject(&span.context(), &mut headers);
//! assert!(headers.contains_key("uber-trace-id"));
//!
//! // The server.
//! let parent = tracer.extract(&headers)?;
//! let child = tracer.build_span("pay").child_of(&parent).start();
//! assert_eq!(child.context().trace_id(), span.context().trace_id());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Which carrier do I need?
//!
//! A *carrier* holds the headers. It says which format it has ([`WriteTo`], [`ReadFrom`]), so a carrier and a format
//! that do not match do not compile.
//!
//! | carrier | inject | extract | format |
//! |---|---|---|---|
//! | `http::HeaderMap`, `tonic::metadata::MetadataMap` | yes | yes | HTTP headers: baggage values are percent-encoded |
//! | [`HttpHeaders`] around a carrier of the next two rows | if that row says so | yes | HTTP headers |
//! | `HashMap`, `BTreeMap`, `Vec` of pairs: `String` to `String` | yes | yes | text map: values stay as they are |
//! | these with any text such as `&str`, and slices and arrays of pairs | no | yes | text map |
//! | [`MessageHeaders`] around a list of names and bytes, as message queues have | yes | yes | text map |
//! | [`ChildEnvironment`], [`Environment`]: variables of a child process | the first | the second | HTTP headers |
//! | [`InFormat`] around a text carrier | yes | yes | a format that was added under a name |
//! | `Vec<u8>` | yes | yes | binary, for protocols whose headers are bytes |
//! | `[u8]` | no | yes | binary |
//! | your own type | yes | yes | the format that it names; see [`InjectCarrier`] and [`CustomCodec`] |
//!
//! # Which headers are written?
//!
//! A *codec* writes contexts into carriers of one format and reads them again. By default a tracer speaks Jaeger's
//! headers ([`JaegerCodec`]) and W3C's ([`W3cCodec`]): it writes both, and reads the first that holds a trace, as a
//! [`CompositeCodec`] does. `JAEGER_PROPAGATION` and [`Propagation`] choose others, such as Zipkin's ([`B3Codec`]). A
//! codec of your own is an [`Injector`] and an [`Extractor`]. Binary carriers have one format, that of [`BinaryCodec`].
//! Proxies and browsers may have to be told which headers to let through:
//! [`propagated_headers`](crate::JaegerTracer::propagated_headers) lists them.
//!
//! # What does each format carry?
//!
//! A context that is read in one format and written in another keeps what both carry:
//!
//! | part of a context | Jaeger | B3 | B3 single | W3C | binary |
//! |---|---|---|---|---|---|
//! | trace id of 128 bits | kept | kept | kept | kept | kept |
//! | parent id | kept | kept | kept | lost | kept |
//! | sampled or not | kept | kept | kept | kept | kept |
//! | debug flag | kept | kept | kept | as sampled | kept |
//! | other flags | kept | lost | lost | lost | kept |
//! | decision left to the receiver | as not sampled | kept | kept | as not sampled | as not sampled |
//! | decision without a trace | lost | kept | kept | lost | lost |
//! | random flag | lost | lost | lost | kept | lost |
//! | `tracestate` | lost | lost | lost | kept | lost |
//! | baggage value of any text | kept | kept | kept | kept | kept |
//! | baggage key with capitals | in lower case | in lower case | in lower case | kept | kept |
//! | baggage key of any text | lost | lost | lost | lost | kept |
//! | baggage properties | lost | lost | lost | kept | lost |
//! | debug id | only read | lost | lost | lost | lost |
//!
//! Jaeger's column is that of HTTP headers; in a text map a key of any text is kept, in lower case. A tracer that
//! speaks several formats passes on what any of them carries, if the receiver reads that one, too.
//!
//! # What can a stranger send?
//!
//! Headers come from outside, so what they hold is bounded and cannot fail a request. Baggage beyond the limits of
//! [`Baggage`](crate::model::Baggage) is left out and counted. A malformed trace header is an [`ExtractError`]: the
//! tracer counts and logs it, and the caller starts a new trace. How much of a well-formed context is believed is up to
//! [`Trust`].

mod b3;
mod binary;
mod carrier;
mod codecs;
mod coding;
mod composite;
mod error;
mod formats;
mod jaeger;
mod received_baggage;
mod trust;
mod w3c;

use std::any::Any;

pub use b3::B3Codec;
pub use binary::BinaryCodec;
#[cfg(feature = "tower")]
pub(crate) use carrier::GrpcHeaders;
pub(crate) use carrier::NO_HEADERS;
pub use carrier::{
    ChildEnvironment, Environment, ExtractCarrier, FoundHeaders, HeaderScan, HeaderSet,
    HttpHeaders, InFormat, InjectCarrier, InvalidKey, Key, MessageHeaders, ReadFrom, TextMapReader,
    TextMapWriter, WriteTo,
};
pub(crate) use codecs::Codecs;
pub use composite::CompositeCodec;
pub use error::ExtractError;
pub use formats::{Propagation, UnknownPropagation};
pub(crate) use formats::{joined, words};
pub use jaeger::{HeaderNames, JaegerCodec};
pub use trust::Trust;
#[cfg(feature = "tower")]
pub(crate) use w3c::TraceParent;
pub use w3c::W3cCodec;
pub(crate) use w3c::reopened;

use crate::services::Services;
use crate::span::SpanContext;

/// A writer of contexts into carriers of one text format.
///
/// ```
/// use std::collections::BTreeMap;
/// use tracehound::SpanContext;
/// use tracehound::propagation::{Injector, TextMapWriter};
///
/// /// Writes `x-trace` alone, for a log collector that looks for it.
/// struct TraceIdOnly;
///
/// impl Injector for TraceIdOnly {
///     fn inject(&self, context: &SpanContext, carrier: &mut dyn TextMapWriter) {
///         carrier.remove_where(&|key| key.eq_ignore_ascii_case("x-trace"));
///         if let Some(trace_id) = context.trace_id() {
///             carrier.set("x-trace", &trace_id.to_string());
///         }
///     }
/// }
///
/// let mut headers = BTreeMap::from([("X-Trace".to_owned(), "of an earlier request".to_owned())]);
/// TraceIdOnly.inject(&SpanContext::default(), &mut headers);
/// assert!(headers.is_empty());
/// ```
pub trait Injector: Send + Sync {
    /// Writes every header that `context` needs.
    ///
    /// It first removes all headers of its format from the carrier, because those of an earlier request must not go on.
    /// A context without a trace writes only its baggage.
    fn inject(&self, context: &SpanContext, carrier: &mut dyn TextMapWriter);
}

/// A reader of contexts from carriers of one text format.
///
/// ```
/// use tracehound::SpanContext;
/// use tracehound::propagation::{ExtractError, Extractor, HeaderSet, Key, TextMapReader};
///
/// /// Reads baggage from one header, `x-tenant`.
/// struct Tenant {
///     headers: HeaderSet,
/// }
///
/// impl Extractor for Tenant {
///     fn extract(
///         &self,
///         carrier: &dyn TextMapReader,
///     ) -> Result<Option<SpanContext>, ExtractError> {
///         Ok(carrier.find(&self.headers).iter().last().map(|(_, value)| {
///             let tenant = String::from_utf8_lossy(value);
///             SpanContext::default().with_baggage_item("tenant", &tenant)
///         }))
///     }
/// }
///
/// let headers = HeaderSet::new([Key::new("X-Tenant")?], []);
/// let tenant = Tenant { headers };
/// let context = tenant.extract(&[("x-tenant", "eu-1")])?.expect("the header is there");
/// assert_eq!(context.baggage().get("tenant"), Some("eu-1"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub trait Extractor: Send + Sync {
    /// Reads the context, or returns `Ok(None)` if the carrier has no header of this format.
    ///
    /// # Errors
    ///
    /// Fails if a header of this format is malformed. The caller then uses nothing from this carrier.
    fn extract(&self, carrier: &dyn TextMapReader) -> Result<Option<SpanContext>, ExtractError>;
}

/// An [`Injector`] and [`Extractor`] of one text format, such as [`JaegerCodec`].
///
/// ```
/// use std::collections::BTreeMap;
/// use tracehound::SpanContext;
/// use tracehound::diagnostics::Diagnostics;
/// use tracehound::propagation::{Codec, ExtractError, Extractor, HeaderSet, Injector, JaegerCodec};
/// use tracehound::propagation::{TextMapReader, TextMapWriter};
/// use tracehound::services::Services;
///
/// /// Reads Jaeger's headers, and writes nothing: for a program that calls strangers only.
/// struct ReadOnly {
///     codec: JaegerCodec,
///     diagnostics: Option<Diagnostics>,
/// }
///
/// impl Injector for ReadOnly {
///     fn inject(&self, _: &SpanContext, _: &mut dyn TextMapWriter) {}
/// }
///
/// impl Extractor for ReadOnly {
///     fn extract(
///         &self,
///         carrier: &dyn TextMapReader,
///     ) -> Result<Option<SpanContext>, ExtractError> {
///         self.codec.extract(carrier).inspect_err(|error| {
///             if let Some(diagnostics) = &self.diagnostics {
///                 diagnostics.say(&error.to_string());
///             }
///         })
///     }
/// }
///
/// impl Codec for ReadOnly {
///     fn headers(&self) -> &HeaderSet {
///         self.codec.headers()
///     }
///
///     fn attach(&mut self, services: &Services) {
///         self.codec.attach(services);
///         self.diagnostics = Some(services.diagnostics().clone());
///     }
/// }
///
/// let codec = ReadOnly { codec: JaegerCodec::http_headers(), diagnostics: None };
/// assert!(codec.headers().contains("uber-trace-id"));
/// let headers = BTreeMap::from([("uber-trace-id", "1:2:0:1")]);
/// assert!(codec.extract(&headers)?.expect("a trace").is_sampled());
/// # Ok::<(), ExtractError>(())
/// ```
pub trait Codec: Injector + Extractor {
    /// Returns the headers that the codec reads and writes. A [`CompositeCodec`] shows it no others.
    fn headers(&self) -> &HeaderSet;

    /// Takes the tracer's services: where to count and to warn. The tracer's builder calls it once, before the first
    /// carrier. By default it does nothing.
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
    fn headers(&self) -> &HeaderSet {
        (**self).headers()
    }

    fn attach(&mut self, services: &Services) {
        (**self).attach(services);
    }
}

/// A codec for a program's own type of carrier ([`WriteTo::Custom`], [`ReadFrom::Custom`]).
///
/// Use it for a carrier without keys and values, such as a struct with a field for each id:
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
    /// Takes the tracer's services, as [`Codec::attach`] does. By default it does nothing.
    ///
    /// ```
    /// # use std::any::Any;
    /// use tracehound::SpanContext;
    /// use tracehound::diagnostics::Diagnostics;
    /// # use tracehound::propagation::ExtractError;
    /// use tracehound::propagation::CustomCodec;
    /// use tracehound::services::Services;
    ///
    /// /// Tells of carriers that it does not know.
    /// #[derive(Default)]
    /// struct Strict(Option<Diagnostics>);
    ///
    /// impl CustomCodec for Strict {
    ///     fn attach(&mut self, services: &Services) {
    ///         self.0 = Some(services.diagnostics().clone());
    ///     }
    ///
    ///     fn inject(&self, _: &SpanContext, _: &mut dyn Any) -> bool {
    ///         if let Some(diagnostics) = &self.0 {
    ///             diagnostics.say("a carrier of an unknown type");
    ///         }
    ///         false
    ///     }
    /// #
    /// #     fn extract(&self, _: &dyn Any) -> Result<Option<SpanContext>, ExtractError> {
    /// #         Ok(None)
    /// #     }
    /// }
    ///
    /// assert!(!Strict::default().inject(&SpanContext::default(), &mut 7));
    /// ```
    fn attach(&mut self, _services: &Services) {}

    /// Writes `context` into `carrier`, or returns false if it does not know the type of `carrier`.
    fn inject(&self, context: &SpanContext, carrier: &mut dyn Any) -> bool;

    /// Reads the context, or returns `Ok(None)` if it does not know the type of `carrier` or there is no context in it.
    ///
    /// # Errors
    ///
    /// Fails if the carrier holds a malformed context.
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
