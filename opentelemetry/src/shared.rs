use std::sync::atomic::{AtomicU64, Ordering};

use tracehound::Tracer;

/// The parts that a provider, its tracers and their spans share. It keeps the tracer alive until the last span is
/// dropped.
pub(crate) struct Shared {
    pub(crate) tracer: Box<dyn Tracer>,
    /// Calls on spans that had ended.
    late_calls: AtomicU64,
}

impl Shared {
    pub(crate) fn new(tracer: impl Tracer + 'static) -> Self {
        Self {
            tracer: Box::new(tracer),
            late_calls: AtomicU64::new(0),
        }
    }

    #[cold]
    pub(crate) fn count_late_call(&self) {
        self.late_calls.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn late_calls(&self) -> u64 {
        self.late_calls.load(Ordering::Relaxed)
    }
}
