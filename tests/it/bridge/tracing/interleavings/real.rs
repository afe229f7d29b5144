//! The plan, carried out with the layer.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tracehound::JaegerTracer;
use tracehound::bridge::{TracingLayer, TracingSpanExt};
use tracehound::metrics::Counter;
use tracehound::prelude::*;
use tracehound::reporter::InMemoryReporter;
use tracehound::sampler::{Interests, Sampler, SamplerTags, SamplingDecision, SpanView};
use tracehound::scope::{Scope, active_context};
use tracing::span::EnteredSpan;
use tracing::{Dispatch, field, info, info_span};
use tracing_subscriber::prelude::*;

use super::model::Model;
use super::{Action, Parent, Seen};
use crate::support::recording_builder;

/// The handles of a program. Guards stay with their threads.
pub(super) struct World {
    pub(super) dispatch: Dispatch,
    tracer: JaegerTracer,
    spans: InMemoryReporter,
    asked: Arc<AtomicU64>,
    next_name: usize,
    handles: Vec<tracing::Span>,
    own: Vec<Span>,
}

/// Keeps a span active.
pub(super) enum Guard {
    Entered(#[expect(dead_code, reason = "held")] EnteredSpan),
    Scope(#[expect(dead_code, reason = "held")] Scope),
}

/// Keeps all traces, and counts how often it was asked.
struct Counting(Arc<AtomicU64>);

impl Sampler for Counting {
    fn on_create_span(&self, _: &SpanView<'_>) -> SamplingDecision {
        self.0.fetch_add(1, Ordering::Relaxed);
        SamplingDecision::Sample(SamplerTags::new("counting", 1.0))
    }

    fn interests(&self) -> Interests {
        Interests::nothing()
    }
}

impl World {
    pub(super) fn new() -> Self {
        let asked = Arc::<AtomicU64>::default();
        let (builder, spans) = recording_builder();
        let tracer = builder
            .sampler(Counting(asked.clone()))
            .build()
            .expect("named");
        let layer = TracingLayer::new(tracer.clone());
        Self {
            dispatch: tracing_subscriber::registry().with(layer).into(),
            tracer,
            spans,
            asked,
            next_name: 0,
            handles: Vec::new(),
            own: Vec::new(),
        }
    }

    pub(super) fn act(&mut self, guards: &mut Vec<Guard>, action: &Action) -> Seen {
        match *action {
            Action::New(parent) => {
                let name = self.next_name();
                let span = match parent {
                    Parent::Root => {
                        info_span!(parent: None, "", otel.name = name, n = field::Empty)
                    }
                    Parent::Of(n) if !self.handles.is_empty() => {
                        let parent = &self.handles[n % self.handles.len()];
                        info_span!(parent: parent, "", otel.name = name, n = field::Empty)
                    }
                    _ => info_span!("", otel.name = name, n = field::Empty),
                };
                self.handles.push(span);
            }
            Action::Enter(n) => {
                if let Some(span) = pick(&self.handles, n) {
                    guards.push(Guard::Entered(span.clone().entered()));
                }
            }
            Action::Leave(n) => {
                if !guards.is_empty() {
                    drop(guards.remove(n % guards.len()));
                }
            }
            Action::DropHandle(n) => {
                if !self.handles.is_empty() {
                    drop(self.handles.remove(n % self.handles.len()));
                }
            }
            Action::Start => {
                let name = self.next_name();
                self.own.push(self.tracer.start_span(name));
            }
            Action::Activate(n) => {
                if let Some(span) = pick(&self.own, n) {
                    guards.push(Guard::Scope(span.activate()));
                }
            }
            Action::DropSpan(n) => {
                if !self.own.is_empty() {
                    drop(self.own.remove(n % self.own.len()));
                }
            }
            Action::SetParent(n, parent) => {
                if let (Some(span), Some(parent)) =
                    (pick(&self.handles, n), pick(&self.own, parent))
                {
                    return Seen::IsSet(span.set_parent(parent).is_ok());
                }
            }
            Action::SetTracingParent(n, parent) => {
                if let (Some(span), Some(parent)) =
                    (pick(&self.handles, n), pick(&self.handles, parent))
                {
                    return Seen::IsSet(span.set_parent(parent).is_ok());
                }
            }
            Action::Event => info!("event"),
            Action::EventOf(n) => {
                if let Some(span) = pick(&self.handles, n) {
                    info!(parent: span, "event");
                }
            }
            Action::Look => return Seen::IsActive(active_context().has_trace()),
            Action::Record(n) => {
                if let Some(span) = pick(&self.handles, n) {
                    span.record("n", 1);
                }
            }
        }
        Seen::Nothing
    }

    /// Compares the reported spans with those of the model.
    pub(super) fn compare(self, model: &Model) {
        let spans = self.spans.spans();
        let names: HashMap<_, _> = spans
            .iter()
            .map(|span| (span.span_id, span.operation_name.clone()))
            .collect();
        let mut ended = [Vec::new(), Vec::new()];
        for span in &spans {
            let n: usize = span.operation_name.parse().expect("a number");
            let expected = &model.spans[n];
            let parent = span.parent_id.map(|id| names[&id].clone());
            assert_eq!(parent, expected.parent_name(), "the parent of {n}");
            assert_eq!(span.logs.len(), expected.logs, "the logs of {n}");
            assert_eq!(
                span.tag("n").is_some(),
                expected.is_recorded,
                "the tag of {n}"
            );
            let thread = expected.ended_on.expect("only ended spans are reported");
            ended[usize::from(thread)].push(n);
        }
        assert_eq!(ended, model.ended, "what ended, by thread");
        let roots = model.spans.iter().filter(|span| span.parent.is_none());
        assert_eq!(self.asked.load(Ordering::Relaxed), roots.count() as u64);
        assert!(!active_context().has_trace(), "nothing is active");
        let metrics = self.tracer.metrics();
        let count = model.spans.len() as u64;
        assert_eq!(metrics.get(Counter::StartedSpansSampled), count);
        assert_eq!(metrics.get(Counter::FinishedSpansSampled), count);
        drop(self.dispatch);
        assert!(self.tracer.close(Duration::from_secs(20)).is_complete());
    }

    fn next_name(&mut self) -> String {
        self.next_name += 1;
        (self.next_name - 1).to_string()
    }
}

fn pick<T>(list: &[T], n: usize) -> Option<&T> {
    (!list.is_empty()).then(|| &list[n % list.len()])
}
