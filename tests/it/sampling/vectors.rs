//! Decisions and tags compared with those that other clients were seen to make.

use std::fs;
use std::time::Duration;

use serde_json::Value;
use tracehound::clock::ManualClock;
use tracehound::model::{TagValue, TraceId};
use tracehound::sampler::{
    GuaranteedThroughputSampler, OperationStrategies, PerOperationSampler, ProbabilisticSampler,
    Sampler, SamplerTags, SamplingRate, SpanView, TracesPerSecond,
};

use super::{kept, probabilistic, root};

fn entries(file: &str) -> Vec<Value> {
    let path = format!("{}/tests/vectors/{file}.json", env!("CARGO_MANIFEST_DIR"));
    let mut json: Value = serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap();
    match json["entries"].take() {
        Value::Array(entries) => entries,
        other => unreachable!("{file}: {other}"),
    }
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

/// Every recorded call of a sampler with a lower bound, alone or by operation, is answered as by the Go client.
#[test]
fn lower_bounds_are_kept_as_by_the_go_client() {
    let entries = entries("sampler_lower_bound");
    assert_eq!(entries.len(), 6);
    for entry in entries {
        let (name, input) = (&entry["name"], &entry["input"]);
        let number = |value: &Value| value.as_f64().unwrap();
        let rate = |value: &Value| SamplingRate::new(number(value)).unwrap();
        let bound = |value: &Value| TracesPerSecond::new(number(value)).unwrap();
        let clock = ManualClock::at_micros(input["start_ms"].as_u64().unwrap() * 1_000);
        let sampler: Box<dyn Sampler> = match &input["strategies"] {
            Value::Null => Box::new(
                GuaranteedThroughputSampler::new(
                    rate(&input["rate"]),
                    bound(&input["lower_bound"]),
                )
                .clock(clock.clone()),
            ),
            strategies => {
                let mut ours = OperationStrategies::new(
                    rate(&strategies["defaultSamplingProbability"]),
                    bound(&strategies["defaultLowerBoundTracesPerSecond"]),
                );
                for listed in strategies["perOperationStrategies"].as_array().unwrap() {
                    ours = ours.operation(
                        listed["operation"].as_str().unwrap(),
                        rate(&listed["probabilisticSampling"]["samplingRate"]),
                    );
                }
                let max = input["max_operations"].as_u64().unwrap() as usize;
                Box::new(
                    PerOperationSampler::new(ours)
                        .max_operations(max)
                        .clock(clock.clone()),
                )
            }
        };
        let go = &entry["results"]["jaeger-client-go 2.30.0"]["calls"];
        let mut now = 0;
        for (n, call) in input["calls"].as_array().unwrap().iter().enumerate() {
            let at = call["at_ms"].as_u64().unwrap();
            clock.advance(Duration::from_millis(at - now));
            now = at;
            let id: TraceId = call["trace_id"].as_str().unwrap().parse().unwrap();
            let span = SpanView::new(id, call["operation"].as_str().unwrap(), true);
            let ours = kept(&sampler, &span);
            assert_eq!(
                go[n]["sampled"].as_bool().unwrap(),
                ours.is_some(),
                "{name}, call {n}: {ours:?}"
            );
            if let Some(ours) = ours {
                assert!(
                    has_tags(&go[n]["tags"], &ours),
                    "{name}, call {n}: {ours:?}"
                );
            }
        }
    }
}
