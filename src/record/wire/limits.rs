/// Limits on the size of one span. Data beyond a limit is cut or left out, marked on the span and counted. The program
/// gets no error.
///
/// For each limit there is a method that sets it and a field of the same name that holds it.
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
    /// Sets how many bytes a tag's text or binary value may have. Longer text is cut between characters and ends in
    /// `…`. The tag `tracehound.truncated_binary` lists the keys of binary values that were cut, such as
    /// `body, signature`.
    ///
    /// Defaults to 1,024, as in the Python client. The Go client has 256, which cuts most SQL.
    #[must_use]
    pub fn tag_value_bytes(mut self, bytes: usize) -> Self {
        self.tag_value_bytes = bytes;
        self
    }

    /// Sets how many bytes a log field's text or binary value may have. Longer values are cut as those of tags are, and
    /// the log record itself lists the keys of binary values.
    ///
    /// Defaults to 1,024.
    #[must_use]
    pub fn log_value_bytes(mut self, bytes: usize) -> Self {
        self.log_value_bytes = bytes;
        self
    }

    /// Sets how many bytes the key of a tag or log field may have. A longer key is cut between characters and ends
    /// in `…`.
    ///
    /// Defaults to 256.
    #[must_use]
    pub fn key_bytes(mut self, bytes: usize) -> Self {
        self.key_bytes = bytes;
        self
    }

    /// Sets how many bytes an operation name may have. A longer name is cut between characters and ends in
    /// `…`.
    ///
    /// Defaults to 1,024.
    #[must_use]
    pub fn operation_name_bytes(mut self, bytes: usize) -> Self {
        self.operation_name_bytes = bytes;
        self
    }

    /// Sets how many log records a span may have. With 0 the only limit is [`span_bytes`](Self::span_bytes()). If there
    /// are more, the span keeps the first half and the newest half, and one record between them says how many are
    /// missing (`event="dropped Span logs"`, `dropped_log_count`), as in the Go client.
    ///
    /// Defaults to 128.
    #[must_use]
    pub fn logs(mut self, records: usize) -> Self {
        self.logs = records;
        self
    }

    /// Sets how many bytes all tags of a span may have in encoded form, and, counted apart, how many all its log
    /// records may have. Later items are left out, and the tag `tracehound.dropped_items` says how many.
    ///
    /// Defaults to 262,144 (256 KiB).
    ///
    /// ```
    /// use tracehound::JaegerTracer;
    /// use tracehound::prelude::*;
    /// use tracehound::reporter::InMemoryReporter;
    /// use tracehound::sampler::ConstSampler;
    /// use tracehound::span::Limits;
    ///
    /// let spans = InMemoryReporter::new();
    /// let limits = Limits::default()
    ///     .operation_name_bytes(8)
    ///     .key_bytes(32)
    ///     .log_value_bytes(4_096)
    ///     .span_bytes(65_536);
    /// let tracer = JaegerTracer::builder("shop")
    ///     .sampler(ConstSampler::new(true))
    ///     .reporter(spans.clone())
    ///     .limits(limits)
    ///     .build()?;
    /// tracer.start_span("a name that is too long").finish();
    /// assert!(spans.spans()[0].operation_name.ends_with('…'));
    /// # Ok::<(), tracehound::tracer::BuildError>(())
    /// ```
    #[must_use]
    pub fn span_bytes(mut self, bytes: usize) -> Self {
        self.span_bytes = bytes;
        self
    }
}
