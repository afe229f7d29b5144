//! Finished spans, out of the process.
//!
//! One background thread, the worker, takes finished spans from the threads that finished them and hands each
//! to a [`Reporter`]. The usual one packs them for an agent; others keep them for tests or write a line.
//!
//! | reporter | does |
//! |---|---|
//! | [`RemoteReporter`] | packs spans for a [`Sender`](sender::Sender) |
//! | [`InMemoryReporter`] | keeps them, for tests |
//! | [`LoggingReporter`] | writes a line for each |
//! | [`CompositeReporter`] | hands them to several |
//! | [`NullReporter`] | lets them go |

mod composite;
mod guarded;
mod in_memory;
mod logging;
mod null;
mod packet;
mod remote;
pub mod sender;
mod worker;

use std::time::Instant;

pub use composite::CompositeReporter;
pub use in_memory::InMemoryReporter;
pub use logging::LoggingReporter;
pub use null::NullReporter;
pub use remote::RemoteReporter;
pub use worker::WorkerHandle;
pub(crate) use worker::{Worker, WorkerOptions, thread};

pub use crate::record::{FinishedSpan, LogView, Logs, OwnedSpan, References, Tags};

use crate::metrics::DropCounts;

/// Takes finished spans. Runs on the worker, never on the program's threads.
///
/// A panic in any method is caught; the span, or what the method was about, is counted as lost.
pub trait Reporter: Send {
    /// Takes a handle to the worker, with the tracer's [`Services`](crate::services::Services) in it. The worker calls it
    /// once, before anything else. A composite passes it on to its members. By default nothing.
    fn attach(&mut self, _worker: &WorkerHandle) {}

    /// Takes one span. The view is valid during the call.
    fn report(&mut self, span: &FinishedSpan<'_>);

    /// Until when the reporter takes no more spans, because what it sends to has no room. By default it always takes.
    ///
    /// The worker asks after each span. While there is such a time it leaves spans in the queue, whose memory is bounded
    /// and whose losses are counted, and calls [`resume`](Self::resume) when the time has come.
    fn paused_until(&self) -> Option<Instant> {
        None
    }

    /// Tries again what could not be placed, at the time that [`paused_until`](Self::paused_until) says.
    fn resume(&mut self) {}

    /// A line to the user about a pause that has made the queue overflow: what is slow and how to mend it.
    fn explain_pause(&self) -> Option<String> {
        None
    }

    /// Sends what is held, until `deadline`; called at every flush interval and by
    /// [`JaegerTracer::flush`](crate::JaegerTracer::flush).
    ///
    /// A reporter that must wait says so by [`paused_until`](Self::paused_until) and returns; where a caller waits for the
    /// flush, the worker calls it again after the pause, until `deadline`.
    ///
    /// Returns what, of all spans taken since the beginning, was lost or still waits. The rest counts as
    /// sent, so a reporter that loses nothing need not write this method.
    fn flush(&mut self, _deadline: Instant) -> Unsent {
        Unsent::default()
    }

    /// The last call: sends what is held, until `deadline`, and lets go of sockets and files. May wait until then.
    fn close(&mut self, deadline: Instant) -> Unsent {
        self.flush(deadline)
    }

    /// Returns a function that makes the reporter of a forked child process; the worker asks once, in the process that
    /// has built the tracer, before it calls [`attach`](Self::attach).
    ///
    /// A forked child has no worker thread, and it cannot use the parent's reporter, which may have been in the middle of
    /// anything. The first span that starts in the child calls the function.
    ///
    /// By default there is none, and spans that finish in a forked child are lost as `no_worker`.
    fn after_fork(&self) -> Option<MakeReporter> {
        None
    }
}

/// Makes the reporter of a forked child process: see [`Reporter::after_fork`].
///
/// It should make sockets and files anew, and must not wait for a lock that a thread of the parent may have held.
pub type MakeReporter = Box<dyn Fn() -> Box<dyn Reporter> + Send + Sync>;

impl Reporter for Box<dyn Reporter> {
    fn attach(&mut self, worker: &WorkerHandle) {
        (**self).attach(worker);
    }

    fn report(&mut self, span: &FinishedSpan<'_>) {
        (**self).report(span);
    }

    fn paused_until(&self) -> Option<Instant> {
        (**self).paused_until()
    }

    fn resume(&mut self) {
        (**self).resume();
    }

    fn explain_pause(&self) -> Option<String> {
        (**self).explain_pause()
    }

    fn flush(&mut self, deadline: Instant) -> Unsent {
        (**self).flush(deadline)
    }

    fn close(&mut self, deadline: Instant) -> Unsent {
        (**self).close(deadline)
    }

    fn after_fork(&self) -> Option<MakeReporter> {
        (**self).after_fork()
    }
}

/// Of all spans that a reporter has taken since its beginning, those that it has not sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Unsent {
    /// Lost for ever, by cause.
    pub dropped: DropCounts,
    /// Waiting.
    pub queued: u64,
}

impl Unsent {
    /// Joins the two.
    pub fn new(dropped: DropCounts, queued: u64) -> Self {
        Self { dropped, queued }
    }
}
