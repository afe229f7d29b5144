use crate::clock::{Clock, CounterScale};

/// The clock of a tracer's spans: read without a call where it is the processor's time-stamp counter.
#[derive(Debug)]
pub(crate) struct SpanClock {
    clock: Clock,
    /// There is the counter, and the clock reads nothing else.
    scale: Option<CounterScale>,
}

impl SpanClock {
    pub(crate) fn new(clock: Clock) -> Self {
        let scale = readings_around(|| clock.counter()).and_then(|(before, read, after)| {
            let (reading, scale) = read?;
            (before..=after).contains(&reading).then_some(scale)
        });
        Self { clock, scale }
    }

    /// Nanoseconds since tick zero: [`Clock::now`].
    #[inline(always)]
    pub(crate) fn now(&self) -> u64 {
        if let Some(scale) = self.scale
            && let Some(reading) = read_counter()
        {
            return scale.nanos_at(reading);
        }
        self.clock.now()
    }

    /// Nanoseconds since the epoch at tick zero, as of now.
    #[inline(always)]
    pub(crate) fn anchor(&self) -> i64 {
        self.clock.anchor()
    }
}

/// What the counter shows before and after `read`.
fn readings_around<R>(read: impl FnOnce() -> R) -> Option<(u64, R, u64)> {
    let before = read_counter()?;
    let result = read();
    Some((before, result, read_counter()?))
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
    use crate::clock::ManualClock;

    #[test]
    fn it_tells_the_time_of_its_clock() {
        let clock = Clock::system();
        let span_clock = SpanClock::new(clock.clone());
        for _ in 0..1_000 {
            let (before, now, after) = (clock.now(), span_clock.now(), clock.now());
            assert!((before..=after).contains(&now), "{before} {now} {after}");
        }
        assert_eq!(span_clock.anchor(), clock.anchor());
    }

    #[test]
    fn a_clock_that_is_not_the_counter_is_asked_itself() {
        let manual = ManualClock::at_micros(7);
        let span_clock = SpanClock::new(manual.into());
        assert!(span_clock.scale.is_none());
        assert_eq!(span_clock.now(), 7_000);
    }
}
