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
}

impl Format {
    /// All formats.
    pub const ALL: [Self; 3] = [Self::Jaeger, Self::B3, Self::W3c];

    /// Returns the value of the flag `--format`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Jaeger => "jaeger",
            Self::B3 => "b3",
            Self::W3c => "w3c",
        }
    }

    /// Returns the header that carries the trace id.
    pub const fn trace_header(self) -> &'static str {
        match self {
            Self::Jaeger => "uber-trace-id",
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
}

impl fmt::Display for Setup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, {}-bit ids", self.format, self.trace_id_bits)
    }
}
