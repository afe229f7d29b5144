//! Tests of the spans for requests that a program receives and sends.

#[cfg(all(feature = "axum", feature = "hyper", feature = "reqwest"))]
mod answer;
#[cfg(all(feature = "axum", feature = "hyper", feature = "reqwest"))]
mod attempts;
#[cfg(feature = "tower")]
mod body;
#[cfg(feature = "hyper")]
mod client;
#[cfg(all(feature = "axum", feature = "hyper", feature = "reqwest"))]
mod connect;
mod database;
#[cfg(all(feature = "tonic", feature = "hyper"))]
mod destinations;
#[cfg(all(
    feature = "axum",
    feature = "hyper",
    feature = "reqwest",
    feature = "tonic"
))]
mod everything;
#[cfg(all(feature = "axum", feature = "hyper"))]
mod forwarded;
mod frames;
#[cfg(all(feature = "tonic", feature = "hyper"))]
mod grpc;
#[cfg(all(feature = "tonic", feature = "hyper"))]
mod grpc_details;
#[cfg(all(feature = "tonic", feature = "hyper"))]
mod grpc_status;
#[cfg(all(feature = "axum", feature = "hyper"))]
mod hooks;
#[cfg(feature = "hyper")]
mod hyper;
mod message;
#[cfg(all(
    feature = "collector",
    feature = "hyper",
    feature = "reqwest",
    feature = "testkit",
    feature = "tracing"
))]
mod own_client;
#[cfg(feature = "reqwest")]
mod redirects;
#[cfg(feature = "reqwest")]
mod reqwest;
#[cfg(all(
    feature = "axum",
    feature = "hyper",
    feature = "reqwest",
    feature = "tonic"
))]
mod secrets;
#[cfg(all(feature = "axum", feature = "hyper"))]
mod server;
#[cfg(feature = "tower")]
mod services;
#[cfg(all(feature = "axum", feature = "hyper", feature = "reqwest"))]
mod tag_names;
#[cfg(feature = "thrift")]
mod thrift;
#[cfg(feature = "axum")]
mod trace_context;
#[cfg(all(feature = "axum", feature = "hyper", feature = "tonic"))]
mod trust;
#[cfg(all(feature = "axum", feature = "hyper"))]
mod upgrade;
mod ways;
