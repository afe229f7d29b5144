use crate::model::sampling::SamplerTags;
use crate::model::{TagRef, tags};
use crate::record::append::append_block;
use crate::record::buffer::write_limited_tag;
use crate::record::keys::hash;
use crate::record::limits::Limits;

/// A sampler's two tags in their wire form: a sampler gives the same ones again and again.
#[derive(Debug)]
pub(crate) struct EncodedTags {
    tags: SamplerTags,
    bytes: Vec<u8>,
    /// The same, padded, where they are no longer: as those of every sampler here.
    block: Option<[u8; 64]>,
    pub(super) hashes: [u16; 2],
    pub(super) truncated: u64,
}

impl EncodedTags {
    pub(crate) fn new(of: SamplerTags, limits: &Limits) -> Self {
        let mut bytes = Vec::new();
        let kind = TagRef::String(of.kind());
        let param = of.param().as_ref();
        let mut write =
            |key, value| write_limited_tag(&mut bytes, key, value, limits.tag_value_bytes, limits);
        let truncated = write(tags::SAMPLER_TYPE, kind) + write(tags::SAMPLER_PARAM, param);
        let mut block = [0; 64];
        let padded = block.get_mut(..bytes.len());
        let block = padded
            .map(|start| start.copy_from_slice(&bytes))
            .map(|()| block);
        Self {
            bytes,
            block,
            hashes: [tags::SAMPLER_TYPE, tags::SAMPLER_PARAM].map(|key| hash(key.as_bytes())),
            truncated,
            tags: of,
        }
    }

    /// Appends them.
    #[inline(always)]
    pub(super) fn append_to(&self, out: &mut Vec<u8>) {
        match &self.block {
            Some(block) => append_block(out, block, self.bytes.len()),
            None => out.extend_from_slice(&self.bytes),
        }
    }

    /// Whether these are the ones for `tags`.
    #[inline]
    pub(crate) fn are_for(&self, tags: &SamplerTags) -> bool {
        self.tags.is_same(tags)
    }
}
