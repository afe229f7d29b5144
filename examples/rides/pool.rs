//! A pool of things that there are few of: connections, workers.

use std::io;

use tokio::sync::{Semaphore, SemaphorePermit};
use tracehound::scope::active_span;

pub(crate) struct Pool(Semaphore);

impl Pool {
    pub(crate) fn new(size: usize) -> Self {
        Self(Semaphore::new(size))
    }

    /// Takes one out. If that means to wait, the active span says so.
    pub(crate) async fn take(&self) -> io::Result<SemaphorePermit<'_>> {
        if let Ok(free) = self.0.try_acquire() {
            return Ok(free);
        }
        active_span().log_event("waiting");
        self.0.acquire().await.map_err(io::Error::other)
    }
}
