use crate::{Log, Reference, Tag, Value};

/// The content of a datagram or a request: a process and its spans.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SentBatch {
    /// The service's name.
    pub service: String,
    /// The process' tags, in the order sent.
    pub process_tags: Vec<Tag>,
    /// The spans.
    pub spans: Vec<SentSpan>,
}

/// A span with the fields of Jaeger's Thrift, as a client sent it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SentSpan {
    /// Both halves of the trace id.
    pub trace_id: u128,
    /// The span's id.
    pub span_id: u64,
    /// The parent's id; 0 for a root.
    pub parent_span_id: u64,
    /// The references, in the order sent.
    pub references: Vec<Reference>,
    /// The operation name.
    pub operation: String,
    /// All 32 bits of the flags.
    pub flags: u32,
    /// The start time, in microseconds since the epoch.
    pub start_us: i64,
    /// The duration, in microseconds.
    pub duration_us: i64,
    /// The tags, in the order sent.
    pub tags: Vec<Tag>,
    /// The logs, in the order sent.
    pub logs: Vec<Log>,
}

impl SentBatch {
    /// Returns whether a trace with this batch cannot be read back, because a value [is
    /// unreadable](Value::is_unreadable).
    pub fn is_unreadable(&self) -> bool {
        self.values().any(Value::is_unreadable)
    }

    fn values(&self) -> impl Iterator<Item = &Value> {
        let of_spans = self.spans.iter().flat_map(|span| {
            span.tags
                .iter()
                .chain(span.logs.iter().flat_map(|log| &log.fields))
        });
        self.process_tags
            .iter()
            .chain(of_spans)
            .map(|tag| &tag.value)
    }
}
