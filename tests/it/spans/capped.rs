//! Spans beyond the number that may be open at once.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, SystemTime};

use tracehound::metrics::{Counter, DropCause, FlushReport};
use tracehound::model::TagRef;
use tracehound::observer::{ObservedSpan, SpanObserver};
use tracehound::prelude::*;
use tracehound::sampler::{ConstSampler, Sampler, SamplerTags, SamplingDecision, SpanView};
use tracehound::{JaegerTracer, Span};

use crate::support::{names, recording_builder};

fn assert_adds_up(report: &FlushReport) {
    let known = report.sent + report.dropped.total() + report.queued;
    assert_eq!(report.finished, known, "{report}");
}

#[test]
fn a_capped_span_records_nothing_and_passes_its_context_on() {
    let (builder, spans) = recording_builder();
    let tracer = builder.max_open_spans(1).build().expect("named");
    let root = tracer.start_span("root");
    let other = tracer.start_span("cause");
    let capped = tracer
        .build_span("capped")
        .child_of(&root)
        .follows_from(&other)
        .tag("early", 1)
        .start();
    capped
        .set_tag("late", 2)
        .log_event("never seen")
        .set_operation_name("still capped")
        .set_baggage_item("user", "42");
    assert!(!capped.is_recording() && !capped.is_noop());

    let mut headers = HashMap::<String, String>::new();
    tracer.inject(&capped.context(), &mut headers);
    let there = tracer.extract(&headers).expect("valid").expect("has ids");
    assert_eq!(there.trace_id(), root.context().trace_id());
    assert_eq!(there.span_id(), capped.context().span_id());
    assert!(there.is_sampled());
    assert_eq!(there.baggage().get("user"), Some("42"));

    root.finish();
    // The root has left its place.
    let child = tracer.build_span("child").child_of(&capped).start();
    assert!(child.is_recording());
    assert_eq!(child.context().parent_id(), capped.context().span_id());
    assert_eq!(child.baggage_item("user").as_deref(), Some("42"));
    drop(child);
    capped.clone().finish();
    capped.finish();
    other.finish_at(SystemTime::now());

    let report = tracer.close(Duration::from_secs(20));
    assert_eq!(report.dropped.get(DropCause::OpenCap), 2, "{report}");
    assert_eq!((report.finished, report.sent), (4, 2), "{report}");
    assert_adds_up(&report);
    assert_eq!(names(&spans), ["root", "child"]);
    assert_eq!(tracer.metrics().get(Counter::FinishedTwice), 1);
}

#[test]
fn a_capped_span_that_is_not_sampled_is_no_loss() {
    let (builder, _) = recording_builder();
    let builder = builder.sampler(ConstSampler::new(false));
    let tracer = builder.max_open_spans(1).build().expect("named");
    let open: Vec<_> = (0..3).map(|_| tracer.start_span("s")).collect();
    open[2].set_tag("sampling.priority", 1);
    assert!(open[2].context().is_sampled() && !open[2].is_recording());
    drop(open);
    let report = tracer.report();
    assert_eq!(
        (report.finished, report.dropped.get(DropCause::OpenCap)),
        (1, 1)
    );
    let finished = |counter| tracer.metrics().get(counter);
    assert_eq!(finished(Counter::FinishedSpansUnsampled), 2);
    assert_eq!(finished(Counter::FinishedSpansSampled), 1);
}

#[derive(Clone, Default)]
struct Ends(Arc<AtomicU64>);

impl SpanObserver for Ends {
    fn on_finish(&self, span: &ObservedSpan<'_>) {
        assert!(span.is_sampled() == Some(true));
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

#[test]
fn observers_are_told_of_the_end_of_a_capped_span_once() {
    let ends = Ends::default();
    let (builder, _) = recording_builder();
    let builder = builder.observer(ends.clone()).max_open_spans(1);
    let tracer = builder.build().expect("named");
    let open: Vec<_> = (0..5).map(|_| tracer.start_span("s")).collect();
    drop(open.clone());
    assert_eq!(ends.0.load(Ordering::Relaxed), 0);
    drop(open);
    assert_eq!(ends.0.load(Ordering::Relaxed), 5);
}

/// Keeps a trace for the tag `keep`, and is undecided before.
struct ByTag;

impl Sampler for ByTag {
    fn on_create_span(&self, _: &SpanView<'_>) -> SamplingDecision {
        SamplingDecision::Delay
    }

    fn on_set_tag(&self, _: &SpanView<'_>, key: &str, _: TagRef<'_>) -> SamplingDecision {
        match key {
            "keep" => SamplingDecision::Sample(SamplerTags::new("by_tag", "keep")),
            _ => SamplingDecision::Delay,
        }
    }
}

#[test]
fn a_capped_span_of_an_undecided_trace_is_counted_once_the_trace_is_kept() {
    for is_kept in [false, true] {
        let (builder, spans) = recording_builder();
        let builder = builder.sampler(ByTag).max_open_spans(1);
        let tracer = builder.build().expect("named");
        let root = tracer.start_span("root");
        let child = |name: &'static str| tracer.build_span(name).child_of(&root).start();
        let open: Span = child("open");
        child("finished").finish();
        if is_kept {
            root.set_tag("keep", true);
        }
        open.finish();
        root.finish();
        let report = tracer.close(Duration::from_secs(20));
        assert_adds_up(&report);
        let dropped = |cause| report.dropped.get(cause);
        if is_kept {
            // Whether it finished before the decision or after it.
            assert_eq!(dropped(DropCause::Delayed), 0, "{report}");
            assert_eq!(dropped(DropCause::OpenCap), 2, "{report}");
            assert_eq!(names(&spans), ["root"]);
        } else {
            assert_eq!(dropped(DropCause::OpenCap), 0, "{report}");
            assert_eq!(report.sent, 0, "{report}");
        }
    }
}

#[test]
fn a_capped_root_of_an_undecided_trace_ends_the_waiting_of_its_children() {
    let (builder, spans) = recording_builder();
    let tracer = builder
        .sampler(ByTag)
        .max_open_spans(1)
        .build()
        .expect("named");
    let holder = tracer.start_span("holder");
    let root = tracer.start_span("root");
    root.set_tag("keep", true);
    drop(holder);
    // The sampler is not asked about a tag that is not recorded.
    let child = tracer.build_span("child").child_of(&root).start();
    child.finish();
    root.finish();
    let report = tracer.close(Duration::from_secs(20));
    assert_adds_up(&report);
    assert_eq!(report.sent, 0, "{report}");
    assert!(spans.spans().is_empty());
}

#[test]
fn spans_of_many_threads_share_one_limit() {
    const MOST: usize = 100;
    let (builder, spans) = recording_builder();
    let tracer: JaegerTracer = builder.max_open_spans(MOST).build().expect("named");
    let held: Vec<Span> = thread::scope(|scope| {
        let open = || {
            (0..MOST)
                .map(|_| tracer.start_span("s"))
                .collect::<Vec<_>>()
        };
        let threads: Vec<_> = (0..4).map(|_| scope.spawn(open)).collect();
        let held = threads.into_iter().map(|it| it.join().expect("no panic"));
        held.flatten().collect()
    });
    let recording = held.iter().filter(|span| span.is_recording()).count();
    assert_eq!((held.len(), recording), (4 * MOST, MOST));
    drop(held);
    // Their places are free again.
    let again: Vec<_> = (0..MOST).map(|_| tracer.start_span("again")).collect();
    assert!(again.iter().all(Span::is_recording));
    drop(again);
    let report = tracer.close(Duration::from_secs(20));
    assert_eq!(report.dropped.get(DropCause::OpenCap), 3 * MOST as u64);
    assert_eq!(spans.spans().len(), 2 * MOST);
    assert_adds_up(&report);
}
