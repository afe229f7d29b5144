//! `/api/dependencies`: the calls between services.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::extract::{Query, State};
use axum::response::{IntoResponse, Response};
use serde::Serialize;

use crate::clock::{WallTime, system_time_now};
use crate::dev::server::query::value::number;
use crate::dev::server::query::{Parameters, Refusal, answer};
use crate::dev::server::state::ServerState;
use crate::dev::server::viewer::answer::parameter;
use crate::dev::store::TraceStore;
use crate::view::Trace;
use crate::view::json::Envelope;
use crate::view::tree::Tree;

/// The calls from one service to another.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Dependency {
    parent: String,
    child: String,
    call_count: usize,
}

/// Answers with the calls of the traces that started within a time, those of a service if there is one.
pub(super) async fn dependencies(
    State(state): State<Arc<ServerState>>,
    Query(parameters): Parameters,
) -> Response {
    let (start, end) = match window(&parameters) {
        Ok(window) => window,
        Err(refusal) => return refusal.into_response(),
    };
    let calls = calls_within(&state, start, end);
    let service = parameter(&parameters, "service");
    let calls = calls.into_iter().filter(|((parent, child), _)| {
        service.is_none_or(|service| parent == service || child == service)
    });
    let calls = calls.map(|((parent, child), call_count)| Dependency {
        parent,
        child,
        call_count,
    });
    answer(&parameters, &Envelope::found(calls.collect(), Vec::new()))
}

/// Counts the calls of the traces that started within a time, whose ends are in microseconds since the epoch.
pub(super) fn calls_within(
    state: &ServerState,
    start: i64,
    end: i64,
) -> BTreeMap<(String, String), usize> {
    let traces = state.look(TraceStore::traces);
    calls(traces.iter().filter(|trace| {
        let starts = trace.spans.iter().map(|span| span.span.start.as_micros());
        let first = starts.min();
        first.is_some_and(|first| (start..=end).contains(&first))
    }))
}

/// Counts the spans below other spans by the services of both, those of one service too, as Jaeger 2 does.
pub(crate) fn calls<'a>(
    traces: impl IntoIterator<Item = &'a Trace>,
) -> BTreeMap<(String, String), usize> {
    let mut calls = BTreeMap::new();
    for trace in traces {
        let tree = Tree::new(trace);
        for node in &tree.nodes {
            let parent = node.parent.and_then(|parent| tree.nodes.get(parent));
            if let Some(parent) = parent {
                let names = [parent, node].map(|node| node.span.service_name().to_owned());
                *calls.entry(names.into()).or_default() += 1;
            }
        }
    }
    calls
}

/// Returns the first and the last moment, in microseconds since the epoch. The parameters are in milliseconds.
fn window(parameters: &[(String, String)]) -> Result<(i64, i64), Refusal> {
    let now = || WallTime::nearest_to(system_time_now()).nanos / 1_000;
    let end = number(parameters, "endTs")?.map_or_else(now, |end| end.saturating_mul(1_000));
    let lookback = number(parameters, "lookback")?.unwrap_or(DAY);
    Ok((end.saturating_sub(lookback.saturating_mul(1_000)), end))
}

/// A day in milliseconds.
const DAY: i64 = 24 * 60 * 60 * 1_000;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::view::fixtures::{span, trace};

    #[test]
    fn calls_within_a_service_count_too() {
        let traces = [trace([
            span("shop", "checkout", 1, 0, 100),
            span("shop", "prepare", 2, 0, 10).child_of(1),
            span("pay", "charge", 3, 10, 20).child_of(2),
            span("pay", "charge", 4, 30, 40).child_of(1),
            span("lost", "orphan", 5, 0, 1).child_of(99),
        ])];
        let names = |parent: &str, child: &str| (parent.to_owned(), child.to_owned());
        let expected = [(names("shop", "pay"), 2), (names("shop", "shop"), 1)];
        assert_eq!(calls(&traces), BTreeMap::from(expected));
    }
}
