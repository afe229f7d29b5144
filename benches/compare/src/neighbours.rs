//! Other programs on the machine. When they use the second core, contenders whose threads wait for each other get slow.

use std::fs;

/// The kernel's account of time, in ticks since the start of the machine or of this program.
#[derive(Default)]
pub struct Account {
    total: i64,
    busy: i64,
    /// Ticks of this program and of the processes that it started and that have ended.
    ours: i64,
}

impl Account {
    /// Reads the account. Returns `None` where there is no `/proc`.
    pub fn now() -> Option<Self> {
        let all = fs::read_to_string("/proc/stat").ok()?;
        let all = numbers(all.lines().next()?);
        let own = fs::read_to_string("/proc/self/stat").ok()?;
        // The name of the program comes first, in brackets; it may hold blanks.
        let (_, own) = own.rsplit_once(") S ").or(own.rsplit_once(") R "))?;
        let total = all.get(..8)?.iter().sum();
        let idle: i64 = all[3..5].iter().sum();
        Some(Self {
            total,
            busy: total - idle,
            ours: numbers(own).get(10..14)?.iter().sum(),
        })
    }

    /// Returns the share of the machine that other programs have used since `begin`.
    pub fn share_of_others_since(&self, begin: &Self) -> f64 {
        let others = (self.busy - begin.busy) - (self.ours - begin.ours);
        others.max(0) as f64 / (self.total - begin.total).max(1) as f64
    }
}

fn numbers(line: &str) -> Vec<i64> {
    line.split_whitespace()
        .filter_map(|word| word.parse().ok())
        .collect()
}
