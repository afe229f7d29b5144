//! The traces that the search of the viewer finds.

use std::cmp::Reverse;
use std::time::Duration;

use crate::clock::nanos_with_units;
use crate::dev::server::viewer::answer::parameter;
use crate::dev::server::viewer::summary::Summary;
use crate::dev::store::TraceStore;
use crate::model::{Tag, TagValue};
use crate::view::{ReceivedSpan, Trace};

/// The conditions of a search. An empty filter lets every trace through.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Filter {
    pub(super) service: Option<String>,
    pub(super) operation: Option<String>,
    /// Keys and values as text, as in a tag, a log field, or a tag of the process.
    pub(super) tags: Vec<(String, String)>,
    /// The bounds on the duration of the whole trace.
    pub(super) min_duration: Option<Duration>,
    pub(super) max_duration: Option<Duration>,
    /// The bounds on the start, in microseconds since the epoch.
    pub(super) start: Option<i64>,
    pub(super) end: Option<i64>,
    pub(super) errors: bool,
    pub(super) limit: usize,
    pub(super) order: Order,
}

/// The order of the traces that are found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Order {
    #[default]
    Newest,
    Longest,
    MostSpans,
}

impl Filter {
    /// Reads the parameters of a request. An error is a sentence for its user.
    pub(super) fn new(parameters: &[(String, String)], limit: usize) -> Result<Self, String> {
        let text = |name| parameter(parameters, name).map(str::to_owned);
        let duration = |name: &str| {
            let read = |text| {
                go_duration(text)
                    .ok_or_else(|| format!("{name}: a duration is like 1.5ms, 20ms or 2s"))
            };
            parameter(parameters, name).map(read).transpose()
        };
        let number = |name: &str| {
            let read = |text: &str| {
                text.parse::<i64>()
                    .map_err(|_| format!("{name}: expected a whole number"))
            };
            parameter(parameters, name).map(read).transpose()
        };
        let mut tags = match parameter(parameters, "tags") {
            Some(text) => tags(text)
                .ok_or_else(|| "tags: expected key=value, with quotes around blanks".to_owned())?,
            None => Vec::new(),
        };
        for (_, tag) in parameters.iter().filter(|(name, _)| name == "tag") {
            let pair = tag
                .split_once(':')
                .ok_or_else(|| "tag: expected key:value".to_owned())?;
            tags.push((pair.0.to_owned(), pair.1.to_owned()));
        }
        let limit = number("limit")?.map_or(limit, |limit| usize::try_from(limit).unwrap_or(1));
        Ok(Self {
            service: text("service"),
            operation: text("operation"),
            tags,
            min_duration: duration("minDuration")?,
            max_duration: duration("maxDuration")?,
            start: number("start")?,
            end: number("end")?,
            errors: parameter(parameters, "errors").is_some(),
            limit: limit.clamp(1, MAX_LIMIT),
            order: match parameter(parameters, "order") {
                Some("longest") => Order::Longest,
                Some("spans") => Order::MostSpans,
                _ => Order::Newest,
            },
        })
    }

    /// Returns the traces of a store that fit, in order, at most as many as wanted.
    pub(super) fn find(&self, store: &TraceStore) -> Vec<(Summary, Trace)> {
        let traces = store.traces().into_iter().rev();
        let mut found: Vec<_> = traces
            .filter_map(|trace| Some((self.fit(&trace)?, trace)))
            .collect();
        match self.order {
            Order::Newest => found.sort_by_key(|(trace, _)| Reverse(trace.start)),
            Order::Longest => found.sort_by_key(|(trace, _)| Reverse(trace.duration)),
            Order::MostSpans => found.sort_by_key(|(trace, _)| Reverse(trace.spans)),
        }
        found.truncate(self.limit);
        found
    }

    /// Returns the summary of a trace if the trace fits.
    ///
    /// A trace fits if a single span of it has the service, the operation and the tags. The durations are those of the
    /// whole trace.
    pub(super) fn fit(&self, trace: &Trace) -> Option<Summary> {
        let mut spans = trace.spans.iter();
        if !self.is_about_all() && !spans.any(|span| self.is_match(span)) {
            return None;
        }
        let summary = Summary::new(trace);
        let duration = Duration::from_micros(u64::try_from(summary.duration).unwrap_or(0));
        let fits = self.min_duration.is_none_or(|least| duration >= least)
            && self.max_duration.is_none_or(|most| duration <= most)
            && self.start.is_none_or(|start| summary.start >= start)
            && self.end.is_none_or(|end| summary.start <= end)
            && (!self.errors || summary.errors > 0);
        fits.then_some(summary)
    }

    fn is_about_all(&self) -> bool {
        self.service.is_none() && self.operation.is_none() && self.tags.is_empty()
    }

    fn is_match(&self, span: &ReceivedSpan) -> bool {
        let is = |wanted: &Option<String>, name: &str| {
            wanted.as_ref().is_none_or(|wanted| wanted == name)
        };
        is(&self.service, span.service_name())
            && is(&self.operation, &span.span.operation_name)
            && self.tags.iter().all(|wanted| has_tag(span, wanted))
    }
}

/// Returns whether a span has a tag with this text, its logs a field, or its process a tag.
pub(crate) fn has_tag(span: &ReceivedSpan, (key, value): &(String, String)) -> bool {
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

/// Reads tags as `http.status_code=200 error=true name="two words"`, or as a JSON object of texts.
pub(crate) fn tags(text: &str) -> Option<Vec<(String, String)>> {
    if text.starts_with('{') {
        let map: std::collections::BTreeMap<String, String> = serde_json::from_str(text).ok()?;
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
pub(super) fn go_duration(text: &str) -> Option<Duration> {
    let nanos = nanos_with_units(text)?;
    u64::try_from(nanos).ok().map(Duration::from_nanos)
}

const MAX_LIMIT: usize = 1_000;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::instant_now;
    use crate::decode::ReceivedBatch;
    use crate::dev::store::StoreLimits;
    use crate::model::{Process, SpanId, Timestamp, TraceId};
    use crate::reporter::OwnedSpan;
    use crate::reporter::sender::BatchFormat;
    use crate::view::fixtures::{span, trace};

    fn filter(parameters: &[(&str, &str)]) -> Result<Filter, String> {
        let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        let parameters: Vec<_> = parameters.iter().map(owned).collect();
        Filter::new(&parameters, 20)
    }

    fn shop() -> Trace {
        trace([
            span("shop", "checkout", 1, 0, 5_000).tag("items", 3i64),
            span("pay", "charge", 2, 1, 4_000)
                .child_of(1)
                .tag("card", "visa gold")
                .log("why", "late"),
        ])
    }

    #[test]
    fn one_span_must_have_all_that_is_asked_of_spans() {
        for (parameters, fits) in [
            (&[][..], true),
            (&[("service", "shop")], true),
            (&[("service", " ")], true),
            (&[("service", "mail")], false),
            (&[("operation", "charge")], true),
            (&[("service", "shop"), ("operation", "charge")], false),
            (&[("tags", "items=3")], true),
            (&[("tags", r#"card="visa gold" why=late"#)], true),
            (&[("tags", "items=3 why=late")], false),
            (&[("tags", r#"{"card":"visa gold"}"#)], true),
            (&[("tag", "items:3")], true),
            (&[("tag", "items:4")], false),
            (&[("minDuration", "5ms")], true),
            (&[("minDuration", "5.1ms")], false),
            (&[("maxDuration", "5000us")], true),
            (&[("maxDuration", "4999us")], false),
            (&[("errors", "on")], false),
            (
                &[("start", "1700000000000000"), ("end", "1700000000000000")],
                true,
            ),
            (&[("start", "1700000000000001")], false),
        ] {
            let filter = filter(parameters).expect("well formed");
            assert_eq!(filter.fit(&shop()).is_some(), fits, "{parameters:?}");
        }
    }

    #[test]
    fn a_search_that_cannot_be_read_says_why() {
        for (name, value) in [
            ("tags", "items"),
            ("tags", "=3"),
            ("tags", "a b=3"),
            ("tags", "a=\"b"),
            ("tags", "{"),
            ("tag", "items"),
            ("minDuration", "5"),
            ("maxDuration", "ms"),
            ("maxDuration", "1.2.3s"),
            ("minDuration", "-1s"),
            ("maxDuration", "1e3s"),
            ("limit", "many"),
            ("start", "now"),
        ] {
            let error = filter(&[(name, value)]).expect_err(value);
            assert!(error.starts_with(name), "{error}");
        }
    }

    #[test]
    fn traces_of_any_time_are_put_in_order() {
        let limits = StoreLimits {
            traces: 10,
            bytes: 1 << 20,
        };
        let mut store = TraceStore::new(limits);
        for (n, start) in [(1, i64::MIN), (2, i64::MAX), (3, 0)] {
            let trace_id = TraceId::new(0, n).expect("not 0");
            let mut span = OwnedSpan::new(trace_id, SpanId::new(n).expect("not 0"), "x");
            span.start = Timestamp::from_micros(start);
            span.duration = Duration::from_micros(n);
            let process = Process::new("shop", Vec::new());
            let batch = ReceivedBatch::new(BatchFormat::Compact, process, vec![span]);
            store.insert(batch, instant_now());
        }
        for (order, expected) in [("newest", [2, 3, 1]), ("longest", [3, 1, 2])] {
            let filter = filter(&[("order", order)]).expect("well formed");
            let found = filter.find(&store).into_iter();
            let ids: Vec<_> = found.map(|(_, trace)| trace.trace_id.low()).collect();
            assert_eq!(ids, expected, "{order}");
        }
    }

    #[test]
    fn durations_are_those_of_go() {
        assert_eq!(go_duration("1m30s"), Some(Duration::from_secs(90)));
        assert_eq!(go_duration("1.5ms"), Some(Duration::from_micros(1_500)));
        assert_eq!(go_duration("2µs"), Some(Duration::from_micros(2)));
        assert_eq!(go_duration("99999999999999999999h"), None);
    }
}
