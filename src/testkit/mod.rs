//! A kit for tests of programs that trace: tracers, receivers that record, faults, and expected shapes of traces.
//!
//! Turn the feature `testkit` on under `[dev-dependencies]`. Nothing here uses a global, a fixed port or another
//! address than loopback, so tests may run side by side.
//!
//! ```
//! use std::time::Duration;
//! use tracehound::JaegerTracer;
//! use tracehound::prelude::*;
//! use tracehound::reporter::RemoteReporter;
//! use tracehound::reporter::sender::UdpSender;
//! use tracehound::sampler::ConstSampler;
//! use tracehound::testkit::{Fault, MockAgent, assert_trace, span};
//!
//! let agent = MockAgent::start()?;
//! let tracer = JaegerTracer::builder("shop")
//!     .sampler(ConstSampler::new(true))
//!     .reporter(RemoteReporter::new(UdpSender::new(agent.address())))
//!     .build()?;
//!
//! agent.next_faults([Fault::drop()]);
//! tracer.start_span("lost on the way").finish();
//! tracer.flush(Duration::from_secs(5));
//! tracer.build_span("checkout").tag("items", 3).start().finish();
//! tracer.close(Duration::from_secs(5));
//!
//! let spans = agent.wait_for_spans(1, Duration::from_secs(5));
//! assert_trace(&spans, span("checkout").service("shop").tag("items", 3));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! A collector gives an answer, so the tracer knows what became of each span:
//!
//! ```
//! # #[cfg(feature = "otlp")] {
//! use std::time::Duration;
//! use tracehound::JaegerTracer;
//! use tracehound::metrics::DropCause;
//! use tracehound::prelude::*;
//! use tracehound::reporter::RemoteReporter;
//! use tracehound::reporter::sender::OtlpSender;
//! use tracehound::sampler::ConstSampler;
//! use tracehound::testkit::{Fault, MockCollector};
//!
//! let collector = MockCollector::start()?;
//! let tracer = JaegerTracer::builder("shop")
//!     .sampler(ConstSampler::new(true))
//!     .reporter(RemoteReporter::new(OtlpSender::new(&collector.url("/v1/traces"))?))
//!     .build()?;
//!
//! collector.next_faults([Fault::status(400)]);
//! tracer.start_span("checkout").finish();
//! let report = tracer.flush(Duration::from_secs(5));
//! assert_eq!(report.dropped.get(DropCause::Rejected), 1);
//! let losses = tracer.metrics().losses();
//! assert!(losses[0].last.as_ref().is_some_and(|last| last.reason.contains("400")));
//! # }
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Which part do I want?
//!
//! | test of | part |
//! |---|---|
//! | the spans of some code | [`TestTracer`] keeps them in memory |
//! | the shape of a trace | [`assert_trace`] compares it with a tree of names, or of [`span`]s with tags |
//! | a program's way to an agent | [`MockAgent`] takes Thrift over UDP |
//! | a program's way to a collector | [`MockCollector`] takes Thrift, OTLP and Zipkin over HTTP |
//! | what a program does when they fail | a [`Fault`] for either |
//!
//! The receivers turn all formats into [`OwnedSpan`](crate::reporter::OwnedSpan)s, so that one assertion suits them
//! all.
//!
//! # How do I wait for spans?
//!
//! A [`TestTracer`] needs no waiting. A receiver has [`wait_for_spans`](MockAgent::wait_for_spans), which returns as
//! soon as the spans are there. So no test has to sleep.

mod agent;
mod attached;
mod collector;
mod fault;
mod port;
mod received;
mod shape;
mod tracer;
mod watched;

pub use agent::MockAgent;
pub use collector::{Connection, MockCollector, ReceivedRequest};
pub use fault::Fault;

pub use shape::{Difference, SpanShape, TraceShape, assert_trace, span};
pub use tracer::TestTracer;

pub use crate::decode::{ReceivedBatch, ReportedLosses};
