//! Strategies that follow the traces that come.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use serde_json::Number;

use crate::decode::ReceivedBatch;
use crate::dev::strategies::document::per_operation_answer;
use crate::model::{TagRef, tags};
use crate::reporter::OwnedSpan;

/// Probabilities for each operation, so that about as many traces a second are kept of each as wanted.
///
/// The rule is that of Jaeger's adaptive sampling: after each interval the number of kept traces a second, divided by
/// the wanted number, corrects the probability of an operation. It falls at once and at most doubles. Two faults of
/// Jaeger's are not repeated:
///
/// - A trace counts by the probability that its own root tells (`sampler.param`), so a client that has not asked for
///   the new probability yet does not distort the rate. Jaeger waits two minutes for its clients instead.
/// - The roots of SDKs of OpenTelemetry, which tell no probability, count as kept by the latest one, if their service
///   asks for strategies. Jaeger does not count them, and never lowers their probability.
///
/// Time passes only as callers tell it: no thread waits for an interval.
#[derive(Debug)]
pub(crate) struct AdaptiveStrategies {
    /// Traces a second of each operation.
    target: f64,
    interval: Duration,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    since: Instant,
    services: HashMap<String, Service>,
    /// The number of operations of all services.
    operations: usize,
}

/// The operations of a service.
#[derive(Debug, Default)]
struct Service {
    /// Whether a client has asked for the strategy.
    has_asked: bool,
    operations: HashMap<String, Operation>,
}

/// What an operation has done within the interval that runs.
#[derive(Debug)]
struct Operation {
    probability: f64,
    /// The number of kept traces that the probability alone would have kept.
    kept: f64,
    /// Whether a kept trace has come, for any reason.
    is_seen: bool,
    /// How many intervals in a row none has come.
    idle: u32,
}

/// How a root was kept, as its tags tell.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Kept {
    Probabilistic(f64),
    /// By the lower bound of an operation that is too rare for its probability.
    LowerBound,
    /// The root does not say it.
    Unknown,
}

impl AdaptiveStrategies {
    /// Returns strategies for `target` traces a second of each operation, corrected after each interval.
    pub(crate) fn new(target: f64, interval: Duration, now: Instant) -> Self {
        Self {
            target,
            interval: interval.max(SHORTEST),
            state: Mutex::new(State {
                since: now,
                services: HashMap::new(),
                operations: 0,
            }),
        }
    }

    /// Counts the roots in a batch.
    pub(crate) fn record(&self, batch: &ReceivedBatch, now: Instant) {
        let service = &*batch.process.service_name;
        let roots = batch
            .spans
            .iter()
            .filter_map(|span| Some((span, kept(span)?)));
        let mut roots = roots.peekable();
        if roots.peek().is_none() || service.is_empty() || service.len() > LONGEST {
            return;
        }
        let mut state = self.state(now);
        for (span, kept) in roots {
            state.count(service, &span.operation_name, kept);
        }
    }

    /// Returns the strategy of a service as an agent answers with it.
    pub(crate) fn answer(&self, service: &str, now: Instant) -> String {
        let mut state = self.state(now);
        if state.services.len() < MOST_SERVICES && service.len() <= LONGEST {
            state.services.entry(service.to_owned()).or_default();
        }
        let mut list: Vec<(&str, f64)> = Vec::new();
        if let Some(service) = state.services.get_mut(service) {
            service.has_asked = true;
            let operations = service.operations.iter();
            list.extend(operations.map(|(name, operation)| (name.as_str(), operation.probability)));
        }
        list.sort_unstable_by(|a, b| a.0.cmp(b.0));
        per_operation_answer(INITIAL, lower_bound(), &list)
    }

    /// Locks the state, once the intervals that have ended are counted.
    fn state(&self, now: Instant) -> std::sync::MutexGuard<'_, State> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let elapsed = now.saturating_duration_since(state.since);
        if elapsed >= self.interval {
            // A burst before a long pause is not spread over all of the pause.
            let seconds = elapsed.min(self.interval.max(LONGEST_MEAN)).as_secs_f64();
            let intervals = elapsed.as_nanos() / self.interval.as_nanos().max(1);
            let intervals = u32::try_from(intervals).unwrap_or(u32::MAX);
            state.correct(self.target, seconds, intervals);
            state.since = now;
        }
        state
    }
}

impl State {
    fn count(&mut self, service: &str, name: &str, kept: Kept) {
        if name.is_empty() || name.len() > LONGEST {
            return;
        }
        let is_new = !self.services.contains_key(service);
        if is_new && self.services.len() >= MOST_SERVICES {
            return;
        }
        let of_service = self.services.entry(service.to_owned()).or_default();
        if kept == Kept::Unknown && !of_service.has_asked {
            return;
        }
        if !of_service.operations.contains_key(name) {
            if self.operations >= MOST_OPERATIONS {
                return;
            }
            self.operations += 1;
            let operation = Operation {
                probability: INITIAL,
                kept: 0.0,
                is_seen: false,
                idle: 0,
            };
            of_service.operations.insert(name.to_owned(), operation);
        }
        if let Some(operation) = of_service.operations.get_mut(name) {
            operation.is_seen = true;
            operation.kept += match kept {
                // One in `own` was kept, so this stands for `1 / own` traces.
                Kept::Probabilistic(own) => operation.probability / own,
                Kept::Unknown => 1.0,
                Kept::LowerBound => 0.0,
            };
        }
    }

    /// Ends as many intervals, within which the traces of some seconds have come.
    fn correct(&mut self, target: f64, seconds: f64, intervals: u32) {
        for service in self.services.values_mut() {
            service.operations.retain(|_, operation| {
                operation.correct(target, seconds, intervals);
                operation.idle < MOST_IDLE
            });
        }
        let services = self.services.values();
        self.operations = services.map(|service| service.operations.len()).sum();
        if self.services.len() >= MOST_SERVICES {
            self.services
                .retain(|_, service| !service.operations.is_empty());
        }
    }
}

impl Operation {
    fn correct(&mut self, target: f64, seconds: f64, intervals: u32) {
        let rate = self.kept / seconds;
        if !self.is_seen {
            // Nothing was asked of the probability, so nothing is known of it.
            self.idle = self.idle.saturating_add(intervals);
        } else {
            self.idle = 0;
            let factor = if rate > 0.0 {
                target / rate
            } else {
                MOST_GROWTH
            };
            if (rate - target).abs() / target >= TOLERANCE {
                let corrected = self.probability * factor.min(MOST_GROWTH);
                self.probability = corrected.clamp(LEAST, 1.0);
            }
        }
        self.kept = 0.0;
        self.is_seen = false;
    }
}

/// Returns how a root was kept; `None` for other spans, and for roots that no probability has kept.
fn kept(span: &OwnedSpan) -> Option<Kept> {
    let is_own = |reference: &crate::model::ReportedReference| reference.trace_id == span.trace_id;
    if span.parent_id.is_some() || span.references.iter().any(is_own) || span.flags.is_debug() {
        return None;
    }
    let either = |own, others: &str| span.tag(own).or_else(|| span.tag(others));
    let kind = match either(tags::SAMPLER_TYPE, "jaeger.sampler.type") {
        None => return Some(Kept::Unknown),
        Some(TagRef::String(kind)) => kind,
        Some(_) => return None,
    };
    let param = match either(tags::SAMPLER_PARAM, "jaeger.sampler.param")? {
        TagRef::Double(param) => param,
        TagRef::Long(param) => param as f64,
        TagRef::String(param) => param.parse().ok()?,
        _ => return None,
    };
    if !(LEAST..=1.0).contains(&param) {
        return None;
    }
    match kind {
        "probabilistic" => Some(Kept::Probabilistic(param)),
        "lowerbound" => Some(Kept::LowerBound),
        _ => None,
    }
}

/// Returns how many traces a second of a rare operation are kept at least: one a minute.
fn lower_bound() -> Number {
    Number::from_f64(1.0 / 60.0).unwrap_or_else(|| 0.into())
}

/// The probability of an operation that is not known yet. Jaeger's is 0.001.
const INITIAL: f64 = 1.0;
const LEAST: f64 = 1e-5;
/// The difference to the target, as a part of it, up to which a probability stays.
const TOLERANCE: f64 = 0.3;
const MOST_GROWTH: f64 = 2.0;
/// The number of intervals without a trace after which an operation is forgotten.
const MOST_IDLE: u32 = 10;
const MOST_SERVICES: usize = 256;
/// Of all services. Clients hold 2,000 each.
const MOST_OPERATIONS: usize = 2_000;
/// The longest name that is counted, in bytes. Clients read answers of 1 MiB.
const LONGEST: usize = 256;
/// The longest time over which a rate is a mean, unless the interval is longer.
const LONGEST_MEAN: Duration = Duration::from_secs(60);
const SHORTEST: Duration = Duration::from_millis(10);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::instant_now;
    use crate::model::{Process, SpanId, Tag, TraceId};
    use crate::reporter::sender::BatchFormat;

    /// Strategies whose time only this clock moves.
    struct Clocked {
        strategies: AdaptiveStrategies,
        now: Instant,
    }

    impl Clocked {
        fn new(target: f64) -> Self {
            let now = instant_now();
            Self {
                strategies: AdaptiveStrategies::new(target, Duration::from_secs(10), now),
                now,
            }
        }

        fn record(
            &self,
            name: &str,
            tags: &[(&'static str, crate::model::TagValue)],
            count: usize,
        ) {
            let mut span = OwnedSpan::new(
                TraceId::new(0, 1).expect("not zero"),
                SpanId::new(1).expect("not zero"),
                name,
            );
            let tags = tags
                .iter()
                .map(|(key, value)| Tag::new(*key, value.clone()));
            span.tags.extend(tags);
            let process = Process::new("shop", Vec::new());
            let batch = ReceivedBatch::new(BatchFormat::Compact, process, vec![span; count]);
            self.strategies.record(&batch, self.now);
        }

        fn kept(&self, name: &str, kind: &'static str, param: f64, count: usize) {
            let tags = [
                ("sampler.type", kind.into()),
                ("sampler.param", param.into()),
            ];
            self.record(name, &tags, count);
        }

        /// Ends an interval, and returns the probability of an operation.
        fn next(&mut self, name: &str) -> Option<f64> {
            self.now += Duration::from_secs(10);
            self.probability(name)
        }

        fn probability(&self, name: &str) -> Option<f64> {
            let answer = self.strategies.answer("shop", self.now);
            let answer: serde_json::Value = serde_json::from_str(&answer).expect("JSON");
            let list = answer["operationSampling"]["perOperationStrategies"].as_array();
            let mut list = list.expect("a list").iter();
            let found = list.find(|entry| entry["operation"] == name)?;
            found["probabilisticSampling"]["samplingRate"].as_f64()
        }
    }

    #[test]
    fn a_probability_falls_at_once_and_at_most_doubles() {
        let mut shop = Clocked::new(2.0);
        shop.kept("busy", "probabilistic", 1.0, 1_000);
        assert_eq!(shop.probability("busy"), Some(1.0), "the interval runs");
        assert_eq!(shop.next("busy"), Some(0.02));
        shop.kept("busy", "probabilistic", 0.02, 25);
        assert_eq!(shop.next("busy"), Some(0.02), "near enough to the target");
        shop.kept("busy", "probabilistic", 0.02, 10);
        assert_eq!(shop.next("busy"), Some(0.04));
        shop.kept("busy", "probabilistic", 0.04, 1);
        assert_eq!(shop.next("busy"), Some(0.08));
        shop.kept("busy", "lowerbound", 0.08, 1);
        assert_eq!(
            shop.next("busy"),
            Some(0.16),
            "too rare for its probability"
        );
        shop.kept("busy", "probabilistic", 0.16, 1_000_000);
        assert_eq!(shop.next("busy"), Some(LEAST));
    }

    #[test]
    fn a_pause_after_a_burst_is_not_part_of_its_rate_and_counts_as_idle() {
        let mut shop = Clocked::new(1.0);
        shop.kept("busy", "probabilistic", 1.0, 6_000);
        shop.now += Duration::from_secs(24 * 3_600);
        assert_eq!(shop.probability("busy"), Some(0.01));
        shop.now += Duration::from_secs(10 * 10);
        assert_eq!(shop.probability("busy"), None, "forgotten");
    }

    #[test]
    fn an_answer_is_one_that_clients_read() {
        let shop = Clocked::new(1.0);
        for n in 0..MOST_OPERATIONS {
            shop.kept(&format!("{n:x<LONGEST$}"), "probabilistic", 1.0, 1);
        }
        let answer = shop.strategies.answer("shop", shop.now);
        assert!(answer.contains("\"operation\":\"1999"));
        // As the sampler bounds it.
        assert!(answer.len() < 1 << 20, "{}", answer.len());
    }

    #[test]
    fn a_client_that_is_late_does_not_distort_the_rate() {
        let mut shop = Clocked::new(1.0);
        shop.kept("busy", "probabilistic", 1.0, 1_000);
        let settled = shop.next("busy");
        assert_eq!(settled, Some(0.01));
        // It keeps all of the 100 requests a second still: as many as before, so nothing changes.
        shop.kept("busy", "probabilistic", 1.0, 1_000);
        assert_eq!(shop.next("busy"), settled);
    }

    #[test]
    fn roots_without_tags_count_if_their_service_asks() {
        let mut shop = Clocked::new(1.0);
        shop.record("busy", &[], 1_000);
        assert_eq!(shop.next("busy"), None);
        shop.record("busy", &[], 1_000);
        assert_eq!(shop.next("busy"), Some(0.01));
    }

    #[test]
    fn other_spans_do_not_count() {
        let mut shop = Clocked::new(1.0);
        assert_eq!(shop.probability("busy"), None, "it has asked");
        shop.kept("busy", "const", 1.0, 10);
        shop.kept("busy", "ratelimiting", 5.0, 10);
        shop.kept("busy", "probabilistic", 0.0, 10);
        shop.kept("busy", "probabilistic", f64::NAN, 10);
        shop.record("busy", &[("sampler.type", "probabilistic".into())], 10);
        shop.record("busy", &[("sampler.type", true.into())], 10);
        shop.kept("", "probabilistic", 1.0, 10);
        shop.kept(&"n".repeat(LONGEST + 1), "probabilistic", 1.0, 10);
        assert_eq!(shop.next("busy"), None);
        assert!(
            shop.strategies.state(shop.now).services["shop"]
                .operations
                .is_empty()
        );
    }

    #[test]
    fn an_operation_is_forgotten_when_it_rests_and_their_number_is_bounded() {
        let mut shop = Clocked::new(1.0);
        for n in 0..MOST_OPERATIONS + 10 {
            shop.kept(&n.to_string(), "probabilistic", 1.0, 1);
        }
        for n in 0..MOST_SERVICES + 10 {
            shop.strategies.answer(&n.to_string(), shop.now);
        }
        let sizes = |shop: &Clocked| {
            let state = shop.strategies.state(shop.now);
            (state.operations, state.services.len())
        };
        assert_eq!(sizes(&shop), (MOST_OPERATIONS, MOST_SERVICES));
        shop.kept("new", "probabilistic", 1.0, 1);
        assert_eq!(shop.next("new"), None);
        for _ in 0..MOST_IDLE {
            shop.next("0");
        }
        assert_eq!(sizes(&shop), (0, 1), "only the service that asks");
        shop.kept("new", "probabilistic", 1.0, 1_000);
        assert_eq!(shop.next("new"), Some(0.01));
    }
}
