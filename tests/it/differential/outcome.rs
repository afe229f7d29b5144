//! The expected outcome of a tracer.

use std::collections::{BTreeMap, HashMap};

use tracehound::metrics::{Counter, DropCounts};
use tracehound::model::{LogRecord, Tag};
use tracehound::reporter::OwnedSpan;

use super::plan::TracerPlan;
use super::rules::Rules;

/// The expected reports and counts of a tracer.
pub(super) struct Tracer {
    pub(super) rules: Rules,
    pub(super) finalizes_on_inject: bool,
    pub(super) has_long_trace_ids: bool,
    pub(super) is_closed: bool,
    /// The reported spans, in the order in which they left.
    pub(super) sent: BTreeMap<Order, Vec<OwnedSpan>>,
    pub(super) dropped: DropCounts,
    pub(super) counts: HashMap<Counter, u64>,
}

/// A group of spans that leave in order: those that one thread finished, or those that waited for one decision.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Order {
    Thread(bool),
    Trace(usize),
}

impl Tracer {
    pub(super) fn new(plan: &TracerPlan) -> Self {
        Self {
            rules: Rules(plan.sampler),
            finalizes_on_inject: plan.finalizes_on_inject,
            has_long_trace_ids: plan.has_long_trace_ids,
            is_closed: false,
            sent: BTreeMap::new(),
            dropped: DropCounts::default(),
            counts: HashMap::new(),
        }
    }

    pub(super) fn count(&mut self, counter: Counter) {
        *self.counts.entry(counter).or_default() += 1;
    }

    pub(super) fn sent(&self) -> u64 {
        self.sent.values().map(|spans| spans.len() as u64).sum()
    }
}

/// Returns the first half and the newest half, and between them a record that counts the missing ones.
pub(super) fn kept_logs(logs: &[LogRecord], limit: usize) -> Vec<LogRecord> {
    if limit == 0 || logs.len() <= limit {
        return logs.to_vec();
    }
    let first = (limit - 1) / 2;
    // The oldest of the newest half gives its place and its time to the record that counts.
    let newest = &logs[logs.len() - (limit - first)..];
    let dropped = logs.len() - limit + 1;
    let mut kept = logs[..first].to_vec();
    kept.push(LogRecord::new(
        newest[0].timestamp,
        vec![
            Tag::new("event", "dropped Span logs"),
            Tag::new("dropped_log_count", i64::try_from(dropped).expect("few")),
            Tag::new("component", "tracehound"),
        ],
    ));
    kept.extend_from_slice(&newest[1..]);
    kept
}
