use crate::model::Flags;
use crate::sync::{AtomicU32, Ordering};

/// What is known of an open span, in one word: one look tells whether it is as most spans are.
#[derive(Debug, Default)]
pub(crate) struct SpanStatus(AtomicU32);

impl SpanStatus {
    /// How a span begins.
    #[inline(always)]
    pub(crate) fn begin(&self, flags: Flags, status: u32) {
        self.0
            .store(u32::from(flags.bits()) | status, Ordering::Relaxed);
    }

    #[inline]
    pub(crate) fn flags(&self) -> Flags {
        flags_in(self.get())
    }

    /// Flags and status, as of now.
    #[inline(always)]
    pub(crate) fn get(&self) -> u32 {
        // Acquire: pairs with the Release in `add`. Whoever reads `FINISHED` sees what was done before.
        self.0.load(Ordering::Acquire)
    }

    /// Whether any of `status` is there.
    #[inline(always)]
    pub(crate) fn has(&self, status: u32) -> bool {
        self.get() & status != 0
    }

    /// Adds `mark`; true if it was not there.
    pub(crate) fn add(&self, mark: u32) -> bool {
        self.0.fetch_or(mark, Ordering::Release) & mark == 0
    }

    pub(crate) fn remove(&self, mark: u32) {
        self.0.fetch_and(!mark, Ordering::Relaxed);
    }

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

/// The flags in a word of status.
#[inline(always)]
pub(crate) fn flags_in(status: u32) -> Flags {
    Flags::from_bits((status & FLAGS) as u8)
}

const FLAGS: u32 = 0xff;
/// The sampler may be asked again when the span is renamed.
pub(crate) const REVISABLE: u32 = 1 << 8;
/// Nothing changes it any more.
pub(crate) const FINISHED: u32 = 1 << 9;
/// There is or was baggage.
pub(crate) const BAGGAGE: u32 = 1 << 10;
/// It shares its decision with its local trace.
pub(crate) const SHARED: u32 = 1 << 11;
/// Its start was given by the user.
pub(crate) const EXPLICIT_START: u32 = 1 << 12;
