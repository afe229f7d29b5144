//! Parts that several fuzz targets share.

pub mod agent;
pub mod b3;
pub mod baggage;
pub mod canary;
pub mod carrier;
pub mod facts;
pub mod headers;
pub mod ledger;
pub mod slow;
pub mod spans;
pub mod thrift_oracle;

use std::pin::pin;
use std::task::{Context, Poll, Waker};

use tracehound::JaegerTracer;
use tracehound::diagnostics::Diagnostics;
use tracehound::metrics::Counter;
use tracehound::propagation::{ExtractError, Propagation};
use tracehound::reporter::{NullReporter, Reporter};
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

/// A tracer that keeps every span, sends none and speaks `formats`.
pub fn speaking(formats: impl IntoIterator<Item = Propagation>) -> JaegerTracer {
    JaegerTracer::builder("fuzz")
        .sampler(ConstSampler::new(true))
        .reporter(NullReporter::new())
        .diagnostics(Diagnostics::silent())
        .propagation(formats)
        .build()
        .expect("the service has a name")
}

/// Panics if the text of an error is long or could steer a terminal.
pub fn assert_short(error: &ExtractError) {
    let text = error.to_string();
    let is_shown = |byte| byte == b' ' || u8::is_ascii_graphic(&byte);
    assert!(text.len() < 1_000 && text.bytes().all(is_shown), "{text}");
}

/// Returns the result of `work`, and how much a counter of the tracer grows meanwhile.
pub fn counting<T>(tracer: &JaegerTracer, counter: Counter, work: impl FnOnce() -> T) -> (T, u64) {
    let metrics = tracer.metrics();
    let before = metrics.get(counter);
    let result = work();
    (result, metrics.get(counter) - before)
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
