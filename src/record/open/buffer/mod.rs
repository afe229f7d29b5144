//! The content of an open span, in its wire form.

mod records;

use std::borrow::Cow;
use std::mem;

use crate::model::{Carried, FieldRef, Flags, ReportedReference, TagRef, Timestamp};
pub(crate) use crate::record::open::buffer::records::Added;
use crate::record::open::buffer::records::Records;
use crate::record::queue::frame::{FrameBytes, FrameEnd};
use crate::record::wire::decode::Tags;
use crate::record::wire::limits::Limits;
use crate::record::wire::sampler_tags::EncodedTags;
use crate::record::wire::truncate::cut;

/// The name, tags, logs and references of a span, and what its trace carries. No method runs user code.
#[derive(Debug)]
pub(crate) struct SpanBuffer {
    operation_name: Cow<'static, str>,
    carried: Carried,
    /// Tags, logs and references, in memory of their own. `None` for a capped span, which has none.
    records: Option<Box<Records>>,
}

/// The longest name that is copied without a loop.
const SHORT_NAME: usize = 32;

impl SpanBuffer {
    /// Makes an empty buffer.
    pub(crate) fn new() -> Self {
        Self {
            records: Some(Box::default()),
            ..Self::capped()
        }
    }

    /// Makes the buffer of a capped span. It has a name and what the trace carries, and takes nothing else.
    pub(crate) fn capped() -> Self {
        Self {
            operation_name: Cow::Borrowed(""),
            carried: Carried::default(),
            records: None,
        }
    }

    /// Empties the buffer for the next span. It keeps its memory, up to
    /// [`KEPT_BYTES`](crate::record::wire::appender::KEPT_BYTES).
    #[inline(always)]
    pub(crate) fn clear(&mut self) {
        let Some(records) = &mut self.records else {
            return;
        };
        if records.is_complex {
            clear_complex(&mut self.operation_name, &mut self.carried);
        }
        records.clear();
    }

    /// Sets the name of a span that begins. The buffer is clear.
    #[inline(always)]
    pub(crate) fn begin(&mut self, operation_name: Cow<'static, str>, limits: &Limits) {
        if matches!(operation_name, Cow::Owned(_))
            || operation_name.len() > limits.operation_name_bytes
        {
            self.note_complex();
        }
        let vacant = mem::replace(&mut self.operation_name, operation_name);
        // Forgotten, not dropped: a clear buffer has a borrowed name, and the drop would test for an owned one.
        debug_assert!(matches!(vacant, Cow::Borrowed(_)));
        mem::forget(vacant);
    }

    /// Returns the name as of now.
    pub(crate) fn operation_name(&self) -> &Cow<'static, str> {
        &self.operation_name
    }

    /// Replaces the name.
    pub(crate) fn set_operation_name(&mut self, name: Cow<'static, str>) {
        self.note_complex();
        self.operation_name = name;
    }

    /// Returns what the trace carries.
    pub(crate) fn carried(&self) -> &Carried {
        &self.carried
    }

    /// Returns what the trace carries, to be changed.
    pub(crate) fn carried_mut(&mut self) -> &mut Carried {
        self.note_complex();
        &mut self.carried
    }

    fn note_complex(&mut self) {
        if let Some(records) = &mut self.records {
            records.is_complex = true;
        }
    }

    /// Adds a reference after the one to the parent.
    pub(crate) fn push_reference(&mut self, reference: &ReportedReference) {
        if let Some(records) = &mut self.records {
            records.push_reference(reference);
        }
    }

    /// Adds a reference to a span that has started, unless it has many already.
    pub(crate) fn push_late_reference(&mut self, reference: &ReportedReference) -> Added {
        self.add(|records| records.push_late_reference(reference))
    }

    /// Notes that something is left out.
    pub(crate) fn drop_item(&mut self) -> Added {
        self.add(Records::drop_item)
    }

    /// Adds a tag with a simple value.
    #[inline(always)]
    pub(crate) fn push_tag(&mut self, key: &str, value: TagRef<'_>, limits: &Limits) -> Added {
        match &mut self.records {
            Some(records) => records.push_tag(key, value, limits),
            None => Added::default(),
        }
    }

    /// Adds several tags with simple values.
    #[inline(always)]
    pub(crate) fn push_tags(&mut self, tags: &[(&str, TagRef<'_>)], limits: &Limits) -> Added {
        match &mut self.records {
            Some(records) => records.push_tags(tags, limits),
            None => Added::default(),
        }
    }

    /// Adds the sampler's tags, which are the first of their span. Returns how many of their parts were cut.
    #[inline(always)]
    pub(crate) fn push_encoded(&mut self, encoded: &EncodedTags) -> u64 {
        match &mut self.records {
            Some(records) => records.push_encoded(encoded),
            None => 0,
        }
    }

    /// Adds a log record if its fields are short and simple, and reserved room is left. Returns false, and changes
    /// nothing, otherwise.
    #[inline(always)]
    pub(crate) fn push_short_log(
        &mut self,
        timestamp: Timestamp,
        fields: &[FieldRef<'_>],
        limits: &Limits,
    ) -> bool {
        match &mut self.records {
            Some(records) => records.push_short_log(timestamp, fields, limits),
            None => false,
        }
    }

    /// Adds a complete record.
    pub(crate) fn push_log(&mut self, record: &[u8], limits: &Limits) -> Added {
        self.add(|records| records.push_log(record, limits))
    }

    /// Adds something to what the span records.
    fn add(&mut self, add: impl FnOnce(&mut Records) -> Added) -> Added {
        match &mut self.records {
            Some(records) => add(records),
            None => Added::default(),
        }
    }

    /// Brings the buffer into the form that a frame has, with marks for what was left out. Returns whether the name was
    /// cut.
    #[inline(always)]
    pub(crate) fn seal(&mut self, limits: &Limits) -> bool {
        match &self.records {
            Some(records) if records.is_complex => self.seal_complex(limits),
            _ => false,
        }
    }

    #[cold]
    #[inline(never)]
    fn seal_complex(&mut self, limits: &Limits) -> bool {
        if let Some(records) = &mut self.records {
            records.seal(limits);
        }
        let Some(name) = cut(&self.operation_name, limits.operation_name_bytes) else {
            return false;
        };
        self.set_operation_name(Cow::Owned(name));
        true
    }

    /// Returns the parts of a frame, from a sealed buffer.
    #[inline(always)]
    pub(crate) fn bytes(&self) -> FrameBytes<'_> {
        let recorded = match &self.records {
            Some(records) => records.bytes(),
            None => FrameBytes::default(),
        };
        FrameBytes {
            operation_name: &self.operation_name,
            ..recorded
        }
    }

    /// Returns the part of the header that is known at the end.
    #[inline(always)]
    pub(crate) fn end(&self, flags: Flags, duration: u64) -> FrameEnd {
        let (tag_count, has_repeated_keys) = match &self.records {
            Some(records) => (records.tag_count, records.keys.has_repeated),
            None => (0, false),
        };
        FrameEnd {
            duration,
            flags,
            tag_count,
            has_repeated_keys,
        }
    }

    /// Returns whether the span has only a name and tags.
    #[inline(always)]
    pub(crate) fn is_tags_only(&self) -> bool {
        match &self.records {
            Some(records) => records.is_tags_only(),
            None => false,
        }
    }

    /// Like [`bytes`](Self::bytes), but for a buffer that has only a name and tags.
    #[inline(always)]
    pub(crate) fn tags_only_bytes(&self) -> FrameBytes<'_> {
        let tags = match &self.records {
            Some(records) => &records.tags[..],
            None => &[],
        };
        FrameBytes {
            operation_name: &self.operation_name,
            tags,
            ..FrameBytes::default()
        }
    }

    /// Empties a buffer that has only a name and tags.
    #[inline(always)]
    pub(crate) fn clear_tags_only(&mut self) {
        if let Some(records) = &mut self.records {
            records.clear_tags_only();
        }
    }

    /// Returns whether the span has only a short name.
    #[inline(always)]
    pub(crate) fn is_name_only(&self) -> bool {
        match &self.records {
            Some(records) if records.is_tags_only() && records.tags.is_empty() => {
                self.operation_name.len() <= SHORT_NAME
            }
            _ => false,
        }
    }

    /// Like [`bytes`](Self::bytes), but for a buffer that has only a short name.
    #[inline(always)]
    pub(crate) fn name_only_bytes(&self) -> FrameBytes<'_> {
        FrameBytes {
            operation_name: &self.operation_name,
            ..FrameBytes::default()
        }
    }

    #[cfg(all(test, not(tracehound_loom)))]
    pub(crate) fn memory(&self) -> usize {
        self.records.as_ref().map_or(0, |records| records.memory())
    }

    #[cfg(test)]
    pub(crate) fn tag_count(&self) -> u32 {
        self.records.as_ref().map_or(0, |records| records.tag_count)
    }

    /// Returns the tags that are set.
    pub(crate) fn tags(&self) -> Tags<'_> {
        match &self.records {
            Some(records) => records.tags(),
            None => Tags::new(&[], 0),
        }
    }

    /// Returns a copy of the encoded tags, and their number.
    pub(crate) fn copied_tags(&self) -> (Vec<u8>, usize) {
        let records = self.records.as_ref();
        records.map_or((Vec::new(), 0), |records| {
            (records.tags.clone(), records.tag_count as usize)
        })
    }
}

#[cold]
#[inline(never)]
fn clear_complex(operation_name: &mut Cow<'static, str>, carried: &mut Carried) {
    *operation_name = Cow::Borrowed("");
    *carried = Carried::default();
}

#[cfg(test)]
mod tests;
