//! The behaviour of tracehound as its users see it.
#![allow(clippy::disallowed_methods, reason = "tests keep deadlines")]
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that fails says where"
)]

mod baggage_restrictions;
mod behaviour;
#[path = "../support/block_on.rs"]
mod block_on;
#[cfg(any(feature = "tracing", feature = "log"))]
mod bridge;
#[cfg(any(feature = "tower", feature = "grpc"))]
#[path = "../support/closed_port.rs"]
mod closed_port;
mod closing;
mod configuration;
mod degrading;
mod delayed_sampling;
#[cfg(feature = "dev")]
mod dev;
mod differential;
mod encodings;
mod errors;
mod exposition;
mod floors;
mod forwarding;
mod fuzz_finds;
mod keep;
mod ledger;
mod metrics;
mod middleware;
mod observers;
mod packets;
mod panics;
mod propagation;
mod red;
mod references;
mod remote_reporting;
#[cfg(feature = "remote-sampler")]
mod remote_sampling;
mod sampling;
mod scopes;
mod services;
mod snippets;
mod span_strain;
mod span_vectors;
mod spans;
#[cfg(feature = "remote-sampler")]
mod strategies;
mod support;
#[cfg(feature = "testkit")]
mod testkit;
mod throttling;
mod times;
#[cfg(feature = "macros")]
mod traced;
#[cfg(feature = "udp")]
mod udp_delivery;
#[cfg(feature = "testkit")]
mod udp_reporting;
#[cfg(feature = "collector")]
mod uploads;
mod watch;
mod worker;
#[cfg(feature = "tokio")]
mod worker_task;
