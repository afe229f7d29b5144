use std::fmt;

use crate::middleware::known_names::KnownNames;

/// The names of the methods that a server has, as its answers tell.
///
/// Only these become operation names: a caller can send any name, and each would be an operation of its own.
#[derive(Default)]
pub(crate) struct KnownMethods(KnownNames);

impl KnownMethods {
    /// Bounds the names of a server that answers on every name, such as a proxy.
    const LIMIT: usize = 1_000;

    pub(crate) fn contains(&self, name: &str) -> bool {
        self.0.contains(name)
    }

    /// Adds a name. Returns false if it is new and there are [`LIMIT`](Self::LIMIT) others.
    pub(crate) fn learn(&self, name: &str) -> bool {
        self.0.learn(name, Self::LIMIT)
    }

    /// Removes a name that turned out to be no method's.
    #[cfg(feature = "thrift")]
    pub(crate) fn forget(&self, name: &str) {
        self.0.forget(name);
    }
}

impl fmt::Debug for KnownMethods {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("KnownMethods")
    }
}
