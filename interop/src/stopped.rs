use rustix::process::{Signal, kill_process};

use crate::{Backend, Error, environment};

/// A backend that stands still: its sockets stay open, and nobody reads them.
///
/// It goes on when this value is dropped. Ask a backend nothing meanwhile: it does not answer.
#[derive(Debug)]
#[must_use = "the backend goes on when this is dropped"]
pub struct Stopped<'a> {
    backend: &'a Backend,
}

impl Backend {
    /// Stops the process, by SIGSTOP, until the returned value is dropped.
    ///
    /// # Errors
    ///
    /// When the process has ended.
    pub fn stop(&self) -> Result<Stopped<'_>, Error> {
        kill_process(self.process(), Signal::STOP)
            .map_err(|error| Error::io("stopping a backend")(error.into()))?;
        Ok(Stopped { backend: self })
    }
}

impl Drop for Stopped<'_> {
    fn drop(&mut self) {
        if let Err(error) = kill_process(self.backend.process(), Signal::CONT) {
            environment::say(&format!("letting a backend go on: {error}"));
        }
    }
}
