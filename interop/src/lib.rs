//! Real counterparts of tracehound, fetched, built and started for the tests beside this file.
//!
//! A client is right if the programs it was made for understand it. So the tests of this crate
//! send spans to two real [Jaeger backends](Version), read them back through the [query
//! API](Backend::trace) and compare every field with what was sent. A table lists the
//! [differences](Route::differences) that are known of each version and [way](Way) to it:
//!
//! ```text
//!  SentBatch ── expected() ─► StoredSpan ─┐
//!      │                                  compare() ─► nothing, or each differing field
//!    bytes ─► Way ─► Backend ─► trace() ──┘
//! ```
//!
//! | file in `tests/` | it shows that |
//! |---|---|
//! | `harness.rs` | this crate starts, stops, skips and counts, builds dependency graphs and rewrites strategies |
//! | `replay.rs` | recordings of other clients (`tests/vectors/` of the repository) are read back as recorded |
//! | `differences.rs` | every entry of the tables for Thrift is true, each with a span made for it |
//! | `zipkin.rs` | the [`Zipkin`] server of this crate starts, shows what it is sent, and ends |
//! | `dev_python/` | published Python clients and the library's embedded agent understand each other: Jaeger's, and one of the Model Context Protocol |
//! | `dev_jaeger/` | the library's embedded agent shows what the library, recordings and documents send as both Jaegers do, and answers requests as they do |
//! | `udp/` | spans made with the library and sent by it are read back as they were made |
//! | `ways_out/` | spans made with the library and sent by its senders of requests are read back as they were made, also from a Zipkin server and an OpenTelemetry [`Collector`] |
//! | `peers.rs` | each service of the crossdock over a published client does its part when it calls itself |
//! | `crossdock/` | traces pass through services of several languages, in every order |
//! | `decisions.rs` | the probabilistic sampler keeps the traces that those of the Go and Java clients keep |
//! | `hello.rs` | the example `hello` finds the agent by its environment alone |
//! | `quickstart.rs` | the three services of the example `quickstart` call each other as shown |
//! | `thrift/` | calls of Thrift keep their trace through a Java server and client over the published `opentracing-thrift`, and through Python |
//! | `queues/` | traces pass through a real NATS server with JetStream, to peers over the published Python and Node clients and back |
//! | `nginx.rs` | the spans of a WebSocket's session say who ended it behind a real [`Nginx`], and its log leads to the trace |
//! | `databases/` | calls to a real Redis, PostgreSQL and SQLite have spans without their data, through redis, sqlx, tokio-postgres and diesel |
//! | `page/` | the pages of the library's embedded agent work in a real [`Browser`], run nothing of a trace, and can be read by everybody |
//! | `order/` | an order that passes through HTTP, a WebSocket, Redis, Thrift, PostgreSQL, gRPC and NATS is one trace |
//! | `sampling/` | programs are sampled as a backend's strategy file, or its adaptive sampling, says |
//! | `delivery/` | spans that the ledger calls sent are stored: under load, and when the agent is late, dies or stands still, or a collector dies |
//!
//! `cargo run --release -p tracehound-interop --example delivery` shows how much arrives of what
//! programs send at several rates, over the Go client and over the library. The example `soak` shows what a program
//! pays that traces for hours, to receivers that fail in many ways.
//!
//! `cargo test -p tracehound-interop` runs all of it. The first run builds the backends from the Go module proxy into
//! [`cache_dir`], which takes some minutes and 4 GB of Go's own caches. Nothing is put into the repository. The [Python
//! client](python()) is installed there too, from the package index, the Zipkin server from Maven's, and the services
//! of the crossdock, which also need `node` with `npm`, a JDK with `mvn`, and `cargo`. `nginx`, Redis, PostgreSQL, and
//! `chromium` with `chromedriver` are the machine's own. On
//! a machine without one of these, each test that needs it says `SKIPPED:` with its name and passes; with
//! [`REQUIRED`]`=1` in the environment it fails instead. The crate is for Unix only, because of its locks and signals.

mod backend;
mod binary;
mod browser;
mod collector;
mod compare;
pub mod crossdock;
mod delivered;
mod differences;
mod endpoints;
mod environment;
mod error;
mod example;
mod http;
mod kernel_drops;
mod launch;
mod load;
mod load_program;
mod load_report;
mod lock;
mod log;
mod metrics;
mod nginx;
mod pace;
mod poll;
mod python;
mod query;
mod ready;
mod rules;
mod sent;
mod stopped;
mod stored;
mod strategies;
mod thrift_peer;
mod toolchain;
mod value;
mod version;
mod way;
mod zipkin;

pub use backend::Backend;
pub use binary::binary;
pub use browser::Browser;
pub use collector::{
    Collector, OtlpAttribute, OtlpEvent, OtlpFields, OtlpLink, OtlpSpan, OtlpStatus, OtlpValue,
};
pub use compare::{Mismatch, compare};
pub use delivered::Delivered;
pub use differences::{Difference, Expected, Route};
pub use endpoints::Endpoints;
pub use environment::{REQUIRED, cache_dir, is_required, skipped};
pub use error::Error;
pub use example::{Example, Profile};
pub use kernel_drops::kernel_drops;
pub use load::{Load, SpanSize};
pub use load_program::LoadProgram;
pub use load_report::LoadReport;
pub use metrics::Metrics;
pub use nginx::Nginx;
pub use pace::pace;
pub use poll::poll;
pub use python::{python, python_or_skip};
pub use query::{Dependency, Received};
pub use sent::{SentBatch, SentSpan};
pub use stopped::Stopped;
pub use stored::{StoredSpan, Trace};
pub use thrift_peer::{ThriftLanguage, ThriftPeer, ThriftProtocol};
pub use value::{Log, Reference, ReferenceKind, Tag, Value};
pub use version::Version;
pub use way::Way;
pub use zipkin::{Zipkin, ZipkinAnnotation, ZipkinEndpoint, ZipkinSpan};

/// The code of the guide to queues, compiled with the clients of brokers.
#[cfg(doctest)]
#[doc = include_str!("../../docs/guide/queues.md")]
mod guide_to_queues {}
