//! Keeps a sampler's tags in encoded form.

use crate::model::TagRef;
use crate::model::tags::{SAMPLER_PARAM, SAMPLER_TYPE};
use crate::record::wire::limits::Limits;
use crate::record::wire::truncate::write_limited_tag;
use crate::sampler::SamplerTags;

/// The two tags of a sampler, encoded once: a sampler gives equal tags to many spans.
#[derive(Debug)]
pub(crate) struct EncodedTags {
    tags: SamplerTags,
    pub(crate) bytes: Vec<u8>,
    /// The number of keys and values that were cut.
    pub(crate) truncated: u64,
}

impl EncodedTags {
    /// The number of tags.
    pub(crate) const COUNT: u32 = 2;

    pub(crate) fn new(tags: SamplerTags, limits: &Limits) -> Self {
        let mut encoded = Self {
            bytes: Vec::new(),
            truncated: 0,
            tags,
        };
        encoded.encode(limits);
        encoded
    }

    /// Encodes other tags in the same memory: operations with probabilities of their own take turns.
    pub(crate) fn replace(&mut self, tags: SamplerTags, limits: &Limits) {
        self.tags = tags;
        self.bytes.clear();
        self.encode(limits);
    }

    fn encode(&mut self, limits: &Limits) {
        let kind = TagRef::String(self.tags.kind());
        let param = self.tags.param().as_ref();
        let bytes = &mut self.bytes;
        let mut write =
            |key, value| write_limited_tag(bytes, key, value, limits.tag_value_bytes, limits);
        self.truncated = write(SAMPLER_TYPE, kind) + write(SAMPLER_PARAM, param);
    }

    /// Returns whether these bytes encode `tags`.
    #[inline]
    pub(crate) fn are_for(&self, tags: &SamplerTags) -> bool {
        self.tags.is_same(tags)
    }
}
