//! A fleet in one process: a thousand services with a hundred operations each, and one source of strategies that sees
//! what they keep and computes probabilities, as a Jaeger backend with adaptive sampling does.
//!
//! Time is virtual and the seed is fixed. Strategies travel as the bytes that a backend would send.

use std::fmt::Write as _;
use std::time::Duration;

use tracehound::clock::ManualClock;
use tracehound::model::{TagValue, TraceId};
use tracehound::sampler::remote::Strategy;
use tracehound::sampler::{OperationStrategies, PerOperationSampler, SamplerTags, SpanView};

use super::kept;

const SERVICES: usize = 1_000;
const OPERATIONS: usize = 100;
/// How many traces a second the fleet may keep, of 7 700 at first and then 15 400.
const BUDGET: f64 = 1_500.0;
/// The seconds between two polls of a service, and between two calculations of the source.
const INTERVAL: usize = 10;
/// The second from which on half of the services have three times their traffic.
const SURGE: usize = 30;
const END: usize = 90;

#[test]
fn a_fleet_holds_its_budget_through_polls_and_a_surge() {
    let clock = ManualClock::default();
    let mut random = Random(0x5eed);
    let names: Vec<String> = (0..OPERATIONS).map(|n| format!("operation {n}")).collect();
    let mut source = Source::new();
    let mut services: Vec<_> = (0..SERVICES)
        .map(|at| Service::new(&mut random, &clock, source.strategies_of(at, &names)))
        .collect();
    for service in &mut services {
        for operation in 0..OPERATIONS {
            let tags = service.call(&mut random, &names, operation);
            assert!(
                tags.is_some(),
                "the lower bound keeps the first one of each"
            );
        }
    }

    let mut kept_in_second = Vec::new();
    for second in 0..END {
        let mut kept_now = 0;
        for (at, service) in services.iter_mut().enumerate() {
            // Polls are spread over the interval.
            if (second + at).is_multiple_of(INTERVAL) {
                service.sampler.update(source.strategies_of(at, &names));
            }
            let is_busier = second >= SURGE && at.is_multiple_of(2);
            let traffic = service.traffic[OPERATIONS - 1] * if is_busier { 3.0 } else { 1.0 };
            for _ in 0..random.poisson(traffic) {
                let operation = service.choose(random.fraction());
                if let Some(tags) = service.call(&mut random, &names, operation) {
                    kept_now += 1;
                    source.observe(at, operation, &tags);
                }
            }
        }
        kept_in_second.push(f64::from(kept_now));
        clock.advance(Duration::from_secs(1));
        if second % INTERVAL == INTERVAL - 1 {
            source.calculate();
        }
    }
    let intervals = kept_in_second.chunks(INTERVAL);
    let share: Vec<f64> = intervals
        .map(|kept| kept.iter().sum::<f64>() / INTERVAL as f64 / BUDGET)
        .collect();
    for at in [2, 7, 8] {
        assert!(
            (share[at] - 1.0).abs() <= 0.1,
            "interval {at} of {share:.2?}"
        );
    }
    assert!(share[3] > 1.5, "the surge is felt: {share:.2?}");
}

struct Service {
    sampler: PerOperationSampler,
    /// The traces a second of the operations so far, added up.
    traffic: Vec<f64>,
}

impl Service {
    /// Makes a service whose operations have between 0.01 and 0.25 traces a second.
    fn new(random: &mut Random, clock: &ManualClock, strategies: OperationStrategies) -> Self {
        let mut sum = 0.0;
        let traffic = (0..OPERATIONS).map(|_| {
            sum += 0.01 * 25_f64.powf(random.fraction());
            sum
        });
        Self {
            traffic: traffic.collect(),
            sampler: PerOperationSampler::new(strategies).clock(clock.clone()),
        }
    }

    /// Returns an operation, by a number from 0 to 1.
    fn choose(&self, fraction: f64) -> usize {
        let at = fraction * self.traffic[OPERATIONS - 1];
        self.traffic.partition_point(|sum| *sum <= at)
    }

    fn call(&self, random: &mut Random, names: &[String], at: usize) -> Option<SamplerTags> {
        let id = TraceId::new(0, random.next()).unwrap();
        kept(&self.sampler, &SpanView::new(id, &names[at], true))
    }
}

/// The source's knowledge of one operation.
#[derive(Clone)]
struct Known {
    /// The probability that it gives out.
    probability: f64,
    /// The traces since the last calculation, as far as kept ones tell.
    traces: f64,
    /// All traces, those of each interval count half as much as those of the next.
    remembered: f64,
}

struct Source {
    services: Vec<Vec<Known>>,
    /// The seconds in which the remembered traces came.
    seconds: f64,
}

impl Source {
    fn new() -> Self {
        let known = Known {
            probability: 0.2,
            traces: 0.0,
            remembered: 0.0,
        };
        Self {
            services: vec![vec![known; OPERATIONS]; SERVICES],
            seconds: 0.0,
        }
    }

    /// Counts a kept root by its tags, as Jaeger's collectors do: one that the lower bound kept does not count.
    fn observe(&mut self, service: usize, operation: usize, tags: &SamplerTags) {
        let TagValue::Double(probability) = *tags.param() else {
            unreachable!("{tags:?}");
        };
        match tags.kind() {
            "probabilistic" => self.services[service][operation].traces += 1.0 / probability,
            kind => assert_eq!(kind, "lowerbound"),
        }
    }

    /// Gives every operation an equal part of the budget.
    fn calculate(&mut self) {
        /// A few traces tell little, so each operation is taken for an average one for so many seconds more.
        const AVERAGE_SECONDS: f64 = 60.0;
        let part = BUDGET / (SERVICES * OPERATIONS) as f64;
        self.seconds = 0.5 * self.seconds + INTERVAL as f64;
        let mut all = 0.0;
        for known in self.services.iter_mut().flatten() {
            known.remembered = 0.5 * known.remembered + std::mem::take(&mut known.traces);
            all += known.remembered;
        }
        let average = all / (SERVICES * OPERATIONS) as f64 / self.seconds;
        for known in self.services.iter_mut().flatten() {
            let traces = known.remembered + AVERAGE_SECONDS * average;
            let traffic = traces / (self.seconds + AVERAGE_SECONDS);
            known.probability = (part / traffic).clamp(1e-5, 1.0);
        }
    }

    /// Returns the strategies of a service, out of the bytes of a reply to a poll.
    fn strategies_of(&self, service: usize, names: &[String]) -> OperationStrategies {
        let mut reply = r#"{"strategyType":"PROBABILISTIC","operationSampling":{"defaultSamplingProbability":0.2,
            "defaultLowerBoundTracesPerSecond":0.0016666666666666668,"defaultUpperBoundTracesPerSecond":0,
            "perOperationStrategies":["#
            .to_owned();
        for (at, (name, known)) in names.iter().zip(&self.services[service]).enumerate() {
            let comma = if at == 0 { "" } else { "," };
            let rate = known.probability;
            let _ = write!(
                reply,
                r#"{comma}{{"operation":"{name}","probabilisticSampling":{{"samplingRate":{rate}}}}}"#
            );
        }
        reply.push_str("]}}");
        match Strategy::from_json(reply.as_bytes()).unwrap() {
            Strategy::PerOperation(strategies) => strategies,
            other => unreachable!("{other}"),
        }
    }
}

/// SplitMix64.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Returns a number from 0 to 1.
    fn fraction(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// Returns how many events there are in a time that has `mean` of them on average.
    fn poisson(&mut self, mean: f64) -> u32 {
        let least = (-mean).exp();
        let mut count = 0;
        let mut product = self.fraction();
        while product > least {
            count += 1;
            product *= self.fraction();
        }
        count
    }
}
