use std::collections::VecDeque;
use std::time::{Duration, Instant};

use crate::dev::store::{Settled, TraceStore};
use crate::model::TraceId;

/// Decides which traces are printed, and when. Callers pass the time and the traces in.
///
/// At most two traces are printed a second. A few more wait for their turn, and the others are only counted.
#[derive(Debug, Default)]
pub(crate) struct PrintSchedule {
    waiting: VecDeque<TraceId>,
    /// When the last two traces were printed, the earlier one first.
    printed: [Option<Instant>; 2],
    skipped: u64,
}

/// What the printing thread should do next.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum PrintStep {
    /// Print this trace, and say how many others are not printed.
    Print(TraceId, u64),
    /// Ask again at that time, or when a span has come.
    Wait(Option<Instant>),
}

impl PrintSchedule {
    /// Claims the traces that have come to rest by `now`, and returns the next step.
    pub(crate) fn next(&mut self, store: &mut TraceStore, now: Instant) -> PrintStep {
        let Settled { ready, next } = store.settled(now);
        for trace_id in ready {
            store.claim(trace_id);
            if self.waiting.contains(&trace_id) {
                continue;
            }
            if self.waiting.len() < MAX_WAITING {
                self.waiting.push_back(trace_id);
            } else {
                self.skipped += 1;
            }
        }
        if self.waiting.is_empty() {
            return PrintStep::Wait(next);
        }
        let free_at = self.printed[0].map(|printed| printed + PRINT_WINDOW);
        match free_at {
            Some(at) if at > now => PrintStep::Wait(Some(next.map_or(at, |next| next.min(at)))),
            _ => {
                self.printed = [self.printed[1], Some(now)];
                match self.waiting.pop_front() {
                    Some(trace_id) => PrintStep::Print(trace_id, std::mem::take(&mut self.skipped)),
                    None => PrintStep::Wait(next),
                }
            }
        }
    }

    /// Returns whether no trace waits for its turn.
    pub(crate) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// Returns the remaining traces to print at the end, at rest or not, and how many more are skipped.
    pub(crate) fn last(&mut self, store: &mut TraceStore) -> (Vec<TraceId>, u64) {
        let mut left: Vec<TraceId> = self.waiting.drain(..).collect();
        for trace_id in store.unshown() {
            store.claim(trace_id);
            if !left.contains(&trace_id) {
                left.push(trace_id);
            }
        }
        let more = left.len().saturating_sub(MAX_AT_EXIT) as u64;
        left.truncate(MAX_AT_EXIT);
        (left, more + std::mem::take(&mut self.skipped))
    }
}

/// The time in which at most two traces are printed.
const PRINT_WINDOW: Duration = Duration::from_secs(1);
/// How many traces wait for their turn; at two a second, the last one for four seconds.
const MAX_WAITING: usize = 8;
/// How many traces are printed at the end, where none can wait.
const MAX_AT_EXIT: usize = 10;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::instant_now;
    use crate::dev::store::StoreLimits;
    use crate::dev::store::fixtures::batch;
    use crate::view::fixtures::{trace_id, wire};

    fn store() -> TraceStore {
        TraceStore::new(StoreLimits {
            traces: 1_000,
            bytes: 1 << 20,
        })
    }

    fn insert(store: &mut TraceStore, traces: impl IntoIterator<Item = u64>, now: Instant) {
        for trace in traces {
            // One nanosecond apart, so that the order in which they come to rest is known.
            let batch = batch("shop", [wire(trace as i64, 1, 0)]);
            store.insert(batch, now + Duration::from_nanos(trace));
        }
    }

    #[test]
    fn a_trace_is_printed_once_when_it_has_come_to_rest() {
        let (mut store, mut schedule, start) = (store(), PrintSchedule::default(), instant_now());
        assert_eq!(schedule.next(&mut store, start), PrintStep::Wait(None));
        insert(&mut store, [1], start);
        let at = start + Duration::from_millis(200) + Duration::from_nanos(1);
        assert_eq!(schedule.next(&mut store, start), PrintStep::Wait(Some(at)));
        assert_eq!(
            schedule.next(&mut store, at),
            PrintStep::Print(trace_id(1), 0)
        );
        assert_eq!(schedule.next(&mut store, at), PrintStep::Wait(None));
        assert_eq!(schedule.last(&mut store), (vec![], 0));
    }

    #[test]
    fn two_traces_are_printed_a_second_a_few_wait_and_the_rest_are_counted() {
        let (mut store, mut schedule, start) = (store(), PrintSchedule::default(), instant_now());
        insert(&mut store, 1..=30, start);
        let mut now = start + Duration::from_secs(1);
        let mut printed = Vec::new();
        let mut skipped = 0;
        loop {
            match schedule.next(&mut store, now) {
                PrintStep::Print(trace_id, more) => {
                    printed.push((now, trace_id));
                    skipped += more;
                }
                PrintStep::Wait(Some(at)) => {
                    assert!(at > now);
                    now = at;
                }
                PrintStep::Wait(None) => break,
            }
        }
        let ids: Vec<_> = printed.iter().map(|(_, id)| *id).collect();
        assert_eq!(ids, (1..=8).map(trace_id).collect::<Vec<_>>());
        assert_eq!(skipped, 22);
        for three in printed.windows(3) {
            assert!(three[2].0 - three[0].0 >= PRINT_WINDOW);
        }
        assert_eq!(schedule.last(&mut store), (vec![], 0));
    }

    #[test]
    fn traces_that_wait_or_are_not_at_rest_are_printed_at_the_end() {
        let (mut store, mut schedule, start) = (store(), PrintSchedule::default(), instant_now());
        insert(&mut store, 1..=4, start);
        let now = start + Duration::from_secs(1);
        assert_eq!(
            schedule.next(&mut store, now),
            PrintStep::Print(trace_id(1), 0)
        );
        insert(&mut store, [5], now);
        let left = [2, 3, 4, 5].map(trace_id).to_vec();
        assert_eq!(schedule.last(&mut store), (left, 0));

        insert(&mut store, 100..=149, now);
        let (left, more) = schedule.last(&mut store);
        assert_eq!((left.len(), more), (MAX_AT_EXIT, 40));
    }
}
