//! When the worker looks at the threads' queues.
//!
//! A finished span wakes nobody, so the worker has to look. It looks about as often as a datagram's worth of spans comes:
//! every 20 ms under load, and not before the next flush where little or nothing is traced.

use std::time::{Duration, Instant};

use crate::clock::after;
use crate::record::Take;

/// Plans the next look from what the last ones found.
#[derive(Debug)]
pub(super) struct Looks {
    /// In which time about [`WORTH_SENDING`] bytes come.
    period: Duration,
    longest: Duration,
    last_at_all: Instant,
    /// What was found since then.
    found: usize,
    next: Instant,
}

impl Looks {
    /// Starts where nothing is traced: the first look is that of the first flush.
    pub(super) fn new(now: Instant, flush_interval: Duration) -> Self {
        Self {
            period: flush_interval,
            longest: flush_interval,
            last_at_all: now,
            found: 0,
            next: after(now, flush_interval),
        }
    }

    pub(super) fn next(&self) -> Instant {
        self.next
    }

    /// What the next look should take. Newest chunks are left to their threads most of the time: a thread whose chunk is
    /// taken has to get another one.
    pub(super) fn kind(&self, now: Instant) -> Take {
        if now.saturating_duration_since(self.last_at_all) >= BETWEEN_LOOKS_AT_ALL {
            Take::All
        } else {
            Take::Filled
        }
    }

    /// Counts a look that found `bytes`.
    pub(super) fn looked(&mut self, now: Instant, kind: Take, bytes: usize) {
        self.found += bytes;
        if kind == Take::All {
            let elapsed = now.saturating_duration_since(self.last_at_all);
            self.period = match self.found {
                0 => self.period.saturating_mul(2),
                found => elapsed.mul_f64(WORTH_SENDING as f64 / found as f64),
            };
            self.period = self.period.clamp(SHORTEST.min(self.longest), self.longest);
            self.last_at_all = now;
            self.found = 0;
        }
        self.next = after(now, self.period);
    }
}

/// About a datagram.
const WORTH_SENDING: usize = 16 * 1024;
/// A look interrupts the program's threads: with 2 ms one call in a thousand took 34 us at 100,000 spans a second, with 20 ms
/// 3 us.
const SHORTEST: Duration = Duration::from_millis(20);
const BETWEEN_LOOKS_AT_ALL: Duration = Duration::from_millis(50);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::instant_now;

    const SECOND: Duration = Duration::from_secs(1);

    /// Looks for `time` while `bytes` come in each second; returns how often all was looked at, and how often only at what
    /// is filled.
    fn looks(looks: &mut Looks, start: Instant, time: Duration, bytes: usize) -> (u32, u32) {
        let (mut counts, mut last) = ((0, 0), start);
        while looks.next() < start + time {
            let now = looks.next();
            let kind = looks.kind(now);
            let found = if kind == Take::All {
                counts.0 += 1;
                let came = now.saturating_duration_since(last).mul_f64(bytes as f64);
                last = now;
                came.as_secs_f64() as usize
            } else {
                counts.1 += 1;
                0
            };
            looks.looked(now, kind, found);
        }
        counts
    }

    #[test]
    fn looks_come_as_often_as_datagrams_fill_and_not_at_all_while_nothing_comes() {
        let start = instant_now();
        let mut plan = Looks::new(start, SECOND);
        assert_eq!(
            looks(&mut plan, start, 10 * SECOND, 0),
            (9, 0),
            "only where flushes are"
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
    fn a_flush_interval_below_the_shortest_period_is_kept() {
        let start = instant_now();
        let interval = Duration::from_millis(1);
        let mut plan = Looks::new(start, interval);
        plan.looked(start + interval, Take::All, 1 << 30);
        assert_eq!(plan.next(), start + interval * 2);
    }
}
