use std::borrow::Cow;
use std::cell::Cell;

use crate::bridge::tracing::fields::Fields;
use crate::clock::Moment;
use crate::metrics::Counter;
use crate::model::{TagRef, tags};
use crate::span::{Reference, Span, SpanContext};

/// Tags, logs and references of a span that are waiting to be set on it.
#[derive(Debug, Default)]
pub(super) struct Recorded {
    /// A new operation name.
    pub(super) name: Option<String>,
    pub(super) tags: Fields,
    pub(super) log_fields: Fields,
    logs: Vec<LogEntry>,
    pub(super) status: Status,
    references: Vec<SpanContext>,
    /// The number of tags, log records and references that were left out.
    dropped_items: u64,
}

/// A log record: its fields lie between those of the one before and `end`.
#[derive(Clone, Copy, Debug)]
struct LogEntry {
    moment: Moment,
    end: usize,
}

/// The outcome of a span's work, in the order of precedence: an explicit `Ok` outweighs an event at level `ERROR`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Status {
    #[default]
    Unset,
    Error,
    Ok,
}

thread_local! {
    /// The memory of the last record, which the next one uses again.
    static SCRATCH: Cell<Option<Box<Recorded>>> = const { Cell::new(None) };
}

/// Calls `record` with an empty record, which is gone afterwards.
pub(super) fn with_scratch<R>(record: impl FnOnce(&mut Recorded) -> R) -> R {
    // Taken out, because `record` runs user code, which may get here again.
    let scratch = SCRATCH.try_with(Cell::take).ok().flatten();
    let mut scratch = scratch.unwrap_or_default();
    let result = record(&mut scratch);
    scratch.clear();
    let _ = SCRATCH.try_with(|place| place.set(Some(scratch)));
    result
}

impl Recorded {
    /// Makes a log record of the fields that were added to `log_fields` since the last one.
    pub(super) fn end_log(&mut self, moment: Moment) {
        let end = self.log_fields.len();
        self.logs.push(LogEntry { moment, end });
    }

    /// Sets the status unless a higher one is set.
    pub(super) fn raise_status(&mut self, status: Status) {
        self.status = self.status.max(status);
    }

    /// Adds a `FollowsFrom` reference.
    pub(super) fn push_reference(&mut self, context: SpanContext) {
        // The caller of `limit_references` bounds the list.
        self.references.push(context);
    }

    /// Leaves out references beyond a number, and returns how many there are.
    #[inline]
    pub(super) fn limit_references(&mut self, most: usize) -> usize {
        let many = self.references.len().saturating_sub(most);
        if many > 0 {
            self.references.truncate(most);
            self.dropped_items += many as u64;
        }
        self.references.len()
    }

    /// Adds everything that another one has.
    pub(super) fn append(&mut self, other: &mut Self) {
        if let Some(name) = other.name.take() {
            self.name = Some(name);
        }
        if !other.tags.is_empty() {
            self.tags.append(&other.tags);
        }
        if !other.logs.is_empty() {
            let shift = self.log_fields.len();
            self.log_fields.append(&other.log_fields);
            self.logs.extend(other.logs.iter().map(|log| LogEntry {
                end: log.end + shift,
                ..*log
            }));
        }
        self.raise_status(other.status);
        if !other.references.is_empty() {
            self.references.append(&mut other.references);
        }
        self.dropped_items += other.dropped_items;
    }

    /// Adds only the status of another one, and counts the rest.
    #[cold]
    pub(super) fn append_status(&mut self, other: &Self) {
        self.raise_status(other.status);
        let items = other.tags.len() + other.logs.len() + other.references.len();
        self.dropped_items += items as u64 + other.dropped_items;
    }

    /// Returns whether so much was recorded that the span has to start.
    #[inline]
    pub(super) fn is_full(&self) -> bool {
        self.holds(1)
    }

    /// Returns whether more may be recorded while the span starts.
    pub(super) fn has_room(&self) -> bool {
        !self.holds(MOST_WHILE_STARTING)
    }

    #[inline]
    fn holds(&self, times: usize) -> bool {
        self.logs.len() >= MOST_LOGS * times
            || self.tags.len() >= MOST_TAGS * times
            || self.tags.bytes() + self.log_fields.bytes() >= MOST_BYTES * times
    }

    #[inline]
    pub(super) fn is_empty(&self) -> bool {
        self.name.is_none()
            && self.tags.is_empty()
            && self.logs.is_empty()
            && self.status == Status::Unset
            && self.references.is_empty()
    }

    /// Takes the name that the span starts with.
    pub(super) fn take_name(&mut self, name: &'static str) -> Cow<'static, str> {
        match self.name.take() {
            Some(name) => name.into(),
            None => name.into(),
        }
    }

    pub(super) fn references(&self) -> &[SpanContext] {
        &self.references
    }

    /// Writes to the span what it could not be started with: log records, and counts.
    #[inline]
    pub(super) fn apply_after_start(&self, span: &Span) {
        if !self.logs.is_empty() || self.leaves_counts() {
            self.apply_logs_and_counts(span);
        }
    }

    fn apply_logs_and_counts(&self, span: &Span) {
        let mut start = 0;
        for log in &self.logs {
            span.log_at_moment(log.moment, self.log_fields.slice(start..log.end));
            start = log.end;
        }
        self.count(span);
    }

    /// Writes everything to a span that has started. `before` is the status that it had.
    pub(super) fn apply(&mut self, span: &Span, before: Status) {
        if let Some(name) = self.name.take() {
            span.set_operation_name(name);
        }
        for tag in self.tags.iter() {
            span.set_tag(tag.key, tag.value);
        }
        if let Some(is_error) = self.status.error_tag(before) {
            span.set_tag(tags::ERROR, is_error);
        }
        if !self.references.is_empty() {
            for context in self.references.drain(..) {
                span.add_reference(&Reference::follows_from(&context));
            }
        }
        self.apply_after_start(span);
    }

    /// Returns the tags that the span starts with.
    pub(super) fn start_tags(&self) -> impl Iterator<Item = (&str, TagRef<'_>)> {
        let error = self.status.error_tag(Status::Unset);
        let error = error.map(|is_error| (tags::ERROR, TagRef::Bool(is_error)));
        let tags = self.tags.iter().map(|tag| (tag.key, tag.value));
        tags.chain(error)
    }

    fn count(&self, span: &Span) {
        let panics = self.tags.panics + self.log_fields.panics;
        let cut = self.tags.cut + self.log_fields.cut;
        if panics | cut | self.dropped_items != 0 {
            span.count(Counter::CallbackPanics, panics);
            span.count(Counter::TruncatedValues, cut);
            span.count(Counter::DroppedItems, self.dropped_items);
        }
    }

    /// Removes everything, and keeps the memory up to a limit.
    #[inline]
    pub(super) fn clear(&mut self) {
        if !self.is_empty() || !self.log_fields.is_empty() || self.leaves_counts() {
            self.remove_all();
        }
    }

    /// Returns whether something was left out, cut or has panicked.
    #[inline]
    fn leaves_counts(&self) -> bool {
        let panics = self.tags.panics + self.log_fields.panics;
        let cut = self.tags.cut + self.log_fields.cut;
        panics | cut | self.dropped_items != 0
    }

    fn remove_all(&mut self) {
        self.name = None;
        self.tags.clear();
        if !self.logs.is_empty() || !self.log_fields.is_empty() {
            self.log_fields.clear();
            self.logs.clear();
        }
        self.status = Status::Unset;
        self.references.clear();
        self.dropped_items = 0;
    }
}

impl Status {
    /// Returns the value of the tag `error` if this status, after another one, sets it.
    fn error_tag(self, before: Self) -> Option<bool> {
        match (before, self) {
            (Self::Unset, Self::Error) => Some(true),
            (Self::Error, Self::Ok) => Some(false),
            _ => None,
        }
    }
}

/// The amount that is recorded before the span starts to make room. From then on its own limits hold.
const MOST_LOGS: usize = 32;
const MOST_TAGS: usize = 256;
const MOST_BYTES: usize = 16 * 1_024;
/// The factor by which more is recorded while the span is starting.
const MOST_WHILE_STARTING: usize = 8;

/// The number of references that a span takes beside that to its parent.
pub(super) const MOST_REFERENCES: usize = 128;
