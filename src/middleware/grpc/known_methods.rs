use std::collections::HashSet;
use std::fmt;
use std::sync::{PoisonError, RwLock};

use crate::sync::PerProcess;

/// The paths of the gRPC methods that have answered on a server.
///
/// Only these become operation names: a caller can send any path, and each would be a name of its own.
pub(crate) struct KnownMethods(PerProcess<RwLock<HashSet<Box<str>>>>);

impl KnownMethods {
    /// Bounds the names of a server that answers on every path, such as a proxy.
    const LIMIT: usize = 1_000;

    pub(crate) fn contains(&self, path: &str) -> bool {
        let paths = self.paths().read();
        paths.unwrap_or_else(PoisonError::into_inner).contains(path)
    }

    /// Adds a path. Returns false if it is new and there are [`LIMIT`](Self::LIMIT) others.
    pub(crate) fn learn(&self, path: &str) -> bool {
        let paths = self.paths().write();
        let mut paths = paths.unwrap_or_else(PoisonError::into_inner);
        if paths.contains(path) {
            return true;
        }
        paths.len() < Self::LIMIT && paths.insert(path.into())
    }

    fn paths(&self) -> &RwLock<HashSet<Box<str>>> {
        self.0.get(|_| RwLock::default())
    }
}

impl Default for KnownMethods {
    fn default() -> Self {
        Self(PerProcess::new(RwLock::default()))
    }
}

impl fmt::Debug for KnownMethods {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("KnownMethods")
    }
}
