//! What an open span records beside its name.

use std::borrow::Cow;
use std::mem;

use crate::model::{FieldRef, ReportedReference, TagRef, Timestamp, tags};
use crate::record::open::logs::{LogBuffer, Pushed};
use crate::record::queue::frame::FrameBytes;
use crate::record::wire::appender::KEPT_BYTES;
use crate::record::wire::decode::Tags;
use crate::record::wire::encode::write_reference;
use crate::record::wire::limits::Limits;
use crate::record::wire::repeated_keys::{KeyEnds, KeyFilter, without_repeated_keys};
use crate::record::wire::sampler_tags::EncodedTags;
use crate::record::wire::short_tag::ShortTags;
use crate::record::wire::truncate::{cut, write_limited_tag};
use crate::record::wire::truncated_keys::TruncatedKeys;

/// The tags, logs and references of a span. A capped span has none of them, nor the memory for them.
#[derive(Debug, Default)]
pub(super) struct Records {
    pub(super) tags: Vec<u8>,
    /// `None` until a span in this slot logs.
    logs: Option<Box<LogBuffer>>,
    /// `None` until a span in this slot needs it.
    rare: Option<Box<Rare>>,
    pub(super) keys: KeyFilter,
    pub(super) tag_count: u32,
    /// Whether the span needs more than the fast path does. True after: a name that is not static, was changed or is
    /// too long; baggage or `tracestate`; references besides the one to the parent; items that were left out; binary
    /// values that were cut; logs beyond the first ones; growth beyond [`KEPT_BYTES`].
    pub(super) is_complex: bool,
    has_logs: bool,
}

/// The data that only few spans record.
#[derive(Debug, Default)]
struct Rare {
    references: Vec<u8>,
    reference_count: u32,
    dropped_items: u64,
    /// Keys of tags whose binary values were cut.
    truncated_keys: TruncatedKeys,
}

/// Every open span takes this, so what few spans need stands behind a pointer.
#[cfg(not(tracehound_loom))]
const _: () = assert!(size_of::<Records>() <= 104);

/// The losses at something that was added.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Added {
    /// The number of values that were cut.
    pub(crate) truncated: u64,
    /// The number of items that found no room.
    pub(crate) dropped: u64,
}

/// The number of references up to which one more can be added after the start.
const MAX_LATE_REFERENCES: u32 = 128;

impl Records {
    /// Empties them for the next span. They keep their memory, up to [`KEPT_BYTES`].
    #[inline(always)]
    pub(super) fn clear(&mut self) {
        if self.is_complex {
            self.clear_complex();
        }
        if self.has_logs {
            self.clear_logs();
        }
        self.clear_tags_only();
    }

    #[cold]
    #[inline(never)]
    fn clear_complex(&mut self) {
        if self.memory() > KEPT_BYTES {
            *self = Self::default();
            return;
        }
        if let Some(rare) = &mut self.rare {
            rare.clear();
        }
        if let Some(logs) = &mut self.logs {
            logs.clear_complex();
        }
        self.is_complex = false;
        self.has_logs = false;
    }

    #[inline(always)]
    fn clear_logs(&mut self) {
        self.has_logs = false;
        if let Some(logs) = &mut self.logs {
            logs.clear();
            if logs.capacity() > KEPT_BYTES {
                self.clear_complex();
            }
        }
    }

    /// Returns the bytes of the encoded lists that are allocated, used or not.
    pub(super) fn memory(&self) -> usize {
        let logs = self.logs.as_ref().map_or(0, |logs| logs.capacity());
        let rare = self.rare.as_ref();
        let references = rare.map_or(0, |rare| rare.references.capacity());
        self.tags.capacity() + logs + references
    }

    /// Returns the parts of a frame, from sealed records, without the name.
    #[inline(always)]
    pub(super) fn bytes(&self) -> FrameBytes<'_> {
        let mut bytes = FrameBytes {
            tags: &self.tags,
            ..FrameBytes::default()
        };
        if let Some(logs) = &self.logs {
            bytes.logs = [&logs.first, &logs.joined];
            bytes.log_count = logs.first_count;
        }
        if let Some(rare) = &self.rare {
            bytes.references = &rare.references;
            bytes.reference_count = rare.reference_count;
        }
        bytes
    }

    fn rare(&mut self) -> &mut Rare {
        self.is_complex = true;
        self.rare.get_or_insert_default()
    }

    /// Adds a reference after the one to the parent.
    pub(super) fn push_reference(&mut self, reference: &ReportedReference) {
        let rare = self.rare();
        write_reference(&mut rare.references, reference);
        rare.reference_count += 1;
    }

    /// Adds a reference to a span that has started, unless it has many already.
    pub(super) fn push_late_reference(&mut self, reference: &ReportedReference) -> Added {
        if self.rare().reference_count < MAX_LATE_REFERENCES {
            self.push_reference(reference);
            return Added::default();
        }
        self.drop_item()
    }

    /// Notes that something is left out.
    pub(super) fn drop_item(&mut self) -> Added {
        self.rare().dropped_items += 1;
        Added {
            truncated: 0,
            dropped: 1,
        }
    }

    /// Adds a tag with a simple value.
    #[inline(always)]
    pub(super) fn push_tag(&mut self, key: &str, value: TagRef<'_>, limits: &Limits) -> Added {
        let mut short = short_tags(&mut self.tags, limits);
        let written = short.write(key, &value);
        short.finish();
        match written {
            Some(key) => {
                self.keys.insert(key);
                self.tag_count += 1;
                Added::default()
            }
            None => self.push_any_tag(key, &value, limits),
        }
    }

    /// Adds several tags with simple values.
    #[inline(always)]
    pub(super) fn push_tags(&mut self, tags: &[(&str, TagRef<'_>)], limits: &Limits) -> Added {
        let mut all = Added::default();
        let mut tags = tags.iter();
        loop {
            let mut other = None;
            let mut short = short_tags(&mut self.tags, limits);
            for (key, value) in &mut tags {
                let Some(ends) = short.write(key, value) else {
                    other = Some((key, value));
                    break;
                };
                self.keys.insert(ends);
                self.tag_count += 1;
            }
            short.finish();
            let Some((key, value)) = other else {
                return all;
            };
            if matches!(value, TagRef::Unset) {
                continue;
            }
            let added = self.push_any_tag(key, value, limits);
            all.truncated += added.truncated;
            all.dropped += added.dropped;
        }
    }

    /// Adds a tag of any length, and takes more memory if need be.
    #[inline(never)]
    fn push_any_tag(&mut self, key: &str, value: &TagRef<'_>, limits: &Limits) -> Added {
        let from = self.tags.len();
        let truncated =
            write_limited_tag(&mut self.tags, key, *value, limits.tag_value_bytes, limits);
        // `clear` looks at the memory of a complex buffer only.
        self.is_complex |= self.tags.capacity() > KEPT_BYTES;
        if self.tags.len() > limits.span_bytes && !self.drop_replaced_values(from, limits) {
            self.tags.truncate(from);
            return self.drop_item();
        }
        self.keys.insert(KeyEnds::of(key));
        if truncated != 0 {
            // Different keys may be equal once they are cut, so the reader must compare them.
            self.keys.has_repeated |= key.len() > limits.key_bytes;
            self.note_truncated(key, value, limits);
        }
        self.tag_count += 1;
        Added {
            truncated,
            dropped: 0,
        }
    }

    /// Adds the sampler's tags, which are the first of their span. Returns how many of their parts were cut.
    #[inline(always)]
    pub(super) fn push_encoded(&mut self, encoded: &EncodedTags) -> u64 {
        self.tags.extend_from_slice(&encoded.bytes);
        self.is_complex |= self.tags.capacity() > KEPT_BYTES;
        self.tag_count += EncodedTags::COUNT;
        encoded.truncated
    }

    /// Adds a log record if its fields are short and simple, and reserved room is left. Returns false, and changes
    /// nothing, otherwise.
    #[inline(always)]
    pub(super) fn push_short_log(
        &mut self,
        timestamp: Timestamp,
        fields: &[FieldRef<'_>],
        limits: &Limits,
    ) -> bool {
        let Some(logs) = &mut self.logs else {
            return false;
        };
        let is_added = logs.push_short(timestamp, fields, limits);
        self.has_logs |= is_added;
        is_added
    }

    /// Adds a complete record.
    pub(super) fn push_log(&mut self, record: &[u8], limits: &Limits) -> Added {
        let logs = self.logs.get_or_insert_default();
        if logs.push_first(record, limits) {
            self.has_logs = true;
            return Added::default();
        }
        self.is_complex = true;
        match logs.push_newest(record, limits) {
            Pushed::Instead(older) => Added {
                truncated: 0,
                dropped: older,
            },
            Pushed::NoRoom => self.drop_item(),
        }
    }

    /// Brings complex records into the form that a frame has, with marks for what was left out.
    pub(super) fn seal(&mut self, limits: &Limits) {
        if let Some(logs) = &mut self.logs {
            logs.join_newest();
        }
        let Some(rare) = &mut self.rare else {
            return;
        };
        // Taken: they may be sealed again, because the fast path gives a span to `finish_any` if no room is left in the
        // queue.
        let dropped_items = mem::take(&mut rare.dropped_items);
        let truncated_keys = mem::take(&mut rare.truncated_keys);
        if dropped_items > 0 {
            self.mark_dropped(dropped_items, limits);
        }
        if !truncated_keys.is_empty() {
            self.mark_truncated(&truncated_keys, limits);
        }
    }

    /// Returns whether the span has only a name and tags.
    #[inline(always)]
    pub(super) fn is_tags_only(&self) -> bool {
        !(self.is_complex | self.has_logs)
    }

    /// Empties a buffer that has only a name and tags.
    #[inline(always)]
    pub(super) fn clear_tags_only(&mut self) {
        debug_assert!(self.is_tags_only());
        self.tags.clear();
        self.tag_count = 0;
        self.keys.clear();
    }

    /// Adds a tag that says how many items were left out.
    #[cold]
    fn mark_dropped(&mut self, items: u64, limits: &Limits) {
        write_limited_tag(
            &mut self.tags,
            tags::DROPPED_ITEMS,
            TagRef::Unsigned(items),
            usize::MAX,
            limits,
        );
        self.tag_count += 1;
    }

    /// Remembers the key of a binary value that was cut.
    #[cold]
    fn note_truncated(&mut self, key: &str, value: &TagRef<'_>, limits: &Limits) {
        if let TagRef::Binary(bytes) = value
            && bytes.len() > limits.tag_value_bytes
        {
            let key = cut(key, limits.key_bytes).map_or(Cow::Borrowed(key), Cow::Owned);
            self.rare().truncated_keys.insert(&key);
        }
    }

    /// Adds a tag that lists the keys whose binary values were cut.
    #[cold]
    fn mark_truncated(&mut self, noted: &TruncatedKeys, limits: &Limits) {
        // In the order of the tags, without keys that were later set to a value that is whole.
        let mut keys = TruncatedKeys::default();
        for (key, _) in self.tags().filter(|(key, _)| noted.contains(key)) {
            let last = self.tags().filter(|tag| tag.0 == key).last();
            if let Some((_, TagRef::Binary(bytes))) = last
                && bytes.len() == limits.tag_value_bytes
            {
                keys.insert(key);
            }
        }
        self.tag_count += keys.write(&mut self.tags);
    }

    /// Returns the tags that are set.
    pub(super) fn tags(&self) -> Tags<'_> {
        Tags::new(&self.tags, self.tag_count as usize)
    }

    /// Drops values that later ones have replaced, if this frees at least half of the span's limit. Returns whether it
    /// did. The newest tag begins at `last` and is not counted yet.
    #[cold]
    fn drop_replaced_values(&mut self, last: usize, limits: &Limits) -> bool {
        if !self.keys.has_repeated {
            return false;
        }
        let newest = self.tags.split_off(last);
        let (kept, count) = without_repeated_keys(self.tags());
        if kept.len() * 2 > limits.span_bytes {
            self.tags.extend_from_slice(&newest);
            // The search has shown whether a key is repeated, which the filter only guessed. If none is, the next
            // search is saved.
            self.keys.has_repeated = kept.len() < last || has_sampler_keys(&kept, count);
            return false;
        }
        self.tags = kept;
        self.tag_count = count;
        self.tags.extend_from_slice(&newest);
        true
    }
}

impl Rare {
    /// Empties it for the next span. It keeps the memory of the references.
    fn clear(&mut self) {
        self.references.clear();
        self.reference_count = 0;
        self.dropped_items = 0;
        self.truncated_keys = TruncatedKeys::default();
    }
}

/// Returns whether the tags have keys of the sampler's tags, which the worker puts before these and which are then
/// repeated.
fn has_sampler_keys(tags: &[u8], count: u32) -> bool {
    let is_sampler_key = |key| key == tags::SAMPLER_TYPE || key == tags::SAMPLER_PARAM;
    Tags::new(tags, count as usize).any(|(key, _)| is_sampler_key(key))
}

#[inline(always)]
fn short_tags<'a>(tags: &'a mut Vec<u8>, limits: &Limits) -> ShortTags<'a> {
    ShortTags::new(
        tags,
        limits.span_bytes,
        limits.key_bytes,
        limits.tag_value_bytes,
    )
}
