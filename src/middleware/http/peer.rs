//! The address of the caller, which servers leave in the extensions of a request.

use std::net::SocketAddr;

use http::Extensions;

pub(super) fn of(extensions: &Extensions) -> Option<SocketAddr> {
    by_axum(extensions)
        .or_else(|| by_tonic(extensions))
        .or_else(|| extensions.get().copied())
}

#[cfg(feature = "axum")]
fn by_axum(extensions: &Extensions) -> Option<SocketAddr> {
    let info = extensions.get::<axum::extract::ConnectInfo<SocketAddr>>()?;
    Some(info.0)
}

#[cfg(not(feature = "axum"))]
fn by_axum(_extensions: &Extensions) -> Option<SocketAddr> {
    None
}

#[cfg(feature = "tonic")]
fn by_tonic(extensions: &Extensions) -> Option<SocketAddr> {
    extensions
        .get::<tonic::transport::server::TcpConnectInfo>()?
        .remote_addr()
}

#[cfg(not(feature = "tonic"))]
fn by_tonic(_extensions: &Extensions) -> Option<SocketAddr> {
    None
}
