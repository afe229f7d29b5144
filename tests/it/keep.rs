//! A sampler that keeps the traces that matter.

mod rows;
mod strain;

use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use tracehound::clock::ManualClock;
use tracehound::metrics::{Counter, DropCause};
use tracehound::model::{Flags, SpanId, TagRef, TraceId};
use tracehound::prelude::*;
use tracehound::reporter::InMemoryReporter;
use tracehound::sampler::{
    ConstSampler, KeepSampler, OperationStrategies, PerOperationSampler, Sampler, SamplerTags,
    SamplingDecision, SamplingRate, SpanView, TracesPerSecond,
};
use tracehound::scope::activate_context;
use tracehound::{JaegerTracer, SpanContext};

use crate::support::{names, recording_builder};

/// A sampler that weighs what a head that says no drops.
fn keep() -> KeepSampler {
    KeepSampler::new(ConstSampler::new(false))
}

fn tracer(sampler: impl Sampler + 'static) -> (JaegerTracer, InMemoryReporter) {
    let (builder, spans) = recording_builder();
    (builder.sampler(sampler).build().expect("named"), spans)
}

fn tracer_at(clock: &ManualClock, sampler: KeepSampler) -> (JaegerTracer, InMemoryReporter) {
    let (builder, spans) = recording_builder();
    let builder = builder.sampler(sampler).clock(clock.clone());
    (builder.build().expect("named"), spans)
}

/// The context of a caller that has dropped the trace.
fn dropped_by_caller() -> SpanContext {
    let ids = TraceId::new(0, 7).zip(SpanId::new(8)).expect("not zero");
    SpanContext::new(ids.0, ids.1, None, Flags::default())
}

/// Returns the numbers of traces kept for an error, for slowness and by a rule, let go, and let go by the limits.
fn weighed(tracer: &JaegerTracer) -> [u64; 5] {
    [
        Counter::WeighedTracesError,
        Counter::WeighedTracesSlow,
        Counter::WeighedTracesRule,
        Counter::WeighedTracesLetGo,
        Counter::WeighedTracesLimited,
    ]
    .map(|counter| tracer.metrics().get(counter))
}

/// Returns the flags that an injection writes.
fn injected(tracer: &JaegerTracer, span: &Span) -> String {
    let mut headers = HashMap::new();
    tracer.inject(&span.context(), &mut headers);
    let header = &headers["uber-trace-id"];
    header.rsplit(':').next().expect("four parts").to_owned()
}

#[test]
fn a_failure_keeps_spans_that_ended_before_it_are_open_or_come_later() {
    let (tracer, spans) = tracer(keep());
    let root = tracer.start_span("root");
    tracer.build_span("early").child_of(&root).start().finish();
    let failing = tracer.build_span("failing").child_of(&root).start();
    assert!(spans.spans().is_empty());
    failing.set_tag("error", true);
    assert!(root.context().is_sampled() && root.context().is_sampling_final());
    let later = tracer.build_span("later").child_of(&root).start();
    drop((later, failing, root));
    assert_eq!(names(&spans), ["early", "later", "failing", "root"]);
    let spans = spans.spans();
    assert_eq!(spans[2].tag_text("sampler.type"), "keep");
    assert_eq!(spans[2].tag_text("sampler.param"), "error");
    let decided = spans.iter().filter(|it| it.tag("sampler.type").is_some());
    assert_eq!(decided.count(), 1, "on the span that failed");
    assert!(spans[3].tag("tracehound.partial").is_none());
    assert_eq!(weighed(&tracer), [1, 0, 0, 0, 0]);
}

#[test]
fn a_trace_without_a_failure_is_let_go_and_is_no_loss() {
    let (tracer, spans) = tracer(keep());
    for _ in 0..3 {
        let root = tracer.build_span("root").tag("a", 1).start();
        let child = tracer.build_span("child").child_of(&root).start();
        child.set_tag("error", false);
        drop((child, root));
    }
    assert!(spans.spans().is_empty());
    let report = tracer.flush(Duration::from_secs(5));
    assert!(report.is_complete());
    assert_eq!((report.finished, report.dropped.total()), (0, 0));
    assert_eq!(weighed(&tracer), [0, 0, 0, 3, 0]);
}

#[test]
fn the_decision_travels_with_calls_made_after_it_and_marks_those_before() {
    for is_called_before in [false, true] {
        let (tracer, spans) = tracer(keep());
        let root = tracer.start_span("root");
        if is_called_before {
            assert_eq!(injected(&tracer, &root), "0");
        }
        let child = tracer.build_span("child").child_of(&root).start();
        child.set_tag("error", true);
        assert_eq!(injected(&tracer, &root), "1");
        drop((child, root));
        let spans = spans.spans();
        let partial = spans[1].tag("tracehound.partial").is_some();
        assert_eq!(partial, is_called_before);
        assert!(spans[0].tag("tracehound.partial").is_none());
    }
}

#[test]
fn the_local_part_of_a_trace_that_the_caller_dropped_is_kept_and_marked() {
    for weighs in [true, false] {
        let (tracer, spans) = tracer(keep().limit(100.into()).dropped_by_callers(weighs));
        for is_simple in [true, false] {
            let builder = tracer.build_span("server").child_of(&dropped_by_caller());
            let builder = builder.tag("span.kind", "server");
            let server = if is_simple {
                builder.start()
            } else {
                let text: &dyn std::fmt::Display = &"formatted";
                builder.tag("display", TagRef::Display(text)).start()
            };
            tracer
                .build_span("client")
                .child_of(&server)
                .start()
                .finish();
            server.set_tag("error", true);
            assert_eq!(server.context().is_sampled(), weighs);
            server.finish();
        }
        assert_eq!(spans.spans().len(), if weighs { 4 } else { 0 });
        if let [client, server, ..] = &spans.spans()[..] {
            assert_eq!(server.tag_text("tracehound.partial"), "true");
            assert_eq!(server.parent_id, SpanId::new(8));
            assert_eq!(client.parent_id, Some(server.span_id));
        }
    }
}

#[test]
fn an_active_context_of_a_caller_that_dropped_the_trace_is_weighed_too() {
    let (tracer, spans) = tracer(keep());
    let _scope = activate_context(&dropped_by_caller());
    tracer
        .start_span("server")
        .set_tag("error", true)
        .finish_by_ref();
    assert_eq!(names(&spans), ["server"]);
}

#[test]
fn what_a_caller_keeps_is_not_weighed() {
    let (tracer, spans) = tracer(keep());
    let kept = dropped_by_caller().with_flags(Flags::SAMPLED);
    tracer.build_span("server").child_of(&kept).start().finish();
    assert_eq!(names(&spans), ["server"]);
    assert!(spans.spans()[0].tags.is_empty());
    assert_eq!(weighed(&tracer), [0; 5]);
}

#[test]
fn a_trace_slower_than_a_limit_is_kept() {
    let clock = ManualClock::default();
    let sampler = keep().slower_than(Duration::from_millis(100));
    let (tracer, spans) = tracer_at(&clock, sampler);
    for millis in [100, 101] {
        let root = tracer.start_span("root");
        let child = tracer.build_span("child").child_of(&root).start();
        clock.advance(Duration::from_millis(millis));
        drop((child, root));
    }
    assert_eq!(names(&spans), ["child", "root"]);
    let root = &spans.spans()[1];
    assert_eq!(root.duration, Duration::from_millis(101));
    assert_eq!(root.tag_text("sampler.param"), "slow");
    assert_eq!(weighed(&tracer), [0, 1, 0, 1, 0]);
}

#[test]
fn a_trace_slower_than_nearly_all_of_its_operation_is_kept() {
    let clock = ManualClock::default();
    let share = SamplingRate::new(0.01).expect("a share");
    let (tracer, spans) = tracer_at(&clock, keep().slowest(share));
    let run = |name: &'static str, millis| {
        let root = tracer.start_span(name);
        clock.advance(Duration::from_millis(millis));
        root.finish();
    };
    run("fast", 1_000);
    for _ in 0..500 {
        run("fast", 2);
        run("slow", 1_000);
    }
    assert!(spans.spans().is_empty(), "the operations are learned");
    run("slow", 1_000);
    run("fast", 10);
    assert_eq!(names(&spans), ["fast"]);
    assert_eq!(spans.spans()[0].tag_text("sampler.param"), "slow");
}

#[test]
fn a_rule_sees_the_name_the_duration_and_the_last_values_of_the_tags() {
    let clock = ManualClock::default();
    let sampler = keep()
        .rule("panics", |_| panic!("a rule"))
        .rule("big", |root| {
            root.operation_name == "order"
                && root.is_local_root
                && root.duration == Some(Duration::from_millis(3))
                && matches!(root.tag("items"), Some(TagRef::Long(9)))
                && root.tag("other").is_none()
        });
    let (tracer, spans) = tracer_at(&clock, sampler);
    for has_two_handles in [false, true] {
        let root = tracer.build_span("HTTP POST").tag("items", 1).start();
        let second = has_two_handles.then(|| root.clone());
        root.set_operation_name("order").set_tag("items", 9);
        clock.advance(Duration::from_millis(3));
        root.finish();
        drop(second);
        clock.advance(Duration::from_secs(2));
    }
    tracer.start_span("order").finish();
    assert_eq!(names(&spans), ["order", "order"]);
    assert_eq!(spans.spans()[0].tag_text("sampler.param"), "big");
    assert_eq!(weighed(&tracer), [0, 0, 2, 1, 0]);
    assert_eq!(tracer.metrics().get(Counter::CallbackPanics), 3);
}

#[test]
fn what_the_head_keeps_has_the_tags_of_the_head() {
    let (tracer, spans) = tracer(KeepSampler::new(ConstSampler::new(true)));
    let root = tracer.start_span("root");
    assert!(root.context().is_sampled());
    root.set_tag("error", true).finish_by_ref();
    assert_eq!(spans.spans()[0].tag_text("sampler.type"), "const");
    assert_eq!(weighed(&tracer), [0; 5]);
}

#[test]
fn an_operation_that_fails_all_the_time_leaves_room_for_others() {
    let clock = ManualClock::default();
    let limit = TracesPerSecond::from(2);
    let (tracer, spans) = tracer_at(&clock, keep().limit(limit).total_limit(5.into()));
    let fail = |name: &'static str| {
        tracer
            .start_span(name)
            .set_tag("error", true)
            .finish_by_ref();
    };
    for _ in 0..100 {
        fail("noisy");
    }
    fail("rare");
    assert_eq!(names(&spans), ["noisy", "noisy", "rare"]);
    assert_eq!(weighed(&tracer), [3, 0, 0, 0, 98]);
    for name in ["a", "b", "c", "d"] {
        fail(name);
    }
    assert_eq!(spans.spans().len(), 5, "all together");
    clock.advance(Duration::from_secs(1));
    fail("noisy");
    assert_eq!(spans.spans().len(), 6);
    let report = tracer.flush(Duration::from_secs(5));
    assert_eq!((report.finished, report.dropped.total()), (6, 0));
}

#[test]
fn a_failure_beyond_the_limit_may_still_be_kept_as_slow_or_by_a_rule_of_no_failure() {
    let clock = ManualClock::default();
    let sampler = keep().slower_than(Duration::from_secs(1));
    let (tracer, spans) = tracer_at(&clock, sampler);
    let fail_slowly = || {
        let root = tracer.start_span("root");
        root.set_tag("error", true);
        clock.advance(Duration::from_millis(2_500));
        root.finish();
    };
    tracer
        .start_span("root")
        .set_tag("error", true)
        .finish_by_ref();
    fail_slowly();
    let params: Vec<_> = spans
        .spans()
        .iter()
        .map(|it| it.tag_text("sampler.param").into_owned())
        .collect();
    assert_eq!(params, ["error", "slow"]);
}

#[test]
fn spans_of_a_kept_trace_that_found_no_room_are_a_loss_and_those_of_others_are_not() {
    for is_kept in [false, true] {
        let (tracer, spans) = tracer(keep());
        let root = tracer.start_span("root");
        let text = "x".repeat(500);
        for _ in 0..1_000 {
            let child = tracer
                .build_span("child")
                .child_of(&root)
                .tag("size", &*text);
            child.start().finish();
        }
        root.set_tag("error", is_kept).finish_by_ref();
        let report = tracer.flush(Duration::from_secs(5));
        let kept = spans.spans().len() as u64;
        let lost = report.dropped.get(DropCause::Delayed);
        if is_kept {
            assert_eq!(kept + lost, 1_001);
            assert!((90..130).contains(&kept), "64 KiB, but {kept} spans");
        } else {
            assert_eq!((kept, lost, report.finished), (0, 0, 0));
        }
    }
}

#[test]
fn work_that_panics_is_kept() {
    let (tracer, spans) = tracer(keep().rule("never", |_| panic!("while the thread unwinds")));
    let result = catch_unwind(AssertUnwindSafe(|| {
        let root = tracer.start_span("root");
        let _child = tracer.build_span("child").child_of(&root).start();
        panic!("the work");
    }));
    assert!(result.is_err());
    assert_eq!(names(&spans), ["child", "root"]);
    assert_eq!(spans.spans()[0].tag_text("sampler.param"), "error");
    assert_eq!(tracer.metrics().get(Counter::CallbackPanics), 0);
}

#[test]
fn a_rename_of_a_local_root_asks_the_head_again_until_its_decision_is_used() {
    let strategies = OperationStrategies::new(SamplingRate::ZERO, 0.into())
        .operation("GET /cart", SamplingRate::ONE);
    let sampler = KeepSampler::new(PerOperationSampler::new(strategies));
    let (tracer, spans) = tracer(sampler);
    for is_used in [false, true] {
        let root = tracer.start_span("HTTP GET");
        let child = is_used.then(|| tracer.build_span("child").child_of(&root).start());
        root.set_operation_name("GET /cart");
        drop((child, root));
    }
    assert_eq!(names(&spans), ["GET /cart"]);
    let tags = &spans.spans()[0];
    assert_eq!(tags.tag_text("sampler.type"), "probabilistic");
    assert_eq!(weighed(&tracer), [0, 0, 0, 1, 0]);
}

/// A head that keeps traces of one tenant and drops those of another, both late.
struct ByTenant;

impl Sampler for ByTenant {
    fn on_create_span(&self, _: &SpanView<'_>) -> SamplingDecision {
        SamplingDecision::Delay
    }

    fn on_set_tag(&self, _: &SpanView<'_>, key: &str, value: TagRef<'_>) -> SamplingDecision {
        match (key, value) {
            ("tenant", TagRef::String("acme")) => {
                SamplingDecision::Sample(SamplerTags::new("tenant", true))
            }
            ("tenant", TagRef::String("test")) => SamplingDecision::Drop,
            _ => SamplingDecision::Delay,
        }
    }
}

#[test]
fn a_head_that_decides_late_is_asked_until_it_has_decided() {
    let (tracer, spans) = tracer(KeepSampler::new(ByTenant));
    let run = |tags: &[(&'static str, &'static str)]| {
        let root = tracer.start_span("root");
        for (key, value) in tags {
            root.set_tag(key, *value);
        }
        root.finish();
        spans
            .take()
            .first()
            .map(|it| it.tag_text("sampler.type").into_owned())
    };
    assert_eq!(run(&[("tenant", "acme")]).as_deref(), Some("tenant"));
    assert_eq!(run(&[("tenant", "test"), ("tenant", "acme")]), None);
    assert_eq!(
        run(&[("tenant", "test"), ("error", "true")]).as_deref(),
        Some("keep"),
        "what the head drops is weighed"
    );
    assert_eq!(run(&[]), None);
    // The head is not asked about what a caller has decided.
    let server = tracer
        .build_span("s")
        .child_of(&dropped_by_caller())
        .start();
    server.set_tag("tenant", "acme").finish_by_ref();
    assert!(spans.spans().is_empty());
    assert_eq!(tracer.report().dropped.total(), 0);
}

#[test]
fn an_explanation_names_the_reasons_to_keep_a_trace() {
    let explain = |sampler: KeepSampler| tracer(sampler).0.explain_sampling("pay");
    assert_eq!(
        explain(keep()),
        "const, drops every trace; else keeps it, within limits, if a span fails"
    );
    let all = keep()
        .slower_than(Duration::from_millis(20))
        .slowest(SamplingRate::new(0.07).expect("a share"))
        .rule("acme", |_| true);
    assert_eq!(
        explain(all),
        "const, drops every trace; else keeps it, within limits, if a span fails, or it takes longer than 20ms, \
         or it is in the slowest share of 0.07 of its operation, or the rule acme applies"
    );
    assert_eq!(explain(keep().failures(false)), "const, drops every trace");
}
