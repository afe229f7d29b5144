use std::fmt;

/// A carrier holds a context that is malformed.
///
/// It tells the place and the rule, and of the value only what cannot be a secret: an id, cut and escaped.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ExtractError {
    /// The trace header does not have the form that it must have.
    Corrupted {
        /// The header.
        header: String,
        /// Which rule it breaks.
        reason: &'static str,
        /// Its value, cut after 64 bytes and escaped.
        value: String,
    },
    /// The bytes are no context.
    CorruptedBinary {
        /// Which rule they break.
        reason: &'static str,
    },
}

impl fmt::Display for ExtractError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Corrupted {
                header,
                reason,
                value,
            } => write!(f, "{header}: {reason}: \"{value}\""),
            Self::CorruptedBinary { reason } => write!(f, "binary context: {reason}"),
        }
    }
}

impl std::error::Error for ExtractError {}
