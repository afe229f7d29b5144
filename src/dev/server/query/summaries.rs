//! `/api/v3/trace-summaries`: the search of newer user interfaces of Jaeger and Grafana. They show its list, and read a
//! whole trace when a user opens it.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use axum::extract::{Query, State};
use axum::response::Response;
use http::StatusCode;
use serde::Serialize;

use crate::dev::server::query::Parameters;
use crate::dev::server::query::otlp::nanos;
use crate::dev::server::query::v3::{refused, search_of};
use crate::dev::server::state::ServerState;
use crate::dev::server::viewer::answer::json;
use crate::model::SpanId;
use crate::view::{ReceivedSpan, Trace};

/// The answer.
#[derive(Debug, PartialEq, Serialize)]
struct Summaries {
    summaries: Vec<Summary>,
}

/// The summary of a trace in the list that a search finds.
#[derive(Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
struct Summary {
    trace_id: String,
    /// The service of the first span without a parent, or of the first span if each has one.
    root_service_name: String,
    root_operation_name: String,
    /// Times are text, because JavaScript cannot hold all of them.
    min_start_time_unix_nano: String,
    max_end_time_unix_nano: String,
    span_count: usize,
    error_span_count: usize,
    /// The spans whose parent is missing.
    orphan_span_count: usize,
    /// Sorted by name.
    services: Vec<ServiceSummary>,
}

#[derive(Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
struct ServiceSummary {
    name: String,
    span_count: usize,
    error_span_count: usize,
}

/// Answers with the traces that fit, the newest first. If there are none, the list is empty.
pub(super) async fn summaries(
    State(state): State<Arc<ServerState>>,
    Query(parameters): Parameters,
) -> Response {
    match search_of(&parameters) {
        Ok(search) => {
            let traces = search.find(&state).0;
            let summaries = traces.iter().map(Summary::new).collect();
            json(StatusCode::OK, &Summaries { summaries })
        }
        Err(refusal) => refused(refusal),
    }
}

impl Summary {
    fn new(trace: &Trace) -> Self {
        let spans = || trace.spans.iter().map(|span| &**span);
        let ids: HashSet<SpanId> = spans().map(|span| span.span.span_id).collect();
        let start = |span: &&ReceivedSpan| span.span.start;
        let roots = spans().filter(|span| span.parent().is_none());
        let root = roots.min_by_key(start);
        let root = root.or_else(|| spans().min_by_key(start));
        let is_orphan = |span: &&ReceivedSpan| {
            let parent = span.parent();
            parent.is_some_and(|(parent, _)| !ids.contains(&parent))
        };
        let mut services: BTreeMap<&str, ServiceSummary> = BTreeMap::new();
        for span in spans() {
            let service = services.entry(span.service_name()).or_default();
            service.span_count += 1;
            service.error_span_count += usize::from(span.is_error());
        }
        let named = |(name, service): (&str, ServiceSummary)| ServiceSummary {
            name: name.to_owned(),
            ..service
        };
        let starts = spans().map(|span| nanos(span.span.start));
        let ends = spans().map(|span| {
            let length = u64::try_from(span.span.duration.as_nanos()).unwrap_or(u64::MAX);
            nanos(span.span.start).saturating_add(length)
        });
        Self {
            trace_id: format!("{:0>32}", trace.trace_id.to_string()),
            root_service_name: root.map_or("", |root| root.service_name()).to_owned(),
            root_operation_name: root
                .map_or_else(String::new, |root| root.span.operation_name.clone()),
            min_start_time_unix_nano: starts.min().unwrap_or(0).to_string(),
            max_end_time_unix_nano: ends.max().unwrap_or(0).to_string(),
            span_count: trace.spans.len(),
            error_span_count: spans().filter(|span| span.is_error()).count(),
            orphan_span_count: spans().filter(is_orphan).count(),
            services: services.into_iter().map(named).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Timestamp;
    use crate::view::fixtures::{START, span, trace};

    #[test]
    fn a_summary_counts_spans_errors_and_orphans() {
        let trace = trace([
            span("pay", "charge", 2, 1_000, 9_000)
                .child_of(1)
                .tag("error", true),
            span("shop", "checkout", 1, 0, 5_000),
            span("shop", "later root", 4, 10, 20),
            span("pay", "lost", 3, 2_000, 3_000).child_of(99),
        ]);
        let summary = Summary::new(&trace);
        let service = |name: &str, span_count, error_span_count| ServiceSummary {
            name: name.to_owned(),
            span_count,
            error_span_count,
        };
        assert_eq!(
            summary,
            Summary {
                trace_id: format!("{:0>32}", trace.trace_id.to_string()),
                root_service_name: "shop".to_owned(),
                root_operation_name: "checkout".to_owned(),
                min_start_time_unix_nano: (START * 1_000).to_string(),
                max_end_time_unix_nano: ((START + 9_000) * 1_000).to_string(),
                span_count: 4,
                error_span_count: 1,
                orphan_span_count: 1,
                services: vec![service("pay", 2, 1), service("shop", 2, 0)],
            }
        );
    }

    #[test]
    fn times_fit_in_64_bits() {
        let mut trace = trace([span("shop", "checkout", 1, 0, 1)]);
        let mut odd = ReceivedSpan::clone(&trace.spans[0]);
        odd.span.start = Timestamp::from_micros(i64::MAX);
        odd.span.duration = std::time::Duration::MAX;
        trace.spans = vec![odd.into()];
        let summary = Summary::new(&trace);
        assert_eq!(summary.max_end_time_unix_nano, u64::MAX.to_string());
        let mut early = ReceivedSpan::clone(&trace.spans[0]);
        early.span.start = Timestamp::from_micros(-5);
        trace.spans = vec![early.into()];
        assert_eq!(Summary::new(&trace).min_start_time_unix_nano, "0");
    }
}
