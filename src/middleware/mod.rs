//! Spans for the requests that a program takes and sends, without a line in the handlers.
//!
//! ```text
//!            ServerLayer                    ClientLayer, TracingMiddleware, send_traced
//!  request ─► extract, span.kind=server ─► handler ─► span.kind=client, inject ─► request
//! response ◄─ body ends: span finishes ◄────────── body ends: span finishes ◄─ response
//! ```
//!
//! | library | server | client |
//! |---|---|---|
//! | tower | [`ServerLayer`] | [`ClientLayer`] |
//! | axum | [`ServerLayer`] on or around the router; [`RequestSpan`] as an extractor | |
//! | hyper | [`ServerLayer::wrap`] around a service of hyper or of tower | [`ClientLayer::wrap`] around hyper-util's client |
//! | tonic | [`ServerLayer`] on the server | [`ClientLayer`] around the channel; [`TracingInterceptor`] only injects |
//! | reqwest | | [`TracingMiddleware`], or [`SendTraced`] for one request |
//!
//! # What is on a span
//!
//! | | server | client |
//! |---|---|---|
//! | name | `GET /users/{id}`, or `HTTP GET` where the route is not known | `HTTP GET` |
//! | at the start | `span.kind`, `component`, `http.method`, `http.url`; where the server tells who calls ([how](ServerLayer)), `peer.ipv4` or `peer.ipv6`, `peer.port` | `span.kind`, `component`, `http.method`, `http.url`, `peer.address` (for a tonic channel, [if it is set](ClientLayer::peer_address)) |
//! | in the end | `http.status_code`, `http.response_size` | `http.status_code` |
//! | `error` | status 5xx; the service or the body fails; a panic | status 5xx; the service or the body fails |
//! | log events | `headers_sent`, `cancelled`, `error`, `panic` | `headers_received`, `body_dropped`, `cancelled`, `error` |
//!
//! A gRPC call is named for its method, `/package.Service/Method`, and has neither URL nor HTTP status. A status that is
//! not OK gives it `response_code`, `response_class` and an error log as in otgrpc; it is an error on a client unless the
//! class is `2xx`, and on a server if it is `5xx` or the code is Unknown, which stands for a missing status too.
//!
//! A server takes no caller's word for it (a POST of `application/grpc`): the answer decides. One that is not gRPC's makes
//! the span that of an HTTP request. Nor must callers fill a backend with names: a path is a name once a method has
//! answered there, with a message or with trailers. Until then the span is `HTTP POST`, or has the name of its route, with
//! the path in `http.url`; and a layer knows a thousand methods at most. A client names its calls for the path at once. A
//! proxy, whose paths are its callers', sets [`operation_name`](ClientLayer::operation_name).
//!
//! A request whose future or body is dropped before its end was cancelled: that is a log event and the tag
//! `http.cancelled` (for gRPC `response_code=Canceled`), and no error. A client that has the reply and drops its body unread,
//! because the status is all it wants, has cancelled nothing: that is the log event `body_dropped`. A body that ends
//! before its `content-length` has failed.
//!
//! # Upgrades
//!
//! The span of a request to upgrade, to a WebSocket say, ends when the head of the 101 is there, on both sides. What
//! happens on the connection afterwards is not measured: not how long it lasts, nor how it ends. A task that works on it
//! can start a span of its own, which comes after that of the request:
//!
//! ```
//! use tracehound::middleware::RequestSpan;
//! use tracehound::prelude::*;
//!
//! fn session(tracer: &impl Tracer, request: &RequestSpan) {
//!     let session = tracer.build_span("session").follows_from(&request.context()).start();
//!     session.log_event("message");
//! }
//! # session(&tracehound::NoopTracer, &RequestSpan::default());
//! ```
//!
//! What is still said on the [`RequestSpan`] is lost, and counted as
//! [`DroppedItems`](crate::metrics::Counter::DroppedItems).
//!
//! # What is not
//!
//! Of a URL neither the user name and password nor the values of parameters are recorded; of headers only those that were
//! asked for, and those that hold secrets not even then; of bodies and of gRPC metadata nothing; of errors their texts,
//! with the URLs in them redacted.
//!
//! # What may go wrong
//!
//! Nothing here fails a request. A context that is malformed is ignored and counted, and the request starts a trace. A
//! hook that panics is caught, and is as if it were not set. With a tracer that is off, requests pass untouched.

#[cfg(feature = "tower")]
mod error_log;
#[cfg(feature = "tower")]
mod grpc;
#[cfg(feature = "tower")]
mod http;
#[cfg(feature = "tower")]
mod side;

#[cfg(feature = "tonic")]
pub use self::grpc::TracingInterceptor;
#[cfg(feature = "tower")]
pub use self::http::{
    ClientLayer, ClientService, RequestSpan, ServerLayer, ServerService, SpanEnd, TracedBody,
    TracedFuture,
};
#[cfg(feature = "reqwest")]
pub use self::http::{SendTraced, TracingMiddleware};
