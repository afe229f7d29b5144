use std::fmt;
use std::sync::atomic::{AtomicI64, Ordering};

use crate::clock::Clock;

/// A leaky bucket: `rate` credits a second flow in, and it holds at most `max(rate, 1)`.
///
/// One atomic word holds its state: the tick at which the bucket was empty. The balance is what has flowed in since.
/// Spending moves the tick towards now, as in Jaeger's Java client.
///
/// A window of `w` seconds never has more than `rate * w + max(rate, 1)` credits, however many threads spend them. The
/// `rate` of this bound is rounded up, so that a credit takes a whole number of nanoseconds, and is at most a billion.
///
/// The bucket starts full. At a rate of 0 it is always empty.
pub(crate) struct RateLimiter {
    clock: Clock,
    /// The tick at which the bucket was empty. A thread that sets it never goes beyond the tick that it has read.
    /// [`MOVED`] once a successor has the balance.
    empty_at: AtomicI64,
    flow: Flow,
}

/// A rate and a capacity, as times.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Flow {
    /// How long one credit takes to flow in; `None` if none ever does.
    nanos_per_credit: Option<i64>,
    /// How long an empty bucket takes to fill.
    nanos_to_full: i64,
}

impl RateLimiter {
    /// Makes a full bucket of `rate` credits a second. The rate is finite and at least 0.
    pub(crate) fn new(rate: f64, clock: Clock) -> Self {
        Self::with_capacity(rate, rate, clock)
    }

    /// Makes a full bucket that holds `capacity` credits, or one if that is more.
    pub(crate) fn with_capacity(rate: f64, capacity: f64, clock: Clock) -> Self {
        let flow = Flow::new(rate, capacity.max(1.0));
        Self::with_balance(flow, flow.nanos_to_full, clock)
    }

    fn with_balance(flow: Flow, balance: i64, clock: Clock) -> Self {
        Self {
            empty_at: AtomicI64::new(ticks(&clock).saturating_sub(balance)),
            clock,
            flow,
        }
    }

    /// Takes `credits` if the balance is enough; returns whether it was.
    pub(crate) fn try_spend(&self, credits: f64) -> bool {
        let Some(nanos_per_credit) = self.flow.nanos_per_credit else {
            return false;
        };
        let cost = (nanos_per_credit as f64 * credits).ceil() as i64;
        // Acquire: the clock is read after the word, so that a tick before it means that the clock went back and not
        // that this thread was slow. Pairs with the exchanges here and in `moved_to`.
        let mut empty_at = self.empty_at.load(Ordering::Acquire);
        loop {
            if empty_at == MOVED {
                return false;
            }
            let now = ticks(&self.clock);
            let full_since = now.saturating_sub(self.flow.nanos_to_full);
            let spent = empty_at.max(full_since).saturating_add(cost);
            let (next, is_granted) = if spent <= now {
                (spent, true)
            } else if empty_at.saturating_sub(now) > REWIND {
                // The clock went back. Begin with an empty bucket; the old one would wait for the clock to catch up.
                (now, false)
            } else {
                return false;
            };
            match self.empty_at.compare_exchange_weak(
                empty_at,
                next,
                Ordering::AcqRel,
                Ordering::Acquire,
            ) {
                Ok(_) => return is_granted,
                Err(found) => empty_at = found,
            }
        }
    }

    /// Returns a limiter of another rate with this one's balance, in proportion: a half-full bucket stays half full.
    /// The balance moves: this limiter grants nothing from now on, so that no credit is spent twice.
    pub(crate) fn succeeded_by(&self, rate: f64) -> Self {
        self.moved_to(Flow::new(rate, rate.max(1.0)))
    }

    /// Returns how many credits there are now.
    pub(crate) fn balance(&self) -> f64 {
        let Some(nanos_per_credit) = self.flow.nanos_per_credit else {
            return 0.0;
        };
        let empty_at = self.empty_at.load(Ordering::Relaxed);
        let held = ticks(&self.clock).saturating_sub(empty_at);
        held.clamp(0, self.flow.nanos_to_full) as f64 / nanos_per_credit as f64
    }

    /// Returns whether the bucket holds as much as a new one. A bucket that has moved never does.
    pub(crate) fn is_full(&self) -> bool {
        let empty_at = self.empty_at.load(Ordering::Relaxed);
        ticks(&self.clock).saturating_sub(empty_at) >= self.flow.nanos_to_full
    }

    /// Returns whether a successor has the balance.
    pub(crate) fn has_moved(&self) -> bool {
        self.empty_at.load(Ordering::Relaxed) == MOVED
    }

    fn moved_to(&self, flow: Flow) -> Self {
        // Acquire and release, as the exchanges of `try_spend`.
        let empty_at = self.empty_at.swap(MOVED, Ordering::AcqRel);
        let full = i128::from(self.flow.nanos_to_full);
        let balance = if empty_at == MOVED || full == 0 {
            0
        } else {
            let held = i128::from(ticks(&self.clock)) - i128::from(empty_at);
            let share = held.clamp(0, full) * i128::from(flow.nanos_to_full) / full;
            i64::try_from(share).unwrap_or(flow.nanos_to_full)
        };
        Self::with_balance(flow, balance, self.clock.clone())
    }
}

/// Says how full the bucket is.
impl fmt::Display for RateLimiter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.1} at once now", self.balance())
    }
}

impl fmt::Debug for RateLimiter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RateLimiter({:?})", self.flow)
    }
}

impl Flow {
    fn new(rate: f64, capacity: f64) -> Self {
        if rate > 0.0 {
            // Rounded down, so that a whole second brings all its credits, as in the Go, Java, Node and Python clients.
            // The time to full is a multiple of it, so that a full bucket holds as many credits as without rounding.
            let nanos_per_credit = (1e9 / rate).floor().max(1.0);
            Self {
                nanos_per_credit: Some(nanos_per_credit as i64),
                nanos_to_full: (nanos_per_credit * capacity) as i64,
            }
        } else {
            Self {
                nanos_per_credit: None,
                nanos_to_full: 0,
            }
        }
    }
}

fn ticks(clock: &Clock) -> i64 {
    i64::try_from(clock.now()).unwrap_or(i64::MAX)
}

/// Marks a balance that has moved to a successor. No tick is this late.
const MOVED: i64 = i64::MAX;

/// By how many nanoseconds the clock must go back to be believed: the counters of two processors may differ a little.
const REWIND: i64 = 1_000_000_000;

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicU64;
    use std::sync::{Arc, Mutex, PoisonError};
    use std::time::Duration;
    use std::{fs, thread};

    use serde_json::Value;

    use super::*;
    use crate::clock::ManualClock;

    /// Runs the steps of a vector; returns the decisions and balances.
    fn replay(input: &Value) -> (String, Vec<f64>) {
        let number = |value: &Value| value.as_f64().expect("a number");
        let start = input["start_ms"].as_u64().expect("milliseconds");
        let manual = ManualClock::at_micros(start * 1_000);
        let flow = |of: &Value| {
            Flow::new(
                number(&of["credits_per_second"]),
                number(&of["max_balance"]),
            )
        };
        let first = flow(input);
        let per_credit = first.nanos_per_credit.unwrap_or(0) as f64;
        let initial = (number(&input["initial_balance"]) * per_credit) as i64;
        let mut limiter = RateLimiter::with_balance(first, initial, Clock::from(manual.clone()));
        let mut decisions = String::new();
        let mut balances = Vec::new();
        for step in input["steps"].as_array().expect("steps") {
            let at = step["at_ms"].as_u64().expect("milliseconds");
            manual.set_micros((start + at) * 1_000);
            match step.get("update") {
                Some(update) => {
                    limiter = limiter.moved_to(flow(update));
                    decisions.push('u');
                }
                None if limiter.try_spend(number(&step["cost"])) => decisions.push('1'),
                None => decisions.push('0'),
            }
            balances.push(limiter.balance());
        }
        (decisions, balances)
    }

    /// Where our limiter differs from every recorded client, and why.
    const DIFFERENCES: [(&str, &str, &str); 2] = [
        (
            "hundred-per-second-every-ms",
            "decisions",
            "ten tenths of a credit are one credit here, where whole nanoseconds are counted as in the Java client \
             (not recorded, as it always starts full); as a sum of doubles they are less than one",
        ),
        (
            "update-to-zero",
            "balances",
            "a limiter of rate 0 is always empty",
        ),
    ];

    #[test]
    fn each_recorded_run_equals_that_of_a_client() {
        let path = "tests/vectors/sampler_rate_limiter.json";
        let path = format!("{}/{path}", env!("CARGO_MANIFEST_DIR"));
        let file: Value =
            serde_json::from_str(&fs::read_to_string(path).expect("a file")).expect("JSON");
        let entries = file["entries"].as_array().expect("entries");
        assert_eq!(entries.len(), 18);
        let mut different = Vec::new();
        for entry in entries {
            let name = entry["name"].as_str().expect("a name");
            let (decisions, balances) = replay(&entry["input"]);
            let results = entry["results"].as_object().expect("results");
            if !results
                .values()
                .any(|result| result["decisions"] == *decisions)
            {
                different.push((name, "decisions"));
                continue;
            }
            let node = &results["jaeger-client-node 3.19.0"];
            let theirs = node["balances"]
                .as_array()
                .expect("balances")
                .iter()
                .map(Value::as_f64);
            let is_near = |(ours, theirs): (f64, Option<f64>)| {
                theirs.is_some_and(|theirs| (ours - theirs).abs() < 1e-6)
            };
            if node["decisions"] == *decisions && !balances.into_iter().zip(theirs).all(is_near) {
                different.push((name, "balances"));
            }
        }
        assert_eq!(different, DIFFERENCES.map(|(name, what, _)| (name, what)));
    }

    #[test]
    fn a_successor_takes_its_share_of_the_balance_and_the_first_limiter_keeps_nothing() {
        let manual = ManualClock::default();
        let first = RateLimiter::new(10.0, Clock::from(manual.clone()));
        for _ in 0..5 {
            assert!(first.try_spend(1.0));
        }
        let second = first.succeeded_by(4.0);
        assert_eq!(second.balance(), 2.0);
        assert!(!first.try_spend(1.0));
        assert_eq!(first.succeeded_by(4.0).balance(), 0.0);
        let never = second.succeeded_by(0.0);
        manual.advance(Duration::from_secs(3_600));
        assert!(!never.try_spend(1.0) && !second.try_spend(1.0));
        let again = never.succeeded_by(1.0);
        assert!(!again.try_spend(1.0));
        manual.advance(Duration::from_secs(1));
        assert!(again.try_spend(1.0));
    }

    /// Threads that are refused share the word without writing it.
    #[test]
    fn a_refusal_and_a_look_leave_the_word_as_it_is() {
        let manual = ManualClock::at_micros(1_500_000_000_000_000);
        let limiter = RateLimiter::new(2.0, Clock::from(manual.clone()));
        assert!(limiter.try_spend(1.0) && limiter.try_spend(1.0));
        let word = limiter.empty_at.load(Ordering::Relaxed);
        for _ in 0..10 {
            manual.advance(Duration::from_millis(49));
            assert!(!limiter.try_spend(1.0));
            assert!(limiter.balance() < 1.0);
            assert_eq!(limiter.empty_at.load(Ordering::Relaxed), word);
        }
        manual.advance(Duration::from_millis(10));
        assert!(limiter.try_spend(1.0));
        assert_ne!(limiter.empty_at.load(Ordering::Relaxed), word);
    }

    #[test]
    fn extreme_rates_neither_overflow_nor_lose_the_first_credit() {
        for rate in [
            f64::MIN_POSITIVE,
            5e-324,
            1e-300,
            1e-12,
            1e-10,
            1e-9,
            1e9,
            1e18,
            f64::MAX,
        ] {
            for manual in [
                ManualClock::default(),
                ManualClock::at_micros(1_500_000_000_000_000),
            ] {
                let limiter = RateLimiter::new(rate, Clock::from(manual.clone()));
                assert!(limiter.try_spend(1.0), "{rate}");
                if rate < 1.0 {
                    assert!(!limiter.try_spend(1.0), "{rate}");
                    assert!(!limiter.succeeded_by(1.0).try_spend(1.0), "{rate}");
                }
            }
        }
    }

    /// Four threads spend while the clock runs in small steps and the limiter is replaced many times.
    #[test]
    fn threads_never_spend_more_than_flows_in() {
        const RATE: f64 = 1_000.0;
        let manual = ManualClock::default();
        let limiter = Mutex::new(Arc::new(RateLimiter::new(
            RATE,
            Clock::from(manual.clone()),
        )));
        let current = || {
            limiter
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .clone()
        };
        let granted = AtomicU64::new(0);
        thread::scope(|scope| {
            for worker in 0..4 {
                let (current, granted, manual, limiter) = (&current, &granted, &manual, &limiter);
                scope.spawn(move || {
                    for round in 0..20_000 {
                        let mine = current();
                        for _ in 0..3 {
                            granted.fetch_add(mine.try_spend(1.0).into(), Ordering::Relaxed);
                        }
                        manual.advance(Duration::from_micros(7));
                        if round % 50 == worker {
                            let mut slot = limiter.lock().unwrap_or_else(PoisonError::into_inner);
                            *slot = slot.succeeded_by(RATE).into();
                        }
                    }
                });
            }
        });
        // 4 x 20 000 x 7 µs.
        let elapsed = 0.56;
        let granted = granted.into_inner() as f64;
        assert!(granted <= RATE * elapsed + RATE, "{granted}");
        // A thread may stop between `current` and its calls while the limiter is replaced. The clock then runs on
        // without it, but the bucket is so large that nothing flows over.
        assert!(granted >= 0.95 * RATE * elapsed, "{granted}");
    }
}
