//! Parts that several fuzz targets share.

pub mod canary;
pub mod carrier;
pub mod spans;

use std::pin::pin;
use std::task::{Context, Poll, Waker};

use tracehound::JaegerTracer;
use tracehound::diagnostics::Diagnostics;
use tracehound::reporter::Reporter;
use tracehound::sampler::ConstSampler;

/// A tracer that keeps every span, hands them to `reporter` and is silent.
pub fn tracer(reporter: impl Reporter + 'static) -> JaegerTracer {
    JaegerTracer::builder("fuzz")
        .sampler(ConstSampler::new(true))
        .reporter(reporter)
        .diagnostics(Diagnostics::silent())
        .build()
        .expect("the service has a name")
}

/// The result of a future that never waits.
///
/// # Panics
///
/// If the future waits.
pub fn ready<T>(future: impl Future<Output = T>) -> T {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(value) => value,
        Poll::Pending => panic!("the future waits"),
    }
}
