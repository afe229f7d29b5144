//! The state that the clones of one observer share.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::observer::red::bounds::Bounds;
use crate::observer::red::registry::Registry;
use crate::sync::PerProcess;

pub(super) struct Shared {
    /// Identifies the observer for the tables of threads.
    pub(super) id: u64,
    pub(super) bounds: Bounds,
    pub(super) max_operations: usize,
    registry: PerProcess<Registry>,
}

impl Shared {
    pub(super) fn new(bounds: Bounds, max_operations: usize) -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        Self {
            id: NEXT.fetch_add(1, Ordering::Relaxed),
            bounds,
            max_operations,
            registry: PerProcess::new(Registry::default()),
        }
    }

    /// Returns the registry of this process.
    pub(super) fn registry(&self) -> &Registry {
        self.registry.get(|_| Registry::default())
    }

    /// Admits a name, unless it is one too many.
    pub(super) fn admit(&self, name: &str) -> Option<Arc<str>> {
        self.registry().admit(name, self.max_operations)
    }
}
