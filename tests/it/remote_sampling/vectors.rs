//! What other clients make of replies, compared with ours.

use serde_json::{Value, json};
use tracehound::sampler::{
    ConstSampler, ProbabilisticSampler, RateLimitingSampler, SamplingRate, TracesPerSecond,
};

use super::*;
use crate::support::vectors::{Differences, Entry, entries};

/// The sampler and the counters after a reply.
type Step = (Value, [u64; 4]);

/// Plays the replies of an entry, and returns what each brought.
fn play(entry: &Entry) -> Vec<Step> {
    let initial = entry.input["initial"].clone();
    let number = |value: &Value| value.as_f64().unwrap();
    let scene = Scene::with(|sampler| match initial["kind"].as_str().unwrap() {
        "probabilistic" => {
            let rate = SamplingRate::new(number(&initial["sampling_rate"])).unwrap();
            sampler.initial(ProbabilisticSampler::new(rate))
        }
        "const" => sampler.initial(ConstSampler::new(initial["decision"] == true)),
        "ratelimiting" => {
            let rate = TracesPerSecond::new(number(&initial["max_traces_per_second"])).unwrap();
            sampler.initial(RateLimitingSampler::new(rate))
        }
        kind => unreachable!("{kind}"),
    });
    let bodies = entry.input["bodies"].as_array().unwrap().iter();
    bodies
        .map(|body| {
            scene.fetch(Ok(body.as_str().unwrap()));
            let sampler = match scene.state.strategy() {
                None => initial.clone(),
                Some(strategy) => shown(&strategy),
            };
            (sampler, scene.counts())
        })
        .collect()
}

fn shown(strategy: &Strategy) -> Value {
    match strategy {
        Strategy::Probabilistic(rate) => {
            json!({"kind": "probabilistic", "sampling_rate": rate.get()})
        }
        Strategy::RateLimiting(rate) => {
            json!({"kind": "ratelimiting", "max_traces_per_second": rate.get()})
        }
        Strategy::PerOperation(strategies) => {
            let bound = strategies.default_lower_bound().get();
            let mut operations = serde_json::Map::new();
            for (name, rate) in strategies.operations() {
                let operation = json!({"sampling_rate": rate.get(), "lower_bound": bound});
                operations.insert(name.to_owned(), operation);
            }
            json!({
                "kind": "per_operation",
                "default_sampling_rate": strategies.default_rate().get(),
                "default_lower_bound": bound,
                "max_operations": 2_000,
                "operations": operations,
            })
        }
        strategy => unreachable!("{strategy:?}"),
    }
}

/// Returns whether two values are equal, numbers by their value: one client writes `1`, another `1.0`.
fn is_same(this: &Value, other: &Value) -> bool {
    match (this, other) {
        (Value::Number(_), Value::Number(_)) => this.as_f64() == other.as_f64(),
        (Value::Object(this), Value::Object(other)) => {
            let has = |(key, value): (&String, &Value)| {
                other.get(key).is_some_and(|other| is_same(value, other))
            };
            this.len() == other.len() && this.iter().all(has)
        }
        _ => this == other,
    }
}

#[test]
fn every_reply_makes_the_sampler_of_another_client() {
    compare_steps(DIFFERENT_SAMPLERS, |(sampler, _), step| {
        is_same(sampler, &step["sampler"])
    });
}

#[test]
fn every_reply_is_counted_as_another_client_counts_it() {
    compare_steps(DIFFERENT_COUNTS, |(_, counts), step| {
        let names = ["retrieved", "query_failure", "updated", "update_failure"];
        let mut pairs = names.iter().zip(counts);
        pairs.all(|(name, count)| step["counters"][*name] == *count)
    });
}

/// Compares each step of each entry with those of the recorded clients, one of which must have the same.
fn compare_steps(
    explained: &'static [(&'static str, &'static str)],
    is_same_step: impl Fn(&Step, &Value) -> bool,
) {
    let mut differences = Differences::explained_by(explained);
    let entries = entries("sampler_remote");
    let count = entries.len();
    for entry in &entries {
        let ours = play(entry);
        let is_ours = |(_, theirs): &(String, Value)| {
            let steps = theirs["steps"].as_array().unwrap();
            let mut pairs = ours.iter().zip(steps);
            steps.len() == ours.len() && pairs.all(|(ours, theirs)| is_same_step(ours, theirs))
        };
        differences.compare(&entry.name, entry.results.iter().any(is_ours), &ours);
    }
    differences.check(count);
}

#[test]
fn every_explanation_is_a_line_of_the_documentation() {
    let page = include_str!("../../../src/sampler/remote/mod.rs");
    let page: Vec<_> = page
        .lines()
        .map(|line| line.trim_start_matches("//!").trim())
        .collect();
    let page = page.join(" ");
    for (entry, line) in [DIFFERENT_SAMPLERS, DIFFERENT_COUNTS].concat() {
        assert!(page.contains(line), "{entry}: {line}");
    }
}

/// Entries whose sampler no client has, with the sentence of `sampler::remote` that says why.
const DIFFERENT_SAMPLERS: &[(&str, &str)] = &[
    ("operations/strategy-without-section", SKIPPED),
    ("operations/empty-name", SKIPPED),
];

/// Entries that no client counts like us, with the sentence of `sampler::remote` that says why.
const DIFFERENT_COUNTS: &[(&str, &str)] = &[("probabilistic/rate-true", REFUSED)];

const SKIPPED: &str =
    "An operation without a name or without `probabilisticSampling` follows the default.";

const REFUSED: &str =
    "A reply that is refused is a query that succeeded and an update that failed.";
