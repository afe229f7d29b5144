//! Time: cheap ticks for spans, and what they are on the wall clock.
//!
//! A span reads ticks, never the wall clock: the processor's time-stamp counter, as `quanta` calibrates it, where the
//! kernel itself trusts it, the monotonic clock elsewhere. What wall time tick zero was is an *anchor*, set
//! when the clock is made and set again by the worker as the clocks drift apart. A local root freezes the
//! anchor for its trace, so that no step of the wall clock reorders or stretches the spans of one trace.

use std::fmt;
use std::fs;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Where spans have their times from.
///
/// [`Clock::system`] by default; a [`ManualClock`] in tests. Spans have times from 1970 to February 2116: a clock that
/// stands before or after counts as the nearest of these.
#[derive(Clone)]
pub struct Clock {
    source: Source,
    /// Nanoseconds since the Unix epoch at tick zero.
    anchor: Arc<AtomicI64>,
}

#[derive(Clone)]
enum Source {
    Counter {
        clock: quanta::Clock,
        scale: CounterScale,
    },
    Monotonic {
        origin: Instant,
    },
    Manual(ManualClock),
}

impl Source {
    fn of_machine() -> Self {
        if kernel_trusts_counter() {
            let clock = quanta::Clock::new();
            let origin = clock.raw();
            let nanos = clock.delta_as_nanos(0, 1 << 32);
            let scale = CounterScale { origin, nanos };
            Self::Counter { clock, scale }
        } else {
            Self::Monotonic {
                origin: instant_now(),
            }
        }
    }
}

/// What a reading of the time-stamp counter means.
#[derive(Clone, Copy, Debug)]
pub(crate) struct CounterScale {
    origin: u64,
    /// How long 2^32 steps of the counter are.
    nanos: u64,
}

impl CounterScale {
    /// Nanoseconds since tick zero.
    #[inline(always)]
    pub(crate) fn nanos_at(self, reading: u64) -> u64 {
        // Another core's counter may be some steps behind.
        let steps = reading.saturating_sub(self.origin);
        ((u128::from(steps) * u128::from(self.nanos)) >> 32) as u64
    }
}

impl Clock {
    /// The machine's clocks.
    ///
    /// The first one made in a process takes 10 to 20 ms to calibrate the time-stamp counter, where that is used.
    pub fn system() -> Self {
        // One tick zero for the process: a span may have its parent, and with it the anchor, from another tracer.
        static SOURCE: OnceLock<Source> = OnceLock::new();
        let clock = Self {
            source: SOURCE.get_or_init(Source::of_machine).clone(),
            anchor: Arc::default(),
        };
        clock.set_anchor();
        clock
    }

    /// Returns the time since a moment that stays the same as long as the process lives. It never goes back, unless a
    /// [`ManualClock`] is moved back, and does not know of the wall clock. For a part of the tracer that measures or waits.
    ///
    /// ```
    /// use std::time::Duration;
    /// use tracehound::clock::{Clock, ManualClock};
    ///
    /// let manual = ManualClock::default();
    /// let clock = Clock::from(manual.clone());
    /// let before = clock.monotonic();
    /// manual.advance(Duration::from_millis(5));
    /// assert_eq!(clock.monotonic() - before, Duration::from_millis(5));
    /// ```
    pub fn monotonic(&self) -> Duration {
        Duration::from_nanos(self.now())
    }

    /// Nanoseconds since tick zero, no more than [`MOST_NANOS`].
    #[inline(always)]
    pub(crate) fn now(&self) -> u64 {
        match &self.source {
            Source::Counter { clock, scale } => scale.nanos_at(clock.raw()),
            Source::Monotonic { origin } => nanos_since(*origin),
            Source::Manual(manual) => manual.now(),
        }
    }

    /// Where the time comes from `quanta`: what that reads now, and what it means.
    pub(crate) fn counter(&self) -> Option<(u64, CounterScale)> {
        match &self.source {
            Source::Counter { clock, scale } => Some((clock.raw(), *scale)),
            Source::Monotonic { .. } | Source::Manual(_) => None,
        }
    }

    pub(crate) fn manual(&self) -> Option<&ManualClock> {
        match &self.source {
            Source::Manual(manual) => Some(manual),
            Source::Counter { .. } | Source::Monotonic { .. } => None,
        }
    }

    /// Nanoseconds since the epoch at tick zero, as of now.
    #[inline(always)]
    pub(crate) fn anchor(&self) -> i64 {
        self.anchor.load(Ordering::Relaxed)
    }

    /// Sets the anchor anew from the wall clock: traces that begin from now on use it.
    pub(crate) fn set_anchor(&self) {
        if !matches!(self.source, Source::Manual(_)) {
            let now = WallTime::nearest_to(system_time_now())
                .nanos
                .max(EARLIEST_ANCHOR);
            let anchor = now.saturating_sub_unsigned(self.now());
            self.anchor.store(anchor, Ordering::Relaxed);
        }
    }
}

#[inline(never)]
fn nanos_since(origin: Instant) -> u64 {
    let nanos = instant_now().duration_since(origin).as_nanos();
    nanos.min(u128::from(MOST_NANOS.unsigned_abs())) as u64
}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.source {
            Source::Counter { .. } => "Clock(time-stamp counter)",
            Source::Monotonic { .. } => "Clock(monotonic)",
            Source::Manual(_) => "Clock(manual)",
        })
    }
}

impl From<ManualClock> for Clock {
    fn from(manual: ManualClock) -> Self {
        Self {
            source: Source::Manual(manual),
            anchor: Arc::default(),
        }
    }
}

/// A clock that stands still until it is told to move. Clones share one time.
///
/// It goes from 1970 to February 2116, as times of spans do: what is later reads as that.
///
/// ```
/// use std::time::Duration;
/// use tracehound::JaegerTracer;
/// use tracehound::clock::ManualClock;
/// use tracehound::prelude::*;
/// use tracehound::reporter::InMemoryReporter;
/// use tracehound::sampler::ConstSampler;
///
/// let clock = ManualClock::at_micros(1_500_000_000_000_000);
/// let spans = InMemoryReporter::new();
/// let tracer = JaegerTracer::builder("shop")
///     .sampler(ConstSampler::new(true))
///     .reporter(spans.clone())
///     .clock(clock.clone())
///     .build()?;
/// let span = tracer.start_span("checkout");
/// clock.advance(Duration::from_millis(3));
/// span.finish();
/// assert_eq!(spans.spans()[0].duration, Duration::from_millis(3));
/// # Ok::<(), tracehound::tracer::BuildError>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct ManualClock {
    nanos: Arc<AtomicU64>,
}

impl ManualClock {
    /// Stands at so many microseconds since the Unix epoch.
    pub fn at_micros(micros: u64) -> Self {
        Self {
            nanos: Arc::new(AtomicU64::new(micros.saturating_mul(1_000))),
        }
    }

    /// Moves forward.
    pub fn advance(&self, by: Duration) {
        let nanos = u64::try_from(by.as_nanos()).unwrap_or(u64::MAX);
        self.nanos.fetch_add(nanos, Ordering::Relaxed);
    }

    /// Moves anywhere, backwards too.
    pub fn set_micros(&self, micros: u64) {
        self.nanos
            .store(micros.saturating_mul(1_000), Ordering::Relaxed);
    }

    #[inline(always)]
    pub(crate) fn now(&self) -> u64 {
        self.nanos
            .load(Ordering::Relaxed)
            .min(MOST_NANOS.unsigned_abs())
    }
}

/// The latest time of a span, 146 years after the epoch: two times may be added or taken from each other.
pub(crate) const MOST_NANOS: i64 = i64::MAX / 2;

/// The least that a system's clock counts for: another core's counter may be some steps behind, and yet no time may be
/// before the epoch.
const EARLIEST_ANCHOR: i64 = 1_000_000;

/// The monotonic clock, for deadlines. The only place that reads it.
#[expect(clippy::disallowed_methods, reason = "the one place")]
pub(crate) fn instant_now() -> Instant {
    Instant::now()
}

/// The wall clock. The only place that reads it.
#[expect(clippy::disallowed_methods, reason = "the one place")]
pub(crate) fn system_time_now() -> SystemTime {
    SystemTime::now()
}

/// `timeout` from now; as far away as the platform can tell where that is beyond it.
pub(crate) fn deadline_after(timeout: Duration) -> Instant {
    after(instant_now(), timeout)
}

/// `time` after `start`, as [`deadline_after`].
pub(crate) fn after(start: Instant, time: Duration) -> Instant {
    const FAR: Duration = Duration::from_secs(60 * 60 * 24 * 365);
    start.checked_add(time.min(FAR)).unwrap_or(start)
}

/// A time as spans have it: from the epoch to [`MOST_NANOS`] after it, which is in February 2116.
///
/// Jaeger 1 loses every span of a datagram in which one time is before the epoch or after the year 9999, and Jaeger 2
/// counts the nanoseconds without a sign.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct WallTime {
    /// Since the epoch.
    pub(crate) nanos: i64,
    /// The time was another one, before the first or after the last.
    pub(crate) is_clamped: bool,
}

impl WallTime {
    pub(crate) fn nearest_to(time: SystemTime) -> Self {
        let most = u128::from(MOST_NANOS.unsigned_abs());
        match time
            .duration_since(UNIX_EPOCH)
            .map(|after| after.as_nanos())
        {
            Ok(nanos) => Self {
                nanos: nanos.min(most) as i64,
                is_clamped: nanos > most,
            },
            Err(_) => Self {
                nanos: 0,
                is_clamped: true,
            },
        }
    }
}

/// The kernel demotes a counter that stops, drifts or differs between processors; `quanta` only asks the
/// processor. Without the file (not Linux) `quanta`'s own judgement stands.
fn kernel_trusts_counter() -> bool {
    fs::read_to_string("/sys/devices/system/clocksource/clocksource0/current_clocksource")
        .map_or(cfg!(not(target_os = "linux")), |source| {
            source.trim() == "tsc"
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_system_clock_agrees_with_the_wall_clock() {
        let clock = Clock::system();
        let before = WallTime::nearest_to(system_time_now()).nanos;
        let now = clock.anchor() + clock.now() as i64;
        let after = WallTime::nearest_to(system_time_now()).nanos;
        // A millisecond of drift is allowed for between the two reads.
        assert!((before - 1_000_000..=after + 1_000_000).contains(&now));
    }

    #[test]
    fn a_manual_clock_moves_only_when_told() {
        let manual = ManualClock::at_micros(7);
        let clock = Clock::from(manual.clone());
        assert_eq!(clock.now(), 7_000);
        manual.advance(Duration::from_micros(1));
        assert_eq!(clock.now(), 8_000);
        clock.set_anchor();
        assert_eq!(clock.anchor(), 0);
    }

    #[test]
    fn a_deadline_never_overflows() {
        assert!(deadline_after(Duration::MAX) > instant_now());
    }
}
