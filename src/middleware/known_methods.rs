use std::collections::HashSet;
use std::fmt;
use std::sync::{PoisonError, RwLock};

use crate::sync::PerProcess;

/// The names of the methods that a server has, as its answers tell.
///
/// Only these become operation names: a caller can send any name, and each would be an operation of its own.
pub(crate) struct KnownMethods(PerProcess<RwLock<HashSet<Box<str>>>>);

impl KnownMethods {
    /// Bounds the names of a server that answers on every name, such as a proxy.
    const LIMIT: usize = 1_000;

    pub(crate) fn contains(&self, name: &str) -> bool {
        let names = self.names().read();
        names.unwrap_or_else(PoisonError::into_inner).contains(name)
    }

    /// Adds a name. Returns false if it is new and there are [`LIMIT`](Self::LIMIT) others.
    pub(crate) fn learn(&self, name: &str) -> bool {
        let names = self.names().write();
        let mut names = names.unwrap_or_else(PoisonError::into_inner);
        if names.contains(name) {
            return true;
        }
        names.len() < Self::LIMIT && names.insert(name.into())
    }

    fn names(&self) -> &RwLock<HashSet<Box<str>>> {
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
