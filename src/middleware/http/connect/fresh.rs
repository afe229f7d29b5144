use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::sync::PerProcess;

/// The connections that were made and not used yet.
pub(super) struct FreshConnections {
    /// A forked child has connections of its own.
    ends: PerProcess<Mutex<VecDeque<Ends>>>,
}

/// The local and the remote address, which tell a connection from all others that are open.
pub(super) type Ends = (SocketAddr, SocketAddr);

/// The number of unused connections that are remembered. Only connections that are never used can fill the list.
const MOST: usize = 1024;

impl FreshConnections {
    /// Adds a connection. The oldest one is forgotten if there are too many.
    pub(super) fn add(&self, ends: Ends) {
        let mut fresh = self.ends();
        // The port may have been that of a connection which was never used.
        fresh.retain(|other| *other != ends);
        if fresh.len() == MOST {
            fresh.pop_front();
        }
        fresh.push_back(ends);
    }

    /// Removes a connection. Returns whether it was there.
    pub(super) fn take(&self, ends: Ends) -> bool {
        let mut fresh = self.ends();
        let place = fresh.iter().position(|other| *other == ends);
        place.and_then(|place| fresh.remove(place)).is_some()
    }

    fn ends(&self) -> MutexGuard<'_, VecDeque<Ends>> {
        let ends = self.ends.get(|_| Mutex::default());
        ends.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Default for FreshConnections {
    fn default() -> Self {
        let ends = PerProcess::new(Mutex::default());
        Self { ends }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn connection(port: u16) -> Ends {
        let end = |port| SocketAddr::from(([127, 0, 0, 1], port));
        (end(port), end(80))
    }

    #[test]
    fn a_connection_is_fresh_once() {
        let fresh = FreshConnections::default();
        fresh.add(connection(1));
        fresh.add(connection(2));
        fresh.add(connection(2));
        let taken = [1, 1, 2, 2, 3].map(|port| fresh.take(connection(port)));
        assert_eq!(taken, [true, false, true, false, false]);
    }

    #[test]
    fn connections_that_are_never_used_fill_no_memory() {
        let fresh = FreshConnections::default();
        for port in 0..3_000 {
            fresh.add(connection(port));
        }
        assert_eq!(fresh.ends().len(), MOST);
        assert!(!fresh.take(connection(1_000)));
        assert!(fresh.take(connection(2_999)));
    }
}
