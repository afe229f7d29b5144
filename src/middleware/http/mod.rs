//! Requests over HTTP, including gRPC calls.

mod answer;
mod attempts;
#[cfg(feature = "axum")]
mod axum;
mod body;
mod call;
#[cfg(feature = "reqwest")]
mod call_middleware;
mod client;
#[cfg_attr(not(feature = "_connect"), path = "no_connect.rs")]
mod connect;
mod contents;
mod destinations;
mod details;
mod exchange;
mod extras;
mod forwarded;
mod future;
mod grpc_claim;
mod grpc_layers;
mod hooks;
mod in_request;
mod layer;
mod names;
mod network;
mod otel_tags;
#[cfg(feature = "reqwest")]
mod outward;
mod peer;
mod protocol;
mod queue_time;
mod redact;
mod request_body;
mod request_scope;
mod request_span;
#[cfg(feature = "reqwest")]
mod reqwest;
mod route;
#[cfg(feature = "reqwest")]
mod send_traced;
mod server;
mod settings;
mod span_tags;
#[cfg_attr(
    not(any(feature = "axum", feature = "tonic")),
    expect(dead_code, reason = "no body that can be wrapped is known")
)]
mod tapped;
#[cfg(feature = "tonic")]
mod tonic;
mod trace_link;
mod trusted_proxies;
#[cfg(feature = "tungstenite")]
mod tungstenite;
#[cfg_attr(not(feature = "_upgrade"), path = "no_upgrade.rs")]
mod upgrade;

pub use self::answer::AnswerHeaders;
pub use self::body::TracedBody;
pub use self::call::{CallLayer, CallService, InCall};
#[cfg(feature = "reqwest")]
pub use self::call_middleware::CallMiddleware;
pub use self::client::{ClientLayer, ClientService};
#[cfg(feature = "reqwest")]
pub use self::connect::SystemResolver;
#[cfg(feature = "_connect")]
#[cfg_attr(docsrs, doc(cfg(any(feature = "hyper", feature = "reqwest"))))]
pub use self::connect::{
    ConnectionEvents, DnsLookup, TracedConnecting, TracedConnector, TracedResolver,
};
pub use self::destinations::{Destinations, InvalidHost};
pub use self::future::TracedFuture;
pub use self::hooks::SpanEnd;
pub use self::network::InvalidNetwork;
pub use self::request_span::RequestSpan;
#[cfg(feature = "reqwest")]
pub use self::reqwest::TracingMiddleware;
#[cfg(feature = "reqwest")]
pub use self::send_traced::SendTraced;
pub use self::server::{ServerLayer, ServerService};
pub use self::trace_link::{InvalidTraceLink, TraceLink};
pub use self::trusted_proxies::TrustedProxies;
#[cfg(feature = "tungstenite")]
pub use self::tungstenite::WebSocketClient;
#[cfg(feature = "_upgrade")]
#[cfg_attr(
    docsrs,
    doc(cfg(any(feature = "axum", feature = "hyper", feature = "tungstenite")))
)]
pub use self::upgrade::{InSession, SessionSpan, Sessions, TracedIo};
