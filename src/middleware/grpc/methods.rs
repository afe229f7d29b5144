use std::borrow::Cow;
use std::fmt;

use crate::middleware::kept_names::{METHODS, NameSet};
use crate::sync::PerProcess;

/// The paths of the gRPC methods that have answered on a server.
///
/// Only these become operation names: a caller can send any path, and each would be an operation of its own.
pub(crate) struct Methods(PerProcess<NameSet>);

impl Methods {
    /// Bounds the names of a server that answers on every path, such as a proxy.
    const LIMIT: usize = 1_000;

    /// Returns a path that is known, to name a span.
    pub(crate) fn find(&self, path: &str) -> Option<Cow<'static, str>> {
        self.paths().find("", path).cloned()
    }

    /// Adds a path. Returns false if it is new and there are [`LIMIT`](Self::LIMIT) others.
    pub(crate) fn learn(&self, path: &str) -> bool {
        let make = || METHODS.keep("", path);
        self.paths().add("", path, Self::LIMIT, make).is_some()
    }

    fn paths(&self) -> &NameSet {
        self.0.get(|_| NameSet::new())
    }
}

impl Default for Methods {
    fn default() -> Self {
        Self(PerProcess::new(NameSet::new()))
    }
}

impl fmt::Debug for Methods {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Methods")
    }
}
