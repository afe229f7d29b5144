//! The words of samplers about a trace that has not begun.

use tracehound::JaegerTracer;
use tracehound::clock::ManualClock;
use tracehound::metrics::Counter;
use tracehound::prelude::*;
use tracehound::sampler::{
    ConstSampler, GuaranteedThroughputSampler, OperationStrategies, PerOperationSampler, Sampler,
    SamplingDecision, SamplingRate, SpanView, TagMatchingSampler, TracesPerSecond,
};

use super::{limiting, probabilistic};
use crate::support::recording_builder;

#[test]
fn every_sampler_says_which_part_answers_and_by_which_number() {
    struct Mine;
    impl Sampler for Mine {
        fn on_create_span(&self, _: &SpanView<'_>) -> SamplingDecision {
            SamplingDecision::Drop
        }
    }
    let clock = ManualClock::default();
    let quarter = SamplingRate::new(0.25).unwrap();
    let bound = |traces| TracesPerSecond::new(traces).unwrap();
    let guaranteed =
        |traces| GuaranteedThroughputSampler::new(quarter, bound(traces)).clock(clock.clone());
    let rows: [(Box<dyn Sampler>, &str, &str); 12] = [
        (
            Box::new(ConstSampler::new(true)),
            "const, keeps every trace",
            "const 1",
        ),
        (
            Box::new(ConstSampler::new(false)),
            "const, drops every trace",
            "const 0",
        ),
        (
            Box::new(probabilistic(0.25)),
            "probabilistic, keeps a share of 0.25 by trace id",
            "probabilistic 0.25",
        ),
        (
            Box::new(probabilistic(0.0)),
            "probabilistic, drops every trace",
            "probabilistic 0",
        ),
        (
            Box::new(probabilistic(1.0)),
            "probabilistic, keeps every trace",
            "probabilistic 1",
        ),
        (
            Box::new(limiting(2.5).clock(clock.clone())),
            "ratelimiting, keeps 2.5 traces a second, 2.5 at once now",
            "ratelimiting 2.5",
        ),
        (
            Box::new(limiting(0.0)),
            "ratelimiting, drops every trace",
            "ratelimiting 0",
        ),
        (
            Box::new(guaranteed(0.1)),
            "probabilistic, keeps a share of 0.25 by trace id; lowerbound, keeps 0.1 a second, 1.0 at once now",
            "probabilistic 0.25, lowerbound 0.1/s",
        ),
        (
            Box::new(guaranteed(0.0)),
            "probabilistic, keeps a share of 0.25 by trace id",
            "probabilistic 0.25, lowerbound 0/s",
        ),
        (
            Box::new(TagMatchingSampler::new("tenant").value("acme")),
            "TagMatchingSampler, undecided: keeps the trace when a span gets the tag tenant with one of 1 values",
            "TagMatchingSampler tenant, 1 values",
        ),
        (
            Box::new(PerOperationSampler::new(
                OperationStrategies::new(quarter, bound(0.0)).operation("pay", SamplingRate::ONE),
            )),
            "per operation, listed: probabilistic, keeps every trace",
            "per operation, 1 listed, else probabilistic 0.25, lowerbound 0/s",
        ),
        (Box::new(Mine), "Mine", "Mine"),
    ];
    for (sampler, line, description) in rows {
        assert_eq!(sampler.explain("pay"), line);
        assert_eq!(sampler.description(), description);
        let boxed: Box<dyn Sampler> = Box::new(sampler);
        assert_eq!(boxed.explain("pay"), line);
        assert_eq!(boxed.description(), description);
    }
}

#[test]
fn an_explanation_follows_an_operation_without_learning_it_or_spending_a_credit() {
    let strategies = OperationStrategies::new(SamplingRate::ZERO, TracesPerSecond::from(1))
        .operation("listed", SamplingRate::ONE);
    let sampler = PerOperationSampler::new(strategies)
        .max_operations(2)
        .clock(ManualClock::default());
    let (builder, spans) = recording_builder();
    let tracer = builder.sampler(sampler).build().unwrap();
    let with = |standing, credits| {
        format!(
            "per operation, {standing}: probabilistic, drops every trace; lowerbound, keeps 1 a second, \
             {credits} at once now"
        )
    };
    for _ in 0..2 {
        assert_eq!(
            tracer.explain_sampling("search"),
            with("not seen yet", "1.0")
        );
    }
    tracer.start_span("search").finish();
    assert_eq!(tracer.explain_sampling("search"), with("learned", "0.0"));
    assert_eq!(
        tracer.explain_sampling("other"),
        "per operation, no place left: probabilistic, drops every trace"
    );
    assert_eq!(
        tracer.explain_sampling("listed"),
        "per operation, listed: probabilistic, keeps every trace; lowerbound, keeps 1 a second, 1.0 at once now"
    );
    assert_eq!(spans.spans().len(), 1);
}

#[test]
fn a_sampler_that_panics_while_it_explains_is_counted() {
    struct Panics;
    impl Sampler for Panics {
        fn on_create_span(&self, _: &SpanView<'_>) -> SamplingDecision {
            SamplingDecision::Drop
        }

        fn explain(&self, _: &str) -> String {
            panic!("in explain")
        }
    }
    let (builder, _) = recording_builder();
    let tracer = builder.sampler(Panics).build().unwrap();
    assert_eq!(
        tracer.explain_sampling("pay"),
        "the sampler panicked, and such a trace is dropped"
    );
    assert_eq!(tracer.metrics().get(Counter::CallbackPanics), 1);
    assert_eq!(
        JaegerTracer::disabled().explain_sampling("pay"),
        "the tracer is off and keeps nothing"
    );
}
