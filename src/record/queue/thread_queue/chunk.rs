//! The memory that thread queues are made of.

use crate::record::queue::frame_list::FrameList;

/// A piece of memory with whole frames.
#[derive(Debug, Default)]
pub(crate) struct Chunk {
    /// The memory has a capacity of at least `size` bytes.
    pub(super) frames: FrameList,
    /// At most 4 GiB.
    pub(super) size: usize,
    /// The value of `pushed` at the time when this chunk was filled.
    pub(super) pushed_when_filled: u64,
    /// Whether the budget is charged for this. A thread's first small chunk is free, so that every thread can report,
    /// and so is a second one while the worker reads the first.
    pub(super) is_budgeted: bool,
}

impl Chunk {
    pub(super) fn new(memory: Vec<u8>, size: usize, is_budgeted: bool) -> Self {
        Self {
            frames: FrameList::in_memory(memory),
            size,
            pushed_when_filled: 0,
            is_budgeted,
        }
    }

    pub(crate) fn frames(&mut self) -> &mut FrameList {
        &mut self.frames
    }

    /// Returns the size of its frames, in bytes.
    pub(crate) fn len(&self) -> usize {
        self.frames.len()
    }

    #[inline(always)]
    pub(super) fn room(&self) -> usize {
        self.size - self.frames.len()
    }

    /// Prefetches, for writing, the cache lines that the next frames will use, after a frame of `len` bytes was
    /// written.
    ///
    /// Chunks come back from the worker. If that runs on another die, fetching a line takes longer than the rest of a
    /// span.
    #[inline(always)]
    pub(super) fn fetch_ahead(&self, len: usize) {
        let end = self.end();
        // Most frames are at most two lines long.
        prefetch::<FETCH_AHEAD>(end);
        prefetch::<{ FETCH_AHEAD - LINE }>(end);
        if len > 2 * LINE {
            self.fetch_further_ahead(len);
        }
    }

    #[inline(never)]
    fn fetch_further_ahead(&self, len: usize) {
        for back in (2 * LINE..len.min(FETCH_AHEAD)).step_by(LINE) {
            prefetch::<FETCH_AHEAD>(self.end().wrapping_sub(back));
        }
    }

    /// Prefetches the first lines of a new chunk.
    pub(super) fn fetch_first(&self) {
        for line in (0..FETCH_AHEAD).step_by(LINE) {
            prefetch::<0>(self.end().wrapping_add(line));
        }
    }

    #[inline(always)]
    fn end(&self) -> *const u8 {
        self.frames.as_ptr().wrapping_add(self.frames.len())
    }
}

/// Prefetches, for writing, the cache line that is `AHEAD` bytes after an address.
#[inline(always)]
fn prefetch<const AHEAD: usize>(address: *const u8) {
    #[cfg(all(target_arch = "x86_64", not(miri), not(tracehound_loom)))]
    // SAFETY: a prefetch changes no memory and never faults, whatever the address.
    unsafe {
        std::arch::asm!(
            "prefetchw [{} + {}]", in(reg) address, const AHEAD, options(nostack, preserves_flags, readonly)
        );
    }
    #[cfg(not(all(target_arch = "x86_64", not(miri), not(tracehound_loom))))]
    let _ = address;
}

/// How far ahead of the next frame to prefetch, in bytes.
const FETCH_AHEAD: usize = 1_024;
/// The size of a cache line, in bytes.
const LINE: usize = 64;
