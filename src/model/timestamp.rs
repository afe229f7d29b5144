use std::fmt;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::clock::MOST_NANOS;

/// A point in time as Jaeger stores it: whole microseconds since the Unix epoch.
///
/// It may be any time. Spans are sent with times from 1970 to February 2116. An earlier or later time is moved to the
/// nearest of these and counted as `clamped_times`, because a backend may lose more than the span for it.
///
/// ```
/// use std::time::Duration;
/// use tracehound::model::Timestamp;
///
/// let start = Timestamp::from_micros(1_500_000_000_000_000);
/// let end = Timestamp::from_micros(1_500_000_000_002_500);
/// assert_eq!(end.duration_since(start), Duration::from_micros(2_500));
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct Timestamp(i64);

impl Timestamp {
    /// The latest time that a span is sent with.
    pub(crate) const LATEST: Self = Self::from_nanos(MOST_NANOS);

    /// Makes a timestamp of microseconds since the epoch.
    pub const fn from_micros(micros: i64) -> Self {
        Self(micros)
    }

    /// Makes a timestamp of nanoseconds since the epoch, rounded down.
    #[inline(always)]
    pub(crate) const fn from_nanos(nanos: i64) -> Self {
        // Nearly all times are after the epoch; the compiler divides unsigned numbers by a multiplication.
        if nanos >= 0 {
            Self((nanos.unsigned_abs() / 1_000) as i64)
        } else {
            Self(nanos.div_euclid(1_000))
        }
    }

    /// Returns the nearest time that a span is sent with.
    pub(crate) fn clamped(self) -> Self {
        self.clamp(Self::default(), Self::LATEST)
    }

    /// Returns the microseconds since the epoch.
    ///
    /// ```
    /// use std::time::{Duration, SystemTime};
    /// use tracehound::model::Timestamp;
    ///
    /// let time = Timestamp::from(SystemTime::UNIX_EPOCH + Duration::from_millis(1));
    /// assert_eq!(time.as_micros(), 1_000);
    /// ```
    pub const fn as_micros(self) -> i64 {
        self.0
    }

    /// Returns the time that has passed since `earlier`; zero if `earlier` is later.
    pub fn duration_since(self, earlier: Self) -> Duration {
        Duration::from_micros(self.0.saturating_sub(earlier.0).max(0).unsigned_abs())
    }
}

impl From<SystemTime> for Timestamp {
    /// Rounds down to the microsecond. A time too far away becomes the nearest that an `i64` can hold.
    fn from(time: SystemTime) -> Self {
        Self(match time.duration_since(UNIX_EPOCH) {
            Ok(after) => i64::try_from(after.as_micros()).unwrap_or(i64::MAX),
            Err(before) => {
                let nanos = before.duration().as_nanos().div_ceil(1000);
                i64::try_from(nanos).map_or(i64::MIN, |micros| -micros)
            }
        })
    }
}

impl fmt::Debug for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}us", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn system_times_round_down() {
        let time = UNIX_EPOCH + Duration::from_nanos(1_999);
        assert_eq!(Timestamp::from(time).as_micros(), 1);
        let time = UNIX_EPOCH - Duration::from_nanos(1);
        assert_eq!(Timestamp::from(time).as_micros(), -1);
    }
}
