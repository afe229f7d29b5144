//! What a thread keeps of each tracer.

#[expect(unsafe_code, reason = "block by block, each with its invariant")]
pub(crate) mod builder_scratch;
#[cfg_attr(
    all(unix, not(miri)),
    expect(unsafe_code, reason = "to be told of forks")
)]
pub(crate) mod fork;
mod hand_over;
pub(crate) mod ids;
pub(crate) mod slots;
#[expect(unsafe_code, reason = "block by block, each with its invariant")]
pub(crate) mod state;
