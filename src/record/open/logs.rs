//! The log records of one span.

use std::collections::VecDeque;

use crate::model::{FieldRef, Timestamp, field, tags};
use crate::record::open::log_draft::LogDraft;
use crate::record::wire::appender::MIN_GROWTH;
use crate::record::wire::codes::LONG_LIST_ITEMS;
use crate::record::wire::decode::Logs;
use crate::record::wire::limits::Limits;
use crate::record::wire::short_tag::ShortTags;

/// Encoded log records: the first ones, and the newest of the later ones.
#[derive(Debug, Default)]
pub(crate) struct LogBuffer {
    pub(crate) first: Vec<u8>,
    pub(crate) first_count: u32,
    pub(crate) newest: VecDeque<Vec<u8>>,
    newest_bytes: usize,
    pub(crate) joined: Vec<u8>,
    dropped: u64,
}

impl LogBuffer {
    /// Returns the bytes that are allocated, used or not.
    pub(crate) fn capacity(&self) -> usize {
        self.first.capacity() + self.joined.capacity()
    }

    /// Empties a buffer that has only first records.
    #[inline]
    pub(crate) fn clear(&mut self) {
        self.first.clear();
        self.first_count = 0;
    }

    /// Empties a buffer that may have later records.
    pub(crate) fn clear_complex(&mut self) {
        self.clear();
        self.newest.clear();
        self.newest_bytes = 0;
        self.joined.clear();
        self.dropped = 0;
    }

    /// Adds one of the first records if its fields are short and simple, and reserved room is left. Returns false, and
    /// changes nothing, otherwise.
    #[inline(always)]
    pub(crate) fn push_short(
        &mut self,
        timestamp: Timestamp,
        fields: &[FieldRef<'_>],
        limits: &Limits,
    ) -> bool {
        let limit = limits.span_bytes.saturating_sub(self.newest_bytes);
        if !self.is_next_first(limits) || fields.len() >= LONG_LIST_ITEMS {
            return false;
        }
        let mut short = ShortTags::new(
            &mut self.first,
            limit,
            limits.key_bytes,
            limits.log_value_bytes,
        );
        if !short.begin_log(timestamp, fields.len()) {
            return false;
        }
        for FieldRef { key, value } in fields {
            if short.write(key, value).is_none() {
                return false;
            }
        }
        short.end_log();
        short.finish();
        self.first_count += 1;
        true
    }

    /// Adds a record if it is one of the first and the span has room. Returns false, and changes nothing, otherwise.
    pub(crate) fn push_first(&mut self, record: &[u8], limits: &Limits) -> bool {
        let has_room = self.first.len() + self.newest_bytes + record.len() <= limits.span_bytes;
        if !has_room || !self.is_next_first(limits) {
            return false;
        }
        // The next short record finds reserved room too.
        self.first.reserve(record.len() + MIN_GROWTH);
        self.first.extend_from_slice(record);
        self.first_count += 1;
        true
    }

    /// Returns whether the next record is one of the first, which stay.
    #[inline(always)]
    fn is_next_first(&self, limits: &Limits) -> bool {
        limits.logs == 0 || (self.first_count as usize) < first_records(limits)
    }

    /// Adds a later record, which may replace the oldest of the newest ones.
    pub(crate) fn push_newest(&mut self, record: &[u8], limits: &Limits) -> Pushed {
        if self.first.len() + self.newest_bytes + record.len() > limits.span_bytes {
            return Pushed::NoRoom;
        }
        let mut replaced = 0;
        let mut entry = if self.newest.len() < limits.logs - first_records(limits) {
            Vec::new()
        } else {
            // The first time two are lost: the record that tells of the loss takes the place of another one.
            replaced = if self.dropped == 0 { 2 } else { 1 };
            self.dropped += 1;
            self.newest.pop_front().unwrap_or_default()
        };
        self.newest_bytes -= entry.len();
        entry.clear();
        entry.extend_from_slice(record);
        self.newest_bytes += entry.len();
        self.newest.push_back(entry);
        Pushed::Instead(replaced)
    }

    /// Replaces the oldest of the newest records by one that says how many are missing, at the time of the replaced
    /// one.
    fn mark_dropped(&mut self) {
        let Some(oldest) = self.newest.front_mut() else {
            return;
        };
        let timestamp = Logs::new(oldest, 1)
            .next()
            .map_or_else(Timestamp::default, |log| log.timestamp);
        let limits = Limits::default();
        let mut draft = LogDraft::new(timestamp);
        for field in [
            field(tags::EVENT, tags::DROPPED_LOGS),
            field(tags::DROPPED_LOG_COUNT, self.dropped + 1),
            field(tags::COMPONENT, "tracehound"),
        ] {
            draft.push(field, &limits);
        }
        oldest.clear();
        oldest.extend_from_slice(draft.finish());
        draft.discard();
        self.dropped = 0;
    }

    /// Moves the newest records behind the first, in wire order.
    pub(crate) fn join_newest(&mut self) {
        if self.dropped > 0 {
            self.mark_dropped();
        }
        self.first_count += self.newest.len() as u32;
        for record in self.newest.drain(..) {
            self.joined.extend_from_slice(&record);
        }
    }
}

/// The result of [`LogBuffer::push_newest`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pushed {
    NoRoom,
    /// The record was added, and this many older ones were dropped.
    Instead(u64),
}

/// Returns how many records are never replaced. As in jaeger-client-go: (limit - 1) / 2; the rest are the newest.
#[inline(always)]
fn first_records(limits: &Limits) -> usize {
    limits.logs.saturating_sub(1) / 2
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::display;

    #[test]
    fn a_short_record_has_the_bytes_of_a_draft() {
        let limits = Limits::default();
        let text = "x".repeat(127);
        let fields = [
            field("event", "retry"),
            field("attempt", 3),
            field("bytes", 5_120_u64),
            field(&text, &text),
            field("at", -1_700_000_000_000_000_i64),
        ];
        for time in [0, -1, 1_700_000_000_000_001, i64::MAX] {
            let mut logs = LogBuffer::default();
            for count in 0..=fields.len() {
                let (time, fields) = (Timestamp::from_micros(time), &fields[..count]);
                let mut draft = LogDraft::new(time);
                for field in fields {
                    draft.push(*field, &limits);
                }
                let record = draft.finish().to_owned();
                draft.discard();
                logs.first.reserve(1_000);
                let from = logs.first.len();
                assert!(logs.push_short(time, fields, &limits));
                assert_eq!(logs.first[from..], record);
                assert!(logs.push_first(&record, &limits));
            }
            assert_eq!(logs.first_count, 12);
        }
    }

    #[test]
    fn a_record_that_is_not_short_or_finds_no_room_changes_nothing() {
        let long = "x".repeat(128);
        let time = Timestamp::from_micros(1);
        let mut logs = LogBuffer::default();
        let mut push = |fields: &[FieldRef<'_>], limits: &Limits| {
            let is_pushed = logs.push_short(time, fields, limits);
            assert!(is_pushed || logs.first.is_empty() && logs.first_count == 0);
            let room = logs.first.capacity();
            logs.first = Vec::with_capacity(room.max(1_000));
            is_pushed
        };
        let limits = Limits::default();
        let short = field("event", "retry");
        assert!(!push(&[short], &limits), "there is no memory yet");
        assert!(!push(&[short, field("sql", &long)], &limits));
        assert!(!push(&[short, field("at", display(&'x'))], &limits));
        assert!(!push(&[short, field("none", None::<i64>)], &limits));
        assert!(!push(&[short; 15], &limits));
        assert!(!push(&[short], &Limits::default().span_bytes(20)));
        assert!(!push(&[short], &Limits::default().logs(2)));
        assert!(push(&[short; 14], &limits));
    }
}
