//! The global tracer, which needs a process to itself.

use tracehound::JaegerTracer;
use tracehound::prelude::*;
use tracehound::reporter::InMemoryReporter;
use tracehound::sampler::ConstSampler;
use tracehound::tracer::{set_tracer, tracer};

#[test]
fn early_users_of_the_global_tracer_follow_the_one_that_is_set_later_once() {
    let early = tracer();
    assert!(early.is_noop());
    assert!(early.start_span("too early").is_noop());
    let spans = InMemoryReporter::new();
    let first = JaegerTracer::builder("shop")
        .sampler(ConstSampler::new(true))
        .reporter(spans.clone())
        .build()
        .expect("named");
    assert!(set_tracer(first.clone()).is_ok());
    let second = JaegerTracer::builder("other").build().expect("named");
    let refused = set_tracer(second)
        .expect_err("there is one already")
        .rejected;
    assert_eq!(
        refused
            .process()
            .map(|process| process.service_name.as_str()),
        Some("other")
    );
    assert!(!early.is_noop());
    early.start_span("s").finish();
    assert_eq!(spans.spans().len(), 1);
    assert!(first.close(std::time::Duration::from_secs(5)).is_complete());
}
