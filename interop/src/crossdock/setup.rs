use std::fmt;

/// A format of the headers that carry a trace from service to service.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Format {
    /// `uber-trace-id`, and `uberctx-` for baggage.
    Jaeger,
    /// `x-b3-traceid` and its kin.
    B3,
    /// `traceparent`, `tracestate` and `baggage`.
    W3c,
    /// A fleet that moves from Jaeger's headers to those of W3C: our service speaks both, the clients of Jaeger speak
    /// Jaeger's alone, and the SDKs of OpenTelemetry W3C's.
    Mixed,
    /// A fleet of services that each have one of the three formats, and our service in between, which speaks all.
    Every,
}

impl Format {
    /// All formats that every service of a fleet can speak, so without
    /// [`Mixed`](Self::Mixed) and [`Every`](Self::Every).
    pub const ALL: [Self; 3] = [Self::Jaeger, Self::B3, Self::W3c];

    /// Returns the value of the flag `--format`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Jaeger => "jaeger",
            Self::B3 => "b3",
            Self::W3c => "w3c",
            Self::Mixed => "jaeger,w3c",
            Self::Every => "jaeger,w3c,b3",
        }
    }

    /// Returns the header that carries the trace id.
    pub const fn trace_header(self) -> &'static str {
        match self {
            Self::Jaeger | Self::Mixed | Self::Every => "uber-trace-id",
            Self::B3 => "x-b3-traceid",
            Self::W3c => "traceparent",
        }
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The settings that all services of a matrix have in common.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Setup {
    /// The format of the headers.
    pub format: Format,
    /// The length of new trace ids, 64 or 128. A client that has no choice ignores it.
    pub trace_id_bits: u32,
    /// The characters in the values of the baggage item.
    pub alphabet: Alphabet,
}

/// The characters in the values of a baggage item.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Alphabet {
    /// Hexadecimal digits, as in the crossdock of Jaeger's clients. Every client carries them.
    Digits,
    /// ASCII text with a space and with the characters that formats use themselves: `+`, `,`, `;`, `=` and `"`.
    Ascii,
    /// Text that looks percent-encoded.
    Percent,
    /// Text with characters beyond ASCII, and none of those of [`Ascii`](Self::Ascii).
    Unicode,
}

impl Alphabet {
    /// All alphabets.
    pub const ALL: [Self; 4] = [Self::Digits, Self::Ascii, Self::Percent, Self::Unicode];

    /// Returns characters to begin a value with.
    pub(crate) const fn sample(self) -> &'static str {
        match self {
            Self::Digits => "",
            Self::Ascii => "a b+c,d;e=f\"g\" ",
            Self::Percent => "a%2Fb",
            Self::Unicode => "Zürich€",
        }
    }
}

impl fmt::Display for Alphabet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Digits => "digits",
            Self::Ascii => "ASCII",
            Self::Percent => "percent signs",
            Self::Unicode => "Unicode",
        })
    }
}

impl fmt::Display for Setup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            format,
            trace_id_bits,
            alphabet,
        } = self;
        write!(
            f,
            "{format}, {trace_id_bits}-bit ids, {alphabet} in baggage"
        )
    }
}
