//! The senders of the library, by the way that their spans go.

use std::net::SocketAddr;

use tracehound::reporter::sender::{
    GrpcSender, HttpSender, OtlpGrpcSender, OtlpSender, Sender, ZipkinSender,
};
use tracehound_interop::Way;

use crate::Result;

/// Returns the library's sender for `way` to the receiver at that address.
pub(crate) fn sender(way: Way, to: SocketAddr) -> Result<Box<dyn Sender>> {
    let endpoint = format!("http://{to}");
    Ok(match way {
        Way::Thrift => Box::new(HttpSender::new(&endpoint)?),
        Way::OtlpHttp => Box::new(OtlpSender::new(&endpoint)?),
        Way::Grpc => Box::new(GrpcSender::new(&endpoint)?),
        Way::OtlpGrpc => Box::new(OtlpGrpcSender::new(&endpoint)?),
        Way::Zipkin => Box::new(ZipkinSender::new(&endpoint)?),
        way => return Err(format!("no sender for {way}").into()),
    })
}
