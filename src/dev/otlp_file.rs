//! Traces out of files of OTLP.

use std::collections::BTreeMap;
use std::error::Error;
use std::fmt;
use std::sync::Arc;

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::decode::{ReceivedBatch, otlp_json_request};
use crate::model::TraceId;
use crate::view::{ReceivedSpan, Trace};

impl Trace {
    /// Reads traces from JSON of OTLP. The text is a message with `resourceSpans`, an answer of version 3 of Jaeger's
    /// query API, or a file of an OpenTelemetry Collector's file exporter, which has a message on each line.
    ///
    /// Traces come in the order of their ids. Spans without ids are left out. Available with the feature `dev`.
    ///
    /// ```
    /// use tracehound::view::Trace;
    ///
    /// let text = r#"{"resourceSpans": [{"scopeSpans": [{"spans": [{
    ///     "traceId": "5b8efff798038103d269b633813fc60c", "spanId": "eee19b7ec3c1b174",
    ///     "name": "checkout", "startTimeUnixNano": "1700000000000000000",
    ///     "endTimeUnixNano": "1700000000002500000"}]}]}]}"#;
    /// let line = text.replace('\n', " ");
    /// let two_lines = format!("{line}\n{}\n", line.replace("eee1", "eee2"));
    /// let traces = Trace::from_otlp_json(&two_lines)?;
    /// assert_eq!(traces[0].spans.len(), 2);
    /// assert_eq!(traces[0].spans[0].span.operation_name, "checkout");
    /// # Ok::<(), tracehound::dev::InvalidOtlpJson>(())
    /// ```
    ///
    /// # Errors
    ///
    /// Fails if the text is neither a message nor lines of messages, or if a message has no spans. The error says where.
    pub fn from_otlp_json(text: &str) -> Result<Vec<Self>, InvalidOtlpJson> {
        let of_whole = match batches(text) {
            Ok(batches) => return Ok(traces(batches)),
            Err(reason) => reason,
        };
        let lines = text.lines().enumerate();
        let mut lines = lines.filter(|(_, line)| !line.trim().is_empty());
        let first = lines.next().and_then(|(_, line)| batches(line).ok());
        // A message over several lines: what is wrong with the whole tells more than its first line.
        let mut all = first.ok_or(InvalidOtlpJson { reason: of_whole })?;
        for (number, line) in lines {
            let read = batches(line).map_err(|reason| InvalidOtlpJson {
                reason: format!("line {}: {reason}", number + 1),
            });
            all.extend(read?);
        }
        Ok(traces(all))
    }
}

/// Reads one message.
fn batches(text: &str) -> Result<Vec<ReceivedBatch>, String> {
    #[derive(Deserialize)]
    struct Message<'a> {
        /// The wrapping of an answer of the query API.
        #[serde(borrow)]
        result: Option<&'a RawValue>,
        #[serde(borrow, rename = "resourceSpans", alias = "resource_spans")]
        resource_spans: Option<&'a RawValue>,
    }
    let message: Message<'_> = serde_json::from_str(text).map_err(|error| error.to_string())?;
    match (message.resource_spans, message.result) {
        (Some(_), _) => otlp_json_request(text.as_bytes()),
        (None, Some(result)) => otlp_json_request(result.get().as_bytes()),
        (None, None) => Err("it has no resourceSpans".to_owned()),
    }
}

/// Returns the traces of batches, in the order of their ids.
pub(crate) fn traces(batches: Vec<ReceivedBatch>) -> Vec<Trace> {
    let mut traces: BTreeMap<TraceId, Trace> = BTreeMap::new();
    for batch in batches {
        for span in batch.spans {
            let trace_id = span.trace_id;
            let trace = traces.entry(trace_id).or_insert_with(|| Trace {
                trace_id,
                spans: Vec::new(),
                open: Vec::new(),
            });
            let process = batch.process.clone();
            trace.spans.push(Arc::new(ReceivedSpan { span, process }));
        }
    }
    traces.into_values().collect()
}

/// A text that [`Trace::from_otlp_json`] could not read.
///
/// ```
/// use tracehound::view::Trace;
///
/// let error = Trace::from_otlp_json(r#"{"spans": []}"#).expect_err("no OTLP");
/// assert_eq!(error.to_string(), "no traces in JSON of OTLP: it has no resourceSpans");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InvalidOtlpJson {
    reason: String,
}

impl fmt::Display for InvalidOtlpJson {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "no traces in JSON of OTLP: {}", self.reason)
    }
}

impl Error for InvalidOtlpJson {}

#[cfg(test)]
mod tests {
    use super::*;

    const SPAN: &str =
        r#"{"traceId":"0000000000000000000000000000000a","spanId":"000000000000000b"}"#;

    fn message(spans: &str) -> String {
        format!(r#"{{"resourceSpans":[{{"scopeSpans":[{{"spans":[{spans}]}}]}}]}}"#)
    }

    #[test]
    fn a_message_an_answer_and_lines_are_read() {
        let one = message(SPAN);
        let two = message(&SPAN.replace("0b", "0c"));
        let indented = one.replace('{', "{\n");
        for (text, spans) in [
            (one.clone(), 1),
            (indented, 1),
            (format!(r#"{{"result":{one}}}"#), 1),
            (one.replace("resourceSpans", "resource_spans"), 1),
            (format!("{one}\n\n{two}\r\n"), 2),
            (format!("{{\"result\":{one}}}\n{{\"result\":{two}}}"), 2),
        ] {
            let traces = Trace::from_otlp_json(&text).expect("traces");
            let found: usize = traces.iter().map(|trace| trace.spans.len()).sum();
            assert_eq!((traces.len(), found), (1, spans), "{text}");
        }
        let none = Trace::from_otlp_json(&message("")).expect("a message");
        assert!(none.is_empty());
    }

    #[test]
    fn an_error_says_where_it_is() {
        let one = message(SPAN);
        for (text, why) in [
            (String::new(), "EOF while parsing"),
            ("[]".to_owned(), "invalid length 0"),
            ("{}".to_owned(), "it has no resourceSpans"),
            (format!("{one}\n{{"), "line 2: EOF while parsing"),
            (format!("{one}\n\n{{}}"), "line 3: it has no resourceSpans"),
            (one.replace("0b", "0x"), "expected hex digits"),
        ] {
            let error = Trace::from_otlp_json(&text).expect_err(&text);
            assert!(error.reason.contains(why), "{text}: {error}");
        }
    }
}
