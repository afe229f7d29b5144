use std::io;

use rustix::process::{Signal, kill_process};

use crate::{Backend, Error, environment};

/// A stopped backend: its sockets stay open, but it does not read them.
///
/// The backend continues when this value is dropped.
#[derive(Debug)]
#[must_use = "the backend goes on when this is dropped"]
pub struct Stopped<'a> {
    backend: &'a mut Backend,
}

impl Backend {
    /// Stops the process by SIGSTOP until the returned value is dropped. A stopped backend cannot
    /// answer queries.
    ///
    /// # Errors
    ///
    /// Fails if the process has ended.
    pub fn stop(&mut self) -> Result<Stopped<'_>, Error> {
        let stopped = self.signal(Signal::STOP);
        stopped.map_err(Error::io("stopping a backend"))?;
        Ok(Stopped { backend: self })
    }

    fn signal(&mut self, signal: Signal) -> io::Result<()> {
        // The id of a process that has ended may belong to another one.
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
