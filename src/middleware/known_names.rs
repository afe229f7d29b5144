use std::collections::HashSet;
use std::sync::{PoisonError, RwLock};

use crate::sync::PerProcess;

/// A bounded set of names that a program has seen. A forked child begins with an empty one, because a thread that it
/// does not have may hold the lock.
pub(crate) struct KnownNames(PerProcess<Names>);

type Names = RwLock<HashSet<Box<str>>>;

impl KnownNames {
    pub(crate) fn contains(&self, name: &str) -> bool {
        let names = self.names().read();
        names.unwrap_or_else(PoisonError::into_inner).contains(name)
    }

    /// Adds a name. Returns false if it is new and there are `limit` others.
    pub(crate) fn learn(&self, name: &str, limit: usize) -> bool {
        if self.contains(name) {
            return true;
        }
        let names = self.names().write();
        let mut names = names.unwrap_or_else(PoisonError::into_inner);
        // Another thread may have added it.
        names.contains(name) || (names.len() < limit && names.insert(name.into()))
    }

    #[cfg(feature = "thrift")]
    pub(crate) fn forget(&self, name: &str) {
        let names = self.names().write();
        names.unwrap_or_else(PoisonError::into_inner).remove(name);
    }

    fn names(&self) -> &Names {
        self.0.get(|_| RwLock::default())
    }
}

impl Default for KnownNames {
    fn default() -> Self {
        Self(PerProcess::new(RwLock::default()))
    }
}
