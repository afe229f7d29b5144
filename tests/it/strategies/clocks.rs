//! A limit from a server, while the clock is set by an hour.

use std::time::Duration;

use tracehound::JaegerTracer;
use tracehound::clock::ManualClock;
use tracehound::diagnostics::Diagnostics;
use tracehound::metrics::Counter;
use tracehound::prelude::*;
use tracehound::reporter::NullReporter;
use tracehound::sampler::remote::{FetchError, RemoteSampler, Strategy, StrategyFetcher};
use tracehound::sampler::{
    OperationStrategies, ProbabilisticSampler, SamplingRate, TracesPerSecond,
};

use super::until;

/// Always has this strategy.
struct Fixed(Strategy);

impl StrategyFetcher for Fixed {
    fn fetch(&mut self, _: &str) -> Result<Strategy, FetchError> {
        Ok(self.0.clone())
    }
}

/// Returns a tracer that follows the strategy, under a clock that stands at `START`.
fn following(strategy: Strategy) -> (JaegerTracer, ManualClock) {
    let clock = ManualClock::at_micros(START);
    let sampler =
        RemoteSampler::new(Fixed(strategy)).initial(ProbabilisticSampler::new(SamplingRate::ONE));
    let tracer = JaegerTracer::builder("test")
        .sampler(sampler)
        .reporter(NullReporter::new())
        .diagnostics(Diagnostics::silent())
        .clock(clock.clone())
        .build()
        .expect("named");
    until("the strategy", || {
        tracer.metrics().get(Counter::SamplerUpdatesOk) == 1
    });
    (tracer, clock)
}

/// Counts what is kept of many traces while the clock stands still.
fn kept(tracer: &JaegerTracer) -> u64 {
    let started = (0..1_000).map(|_| tracer.start_span("checkout"));
    started.filter(|span| span.context().is_sampled()).count() as u64
}

/// Counts what is kept in ten seconds of steps of 100 ms.
fn kept_in_ten_seconds(tracer: &JaegerTracer, clock: &ManualClock) -> u64 {
    (0..100)
        .map(|_| {
            clock.advance(Duration::from_millis(100));
            kept(tracer)
        })
        .sum()
}

#[test]
fn steps_of_an_hour_each_way_change_no_limit() {
    let limit = TracesPerSecond::from(LIMIT as u32);
    let nothing = OperationStrategies::new(SamplingRate::ZERO, limit);
    for strategy in [
        Strategy::RateLimiting(limit),
        Strategy::PerOperation(nothing),
    ] {
        let (tracer, clock) = following(strategy.clone());
        assert_eq!(kept(&tracer), LIMIT, "{strategy:?}: the full bucket");
        assert_eq!(
            kept_in_ten_seconds(&tracer, &clock),
            10 * LIMIT,
            "{strategy:?}"
        );
        let mut now = START + 10_000_000;
        for step in [HOUR, -HOUR, -HOUR, HOUR, -HOUR, 0, HOUR] {
            now = now.checked_add_signed(step).expect("after 1970");
            clock.set_micros(now);
            // What an hour fills is the bucket and no more; what an hour back fills is nothing.
            let burst = kept(&tracer);
            assert!(burst <= LIMIT, "{strategy:?}, {step}: {burst}");
            let steady = kept_in_ten_seconds(&tracer, &clock);
            assert!(
                (10 * LIMIT - LIMIT..=10 * LIMIT).contains(&steady),
                "{strategy:?}, {step}: {steady}"
            );
            now += 10_000_000;
        }
    }
}

#[test]
fn steps_of_an_hour_each_way_change_no_probability() {
    let half = Strategy::Probabilistic(SamplingRate::new(0.5).expect("a probability"));
    let (tracer, clock) = following(half);
    let mut now = START;
    for step in [HOUR, -HOUR, -HOUR, HOUR] {
        now = now.checked_add_signed(step).expect("after 1970");
        clock.set_micros(now);
        let kept: u64 = (0..10).map(|_| kept(&tracer)).sum();
        // Six standard deviations of 10,000 traces.
        assert!((4_700..=5_300).contains(&kept), "{kept}");
    }
}

const LIMIT: u64 = 5;
const START: u64 = 1_500_000_000_000_000;
const HOUR: i64 = 3_600_000_000;
