//! A token bucket, which limits how fast bytes go.

use std::time::{Duration, Instant};

use crate::clock::after;

/// Holds up to a burst of bytes and is refilled at a constant rate.
#[derive(Debug)]
pub(super) struct Bucket {
    bytes_per_second: u64,
    burst: u64,
    level: u64,
    filled_at: Option<Instant>,
}

impl Bucket {
    /// Returns a full bucket.
    pub(super) const fn new(bytes_per_second: u64, burst: u64) -> Self {
        Self {
            bytes_per_second,
            burst,
            level: burst,
            filled_at: None,
        }
    }

    /// Changes the rate.
    pub(super) fn set_bytes_per_second(&mut self, bytes: u64) {
        self.bytes_per_second = bytes;
    }

    /// Returns when the bucket will hold `bytes`, or `None` if it does now. More than a burst waits for a full bucket.
    pub(super) fn ready_at(&mut self, bytes: u64, now: Instant) -> Option<Instant> {
        self.fill(now);
        let missing = bytes.min(self.burst).checked_sub(self.level)?;
        if missing == 0 {
            return None;
        }
        let nanos = (u128::from(missing) * NANOS).div_ceil(self.bytes_per_second.max(1).into());
        let nanos = u64::try_from(nanos).unwrap_or(u64::MAX);
        Some(after(now, Duration::from_nanos(nanos)))
    }

    /// Takes `bytes` out.
    pub(super) fn take(&mut self, bytes: u64) {
        self.level = self.level.saturating_sub(bytes);
    }

    fn fill(&mut self, now: Instant) {
        let Some(before) = self.filled_at else {
            self.filled_at = Some(now);
            return;
        };
        let elapsed = now.saturating_duration_since(before);
        let more = elapsed.as_nanos() * u128::from(self.bytes_per_second) / NANOS;
        if more > 0 {
            let more = u64::try_from(more).unwrap_or(u64::MAX);
            self.level = self.level.saturating_add(more).min(self.burst);
            self.filled_at = Some(now);
        }
    }
}

const NANOS: u128 = 1_000_000_000;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::instant_now;

    fn take(bucket: &mut Bucket, bytes: u64, now: Instant) -> Result<(), Instant> {
        match bucket.ready_at(bytes, now) {
            Some(at) => Err(at),
            None => {
                bucket.take(bytes);
                Ok(())
            }
        }
    }

    #[test]
    fn a_burst_goes_at_once_and_further_bytes_at_the_rate() {
        let start = instant_now();
        let mut bucket = Bucket::new(1_000_000, 5_000);
        let mut now = start;
        for _ in 0..5 {
            assert_eq!(take(&mut bucket, 1_000, now), Ok(()));
        }
        for _ in 0..1_000 {
            let at = take(&mut bucket, 1_000, now).expect_err("empty");
            assert_eq!(at - now, Duration::from_millis(1));
            now = at;
            assert_eq!(take(&mut bucket, 1_000, now), Ok(()));
        }
        assert_eq!(now - start, Duration::from_secs(1));
    }

    #[test]
    fn a_bucket_saves_no_more_than_a_burst_and_more_waits_for_a_full_one() {
        let start = instant_now();
        let mut bucket = Bucket::new(1_000_000, 5_000);
        assert_eq!(take(&mut bucket, 60_000, start), Ok(()));
        let at = take(&mut bucket, 60_000, start).expect_err("empty");
        assert_eq!(at - start, Duration::from_millis(5));
        let later = start + Duration::from_secs(3_600);
        assert_eq!(take(&mut bucket, 5_000, later), Ok(()));
        assert!(take(&mut bucket, 1, later).is_err());
    }

    #[test]
    fn frequent_looks_at_a_slow_bucket_lose_no_tokens() {
        let start = instant_now();
        let mut bucket = Bucket::new(10, 1);
        assert_eq!(take(&mut bucket, 1, start), Ok(()));
        let mut taken = 0;
        for micros in (0..1_000_000).step_by(10) {
            let now = start + Duration::from_micros(micros);
            taken += u32::from(take(&mut bucket, 1, now).is_ok());
        }
        assert_eq!(taken, 9);
    }
}
