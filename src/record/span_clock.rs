//! The clock of a tracer's spans.

use crate::clock::{Clock, CounterScale, ManualClock};

/// A [`Clock`] that is read without a call if it is the processor's time-stamp counter, or set by hand.
#[derive(Debug)]
pub(crate) struct SpanClock {
    clock: Clock,
    fast: FastSource,
}

/// A source of time that is read without a call.
#[derive(Debug)]
enum FastSource {
    /// The time-stamp counter, which the clock reads too.
    Counter(CounterScale),
    Manual(ManualClock),
    Nothing,
}

impl SpanClock {
    /// Wraps a clock.
    pub(crate) fn new(clock: Clock) -> Self {
        // The clock is asked first: if the system forbids the instruction, the clock has no counter.
        let counter = clock.counter().and_then(|(earlier, scale)| {
            let now = read_counter()?;
            let (later, _) = clock.counter()?;
            (earlier..=later).contains(&now).then_some(scale)
        });
        let fast = match (counter, clock.manual()) {
            (Some(scale), _) => FastSource::Counter(scale),
            (None, Some(manual)) => FastSource::Manual(manual.clone()),
            (None, None) => FastSource::Nothing,
        };
        Self { clock, fast }
    }

    /// Returns the nanoseconds since tick zero, as [`Clock::now`] does.
    #[inline(always)]
    pub(crate) fn now(&self) -> u64 {
        match self.try_now() {
            Some(now) => now,
            None => self.now_by_call(),
        }
    }

    #[inline(never)]
    fn now_by_call(&self) -> u64 {
        self.clock.now()
    }

    /// Like [`now`](Self::now), but returns `None` if that takes a call.
    #[inline(always)]
    pub(crate) fn try_now(&self) -> Option<u64> {
        match &self.fast {
            FastSource::Counter(scale) => read_counter().map(|reading| scale.nanos_at(reading)),
            FastSource::Manual(manual) => Some(manual.now()),
            FastSource::Nothing => None,
        }
    }

    /// Returns the wall time of tick zero as of now, in nanoseconds since the epoch.
    #[inline(always)]
    pub(crate) fn anchor(&self) -> i64 {
        self.clock.anchor()
    }
}

#[cfg(all(target_arch = "x86_64", not(miri)))]
#[inline(always)]
fn read_counter() -> Option<u64> {
    // SAFETY: the instruction reads a register that every x86-64 processor has, and touches no memory.
    Some(unsafe { std::arch::x86_64::_rdtsc() })
}

#[cfg(not(all(target_arch = "x86_64", not(miri))))]
#[inline(always)]
fn read_counter() -> Option<u64> {
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg_attr(miri, ignore = "Miri has no time-stamp counter")]
    fn a_span_clock_tells_the_time_of_its_clock() {
        let clock = Clock::system();
        let span_clock = SpanClock::new(clock.clone());
        for _ in 0..1_000 {
            let (before, now, after) = (clock.now(), span_clock.now(), clock.now());
            // Counters of two processors may differ by some steps, and the thread may move between them.
            let around = before.saturating_sub(1_000)..=after + 1_000;
            assert!(around.contains(&now), "{before} {now} {after}");
        }
        assert_eq!(span_clock.anchor(), clock.anchor());
    }

    #[test]
    fn a_span_clock_follows_a_manual_clock() {
        let manual = ManualClock::at_micros(7);
        let span_clock = SpanClock::new(manual.clone().into());
        manual.set_micros(8);
        assert_eq!(span_clock.try_now(), Some(8_000));
    }
}
