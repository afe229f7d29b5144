//! The mistakes of the four services, and what mends them.

use std::time::Duration;

/// The mistakes that are mended.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Fixes {
    query: bool,
    lock: bool,
    pool: bool,
}

impl Fixes {
    /// Reads `--fix query`, `--fix lock`, `--fix pool` and `--fix all`. Any number of them may be there.
    pub(crate) fn from_arguments(arguments: &[String]) -> Result<Self, String> {
        let mut fixes = Self::default();
        for pair in arguments.windows(2) {
            if pair[0] == "--fix" {
                fixes = fixes.and(&pair[1])?;
            }
        }
        Ok(fixes)
    }

    /// Mends one mistake more.
    pub(crate) fn and(mut self, name: &str) -> Result<Self, String> {
        match name {
            "query" => self.query = true,
            "lock" => self.lock = true,
            "pool" => self.pool = true,
            "all" => (self.query, self.lock, self.pool) = (true, true, true),
            other => return Err(format!("--fix {other}: expected query, lock, pool or all")),
        }
        Ok(self)
    }

    pub(crate) fn is_any(self) -> bool {
        self.query || self.lock || self.pool
    }

    /// Returns how the customers are looked up, and how long that takes: with a function around the column the database
    /// reads every row.
    pub(crate) fn query(self) -> (&'static str, Duration) {
        if self.query {
            let by_index = "SELECT place FROM customers WHERE name = $1";
            return (by_index, Duration::from_millis(60));
        }
        let by_scan = "SELECT * FROM customers WHERE lower(name) = $1";
        (by_scan, Duration::from_millis(150))
    }

    /// Returns the number of connections to the database of the customers. A single one is as good as a lock.
    pub(crate) fn connections(self) -> usize {
        if self.lock { 16 } else { 1 }
    }

    /// Returns the number of workers that compute routes.
    pub(crate) fn workers(self) -> usize {
        if self.pool { 32 } else { 2 }
    }
}
