//! The clock of a tracer, which gives its spans their times, and a clock for tests.
//!
//! A span counts *ticks*, nanoseconds since a fixed moment, and never reads the wall clock. Ticks come from the
//! processor's time-stamp counter, calibrated by `quanta`, if the kernel itself trusts that counter, and from the
//! monotonic clock otherwise.
//!
//! An *anchor* says what the wall clock showed at tick zero. It is set when the clock is made, and again by the
//! worker, as the two clocks drift apart. A local root freezes the anchor for its trace, so that a step of the wall
//! clock neither reorders nor stretches the spans of one trace.
//!
//! Tests use a [`ManualClock`], which stands still until the test moves it.
//!
//! ```
//! use std::time::Duration;
//! use tracehound::clock::ManualClock;
//! use tracehound::prelude::*;
//! use tracehound::reporter::InMemoryReporter;
//! use tracehound::sampler::ConstSampler;
//!
//! let (clock, spans) = (ManualClock::default(), InMemoryReporter::new());
//! let tracer = JaegerTracer::builder("shop")
//!     .sampler(ConstSampler::new(true))
//!     .reporter(spans.clone())
//!     .clock(clock.clone())
//!     .build()?;
//! tracer.start_span("checkout").in_scope(|| clock.advance(Duration::from_millis(40)));
//! assert_eq!(spans.spans()[0].duration, Duration::from_millis(40)); // exactly
//! # Ok::<(), tracehound::tracer::BuildError>(())
//! ```

mod anchor;

use std::fmt;
use std::fs;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use self::anchor::{Look, anchor_by};

/// The source of all times of a tracer: [`Clock::system`] by default, a [`ManualClock`] in tests. Cheap to clone.
///
/// Spans have times from 1970 to February 2116. An earlier or later time of the clock counts as the nearest of these.
///
/// ```
/// use tracehound::clock::Clock;
///
/// let clock = Clock::system();
/// assert!(clock.monotonic() <= clock.clone().monotonic());
/// ```
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

/// The scale that turns a reading of the time-stamp counter into nanoseconds.
#[derive(Clone, Copy, Debug)]
pub(crate) struct CounterScale {
    origin: u64,
    /// How many nanoseconds 2^32 steps of the counter take.
    nanos: u64,
}

impl CounterScale {
    /// Returns the nanoseconds from tick zero to a reading.
    #[inline(always)]
    pub(crate) fn nanos_at(self, reading: u64) -> u64 {
        // Another core's counter may be some steps behind.
        let steps = reading.saturating_sub(self.origin);
        ((u128::from(steps) * u128::from(self.nanos)) >> 32) as u64
    }
}

impl Clock {
    /// Returns the clock of the machine.
    ///
    /// If it is the time-stamp counter, the first call in a process takes 10 to 20 ms to calibrate it.
    pub fn system() -> Self {
        // One tick zero for all tracers of the process: a span takes its anchor from its parent, which may be of
        // another tracer.
        static SOURCE: OnceLock<Source> = OnceLock::new();
        let clock = Self {
            source: SOURCE.get_or_init(Source::of_machine).clone(),
            anchor: Arc::default(),
        };
        clock.set_anchor();
        clock
    }

    /// Returns the time since a moment that is fixed as long as the process lives. Only a [`ManualClock`] can go
    /// back. For a sampler, codec, reporter or sender that measures or waits.
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

    /// Returns the nanoseconds since tick zero, at most [`MOST_NANOS`].
    #[inline(always)]
    pub(crate) fn now(&self) -> u64 {
        match &self.source {
            Source::Counter { clock, scale } => scale.nanos_at(clock.raw()),
            Source::Monotonic { origin } => nanos_since(*origin),
            Source::Manual(manual) => manual.now(),
        }
    }

    /// Returns a reading of the time-stamp counter and its scale, if the time comes from there.
    pub(crate) fn counter(&self) -> Option<(u64, CounterScale)> {
        match &self.source {
            Source::Counter { clock, scale } => Some((clock.raw(), *scale)),
            Source::Monotonic { .. } | Source::Manual(_) => None,
        }
    }

    /// Returns the manual clock, if this is one.
    pub(crate) fn manual(&self) -> Option<&ManualClock> {
        match &self.source {
            Source::Manual(manual) => Some(manual),
            Source::Counter { .. } | Source::Monotonic { .. } => None,
        }
    }

    /// Returns the anchor: nanoseconds from the Unix epoch to tick zero.
    #[inline(always)]
    pub(crate) fn anchor(&self) -> i64 {
        self.anchor.load(Ordering::Relaxed)
    }

    /// Moves the anchor as a step of the wall clock does when it is noticed.
    #[cfg(test)]
    pub(crate) fn step(&self, nanos: i64) {
        self.anchor.fetch_add(nanos, Ordering::Relaxed);
    }

    /// Sets the anchor by the wall clock. Traces that begin from now on use it.
    pub(crate) fn set_anchor(&self) {
        if !matches!(self.source, Source::Manual(_)) {
            let anchor = anchor_by(|| {
                let before = self.now();
                let wall = WallTime::nearest_to(system_time_now()).nanos;
                Look {
                    before,
                    wall: wall.max(EARLIEST_ANCHOR),
                    after: self.now(),
                }
            });
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

/// A clock that stands still until the program moves it. Clones share one time.
///
/// It goes from 1970 to February 2116, as times of spans do. A later time reads as the last of these.
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
    /// Makes a clock that stands at `micros` microseconds since the Unix epoch.
    pub fn at_micros(micros: u64) -> Self {
        Self {
            nanos: Arc::new(AtomicU64::new(micros.saturating_mul(1_000))),
        }
    }

    /// Moves the clock forward.
    pub fn advance(&self, by: Duration) {
        let nanos = u64::try_from(by.as_nanos()).unwrap_or(u64::MAX);
        self.nanos.fetch_add(nanos, Ordering::Relaxed);
    }

    /// Moves the clock to `micros` microseconds since the Unix epoch, forward or back.
    ///
    /// ```
    /// use std::time::Duration;
    /// use tracehound::clock::{Clock, ManualClock};
    ///
    /// let manual = ManualClock::at_micros(5);
    /// let clock = Clock::from(manual.clone());
    /// manual.advance(Duration::from_micros(2));
    /// let late = clock.monotonic();
    /// manual.set_micros(5);
    /// assert_eq!(late - clock.monotonic(), Duration::from_micros(2));
    /// ```
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

/// A point in time by the clock of a tracer, which [`Tracer::moment`](crate::Tracer::moment) returns: the beginning of
/// a span that starts later.
///
/// ```
/// use tracehound::clock::Moment;
/// # use tracehound::propagation::{ExtractCarrier, ExtractError, InjectCarrier};
/// # use tracehound::tracer::StartSpanOptions;
/// # use tracehound::{Span, SpanContext};
/// use tracehound::{NoopTracer, Tracer};
///
/// /// Adds nothing, and passes on the clock of the tracer that it wraps.
/// struct Wrapper<T>(T);
///
/// impl<T: Tracer> Tracer for Wrapper<T> {
///     fn moment(&self) -> Moment {
///         self.0.moment()
///     }
/// #
/// #     fn start(&self, options: StartSpanOptions<'_>) -> Span {
/// #         self.0.start(options)
/// #     }
/// #
/// #     fn inject(&self, context: &SpanContext, carrier: &mut dyn InjectCarrier) {
/// #         self.0.inject(context, carrier);
/// #     }
/// #
/// #     fn extract(&self, carrier: &dyn ExtractCarrier) -> Result<Option<SpanContext>, ExtractError> {
/// #         self.0.extract(carrier)
/// #     }
/// }
///
/// let begun = [Wrapper(NoopTracer).moment(), Moment::wall()];
/// # drop(begun);
/// ```
#[derive(Clone, Copy)]
pub struct Moment(Reading);

#[derive(Clone, Copy)]
pub(crate) enum Reading {
    /// Ticks of the tracer's clock.
    Ticks(u64),
    Wall(SystemTime),
}

impl Moment {
    /// Returns the current time of the wall clock, for a tracer of your own that has no other clock.
    pub fn wall() -> Self {
        Self(Reading::Wall(system_time_now()))
    }

    #[inline]
    pub(crate) fn ticks(ticks: u64) -> Self {
        Self(Reading::Ticks(ticks))
    }

    #[cfg(feature = "tracing")]
    #[inline]
    pub(crate) fn reading(self) -> Reading {
        self.0
    }
}

impl fmt::Debug for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Reading::Ticks(ticks) => write!(f, "Moment({ticks} ns)"),
            Reading::Wall(time) => write!(f, "Moment({time:?})"),
        }
    }
}

/// The latest time of a span, 146 years after the epoch: a sum or difference of two times does not overflow.
pub(crate) const MOST_NANOS: i64 = i64::MAX / 2;

/// The earliest anchor of a system's clock. A counter of another core may be some steps behind, and no time may be
/// before the epoch.
const EARLIEST_ANCHOR: i64 = 1_000_000;

/// Reads the monotonic clock, for deadlines. The only place that does.
#[expect(clippy::disallowed_methods, reason = "the one place")]
pub(crate) fn instant_now() -> Instant {
    Instant::now()
}

/// Reads the wall clock. The only place that does.
#[expect(clippy::disallowed_methods, reason = "the one place")]
pub(crate) fn system_time_now() -> SystemTime {
    SystemTime::now()
}

/// Returns the instant `timeout` from now, at most a year.
pub(crate) fn deadline_after(timeout: Duration) -> Instant {
    after(instant_now(), timeout)
}

/// Returns the instant `time` after `start`, at most a year.
pub(crate) fn after(start: Instant, time: Duration) -> Instant {
    const FAR: Duration = Duration::from_secs(60 * 60 * 24 * 365);
    start.checked_add(time.min(FAR)).unwrap_or(start)
}

/// A time that a span can have: from the epoch to [`MOST_NANOS`] after it, which is in February 2116.
///
/// Jaeger 1 loses every span of a datagram in which one time is before the epoch or after the year 9999, and Jaeger 2
/// counts nanoseconds without a sign.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct WallTime {
    /// Nanoseconds since the epoch.
    pub(crate) nanos: i64,
    /// Whether the time was moved, because it was before the first or after the last.
    pub(crate) is_clamped: bool,
}

impl WallTime {
    /// Returns the time, moved to the first or the last if it is outside.
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

/// Returns whether the kernel keeps time by the time-stamp counter. It stops doing so if the counter stops, drifts or
/// differs between processors, whereas `quanta` only asks the processor. On other systems than Linux `quanta`
/// decides.
fn kernel_trusts_counter() -> bool {
    fs::read_to_string("/sys/devices/system/clocksource/clocksource0/current_clocksource")
        .map_or(cfg!(not(target_os = "linux")), |source| {
            source.trim() == "tsc"
        })
}

/// Reads a duration as Go writes it, in nanoseconds: one or more numbers, with fractions or without, each followed by
/// `ns`, `us`, `ms`, `s`, `m` or `h`.
pub(crate) fn nanos_with_units(mut text: &str) -> Option<u128> {
    let mut total = 0u128;
    while !text.is_empty() {
        let number_end = text.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let (number, rest) = text.split_at(number_end);
        let unit_end = rest
            .find(|c: char| c.is_ascii_digit() || c == '.')
            .unwrap_or(rest.len());
        let (unit, rest) = rest.split_at(unit_end);
        let unit: u128 = match unit {
            "ns" => 1,
            "us" | "µs" | "μs" => 1_000,
            "ms" => 1_000_000,
            "s" => 1_000_000_000,
            "m" => 60_000_000_000,
            "h" => 3_600_000_000_000,
            _ => return None,
        };
        let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
        if whole.is_empty() && fraction.is_empty() || fraction.contains('.') {
            return None;
        }
        if !whole.is_empty() {
            total = total.checked_add(whole.parse::<u128>().ok()?.checked_mul(unit)?)?;
        }
        // Further digits are less than a nanosecond in every unit.
        let fraction = &fraction[..fraction.len().min(15)];
        if !fraction.is_empty() {
            let scale = 10u128.pow(fraction.len() as u32);
            total = total.checked_add(fraction.parse::<u128>().ok()? * unit / scale)?;
        }
        text = rest;
    }
    Some(total)
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
        // The two clocks may drift apart by a millisecond between the reads.
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
