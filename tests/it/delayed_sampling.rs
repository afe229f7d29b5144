//! Samplers that delay their decision.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tracehound::JaegerTracer;
use tracehound::metrics::{Counter, DropCause};
use tracehound::model::TagRef;
use tracehound::prelude::*;
use tracehound::reporter::InMemoryReporter;
use tracehound::sampler::{Sampler, SamplerTags, SamplingDecision, SpanView};

use crate::support::{names, recording_builder};

/// A sampler that keeps a trace for the tag `keep`, drops it for the tag `let_go`, and is undecided before.
#[derive(Default)]
struct ByTag {
    at_finish: bool,
    asked: Arc<Mutex<Vec<String>>>,
}

impl ByTag {
    fn note(&self, what: &str, span: &SpanView<'_>) {
        let root = if span.is_local_root {
            " (local root)"
        } else {
            ""
        };
        let line = format!("{what} {}{root}", span.operation_name);
        self.asked.lock().expect("not poisoned").push(line);
    }
}

fn sample() -> SamplingDecision {
    SamplingDecision::Sample(SamplerTags::new("by_tag", "keep"))
}

impl Sampler for ByTag {
    fn on_create_span(&self, span: &SpanView<'_>) -> SamplingDecision {
        self.note("create", span);
        SamplingDecision::Delay
    }

    fn on_set_operation_name(&self, span: &SpanView<'_>) -> SamplingDecision {
        self.note("rename", span);
        SamplingDecision::Delay
    }

    fn on_set_tag(&self, _: &SpanView<'_>, key: &str, _: TagRef<'_>) -> SamplingDecision {
        match key {
            "keep" => sample(),
            "let_go" => SamplingDecision::Drop,
            _ => SamplingDecision::Delay,
        }
    }

    fn on_finish_span(&self, span: &SpanView<'_>) -> SamplingDecision {
        if self.at_finish && span.is_local_root {
            sample()
        } else {
            SamplingDecision::Delay
        }
    }
}

fn tracer(sampler: impl Sampler + 'static) -> (JaegerTracer, InMemoryReporter) {
    let (builder, spans) = recording_builder();
    (builder.sampler(sampler).build().expect("named"), spans)
}

#[test]
fn a_late_decision_reaches_open_finished_and_future_spans() {
    let (tracer, spans) = tracer(ByTag::default());
    let root = tracer.build_span("root").tag("early", 1).start();
    root.log_event("while undecided");
    let open = tracer.build_span("open").child_of(&root).start();
    tracer
        .build_span("finished")
        .child_of(&root)
        .tag("t", 1)
        .start()
        .finish();
    assert!(
        spans.spans().is_empty(),
        "nothing leaves before the decision"
    );
    assert!(!root.context().is_sampled() && !root.context().is_sampling_final());
    open.set_tag("keep", true);
    assert!(root.context().is_sampled() && root.context().is_sampling_final());
    let later = tracer.build_span("later").child_of(&root.context()).start();
    drop((later, open, root));
    assert_eq!(names(&spans), ["finished", "later", "open", "root"]);
    let spans = spans.spans();
    assert!(spans.iter().all(|span| span.flags.bits() == 1));
    assert_eq!(spans[0].tag_text("t"), "1");
    assert_eq!(spans[2].tag_text("sampler.type"), "by_tag");
    assert_eq!(
        (spans[3].tag_text("early").as_ref(), spans[3].logs.len()),
        ("1", 1)
    );
    let with_sampler_tags = spans
        .iter()
        .filter(|span| span.tag("sampler.type").is_some());
    assert_eq!(with_sampler_tags.count(), 1, "on the span that decided");
    assert!(tracer.report().dropped.total() == 0);
}

#[test]
fn a_late_drop_releases_held_spans_and_counts_no_loss() {
    let (tracer, spans) = tracer(ByTag::default());
    let root = tracer.start_span("root");
    tracer
        .build_span("finished")
        .child_of(&root)
        .start()
        .finish();
    root.set_tag("let_go", 1);
    root.set_tag("keep", 1);
    assert!(root.context().is_sampling_final(), "final means final");
    drop(root);
    assert!(spans.spans().is_empty());
    let report = tracer.report();
    assert_eq!((report.finished, report.dropped.total()), (0, 0));
    let metrics = tracer.metrics();
    assert_eq!(metrics.get(Counter::FinishedSpansDelayed), 1);
    assert_eq!(metrics.get(Counter::FinishedSpansUnsampled), 1);
}

#[test]
fn undecided_spans_are_counted_when_the_local_root_ends() {
    let (tracer, spans) = tracer(ByTag::default());
    let root = tracer.start_span("root");
    tracer.build_span("child").child_of(&root).start().finish();
    drop(root);
    assert!(spans.spans().is_empty());
    let report = tracer.report();
    assert_eq!(
        (report.finished, report.dropped.get(DropCause::Delayed)),
        (2, 2)
    );
}

#[test]
fn memory_for_undecided_spans_is_bounded() {
    let (tracer, spans) = tracer(ByTag::default());
    let root = tracer.start_span("root");
    for _ in 0..1_000 {
        tracer
            .build_span("child")
            .child_of(&root)
            .tag("size", &*"x".repeat(500))
            .start()
            .finish();
    }
    root.set_tag("keep", 1);
    root.finish();
    let kept = spans.spans().len() as u64;
    let report = tracer.report();
    assert_eq!(kept + report.dropped.get(DropCause::Delayed), 1_001);
    assert!(
        (90..120).contains(&kept),
        "64 KiB of some 600 bytes each, but {kept}"
    );
}

#[test]
fn a_span_of_another_tracer_in_an_undecided_trace_keeps_its_own_service() {
    let (deciding, decided_spans) = tracer(ByTag::default());
    let (other, other_spans) = tracer(ByTag::default());
    let root = deciding.start_span("root");
    deciding.build_span("own").child_of(&root).start().finish();
    let foreign = other.build_span("foreign").child_of(&root).start();
    other.build_span("held").child_of(&root).start().finish();
    // A span of the other tracer decides: each held span is reported by its own tracer.
    foreign.set_tag("keep", true);
    foreign.finish();
    root.finish();
    assert_eq!(names(&decided_spans), ["own", "root"]);
    assert_eq!(names(&other_spans), ["foreign"]);
    let report = other.flush(Duration::from_secs(5));
    assert_eq!(report.dropped.get(DropCause::Delayed), 1);
    assert_eq!((report.finished, report.sent), (2, 1));
    assert!(deciding.flush(Duration::from_secs(5)).is_complete());
}

#[test]
fn the_sampler_is_asked_a_last_time_when_a_span_finishes() {
    let (tracer, spans) = tracer(ByTag {
        at_finish: true,
        ..ByTag::default()
    });
    let root = tracer.start_span("root");
    tracer.build_span("child").child_of(&root).start().finish();
    root.finish();
    assert_eq!(names(&spans), ["child", "root"]);
}

#[test]
fn the_sampler_is_asked_about_children_and_renames_of_undecided_traces() {
    let sampler = ByTag::default();
    let asked = sampler.asked.clone();
    let (tracer, _) = tracer(sampler);
    let root = tracer.start_span("root");
    let child = tracer.build_span("child").child_of(&root).start();
    child.set_operation_name("renamed child");
    root.set_operation_name("renamed");
    assert_eq!(
        *asked.lock().expect("not poisoned"),
        [
            "create root (local root)",
            "create child",
            "rename renamed child",
            "rename renamed (local root)"
        ]
    );
    assert!(
        !root.context().is_sampling_final(),
        "a child's rename decides nothing"
    );
}

#[test]
fn an_injection_while_undecided_writes_not_sampled_and_decides_only_on_request() {
    for finalizes in [false, true] {
        let (builder, spans) = recording_builder();
        let tracer = builder
            .sampler(ByTag::default())
            .final_decision_on_inject(finalizes)
            .build()
            .expect("named");
        let root = tracer.start_span("root");
        let mut headers = HashMap::new();
        tracer.inject(&root.context(), &mut headers);
        assert!(headers["uber-trace-id"].ends_with(":0"), "{headers:?}");
        assert_eq!(root.context().is_sampling_final(), finalizes);
        root.set_tag("keep", 1);
        root.finish();
        assert_eq!(spans.spans().len(), usize::from(!finalizes));
    }
}

#[test]
fn a_sampling_priority_decides_for_the_whole_local_trace() {
    let (tracer, spans) = tracer(ByTag::default());
    let root = tracer.start_span("root");
    let child = tracer.build_span("child").child_of(&root).start();
    child.set_tag("sampling.priority", 1);
    assert_eq!(root.context().flags().bits(), 3);
    drop((child, root));
    assert_eq!(names(&spans), ["child", "root"]);
}

/// A sampler that keeps operations whose name starts with `keep`.
struct ByName;

impl Sampler for ByName {
    fn on_create_span(&self, span: &SpanView<'_>) -> SamplingDecision {
        if span.operation_name.starts_with("keep") {
            SamplingDecision::Sample(SamplerTags::new("probabilistic", 1.0))
        } else {
            SamplingDecision::Drop
        }
    }

    fn depends_on_operation_name(&self) -> bool {
        true
    }
}

#[test]
fn a_rename_before_the_decision_is_used_asks_again() {
    let (tracer, spans) = tracer(ByName);
    let span = tracer
        .build_span("HTTP GET")
        .tag("http.method", "GET")
        .start();
    span.set_operation_name("keep /cart");
    span.finish();
    let span = tracer.start_span("keep");
    span.set_operation_name("health");
    span.finish();
    assert_eq!(names(&spans), ["keep /cart"]);
    assert_eq!(
        spans.spans()[0].tag_text("http.method"),
        "GET",
        "tags are kept for as long"
    );
    assert_eq!(spans.spans()[0].tag_text("sampler.type"), "probabilistic");
}

#[test]
fn a_rename_after_a_child_or_an_injection_changes_nothing() {
    let (tracer, spans) = tracer(ByName);
    let seen = tracer.start_span("HTTP GET");
    let child = tracer.build_span("child").child_of(&seen).start();
    seen.set_operation_name("keep /cart");
    drop((child, seen));
    let injected = tracer.start_span("HTTP GET");
    tracer.inject(&injected.context(), &mut HashMap::<String, String>::new());
    injected.set_operation_name("keep /cart");
    drop(injected);
    let active = tracer.start_span("HTTP GET");
    {
        let _scope = active.activate();
        drop(tracer.start_span("child"));
    }
    active.set_operation_name("keep /cart");
    drop(active);
    assert!(spans.spans().is_empty());
}

/// A sampler that panics in every method.
struct Panics;

impl Sampler for Panics {
    fn on_create_span(&self, _: &SpanView<'_>) -> SamplingDecision {
        panic!("create")
    }

    fn close(&self) {
        panic!("close")
    }
}

#[test]
fn a_sampler_that_panics_drops_traces_and_is_no_longer_asked_after_a_hundred_panics() {
    let (tracer, spans) = tracer(Panics);
    for _ in 0..300 {
        assert!(!tracer.start_span("s").context().is_sampled());
    }
    assert!(spans.spans().is_empty());
    assert_eq!(tracer.metrics().get(Counter::CallbackPanics), 100);
}
