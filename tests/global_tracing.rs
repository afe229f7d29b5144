//! A layer of the global tracer, and the global subscriber of `tracing`, which need a process to themselves.

use std::time::Duration;

use tracehound::JaegerTracer;
use tracehound::bridge::TracingLayer;
use tracehound::prelude::*;
use tracehound::reporter::InMemoryReporter;
use tracehound::sampler::ConstSampler;
use tracehound::tracer::{set_tracer, tracer};
use tracing::subscriber::set_global_default;
use tracing::{info, info_span};
use tracing_subscriber::prelude::*;

fn recording(spans: &InMemoryReporter) -> JaegerTracer {
    JaegerTracer::builder("shop")
        .sampler(ConstSampler::new(true))
        .reporter(spans.clone())
        .build()
        .expect("named")
}

#[test]
fn a_layer_follows_the_global_tracer_and_a_second_subscriber_is_refused() {
    let subscriber = tracing_subscriber::registry().with(TracingLayer::global());
    set_global_default(subscriber).expect("there is none yet");
    let early = info_span!("too early").entered();
    info!("nowhere");

    let spans = InMemoryReporter::new();
    let first = recording(&spans);
    assert!(set_tracer(first.clone()).is_ok());
    info_span!("a").in_scope(|| tracer().start_span("b").finish());
    info!("nowhere");
    drop(early);

    let others = InMemoryReporter::new();
    let second = recording(&others);
    let subscriber = tracing_subscriber::registry().with(TracingLayer::new(second.clone()));
    assert!(set_global_default(subscriber).is_err());
    std::thread::spawn(|| info_span!("c").in_scope(|| info!("once")))
        .join()
        .expect("no panic");
    assert_eq!(spans.tree(), "a\n  b\nc");
    assert_eq!(spans.find("c").expect("it has ended").logs.len(), 1);
    assert!(others.spans().is_empty());
    for tracer in [first, second] {
        assert!(tracer.close(Duration::from_secs(5)).is_complete());
    }
}
