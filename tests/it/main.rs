//! The behaviour of tracehound as its users see it.
#![allow(clippy::disallowed_methods, reason = "tests keep deadlines")]
#![allow(clippy::unwrap_used, reason = "a test that fails says where")]

mod behaviour;
mod delayed_sampling;
mod packets;
mod references;
mod remote_reporting;
mod scopes;
mod span_vectors;
mod spans;
mod support;
#[cfg(feature = "udp")]
mod udp_reporting;
mod worker;
