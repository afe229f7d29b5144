use std::fmt;

/// The two generations of Jaeger backend that spans are read back from.
///
/// Together they have UDP receivers for both Thrift protocols, both storage models (Jaeger's
/// own and OpenTelemetry's) and the query API that user interfaces read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Version {
    /// Jaeger v1.57.0, `cmd/all-in-one`: the agent and the collector in one process. It stores
    /// spans in Jaeger's own model.
    V1,
    /// Jaeger v2.13.0, `cmd/jaeger`: an OpenTelemetry collector with Jaeger's receivers. It stores
    /// spans in OpenTelemetry's model.
    V2,
}

impl Version {
    /// Both versions, oldest first.
    pub const ALL: [Self; 2] = [Self::V1, Self::V2];

    /// Returns the release number that Jaeger publishes: `1.57.0`.
    pub const fn number(self) -> &'static str {
        match self {
            Self::V1 => "1.57.0",
            Self::V2 => "2.13.0",
        }
    }

    /// Returns the version under which the Go module proxy serves the source.
    ///
    /// The module has no `/v2` path, so v2.13.0 goes by the number of the v1 release cut from the
    /// same commit.
    pub(crate) const fn module(self) -> &'static str {
        match self {
            Self::V1 => "v1.57.0",
            Self::V2 => "v1.76.0",
        }
    }

    pub(crate) const fn package(self) -> &'static str {
        match self {
            Self::V1 => "github.com/jaegertracing/jaeger/cmd/all-in-one",
            Self::V2 => "github.com/jaegertracing/jaeger/cmd/jaeger",
        }
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Jaeger v{}", self.number())
    }
}
