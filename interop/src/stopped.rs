use rustix::process::{Pid, Signal, kill_process};

use crate::{Backend, Error, environment};

/// A backend that stands still: its sockets stay open, and nobody reads them.
///
/// It goes on when this value is dropped. Ask a backend nothing meanwhile: it does not answer.
#[derive(Debug)]
#[must_use = "the backend goes on when this is dropped"]
pub struct Stopped {
    process: Pid,
}

impl Backend {
    /// Stops the process, by SIGSTOP, until the returned value is dropped.
    ///
    /// # Errors
    ///
    /// When the process has ended.
    pub fn stop(&self) -> Result<Stopped, Error> {
        let process = self.process();
        kill_process(process, Signal::STOP)
            .map_err(|error| Error::io("stopping a backend")(error.into()))?;
        Ok(Stopped { process })
    }
}

impl Drop for Stopped {
    fn drop(&mut self) {
        // The backend is still a child of this process, so its number is nobody else's.
        if let Err(error) = kill_process(self.process, Signal::CONT) {
            environment::say(&format!("letting a backend go on: {error}"));
        }
    }
}
