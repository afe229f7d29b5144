//! The behaviour of tracehound as its users see it.
#![allow(clippy::disallowed_methods, reason = "tests keep deadlines")]
#![allow(clippy::unwrap_used, reason = "a test that fails says where")]

mod behaviour;
mod delayed_sampling;
#[cfg(feature = "tower")]
mod middleware_body;
#[cfg(feature = "hyper")]
mod middleware_client;
#[cfg(all(feature = "tonic", feature = "hyper"))]
mod middleware_grpc;
#[cfg(feature = "reqwest")]
mod middleware_reqwest;
#[cfg(all(
    feature = "axum",
    feature = "hyper",
    feature = "reqwest",
    feature = "tonic"
))]
mod middleware_secrets;
#[cfg(all(feature = "axum", feature = "hyper"))]
mod middleware_server;
mod propagation;
mod references;
mod scopes;
mod spans;
mod support;
mod worker;
