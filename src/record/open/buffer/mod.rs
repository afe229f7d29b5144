//! What one span has gathered, in its wire form.

use std::borrow::Cow;
use std::mem;

use crate::model::{Baggage, FieldRef, Flags, ReportedReference, TagRef, Timestamp, tags};
use crate::record::open::logs::{LogBuffer, Pushed};
use crate::record::queue::frame::{FrameBytes, FrameEnd};
use crate::record::wire::appender::KEPT_BYTES;
use crate::record::wire::decode::Tags;
use crate::record::wire::encode::write_reference;
use crate::record::wire::limits::Limits;
use crate::record::wire::repeated_keys::{KeyEnds, KeyFilter, without_repeated_keys};
use crate::record::wire::sampler_tags::EncodedTags;
use crate::record::wire::short_tag::{SHORT_TAG_BYTES, ShortTags};
use crate::record::wire::truncate::{cut, write_limited_tag};
use crate::record::wire::truncated_keys::TruncatedKeys;

/// The name, tags, logs and references of a span. Everything that a call adds is already free of user code.
#[derive(Debug)]
pub(crate) struct SpanBuffer {
    operation_name: Cow<'static, str>,
    tags: Vec<u8>,
    tag_count: u32,
    /// There is or was something that most spans do not have: a name that is not static, not the first or too long,
    /// baggage, references besides the one to the parent, items that were left out, binary values that were cut, logs that may be, more memory than
    /// is kept.
    is_complex: bool,
    keys: KeyFilter,
    logs: LogBuffer,
    baggage: Baggage,
    references: Vec<u8>,
    reference_count: u32,
    dropped_items: u64,
    /// Of tags.
    truncated_keys: TruncatedKeys,
}

/// A name that is copied without a loop.
const SHORT_NAME: usize = 32;

/// What happened to something that was added.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Added {
    /// Values that were cut.
    pub(crate) truncated: u64,
    /// Items for which there was no room.
    pub(crate) dropped: u64,
}

impl Default for SpanBuffer {
    fn default() -> Self {
        Self {
            operation_name: Cow::Borrowed(""),
            tags: Vec::new(),
            tag_count: 0,
            is_complex: false,
            keys: KeyFilter::default(),
            logs: LogBuffer::default(),
            baggage: Baggage::default(),
            references: Vec::new(),
            reference_count: 0,
            dropped_items: 0,
            truncated_keys: TruncatedKeys::default(),
        }
    }
}

impl SpanBuffer {
    /// Empties it for the next span. The memory stays, unless it is much.
    #[inline(always)]
    pub(crate) fn clear(&mut self) {
        if self.is_complex {
            self.clear_complex();
        }
        if self.logs.first_count > 0 {
            self.logs.clear();
            if self.logs.capacity() > KEPT_BYTES {
                self.clear_complex();
            }
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
        self.operation_name = Cow::Borrowed("");
        self.baggage = Baggage::default();
        self.references.clear();
        self.reference_count = 0;
        self.logs.clear_complex();
        self.dropped_items = 0;
        self.truncated_keys = TruncatedKeys::default();
        self.is_complex = false;
    }

    /// How many bytes its parts hold, used or not.
    pub(crate) fn memory(&self) -> usize {
        self.tags.capacity() + self.logs.capacity() + self.references.capacity()
    }

    /// The name of a span that begins.
    #[inline(always)]
    pub(crate) fn begin(&mut self, operation_name: Cow<'static, str>, limits: &Limits) {
        self.is_complex = matches!(operation_name, Cow::Owned(_))
            || operation_name.len() > limits.operation_name_bytes;
        let vacant = mem::replace(&mut self.operation_name, operation_name);
        // Without the look whether there is something to free.
        debug_assert!(matches!(vacant, Cow::Borrowed(_)));
        mem::forget(vacant);
    }

    pub(crate) fn operation_name(&self) -> &Cow<'static, str> {
        &self.operation_name
    }

    pub(crate) fn set_operation_name(&mut self, name: Cow<'static, str>) {
        self.is_complex = true;
        self.operation_name = name;
    }

    pub(crate) fn baggage(&self) -> &Baggage {
        &self.baggage
    }

    pub(crate) fn baggage_mut(&mut self) -> &mut Baggage {
        self.is_complex = true;
        &mut self.baggage
    }

    pub(crate) fn push_reference(&mut self, reference: &ReportedReference) {
        self.is_complex = true;
        write_reference(&mut self.references, reference);
        self.reference_count += 1;
    }

    /// `value` has been made one of the kinds that are sent.
    #[inline(always)]
    pub(crate) fn push_tag(&mut self, key: &str, value: TagRef<'_>, limits: &Limits) -> Added {
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

    /// The same for several.
    #[inline(always)]
    pub(crate) fn push_tags(&mut self, tags: &[(&str, TagRef<'_>)], limits: &Limits) -> Added {
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
            let added = self.push_any_tag(key, value, limits);
            all.truncated += added.truncated;
            all.dropped += added.dropped;
        }
    }

    /// Short or not, and whether there is room at hand or not.
    #[inline(never)]
    fn push_any_tag(&mut self, key: &str, value: &TagRef<'_>, limits: &Limits) -> Added {
        let from = self.tags.len();
        let truncated =
            write_limited_tag(&mut self.tags, key, *value, limits.tag_value_bytes, limits);
        // Room at hand for the next short one.
        self.tags.reserve(SHORT_TAG_BYTES);
        // Much memory is not kept.
        self.is_complex |= self.tags.capacity() > KEPT_BYTES;
        if self.tags.len() > limits.span_bytes && !self.drop_replaced_values(from, limits) {
            self.tags.truncate(from);
            self.dropped_items += 1;
            self.is_complex = true;
            return Added {
                truncated: 0,
                dropped: 1,
            };
        }
        self.keys.insert(KeyEnds::of(key));
        if truncated != 0 {
            // Keys that differ may be one when they are cut: the reader is to look.
            self.keys.has_repeated |= key.len() > limits.key_bytes;
            self.note_truncated(key, value, limits);
        }
        self.tag_count += 1;
        Added {
            truncated,
            dropped: 0,
        }
    }

    /// The sampler's tags; returns how many of their parts were cut. They are few and short, and the first of their span.
    #[inline(always)]
    pub(crate) fn push_encoded(&mut self, encoded: &EncodedTags) -> u64 {
        self.tags.extend_from_slice(&encoded.bytes);
        self.is_complex |= self.tags.capacity() > KEPT_BYTES;
        self.tag_count += EncodedTags::COUNT;
        encoded.truncated
    }

    /// A log record, if its fields are as most are and there is room at hand; false, and nothing is changed, if not.
    #[inline(always)]
    pub(crate) fn push_short_log(
        &mut self,
        timestamp: Timestamp,
        fields: &[FieldRef<'_>],
        limits: &Limits,
    ) -> bool {
        self.logs.push_short(timestamp, fields, limits)
    }

    /// A complete record.
    pub(crate) fn push_log(&mut self, record: &[u8], limits: &Limits) -> Added {
        if self.logs.push_first(record, limits) {
            return Added::default();
        }
        self.is_complex = true;
        let dropped = match self.logs.push_newest(record, limits) {
            Pushed::Instead(older) => older,
            Pushed::NoRoom => {
                self.dropped_items += 1;
                1
            }
        };
        Added {
            truncated: 0,
            dropped,
        }
    }

    /// Brings everything into its final form. What was left out is marked. Returns whether the name was cut.
    #[inline(always)]
    pub(crate) fn seal(&mut self, limits: &Limits) -> bool {
        self.is_complex && self.seal_complex(limits)
    }

    #[cold]
    #[inline(never)]
    fn seal_complex(&mut self, limits: &Limits) -> bool {
        self.logs.join_newest();
        if self.dropped_items > 0 {
            self.mark_dropped(limits);
            // Sealed again where there is no room at hand.
            self.dropped_items = 0;
        }
        if !self.truncated_keys.is_empty() {
            self.mark_truncated(limits);
        }
        let Some(name) = cut(&self.operation_name, limits.operation_name_bytes) else {
            return false;
        };
        self.set_operation_name(Cow::Owned(name));
        true
    }

    /// A sealed buffer as it goes into a frame.
    #[inline(always)]
    pub(crate) fn bytes(&self) -> FrameBytes<'_> {
        FrameBytes {
            references: &self.references,
            reference_count: self.reference_count,
            logs: [&self.logs.first, &self.logs.joined],
            log_count: self.logs.first_count,
            operation_name: &self.operation_name,
            tags: &self.tags,
        }
    }

    /// What is left to say of a span in its header.
    #[inline(always)]
    pub(crate) fn end(&self, flags: Flags, duration: u64) -> FrameEnd {
        FrameEnd {
            duration,
            flags,
            tag_count: self.tag_count,
            has_repeated_keys: self.keys.has_repeated,
        }
    }

    /// Whether there is nothing but a name and tags.
    #[inline(always)]
    pub(crate) fn is_tags_only(&self) -> bool {
        !self.is_complex && self.logs.first_count == 0
    }

    /// The same as [`bytes`](Self::bytes) of a plain buffer.
    #[inline(always)]
    pub(crate) fn tags_only_bytes(&self) -> FrameBytes<'_> {
        FrameBytes {
            operation_name: &self.operation_name,
            tags: &self.tags,
            ..FrameBytes::default()
        }
    }

    /// Empties a plain buffer.
    #[inline(always)]
    pub(crate) fn clear_tags_only(&mut self) {
        debug_assert!(self.is_tags_only());
        self.tags.clear();
        self.tag_count = 0;
        self.keys.clear();
    }

    /// Whether there is nothing but a short name.
    #[inline(always)]
    pub(crate) fn is_name_only(&self) -> bool {
        self.is_tags_only() && self.tags.is_empty() && self.operation_name.len() <= SHORT_NAME
    }

    /// The same as [`bytes`](Self::bytes) of a bare buffer.
    #[inline(always)]
    pub(crate) fn name_only_bytes(&self) -> FrameBytes<'_> {
        FrameBytes {
            operation_name: &self.operation_name,
            ..FrameBytes::default()
        }
    }

    #[cfg(test)]
    pub(crate) fn tag_count(&self) -> u32 {
        self.tag_count
    }

    #[cold]
    fn mark_dropped(&mut self, limits: &Limits) {
        write_limited_tag(
            &mut self.tags,
            tags::DROPPED_ITEMS,
            TagRef::Unsigned(self.dropped_items),
            usize::MAX,
            limits,
        );
        self.tag_count += 1;
    }

    #[cold]
    fn note_truncated(&mut self, key: &str, value: &TagRef<'_>, limits: &Limits) {
        if let TagRef::Binary(bytes) = value
            && bytes.len() > limits.tag_value_bytes
        {
            let key = cut(key, limits.key_bytes).map_or(Cow::Borrowed(key), Cow::Owned);
            self.truncated_keys.insert(&key);
            self.is_complex = true;
        }
    }

    #[cold]
    fn mark_truncated(&mut self, limits: &Limits) {
        let noted = mem::take(&mut self.truncated_keys);
        // In the order of the tags, and without those of which a later value is whole.
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

    fn tags(&self) -> Tags<'_> {
        Tags::new(&self.tags, self.tag_count as usize)
    }

    /// Throws out values that later ones have replaced, where that frees at least half; the last tag, from
    /// `last` on, is not counted yet.
    #[cold]
    fn drop_replaced_values(&mut self, last: usize, limits: &Limits) -> bool {
        if !self.keys.has_repeated {
            return false;
        }
        let newest = self.tags.split_off(last);
        let (kept, count) = without_repeated_keys(self.tags());
        if kept.len() * 2 > limits.span_bytes {
            self.tags.extend_from_slice(&newest);
            // Nothing worth the search will be found again.
            self.keys.has_repeated = kept.len() < last || has_sampler_keys(&kept, count);
            return false;
        }
        self.tags = kept;
        self.tag_count = count;
        self.tags.extend_from_slice(&newest);
        true
    }
}

/// The sampler's own tags go before these, and may be set twice by that.
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

#[cfg(test)]
mod tests;
