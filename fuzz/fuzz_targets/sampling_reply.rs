//! Replies of a sampling server, one after another: they are read as a slow and simple reader reads them, a bad one
//! changes nothing, and the sampler that follows them keeps what the strategy in force allows.

#![no_main]

use std::collections::HashMap;

use allocation_counter::measure;
use libfuzzer_sys::fuzz_target;
use serde_json::{Map, Value};
use tracehound::clock::ManualClock;
use tracehound::model::{TagValue, TraceId};
use tracehound::sampler::remote::{Strategy, StrategyError};
use tracehound::sampler::{
    OperationStrategies, PerOperationSampler, ProbabilisticSampler, RateLimitingSampler, Sampler,
    SamplingDecision, SamplingRate, SpanView, TracesPerSecond,
};

fuzz_target!(|input: &[u8]| {
    let clock = ManualClock::at_micros(1_500_000_000_000_000);
    // Lives on from one reply to the next, as under a remote sampler.
    let mut lasting: Option<PerOperationSampler> = None;
    for reply in input.split(|byte| *byte == SEPARATOR) {
        let mut read = Err(StrategyError::NoStrategy);
        let used = measure(|| read = Strategy::from_json(reply));
        assert!(
            used.bytes_max <= 128 * reply.len() as u64 + 1_024,
            "{used:?}"
        );
        if let Ok(document) = serde_json::from_slice::<Value>(reply) {
            check(reply, &document, &read);
        }
        match read {
            Ok(Strategy::Probabilistic(rate)) => {
                let sampler = ProbabilisticSampler::new(rate);
                let kept = kept(&sampler, |_| "a");
                assert_share(rate, kept["a"]);
            }
            Ok(Strategy::RateLimiting(limit)) => {
                let sampler = RateLimitingSampler::new(limit).clock(clock.clone());
                let kept = kept(&sampler, |_| "a")["a"];
                // The clock stands still: what is kept comes from the full bucket.
                assert_eq!(kept, burst(limit));
            }
            Ok(Strategy::PerOperation(strategies)) => {
                let sampler = lasting.get_or_insert_with(|| {
                    let sampler = PerOperationSampler::new(strategies.clone());
                    sampler.max_operations(MAX_OPERATIONS).clock(clock.clone())
                });
                sampler.update(strategies.clone());
                check_operations(sampler, &strategies);
            }
            Ok(_) => {}
            Err(error) => {
                let text = error.to_string();
                assert!(
                    text.len() < 500 && !text.contains(char::is_control),
                    "{text}"
                );
            }
        }
    }
});

/// Compares what was read with what a reader of whole documents makes of one.
fn check(reply: &[u8], document: &Value, read: &Result<Strategy, StrategyError>) {
    match (slow(document), read) {
        (Some(expected), Ok(read)) => assert_eq!(*read, expected),
        (None, Err(_)) => {}
        // Of a member that comes twice, the whole document holds only the last one.
        (Some(_), Err(StrategyError::Malformed { .. })) if may_have_twins(reply) => {}
        (expected, read) => panic!("{expected:?}, not {read:?}"),
    }
}

fn slow(document: &Value) -> Option<Strategy> {
    let reply = document.as_object()?;
    let operations = object(reply, "operationSampling")?;
    let probabilistic = object(reply, "probabilisticSampling")?;
    let limiting = object(reply, "rateLimitingSampling")?;
    let share = probabilistic.map(|all| number(all, "samplingRate"));
    let limit = limiting.map(|all| number(all, "maxTracesPerSecond"));
    // A member of another type makes the whole document malformed, even where it is not used.
    let (share, limit) = (transposed(share)?, transposed(limit)?);
    match reply.get("service") {
        None | Some(Value::Null | Value::String(_)) => {}
        Some(_) => return None,
    }
    let operations = transposed(operations.map(read_operations))?;
    match (operations, share, limit) {
        (Some(strategies), _, _) => Some(Strategy::PerOperation(strategies?)),
        (None, Some(share), _) => Some(Strategy::Probabilistic(SamplingRate::new(share).ok()?)),
        (None, None, Some(limit)) => {
            Some(Strategy::RateLimiting(TracesPerSecond::new(limit).ok()?))
        }
        (None, None, None) => None,
    }
}

/// Returns the strategies of operations; nothing inside for a number out of range, nothing at all for another type.
fn read_operations(sampling: &Map<String, Value>) -> Option<Option<OperationStrategies>> {
    let rate = SamplingRate::new(number(sampling, "defaultSamplingProbability")?);
    let bound = TracesPerSecond::new(number(sampling, "defaultLowerBoundTracesPerSecond")?);
    let listed = match sampling.get("perOperationStrategies") {
        None | Some(Value::Null) => &[][..],
        Some(listed) => listed.as_array()?,
    };
    let mut entries = Vec::new();
    for entry in listed.iter().filter(|entry| !entry.is_null()) {
        let entry = entry.as_object()?;
        let name = match entry.get("operation") {
            None | Some(Value::Null) => "",
            Some(name) => name.as_str()?,
        };
        if let Some(sampling) = object(entry, "probabilisticSampling")? {
            entries.push((name, SamplingRate::new(number(sampling, "samplingRate")?)));
        }
    }
    let (Ok(rate), Ok(bound)) = (rate, bound) else {
        return Some(None);
    };
    let mut strategies = OperationStrategies::new(rate, bound);
    for (name, rate) in entries {
        let Ok(rate) = rate else { return Some(None) };
        if !name.is_empty() {
            strategies = strategies.operation(name, rate);
        }
    }
    Some(Some(strategies))
}

/// Returns an object that may be left out; nothing at all for another type.
fn object<'v>(map: &'v Map<String, Value>, name: &str) -> Option<Option<&'v Map<String, Value>>> {
    match map.get(name) {
        None | Some(Value::Null) => Some(None),
        Some(value) => value.as_object().map(Some),
    }
}

fn number(map: &Map<String, Value>, name: &str) -> Option<f64> {
    match map.get(name) {
        None | Some(Value::Null) => Some(0.0),
        Some(value) => value.as_f64(),
    }
}

fn transposed<T>(inner: Option<Option<T>>) -> Option<Option<T>> {
    match inner {
        Some(Some(value)) => Some(Some(value)),
        Some(None) => None,
        None => Some(None),
    }
}

fn may_have_twins(reply: &[u8]) -> bool {
    let text = String::from_utf8_lossy(reply);
    text.contains('\\') || NAMES.iter().any(|name| text.matches(name).count() > 1)
}

/// Decides about a thousand traces, and returns how many of each operation are kept.
fn kept<'n>(sampler: &dyn Sampler, name: impl Fn(usize) -> &'n str) -> HashMap<&'n str, usize> {
    let mut kept = HashMap::new();
    let mut id = 0x9e37_79b9_7f4a_7c15_u64;
    for n in 0..TRACES {
        id = id
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        let trace_id = TraceId::new(0, (id ^ id >> 32) >> 1 | 1).expect("not zero");
        let count = kept.entry(name(n)).or_insert(0);
        match sampler.on_create_span(&SpanView::new(trace_id, name(n), true)) {
            SamplingDecision::Sample(tags) => {
                *count += 1;
                match tags.kind() {
                    "probabilistic" | "ratelimiting" | "lowerbound" => {}
                    kind => panic!("{kind}"),
                }
                match tags.param() {
                    TagValue::Double(param) if param.is_finite() => {}
                    param => panic!("{param:?}"),
                }
            }
            SamplingDecision::Drop => {}
            decision => panic!("{decision:?}"),
        }
    }
    kept
}

fn check_operations(sampler: &PerOperationSampler, strategies: &OperationStrategies) {
    let rates: HashMap<_, _> = strategies.operations().collect();
    let names: Vec<_> = rates
        .keys()
        .copied()
        .take(8)
        .chain(["?", "", "another"])
        .collect();
    let kept = kept(sampler, |n| names[n % names.len()]);
    let bound = burst(strategies.default_lower_bound());
    let each = TRACES / names.len();
    for (name, kept) in kept {
        // One that came late may share the sampler of all others, whose probability is the default one.
        let rate = rates
            .get(name)
            .copied()
            .unwrap_or(strategies.default_rate());
        let default = strategies.default_rate();
        if rate == SamplingRate::ONE && default == SamplingRate::ONE {
            assert!(kept >= each, "{name}: {kept}");
        }
        if rate == SamplingRate::ZERO && default == SamplingRate::ZERO {
            assert!(kept <= bound, "{name}: {kept}, not {bound}");
        }
    }
}

/// Returns how many of the traces a full bucket lets through while the clock stands still.
fn burst(limit: TracesPerSecond) -> usize {
    match limit.get() {
        0.0 => 0,
        limit => (limit.max(1.0) as usize).min(TRACES),
    }
}

/// Checks the share that was kept against six standard deviations. The traces are the same each time.
fn assert_share(rate: SamplingRate, kept: usize) {
    let (rate, traces) = (rate.get(), TRACES as f64);
    let spread = 6.0 * (traces * rate * (1.0 - rate)).sqrt() + 1.0;
    assert!(
        (kept as f64 - traces * rate).abs() <= spread,
        "{rate}: {kept}"
    );
    assert!(rate != 0.0 || kept == 0);
    assert!(rate != 1.0 || kept == TRACES);
}

const TRACES: usize = 1_000;
const MAX_OPERATIONS: usize = 20;
/// A byte that no document holds.
const SEPARATOR: u8 = 0x1e;
const NAMES: [&str; 11] = [
    "probabilisticSampling",
    "rateLimitingSampling",
    "operationSampling",
    "samplingRate",
    "maxTracesPerSecond",
    "defaultSamplingProbability",
    "defaultLowerBoundTracesPerSecond",
    "perOperationStrategies",
    "operation\"",
    "service",
    "strategyType",
];
