//! The flags and state bits of an open span.

use crate::model::Flags;
use crate::sync::{AtomicU32, Ordering};

/// The flags and state bits of an open span in one atomic word: one load tells whether the fast path may take it.
#[derive(Debug, Default)]
pub(crate) struct SpanStatus(AtomicU32);

impl SpanStatus {
    /// Sets flags and state bits of a span that begins.
    #[inline(always)]
    pub(crate) fn begin(&self, flags: Flags, bits: u32) {
        self.0
            .store(u32::from(flags.bits()) | bits, Ordering::Relaxed);
    }

    /// Makes the status of a slot beyond the limit of its tracer.
    pub(crate) fn capped() -> Self {
        Self(AtomicU32::new(CAPPED))
    }

    /// Returns the flags as of now.
    #[inline]
    pub(crate) fn flags(&self) -> Flags {
        flags_in(self.get())
    }

    /// Returns the whole word as of now.
    #[inline(always)]
    pub(crate) fn get(&self) -> u32 {
        // Acquire: pairs with the Release in `add`. A reader of `FINISHED` sees what was done before.
        self.0.load(Ordering::Acquire)
    }

    /// Returns whether any of `bits` is set.
    #[inline(always)]
    pub(crate) fn has(&self, bits: u32) -> bool {
        self.get() & bits != 0
    }

    /// Sets `bit`. Returns true if it was not set before.
    pub(crate) fn add(&self, bit: u32) -> bool {
        self.0.fetch_or(bit, Ordering::Release) & bit == 0
    }

    /// Clears `bit`.
    pub(crate) fn remove(&self, bit: u32) {
        self.0.fetch_and(!bit, Ordering::Relaxed);
    }

    /// Sets and clears bits of a span that no other thread can reach.
    #[inline(always)]
    pub(crate) fn change_unshared(&self, set: u32, clear: u32) {
        self.0.store(self.get() & !clear | set, Ordering::Relaxed);
    }

    /// Replaces the flags and leaves the state bits.
    pub(crate) fn set_flags(&self, flags: Flags) {
        let mut now = self.get();
        loop {
            let with_flags = now & !FLAGS | u32::from(flags.bits());
            let set =
                self.0
                    .compare_exchange(now, with_flags, Ordering::Relaxed, Ordering::Relaxed);
            match set {
                Ok(_) => return,
                Err(other) => now = other,
            }
        }
    }
}

/// Returns the flags in a status word.
#[inline(always)]
pub(crate) fn flags_in(status: u32) -> Flags {
    Flags::from_bits((status & FLAGS) as u8)
}

const FLAGS: u32 = 0xff;
/// The sampler is asked again when the span is renamed.
pub(crate) const REVISABLE: u32 = 1 << 8;
/// The span has finished: its buffer no longer changes.
pub(crate) const FINISHED: u32 = 1 << 9;
/// The trace carries something, or did: baggage or `tracestate`.
pub(crate) const CARRIES: u32 = 1 << 10;
/// The span shares its decision with the other spans of its trace in this process.
pub(crate) const SHARED: u32 = 1 << 11;
/// The user gave the start time.
pub(crate) const EXPLICIT_START: u32 = 1 << 12;
/// Observers are told of the span's end, and it notes the facts that tags tell them.
pub(crate) const OBSERVED: u32 = 1 << 13;
/// The span records nothing, because too many spans were open when it started.
pub(crate) const CAPPED: u32 = 1 << 14;
