use crate::model::{TagRef, tags};
use crate::record::wire::limits::Limits;
use crate::record::wire::truncate::write_limited_tag;
use crate::sampler::SamplerTags;

/// A sampler's two tags in their wire form: a sampler gives the same ones again and again.
#[derive(Debug)]
pub(crate) struct EncodedTags {
    tags: SamplerTags,
    pub(crate) bytes: Vec<u8>,
    /// How many of their parts were cut.
    pub(crate) truncated: u64,
}

impl EncodedTags {
    /// How many they are.
    pub(crate) const COUNT: u32 = 2;

    pub(crate) fn new(of: SamplerTags, limits: &Limits) -> Self {
        let mut bytes = Vec::new();
        let kind = TagRef::String(of.kind());
        let param = of.param().as_ref();
        let mut write =
            |key, value| write_limited_tag(&mut bytes, key, value, limits.tag_value_bytes, limits);
        let truncated = write(tags::SAMPLER_TYPE, kind) + write(tags::SAMPLER_PARAM, param);
        Self {
            bytes,
            truncated,
            tags: of,
        }
    }

    /// Whether these are the ones for `tags`.
    #[inline]
    pub(crate) fn are_for(&self, tags: &SamplerTags) -> bool {
        self.tags.is_same(tags)
    }
}
