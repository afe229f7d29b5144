//! Spans that stay on the stack after their end, and samplers that hang.

use std::mem;
use std::sync::Mutex;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;

use tracehound::bridge::{TracingLayer, TracingSpanExt};
use tracehound::metrics::Counter;
use tracehound::prelude::*;
use tracehound::reporter::InMemoryReporter;
use tracehound::sampler::{Sampler, SamplerTags, SamplingDecision, SpanView};
use tracing::{Dispatch, info, info_span};
use tracing_subscriber::prelude::*;
use tracing_subscriber::reload;

use super::subscriber;
use crate::support::recording_tracer;

#[test]
fn a_span_that_ended_with_its_subscriber_is_no_parent_of_later_spans() {
    let (dispatch, _tracer, old_spans) = subscriber();
    tracing::dispatcher::with_default(&dispatch, || {
        let old = info_span!("old");
        mem::forget(old.enter());
    });
    drop(dispatch);
    assert_eq!(old_spans.tree(), "old");
    let (dispatch, tracer, spans) = subscriber();
    tracing::dispatcher::with_default(&dispatch, || {
        let outer = tracer.start_span("outer");
        info_span!("root").in_scope(|| info!("in the root"));
        outer.in_scope(|| info_span!("child").in_scope(|| {}));
    });
    assert_eq!(spans.tree(), "outer\n  child\nroot");
    let root = spans.find("root").expect("it has ended");
    assert!(root.parent_id.is_none() && root.references.is_empty());
    assert_eq!(root.logs.len(), 1);
}

#[test]
fn a_span_that_was_entered_under_a_layer_before_is_no_parent_after_its_end() {
    let (tracer, spans) = recording_tracer();
    let (layer, handle) = reload::Layer::new(TracingLayer::new(tracer.clone()));
    tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), || {
        for _ in 0..3 {
            let before = info_span!("before");
            let here = before.enter();
            let new = TracingLayer::new(tracer.clone());
            handle.reload(new).expect("it lives");
            drop(here);
            drop(before);
            info_span!("after").in_scope(|| info!("x"));
        }
    });
    let roots = spans.spans();
    assert_eq!(roots.len(), 6);
    for root in roots {
        assert!(root.parent_id.is_none(), "{}", root.operation_name);
    }
}

/// A sampler that says when it is asked, and answers when it is told.
struct Hangs {
    is_asked: Mutex<Sender<()>>,
    go_on: Mutex<Receiver<()>>,
}

impl Sampler for Hangs {
    fn on_create_span(&self, _: &SpanView<'_>) -> SamplingDecision {
        self.is_asked.lock().unwrap().send(()).unwrap();
        self.go_on.lock().unwrap().recv().unwrap();
        SamplingDecision::Sample(SamplerTags::new("hangs", 1.0))
    }
}

/// Returns a tracer whose sampler hangs, its spans, what says that the sampler is asked, and what lets it go on.
fn hanging_tracer() -> (JaegerTracer, InMemoryReporter, Receiver<()>, Sender<()>) {
    let (is_asked, asked) = channel();
    let (go_on, told) = channel();
    let spans = InMemoryReporter::new();
    let tracer = JaegerTracer::builder("test")
        .sampler(Hangs {
            is_asked: Mutex::new(is_asked),
            go_on: Mutex::new(told),
        })
        .reporter(spans.clone())
        .build()
        .expect("the service has a name");
    (tracer, spans, asked, go_on)
}

#[test]
fn a_span_that_ends_while_another_thread_starts_it_is_no_parent_of_later_spans() {
    let (tracer, spans, asked, go_on) = hanging_tracer();
    let dispatch: Dispatch = tracing_subscriber::registry()
        .with(TracingLayer::new(tracer.clone()))
        .into();
    let span = tracing::dispatcher::with_default(&dispatch, || info_span!("span"));
    let id = span.id().expect("it is enabled");
    thread::scope(|threads| {
        threads.spawn(|| {
            // Never left on this thread.
            dispatch.enter(&id);
            tracer.start_span("while it starts").finish();
            tracer.start_span("later").finish();
        });
        asked.recv().expect("the sampler is asked");
        drop(span);
        for _ in 0..3 {
            go_on.send(()).expect("the sampler waits");
        }
    });
    spans.find("span").expect("it has ended");
    let later = spans.find("later").expect("it has ended");
    assert!(later.parent_id.is_none(), "{}", spans.tree());
}

#[test]
fn what_is_recorded_while_a_sampler_hangs_is_bounded_and_counted() {
    const EVENTS: u64 = 50_000;
    let (tracer, spans, asked, go_on) = hanging_tracer();
    let subscriber = tracing_subscriber::registry().with(TracingLayer::new(tracer.clone()));
    tracing::subscriber::with_default(subscriber, || {
        let span = info_span!("span");
        thread::scope(|threads| {
            threads.spawn(|| span.tracehound_span());
            asked.recv().expect("the sampler is asked");
            for n in 0..EVENTS {
                info!(parent: &span, n, "while the sampler hangs");
            }
            go_on.send(()).expect("the sampler waits");
        });
    });
    let span = spans.find("span").expect("it has ended");
    let kept = span
        .logs
        .iter()
        .filter_map(|log| log.fields.iter().find(|it| it.key == "n"));
    let last = kept
        .map(|n| n.value.to_string().parse::<u64>().expect("a number"))
        .max();
    assert!(last.is_some_and(|last| last < 1_000), "{last:?}");
    let dropped = tracer.metrics().get(Counter::DroppedItems);
    assert!((EVENTS - 1_000..EVENTS).contains(&dropped), "{dropped}");
}
