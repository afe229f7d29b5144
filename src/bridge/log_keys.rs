use crate::bridge::log_ids::{IdText, LogIds};
use crate::span::TraceIds;

/// The names and the form of ids in log lines: by default `trace_id`, `span_id` and `sampled`.
///
/// Take the names that your log store and its link to Jaeger expect. `docs/guide/logs.md` in the repository has a table
/// of them.
///
/// ```
/// use tracehound::bridge::LogKeys;
///
/// let elastic = LogKeys::new().trace_id("trace.id").span_id("span.id").sampled(None);
/// # let _ = elastic;
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LogKeys {
    trace_id: &'static str,
    span_id: &'static str,
    sampled: Option<&'static str>,
    has_long_trace_ids: bool,
}

impl LogKeys {
    /// Returns the default names, with ids as in Jaeger's headers.
    pub const fn new() -> Self {
        Self {
            trace_id: "trace_id",
            span_id: "span_id",
            sampled: Some("sampled"),
            has_long_trace_ids: false,
        }
    }

    /// Sets the name of the trace id.
    ///
    /// Defaults to `trace_id`.
    #[must_use]
    pub const fn trace_id(mut self, key: &'static str) -> Self {
        self.trace_id = key;
        self
    }

    /// Sets the name of the span id.
    ///
    /// Defaults to `span_id`.
    #[must_use]
    pub const fn span_id(mut self, key: &'static str) -> Self {
        self.span_id = key;
        self
    }

    /// Sets the name of the mark that tells whether the trace is kept. `None` leaves the mark out.
    ///
    /// Defaults to `sampled`.
    #[must_use]
    pub const fn sampled(mut self, key: Option<&'static str>) -> Self {
        self.sampled = key;
        self
    }

    /// Sets whether a trace id always has 32 digits. A 64-bit id then has zeros before it, as in OTLP and in
    /// `traceparent`.
    ///
    /// Defaults to false: a 64-bit id has 16 digits, as in `uber-trace-id`. Jaeger finds a trace by either form, a log
    /// store only by the one that stands in the line.
    ///
    /// ```
    /// use tracehound::bridge::LogKeys;
    ///
    /// /// For a store whose other services write OTLP.
    /// const KEYS: LogKeys = LogKeys::new().long_trace_ids(true);
    /// # let _ = KEYS;
    /// ```
    #[must_use]
    pub const fn long_trace_ids(mut self, is_long: bool) -> Self {
        self.has_long_trace_ids = is_long;
        self
    }

    /// Returns what a line gets of these ids: nothing if there is no trace.
    pub(super) fn name(self, ids: TraceIds) -> Option<LogIds> {
        Some(LogIds {
            trace_id: (
                self.trace_id,
                IdText::of_trace(ids.trace_id()?, self.has_long_trace_ids),
            ),
            span_id: (self.span_id, IdText::of_span(ids.span_id()?)),
            sampled: self.sampled.map(|key| (key, ids.is_sampled())),
        })
    }
}

impl Default for LogKeys {
    fn default() -> Self {
        Self::new()
    }
}
