use crate::model::TagRef;
use crate::model::tags::{
    DEGRADED, DROPPED_ITEMS, DROPPED_LOG_COUNT, DROPPED_LOGS, EVENT, TRUNCATED_BINARY,
};
use crate::record::wire::encode::write_tag;
use crate::record::{LogView, TruncatedKeys};

/// The tags by which a span tells what is missing on it.
#[derive(Clone, Debug, Default)]
pub(super) struct Marks {
    pub(super) dropped_items: u64,
    pub(super) truncated_keys: TruncatedKeys,
}

impl Marks {
    /// Reads the tag if it is a mark that the limits have left. Returns false if it is another tag.
    pub(super) fn read(&mut self, key: &str, value: TagRef<'_>) -> bool {
        match (key, value) {
            (DROPPED_ITEMS, TagRef::Long(items)) => {
                self.dropped_items = self
                    .dropped_items
                    .saturating_add(items.max(0).unsigned_abs());
            }
            (TRUNCATED_BINARY, TagRef::String(keys)) => self.truncated_keys.read(keys),
            _ => return false,
        }
        true
    }

    /// Appends the tags, and the one that tells what was `done` to fit the span into a packet. Returns their number.
    pub(super) fn write(&self, out: &mut Vec<u8>, done: &str) -> u32 {
        write_tag(out, DEGRADED, TagRef::String(done));
        let mut count = 1 + self.truncated_keys.write(out);
        if self.dropped_items > 0 {
            write_tag(out, DROPPED_ITEMS, TagRef::Unsigned(self.dropped_items));
            count += 1;
        }
        count
    }
}

/// Returns how many log records are missing if `log` stands in their place.
pub(super) fn missing_records(log: &LogView<'_>) -> Option<u64> {
    let mut fields = log.fields.clone();
    let is_mark = matches!(fields.next(), Some((EVENT, TagRef::String(DROPPED_LOGS))));
    match fields.next() {
        Some((DROPPED_LOG_COUNT, TagRef::Long(count))) if is_mark => u64::try_from(count).ok(),
        _ => None,
    }
}
