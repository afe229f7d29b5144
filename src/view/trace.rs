use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use crate::model::{
    Process, ReferenceType, ReportedReference, SpanId, TagValue, Timestamp, TraceId, tags,
};
use crate::reporter::OwnedSpan;

/// A copy of the spans of one trace that had been received at one moment.
///
/// ```
/// use tracehound::view::Trace;
///
/// let text = r#"{"data": [{"traceID": "7f3c", "processes": {"p1": {"serviceName": "shop"}},
///     "spans": [{"spanID": "1", "operationName": "checkout", "processID": "p1",
///                "startTime": 1, "duration": 2}]}]}"#;
/// let trace = &Trace::from_json(text)?[0];
/// assert_eq!(trace.trace_id.to_string(), "0000000000007f3c");
/// assert_eq!((trace.services(), trace.spans.len(), trace.open.len()), (vec!["shop"], 1, 0));
/// # Ok::<(), tracehound::view::InvalidTraceJson>(())
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Trace {
    /// The id of the trace.
    pub trace_id: TraceId,
    /// The spans, in the order in which they came.
    pub spans: Vec<Arc<ReceivedSpan>>,
    /// The root, if it has started in this process and has not come yet.
    pub open: Vec<OpenSpan>,
}

impl Trace {
    /// Makes traces of spans, in the order of their first spans. Spans of no known process get the service `unknown`.
    ///
    /// ```
    /// use tracehound::model::{SpanId, TraceId};
    /// use tracehound::reporter::OwnedSpan;
    /// use tracehound::view::Trace;
    ///
    /// let id = |n| (TraceId::new(0, n).expect("not 0"), SpanId::new(n).expect("not 0"));
    /// let span = |(trace_id, span_id)| OwnedSpan::new(trace_id, span_id, "checkout");
    /// let traces = Trace::of([span(id(1)), span(id(2))]);
    /// assert_eq!(traces.len(), 2);
    /// assert_eq!(traces[0].services(), ["unknown"]);
    /// ```
    pub fn of(spans: impl IntoIterator<Item = OwnedSpan>) -> Vec<Self> {
        let unknown = Arc::new(Process::new("unknown", Vec::new()));
        let mut places: HashMap<TraceId, usize> = HashMap::new();
        let mut traces: Vec<Self> = Vec::new();
        for span in spans {
            let trace_id = span.trace_id;
            let place = *places.entry(trace_id).or_insert_with(|| {
                traces.push(Self {
                    trace_id,
                    spans: Vec::new(),
                    open: Vec::new(),
                });
                traces.len() - 1
            });
            let process = span.process.clone().unwrap_or_else(|| unknown.clone());
            traces[place]
                .spans
                .push(Arc::new(ReceivedSpan { span, process }));
        }
        traces
    }

    /// Returns the names of the services, sorted.
    pub fn services(&self) -> Vec<&str> {
        let received = self.spans.iter().map(|span| span.service_name());
        let open = self.open.iter().map(|span| span.service_name.as_str());
        let names: BTreeSet<&str> = received.chain(open).collect();
        names.into_iter().collect()
    }
}

/// A span as it was received, with the process that sent it.
///
/// ```
/// use tracehound::view::Trace;
///
/// let text = r#"{"data": [{"traceID": "7f3c", "processes": {"p1": {"serviceName": "shop"}},
///     "spans": [{"spanID": "1", "operationName": "checkout", "processID": "p1",
///                "startTime": 1, "duration": 2,
///                "tags": [{"key": "error", "type": "bool", "value": true}]}]}]}"#;
/// let span = &Trace::from_json(text)?[0].spans[0];
/// assert!(span.is_error());
/// assert_eq!((span.service_name(), span.span.operation_name.as_str()), ("shop", "checkout"));
/// # Ok::<(), tracehound::view::InvalidTraceJson>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct ReceivedSpan {
    /// The span. A key may be in its tags twice, if the client sent it so.
    pub span: OwnedSpan,
    /// The process that sent it.
    pub process: Arc<Process>,
}

impl ReceivedSpan {
    /// Returns the name of the service.
    pub fn service_name(&self) -> &str {
        &self.process.service_name
    }

    /// Returns whether the tag `error` is true.
    pub fn is_error(&self) -> bool {
        self.span.tags.iter().any(|tag| {
            tag.key == tags::ERROR
                && match &tag.value {
                    TagValue::Bool(value) => *value,
                    TagValue::String(text) => text.eq_ignore_ascii_case("true"),
                    _ => false,
                }
        })
    }

    /// Returns the span that this one is drawn under: the first `ChildOf` in its trace, else the first `FollowsFrom`, else
    /// the parent of a span made by hand.
    pub(crate) fn parent(&self) -> Option<(SpanId, ReferenceType)> {
        let first = |kind| {
            let own = |reference: &&ReportedReference| {
                reference.kind == kind && reference.trace_id == self.span.trace_id
            };
            let reference = self.span.references.iter().find(own)?;
            Some((reference.span_id, kind))
        };
        first(ReferenceType::ChildOf)
            .or_else(|| first(ReferenceType::FollowsFrom))
            .or_else(|| Some((self.span.parent_id?, ReferenceType::ChildOf)))
    }

    /// Returns about how many bytes it takes.
    #[cfg(feature = "dev")]
    pub(crate) fn size(&self) -> usize {
        let span = &self.span;
        let logs: usize = span
            .logs
            .iter()
            .map(|log| size_of_val(log) + size_of_tags(&log.fields))
            .sum();
        size_of::<Self>()
            + span.operation_name.len()
            + size_of_tags(&span.tags)
            + logs
            + span.references.len() * size_of::<ReportedReference>()
    }
}

/// A span that has started and has not been received yet.
///
/// ```
/// use tracehound::view::{OpenSpan, Trace};
///
/// /// Names the span that the trace still waits for.
/// fn waits_for(trace: &Trace) -> Option<&str> {
///     trace.open.first().map(|OpenSpan { operation_name, .. }| operation_name.as_str())
/// }
///
/// # let text = r#"{"traceID": "7f3c", "spans": [], "processes": {}}"#;
/// let received = Trace::from_json(text)?;
/// assert!(received.iter().all(|trace| waits_for(trace).is_none()), "a file has no open spans");
/// # Ok::<(), tracehound::view::InvalidTraceJson>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct OpenSpan {
    /// The id of the trace.
    pub trace_id: TraceId,
    /// The id of the span.
    pub span_id: SpanId,
    /// The operation name at its start.
    pub operation_name: String,
    /// The service that started it.
    pub service_name: String,
    /// When it started.
    pub start: Timestamp,
}

/// Returns about how many bytes tags take.
#[cfg(feature = "dev")]
pub(crate) fn size_of_tags(tags: &[crate::model::Tag]) -> usize {
    tags.iter()
        .map(|tag| {
            let value = match &tag.value {
                TagValue::String(text) => text.len(),
                TagValue::Binary(bytes) => bytes.len(),
                _ => 0,
            };
            size_of_val(tag) + tag.key.len() + value
        })
        .sum()
}
