//! The samplers: which traces they keep, compared with other clients and under load.

use std::fs;
use std::thread;
use std::time::Duration;

use serde_json::Value;
use tracehound::clock::ManualClock;
use tracehound::model::{TagValue, TraceId};
use tracehound::sampler::{
    ConstSampler, ProbabilisticSampler, RateLimitingSampler, Sampler, SamplerTags,
    SamplingDecision, SamplingRate, SpanView, TracesPerSecond,
};

fn entries(file: &str) -> Vec<Value> {
    let path = format!("{}/tests/vectors/{file}.json", env!("CARGO_MANIFEST_DIR"));
    let mut json: Value = serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap();
    match json["entries"].take() {
        Value::Array(entries) => entries,
        other => unreachable!("{file}: {other}"),
    }
}

fn root(trace_id: TraceId) -> SpanView<'static> {
    SpanView::new(trace_id, "checkout", true)
}

fn any_root() -> SpanView<'static> {
    root(TraceId::new(0, 0x1234_5678_9abc_def0).unwrap())
}

fn limiting(rate: f64) -> RateLimitingSampler {
    RateLimitingSampler::new(TracesPerSecond::new(rate).unwrap())
}

/// The tags of a kept trace; `None` for a dropped one.
fn kept(sampler: &impl Sampler, span: &SpanView<'_>) -> Option<SamplerTags> {
    match sampler.on_create_span(span) {
        SamplingDecision::Sample(tags) => Some(tags),
        SamplingDecision::Drop => None,
        SamplingDecision::Delay => unreachable!("undecided"),
    }
}

fn probabilistic(rate: f64) -> ProbabilisticSampler {
    ProbabilisticSampler::new(SamplingRate::new(rate).unwrap())
}

fn has_tags(result: &Value, ours: &SamplerTags) -> bool {
    result["sampler.type"] == ours.kind()
        && matches!(ours.param(), TagValue::Double(param) if result["sampler.param"].as_f64() == Some(*param))
}

/// Where our samplers differ from every recorded client, and why.
const DIFFERENCES: &[(&str, &str, &str)] = &[
    (
        "sampler_probabilistic",
        "trace id 0",
        "a trace id is never zero, so no sampler gets one",
    ),
    (
        "sampler_random",
        "a number equal to the rate",
        "kept: the Node client draws `random < rate`, we compare the trace id with `<=` as the Go client does",
    ),
];

/// Asserts that the rows about `file` are the differences that were met, in this order.
fn assert_differences(file: &str, mut met: Vec<&str>) {
    met.dedup();
    let rows = DIFFERENCES
        .iter()
        .filter(|row| row.0 == file)
        .map(|row| row.1);
    assert_eq!(met, rows.collect::<Vec<_>>(), "{file}");
}

#[test]
fn probabilistic_decisions_equal_those_of_a_client_for_every_recorded_id() {
    let entries = entries("sampler_probabilistic");
    assert_eq!(entries.len(), 21);
    let mut differences = Vec::new();
    for entry in entries {
        let name = &entry["name"];
        let results = entry["results"].as_object().unwrap();
        let Ok(rate) = SamplingRate::new(entry["input"]["rate"].as_f64().unwrap()) else {
            assert!(
                results.values().all(|result| result["error"].is_string()),
                "{name}"
            );
            continue;
        };
        let sampler = ProbabilisticSampler::new(rate);
        let ids = entry["input"]["trace_ids"].as_array().unwrap();
        // `None` for text that is no id.
        let ours: Vec<Option<bool>> = ids
            .iter()
            .map(|id| {
                let id: TraceId = id.as_str().unwrap().parse().ok()?;
                let tags = kept(&sampler, &root(id));
                if let Some(tags) = &tags {
                    assert!(
                        results
                            .values()
                            .any(|result| has_tags(&result["tags"], tags)),
                        "{name}"
                    );
                }
                Some(tags.is_some())
            })
            .collect();
        if ours.contains(&None) {
            differences.push("trace id 0");
        }
        let is_same = |result: &&Value| {
            let theirs = result["decisions"].as_str().unwrap();
            assert_eq!(theirs.len(), ours.len(), "{name}");
            let mut pairs = theirs.bytes().zip(&ours);
            pairs.all(|(theirs, ours)| ours.is_none_or(|ours| ours == (theirs == b'1')))
        };
        // The Go client except at rate 0, where it keeps ids whose low 63 bits are zero.
        let followed = if rate == SamplingRate::ZERO {
            "jaeger-client-python 4.8.0"
        } else {
            "jaeger-client-go 2.30.0"
        };
        assert!(is_same(&&results[followed]), "{name}: {ours:?}");
    }
    assert_differences("sampler_probabilistic", differences);
}

#[test]
fn a_trace_id_is_decided_as_nodes_random_number() {
    let entries = entries("sampler_random");
    assert_eq!(entries.len(), 5);
    let mut differences = Vec::new();
    for entry in entries {
        let name = &entry["name"];
        let rate = entry["input"]["rate"].as_f64().unwrap();
        let sampler = probabilistic(rate);
        let node = &entry["results"]["jaeger-client-node 3.19.0"];
        let numbers = entry["input"]["random"].as_array().unwrap();
        let theirs = node["decisions"].as_str().unwrap();
        assert_eq!(theirs.len(), numbers.len(), "{name}");
        for (number, theirs) in numbers.iter().zip(theirs.bytes()) {
            let number = number.as_f64().unwrap();
            // The number as a share of all ids. The uppermost bit, which does not count, keeps the id from being zero.
            let low = (number * (1u64 << 63) as f64) as u64 | 1 << 63;
            let ours = kept(&sampler, &root(TraceId::new(0, low).unwrap()));
            if let Some(tags) = &ours {
                assert!(has_tags(&node["tags_when_sampled"], tags), "{name}");
            }
            if number == rate {
                assert!(ours.is_some() && theirs == b'0', "{name} {number}");
                differences.push("a number equal to the rate");
            } else {
                assert_eq!(ours.is_some(), theirs == b'1', "{name} {number}");
            }
        }
    }
    assert_differences("sampler_random", differences);
}

#[test]
fn a_probability_is_met_within_four_standard_deviations() {
    const IDS: u32 = 2_000_000;
    for rate in [0.001, 0.01, 0.25, 0.5, 0.9] {
        let sampler = probabilistic(rate);
        // SplitMix64 from a fixed seed.
        let mut state = 0x9e37_79b9_u64;
        let mut next = || {
            state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let z = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            z ^ (z >> 31)
        };
        let count = (0..IDS)
            .filter_map(|_| TraceId::new(0, next()))
            .filter(|id| kept(&sampler, &root(*id)).is_some())
            .count();
        let expected = f64::from(IDS) * rate;
        let deviation = (f64::from(IDS) * rate * (1.0 - rate)).sqrt();
        assert!(
            (count as f64 - expected).abs() <= 4.0 * deviation,
            "{rate}: {count}"
        );
    }
}

#[test]
fn a_rate_of_zero_keeps_nothing_and_a_rate_of_one_everything() {
    for low in [1, u64::MAX >> 1, 1 << 63, u64::MAX] {
        let span = root(TraceId::new(7, low).unwrap());
        assert!(kept(&probabilistic(0.0), &span).is_none(), "{low:x}");
        assert!(kept(&probabilistic(1.0), &span).is_some(), "{low:x}");
    }
    let span = root(TraceId::new(7, 0).unwrap());
    assert!(kept(&probabilistic(0.0), &span).is_none());
    let clock = ManualClock::default();
    let never = limiting(0.0).clock(clock.clone());
    for _ in 0..100 {
        assert!(kept(&never, &span).is_none());
        clock.advance(Duration::from_secs(1_000));
    }
}

#[test]
fn samplers_tag_what_they_keep_with_their_type_and_parameter() {
    let span = any_root();
    let tags = kept(&ConstSampler::new(true), &span).unwrap();
    assert_eq!(
        (tags.kind(), tags.param()),
        ("const", &TagValue::Bool(true))
    );
    let tags = kept(&probabilistic(1.0), &span).unwrap();
    assert_eq!(
        (tags.kind(), tags.param()),
        ("probabilistic", &TagValue::Double(1.0))
    );
    let tags = kept(&limiting(2.5), &span).unwrap();
    assert_eq!(
        (tags.kind(), tags.param()),
        ("ratelimiting", &TagValue::Double(2.5))
    );
    assert!(kept(&ConstSampler::new(false), &span).is_none());
}

#[test]
fn a_sampler_describes_itself_in_the_words_of_the_configuration() {
    struct Mine;
    impl Sampler for Mine {
        fn on_create_span(&self, _: &SpanView<'_>) -> SamplingDecision {
            SamplingDecision::Drop
        }
    }
    let rows: [(Box<dyn Sampler>, &str); 5] = [
        (Box::new(ConstSampler::new(true)), "const 1"),
        (Box::new(ConstSampler::new(false)), "const 0"),
        (Box::new(probabilistic(0.25)), "probabilistic 0.25"),
        (Box::new(limiting(2.5)), "ratelimiting 2.5"),
        (Box::new(Mine), "Mine"),
    ];
    for (sampler, description) in rows {
        assert_eq!(sampler.description(), description);
        let boxed: Box<dyn Sampler> = Box::new(sampler);
        assert_eq!(boxed.description(), description);
    }
}

#[test]
fn a_span_that_is_no_local_root_is_left_undecided_and_costs_nothing() {
    let child = SpanView::new(TraceId::new(0, 1).unwrap(), "pay", false);
    let rate_limiting = limiting(1.0).clock(ManualClock::default());
    let samplers: [&dyn Sampler; 4] = [
        &ConstSampler::new(true),
        &ConstSampler::new(false),
        &probabilistic(1.0),
        &rate_limiting,
    ];
    for sampler in samplers {
        for _ in 0..3 {
            assert!(matches!(
                sampler.on_create_span(&child),
                SamplingDecision::Delay
            ));
            assert!(matches!(
                sampler.on_set_operation_name(&child),
                SamplingDecision::Delay
            ));
            assert!(matches!(
                sampler.on_finish_span(&child),
                SamplingDecision::Delay
            ));
        }
    }
    assert!(kept(&rate_limiting, &any_root()).is_some());
}

#[test]
fn a_rename_spends_no_credit() {
    let sampler = limiting(2.0).clock(ManualClock::default());
    assert!(kept(&sampler, &any_root()).is_some());
    assert!(matches!(
        sampler.on_set_operation_name(&any_root()),
        SamplingDecision::Delay
    ));
    assert!(kept(&sampler, &any_root()).is_some());
    assert!(kept(&sampler, &any_root()).is_none());
}

#[test]
fn a_negative_or_infinite_rate_is_refused() {
    for rate in [
        -1.0,
        -f64::MIN_POSITIVE,
        f64::NAN,
        f64::INFINITY,
        f64::NEG_INFINITY,
    ] {
        assert!(TracesPerSecond::new(rate).is_err(), "{rate}");
    }
    assert_eq!(
        TracesPerSecond::new(f64::NAN).unwrap_err().to_string(),
        "expected a number of traces a second, 0 or more, found NaN"
    );
}

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
