use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::diagnostics::Diagnostics;
use crate::metrics::{DropCounts, Metrics};
use crate::model::Process;

/// What a reporter may know of the worker that runs it, and ask of it. Cheap to clone.
#[derive(Clone)]
pub struct WorkerHandle {
    process: Arc<Process>,
    metrics: Metrics,
    diagnostics: Diagnostics,
}

impl WorkerHandle {
    /// A handle without a worker: for a reporter that is tried out by hand.
    pub fn detached(process: Process) -> Self {
        Self::detached_with(process, Diagnostics::default())
    }

    /// The same, with its lines going to `diagnostics`.
    pub fn detached_with(process: Process, diagnostics: Diagnostics) -> Self {
        Self {
            process: Arc::new(process),
            metrics: Metrics::default(),
            diagnostics,
        }
    }

    /// Who the spans are from.
    pub fn process(&self) -> &Process {
        &self.process
    }

    /// Where to count.
    pub fn metrics(&self) -> &Metrics {
        &self.metrics
    }

    /// Where to say what is wrong.
    pub fn diagnostics(&self) -> &Diagnostics {
        &self.diagnostics
    }

    /// Spans that were lost before they came to the reporter.
    pub fn dropped(&self) -> DropCounts {
        DropCounts::default()
    }

    /// Has everything that was finished before this call handed to the reporter; false when that took longer
    /// than `timeout`. True at once on the worker itself, where it would wait for itself.
    pub fn drain(&self, _timeout: Duration) -> bool {
        true
    }
}

impl fmt::Debug for WorkerHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "WorkerHandle({})", self.process.service_name)
    }
}
