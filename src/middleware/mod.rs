//! Spans for the requests that a program receives and sends, without a change to its handlers, and for the calls that
//! it makes to databases.
//!
//! A layer around a server starts a span for each request that comes in. A layer around a client starts a span for each
//! request that goes out, and injects its context into the headers, so that both spans belong to one trace:
//!
//! ```
//! # #[cfg(all(feature = "axum", feature = "reqwest"))]
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! use axum::Router;
//! use axum::routing::get;
//! use tracehound::middleware::{SendTraced, ServerLayer};
//! use tracehound::prelude::*;
//!
//! async fn user() -> &'static str {
//!     active_span().set_tag("user.plan", "free"); // the span of the request
//!     "Ada"
//! }
//!
//! let tracer = tracehound::Config::from_env()?.build()?;
//! let app: Router = Router::new()
//!     .route("/users/{id}", get(user))
//!     .layer(ServerLayer::new(tracer.clone())); // server span: `GET /users/{id}`
//!
//! let client = reqwest::Client::new();
//! let reply = client.get("http://shop/users/7").send_traced(&tracer).await?; // client span: `HTTP GET`
//! # Ok(()) }
//! ```
//!
//! ```text
//!            ServerLayer                    ClientLayer, TracingMiddleware, send_traced
//!  request ─► extract, span.kind=server ─► handler ─► span.kind=client, inject ─► request
//! response ◄─ body ends: span finishes ◄────────── body ends: span finishes ◄─ response
//! ```
//!
//! # Which type for which library
//!
//! | library | feature | server | client |
//! |---|---|---|---|
//! | tower | `tower` | [`ServerLayer`] | [`ClientLayer`] |
//! | axum | `axum` | [`ServerLayer`] on the router or around it; [`RequestSpan`] as an extractor | |
//! | hyper | `hyper` | [`ServerLayer::wrap`] around a service of hyper or of tower | [`ClientLayer::wrap`] around hyper-util's client |
//! | tonic | `tonic` | [`ServerLayer`] on the server | [`ClientLayer`] around the channel; [`TracingInterceptor`] injects and starts no span |
//! | reqwest | `reqwest` | | [`TracingMiddleware`], or [`SendTraced`] for one request |
//! | any driver of a database | | | [`Database`] |
//!
//! # What a span records
//!
//! | | server | client |
//! |---|---|---|
//! | name | `GET /users/{id}`, or `HTTP GET` if the route is unknown | `HTTP GET` |
//! | tags at the start | `span.kind`, `component`, `http.method`, `http.url`; `peer.ipv4` or `peer.ipv6` and `peer.port`, if the server tells the caller's address ([how](ServerLayer)) | `span.kind`, `component`, `http.method`, `http.url`, `peer.address` (for a tonic channel, [if it is set](ClientLayer::peer_address)) |
//! | tags at the end | `http.status_code`, `http.response_size` | `http.status_code` |
//! | `error=true` | status 5xx; the service or the body fails; a panic | status 5xx; the service or the body fails; a panic |
//! | log events | `headers_sent`, `cancelled`, `error`, `panic` | `headers_received`, `body_dropped`, `cancelled`, `error`, `panic` |
//!
//! Error texts and URLs are recorded with their secrets hidden: user names, passwords, and the values of query and path
//! parameters. Headers are recorded only on request, and those that hold secrets never. Bodies and gRPC metadata are
//! not recorded at all.
//!
//! # When a span ends
//!
//! A span ends with the body of the response, or with its head if [`SpanEnd::Head`] is set.
//!
//! * A request is **cancelled** if its future or body is dropped before the end. The span gets the log event
//!   `cancelled` and the tag `http.cancelled` (for gRPC `response_code=Canceled`), but no `error`.
//! * A client that drops a body **unread** has cancelled nothing: often the status is all it wants. The span gets the
//!   log event `body_dropped`.
//! * A body that ends before its `content-length` has **failed**.
//! * A request to **upgrade**, for example to a WebSocket, ends with the head of the 101 response, on both sides. What
//!   happens on the connection afterwards is not measured. A task that works on it can start a span of its own, which
//!   follows from the request's span:
//!
//! ```
//! # #[cfg(feature = "tower")]
//! # {
//! use tracehound::middleware::RequestSpan;
//! use tracehound::prelude::*;
//!
//! fn session(tracer: &impl Tracer, request: &RequestSpan) {
//!     let session = tracer.build_span("session").follows_from(&request.context()).start();
//!     session.log_event("message");
//! }
//! # session(&tracehound::NoopTracer, &RequestSpan::default());
//! # }
//! ```
//!
//! Tags and log records that reach a [`RequestSpan`] after its end are lost. Each is counted as
//! [`DroppedItems`](crate::metrics::Counter::DroppedItems), if the span is sampled.
//!
//! # gRPC
//!
//! A call is named after its method, `/package.Service/Method`. It has no URL and no HTTP status. A status other than
//! OK sets `response_code` and `response_class` and logs an error, as otgrpc does. It also sets `error=true`: on a
//! client unless the class is `2xx`; on a server if the class is `5xx` or the code is Unknown, which stands for a
//! missing status too.
//!
//! A server does not trust the content type of a request: the response decides what the request was. If the response is
//! not gRPC, the span becomes that of an HTTP request. Callers cannot fill a backend with names either. A path becomes
//! a name only after a method has answered on it with a message or with trailers; until then the span is named
//! `HTTP POST` or after its route, and the path is in `http.url`. A layer remembers at most 1,000 methods.
//!
//! A client names its calls after the path at once. A proxy, whose paths come from its callers, should set
//! [`operation_name`](ClientLayer::operation_name).
//!
//! # Whom to trust
//!
//! A caller's context is only as good as the caller. [`ServerLayer::trust`] says what a listener believes:
//!
//! | level | trace id, span id | sampling, `tracestate` | debug flag and debug id | baggage | suits |
//! |---|---|---|---|---|---|
//! | [`Trust::full`], the default | believed | believed | believed | believed | callers of your own |
//! | [`Trust::ids_only`] | believed | own sampler | ignored | dropped | partners who trace, too |
//! | [`Trust::restart`] | a new trace that follows from the caller's span | own sampler | ignored | dropped | the public |
//!
//! At every level, what comes in is bounded: at most 64 items of baggage with at most 8,192 bytes are read.
//!
//! In the other direction, [`Destinations`] says which hosts a client sends trace headers to, and which of these get
//! baggage. From requests to other hosts a client also removes the headers of a caller whose request is forwarded.
//!
//! # Databases
//!
//! [`Database`] makes a span for each call, whatever the driver is: it runs the driver's future or blocking code. The
//! name is the first word of the statement, such as `SELECT`. Statements are shown [on request](Database::statements),
//! without their literals. The errors of a database quote data, so of their texts only what is not quoted is recorded.
//!
//! In a test environment, [`Recording::everything`](crate::model::Recording::everything), or the variable
//! `TRACEHOUND_RECORD=everything`, records statements with their literals, parameters and results.
//!
//! # Failures
//!
//! The middleware never fails a request. A malformed context is ignored and counted, and the request starts a new
//! trace. A hook that panics counts as not set. If the tracer is off, requests pass through untouched.

mod database;
mod error_log;
#[cfg(feature = "tower")]
mod grpc;
#[cfg(feature = "tower")]
mod http;
#[cfg(feature = "tower")]
mod side;

#[cfg(feature = "stream")]
pub use self::database::TracedRows;
pub use self::database::{Database, DatabaseCall, DatabaseSpan};
#[cfg(feature = "tonic")]
pub use self::grpc::TracingInterceptor;
#[cfg(feature = "tower")]
pub use self::http::{
    ClientLayer, ClientService, Destinations, InvalidHost, RequestSpan, ServerLayer, ServerService,
    SpanEnd, TracedBody, TracedFuture,
};
#[cfg(feature = "reqwest")]
pub use self::http::{SendTraced, TracingMiddleware};
#[cfg(feature = "tower")]
pub use crate::propagation::Trust;
