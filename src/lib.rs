//! Distributed tracing for [Jaeger](https://www.jaegertracing.io), in the words of OpenTracing.
//!
//! A *span* is one unit of work: a name, a start and an end, tags and logs. A *trace* is the tree of spans that
//! one request leaves behind in all the services that it passes. A program starts spans; their *context* travels
//! with its requests; a *sampler* decides which traces to keep; one background thread, the *worker*, packs finished
//! spans for a *sender*: to an agent, as Thrift over UDP, or to a collector, as OTLP, Thrift or JSON in requests.
//!
//! ```text
//!  request ─► extract ─► build_span ─► Span ─► finish ─► queue ┊ worker ─► reporter ─► sender
//!             propagation  sampler      │ scope                ┊ (off your threads)       │
//!                                       └► inject ─► request   ┊   agent or collector ◄───┘
//! ```
//!
//! # Quick start
//!
//! ```
//! use std::time::Duration;
//! use tracehound::prelude::*;
//! use tracehound::reporter::InMemoryReporter;
//! use tracehound::sampler::ConstSampler;
//!
//! fn charge(tracer: &impl Tracer, cents: &str) -> Result<i64, std::num::ParseIntError> {
//!     let span = tracer.start_span("charge"); // a child of the active span
//!     let cents = cents.parse().inspect_err(|error| span.log_error(error))?;
//!     span.set_tag("cents", cents);
//!     Ok(cents)
//! } // a span finishes when it is dropped
//!
//! let spans = InMemoryReporter::new();
//! let tracer = JaegerTracer::builder("shop")
//!     .sampler(ConstSampler::new(true))
//!     .reporter(spans.clone())
//!     .build()?;
//!
//! let checkout = tracer.start_span("checkout");
//! let scope = checkout.activate();
//! active_span().log([field("event", "cart read"), field("items", 3)]);
//! assert!(charge(&tracer, "4 200").is_err());
//! drop(scope);
//! checkout.finish();
//!
//! let [charge, checkout] = &spans.spans()[..] else { panic!("two spans") };
//! assert_eq!(charge.parent_id, Some(checkout.span_id));
//! assert_eq!(charge.tag_text("error"), "true");
//! assert_eq!(checkout.logs.len(), 1);
//! assert!(tracer.close(Duration::from_secs(1)).is_complete());
//! # Ok::<(), tracehound::tracer::BuildError>(())
//! ```
//!
//! A program in production takes its settings from the environment instead, as every other Jaeger client
//! does, and leaves the spans for requests to the [`middleware`]:
//!
//! ```no_run
//! let tracer = tracehound::Config::from_env()?.build()?;
//! # Ok::<(), tracehound::config::ConfigError>(())
//! ```
//!
//! With the feature `dev`, `tracehound::dev("shop")` returns a tracer whose traces are drawn in the terminal. Nothing
//! else has to be installed.
//!
//! # Where to look
//!
//! | module | holds |
//! |---|---|
//! | [`tracer`] | where spans begin: [`Tracer`], [`JaegerTracer`], [`NoopTracer`], the global tracer |
//! | [`span`] | [`Span`], [`SpanContext`], references, limits |
//! | [`scope`] | which span is active here; futures, threads and tasks |
//! | [`model`] | plain values: ids, flags, tags, log records, baggage; names of standard [`tags`](model::tags) |
//! | [`propagation`] | contexts across processes: carriers and codecs |
//! | [`sampler`] | which traces to keep |
//! | [`throttler`] | how many debug traces callers may force |
//! | [`restrictions`] | which baggage the program may set |
//! | [`reporter`] | finished spans, out of the process; [`sender`](reporter::sender)s move the bytes |
//! | [`config`] | a tracer from `JAEGER_*` and `OTEL_*` variables; [where spans go](config#where-do-spans-go) |
//! | [`metrics`] | what the tracer counts about itself, what became of every span, and why the last ones were [lost](metrics::Metrics::losses) |
//! | [`observer`] | the start and end of every span, sampled or not: rate, errors and durations |
//! | [`watch`] | which spans are open now, and which ones have lost their trace |
//! | [`middleware`] | spans for requests: tower, axum, hyper, reqwest, tonic, thrift; for calls to databases |
//! | [`mod@traced`] | functions that are spans: the attribute `#[traced]` |
//! | [`bridge`] | spans and log lines of other crates: `tracing`, `log` |
//! | [`mod@dev`] | an agent, a collector and a viewer inside the program |
//! | [`testkit`] | receivers that record, and assertions, for tests of programs that trace |
//! | [`view`] | traces as a page for a browser, as a picture in text, and as Jaeger's JSON |
//! | [`clock`], [`diagnostics`] | times for tests; where the tracer says what is wrong |
//! | [`services`] | what a sampler, codec, reporter or sender of your own gets from its tracer |
//! | [`prelude`] | what nearly every file that traces wants |
//!
//! The guide is in `docs/guide/` of the repository:
//!
//! | for | pages |
//! |---|---|
//! | beginners | the first hour (`first-hour.md`), settings (`configuration.md`), tests (`testing.md`), other tracing crates (`migration.md`), the crate `tracing` (`tracing.md`) |
//! | spans | HTTP (`http.md`), databases (`databases.md`), queues (`queues.md`), Thrift and protocols of your own (`thrift.md`), WebSockets (`websocket.md`), log lines (`logs.md`), names of tags (`names.md`) |
//! | production | sampling (`sampling.md`), headers (`formats.md`), where spans go (`ways-out.md`), proxies and Kubernetes (`deployment.md`), the end of a program (`shutdown.md`), panics (`panics.md`), Lambda (`lambda.md`), forks (`forks.md`) |
//! | operators | missing traces (`missing-traces.md`), metrics (`metrics.md`), requests that hang (`watching.md`), limits (`limits.md`), tools for language models (`agents.md`) |
//!
//! # Feature flags
//!
//! | feature | brings |
//! |---|---|
//! | `udp` (default) | [`UdpSender`](reporter::sender::UdpSender): Thrift over UDP to an agent |
//! | `remote-sampler` (default) | [`RemoteSampler`](sampler::remote::RemoteSampler): strategies from a Jaeger backend over HTTP |
//! | `otlp` (default) | [`OtlpSender`](reporter::sender::OtlpSender): OTLP over HTTP to Jaeger or another receiver |
//! | `collector` (default) | [`HttpSender`](reporter::sender::HttpSender): Thrift over HTTP to a Jaeger collector |
//! | `zipkin` | [`ZipkinSender`](reporter::sender::ZipkinSender): JSON over HTTP to Zipkin |
//! | `grpc` | [`GrpcStrategyFetcher`](sampler::remote::GrpcStrategyFetcher): strategies over gRPC; with `otlp` also [`OtlpGrpcSender`](reporter::sender::OtlpGrpcSender), with `collector` also [`GrpcSender`](reporter::sender::GrpcSender) |
//! | `tls` | encrypted connections for what the tracer asks for or sends by itself |
//! | `http` | `http::HeaderMap` as a carrier |
//! | `tower` | [`ServerLayer`](middleware::ServerLayer) and [`ClientLayer`](middleware::ClientLayer) |
//! | `axum` | route templates as operation names, the request's span as an extractor |
//! | `hyper` | the layers of `tower` around hyper's services and hyper-util's client |
//! | `reqwest` | [`TracingMiddleware`](middleware::TracingMiddleware), and `send_traced` on a request |
//! | `tungstenite` | [`WebSocketClient`](middleware::WebSocketClient): WebSockets of tokio-tungstenite whose handshake and session have spans |
//! | `tonic` | gRPC metadata as a carrier, gRPC status on spans |
//! | `thrift` | [`ThriftClient`](middleware::ThriftClient), [`ThriftProcessor`](middleware::ThriftProcessor): spans for calls of the crate `thrift` |
//! | `redis` | [`TracedRedis`](middleware::TracedRedis): spans for commands of the crate `redis` |
//! | `nats` | [`TracedNats`](middleware::TracedNats): spans for messages of async-nats; needs Rust 1.89, as async-nats does |
//! | `sqlx` | [`TracedExecutor`](middleware::TracedExecutor): spans for statements of sqlx; needs Rust 1.94, as sqlx does |
//! | `signals` | [`JaegerTracer::close_on_terminate`]: the last spans are sent when SIGTERM ends the process |
//! | `tokio` | [`TracerBuilder::worker_on`](tracer::TracerBuilder::worker_on): the worker as a task of a runtime; [`scope::task`] |
//! | `metrics` | the recorder of the crate `metrics` as a [`MetricsFactory`](metrics::MetricsFactory) |
//! | `serde` | [`ConfigFile`](config::ConfigFile): settings in a file of YAML, TOML or JSON |
//! | `tracing` | [`bridge`]: spans of the crate `tracing` in our traces, ids of traces in its log lines |
//! | `log` | ids of traces in the lines of the crate `log` |
//! | `stream` | [`StreamInSpan`](scope::StreamInSpan) and [`SinkInSpan`](scope::SinkInSpan): spans around streams and sinks |
//! | `macros` | [`#[traced]`](macro@traced): a function that is a span |
//! | `dev` | the embedded agent and viewer |
//! | `full` | all of these but `sqlx` and `nats` |
//! | `foreign-context` | [`ForeignContext`](scope::ForeignContext): active spans of another library are parents of ours |
//! | `cli` | the program `tracehound`: `cargo install tracehound --features cli` |
//! | `testkit` | for tests of a program: an agent and a collector that record, faults, expected shapes of traces |
//!
//! A feature adds items. No feature changes what another one does, with one exception: with `remote-sampler`, a
//! [`Config`] without a sampler has the remote one. Only `tls` brings a TLS stack. None starts a thread before the
//! program uses it.
//!
//! # What is promised
//!
//! * **No panics.** No header and no datagram makes the library panic. If panics unwind, a panic of your sampler, your
//!   reporter, or a tag's `Display` or closure is caught and counted; a panic of a hook of the middleware is caught.
//! * **No waiting.** Starting, tagging and finishing a span do no input or output. They wait for another thread at most
//!   while it appends a tag, or while the worker takes a list. Only `flush`, `close` and the drop of the last tracer
//!   wait for the worker's work, for at most the time they are given.
//! * **No growth.** Finished spans wait in a budget of bytes for the whole process; spans, baggage and
//!   all input are bounded. A span that finds no room is dropped and counted, and a truncated value is marked.
//! * **No silence.** [`FlushReport`](metrics::FlushReport) accounts for every finished span: sent, lost and why, or
//!   waiting. Problems are written as diagnostic lines, at most one every ten seconds.
//! * **No cost when off.** [`NoopTracer`] and a disabled tracer allocate nothing and have no thread.
//! * **Survives teardown.** Spans may start, be filled and finish while a thread is torn down. The last handle of a
//!   span or of the tracer may be dropped there or inside any callback. Under `panic = "abort"` the library itself
//!   never panics.
//! * **Forks.** A forked child (by `fork` of the C library, on Unix) draws ids of its own and waits for no lock that a
//!   thread of the parent process held. From its first span on it has a worker and a socket of its own. Spans that were
//!   open or finished at the fork are sent by the parent process alone. The forked child counts them as `forked`, and
//!   its counters begin from zero. Your own reporter or sender must say how to make another one
//!   ([`Reporter::after_fork`](reporter::Reporter::after_fork)); otherwise spans of the forked child are lost as
//!   `no_worker`.
//! * **Snapshots.** Copies of a process that was frozen and restored draw ids of their own once each has called
//!   [`reseed`].
//! * **No `unsafe`** outside of two private modules, and no async runtime in the core.
//!
//! # What is not promised
//!
//! * That a datagram arrives. `sent` means that the kernel took it and that no refusal has come back since. A request
//!   has an answer: for a sender of requests `sent` means that the collector has taken the spans.
//! * Spans of a process that is killed or aborts, or that calls `std::process::exit` or `exec` without
//!   [`close`](JaegerTracer::close): up to one flush interval of them is lost, and what still waits for its receiver.
//! * Anything in a process that was made by a bare `clone` or `vfork`, which run no fork handlers.
//! * The order of spans in a batch, how many batches there are, the wording of diagnostics and of error messages.
//! * That versions of other crates in public signatures stay. They are `http`, `http-body`, `bytes` and those that
//!   features are named for; a new breaking version of one is a breaking release of ours.
#![cfg_attr(docsrs, feature(doc_cfg))]

#[cfg(feature = "remote-sampler")]
mod agent_poll;
mod bounded_text;
#[cfg(any(feature = "tracing", feature = "log"))]
pub mod bridge;
pub mod clock;
pub mod config;
#[cfg(feature = "_decode")]
#[cfg_attr(docsrs, doc(cfg(feature = "testkit")))]
#[cfg_attr(
    not(feature = "testkit"),
    expect(unreachable_pub, reason = "the test kit alone shows batches to users")
)]
mod decode;
#[cfg(feature = "dev")]
pub mod dev;
pub mod diagnostics;
mod environment;
#[cfg(all(tracehound_fuzz, feature = "dev"))]
#[doc(hidden)]
pub mod fuzzing;
#[cfg(any(feature = "remote-sampler", feature = "_upload"))]
#[cfg_attr(
    docsrs,
    doc(cfg(any(
        feature = "remote-sampler",
        feature = "collector",
        feature = "otlp",
        feature = "zipkin"
    )))
)]
mod http_client;
pub mod metrics;
pub mod middleware;
pub mod model;
pub mod observer;
mod panics;
mod poller;
pub mod prelude;
pub mod propagation;
mod record;
mod redact;
pub mod reporter;
pub mod restrictions;
pub mod sampler;
pub mod scope;
pub mod services;
pub mod span;
mod sync;
#[cfg(feature = "testkit")]
pub mod testkit;
#[cfg(feature = "_thrift")]
mod thrift;
pub mod throttler;
#[cfg(feature = "macros")]
pub mod traced;
pub mod tracer;
#[cfg(feature = "_view")]
#[cfg_attr(docsrs, doc(cfg(any(feature = "dev", feature = "testkit"))))]
pub mod view;
pub mod watch;

pub use config::Config;
pub use scope::InSpan;
pub use span::{Span, SpanContext};
#[cfg(feature = "macros")]
pub use tracehound_macros::traced;
pub use tracer::reseed::reseed;
pub use tracer::{JaegerTracer, NoopTracer, Tracer, TracerExt};

/// Returns a tracer for a first look: every trace is kept and drawn in the terminal. Nothing else need be installed.
///
/// All tracers from this function share one embedded agent, which other processes can send to as well. If another
/// program runs one already, the spans go there. A line on standard error says where the traces can be read; the module
/// [`dev`](mod@dev) has the details. If the agent cannot start, or the service has no name, a line says so and the
/// tracer is off. [`DevOptions::tracer`](dev::DevOptions::tracer) takes options.
///
/// ```no_run
/// use tracehound::prelude::*;
///
/// let tracer = tracehound::dev("shop");
/// let span = tracer.start_span("checkout");
/// let _scope = span.activate();
/// ```
#[cfg(feature = "dev")]
pub fn dev(service_name: impl Into<String>) -> JaegerTracer {
    dev::tracer(service_name.into(), dev::DevOptions::new)
}

/// The code of the README, compiled.
#[cfg(all(doctest, feature = "full"))]
#[doc = include_str!("../README.md")]
mod readme {}

/// The code of the guide, compiled. That of the page about queues is compiled with the clients of brokers.
#[cfg(all(doctest, feature = "full"))]
mod guide {
    #[doc = include_str!("../docs/guide/configuration.md")]
    mod configuration {}
    #[doc = include_str!("../docs/guide/databases.md")]
    mod databases {}
    #[doc = include_str!("../docs/guide/deployment.md")]
    mod deployment {}
    #[doc = include_str!("../docs/guide/first-hour.md")]
    mod first_hour {}
    #[doc = include_str!("../docs/guide/forks.md")]
    mod forks {}
    #[doc = include_str!("../docs/guide/formats.md")]
    mod formats {}
    #[doc = include_str!("../docs/guide/http.md")]
    mod http {}
    #[doc = include_str!("../docs/guide/lambda.md")]
    mod lambda {}
    #[doc = include_str!("../docs/guide/limits.md")]
    mod limits {}
    #[doc = include_str!("../docs/guide/logs.md")]
    mod logs {}
    #[doc = include_str!("../docs/guide/metrics.md")]
    mod metrics {}
    #[doc = include_str!("../docs/guide/migration.md")]
    mod migration {}
    #[doc = include_str!("../docs/guide/missing-traces.md")]
    mod missing_traces {}
    #[doc = include_str!("../docs/guide/names.md")]
    mod names {}
    #[doc = include_str!("../docs/guide/panics.md")]
    mod panics {}
    #[doc = include_str!("../docs/guide/sampling.md")]
    mod sampling {}
    #[doc = include_str!("../docs/guide/shutdown.md")]
    mod shutdown {}
    #[cfg(feature = "testkit")]
    #[doc = include_str!("../docs/guide/testing.md")]
    mod testing {}
    #[doc = include_str!("../docs/guide/thrift.md")]
    mod thrift {}
    #[doc = include_str!("../docs/guide/tracing.md")]
    mod tracing {}
    #[doc = include_str!("../docs/guide/watching.md")]
    mod watching {}
    #[doc = include_str!("../docs/guide/ways-out.md")]
    mod ways_out {}
    #[doc = include_str!("../docs/guide/websocket.md")]
    mod websocket {}
}
