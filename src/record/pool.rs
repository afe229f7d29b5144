//! Where the pools of a tracer's threads meet: so that threads which only start spans and threads which only finish
//! them do not allocate.

use std::sync::PoisonError;

use crate::record::open::slot::SpanCell;
use crate::sync::{Mutex, MutexGuard, PerProcess};

/// Vacant boxes on their way from one thread to another. Closed with its tracer: what is in it keeps the tracer in
/// memory, and the tracer keeps it.
#[derive(Debug)]
#[expect(clippy::vec_box, reason = "handles point at the boxes")]
pub(crate) struct Depot {
    cells: PerProcess<Mutex<Option<Vec<Box<SpanCell>>>>>,
}

#[expect(clippy::vec_box, reason = "handles point at the boxes")]
impl Depot {
    pub(crate) fn new() -> Self {
        Self {
            cells: PerProcess::new(Mutex::new(Some(Vec::new()))),
        }
    }

    /// Puts boxes in; returns those for which there is no room, to be dropped where that may run code of the user's.
    pub(crate) fn put(&self, mut cells: Vec<Box<SpanCell>>) -> Vec<Box<SpanCell>> {
        if let Some(stored) = &mut *self.lock() {
            let room = DEPOT.saturating_sub(stored.len()).min(cells.len());
            stored.extend(cells.drain(..room));
        }
        cells
    }

    /// Moves some boxes over to `pool`.
    pub(crate) fn take(&self, pool: &mut Vec<Box<SpanCell>>) {
        if let Some(stored) = &mut *self.lock() {
            let rest = stored.len().saturating_sub(BATCH);
            pool.extend(stored.drain(rest..));
        }
    }

    /// Gives up what is there and takes nothing more.
    pub(crate) fn close(&self) -> Option<Vec<Box<SpanCell>>> {
        self.lock().take()
    }

    fn lock(&self) -> MutexGuard<'_, Option<Vec<Box<SpanCell>>>> {
        // A child leaves the parent's boxes behind; that its tracer is closed is asked before.
        let cells = self.cells.get(|_| Mutex::new(Some(Vec::new())));
        cells.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How many boxes go to and from the depot at once.
pub(crate) const BATCH: usize = 32;
/// How many boxes wait there at most.
const DEPOT: usize = 512;
