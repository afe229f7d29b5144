use std::fmt;
use std::sync::{Arc, Weak};
use std::time::Duration;

use crate::diagnostics::Diagnostics;
use crate::metrics::{DropCounts, Metrics};
use crate::model::Process;
use crate::reporter::Reporter;
use crate::reporter::worker::mailbox::{Mailbox, Request};
use crate::reporter::worker::options::WorkerOptions;
use crate::reporter::worker::turn::WorkerTurn;
use crate::services::Services;

/// A reporter's handle to the worker that runs it: the tracer's [`Services`], and a way to ask for more spans. Cheap to
/// clone.
///
/// ```
/// use std::time::Duration;
/// use tracehound::model::{Process, SpanId, TraceId};
/// use tracehound::reporter::{FinishedSpan, OwnedSpan, Reporter, WorkerHandle};
/// use tracehound::services::Services;
///
/// /// Writes a line for each span, with the name of the service.
/// #[derive(Default)]
/// struct Lines(Option<WorkerHandle>);
///
/// impl Reporter for Lines {
///     fn attach(&mut self, worker: &WorkerHandle) {
///         self.0 = Some(worker.clone());
///     }
///
///     fn report(&mut self, span: &FinishedSpan<'_>) {
///         if let Some(worker) = &self.0 {
///             let service = &worker.process().service_name;
///             worker.diagnostics().say(&format!("{service}: {}", span.operation_name()));
///         }
///     }
/// }
///
/// let worker = WorkerHandle::detached(Services::detached(Process::new("shop", vec![])));
/// assert_eq!(worker.services().process().service_name, "shop");
/// assert!(worker.drain(Duration::ZERO), "there is nothing to wait for");
/// assert_eq!(worker.dropped().total(), 0);
/// assert!(worker.metrics().iter().all(|(_, count)| count == 0));
///
/// let mut reporter = Lines::default();
/// reporter.attach(&worker);
/// let (trace_id, span_id) = (TraceId::new(0, 1).expect("not 0"), SpanId::new(2).expect("not 0"));
/// OwnedSpan::new(trace_id, span_id, "checkout").view(|span| reporter.report(span));
/// ```
#[derive(Clone)]
pub struct WorkerHandle {
    services: Services,
    /// Weak, because the worker owns the function that makes a forked child's reporter, which may own this handle.
    mailbox: Weak<Mailbox>,
}

impl WorkerHandle {
    /// Returns a handle without a worker, to try a reporter out by hand.
    pub fn detached(services: Services) -> Self {
        Self {
            services,
            mailbox: Weak::new(),
        }
    }

    /// Returns the tracer's services.
    pub fn services(&self) -> &Services {
        &self.services
    }

    /// Returns who the spans are from: short for the [`Services`]' process.
    pub fn process(&self) -> &Process {
        self.services.process()
    }

    /// Returns where to count: short for the [`Services`]' metrics.
    pub fn metrics(&self) -> &Metrics {
        self.services.metrics()
    }

    /// Returns where to say what is wrong: short for the [`Services`]' diagnostics.
    pub fn diagnostics(&self) -> &Diagnostics {
        self.services.diagnostics()
    }

    /// Returns how many spans were lost before they came to the reporter, by cause.
    pub fn dropped(&self) -> DropCounts {
        self.mailbox
            .upgrade()
            .map_or_else(DropCounts::default, |mailbox| {
                mailbox.options().queue.totals().0
            })
    }

    /// Waits until the worker has handed over every span that was finished before this call. Returns false if that took
    /// longer than `timeout`.
    ///
    /// Returns true at once on the worker's own thread, which would wait for itself, and when the tracer is gone.
    pub fn drain(&self, timeout: Duration) -> bool {
        match self.mailbox.upgrade() {
            Some(mailbox) => mailbox.request(Request::Drain, timeout),
            None => true,
        }
    }
}

impl fmt::Debug for WorkerHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "WorkerHandle({})", self.process().service_name)
    }
}

/// Attaches the reporter to the worker, and makes the worker's first turn with it.
pub(super) fn attached_turn(
    mailbox: &Arc<Mailbox>,
    options: WorkerOptions,
    mut reporter: Box<dyn Reporter>,
) -> Box<WorkerTurn> {
    let handle = WorkerHandle {
        services: options.services.clone(),
        mailbox: Arc::downgrade(mailbox),
    };
    let attach = |_: &Services| reporter.attach(&handle);
    options.services.attach("the reporter", attach);
    Box::new(WorkerTurn::new(options, reporter))
}
