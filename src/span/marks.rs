use crate::model::{Flags, Randomness};

/// The flags, the [`Randomness`] and three facts in one number: a context is one cache line.
#[derive(Clone, Copy, Default)]
pub(super) struct Marks(u64);

impl Marks {
    const FLAGS: u64 = 0xff;
    /// The context came from another process.
    pub(super) const REMOTE: u64 = 1 << 8;
    /// The sampler of the receiver decides.
    pub(super) const DEFERRED: u64 = 1 << 9;
    /// There is no trace, but the flags decide on the next root.
    pub(super) const DECIDED: u64 = 1 << 10;
    /// The context came from another process, which does not sample the trace. Follows from the flags and `REMOTE`.
    const DROPPED: u64 = 1 << 11;

    #[inline(always)]
    pub(super) const fn new(flags: Flags, facts: u64) -> Self {
        let dropped = if facts & Self::REMOTE != 0 && !flags.is_sampled() {
            Self::DROPPED
        } else {
            0
        };
        Self(flags.bits() as u64 | facts & !Self::DROPPED | dropped)
    }

    #[inline(always)]
    pub(super) const fn has_any(self, marks: SlowMarks) -> bool {
        self.0 & marks.0 != 0
    }

    #[inline(always)]
    pub(super) const fn flags(self) -> Flags {
        Flags::from_bits(self.0 as u8)
    }

    #[inline(always)]
    pub(super) const fn has(self, fact: u64) -> bool {
        self.0 & fact != 0
    }

    /// Returns these marks with other flags, which decide.
    pub(super) const fn decided_by(self, flags: Flags) -> Self {
        Self::new(flags, self.0 & !(Self::FLAGS | Self::DEFERRED))
    }

    pub(super) const fn with(self, facts: u64) -> Self {
        Self::new(self.flags(), self.0 & !Self::FLAGS | facts)
    }

    #[inline(always)]
    pub(super) const fn randomness(self) -> Randomness {
        Randomness::from_bits(self.0)
    }

    pub(super) const fn with_randomness(self, randomness: Randomness) -> Self {
        Self(self.0 & !Randomness::BITS | randomness.bits())
    }
}

/// The marks of a parent that the fast path leaves to slower ways.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SlowMarks(u64);

impl SlowMarks {
    /// Those of any tracer: the sampler of the receiver decides.
    pub(crate) const ANY: Self = Self(Marks::DEFERRED);

    /// Those of a tracer whose sampler may weigh traces that the caller has dropped.
    pub(crate) const fn of(weighs_dropped: bool) -> Self {
        if weighs_dropped {
            Self(Marks::DEFERRED | Marks::DROPPED)
        } else {
            Self::ANY
        }
    }
}

const _: () = assert!(
    Randomness::BITS
        & (Marks::FLAGS | Marks::REMOTE | Marks::DEFERRED | Marks::DECIDED | Marks::DROPPED)
        == 0
);
