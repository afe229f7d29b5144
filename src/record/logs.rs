//! The log records of one span.

use std::collections::VecDeque;

use crate::model::{TagRef, Timestamp, tags};
use crate::record::append::{Appender, VARINT_BYTES};
use crate::record::buffer::Added;
use crate::record::encode::{Logs, write_tag, zigzag};
use crate::record::limits::Limits;

/// Log records: the first ones, and of the later ones the newest.
#[derive(Debug, Default)]
pub(super) struct LogBuffer {
    pub(super) first: Vec<u8>,
    pub(super) first_count: u32,
    pub(super) newest: VecDeque<Vec<u8>>,
    newest_bytes: usize,
    pub(super) joined: Vec<u8>,
    dropped: u64,
}

impl LogBuffer {
    pub(super) fn capacity(&self) -> usize {
        self.first.capacity() + self.joined.capacity()
    }

    /// Whether there is more than the first records.
    pub(super) fn is_unusual(&self) -> bool {
        !self.newest.is_empty()
    }

    pub(super) fn clear(&mut self) {
        self.first.clear();
        self.first_count = 0;
        self.newest.clear();
        self.newest_bytes = 0;
        self.joined.clear();
        self.dropped = 0;
    }

    pub(super) fn push(
        &mut self,
        timestamp: Timestamp,
        fields: &[u8],
        count: usize,
        limits: &Limits,
    ) -> Added {
        let used = self.first.len() + self.newest_bytes;
        if used + fields.len() + RECORD_BYTES > limits.span_bytes {
            return Added {
                truncated: 0,
                dropped: 1,
            };
        }
        // As jaeger-client-go: (limit - 1) / 2 records stay, the rest is for the newest.
        let keep = (limits.logs.saturating_sub(1)) / 2;
        if limits.logs == 0 || (self.first_count as usize) < keep {
            write_record(&mut self.first, timestamp, fields, count);
            self.first_count += 1;
            return Added::default();
        }
        let mut record = if self.newest.len() < limits.logs - keep {
            Vec::new()
        } else {
            self.dropped += 1;
            self.newest.pop_front().unwrap_or_default()
        };
        self.newest_bytes -= record.len();
        record.clear();
        write_record(&mut record, timestamp, fields, count);
        self.newest_bytes += record.len();
        self.newest.push_back(record);
        Added::default()
    }

    /// Puts a record that says how many are missing in the place, and with the time, of the oldest of the newest.
    fn mark_dropped(&mut self) {
        let Some(oldest) = self.newest.front_mut() else {
            return;
        };
        let timestamp = Logs::new(oldest, 1)
            .next()
            .map_or_else(Timestamp::default, |log| log.timestamp);
        let mut fields = Vec::new();
        write_tag(
            &mut fields,
            tags::EVENT,
            TagRef::String("dropped Span logs"),
        );
        write_tag(
            &mut fields,
            "dropped_log_count",
            TagRef::Unsigned(self.dropped + 1),
        );
        write_tag(&mut fields, tags::COMPONENT, TagRef::String("tracehound"));
        oldest.clear();
        write_record(oldest, timestamp, &fields, 3);
        self.dropped = 0;
    }

    /// Puts the newest behind the first.
    pub(super) fn join_newest(&mut self) {
        if self.dropped > 0 {
            self.mark_dropped();
        }
        self.first_count += self.newest.len() as u32;
        for record in self.newest.drain(..) {
            self.joined.extend_from_slice(&record);
        }
    }
}

/// More than a record takes beside its fields.
const RECORD_BYTES: usize = 24;

fn write_record(out: &mut Vec<u8>, timestamp: Timestamp, fields: &[u8], count: usize) {
    let mut out = Appender::new(out, fields.len() + 4 + 2 * VARINT_BYTES);
    // SAFETY: a record is its fields, four bytes and two numbers.
    unsafe {
        out.byte(0x16);
        out.varint(zigzag(timestamp.as_micros()));
        out.byte(0x19);
        if count < 15 {
            out.byte((count as u8) << 4 | 0x0c);
        } else {
            out.byte(0xfc);
            out.varint(count as u64);
        }
        out.bytes(fields);
        out.byte(0);
    }
    out.finish();
}
