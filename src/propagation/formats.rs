use std::fmt;
use std::str::FromStr;

use crate::propagation::{B3Codec, Codec, CompositeCodec, JaegerCodec, W3cCodec};

/// A format in which contexts travel in text maps and HTTP headers, by the word that `JAEGER_PROPAGATION` has for it.
///
/// ```
/// use tracehound::Config;
/// use tracehound::propagation::Propagation;
/// # use tracehound::reporter::NullReporter;
/// # use tracehound::sampler::ConstSampler;
///
/// let tracer = Config::new("gateway")
///     .propagation([Propagation::B3, Propagation::W3c])
///     # .reporter(NullReporter::new())
///     # .sampler(ConstSampler::new(true))
///     .build()?;
/// assert_eq!("b3".parse(), Ok(Propagation::B3));
/// # Ok::<(), tracehound::config::ConfigError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Propagation {
    /// `jaeger`: `uber-trace-id` and `uberctx-*`, by [`JaegerCodec`].
    Jaeger,
    /// `b3`: `x-b3-*`, Zipkin's several headers, by [`B3Codec`]. The single header is read, too.
    B3,
    /// `b3single`: Zipkin's single header `b3`, by [`B3Codec`]. The several headers are read, too.
    B3Single,
    /// `w3c`: `traceparent`, `tracestate` and `baggage`, by [`W3cCodec`].
    W3c,
    /// `tracecontext`: `traceparent` and `tracestate` alone.
    TraceContext,
    /// `baggage`: W3C's `baggage` alone.
    Baggage,
}

impl Propagation {
    /// Every format, in the order in which messages list their words.
    ///
    /// ```
    /// use tracehound::propagation::Propagation;
    ///
    /// for format in Propagation::ALL {
    ///     assert_eq!(format.to_string().parse(), Ok(*format));
    /// }
    /// ```
    pub const ALL: &'static [Self] = &[
        Self::Jaeger,
        Self::B3,
        Self::B3Single,
        Self::W3c,
        Self::TraceContext,
        Self::Baggage,
    ];

    /// The formats of a tracer by default: Jaeger's headers first, then W3C's.
    ///
    /// ```
    /// use std::collections::BTreeMap;
    /// use tracehound::propagation::{Extractor, Propagation};
    ///
    /// let words: Vec<_> = Propagation::DEFAULT.iter().map(ToString::to_string).collect();
    /// assert_eq!(words, ["jaeger", "w3c"]);
    ///
    /// let headers = BTreeMap::from([("uber-trace-id", "1:2:0:1"), ("uberctx-user", "Zo%C3%AB")]);
    /// let user = |codec: &dyn Extractor| {
    ///     let context = codec.extract(&headers).ok().flatten().unwrap_or_default();
    ///     context.baggage().get("user").map(str::to_owned)
    /// };
    /// assert_eq!(user(&Propagation::Jaeger.http_headers_codec()).as_deref(), Some("Zoë"));
    /// assert_eq!(user(&Propagation::Jaeger.text_map_codec()).as_deref(), Some("Zo%C3%AB"));
    /// ```
    pub const DEFAULT: [Self; 2] = [Self::Jaeger, Self::W3c];

    /// Returns the codec for carriers of any text.
    pub fn text_map_codec(self) -> Box<dyn Codec> {
        match self {
            Self::Jaeger => Box::new(JaegerCodec::text_map()),
            Self::B3 | Self::B3Single => self.http_headers_codec(),
            Self::W3c => Box::new(W3cCodec::new().for_messages()),
            Self::TraceContext => Box::new(W3cCodec::trace_context().for_messages()),
            Self::Baggage => Box::new(W3cCodec::baggage()),
        }
    }

    /// Returns the codec for HTTP headers and gRPC metadata.
    pub fn http_headers_codec(self) -> Box<dyn Codec> {
        match self {
            Self::Jaeger => Box::new(JaegerCodec::http_headers()),
            Self::B3 => Box::new(B3Codec::multiple_headers()),
            Self::B3Single => Box::new(B3Codec::single_header()),
            Self::W3c => Box::new(W3cCodec::new()),
            Self::TraceContext => Box::new(W3cCodec::trace_context()),
            Self::Baggage => Box::new(W3cCodec::baggage()),
        }
    }

    const fn word(self) -> &'static str {
        match self {
            Self::Jaeger => "jaeger",
            Self::B3 => "b3",
            Self::B3Single => "b3single",
            Self::W3c => "w3c",
            Self::TraceContext => "tracecontext",
            Self::Baggage => "baggage",
        }
    }
}

/// Returns the words of all formats, the last one after `conjunction`, such as `jaeger, b3 and w3c`.
pub(crate) fn words(conjunction: &str) -> String {
    let mut words: Vec<_> = Propagation::ALL.iter().map(|it| it.word()).collect();
    let last = words.pop().unwrap_or_default();
    format!("{} {conjunction} {last}", words.join(", "))
}

/// Joins the codecs of `formats`, in their order. One that occurs twice counts once.
pub(crate) fn joined(
    formats: &[Propagation],
    codec: fn(Propagation) -> Box<dyn Codec>,
) -> Box<dyn Codec> {
    if let [only] = formats {
        return codec(*only);
    }
    let mut joined = CompositeCodec::new();
    for (n, format) in formats.iter().enumerate() {
        if !formats[..n].contains(format) {
            joined = joined.member(codec(*format));
        }
    }
    Box::new(joined)
}

impl fmt::Display for Propagation {
    /// Writes the word.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

impl FromStr for Propagation {
    type Err = UnknownPropagation;

    /// Reads a word in any case. `b3multi` is read as `b3`.
    fn from_str(word: &str) -> Result<Self, UnknownPropagation> {
        if word.eq_ignore_ascii_case("b3multi") {
            return Ok(Self::B3);
        }
        let mut all = Self::ALL.iter().copied();
        all.find(|format| format.word().eq_ignore_ascii_case(word))
            .ok_or(UnknownPropagation(()))
    }
}

/// The error of parsing a [`Propagation`]: no format has this word.
///
/// ```
/// use tracehound::propagation::Propagation;
///
/// let error = "zipkin".parse::<Propagation>().expect_err("it is called b3");
/// println!("{error}");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnknownPropagation(());

impl fmt::Display for UnknownPropagation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "expected {}", words("or"))
    }
}

impl std::error::Error for UnknownPropagation {}
