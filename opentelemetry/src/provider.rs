use std::fmt;
use std::sync::Arc;

use opentelemetry::InstrumentationScope;
use opentelemetry::trace::TracerProvider;
use tracehound::Tracer;

use crate::shared::Shared;
use crate::{TracehoundTracer, active};

/// A provider of tracers of OpenTelemetry's API whose spans are those of a tracer of tracehound.
///
/// Clones share the tracer. Spans may outlive the provider: they keep the tracer alive until they are dropped. Flushing
/// and closing is done on the [`JaegerTracer`](tracehound::JaegerTracer), of which the program keeps a clone.
///
/// ```
/// use std::time::Duration;
/// use opentelemetry::global;
/// use opentelemetry::trace::Tracer as _;
/// use tracehound::prelude::*;
/// use tracehound::reporter::InMemoryReporter;
/// use tracehound::sampler::ConstSampler;
/// use tracehound_opentelemetry::TracehoundProvider;
///
/// let spans = InMemoryReporter::new();
/// let tracer = JaegerTracer::builder("shop")
///     .sampler(ConstSampler::new(true))
///     .reporter(spans.clone())
///     .build()?;
/// global::set_tracer_provider(TracehoundProvider::new(tracer.clone()));
///
/// let checkout = tracer.start_active_span("checkout");
/// global::tracer("some library").in_span("query", |_cx| ());
/// checkout.finish();
/// assert_eq!(spans.tree(), "checkout\n  query");
/// assert!(tracer.close(Duration::from_secs(1)).is_complete());
/// # Ok::<(), tracehound::tracer::BuildError>(())
/// ```
#[derive(Clone)]
pub struct TracehoundProvider {
    shared: Arc<Shared>,
}

impl TracehoundProvider {
    /// Makes a provider for a tracer.
    ///
    /// The first one of a process also makes spans of OpenTelemetry that are active the parents of tracehound's, by
    /// [`set_foreign_context`](tracehound::scope::set_foreign_context). If another library has done so before, its
    /// spans are, and OpenTelemetry's are not.
    pub fn new(tracer: impl Tracer + 'static) -> Self {
        active::join();
        Self {
            shared: Arc::new(Shared::new(tracer)),
        }
    }

    /// Returns how many calls came after the end of their span, and were ignored: attributes, events, links, names and
    /// statuses. A second end is counted by the tracer
    /// ([`Counter`](tracehound::metrics::Counter), `finished_twice`).
    ///
    /// ```
    /// use opentelemetry::KeyValue;
    /// use opentelemetry::trace::{Span, Tracer as _, TracerProvider};
    /// use tracehound::NoopTracer;
    /// use tracehound_opentelemetry::TracehoundProvider;
    ///
    /// let provider = TracehoundProvider::new(NoopTracer);
    /// let mut span = provider.tracer("library").start("query");
    /// span.end();
    /// span.set_attribute(KeyValue::new("rows", 3));
    /// assert_eq!(provider.late_calls(), 1);
    /// ```
    pub fn late_calls(&self) -> u64 {
        self.shared.late_calls()
    }
}

impl TracerProvider for TracehoundProvider {
    type Tracer = TracehoundTracer;

    fn tracer_with_scope(&self, scope: InstrumentationScope) -> TracehoundTracer {
        TracehoundTracer::new(self.shared.clone(), scope)
    }
}

impl fmt::Debug for TracehoundProvider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TracehoundProvider")
            .field("late_calls", &self.late_calls())
            .finish_non_exhaustive()
    }
}
