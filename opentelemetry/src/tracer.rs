use std::fmt;
use std::sync::Arc;

use opentelemetry::trace::{SpanBuilder, SpanKind, Tracer as OtelTracer};
use opentelemetry::{Context, InstrumentationScope};
use tracehound::model::{SpanKind as Kind, tags};
use tracehound::{Span, SpanContext, TracerExt as _};

use crate::attributes::Attributes;
use crate::shared::Shared;
use crate::{TracehoundSpan, active};

/// A tracer of OpenTelemetry's API, from a [`TracehoundProvider`](crate::TracehoundProvider).
///
/// Its spans carry the name and version of the library that it was made for as the tags `otel.scope.name` and
/// `otel.scope.version`.
#[derive(Clone)]
pub struct TracehoundTracer {
    shared: Arc<Shared>,
    scope: Arc<InstrumentationScope>,
}

impl TracehoundTracer {
    pub(crate) fn new(shared: Arc<Shared>, scope: InstrumentationScope) -> Self {
        Self {
            shared,
            scope: Arc::new(scope),
        }
    }
}

impl OtelTracer for TracehoundTracer {
    type Span = TracehoundSpan;

    /// Starts a span. In a context that suppresses telemetry it is a no-op span.
    fn build_with_context(&self, builder: SpanBuilder, parent_cx: &Context) -> TracehoundSpan {
        if parent_cx.is_telemetry_suppressed() {
            return TracehoundSpan::new(Span::noop(), self.shared.clone());
        }
        self.start(builder, &active::parent_in(parent_cx))
    }
}

impl TracehoundTracer {
    fn start(&self, builder: SpanBuilder, parent: &SpanContext) -> TracehoundSpan {
        let SpanBuilder {
            span_kind,
            name,
            start_time,
            attributes,
            events,
            links,
            ..
        } = builder;
        // Ends and events have times of the wall clock, so the start has one, too.
        let start = start_time.unwrap_or_else(opentelemetry::time::now);
        let attributes = attributes.unwrap_or_default();
        let attributes = Attributes::new(&attributes);
        let span = {
            let mut span = self
                .shared
                .tracer
                .build_span(name)
                .place(None)
                .child_of(parent)
                .ignore_active_span()
                .start_time(start);
            if !self.scope.name().is_empty() {
                span = span.tag("otel.scope.name", self.scope.name());
            }
            span = span.tag("otel.scope.version", self.scope.version());
            if let Some(kind) = span_kind.and_then(kind) {
                span = span.tag(tags::SPAN_KIND, kind.name());
            }
            for (key, value) in attributes.iter() {
                span = span.tag(key, value);
            }
            span.start()
        };
        let span = TracehoundSpan::new(span, self.shared.clone());
        span.begin(
            &links.unwrap_or_default(),
            events.unwrap_or_default(),
            start,
        );
        span
    }
}

fn kind(kind: SpanKind) -> Option<Kind> {
    match kind {
        SpanKind::Client => Some(Kind::Client),
        SpanKind::Server => Some(Kind::Server),
        SpanKind::Producer => Some(Kind::Producer),
        SpanKind::Consumer => Some(Kind::Consumer),
        SpanKind::Internal => None,
    }
}

impl fmt::Debug for TracehoundTracer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TracehoundTracer")
            .field("scope", &self.scope)
            .finish_non_exhaustive()
    }
}
