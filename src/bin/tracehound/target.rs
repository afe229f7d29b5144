//! Addresses that spans are sent to.

use std::fmt;
use std::str::FromStr;

use tracehound::reporter::RemoteReporter;
use tracehound::reporter::sender::{
    AgentAddress, GrpcSender, HttpSender, OtlpGrpcSender, OtlpSender, UdpSender, ZipkinSender,
};

use crate::address;

/// A backend, and the way to send to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Target {
    way: Way,
    address: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    Udp,
    Thrift,
    Otlp,
    Zipkin,
    OtlpGrpc,
    JaegerGrpc,
}

impl Target {
    /// Makes a reporter that sends there.
    pub(crate) fn reporter(&self) -> Result<RemoteReporter, String> {
        let address = &self.address;
        let text = |error: &dyn fmt::Display| format!("{}: {error}", address::shown(address));
        Ok(match self.way {
            Way::Udp => {
                let agent: AgentAddress = address.parse().map_err(|error| text(&error))?;
                RemoteReporter::new(UdpSender::new(agent))
            }
            Way::Thrift => {
                RemoteReporter::new(HttpSender::new(address).map_err(|error| text(&error))?)
            }
            Way::Otlp => {
                RemoteReporter::new(OtlpSender::new(address).map_err(|error| text(&error))?)
            }
            Way::Zipkin => {
                RemoteReporter::new(ZipkinSender::new(address).map_err(|error| text(&error))?)
            }
            Way::OtlpGrpc => {
                RemoteReporter::new(OtlpGrpcSender::new(address).map_err(|error| text(&error))?)
            }
            Way::JaegerGrpc => {
                RemoteReporter::new(GrpcSender::new(address).map_err(|error| text(&error))?)
            }
        })
    }
}

impl FromStr for Target {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (way, address) = match text.split_once("://") {
            None => (Way::Udp, text.to_owned()),
            Some(("udp", address)) => (Way::Udp, address.to_owned()),
            Some(("http" | "https", rest)) => {
                let path = rest.split_once('/').map_or("", |(_, path)| path);
                match path.trim_end_matches('/') {
                    "" => (
                        Way::Otlp,
                        format!("{}/v1/traces", text.trim_end_matches('/')),
                    ),
                    path if path.ends_with("api/v2/spans") => (Way::Zipkin, text.to_owned()),
                    path if path.ends_with("api/traces") => (Way::Thrift, text.to_owned()),
                    _ => (Way::Otlp, text.to_owned()),
                }
            }
            Some(("grpc" | "grpcs", rest)) if rest.ends_with(":14250") => {
                (Way::JaegerGrpc, text.to_owned())
            }
            Some(("grpc" | "grpcs", _)) => (Way::OtlpGrpc, text.to_owned()),
            Some((scheme, _)) => return Err(format!("{scheme}:// is no way to send spans")),
        };
        let target = Self { way, address };
        target.reporter().map(|_| target)
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let way = match self.way {
            Way::Udp => "Thrift over UDP",
            Way::Thrift => "Thrift over HTTP",
            Way::Otlp => "OTLP over HTTP",
            Way::Zipkin => "JSON of Zipkin",
            Way::OtlpGrpc => "OTLP over gRPC",
            Way::JaegerGrpc => "Jaeger's gRPC",
        };
        write!(f, "{} by {way}", address::shown(&self.address))
    }
}
