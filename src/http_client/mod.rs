//! HTTP requests that the tracer makes by itself, on threads of its own.
//!
//! Redirects are not followed, because credentials would follow them. Proxies of the environment are not used, because
//! the server is near. The bodies of replies are bounded, and not compressed. A deadline holds for all of a request:
//! name resolution, connection, TLS, headers and body.
//!
//! An [`HttpClient`] asks: for at most ten seconds, over a connection that is not kept, because requests are a minute
//! apart. A `PostClient` sends, over a connection that is kept.

mod endpoint;
#[cfg(feature = "remote-sampler")]
mod get;
#[cfg(feature = "_upload")]
mod headers;
#[cfg(feature = "_upload")]
mod post;
#[cfg(feature = "tls")]
mod roots;
#[cfg(all(feature = "tls", feature = "_upload"))]
mod tls_settings;

use std::net::IpAddr;
use std::thread;

pub(crate) use endpoint::Endpoint;
pub use endpoint::InvalidEndpoint;
#[cfg(any(feature = "remote-sampler", feature = "_upload"))]
pub(crate) use endpoint::NO_ZONE;
#[cfg(feature = "grpc")]
pub(crate) use endpoint::has_zone;
#[cfg(feature = "remote-sampler")]
pub(crate) use get::HttpClient;
#[cfg(feature = "_upload")]
#[cfg_attr(
    docsrs,
    doc(cfg(any(feature = "collector", feature = "otlp", feature = "zipkin")))
)]
pub use headers::InvalidHeader;
#[cfg(feature = "_upload")]
pub(crate) use headers::RequestHeaders;
#[cfg(all(feature = "grpc", any(feature = "collector", feature = "otlp")))]
pub(crate) use post::MAX_REPLY_BYTES;
#[cfg(feature = "_upload")]
pub(crate) use post::{HttpProxy, PostClient, PostError, PostSettings, Reply};
#[cfg(feature = "tls")]
pub use roots::InvalidCertificates;
#[cfg(all(feature = "tls", feature = "remote-sampler"))]
pub(crate) use roots::trusting;
#[cfg(all(feature = "tls", feature = "_upload"))]
pub(crate) use tls_settings::TlsSettings;

use crate::diagnostics::escaped;
use crate::redact;

/// Returns whether ureq can start a thread, on which it looks a host up. It panics if it cannot.
fn can_look_up() -> bool {
    thread::Builder::new().spawn(|| {}).is_ok()
}

/// Returns whether the host of a URL is a name and not an address.
fn needs_lookup(url: &str) -> bool {
    let uri: Option<ureq::http::Uri> = url.parse().ok();
    uri.is_none_or(|uri| {
        let host = uri.host().unwrap_or_default();
        let host = host.trim_start_matches('[').trim_end_matches(']');
        host.parse::<IpAddr>().is_err()
    })
}

/// Returns an error and its causes as one short line without secrets.
pub(crate) fn shown(error: &dyn std::error::Error) -> String {
    let mut line = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let text = error.to_string();
        if !line.contains(&text) {
            line = format!("{line}: {text}");
        }
        cause = error.source();
    }
    one_line(&line)
}

/// Returns a text of a server or of an error as one short line without secrets.
pub(crate) fn one_line(text: &str) -> String {
    let line = redact::text(text);
    let spaced = line
        .chars()
        .map(|c| if c.is_whitespace() { ' ' } else { c });
    escaped(spaced).take(MAX_LINE).collect()
}

/// The number of characters of a text in a line.
const MAX_LINE: usize = 200;

pub(crate) const USER_AGENT: &str = concat!("tracehound/", env!("CARGO_PKG_VERSION"));

#[cfg(all(test, feature = "remote-sampler"))]
mod tests;
