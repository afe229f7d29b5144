use std::fmt;
use std::str::FromStr;

use crate::propagation::{B3Codec, Codec, CompositeCodec, JaegerCodec};

/// A format in which contexts travel in text maps and HTTP headers, by the word that `JAEGER_PROPAGATION` has for it.
///
/// ```
/// use tracehound::Config;
/// use tracehound::propagation::Propagation;
/// # use tracehound::reporter::NullReporter;
///
/// let tracer = Config::new("gateway")
///     .propagation([Propagation::B3, Propagation::Jaeger])
///     # .reporter(NullReporter::new())
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
}

impl Propagation {
    /// What a tracer speaks by default: Jaeger's headers.
    pub const DEFAULT: [Self; 1] = [Self::Jaeger];

    /// Returns the codec for carriers of any text.
    pub fn text_map_codec(self) -> Box<dyn Codec> {
        match self {
            Self::Jaeger => Box::new(JaegerCodec::text_map()),
            other => other.http_headers_codec(),
        }
    }

    /// Returns the codec for HTTP headers and gRPC metadata.
    pub fn http_headers_codec(self) -> Box<dyn Codec> {
        match self {
            Self::Jaeger => Box::new(JaegerCodec::http_headers()),
            Self::B3 => Box::new(B3Codec::multiple_headers()),
            Self::B3Single => Box::new(B3Codec::single_header()),
        }
    }

    const fn word(self) -> &'static str {
        match self {
            Self::Jaeger => "jaeger",
            Self::B3 => "b3",
            Self::B3Single => "b3single",
        }
    }
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
        match word.to_ascii_lowercase().as_str() {
            "jaeger" => Ok(Self::Jaeger),
            "b3" | "b3multi" => Ok(Self::B3),
            "b3single" => Ok(Self::B3Single),
            _ => Err(UnknownPropagation(())),
        }
    }
}

/// The error of parsing a [`Propagation`]: no format has this word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnknownPropagation(());

impl fmt::Display for UnknownPropagation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("expected jaeger, b3 or b3single")
    }
}

impl std::error::Error for UnknownPropagation {}
