//! The metrics factory and the observers of the code.

use std::sync::Arc;
use std::time::Duration;

use crate::metrics::MetricsFactory;
use crate::observer::{RpcMetrics, SpanObserver};
use crate::tracer::TracerBuilder;
use crate::watch::OpenSpans;

/// The parts of the code that watch the tracer and its spans.
#[derive(Default)]
pub(super) struct Observing {
    pub(super) factory: Option<Arc<dyn MetricsFactory>>,
    pub(super) observers: Vec<Box<dyn SpanObserver>>,
}

impl Observing {
    /// Gives the parts to the builder.
    pub(super) fn apply(
        self,
        mut builder: TracerBuilder,
        has_rpc_metrics: bool,
        open_span_limit: Option<Duration>,
    ) -> TracerBuilder {
        if let Some(factory) = self.factory {
            if has_rpc_metrics {
                builder = builder.observer(RpcMetrics::new(factory.clone()));
            }
            builder = builder.metrics_factory(factory);
        }
        if let Some(limit) = open_span_limit {
            builder = builder.observer(OpenSpans::new().limit(limit));
        }
        self.observers
            .into_iter()
            .fold(builder, TracerBuilder::observer)
    }
}
