//! How many traces a limiter lets through.

use std::sync::Barrier;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::Duration;

use tracehound::clock::ManualClock;
use tracehound::sampler::RateLimitingSampler;

use super::{any_root, kept, limiting};

/// Calls the sampler with `calls` roots, most of them `step` apart, some at once. Returns when traces were kept, in
/// seconds, and how long the run took.
fn run(
    sampler: &RateLimitingSampler,
    clock: &ManualClock,
    calls: u32,
    step: Duration,
) -> (Vec<f64>, f64) {
    let span = any_root();
    let mut now = Duration::ZERO;
    let mut grants = Vec::new();
    for call in 0..calls {
        // In every hundred calls seven come at once, before a pause of eight steps.
        let pause = match call % 100 {
            1..=7 => Duration::ZERO,
            8 => step * 8,
            _ => step,
        };
        clock.advance(pause);
        now += pause;
        if kept(sampler, &span).is_some() {
            grants.push(now.as_secs_f64());
        }
    }
    (grants, now.as_secs_f64())
}

/// Asserts that a window of `w` seconds has at most `rate * w + max(rate, 1)` traces, where the rate is rounded to
/// whole nanoseconds between two traces.
fn assert_bounded(asked: f64, grants: &[f64]) {
    let rate = 1e9 / (1e9 / asked).floor();
    assert!(rate < asked * 1.001);
    let mut least = f64::INFINITY;
    for (n, at) in grants.iter().enumerate() {
        least = least.min(n as f64 - rate * at);
        let most = (n + 1) as f64 - rate * at - least;
        assert!(
            most <= rate.max(1.0) + 1e-6,
            "{rate} a second, at {at} s: {most}"
        );
    }
}

const STEP_AT_100_000_A_SECOND: Duration = Duration::from_micros(10);

#[test]
fn every_window_gets_at_most_its_share_and_nearly_all_of_it() {
    for rate in [0.1, 0.7, 1.0, 2.5, 3.0, 100.0, 999.9, 7_000.0, 99_999.0] {
        let clock = ManualClock::default();
        let sampler = limiting(rate).clock(clock.clone());
        // Enough calls for tens of traces.
        let calls = if rate < 10.0 { 2_000_000 } else { 200_000 };
        let (grants, seconds) = run(&sampler, &clock, calls, STEP_AT_100_000_A_SECOND);
        assert_bounded(rate, &grants);
        let due = 0.95 * rate * seconds;
        assert!(
            grants.len() as f64 >= due,
            "{rate} a second: {} in {seconds} s",
            grants.len()
        );
    }
}

#[test]
fn slow_callers_lose_nothing_to_fractions_of_a_second() {
    let clock = ManualClock::default();
    let sampler = limiting(1.0).clock(clock.clone());
    let (grants, seconds) = run(&sampler, &clock, 2_000, Duration::from_millis(130));
    assert_bounded(1.0, &grants);
    assert!(
        grants.len() as f64 >= 0.85 * seconds,
        "{} in {seconds} s",
        grants.len()
    );
}

#[test]
fn a_clock_step_of_an_hour_fills_the_bucket_at_most_once_and_never_blocks_it() {
    const HOUR_MICROS: u64 = 3_600_000_000;
    const RATE: f64 = 50.0;
    let mut micros = 10 * HOUR_MICROS;
    let clock = ManualClock::at_micros(micros);
    let sampler = limiting(RATE).clock(clock.clone());
    for is_forward in [true, false, false, true, false] {
        micros = if is_forward {
            micros + HOUR_MICROS
        } else {
            micros - HOUR_MICROS
        };
        clock.set_micros(micros);
        let (grants, seconds) = run(&sampler, &clock, 500_000, STEP_AT_100_000_A_SECOND);
        micros += (seconds * 1e6).round() as u64;
        assert_bounded(RATE, &grants);
        let due = 0.95 * RATE * seconds;
        assert!(
            grants.len() as f64 >= due,
            "forward {is_forward}: {}",
            grants.len()
        );
        let at_once = if is_forward { RATE } else { 0.0 };
        assert!(
            grants.len() as f64 <= RATE * seconds + at_once + 1e-6,
            "forward {is_forward}: {}",
            grants.len()
        );
    }
}

#[test]
fn threads_that_share_a_bucket_get_exactly_its_credits() {
    let clock = ManualClock::default();
    let sampler = limiting(500.0).clock(clock.clone());
    let burst = || {
        thread::scope(|scope| {
            let count = || {
                (0..5_000)
                    .filter(|_| kept(&sampler, &any_root()).is_some())
                    .count()
            };
            let threads: Vec<_> = (0..4).map(|_| scope.spawn(count)).collect();
            threads
                .into_iter()
                .map(|thread| thread.join().unwrap())
                .sum::<usize>()
        })
    };
    assert_eq!(burst(), 500);
    for (millis, due) in [(1, 0), (1, 1), (100, 50), (1_000, 500), (3_600_000, 500)] {
        clock.advance(Duration::from_millis(millis));
        assert_eq!(burst(), due, "{millis} ms later");
    }
}

/// Up to eight threads make a hundred thousand calls a second together. The clock moves between their turns only, so the
/// time of every grant is known.
#[test]
fn threads_together_get_at_most_their_share_of_every_window_and_nearly_all_of_it() {
    const TURNS: u32 = 1_500;
    const CALLS_IN_A_TURN: u32 = 100;
    let span = any_root();
    for threads in [1, 2, 3, 8] {
        for rate in [3.0, 250.0, 9_999.0, 60_000.0] {
            let clock = ManualClock::default();
            let sampler = limiting(rate).clock(clock.clone());
            let granted = AtomicU32::new(0);
            let turn = Barrier::new(threads as usize);
            let mut grants = Vec::new();
            let call = |thread| {
                let mine = (thread..CALLS_IN_A_TURN).step_by(threads as usize);
                let kept = mine.filter(|_| kept(&sampler, &span).is_some()).count();
                granted.fetch_add(kept as u32, Ordering::Relaxed);
            };
            thread::scope(|scope| {
                for thread in 1..threads {
                    let (call, turn) = (&call, &turn);
                    scope.spawn(move || {
                        for _ in 0..TURNS {
                            turn.wait();
                            call(thread);
                            turn.wait();
                        }
                    });
                }
                for at in 0..TURNS {
                    turn.wait();
                    call(0);
                    turn.wait();
                    let granted = granted.swap(0, Ordering::Relaxed);
                    let at = f64::from(at) / 1_000.0;
                    grants.extend((0..granted).map(|_| at));
                    clock.advance(Duration::from_millis(1));
                }
            });
            assert_bounded(rate, &grants);
            let due = 0.95 * rate * f64::from(TURNS) / 1_000.0;
            let (got, name) = (grants.len(), format!("{rate} a second, {threads} threads"));
            assert!(got as f64 >= due, "{name}: {got} of {due}");
        }
    }
}

#[test]
fn a_rate_limiting_sampler_keeps_the_whole_rate_in_every_second() {
    for rate in (1..=60).chain([99, 999, 1_001]) {
        let clock = ManualClock::at_micros(1_500_000_000_000_000);
        let sampler = limiting(f64::from(rate)).clock(clock.clone());
        for second in 0..12 {
            let kept = (0..rate + 5)
                .filter(|_| kept(&sampler, &any_root()).is_some())
                .count();
            assert_eq!(kept, rate as usize, "in second {second}");
            clock.advance(Duration::from_secs(1));
        }
    }
    // A third of a trace a second is one in every three seconds.
    let clock = ManualClock::at_micros(1_500_000_000_000_000);
    let sampler = limiting(1.0 / 3.0).clock(clock.clone());
    for _ in 0..12 {
        assert!(kept(&sampler, &any_root()).is_some());
        assert!(kept(&sampler, &any_root()).is_none());
        clock.advance(Duration::from_secs(3));
    }
}
