//! The conditions of a search. The viewer has some of spans and some of whole traces; the query API has all of spans.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::clock::nanos_with_units;
use crate::dev::server::state::assert_unlocked;
use crate::model::{Tag, TagValue};
use crate::view::{ReceivedSpan, Trace};

/// The conditions of a search. Without conditions everything fits.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Conditions {
    pub(crate) service: Option<String>,
    pub(crate) operation: Option<String>,
    /// Keys and values as text, as in a tag, a log field, or a tag of the process. A request may repeat one a thousand
    /// times.
    pub(crate) tags: BTreeSet<(String, String)>,
    pub(crate) min_duration: Option<Duration>,
    pub(crate) max_duration: Option<Duration>,
    /// The bounds on the start, in microseconds since the epoch.
    pub(crate) start: Option<i64>,
    pub(crate) end: Option<i64>,
}

impl Conditions {
    /// Returns whether a span has the service, the operation and the tags.
    pub(crate) fn describe(&self, span: &ReceivedSpan) -> bool {
        assert_unlocked();
        let is = |wanted: &Option<String>, name: &str| {
            wanted.as_ref().is_none_or(|wanted| wanted == name)
        };
        is(&self.service, span.service_name())
            && is(&self.operation, &span.span.operation_name)
            && self.tags.iter().all(|wanted| has_tag(span, wanted))
    }

    /// Returns whether every span has the service, the operation and the tags.
    pub(crate) fn describe_all(&self) -> bool {
        self.service.is_none() && self.operation.is_none() && self.tags.is_empty()
    }

    /// Returns whether a start, in microseconds since the epoch, and a duration are within the bounds.
    pub(crate) fn include(&self, start: i64, duration: Duration) -> bool {
        self.start.is_none_or(|first| start >= first)
            && self.end.is_none_or(|last| start <= last)
            && self.min_duration.is_none_or(|least| duration >= least)
            && self.max_duration.is_none_or(|most| duration <= most)
    }
}

/// Returns whether a span has a tag with this text, its logs a field, or its process a tag.
fn has_tag(span: &ReceivedSpan, (key, value): &(String, String)) -> bool {
    let is_wanted = |tag: &Tag| {
        let is_value = |found: &TagValue| match found {
            TagValue::String(text) => text == value,
            other => other.to_string() == *value,
        };
        tag.key == *key && is_value(&tag.value)
    };
    let fields = span.span.logs.iter().flat_map(|log| &log.fields);
    let mut tags = span
        .span
        .tags
        .iter()
        .chain(&span.process.tags)
        .chain(fields);
    tags.any(is_wanted)
}

/// Returns the names of the services of traces, sorted.
pub(crate) fn services(traces: &[Trace]) -> Vec<String> {
    assert_unlocked();
    let spans = traces.iter().flat_map(|trace| &trace.spans);
    let names: BTreeSet<&str> = spans.map(|span| span.service_name()).collect();
    names.into_iter().map(str::to_owned).collect()
}

/// Reads tags as `http.status_code=200 error=true name="two words"`, or as a JSON object of texts.
pub(crate) fn tags(text: &str) -> Option<Vec<(String, String)>> {
    if text.starts_with('{') {
        let map: BTreeMap<String, String> = serde_json::from_str(text).ok()?;
        return Some(map.into_iter().collect());
    }
    let mut tags = Vec::new();
    let mut rest = text.trim_start();
    while !rest.is_empty() {
        let (key, value) = rest.split_once('=')?;
        if key.is_empty() || key.contains(char::is_whitespace) {
            return None;
        }
        let (value, after) = match value.strip_prefix('"') {
            Some(quoted) => quoted.split_once('"')?,
            None => value.split_once(char::is_whitespace).unwrap_or((value, "")),
        };
        tags.push((key.to_owned(), value.to_owned()));
        rest = after.trim_start();
    }
    Some(tags)
}

/// Reads a duration as Go writes it: `1.5ms`, `1m30s`.
pub(crate) fn go_duration(text: &str) -> Option<Duration> {
    let nanos = nanos_with_units(text)?;
    u64::try_from(nanos).ok().map(Duration::from_nanos)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_those_of_go() {
        assert_eq!(go_duration("1m30s"), Some(Duration::from_secs(90)));
        assert_eq!(go_duration("1.5ms"), Some(Duration::from_micros(1_500)));
        assert_eq!(go_duration("2µs"), Some(Duration::from_micros(2)));
        assert_eq!(go_duration("99999999999999999999h"), None);
    }
}
