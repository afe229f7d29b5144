//! Fixtures of several tests.

use opentelemetry::trace::TracerProvider as _;
use tracehound::JaegerTracer;
use tracehound::model::SpanId;
use tracehound::reporter::{InMemoryReporter, OwnedSpan};
use tracehound::sampler::ConstSampler;
use tracehound::tracer::TracerBuilder;
use tracehound_opentelemetry::{TracehoundProvider, TracehoundTracer};

/// A tracer whose spans are all kept in memory, and a library that uses it by OpenTelemetry's API.
pub(crate) struct Both {
    pub(crate) tracer: JaegerTracer,
    pub(crate) library: TracehoundTracer,
    pub(crate) provider: TracehoundProvider,
    pub(crate) spans: InMemoryReporter,
}

pub(crate) fn both() -> Both {
    both_of(|builder| builder)
}

pub(crate) fn both_of(change: impl FnOnce(TracerBuilder) -> TracerBuilder) -> Both {
    let spans = InMemoryReporter::new();
    let builder = JaegerTracer::builder("test")
        .sampler(ConstSampler::new(true))
        .reporter(spans.clone());
    let tracer = change(builder).build().expect("has a name");
    let provider = TracehoundProvider::new(tracer.clone());
    Both {
        library: provider.tracer("library"),
        tracer,
        provider,
        spans,
    }
}

impl Both {
    /// Returns the one span of that name.
    pub(crate) fn span(&self, name: &str) -> OwnedSpan {
        self.spans.find(name).expect(name)
    }

    /// Returns the parent of the one span of that name.
    pub(crate) fn parent_of(&self, name: &str) -> Option<SpanId> {
        self.span(name).parent_id
    }
}
