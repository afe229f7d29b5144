//! Uploads over gRPC.
//!
//! A request runs on the upload thread, in a small runtime of its own, so no runtime of the program is needed, and none
//! can be in the way. A connection is kept while its requests succeed.

mod answer;
mod codec;
mod connection;
mod exchange;
#[cfg(feature = "collector")]
mod jaeger;
#[cfg(feature = "otlp")]
mod otlp;
mod protocol;

#[cfg(feature = "collector")]
pub use jaeger::GrpcSender;
#[cfg(feature = "otlp")]
pub use otlp::OtlpGrpcSender;

use crate::http_client::{Endpoint, InvalidEndpoint};
use crate::reporter::sender::BatchFormat;
use crate::reporter::sender::grpc::exchange::GrpcExchange;
use crate::reporter::sender::grpc::protocol::GrpcProtocol;
use crate::reporter::sender::upload::{Exchange, Protocol, UploadOptions};

impl Protocol for GrpcProtocol {
    fn format(&self) -> BatchFormat {
        self.format
    }

    fn exchange(&'static self, options: UploadOptions) -> Box<dyn Exchange> {
        Box::new(GrpcExchange::new(self, options))
    }
}

/// Reads the address of a server of gRPC, such as `http://localhost:4317`. `grpc` and `grpcs` stand for `http` and
/// `https`.
///
/// # Errors
///
/// Fails if the text is no URL, or has a path or a query.
fn parse(endpoint: &str) -> Result<Endpoint, InvalidEndpoint> {
    let endpoint = endpoint.trim();
    let (scheme, rest) = endpoint.split_once("://").unwrap_or((endpoint, ""));
    let endpoint = match scheme.to_ascii_lowercase().as_str() {
        "grpc" => Endpoint::parse(&format!("http://{rest}")),
        "grpcs" => Endpoint::parse(&format!("https://{rest}")),
        _ => Endpoint::parse(endpoint),
    }?;
    let url = endpoint.bare_url_with(None);
    let is_bare = !rest.contains('?') && url.matches('/').count() == 3;
    if is_bare && url.ends_with('/') {
        Ok(endpoint)
    } else {
        Err(InvalidEndpoint::NotAGrpcEndpoint)
    }
}
