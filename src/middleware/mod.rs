//! Spans for the requests that a program receives and sends, without a change to its handlers, for the calls that it
//! makes to databases, and for the messages that it passes through queues.
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
//! // client span: `HTTP GET`
//! let reply = client.get("http://shop/users/7").send_traced(&tracer).await?;
//! # Ok(()) }
//! ```
//!
//! ```text
//!            ServerLayer                    ClientLayer, TracingMiddleware, send_traced
//!  request ─► extract, span.kind=server ─► handler ─► span.kind=client, inject ─► request
//! response ◄─ body ends: span finishes ◄────────── body ends: span finishes ◄─ response
//! ```
//!
//! # Which type for which library?
//!
//! | library | feature | server | client |
//! |---|---|---|---|
//! | tower | `tower` | [`ServerLayer`]; [`RequestSpan::active`] in the handler | [`ClientLayer`] |
//! | axum | `axum` | [`ServerLayer`] on the router or around it; [`RequestSpan`] as an extractor | |
//! | hyper | `hyper` | [`ServerLayer::wrap`] around a service of hyper or of tower | [`ClientLayer::wrap`] around hyper-util's client |
//! | tonic | `tonic` | [`ServerLayer`] on the server | [`ClientLayer`] around the channel; [`TracingInterceptor`] injects and starts no span |
//! | tokio-tungstenite | `tungstenite` | | [`WebSocketClient`] |
//! | reqwest | `reqwest` | | [`TracingMiddleware`], or [`SendTraced`] for one request |
//! | thrift | `thrift` | [`ThriftProcessor`] around a processor | [`ThriftClient`] around the protocols of a client |
//! | redis | `redis` | | [`TracedRedis`] around a connection; [`RedisMessages`] for a subscription |
//! | sqlx | `sqlx` | | [`Database::pool`] around a pool; [`Database::executor`] around a connection or transaction |
//! | a protocol of your own | | [`ContextFrames`] in front of each message | as the server |
//! | any driver of a database | | | [`Database`] |
//! | async-nats | `nats` | [`NatsMessages`], [`JetStreamMessages`] | [`TracedNats`], [`TracedJetStream`] |
//! | any client of a queue or broker | | [`MessageBus::receive`] | [`MessageBus::send`] |
//!
//! # What does a span record?
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
//! parameters. Headers and gRPC metadata are recorded only on request, and those that hold secrets never. Bodies are
//! recorded only in [test environments](#how-do-i-record-everything-in-a-test-environment).
//!
//! # When does a span end?
//!
//! A span ends with the body of the response, or with its head if [`SpanEnd::Head`] is set.
//!
//! * A request is **cancelled** if its future or body is dropped before the end. The span gets the log event
//!   `cancelled` and the tag `http.cancelled` (for gRPC `response_code=Canceled`), but no `error`.
//! * A client that drops a body **unread** has cancelled nothing: often the status is all it wants. The span gets the
//!   log event `body_dropped`.
//! * A body that ends before its `content-length` has **failed**.
//! * A request to **upgrade**, for example to a WebSocket, ends with the head of the 101 response, on both sides. The
//!   connection that follows is a [session](#what-becomes-of-an-upgraded-connection).
//!
//! Tags and log records that reach a [`RequestSpan`] after its end are lost. Each is counted as
//! [`DroppedItems`](crate::metrics::Counter::DroppedItems), if the span is sampled.
//!
//! # What becomes of an upgraded connection?
//!
//! The connection that a request is upgraded to may stay open for hours, and its end is what people ask about: who
//! reset it? With `sessions`, a setter of [`ServerLayer`] and [`ClientLayer`], it gets a span of its own, which follows
//! from the request's span. It needs the feature `axum` or `hyper` and tokio, and no change to the handler:
//!
//! ```
//! # #[cfg(feature = "axum")]
//! # {
//! use axum::Router;
//! use axum::extract::ws::{WebSocket, WebSocketUpgrade};
//! use axum::response::Response;
//! use axum::routing::any;
//! use tracehound::middleware::{ServerLayer, SessionSpan, Sessions};
//!
//! async fn chat(upgrade: WebSocketUpgrade, session: SessionSpan) -> Response {
//!     // `run` makes the session's span active in the task; the rest is measured without it.
//!     upgrade.on_upgrade(|socket| session.run(talk(socket)))
//! }
//!
//! async fn talk(mut socket: WebSocket) {
//!     while let Some(Ok(message)) = socket.recv().await {
//!         let _ = socket.send(message).await;
//!     }
//! }
//!
//! let app: Router = Router::new()
//!     .route("/chat/{room}", any(chat))
//!     .layer(ServerLayer::new(tracehound::NoopTracer).sessions(Sessions::new()));
//! # }
//! ```
//!
//! The request's span then covers the whole **handshake**: it ends when the connection is there. Its tags say which
//! protocol was wanted (`upgrade.protocol`) and whether the connection came (`upgrade.completed`). If the peer goes
//! away before, the span is cancelled and no session begins.
//!
//! The span of a **session** begins there and ends when the program drops the connection. The bytes are counted between
//! the program and the network, after decryption, so it does not matter which library speaks the protocol. If that is
//! WebSocket, over HTTP/1.1 or as an extended CONNECT over HTTP/2, frames are counted too. Payloads are never recorded.
//!
//! | tag | meaning |
//! |---|---|
//! | `session.ending` | how the session ended: see below |
//! | `session.ended_by` | who began to end it: `local`, this program; `peer`, the program or proxy at the other end of this connection. Missing if it cannot be told |
//! | `session.last_silence_ms` | milliseconds without a byte before the first sign of the end |
//! | `session.longest_silence_ms` | the longest time without a byte, in milliseconds |
//! | `session.handshake_ms` | milliseconds from the start of the request to the start of the session |
//! | `session.bytes_received`, `session.bytes_sent` | bytes, those of frame headers included |
//! | `websocket.messages_received`, `websocket.messages_sent` | messages, however many frames each has |
//! | `websocket.pings_received`, `websocket.pings_sent`, `websocket.pongs_received`, `websocket.pongs_sent` | pings and pongs, also those that a library answers by itself |
//! | `websocket.close_code`, `websocket.close_reason` | the first close frame: its code (1005 if it has none), and its reason with secrets hidden |
//! | `websocket.malformed_by` | `peer` or `local`, which sent bytes that are no frame; from there on no frame of that side is counted |
//! | `component`, `upgrade.protocol` | as on the request's span |
//!
//! | `session.ending` | meaning | `error=true` |
//! |---|---|---|
//! | `closed` | a close frame was sent or received; for another protocol, one side has ended its stream | by the code: 1000, 1001, 1005 and those from 3000 on, which are the program's own, are no errors |
//! | `end_of_stream` | the peer of a WebSocket ended the stream without a close frame, as a proxy does whose time is up | yes |
//! | `reset` | the peer reset the connection (`ECONNRESET`) | yes |
//! | `broken_pipe` | the peer no longer took what was written (`EPIPE`) | yes |
//! | `timed_out` | the peer's host did not answer the kernel (`ETIMEDOUT`) | yes |
//! | `error` | reading or writing failed in another way | yes |
//! | `panic` | the task of the session panicked | yes |
//! | `aborted` | the task, run by [`SessionSpan::run`], was dropped before its end | no |
//! | `dropped` | the program dropped the connection without closing it | no |
//!
//! Log events tell when things happened: `close_received` and `close_sent` with code and reason, `end_of_stream`,
//! `shut_down` (the program ended its own stream), `error`, `cancelled`, `panic`. A failure after the peer's close
//! frame is none: the peer need not wait for an answer.
//!
//! The span has no `span.kind`. With one it would count, in metrics that are made from spans, as a request that took
//! hours.
//!
//! # What is different for gRPC?
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
//! A call is one span, however many messages pass. With `grpc`, a setter of [`ServerLayer`] and [`ClientLayer`], the
//! span tells more about it:
//!
//! ```
//! # #[cfg(feature = "tonic")]
//! # fn example(channel: tonic::transport::Channel) {
//! use tonic::transport::Server;
//! use tracehound::middleware::{ClientLayer, GrpcDetails, ServerLayer};
//! # use tracehound::NoopTracer;
//!
//! let details = GrpcDetails::new().message_events(20); // for the first 20 messages each way
//! let server = Server::builder().layer(ServerLayer::new(NoopTracer).grpc(details));
//! let channel = ClientLayer::new(NoopTracer).grpc(details).wrap(channel);
//! # }
//! ```
//!
//! | tag | meaning |
//! |---|---|
//! | `grpc.messages_sent`, `grpc.messages_received` | complete messages that passed. The messages of a request are counted if its body is the `Body` of tonic or axum |
//! | `grpc.messages_unlogged` | messages beyond [the limit of events](GrpcDetails::message_events) |
//! | `grpc.deadline_millis` | the time that the client gave the call (`grpc-timeout`), in milliseconds |
//! | `grpc.ended_by` | who ended a call before its status came: `client` (or the connection to it), `server`, `deadline`. Missing if it cannot be told: on a server that drops a call, or whose client does, once the request has ended |
//! | `grpc.cut_by` | `client` or `server`, whose last message is incomplete |
//! | `grpc.malformed_by` | `client` or `server`, which sent bytes that are no message; no later message of that side is counted |
//!
//! | log event | meaning |
//! |---|---|
//! | `message_sent`, `message_received` | the last byte of a message has passed: `grpc.message_number` (from 1), `grpc.message_size` (bytes of payload) |
//!
//! A share of the messages gets spans of their own if [`message_spans`](GrpcDetails::message_spans) says so.
//!
//! A call that is dropped when its deadline has passed has `response_code=DeadlineExceeded` and `error=true`, and not
//! `Canceled`. Put the layer of a server inside of a layer that translates gRPC-Web. Outside of it, a call of gRPC-Web
//! is an HTTP request, of which the messages, the status and these tags are recorded too.
//!
//! Metadata are recorded by allow-list, as [headers](ServerLayer::request_headers) of the request and of the response,
//! trailers included.
//!
//! # How do I trace calls of Thrift?
//!
//! A generated client gets its protocols from [`ThriftClient::wrap`], and a server gets a [`ThriftProcessor`]. A call is
//! named after its method. The context is a field of its arguments that peers without tracing skip. An exception is an
//! error, whether the service declares it or not; its text has its secrets hidden, and its fields are not recorded. The
//! tags are in [a table](ThriftClient#what-a-span-records). As with gRPC, callers cannot make up names.
//!
//! # How do I trace a protocol of my own?
//!
//! [`ContextFrames`] writes a context in front of a message, and reads it again: on TCP or any stream of bytes, blocking,
//! with tokio, or into and from a buffer. Spans start where your code starts them.
//!
//! # Whom does a server trust?
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
//! # What else can be recorded on request?
//!
//! These settings are off by default, and cost nothing then:
//!
//! | setting | records or writes |
//! |---|---|
//! | [`ServerLayer::trusted_proxies`] | what [`TrustedProxies`] tell of a request: tags `http.client_ip` and `http.queue_ms`, scheme and host of `http.url` |
//! | [`ServerLayer::answer_headers`] | headers of the response that name the trace: `traceresponse`, `server-timing`, a link of your choice |
//! | [`ConnectionEvents`] around a client's connector or resolver | log events `DNSStart`, `DNSDone`, `ConnectStart`, `ConnectDone`, `TLSHandshakeStart`, `TLSHandshakeDone`; tag `net/http.reused` |
//! | [`CallLayer`], [`CallMiddleware`] | a span for a call, around its redirects and retries; tags `http.resend_count` and `http.redirects` number them |
//! | [`TracingMiddleware::log_redirects`] | log event `redirect` for each redirect that reqwest follows, tag `http.redirects` |
//! | [`ClientLayer::trace_response`], and that of [`TracingMiddleware`] | tags `traceresponse.trace_id` and `traceresponse.span_id`, if the server has worked on the request in another trace and says so |
//!
//! # How do I trace calls to a database?
//!
//! [`Database`] makes a span for each call, with any driver: it runs the driver's future or blocking code. The
//! name is the first word of the statement, such as `SELECT`. Statements are shown [on request](Database::statements),
//! without their literals. The errors of a database quote data, so of their texts only what is not quoted is recorded.
//!
//! [`TracedRedis`] and [`TracedExecutor`] do so by themselves, for the crates `redis` and `sqlx`.
//!
//! In a test environment, [`Recording::everything`](crate::model::Recording::everything), or the variable
//! `TRACEHOUND_RECORD=everything`, records statements with their literals, parameters and results.
//!
//! # How do I trace messages of a queue?
//!
//! [`MessageBus`] makes a span for each message, or for each batch, with any client of a queue: `To_orders` where it is
//! sent, `From_orders` where it is handled. The trace goes along in the headers of the message. The sender's span ends
//! when the broker has acknowledged; the receiver's span follows from it, and is active while the handler runs.
//!
//! ```
//! # #[derive(Default)]
//! # struct Message { headers: Vec<(String, Vec<u8>)> }
//! # async fn publish(_: Message) -> Result<(), std::io::Error> { Ok(()) }
//! # async fn pack(_: Message) -> Result<(), std::io::Error> { Ok(()) }
//! use tracehound::middleware::MessageBus;
//! use tracehound::propagation::MessageHeaders;
//!
//! async fn send(bus: &MessageBus, mut order: Message) -> Result<(), std::io::Error> {
//!     let sending = bus.send("orders").start(&mut MessageHeaders(&mut order.headers));
//!     sending.run(publish(order)).await
//! }
//!
//! async fn handle(bus: &MessageBus, order: Message) -> Result<(), std::io::Error> {
//!     let handling = bus.receive("orders").start(&MessageHeaders(&order.headers[..]));
//!     handling.run(pack(order)).await
//! }
//! ```
//!
//! [`TracedNats`] and [`TracedJetStream`] do so by themselves, for the crate `async-nats`. `docs/guide/queues.md` in the
//! repository has recipes for Kafka and AMQP.
//!
//! Payloads are data, and are not recorded. Headers of messages are a carrier: [`MessageHeaders`] makes one of a list,
//! and [`InjectCarrier`](crate::propagation::InjectCarrier) shows how any type becomes one.
//!
//! [`MessageHeaders`]: crate::propagation::MessageHeaders
//!
//! # Which names do tags have?
//!
//! Tags have the names of OpenTracing, as above. [`TagNames`](crate::model::TagNames), or the variable
//! `TRACEHOUND_TAG_NAMES`, gives them OpenTelemetry's stable names for HTTP and databases, or both. One setting holds
//! for all layers of a tracer:
//!
//! | OpenTracing | OpenTelemetry |
//! |---|---|
//! | `http.method` | `http.request.method` |
//! | `http.url` | `url.full` on clients; `url.scheme`, `url.path`, `url.query` on servers |
//! | `http.status_code` | `http.response.status_code`; `error.type` if it is an error |
//! | `peer.address` | `server.address`, `server.port` |
//! | `peer.ipv4`, `peer.ipv6`, `peer.port` | `client.address`, `network.peer.address`, `network.peer.port` |
//! | `db.type`, `db.instance` | `db.system.name`, `db.namespace` |
//! | `db.statement` | `db.query.text`; always `db.query.summary`: its operations and tables |
//! | `db.error_code` | `db.response.status_code` |
//!
//! `docs/guide/names.md` in the repository has every name. With `OpenTelemetry`, spans are named by its rules, too:
//! `GET` without a route, and `SELECT users` for a statement.
//!
//! # How do I record everything in a test environment?
//!
//! A test often fails because of what a request said. At [`Recording::everything`](crate::model::Recording::everything),
//! or with `TRACEHOUND_RECORD=everything`, spans of requests have these tags, each of at most 4,096 bytes:
//!
//! | tag | meaning |
//! |---|---|
//! | `http.query` | the parameters of the URL with their values |
//! | `http.request_headers`, `http.response_headers`, `http.response_trailers` | headers as lines `name: value`, the metadata of gRPC included |
//! | `http.request_body`, `http.response_body` | the start of a body that is text (JSON, forms, XML, `text/*`) and not compressed. Of a request: if its type is tonic's or axum's `Body`, `String`, or a body of reqwest that is in memory |
//!
//! The first 16 messages of a gRPC call have [events](GrpcDetails::message_events); [`record_message`] shows what they
//! say. Values whose names say that they are secrets (`password`, `api_key`, `session`) are replaced by `…`, and headers
//! that hold secrets, or baggage, are left out. A secret that nothing names is shown: use no real data. At the other
//! levels none of this costs anything.
//!
//! # Can it fail a request?
//!
//! The middleware never fails a request. A malformed context is ignored and counted, and the request starts a new
//! trace. A hook that panics counts as not set. If the tracer is off, requests pass through untouched.

mod address;
mod bounded_debug;
mod call_error;
mod database;
mod error_log;
#[cfg(feature = "tower")]
mod first_value;
mod frame;
#[cfg(feature = "tower")]
mod grpc;
#[cfg(feature = "tower")]
mod http;
#[cfg(feature = "tower")]
mod kept_names;
#[cfg(feature = "thrift")]
mod known_methods;
mod known_names;
mod message;
#[cfg(feature = "tower")]
mod message_spans;
#[cfg(feature = "tower")]
mod pieces;
mod recorded_message;
mod running;
#[cfg(feature = "tower")]
mod side;
#[cfg(feature = "thrift")]
mod thrift;
mod topic_names;

#[cfg(feature = "stream")]
pub use self::database::TracedRows;
pub use self::database::{Database, DatabaseCall, DatabaseSpan};
#[cfg(feature = "redis")]
pub use self::database::{RedisMessages, TracedRedis};
#[cfg(feature = "sqlx")]
pub use self::database::{TracedExecutor, WaitingPool};
pub use self::frame::{ContextFrames, UnknownFrame};
#[cfg(feature = "tower")]
pub use self::grpc::GrpcDetails;
#[cfg(feature = "tonic")]
pub use self::grpc::TracingInterceptor;
#[cfg(feature = "tungstenite")]
pub use self::http::WebSocketClient;
#[cfg(feature = "tower")]
pub use self::http::{
    AnswerHeaders, CallLayer, CallService, ClientLayer, ClientService, Destinations, InCall,
    InvalidHost, InvalidNetwork, InvalidTraceLink, RequestSpan, ServerLayer, ServerService,
    SpanEnd, TraceLink, TracedBody, TracedFuture, TrustedProxies,
};
#[cfg(feature = "reqwest")]
pub use self::http::{CallMiddleware, SystemResolver};
#[cfg(feature = "_connect")]
#[cfg_attr(docsrs, doc(cfg(any(feature = "hyper", feature = "reqwest"))))]
pub use self::http::{
    ConnectionEvents, DnsLookup, TracedConnecting, TracedConnector, TracedResolver,
};
#[cfg(feature = "_upgrade")]
#[cfg_attr(
    docsrs,
    doc(cfg(any(feature = "axum", feature = "hyper", feature = "tungstenite")))
)]
pub use self::http::{InSession, SessionSpan, Sessions, TracedIo};
#[cfg(feature = "reqwest")]
pub use self::http::{SendTraced, TracingMiddleware};
pub use self::message::{ConsumerSpan, IncomingMessage, MessageBus, OutgoingMessage, ProducerSpan};
#[cfg(feature = "nats")]
pub use self::message::{
    JetStreamMessage, JetStreamMessages, NatsMessage, NatsMessages, TracedAck, TracedJetStream,
    TracedNats,
};
pub use self::recorded_message::record_message;
#[cfg(feature = "thrift")]
pub use self::thrift::{ThriftClient, ThriftInput, ThriftOutput, ThriftProcessor};
pub use crate::propagation::Trust;
