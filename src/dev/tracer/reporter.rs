use std::time::Instant;

use crate::clock::instant_now;
use crate::dev::server::DevServer;
use crate::reporter::{FinishedSpan, MakeReporter, Reporter, Unsent, WorkerHandle};

/// Sends spans to the embedded agent as to any other, and holds it as long as the tracer lives: what a flush
/// has sent can be read when it returns, and with the last tracer the agent prints what is left.
pub(crate) struct DevReporter<R> {
    to_agent: R,
    /// None after the end.
    server: Option<DevServer>,
    /// Something may be in the sockets that nobody has waited for.
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
        // Here and not with the reporter itself, which is dropped when nobody waits for it any more.
        self.server = None;
        unsent
    }

    /// The agent stays in the parent: a child sends to it as to any other.
    fn for_child(&self) -> Option<MakeReporter> {
        self.to_agent.for_child()
    }
}
