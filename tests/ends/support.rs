//! Fixtures of several scenes.

use std::collections::HashMap;
use std::env;
use std::thread;
use std::time::{Duration, Instant};

use tracehound::JaegerTracer;
use tracehound::diagnostics::Diagnostics;
use tracehound::reporter::{InMemoryReporter, Reporter};
use tracehound::sampler::ConstSampler;
use tracehound::tracer::TracerBuilder;

/// The timeout of a flush that must succeed.
pub(crate) const LONG: Duration = Duration::from_secs(20);

pub(crate) fn builder(reporter: impl Reporter + 'static) -> TracerBuilder {
    JaegerTracer::builder("test")
        .sampler(ConstSampler::new(true))
        .diagnostics(Diagnostics::with_handler(|_| {}))
        .reporter(reporter)
}

pub(crate) fn recording() -> (JaegerTracer, InMemoryReporter) {
    let spans = InMemoryReporter::new();
    (builder(spans.clone()).build().expect("named"), spans)
}

pub(crate) fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + LONG;
    while !holds() {
        assert!(Instant::now() < deadline, "{what}: not within {LONG:?}");
        thread::yield_now();
    }
}

/// Returns the names of the reported spans, sorted.
pub(crate) fn names(spans: &InMemoryReporter) -> Vec<String> {
    let mut names: Vec<_> = spans
        .spans()
        .into_iter()
        .map(|span| span.operation_name)
        .collect();
    names.sort();
    names
}

/// Returns a carrier whose context cannot be read, which makes a diagnostic line.
pub(crate) fn rubbish() -> HashMap<String, String> {
    HashMap::from([("uber-trace-id".to_owned(), "rubbish".to_owned())])
}

/// Returns the number behind an argument of the program, such as 10 for `--seconds 10`.
pub(crate) fn number(argument: &str) -> Option<usize> {
    let mut arguments = env::args().skip_while(|other| other != argument);
    arguments.nth(1).and_then(|number| number.parse().ok())
}
