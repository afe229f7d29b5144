use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::record::FinishedSpan;
use crate::reporter::{MakeReporter, OwnedSpan, Reporter, WorkerHandle};
use crate::sync::PerProcess;

/// How long a reader waits for the worker.
const PATIENCE: Duration = Duration::from_secs(5);

/// Keeps spans, for tests. Clones share them, and one may serve several tracers.
///
/// What is read is whole: before each look the worker hands over every span that was finished until then
/// (waited for at most five seconds). Spans are in the order of their finish, as far as one thread finished
/// them. They stay until [`InMemoryReporter::clear`] or [`InMemoryReporter::take`], past the tracer's end. In the child of
/// a `fork` there are those that finished there.
///
/// ```
/// use tracehound::JaegerTracer;
/// use tracehound::prelude::*;
/// use tracehound::reporter::InMemoryReporter;
/// use tracehound::sampler::ConstSampler;
///
/// let reporter = InMemoryReporter::new();
/// let tracer = JaegerTracer::builder("shop")
///     .sampler(ConstSampler::new(true))
///     .reporter(reporter.clone())
///     .build()?;
/// tracer.start_span("checkout").finish();
/// assert_eq!(reporter.spans()[0].operation_name, "checkout");
/// # Ok::<(), tracehound::tracer::BuildError>(())
/// ```
#[derive(Clone)]
pub struct InMemoryReporter {
    shared: Arc<PerProcess<Shared>>,
}

#[derive(Default)]
struct Shared {
    spans: Mutex<Vec<OwnedSpan>>,
    workers: Mutex<Vec<WorkerHandle>>,
}

impl InMemoryReporter {
    /// Starts with no spans.
    pub fn new() -> Self {
        Self::default()
    }

    /// Forgets what was finished until now.
    pub fn clear(&self) {
        self.take();
    }

    /// Returns what was finished until now and forgets it.
    pub fn take(&self) -> Vec<OwnedSpan> {
        self.drain();
        std::mem::take(&mut *self.lock())
    }

    /// Returns what was finished until now.
    pub fn spans(&self) -> Vec<OwnedSpan> {
        self.drain();
        self.lock().clone()
    }

    fn drain(&self) {
        // Asked without the locks, which the worker needs meanwhile.
        let workers = self.shared().workers.lock();
        let workers = workers.unwrap_or_else(PoisonError::into_inner).clone();
        for worker in workers {
            worker.drain(PATIENCE);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Vec<OwnedSpan>> {
        let spans = self.shared().spans.lock();
        spans.unwrap_or_else(PoisonError::into_inner)
    }

    fn shared(&self) -> &Shared {
        self.shared.get(|_| Shared::default())
    }
}

impl Default for InMemoryReporter {
    fn default() -> Self {
        Self {
            shared: Arc::new(PerProcess::new(Shared::default())),
        }
    }
}

impl Reporter for InMemoryReporter {
    fn attach(&mut self, worker: &WorkerHandle) {
        let workers = self.shared().workers.lock();
        workers
            .unwrap_or_else(PoisonError::into_inner)
            .push(worker.clone());
    }

    fn report(&mut self, span: &FinishedSpan<'_>) {
        let span = span.to_owned();
        self.lock().push(span);
    }

    fn after_fork(&self) -> Option<MakeReporter> {
        let same = self.clone();
        Some(Box::new(move || Box::new(same.clone())))
    }
}

impl fmt::Debug for InMemoryReporter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "InMemoryReporter({} spans)", self.lock().len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Process, SpanId, TraceId};
    use crate::services::Services;

    fn span(name: &str) -> OwnedSpan {
        let trace_id = TraceId::new(0, 1).expect("not zero");
        OwnedSpan::new(trace_id, SpanId::new(2).expect("not zero"), name)
    }

    #[test]
    fn clones_share_the_spans_in_their_order() {
        let reporter = InMemoryReporter::new();
        let mut working = reporter.clone();
        working.attach(&WorkerHandle::detached(Services::detached(Process::new(
            "shop",
            vec![],
        ))));
        for name in ["a", "b"] {
            span(name).view(|span| working.report(span));
        }
        assert_eq!(reporter.spans(), [span("a"), span("b")]);
        assert_eq!(reporter.take(), [span("a"), span("b")]);
        assert_eq!(working.spans(), []);
        span("c").view(|span| working.report(span));
        reporter.clear();
        assert_eq!(working.spans(), []);
    }
}
