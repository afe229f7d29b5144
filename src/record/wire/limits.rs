/// How much one span may hold. What is beyond a limit is cut or left out, visibly, and counted; the program is not told.
///
/// A method sets a limit, a field of that name reads it.
///
/// ```
/// use tracehound::span::Limits;
///
/// let limits = Limits::default().tag_value_bytes(4_096).logs(16);
/// assert_eq!(limits.tag_value_bytes, 4_096);
/// assert_eq!(limits.key_bytes, 256);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limits {
    /// Set by [`Limits::tag_value_bytes`](Self::tag_value_bytes()).
    pub tag_value_bytes: usize,
    /// Set by [`Limits::log_value_bytes`](Self::log_value_bytes()).
    pub log_value_bytes: usize,
    /// Set by [`Limits::key_bytes`](Self::key_bytes()).
    pub key_bytes: usize,
    /// Set by [`Limits::operation_name_bytes`](Self::operation_name_bytes()).
    pub operation_name_bytes: usize,
    /// Set by [`Limits::logs`](Self::logs()).
    pub logs: usize,
    /// Set by [`Limits::span_bytes`](Self::span_bytes()).
    pub span_bytes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            tag_value_bytes: 1_024,
            log_value_bytes: 1_024,
            key_bytes: 256,
            operation_name_bytes: 1_024,
            logs: 128,
            span_bytes: 256 * 1_024,
        }
    }
}

impl Limits {
    /// Sets how many bytes a tag's text or binary value may have. Longer text is cut at a character and ends in `…`; where binary values were
    /// cut, the tag `tracehound.truncated_binary` lists their keys, such as `body, signature`.
    ///
    /// Defaults to 1 024, as the Python client; the Go client has 256, which cuts most SQL.
    #[must_use]
    pub fn tag_value_bytes(mut self, bytes: usize) -> Self {
        self.tag_value_bytes = bytes;
        self
    }

    /// Sets how many bytes a log field's text or binary value may have. Longer ones are cut as in tags; the record itself
    /// has the list of keys. Defaults to 1 024.
    #[must_use]
    pub fn log_value_bytes(mut self, bytes: usize) -> Self {
        self.log_value_bytes = bytes;
        self
    }

    /// Sets how many bytes a key may have. A longer one is cut as text is. Defaults to 256.
    #[must_use]
    pub fn key_bytes(mut self, bytes: usize) -> Self {
        self.key_bytes = bytes;
        self
    }

    /// Sets how many bytes an operation name may have. A longer one is cut as text is. Defaults to 1 024.
    #[must_use]
    pub fn operation_name_bytes(mut self, bytes: usize) -> Self {
        self.operation_name_bytes = bytes;
        self
    }

    /// Sets how many log records a span may have; 0 for as many as fit. If there are more, the first half and the newest
    /// half are kept, and one record between them says how many are missing (`event="dropped Span logs"`,
    /// `dropped_log_count`), as in the Go client.
    ///
    /// Defaults to 128.
    #[must_use]
    pub fn logs(mut self, records: usize) -> Self {
        self.logs = records;
        self
    }

    /// Sets how many bytes all tags may have in encoded form, and how many all log records. What comes later is left out,
    /// and the tag `tracehound.dropped_items` says how much.
    ///
    /// Defaults to 262 144.
    #[must_use]
    pub fn span_bytes(mut self, bytes: usize) -> Self {
        self.span_bytes = bytes;
        self
    }
}
