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

    #[inline(always)]
    pub(super) const fn new(flags: Flags, facts: u64) -> Self {
        Self(flags.bits() as u64 | facts)
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
        Self(self.0 | facts)
    }

    #[inline(always)]
    pub(super) const fn randomness(self) -> Randomness {
        Randomness::from_bits(self.0)
    }

    pub(super) const fn with_randomness(self, randomness: Randomness) -> Self {
        Self(self.0 & !Randomness::BITS | randomness.bits())
    }
}

const _: () = assert!(
    Randomness::BITS & (Marks::FLAGS | Marks::REMOTE | Marks::DEFERRED | Marks::DECIDED) == 0
);
