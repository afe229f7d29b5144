use std::time::Instant;

use crate::clock::instant_now;
use crate::dev::server::DevServer;
use crate::reporter::{FinishedSpan, MakeReporter, Reporter, Unsent, WorkerHandle};

/// A reporter that sends spans to the embedded agent by UDP and keeps it running while the tracer lives.
///
/// A flush returns when the agent has read what was sent. When the last tracer closes, the agent prints the remaining
/// traces.
pub(crate) struct DevReporter<R> {
    to_agent: R,
    /// `None` after `close`.
    server: Option<DevServer>,
    /// The agent may not have read everything that was sent.
    is_behind: bool,
}

impl<R: Reporter> DevReporter<R> {
    pub(crate) fn new(to_agent: R, server: DevServer) -> Self {
        Self {
            to_agent,
            server: Some(server),
            is_behind: false,
        }
    }

    fn wait_until_read(&mut self, deadline: Instant) {
        if let Some(server) = self.server.as_ref().filter(|_| self.is_behind) {
            let left = deadline.saturating_duration_since(instant_now());
            self.is_behind = !server.wait_until_read(left);
        }
    }
}

impl<R: Reporter> Reporter for DevReporter<R> {
    fn attach(&mut self, worker: &WorkerHandle) {
        self.to_agent.attach(worker);
    }

    fn report(&mut self, span: &FinishedSpan<'_>) {
        self.is_behind = true;
        self.to_agent.report(span);
    }

    fn paused_until(&self) -> Option<Instant> {
        self.to_agent.paused_until()
    }

    fn resume(&mut self) {
        self.to_agent.resume();
    }

    fn explain_pause(&self) -> Option<String> {
        self.to_agent.explain_pause()
    }

    fn flush(&mut self, deadline: Instant) -> Unsent {
        let unsent = self.to_agent.flush(deadline);
        self.wait_until_read(deadline);
        unsent
    }

    fn close(&mut self, deadline: Instant) -> Unsent {
        let unsent = self.to_agent.close(deadline);
        self.wait_until_read(deadline);
        // Not left to the drop of the reporter, which may come after the caller of `close` has gone on.
        self.server = None;
        unsent
    }

    /// Returns a reporter that sends to the agent, which stays in the parent process.
    fn after_fork(&self) -> Option<MakeReporter> {
        self.to_agent.after_fork()
    }
}
