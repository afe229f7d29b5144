//! Samplers that are asked in turn.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use tracehound::JaegerTracer;
use tracehound::model::TagRef;
use tracehound::prelude::*;
use tracehound::reporter::{InMemoryReporter, OwnedSpan};
use tracehound::sampler::{
    ConstSampler, OperationStrategies, PerOperationSampler, PrioritySampler, Sampler, SamplerTags,
    SamplingDecision, SamplingRate, SpanView, TagMatchingSampler, TracesPerSecond,
};

use super::{any_root, kept, probabilistic};
use crate::support::{names, recording_builder};

fn tracer(sampler: impl Sampler + 'static) -> (JaegerTracer, InMemoryReporter) {
    let (builder, spans) = recording_builder();
    (builder.sampler(sampler).build().unwrap(), spans)
}

fn acme() -> TagMatchingSampler {
    TagMatchingSampler::new("tenant").value("acme")
}

/// Keeps the operation `pay` and drops all others.
fn only_pay() -> PerOperationSampler {
    let none = OperationStrategies::new(SamplingRate::ZERO, TracesPerSecond::from(0));
    PerOperationSampler::new(none.operation("pay", SamplingRate::ONE))
}

fn sampler_types(span: &OwnedSpan) -> Vec<String> {
    let tags = span.tags.iter().filter(|tag| tag.key == "sampler.type");
    tags.map(|tag| tag.value.to_string()).collect()
}

/// A sampler that drops, or puts off, and notes what it was asked.
#[derive(Clone, Default)]
struct Asked {
    delays: bool,
    depends_on_name: bool,
    questions: Arc<Mutex<Vec<String>>>,
}

impl Asked {
    fn answer(&self, question: &str, span: &SpanView<'_>) -> SamplingDecision {
        let line = format!("{question} {}", span.operation_name);
        self.questions.lock().unwrap().push(line);
        if self.delays {
            SamplingDecision::Delay
        } else {
            SamplingDecision::Drop
        }
    }

    fn questions(&self) -> Vec<String> {
        std::mem::take(&mut self.questions.lock().unwrap())
    }
}

impl Sampler for Asked {
    fn on_create_span(&self, span: &SpanView<'_>) -> SamplingDecision {
        self.answer("create", span)
    }

    fn on_set_operation_name(&self, span: &SpanView<'_>) -> SamplingDecision {
        self.answer("rename", span)
    }

    fn on_set_tag(&self, span: &SpanView<'_>, _: &str, _: TagRef<'_>) -> SamplingDecision {
        self.answer("tag", span)
    }

    fn on_finish_span(&self, span: &SpanView<'_>) -> SamplingDecision {
        self.answer("finish", span)
    }

    fn depends_on_operation_name(&self) -> bool {
        self.depends_on_name
    }
}

#[test]
fn a_tag_keeps_every_span_of_a_trace_that_the_second_sampler_has_dropped() {
    let (tracer, spans) = tracer(PrioritySampler::new(acme()).then(only_pay()));
    let root = tracer.start_span("search");
    for _ in 0..50 {
        tracer.build_span("child").child_of(&root).start().finish();
    }
    let open = tracer.build_span("open").child_of(&root).start();
    open.set_tag("tenant", "acme").set_tag("tenant", "acme");
    tracer.build_span("late").child_of(&open).start().finish();
    drop((open, root));
    let spans = spans.spans();
    assert_eq!(spans.len(), 53);
    assert!(spans.iter().all(|span| span.flags.is_sampled()));
    let types: Vec<_> = spans.iter().flat_map(sampler_types).collect();
    assert_eq!(types, ["TagMatchingSampler"]);
    let report = tracer.flush(Duration::from_secs(5));
    assert_eq!((report.finished, report.dropped.total()), (53, 0));
}

#[test]
fn a_trace_that_the_second_sampler_keeps_is_decided_at_its_start() {
    let (tracer, spans) = tracer(PrioritySampler::new(acme()).then(only_pay()));
    let root = tracer.start_span("pay");
    assert!(root.context().is_sampling_final());
    root.set_tag("tenant", "acme");
    root.finish();
    assert_eq!(sampler_types(&spans.spans()[0]), ["probabilistic"]);
}

#[test]
fn a_trace_that_no_sampler_keeps_is_no_loss() {
    let (tracer, spans) = tracer(PrioritySampler::new(acme()).then(only_pay()));
    let root = tracer.start_span("search");
    tracer
        .build_span("child")
        .child_of(&root)
        .tag("a", 1)
        .start()
        .finish();
    root.finish();
    assert!(spans.spans().is_empty());
    let report = tracer.flush(Duration::from_secs(5));
    assert_eq!((report.finished, report.dropped.total()), (0, 0));
}

#[test]
fn a_new_name_of_the_root_asks_the_sampler_by_operation_once_more() {
    let (tracer, spans) = tracer(PrioritySampler::new(acme()).then(only_pay()));
    let root = tracer.start_span("HTTP POST");
    let child = tracer.build_span("child").child_of(&root).start();
    child.set_operation_name("pay");
    assert!(
        !root.context().is_sampling_final(),
        "the name of a child does not count"
    );
    root.set_operation_name("pay");
    child.finish();
    root.finish();
    assert_eq!(names(&spans), ["pay", "pay"]);
    let types: Vec<_> = spans.spans().iter().flat_map(sampler_types).collect();
    assert_eq!(types, ["probabilistic"]);
}

#[test]
fn a_trace_is_dropped_for_good_when_all_have_dropped_it() {
    struct ByTenant;
    impl Sampler for ByTenant {
        fn on_create_span(&self, _: &SpanView<'_>) -> SamplingDecision {
            SamplingDecision::Delay
        }

        fn on_set_tag(&self, _: &SpanView<'_>, key: &str, _: TagRef<'_>) -> SamplingDecision {
            match key {
                "drop" => SamplingDecision::Drop,
                "keep" => SamplingDecision::Sample(SamplerTags::new("by_tenant", 1)),
                _ => SamplingDecision::Delay,
            }
        }
    }
    let (tracer, spans) = tracer(PrioritySampler::new(ByTenant).then(only_pay()));
    let root = tracer.start_span("search");
    tracer.build_span("child").child_of(&root).start().finish();
    assert!(!root.context().is_sampling_final());
    root.set_tag("drop", 1);
    assert!(root.context().is_sampling_final() && !root.context().is_sampled());
    root.set_tag("keep", 1);
    root.finish();
    assert!(spans.spans().is_empty());
    assert_eq!(tracer.report().dropped.total(), 0);
}

#[test]
fn a_sampler_that_has_dropped_a_trace_is_asked_about_a_name_only_if_it_depends_on_it() {
    for depends_on_name in [false, true] {
        let undecided = Asked {
            delays: true,
            ..Asked::default()
        };
        let drops = Asked {
            depends_on_name,
            ..Asked::default()
        };
        let (tracer, _) = tracer(PrioritySampler::new(undecided.clone()).then(drops.clone()));
        let root = tracer.start_span("first");
        root.set_tag("a", 1);
        let child = tracer.build_span("child").child_of(&root).start();
        child.set_operation_name("renamed");
        child.finish();
        root.set_operation_name("second");
        root.finish();
        let expected: &[&str] = match depends_on_name {
            false => &["create first"],
            true => &["create first", "rename second"],
        };
        assert_eq!(drops.questions(), expected);
        let all = undecided.questions();
        assert!(all.contains(&"tag first".to_owned()), "{all:?}");
        assert_eq!(all.last().unwrap(), "finish second");
    }
}

#[test]
fn each_of_several_nested_samplers_remembers_for_itself() {
    let undecided = Asked {
        delays: true,
        ..Asked::default()
    };
    let drops: [Asked; 4] = Default::default();
    let [a, b, c, d] = drops.clone();
    let inner = |first: Asked, second: Asked| PrioritySampler::new(first).then(second);
    let (tracer, _) = tracer(
        PrioritySampler::new(inner(a, undecided.clone()))
            .then(inner(undecided.clone(), b))
            .then(inner(c, d)),
    );
    let root = tracer.start_span("root");
    root.set_tag("a", 1);
    root.finish();
    for (at, drops) in drops.iter().enumerate() {
        assert_eq!(drops.questions(), ["create root"], "{at}");
    }
    let questions = undecided.questions();
    let count = |question| questions.iter().filter(|it| *it == question).count();
    assert_eq!(
        (count("create root"), count("tag root")),
        (2, 2),
        "{questions:?}"
    );
}

#[test]
fn a_span_of_another_tracer_in_the_trace_does_not_touch_what_is_remembered() {
    let undecided = Asked {
        delays: true,
        ..Asked::default()
    };
    let drops = Asked::default();
    let (deciding, _) = tracer(PrioritySampler::new(acme()).then(undecided.clone()));
    let (other, _) = tracer(PrioritySampler::new(undecided.clone()).then(drops.clone()));
    let root = deciding.start_span("root");
    let foreign = other.build_span("foreign").child_of(&root).start();
    foreign.set_tag("a", 1);
    undecided.questions();
    root.set_tag("a", 1);
    assert_eq!(undecided.questions(), ["tag root"], "still asked");
}

#[test]
fn the_first_sampler_that_keeps_a_trace_decides() {
    let sampler = PrioritySampler::new(ConstSampler::new(false))
        .then(probabilistic(0.25))
        .then(probabilistic(1.0));
    assert_eq!(kept(&sampler, &any_root()).unwrap().param(), &0.25.into());
    assert_eq!(
        sampler.description(),
        "1. const 0 | 2. probabilistic 0.25 | 3. probabilistic 1"
    );
    assert_eq!(
        sampler.explain("pay"),
        "1. const, drops every trace | 2. probabilistic, keeps a share of 0.25 by trace id | \
         3. probabilistic, keeps every trace"
    );
    assert!(sampler.constant_decision().is_none());
}

#[test]
fn constant_samplers_in_turn_are_constant() {
    let keeps = |first, second| {
        let both = PrioritySampler::new(ConstSampler::new(first)).then(ConstSampler::new(second));
        both.constant_decision()
    };
    assert!(matches!(keeps(false, false), Some(SamplingDecision::Drop)));
    assert!(matches!(
        keeps(false, true),
        Some(SamplingDecision::Sample(_))
    ));
    let first = PrioritySampler::new(ConstSampler::new(true)).then(acme());
    assert!(matches!(
        first.constant_decision(),
        Some(SamplingDecision::Sample(_))
    ));
    let first = PrioritySampler::new(acme()).then(ConstSampler::new(true));
    assert!(first.constant_decision().is_none());
}
