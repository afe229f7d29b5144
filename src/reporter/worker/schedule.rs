//! The times at which the worker takes spans from the thread queues.
//!
//! A finished span does not wake the worker, so the worker has to look. It looks about as often as a datagram of spans
//! comes together: every 20 ms under load, and only at each flush while little or nothing is traced.

use std::time::{Duration, Instant};

use crate::clock::after;
use crate::record::Take;

/// Plans the next look at the queues from what the last ones found.
#[derive(Debug)]
pub(super) struct Schedule {
    /// The time in which about [`WORTH_SENDING`] bytes come.
    period: Duration,
    longest: Duration,
    /// The last time at which everything was taken.
    last_all: Instant,
    /// The bytes found since then.
    found: usize,
    next: Instant,
}

impl Schedule {
    /// Starts as if nothing were traced: the first look is at the first flush.
    pub(super) fn new(now: Instant, flush_interval: Duration) -> Self {
        Self {
            period: flush_interval,
            longest: flush_interval,
            last_all: now,
            found: 0,
            next: after(now, flush_interval),
        }
    }

    /// Returns when to look next.
    pub(super) fn next(&self) -> Instant {
        self.next
    }

    /// Returns what a look at `now` should take.
    ///
    /// Most looks leave each thread's newest chunk alone, because a thread whose chunk is taken has to get another one.
    pub(super) fn kind(&self, now: Instant) -> Take {
        if now.saturating_duration_since(self.last_all) >= BETWEEN_ALL {
            Take::All
        } else {
            Take::Filled
        }
    }

    /// Plans the next look after one that took `bytes`.
    pub(super) fn took(&mut self, now: Instant, kind: Take, bytes: usize) {
        self.found += bytes;
        if kind == Take::All {
            let elapsed = now.saturating_duration_since(self.last_all);
            self.period = match self.found {
                0 => self.period.saturating_mul(2),
                found => elapsed.mul_f64(WORTH_SENDING as f64 / found as f64),
            };
            self.period = self.period.clamp(SHORTEST.min(self.longest), self.longest);
            self.last_all = now;
            self.found = 0;
        }
        self.next = after(now, self.period);
    }
}

/// The size of about a datagram, in bytes.
const WORTH_SENDING: usize = 16 * 1024;
/// A look interrupts the program's threads: at 100,000 spans a second one call in a thousand took 34 us with looks
/// every 2 ms, and 3 us with looks every 20 ms.
const SHORTEST: Duration = Duration::from_millis(20);
/// Spans must not grow old in a thread's newest chunk.
const BETWEEN_ALL: Duration = Duration::from_millis(50);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::instant_now;

    const SECOND: Duration = Duration::from_secs(1);

    /// Follows the plan for `time` while `bytes` come in each second. Returns how many looks took everything, and how
    /// many only filled chunks.
    fn looks(plan: &mut Schedule, start: Instant, time: Duration, bytes: usize) -> (u32, u32) {
        let (mut counts, mut last) = ((0, 0), start);
        while plan.next() < start + time {
            let now = plan.next();
            let kind = plan.kind(now);
            let found = if kind == Take::All {
                counts.0 += 1;
                let came = now.saturating_duration_since(last).mul_f64(bytes as f64);
                last = now;
                came.as_secs_f64() as usize
            } else {
                counts.1 += 1;
                0
            };
            plan.took(now, kind, found);
        }
        counts
    }

    #[test]
    fn the_worker_looks_as_often_as_a_datagram_fills_and_only_at_flushes_while_nothing_comes() {
        let start = instant_now();
        let mut plan = Schedule::new(start, SECOND);
        assert_eq!(
            looks(&mut plan, start, 10 * SECOND, 0),
            (9, 0),
            "only at flushes"
        );
        for (bytes_a_second, all, filled) in [
            (3_000, 9..=11, 0..=0),
            (280_000, 140..=175, 0..=0),
            (2_800_000, 140..=201, 250..=360),
            (500_000_000, 150..=201, 250..=360),
        ] {
            let start = plan.next();
            let counts = looks(&mut plan, start, 10 * SECOND, bytes_a_second);
            assert!(
                all.contains(&counts.0) && filled.contains(&counts.1),
                "{bytes_a_second}: {counts:?}"
            );
        }
        let start = plan.next();
        let (all, filled) = looks(&mut plan, start, 60 * SECOND, 0);
        assert!(
            all + filled < 150,
            "{all} and {filled} looks to fall asleep"
        );
        let start = plan.next();
        assert!(looks(&mut plan, start, 10 * SECOND, 0).0 <= 10);
    }

    #[test]
    fn the_worker_keeps_a_flush_interval_below_its_shortest_period() {
        let start = instant_now();
        let interval = Duration::from_millis(1);
        let mut plan = Schedule::new(start, interval);
        plan.took(start + interval, Take::All, 1 << 30);
        assert_eq!(plan.next(), start + interval * 2);
    }
}
