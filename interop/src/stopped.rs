use std::io;

use rustix::process::{Signal, kill_process};

use crate::{Backend, Error, environment};

/// A backend that stands still: its sockets stay open, and nobody reads them.
///
/// It goes on when this value is dropped.
#[derive(Debug)]
#[must_use = "the backend goes on when this is dropped"]
pub struct Stopped<'a> {
    backend: &'a mut Backend,
}

impl Backend {
    /// Stops the process, by SIGSTOP, until the returned value is dropped. It could answer nothing
    /// meanwhile, and so cannot be asked.
    ///
    /// # Errors
    ///
    /// When the process has ended.
    pub fn stop(&mut self) -> Result<Stopped<'_>, Error> {
        let stopped = self.signal(Signal::STOP);
        stopped.map_err(Error::io("stopping a backend"))?;
        Ok(Stopped { backend: self })
    }

    fn signal(&mut self, signal: Signal) -> io::Result<()> {
        // The number of a process that has ended may be another's.
        if self.has_ended()? {
            return Err(io::Error::other("the process has ended"));
        }
        Ok(kill_process(self.process(), signal)?)
    }
}

impl Drop for Stopped<'_> {
    fn drop(&mut self) {
        if let Err(error) = self.backend.signal(Signal::CONT) {
            environment::say(&format!("letting a backend go on: {error}"));
        }
    }
}
