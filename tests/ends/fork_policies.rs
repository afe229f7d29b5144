//! Baggage restrictions and credits of an agent after a fork.

use std::time::Duration;

use tracehound::JaegerTracer;
use tracehound::clock::ManualClock;
use tracehound::diagnostics::Diagnostics;
use tracehound::metrics::Counter;
use tracehound::prelude::*;
use tracehound::reporter::InMemoryReporter;
use tracehound::restrictions::RemoteRestrictions;
use tracehound::sampler::ConstSampler;
use tracehound::throttler::RemoteThrottler;

use crate::agent::Agent;
use crate::process::in_child;
use crate::support::{LONG, until};

const OFTEN: Duration = Duration::from_millis(10);

fn tracer(keys: &Agent, credits: &Agent) -> JaegerTracer {
    let restrictions = RemoteRestrictions::new(&keys.url("/keys")).expect("a URL");
    let throttler = RemoteThrottler::new(&credits.url("/credits")).expect("a URL");
    JaegerTracer::builder("test")
        .sampler(ConstSampler::new(false))
        .clock(ManualClock::default())
        .baggage_restrictions(restrictions.refresh_interval(OFTEN))
        .throttler(throttler.refresh_interval(OFTEN))
        .diagnostics(Diagnostics::silent())
        .reporter(InMemoryReporter::new())
        .build()
        .expect("named")
}

fn is_set(tracer: &JaegerTracer, key: &str) -> bool {
    let span = tracer.start_span("s");
    span.set_baggage_item(key, "v");
    span.baggage_item(key).is_some()
}

fn is_debug(tracer: &JaegerTracer) -> bool {
    let span = tracer.start_span("pay");
    span.set_tag("sampling.priority", 1);
    span.context().is_debug()
}

pub(super) fn a_forked_child_asks_for_restrictions_and_credits_by_itself() {
    let keys = Agent::start(r#"[{"baggageKey":"parents","maxValueLength":9}]"#);
    let credits = Agent::start(r#"{"balances":[]}"#);
    let tracer = tracer(&keys, &credits);
    let counted = |counter| tracer.metrics().get(counter) > 0;
    let are_loaded =
        || counted(Counter::BaggageRestrictionsUpdatesOk) && counted(Counter::ThrottlerUpdatesOk);
    assert!(is_debug(&tracer));
    until("the parent's answers", are_loaded);
    // The child has the list and the balances of its parent at once.
    in_child(|| {
        assert!(is_set(&tracer, "parents") && !is_set(&tracer, "childs"));
        assert!(!is_debug(&tracer));
        end_child(&tracer, are_loaded);
    });
    keys.answers(r#"[{"baggageKey":"childs","maxValueLength":9}]"#);
    credits.answers(r#"{"balances":[{"operation":"pay","balance":1}]}"#);
    in_child(|| {
        until("the other key", || is_set(&tracer, "childs"));
        until("a credit", || is_debug(&tracer));
        end_child(&tracer, are_loaded);
    });
    tracer.close(LONG);
    in_child(|| {
        is_set(&tracer, "childs");
        is_debug(&tracer);
        let tasks = std::fs::read_dir("/proc/self/task");
        let threads = tasks.map_or(1, Iterator::count);
        assert_eq!(threads, 1, "a closed tracer stays closed");
    });
}

/// Waits until the child, whose counters began from zero, has answers of its own, and closes its tracer.
fn end_child(tracer: &JaegerTracer, are_loaded: impl Fn() -> bool) {
    until("the child's answers", are_loaded);
    tracer.close(LONG);
}
