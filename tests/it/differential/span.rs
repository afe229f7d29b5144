//! A span of the model: lists of what was put on it.

use std::collections::HashSet;
use std::time::Duration;

use tracehound::model::{Flags, LogRecord, ReportedReference, Tag, TagValue, Timestamp};
use tracehound::reporter::OwnedSpan;

use super::context::Context;
use super::outcome::kept_logs;
use super::text::truncated_mark;

pub(super) struct Span {
    pub(super) context: Context,
    pub(super) tracer: usize,
    pub(super) is_local_root: bool,
    /// The decision depends on the name and has not been seen by the program, so a rename asks the sampler again.
    pub(super) may_be_asked_again: bool,
    pub(super) name: String,
    pub(super) start: i64,
    pub(super) end: i64,
    pub(super) tags: Vec<(String, TagValue)>,
    /// The keys of binary values that were cut.
    pub(super) truncated: HashSet<String>,
    pub(super) logs: Vec<LogRecord>,
    pub(super) references: Vec<ReportedReference>,
    pub(super) owners: u32,
    pub(super) is_finished: bool,
}

impl Span {
    /// Returns the span as it is reported.
    pub(super) fn come_out(&self, flags: Flags, log_limit: usize) -> OwnedSpan {
        let (trace_id, span_id, parent_id) = self.context.ids.expect("every span has ids");
        let mut owned = OwnedSpan::new(trace_id, span_id, self.name.clone());
        owned.parent_id = parent_id;
        owned.flags = flags;
        owned.start = Timestamp::from_micros(self.start);
        let micros = (self.end - self.start).max(1);
        owned.duration = Duration::from_micros(micros.unsigned_abs());
        let keys = self.tags.iter().map(|(key, _)| key.clone());
        let truncated: Vec<_> = keys.filter(|key| self.truncated.contains(key)).collect();
        owned.tags = self
            .tags
            .iter()
            .map(|(key, value)| Tag::new(key.clone(), value.clone()))
            .chain(truncated_mark(&truncated))
            .collect();
        owned.logs = kept_logs(&self.logs, log_limit);
        owned.references.clone_from(&self.references);
        owned
    }
}
