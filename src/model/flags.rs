use std::fmt;

/// The flag byte that travels with a trace.
///
/// | bit | name | meaning |
/// |---|---|---|
/// | `1` | sampled | the trace is recorded and reported |
/// | `2` | debug | recording was asked for explicitly; collectors must keep it |
/// | `8` | firehose | stored by Jaeger 1.x without indexing |
///
/// Other bits travel on unchanged.
///
/// ```
/// use tracehound::model::Flags;
///
/// let flags = Flags::SAMPLED.with(Flags::DEBUG);
/// assert_eq!(flags.bits(), 3);
/// assert!(flags.is_sampled() && flags.is_debug());
/// assert!(!flags.without(Flags::SAMPLED).is_sampled());
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Flags(u8);

impl Flags {
    /// The trace is recorded and reported.
    pub const SAMPLED: Self = Self(1);
    /// Recording was asked for explicitly. Set together with [`Flags::SAMPLED`].
    pub const DEBUG: Self = Self(2);
    /// Jaeger 1.x stores the trace without indexing.
    pub const FIREHOSE: Self = Self(8);

    /// Makes flags of the byte as it came.
    ///
    /// ```
    /// use tracehound::model::Flags;
    ///
    /// let flags = Flags::from_bits(0b1001);
    /// assert!(flags.is_sampled() && flags.is_firehose());
    /// assert_eq!(flags.without(Flags::FIREHOSE), Flags::SAMPLED);
    /// ```
    pub const fn from_bits(bits: u8) -> Self {
        Self(bits)
    }

    /// Returns the byte as it is sent.
    pub const fn bits(self) -> u8 {
        self.0
    }

    /// Returns these flags and those of `other`.
    #[must_use]
    pub const fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Returns these flags without those of `other`.
    #[must_use]
    pub const fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    /// Returns whether the trace is recorded and reported.
    pub const fn is_sampled(self) -> bool {
        self.0 & Self::SAMPLED.0 != 0
    }

    /// Returns whether recording was asked for explicitly.
    pub const fn is_debug(self) -> bool {
        self.0 & Self::DEBUG.0 != 0
    }

    /// Returns whether Jaeger 1.x should store the trace without indexing.
    pub const fn is_firehose(self) -> bool {
        self.0 & Self::FIREHOSE.0 != 0
    }
}

impl fmt::Debug for Flags {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Flags({:#x})", self.0)
    }
}
