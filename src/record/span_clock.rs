use crate::clock::{Clock, CounterScale, ManualClock};

/// The clock of a tracer's spans: read without a call where it is the processor's time-stamp counter.
#[derive(Debug)]
pub(crate) struct SpanClock {
    clock: Clock,
    fast: FastSource,
}

/// What can be read without a call.
#[derive(Debug)]
enum FastSource {
    /// The counter, and the clock reads nothing else.
    Counter(CounterScale),
    Manual(ManualClock),
    Nothing,
}

impl SpanClock {
    pub(crate) fn new(clock: Clock) -> Self {
        // Asked first whether it is one: a system may forbid the instruction, and then the clock is another.
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

    /// Nanoseconds since tick zero: [`Clock::now`].
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

    /// The same where it takes no call.
    #[inline(always)]
    pub(crate) fn try_now(&self) -> Option<u64> {
        match &self.fast {
            FastSource::Counter(scale) => read_counter().map(|reading| scale.nanos_at(reading)),
            FastSource::Manual(manual) => Some(manual.now()),
            FastSource::Nothing => None,
        }
    }

    /// Nanoseconds since the epoch at tick zero, as of now.
    #[inline(always)]
    pub(crate) fn anchor(&self) -> i64 {
        self.clock.anchor()
    }
}

#[cfg(all(target_arch = "x86_64", not(miri)))]
#[inline(always)]
fn read_counter() -> Option<u64> {
    // SAFETY: reads a register that every processor of this kind has, and touches no memory.
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
    #[cfg_attr(miri, ignore = "the processor cannot be asked for its counter")]
    fn it_tells_the_time_of_its_clock() {
        let clock = Clock::system();
        let span_clock = SpanClock::new(clock.clone());
        for _ in 0..1_000 {
            let (before, now, after) = (clock.now(), span_clock.now(), clock.now());
            // Processors' counters may be some steps apart, and the thread may go from one to another.
            let around = before.saturating_sub(1_000)..=after + 1_000;
            assert!(around.contains(&now), "{before} {now} {after}");
        }
        assert_eq!(span_clock.anchor(), clock.anchor());
    }

    #[test]
    fn a_manual_clock_is_no_counter() {
        let manual = ManualClock::at_micros(7);
        let span_clock = SpanClock::new(manual.clone().into());
        manual.set_micros(8);
        assert_eq!(span_clock.try_now(), Some(8_000));
    }
}
