use std::fmt;

/// A rule that a [`TraceState`](super::TraceState) would break.
///
/// ```
/// use tracehound::model::{TraceState, TraceStateError};
///
/// assert_eq!("congo".parse::<TraceState>(), Err(TraceStateError::NoValue));
/// assert_eq!("Congo=1".parse::<TraceState>(), Err(TraceStateError::Key));
/// assert_eq!(TraceState::default().with("congo", "a,b"), Err(TraceStateError::Value));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum TraceStateError {
    /// A member has no `=`.
    NoValue,
    /// A key is empty, too long or has a character that is not allowed.
    Key,
    /// A value is empty, too long or has a character that is not allowed.
    Value,
    /// There are more members than [`TraceState::MAX_MEMBERS`](super::TraceState::MAX_MEMBERS).
    Members,
}

impl fmt::Display for TraceStateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NoValue => "expected key=value",
            Self::Key => "expected a key of 1 to 256 characters: a to z, 0 to 9, _-*/@",
            Self::Value => "expected a value of 1 to 256 printable characters without , and =",
            Self::Members => "expected at most 32 members",
        })
    }
}

impl std::error::Error for TraceStateError {}
