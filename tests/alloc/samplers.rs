//! The allocations of a sampler at a decision.

use std::cell::Cell;
use std::hint::black_box;

use tracehound::JaegerTracer;
use tracehound::model::TraceId;
use tracehound::prelude::*;
use tracehound::reporter::NullReporter;
use tracehound::sampler::{
    GuaranteedThroughputSampler, OperationStrategies, PerOperationSampler, ProbabilisticSampler,
    RateLimitingSampler, Sampler, SamplingRate, SpanView, TracesPerSecond,
};

use crate::{allocations, tenths_of_allocations};

/// Operations whose probabilities differ, so that kept roots have different tags one after another.
const OPERATIONS: [(&str, f64); 4] = [("pay", 0.5), ("search", 0.9), ("list", 0.1), ("check", 0.0)];

fn by_operation() -> PerOperationSampler {
    let often = TracesPerSecond::from(1_000_000);
    let all = OperationStrategies::new(SamplingRate::DEFAULT, often);
    PerOperationSampler::new(OPERATIONS.iter().fold(all, |all, (name, rate)| {
        all.operation(*name, SamplingRate::new(*rate).expect("a probability"))
    }))
}

fn samplers() -> [(&'static str, Box<dyn Sampler>); 5] {
    let half = SamplingRate::new(0.5).expect("a probability");
    let one = TracesPerSecond::from(1);
    let full = PerOperationSampler::new(OperationStrategies::new(half, one)).max_operations(0);
    [
        ("probabilistic", Box::new(ProbabilisticSampler::new(half))),
        ("rate limiting", Box::new(RateLimitingSampler::new(one))),
        (
            "guaranteed throughput",
            Box::new(GuaranteedThroughputSampler::new(half, one)),
        ),
        ("per operation", Box::new(by_operation())),
        ("per operation, no place", Box::new(full)),
    ]
}

#[test]
fn a_decision_allocates_nothing() {
    for (name, sampler) in samplers() {
        let low = Cell::new(1_u64);
        let n = allocations(10_000, || {
            low.set(low.get().wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
            let id = TraceId::new(0, low.get()).expect("odd");
            let (operation, _) = OPERATIONS[low.get() as usize / 2 % 4];
            black_box(sampler.on_create_span(&SpanView::new(id, operation, true)));
        });
        assert_eq!(n, 0, "{name}");
    }
}

#[test]
fn a_root_that_a_sampler_decides_allocates_nothing() {
    for (name, sampler) in samplers() {
        let tracer = JaegerTracer::builder("test")
            .sampler(sampler)
            .reporter(NullReporter::new())
            .build()
            .expect("named");
        let turn = Cell::new(0);
        let n = tenths_of_allocations(|| {
            turn.set(turn.get() + 1);
            let (operation, _) = OPERATIONS[turn.get() % 4];
            tracer.start_span(operation).finish();
            tracer.start_span("HTTP GET").set_operation_name(operation);
        });
        assert_eq!(n, 0, "{name}");
    }
}

#[test]
fn an_update_leaves_decisions_without_allocations() {
    let sampler = by_operation();
    let root = SpanView::new(TraceId::new(0, 1).expect("not zero"), "pay", true);
    for _ in 0..10 {
        sampler.update(sampler.strategies());
        let n = allocations(100, || {
            black_box(sampler.on_create_span(&root));
        });
        assert_eq!(n, 0);
    }
}
