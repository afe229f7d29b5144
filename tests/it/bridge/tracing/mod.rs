//! Spans and events of the crate `tracing`, through the layer.

mod bad_cases;
mod basics;
mod filters;
mod interleavings;
mod parents;
mod reported;
mod stale;

use tracehound::JaegerTracer;
use tracehound::bridge::TracingLayer;
use tracehound::reporter::InMemoryReporter;
use tracing::Dispatch;
use tracing_subscriber::prelude::*;

use crate::support::{fixed_tracer, recording_tracer};

/// Returns a subscriber with a layer, its tracer and the reported spans.
fn subscriber() -> (Dispatch, JaegerTracer, InMemoryReporter) {
    let (tracer, spans) = recording_tracer();
    let layer = TracingLayer::new(tracer.clone());
    (
        tracing_subscriber::registry().with(layer).into(),
        tracer,
        spans,
    )
}

/// Like [`subscriber`], with ids 1, 2, 3… in the order in which spans start.
fn fixed_subscriber() -> (Dispatch, JaegerTracer, InMemoryReporter) {
    let (tracer, spans, _) = fixed_tracer();
    let layer = TracingLayer::new(tracer.clone());
    (
        tracing_subscriber::registry().with(layer).into(),
        tracer,
        spans,
    )
}

/// Runs `work` under the subscriber, and returns the tree of the spans that have ended then.
fn tree_of(work: impl FnOnce(&JaegerTracer)) -> String {
    let (dispatch, tracer, spans) = fixed_subscriber();
    tracing::dispatcher::with_default(&dispatch, || work(&tracer));
    spans.tree()
}
