use std::{fmt, net::SocketAddr};

use crate::Endpoints;

/// A protocol by which spans reach a backend.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Way {
    /// Thrift by UDP, in one of its two protocols, to the agent.
    Agent,
    /// Thrift by HTTP to the collector.
    Thrift,
    /// Jaeger's gRPC to the collector.
    Grpc,
    /// OTLP by HTTP.
    OtlpHttp,
    /// OTLP by gRPC.
    OtlpGrpc,
    /// Zipkin's JSON by HTTP.
    Zipkin,
}

impl Way {
    /// The ways of requests, which a backend answers: all but the agent's.
    pub const OF_REQUESTS: [Self; 5] = [
        Self::Thrift,
        Self::Grpc,
        Self::OtlpHttp,
        Self::OtlpGrpc,
        Self::Zipkin,
    ];

    /// Returns the address at which a backend takes requests of this protocol; for the agent that of
    /// Thrift compact.
    pub const fn address(self, backend: &Endpoints) -> SocketAddr {
        match self {
            Self::Agent => backend.compact,
            Self::Thrift => backend.collector_http,
            Self::Grpc => backend.collector_grpc,
            Self::OtlpHttp => backend.otlp_http,
            Self::OtlpGrpc => backend.otlp_grpc,
            Self::Zipkin => backend.zipkin,
        }
    }
}

impl fmt::Display for Way {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Agent => "UDP",
            Self::Thrift => "Thrift by HTTP",
            Self::Grpc => "Jaeger's gRPC",
            Self::OtlpHttp => "OTLP by HTTP",
            Self::OtlpGrpc => "OTLP by gRPC",
            Self::Zipkin => "Zipkin",
        })
    }
}
