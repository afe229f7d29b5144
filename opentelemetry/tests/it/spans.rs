//! Tests of the spans that calls of OpenTelemetry's API make.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, UNIX_EPOCH};

use opentelemetry::trace::{
    Link, Span as _, SpanContext, SpanId, SpanKind, Status, TraceContextExt as _, TraceFlags,
    TraceId, TraceState, Tracer as _, TracerProvider as _,
};
use opentelemetry::{Context, InstrumentationScope, KeyValue, StringValue, Value};
use tracehound::metrics::Counter;
use tracehound::model::{ReferenceType, TagValue};
use tracehound::prelude::*;
use tracehound::sampler::{ConstSampler, SamplingDecision, SpanView};
use tracehound::watch::OpenSpans;
use tracehound::{NoopTracer, Span};
use tracehound_opentelemetry::TracehoundProvider;

use crate::support::{both, both_of};

#[test]
fn a_span_has_no_place_because_a_trait_does_not_know_its_caller() {
    let open = OpenSpans::new();
    let both = both_of(|builder| builder.observer(open.clone()));
    let span = both.library.start("GET");
    assert_eq!(open.list()[0].place, None);
    drop(span);
}

#[test]
fn every_part_of_a_builder_is_on_the_span() {
    let both = both();
    let scope = InstrumentationScope::builder("redis")
        .with_version("0.3")
        .build();
    let library = both.provider.tracer_with_scope(scope);
    let lists: Vec<StringValue> = vec!["a".into(), "b".into()];
    let start = UNIX_EPOCH + Duration::from_secs(1_700_000_000);
    let cause = SpanContext::new(
        TraceId::from(7),
        SpanId::from(8),
        TraceFlags::SAMPLED,
        true,
        TraceState::NONE,
    );
    let mut span = library
        .span_builder("GET")
        .with_kind(SpanKind::Client)
        .with_start_time(start)
        .with_attributes([
            KeyValue::new("db.index", 3),
            KeyValue::new("keys", Value::Array(lists.into())),
            KeyValue::new("ratio", f64::INFINITY),
        ])
        .with_links(vec![Link::new(
            cause,
            vec![KeyValue::new("why", "batch")],
            0,
        )])
        .start(&library);
    span.add_event_with_timestamp(
        "hit",
        start + Duration::from_millis(1),
        vec![KeyValue::new("bytes", 12)],
    );
    span.update_name("GET cart");
    span.set_status(Status::error("timeout"));
    span.end_with_timestamp(start + Duration::from_millis(5));

    let span = both.span("GET cart");
    for (key, text) in [
        ("otel.scope.name", "redis"),
        ("otel.scope.version", "0.3"),
        ("span.kind", "client"),
        ("db.index", "3"),
        ("keys", r#"["a","b"]"#),
        ("ratio", "+Inf"),
        ("error", "true"),
        ("otel.status_description", "timeout"),
    ] {
        assert_eq!(span.tag_text(key), text, "{key}");
    }
    assert_eq!(span.start.as_micros(), 1_700_000_000_000_000);
    assert_eq!(span.duration, Duration::from_millis(5));
    let [reference] = span.references[..] else {
        panic!("one reference")
    };
    assert_eq!(reference.kind, ReferenceType::FollowsFrom);
    assert_eq!((reference.trace_id.low(), reference.span_id.get()), (7, 8));
    let [link, event] = &span.logs[..] else {
        panic!("two records")
    };
    let fields = |log: &tracehound::model::LogRecord| {
        let fields = log
            .fields
            .iter()
            .map(|it| format!("{}={}", it.key, it.value));
        fields.collect::<Vec<_>>().join(" ")
    };
    assert_eq!(
        fields(link),
        "event=link link.trace_id=00000000000000000000000000000007 \
         link.span_id=0000000000000008 why=batch"
    );
    assert_eq!(link.timestamp, span.start);
    assert_eq!(fields(event), "event=hit bytes=12");
    assert_eq!(event.timestamp.as_micros(), 1_700_000_000_001_000);
    assert_eq!(event.fields[1].value, TagValue::Long(12));
}

#[test]
fn a_link_of_a_root_to_its_own_trace_is_a_log_record() {
    let both = both();
    let mut root = both.library.start("root");
    let cx = Context::new().with_remote_span_context(root.span_context().clone());
    let child = both.library.start_with_context("child", &cx);
    root.add_link(child.span_context().clone(), Vec::new());
    root.add_link(SpanContext::NONE, vec![KeyValue::new("k", 1)]);
    let child_id = child.span_context().span_id().to_string();
    drop((child, root));
    let root = both.span("root");
    assert_eq!((root.parent_id, &root.references[..]), (None, &[][..]));
    let [link] = &root.logs[..] else {
        panic!("one record")
    };
    assert_eq!(link.fields[2].value.to_string(), child_id);
}

#[test]
fn a_link_is_no_parent() {
    let both = both();
    let linked = both.library.start("linked").span_context().clone();
    let builder = both.library.span_builder("root");
    builder
        .with_links(vec![Link::with_context(linked.clone())])
        .start(&both.library)
        .end();
    let root = both.span("root");
    assert_eq!(root.parent_id, None);
    assert_ne!(root.trace_id.to_string(), linked.trace_id().to_string());
    assert_eq!(root.references.len(), 1);
}

#[test]
fn the_last_error_counts_and_ok_is_final() {
    let both = both();
    let ended_with = |statuses: &[Status]| {
        let mut span = both.library.start("s");
        statuses.iter().for_each(|it| span.set_status(it.clone()));
        drop(span);
        let span = both.spans.take().remove(0);
        ["error", "otel.status_code", "otel.status_description"]
            .map(|key| span.tag_text(key).into_owned())
    };
    for (statuses, expected) in [
        (&[][..], ["", "", ""]),
        (&[Status::Unset], ["", "", ""]),
        (&[Status::error("")], ["true", "", ""]),
        (&[Status::error("b"), Status::error("a")], ["true", "", "a"]),
        (&[Status::error("b"), Status::Unset], ["true", "", "b"]),
        (&[Status::Ok, Status::error("b")], ["", "OK", ""]),
        (&[Status::error("b"), Status::Ok], ["false", "OK", ""]),
    ] {
        assert_eq!(ended_with(statuses), expected, "{statuses:?}");
    }
}

#[test]
fn calls_after_the_end_are_ignored_and_counted() {
    let both = both();
    let mut span = both.library.start("s");
    span.end();
    assert!(!span.is_recording());
    span.set_attribute(KeyValue::new("late", 1));
    span.add_event("late", Vec::new());
    span.update_name("late");
    span.set_status(Status::error("late"));
    span.add_link(SpanContext::NONE, Vec::new());
    assert_eq!(both.provider.late_calls(), 5);
    assert_eq!(both.tracer.metrics().get(Counter::FinishedTwice), 0);
    span.end();
    assert_eq!(both.tracer.metrics().get(Counter::FinishedTwice), 1);
    assert!(span.span_context().is_valid(), "the context stays");
    drop(span);
    let [span] = &both.spans.spans()[..] else {
        panic!("one span")
    };
    assert_eq!((&*span.operation_name, span.logs.len()), ("s", 0));
    assert!(!span.is_error() && span.tag_text("late").is_empty());
}

#[test]
fn a_span_ends_when_it_is_dropped_and_a_panic_marks_it() {
    let both = both();
    drop(both.library.start("dropped"));
    let caught = catch_unwind(AssertUnwindSafe(|| {
        both.library.in_span("panics", |cx| {
            cx.span().set_attribute(KeyValue::new("k", 1));
            let _ours = both.tracer.start_active_span("ours");
            panic!("as planned");
        })
    }));
    assert!(caught.is_err());
    assert!(!both.span("dropped").is_error());
    for name in ["panics", "ours"] {
        let span = both.span(name);
        assert!(span.is_error(), "{name}");
        assert_eq!(span.logs[0].fields[0].value.to_string(), "panic", "{name}");
    }
    assert_eq!(both.span("panics").tag_text("k"), "1");
    assert!(tracehound::scope::active_context().is_empty());
}

#[test]
fn a_clone_of_ours_keeps_a_dropped_span_ended() {
    let both = both();
    let span = both.library.start("s");
    let owner = span.span().clone();
    drop(span);
    assert!(!owner.is_recording());
    assert_eq!(both.spans.spans().len(), 1);
}

#[test]
fn spans_outlive_their_provider_and_all_clones_of_its_tracer() {
    let both = both();
    let spans = both.spans.clone();
    let guard = Context::current_with_span(both.library.start("s")).attach();
    drop(both);
    Context::current()
        .span()
        .set_attribute(KeyValue::new("k", 1));
    drop(guard);
    assert_eq!(spans.spans()[0].tag_text("k"), "1");
}

#[test]
fn unsampled_spans_propagate_and_record_nothing() {
    let both = both_of(|builder| builder.sampler(ConstSampler::new(false)));
    let mut span = both.library.start("unsampled");
    assert!(!span.is_recording());
    let context = span.span_context().clone();
    assert!(context.is_valid() && !context.is_sampled());
    span.set_attribute(KeyValue::new("k", 1));
    let _guard = Context::current_with_span(span).attach();
    let child = both.tracer.start_span("child");
    assert_eq!(child.context().to_span_id().len(), 16);
    let parent = child.context().parent_id().map(|id| id.to_string());
    assert_eq!(parent, Some(context.span_id().to_string()));
    assert!(!child.context().is_sampled());
    drop(child);
    assert!(both.spans.spans().is_empty());
}

#[test]
fn a_debug_trace_is_one_on_both_sides() {
    let both = both_of(|builder| builder.sampler(ConstSampler::new(false)));
    let attributes = [KeyValue::new("sampling.priority", 1)];
    let builder = both
        .library
        .span_builder("debug")
        .with_attributes(attributes);
    let span = builder.start(&both.library);
    assert!(span.is_recording() && span.span_context().is_sampled());
    let cx = Context::new().with_span(span);
    let child = both.library.start_with_context("child", &cx);
    assert!(child.span().context().is_debug());
    drop((child, cx));
    assert_eq!(both.spans.tree(), "debug\n  child");
}

/// Decides when a tag comes.
struct WaitsForUser;

impl tracehound::sampler::Sampler for WaitsForUser {
    fn on_create_span(&self, _: &SpanView<'_>) -> SamplingDecision {
        SamplingDecision::Delay
    }
}

#[test]
fn a_decision_that_comes_late_is_shown_and_shared() {
    let both = both_of(|builder| builder.sampler(WaitsForUser));
    let span = both.library.start("undecided");
    assert!(span.is_recording() && !span.span_context().is_sampled());
    let cx = Context::new().with_span(span);
    let child = both.library.start_with_context("child", &cx);
    assert!(!child.span_context().is_sampled());
    cx.span()
        .set_attribute(KeyValue::new("sampling.priority", 1));
    assert!(child.span_context().is_sampled());
    drop((child, cx));
    assert_eq!(both.spans.spans().len(), 2);
}

#[test]
fn a_tracer_that_is_off_starts_spans_without_a_context() {
    let library = TracehoundProvider::new(NoopTracer).tracer("library");
    let mut span = library.start("s");
    assert!(!span.is_recording() && !span.span_context().is_valid());
    span.set_attribute(KeyValue::new("k", 1));
    span.end();
    assert!(span.span().is_noop() && Span::noop().is_noop());
}

#[test]
fn the_ledger_adds_up() {
    let both = both_of(|builder| builder);
    let handles: Vec<_> = (0..4)
        .map(|_| {
            let library = both.library.clone();
            std::thread::spawn(move || {
                for n in 0..500 {
                    let mut span = library.start("s");
                    match n % 4 {
                        0 => span.end(),
                        1 => drop(span),
                        2 => {
                            span.end();
                            span.end();
                        }
                        _ => drop(Context::current_with_span(span).attach()),
                    }
                }
            })
        })
        .collect();
    for handle in handles {
        handle.join().expect("no panic");
    }
    let report = both.tracer.flush(Duration::from_secs(10));
    assert!(report.is_complete(), "{report:?}");
    let metrics = both.tracer.metrics();
    assert_eq!(metrics.get(Counter::FinishedSpansSampled), 2_000);
    assert_eq!(metrics.get(Counter::ReporterSpansOk), 2_000);
    assert_eq!(metrics.get(Counter::FinishedTwice), 500);
    assert_eq!(both.spans.spans().len(), 2_000);
}
