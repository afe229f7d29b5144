//! The bytes of tags, logs and references: Thrift's compact protocol, written by the thread that sets them.

#[expect(unsafe_code, reason = "block by block, each with its invariant")]
pub(crate) mod appender;
pub(crate) mod codes;
pub(crate) mod decode;
#[expect(unsafe_code, reason = "block by block, each with its invariant")]
pub(crate) mod encode;
pub(crate) mod limits;
pub(crate) mod repeated_keys;
pub(crate) mod sampler_tags;
#[expect(unsafe_code, reason = "block by block, each with its invariant")]
pub(crate) mod short_tag;
pub(crate) mod truncate;
pub(crate) mod truncated_keys;
