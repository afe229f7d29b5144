//! The traces that the search of the viewer finds.

use std::cmp::Reverse;
use std::collections::BTreeSet;
use std::time::Duration;

use crate::dev::server::conditions::{Conditions, go_duration, tags};
use crate::dev::server::viewer::answer::parameter;
use crate::dev::server::viewer::summary::Summary;
use crate::view::Trace;

/// The traces that a search is for, and how many of them in which order. An empty filter lets every trace through.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Filter {
    /// The bounds on times are those of the whole trace.
    pub(super) conditions: Conditions,
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
        let tags = match parameter(parameters, "tags") {
            Some(text) => tags(text)
                .ok_or_else(|| "tags: expected key=value, with quotes around blanks".to_owned())?,
            None => Vec::new(),
        };
        let mut tags: BTreeSet<_> = tags.into_iter().collect();
        for (_, tag) in parameters.iter().filter(|(name, _)| name == "tag") {
            let pair = tag
                .split_once(':')
                .ok_or_else(|| "tag: expected key:value".to_owned())?;
            tags.insert((pair.0.to_owned(), pair.1.to_owned()));
        }
        let limit = number("limit")?.map_or(limit, |limit| usize::try_from(limit).unwrap_or(1));
        Ok(Self {
            conditions: Conditions {
                service: text("service"),
                operation: text("operation"),
                tags,
                min_duration: duration("minDuration")?,
                max_duration: duration("maxDuration")?,
                start: number("start")?,
                end: number("end")?,
            },
            errors: parameter(parameters, "errors").is_some(),
            limit: limit.clamp(1, MAX_LIMIT),
            order: match parameter(parameters, "order") {
                Some("longest") => Order::Longest,
                Some("spans") => Order::MostSpans,
                _ => Order::Newest,
            },
        })
    }

    /// Returns those of traces that fit, in order, at most as many as wanted. Of traces of one start the last is first.
    pub(super) fn find(&self, traces: Vec<Trace>) -> Vec<(Summary, Trace)> {
        let newest = traces.into_iter().rev();
        let mut found: Vec<_> = newest
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
        let conditions = &self.conditions;
        if !conditions.describe_all() && !spans.any(|span| conditions.describe(span)) {
            return None;
        }
        let summary = Summary::new(trace);
        let duration = Duration::from_micros(u64::try_from(summary.duration).unwrap_or(0));
        let fits =
            conditions.include(summary.start, duration) && (!self.errors || summary.errors > 0);
        fits.then_some(summary)
    }
}

const MAX_LIMIT: usize = 1_000;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{SpanId, Timestamp, TraceId};
    use crate::reporter::OwnedSpan;
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
        let mut spans = Vec::new();
        for (n, start) in [(1, i64::MIN), (2, i64::MAX), (3, 0)] {
            let trace_id = TraceId::new(0, n).expect("not 0");
            let mut span = OwnedSpan::new(trace_id, SpanId::new(n).expect("not 0"), "x");
            span.start = Timestamp::from_micros(start);
            span.duration = Duration::from_micros(n);
            spans.push(span);
        }
        let traces = Trace::of(spans);
        for (order, expected) in [("newest", [2, 3, 1]), ("longest", [3, 1, 2])] {
            let filter = filter(&[("order", order)]).expect("well formed");
            let found = filter.find(traces.clone()).into_iter();
            let ids: Vec<_> = found.map(|(_, trace)| trace.trace_id.low()).collect();
            assert_eq!(ids, expected, "{order}");
        }
    }
}
