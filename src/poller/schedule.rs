use std::collections::hash_map::RandomState;
use std::hash::BuildHasher as _;
use std::time::Duration;

use rand::TryRng as _;
use rand::rngs::SysRng;

/// The times at which a server is asked again.
///
/// After a success in an interval. After failures in twice the pause before, up to five minutes: beginning with a
/// second until the first success, as a server may start later than its programs, and with an interval from then on.
/// Every pause is moved at random by up to a fifth, so that programs that started together do not ask together.
#[derive(Debug)]
pub(crate) struct PollSchedule {
    interval: Duration,
    has_succeeded: bool,
    /// The pause after the last failure, if the last question has failed.
    failure_pause: Option<Duration>,
}

impl PollSchedule {
    /// Makes a schedule with an interval of 1 ms to a year; others count as the nearest of these.
    pub(crate) fn new(interval: Duration) -> Self {
        Self {
            interval: interval.clamp(SHORTEST_INTERVAL, LONGEST_INTERVAL),
            has_succeeded: false,
            failure_pause: None,
        }
    }

    /// Returns the pause if there was nothing to ask.
    pub(crate) fn idle_pause(&self) -> Duration {
        moved(self.interval, random_share())
    }

    /// Returns the pause after a question.
    pub(crate) fn pause_after(&mut self, is_success: bool) -> Duration {
        self.jittered(is_success, random_share())
    }

    /// Returns the pause after a question, moved by a share from 0 to 1.
    fn jittered(&mut self, is_success: bool, share: f64) -> Duration {
        let pause = if is_success {
            self.has_succeeded = true;
            self.failure_pause = None;
            self.interval
        } else {
            let first = match self.has_succeeded {
                true => self.interval,
                false => self.interval.min(FIRST_RETRY),
            };
            let longest = self.interval.max(LONGEST_PAUSE);
            let pause = self
                .failure_pause
                .map_or(first, |last| last.saturating_mul(2));
            let pause = pause.min(longest);
            self.failure_pause = Some(pause);
            pause
        };
        moved(pause, share)
    }
}

/// Returns a pause, moved by at most [`JITTER`] of itself. A share of a half does not move it.
fn moved(pause: Duration, share: f64) -> Duration {
    pause.mul_f64(1.0 - JITTER + 2.0 * JITTER * share)
}

/// Returns a random number from 0 to 1 that differs between processes which start in one instant.
fn random_share() -> f64 {
    let bits = SysRng.try_next_u64();
    // Without the system's random numbers: the keys of a hash map, which differ from map to map.
    let bits = bits.unwrap_or_else(|_| RandomState::new().hash_one(0));
    (bits >> 11) as f64 / (1_u64 << 53) as f64
}

const SHORTEST_INTERVAL: Duration = Duration::from_millis(1);

const LONGEST_INTERVAL: Duration = Duration::from_secs(365 * 24 * 60 * 60);

/// By which part of itself a pause is moved at most.
const JITTER: f64 = 0.2;

/// The pause after the first failure of a program whose server has not answered yet.
const FIRST_RETRY: Duration = Duration::from_secs(1);

/// The longest pause after failures, unless the interval is longer.
const LONGEST_PAUSE: Duration = Duration::from_secs(300);

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns the pauses without jitter.
    fn pauses(interval: u64, fetches: &[bool]) -> Vec<u64> {
        let mut schedule = PollSchedule::new(Duration::from_secs(interval));
        let fetches = fetches.iter();
        fetches
            .map(|is_success| schedule.jittered(*is_success, 0.5).as_secs())
            .collect()
    }

    #[test]
    fn failures_double_the_pause_up_to_five_minutes() {
        let failures = [false; 11];
        let expected = [1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300];
        assert_eq!(pauses(60, &failures), expected, "until the first success");
        let later = [true, false, false, false, false, false, true, false];
        assert_eq!(pauses(60, &later), [60, 60, 120, 240, 300, 300, 60, 60]);
        assert_eq!(pauses(900, &later[..4]), [900, 900, 900, 900]);
    }

    #[test]
    fn a_pause_without_a_question_is_an_interval_and_leaves_the_failures() {
        let mut schedule = PollSchedule::new(Duration::from_secs(60));
        assert_eq!(schedule.jittered(false, 0.5).as_secs(), 1);
        let pause = schedule.idle_pause().as_secs_f64();
        assert!((48.0..=72.0).contains(&pause), "{pause}");
        assert_eq!(schedule.jittered(false, 0.5).as_secs(), 2);
    }

    #[test]
    fn a_thousand_tracers_that_start_together_do_not_poll_in_step() {
        let mut schedules: Vec<_> = (0..1_000)
            .map(|_| PollSchedule::new(Duration::from_secs(60)))
            .collect();
        let mut times = vec![0.0; schedules.len()];
        for round in 1..=10 {
            for (schedule, time) in schedules.iter_mut().zip(&mut times) {
                let pause = schedule.pause_after(true).as_secs_f64();
                assert!((48.0..=72.0).contains(&pause), "{pause}");
                *time += pause;
            }
            // The first round spreads them over 24 s, evenly: 42 in a second on average.
            let mut in_second = std::collections::HashMap::new();
            for time in &times {
                *in_second.entry(*time as u64).or_insert(0) += 1;
            }
            let busiest = in_second.values().max().expect("some");
            // 42 and eight standard deviations.
            assert!(
                *busiest < 95,
                "{busiest} polls in a second of round {round}"
            );
        }
        // Independent of each other, too: the rounds of one tracer do not repeat those of another.
        times.sort_by(f64::total_cmp);
        times.dedup();
        assert!(times.len() > 990, "{} different times", times.len());
    }
}
