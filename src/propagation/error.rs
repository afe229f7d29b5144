use std::fmt;

use crate::diagnostics::Diagnostics;
use crate::metrics::{Counter, Metrics};

/// The error of [`Extractor::extract`](crate::propagation::Extractor::extract): a carrier holds a malformed context.
///
/// It names the header and the broken rule, and shows the start of the trace header's value. No other header is shown,
/// because it may hold a secret.
///
/// ```
/// use tracehound::propagation::{Extractor, JaegerCodec};
///
/// let error = JaegerCodec::text_map().extract(&[("uber-trace-id", "1:2:3")]).unwrap_err();
/// assert_eq!(
///     error.to_string(),
///     r#"uber-trace-id: expected four parts with colons between them: "1:2:3""#,
/// );
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ExtractError {
    /// The trace header is malformed.
    Corrupted {
        /// The name of the header.
        header: String,
        /// The rule that its value breaks.
        reason: &'static str,
        /// The first 64 bytes of its value, escaped.
        value: String,
    },
    /// The bytes of a binary carrier are malformed.
    CorruptedBinary {
        /// The rule that they break.
        reason: &'static str,
    },
}

impl ExtractError {
    /// Returns the error of a malformed header. It shows the start of the value.
    #[cold]
    pub(super) fn corrupted(header: &str, reason: &'static str, value: &[u8]) -> Self {
        let shown = value.get(..SHOWN_BYTES).unwrap_or(value);
        Self::Corrupted {
            header: header.to_owned(),
            reason,
            value: shown.escape_ascii().to_string(),
        }
    }
}

/// The number of bytes of a malformed value that an error shows.
pub(super) const SHOWN_BYTES: usize = 64;

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

/// Counts a malformed context, and logs it unless another one was logged in the last ten seconds.
#[cold]
pub(super) fn count_malformed(error: &ExtractError, metrics: &Metrics, diagnostics: &Diagnostics) {
    metrics.add(Counter::DecodingErrors, 1);
    diagnostics.warn("decoding", || {
        format!("a malformed context came in: {error}")
    });
}
