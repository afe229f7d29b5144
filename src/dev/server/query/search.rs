//! `/api/traces`: the search.

use std::collections::BTreeSet;
use std::sync::Arc;

use axum::extract::{Query, State};
use axum::response::{IntoResponse, Response};

use crate::dev::server::conditions::{Conditions, tags};
use crate::dev::server::query::value::{duration, malformed, number, trace_id, truth};
use crate::dev::server::query::{Parameters, Refusal, answer};
use crate::dev::server::state::ServerState;
use crate::dev::server::viewer::answer::parameter;
use crate::dev::store::TraceStore;
use crate::model::TraceId;
use crate::view::json::{Envelope, TraceJson};
use crate::view::{ReceivedSpan, Trace};

pub(super) async fn search(
    State(state): State<Arc<ServerState>>,
    Query(parameters): Parameters,
) -> Response {
    let search = match Search::new(&parameters) {
        Ok(search) => search,
        Err(refusal) => return refusal.into_response(),
    };
    let (traces, missing) = search.find(&state);
    let traces = traces.iter().map(TraceJson::new).collect();
    answer(&parameters, &Envelope::found(traces, missing))
}

/// The conditions of a search. A trace fits if a single span of it meets all of them.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Search {
    /// The ids of the traces, `None` for the id 0. If there are any, the other conditions do not count.
    pub(super) ids: Vec<Option<TraceId>>,
    pub(super) conditions: Conditions,
    /// Whether a span of the trace must have failed.
    pub(super) errors: bool,
    pub(super) limit: usize,
    /// Whether spans keep the ids that they share with others.
    pub(super) is_raw: bool,
}

impl Search {
    fn new(parameters: &[(String, String)]) -> Result<Self, Refusal> {
        let text = |name| parameter(parameters, name).map(str::to_owned);
        let all = |name: &'static str| {
            let named = parameters.iter().filter(move |(key, _)| key == name);
            named.map(|(_, value)| value.as_str())
        };
        let start = number(parameters, "start")?;
        let end = number(parameters, "end")?;
        let mut wanted = BTreeSet::new();
        for tag in all("tag") {
            let pair = tag.split_once(':').ok_or_else(|| {
                Refusal::bad(format!(
                    "malformed 'tag' parameter, expecting key:value, received: {tag}"
                ))
            })?;
            wanted.insert((pair.0.to_owned(), pair.1.to_owned()));
        }
        for text in all("tags").filter(|text| !text.trim().is_empty()) {
            wanted.extend(tags_of(text)?);
        }
        let limit = limit(parameters, "limit")?.unwrap_or(LIMIT);
        let min_duration = duration(parameters, "minDuration")?;
        let max_duration = duration(parameters, "maxDuration")?;
        let mut ids = Vec::new();
        for id in all("traceID") {
            let id = trace_id(id);
            let id =
                id.map_err(|why| Refusal::bad(format!("cannot parse traceID param: {why}")))?;
            // One that is asked for a thousand times is answered once.
            if ids.len() < MAX_LIMIT && !ids.contains(&id) {
                ids.push(id);
            }
        }
        let is_raw = truth(parameters, "raw")?;
        if min_duration
            .zip(max_duration)
            .is_some_and(|(min, max)| max < min)
        {
            return Err(Refusal::bad(
                "'maxDuration' should be greater than 'minDuration'",
            ));
        }
        Ok(Self {
            ids,
            conditions: Conditions {
                service: text("service"),
                operation: text("operation"),
                tags: wanted,
                min_duration,
                max_duration,
                start,
                end,
            },
            errors: parameter(parameters, "errors").is_some(),
            limit,
            is_raw,
        })
    }

    /// Returns the traces that fit, the newest first, and the ids that no trace has.
    pub(super) fn find(&self, state: &ServerState) -> (Vec<Trace>, Vec<String>) {
        let (traces, missing) = self.find_raw(state);
        let traces = match self.is_raw {
            true => traces,
            false => traces.into_iter().map(Trace::with_own_ids).collect(),
        };
        (traces, missing)
    }

    fn find_raw(&self, state: &ServerState) -> (Vec<Trace>, Vec<String>) {
        if !self.ids.is_empty() {
            let mut missing = Vec::new();
            let mut traces = Vec::new();
            for id in &self.ids {
                match id.and_then(|id| state.look(|store| store.trace(id))) {
                    Some(trace) => traces.push(trace),
                    None => missing.push(id.map_or_else(|| "0".repeat(16), |id| id.to_string())),
                }
            }
            return (traces, missing);
        }
        // Programs wait for the store when they start a trace, so nothing is looked through while it is locked.
        let traces = state.look(TraceStore::traces).into_iter();
        let mut found: Vec<Trace> = traces
            .filter(|trace| trace.spans.iter().any(|span| self.fits(span)))
            .filter(|trace| !self.errors || trace.spans.iter().any(|span| span.is_error()))
            .collect();
        found.sort_by_cached_key(|trace| {
            let starts = trace.spans.iter().map(|span| span.span.start);
            std::cmp::Reverse(starts.min())
        });
        found.truncate(self.limit);
        (found, Vec::new())
    }

    fn fits(&self, span: &ReceivedSpan) -> bool {
        let (start, duration) = (span.span.start.as_micros(), span.span.duration);
        self.conditions.describe(span) && self.conditions.include(start, duration)
    }
}

/// Reads the most traces that an answer may have.
pub(super) fn limit(parameters: &[(String, String)], name: &str) -> Result<Option<usize>, Refusal> {
    let read = |limit| match usize::try_from(limit) {
        Ok(limit) => Ok(limit.min(MAX_LIMIT)),
        Err(_) => Err(malformed(name, "it must not be negative")),
    };
    number(parameters, name)?.map(read).transpose()
}

/// Reads tags as a JSON object of texts. Those of the viewer's search are read, too.
pub(super) fn tags_of(text: &str) -> Result<Vec<(String, String)>, Refusal> {
    tags(text.trim()).ok_or_else(|| {
        Refusal::bad("malformed 'tags' parameter, expecting a JSON object of strings")
    })
}

/// Jaeger's limit, unless a request says otherwise.
pub(super) const LIMIT: usize = 100;
/// The largest number of traces in an answer.
const MAX_LIMIT: usize = 1_000;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::view::fixtures::{START, span, trace};

    fn search(query: &str) -> Result<Search, Refusal> {
        let pairs = query.split('&').filter_map(|pair| pair.split_once('='));
        let pairs = pairs.map(|(name, value)| (name.to_owned(), value.to_owned()));
        Search::new(&pairs.collect::<Vec<_>>())
    }

    #[test]
    fn a_trace_fits_if_one_span_meets_every_condition() {
        let trace = trace([
            span("shop", "checkout", 1, 0, 5_000).tag("items", 3i64),
            span("pay", "charge", 2, 1_000, 2_000)
                .child_of(1)
                .tag("card", "visa"),
        ]);
        let start = START;
        for (query, fits) in [
            (String::new(), true),
            ("service=shop".to_owned(), true),
            ("service=shop&operation=checkout".to_owned(), true),
            ("service=shop&operation=charge".to_owned(), false),
            ("service=pay&minDuration=1ms".to_owned(), true),
            ("service=pay&minDuration=2ms".to_owned(), false),
            ("service=shop&maxDuration=4ms".to_owned(), false),
            ("service=pay&maxDuration=4ms&minDuration=0".to_owned(), true),
            (r#"service=shop&tags={"items":"3"}"#.to_owned(), true),
            (r#"service=pay&tags={"items":"3"}"#.to_owned(), false),
            ("service=pay&tag=card:visa".to_owned(), true),
            (format!("service=pay&start={}", start + 1_000), true),
            (format!("service=pay&start={}", start + 1_001), false),
            (format!("service=pay&end={}", start + 999), false),
            ("service=other".to_owned(), false),
        ] {
            let search = search(&query).expect("well-formed");
            let found = trace.spans.iter().any(|span| search.fits(span));
            assert_eq!(found, fits, "{query}");
        }
    }

    #[test]
    fn repeated_ids_and_tags_count_once() {
        let repeated = "traceID=1&traceID=01&traceID=2&tag=a:b&tag=a:b&".repeat(1_000);
        let search = search(&repeated).expect("well-formed");
        assert_eq!((search.ids.len(), search.conditions.tags.len()), (2, 1));
    }

    #[test]
    fn a_search_that_cannot_be_read_is_refused_as_by_jaeger() {
        for (query, message) in [
            ("start=now", "unable to parse param 'start'"),
            ("end=1.5", "unable to parse param 'end'"),
            ("limit=many", "unable to parse param 'limit'"),
            ("limit=-1", "unable to parse param 'limit'"),
            ("minDuration=5", "unable to parse param 'minDuration'"),
            ("maxDuration=ms", "unable to parse param 'maxDuration'"),
            ("minDuration=2s&maxDuration=1s", "'maxDuration' should be"),
            ("tag=items", "malformed 'tag' parameter"),
            ("tags=items", "malformed 'tags' parameter"),
            (r#"tags={"items":3}"#, "malformed 'tags' parameter"),
            ("traceID=xyz", "cannot parse traceID param"),
            ("raw=maybe", "unable to parse param 'raw'"),
        ] {
            let refusal = search(query).expect_err(query);
            assert_eq!(refusal.status, http::StatusCode::BAD_REQUEST, "{query}");
            assert!(refusal.message.starts_with(message), "{}", refusal.message);
        }
    }
}
