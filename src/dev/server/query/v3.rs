//! `/api/v3`: the third version of the API.

use std::collections::BTreeSet;
use std::sync::Arc;

use axum::extract::{Path, Query, State};
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use serde::Serialize;
use serde_json::json;

use crate::dev::server::conditions::{self, Conditions};
use crate::dev::server::query::dependencies::calls_within;
use crate::dev::server::query::names::operations_of;
use crate::dev::server::query::otlp::TracesData;
use crate::dev::server::query::search::{LIMIT, Search, limit, tags_of};
use crate::dev::server::query::value::{duration, trace_id, truth};
use crate::dev::server::query::{Parameters, Refusal};
use crate::dev::server::state::ServerState;
use crate::dev::server::viewer::answer::{json as answer, parameter};
use crate::dev::server::viewer::mcp::tools::times::moment;
use crate::dev::store::TraceStore;
use crate::view::Trace;

/// Answers with the kinds of searches that find something. A kind that is not named is not there: a filter of
/// conditions, pages of results, and a search for single spans.
pub(super) async fn capabilities() -> Response {
    let search = json!({ "withoutServiceName": true, "sameSpanConjunction": true });
    answer(StatusCode::OK, &json!({ "search": search }))
}

pub(super) async fn services(State(state): State<Arc<ServerState>>) -> Response {
    let names = conditions::services(&state.look(TraceStore::traces));
    answer(StatusCode::OK, &json!({ "services": names }))
}

pub(super) async fn operations(
    State(state): State<Arc<ServerState>>,
    Query(parameters): Parameters,
) -> Response {
    let service = parameter(&parameters, "service").unwrap_or_default();
    let kind = either(&parameters, ["spanKind", "span_kind"]);
    let found = operations_of(&state.look(TraceStore::traces), service, None);
    // As newer Jaegers have it, whose user interface takes no operation without a kind.
    let told = found.iter().map(|operation| match &*operation.span_kind {
        "" => (&*operation.name, "internal"),
        kind => (&*operation.name, kind),
    });
    let told: BTreeSet<_> = told
        .filter(|(_, own)| kind.is_none_or(|kind| kind.is_empty() || kind == *own))
        .collect();
    let operations = told.into_iter();
    let operations = operations.map(|(name, kind)| json!({ "name": name, "spanKind": kind }));
    let operations: Vec<_> = operations.collect();
    answer(StatusCode::OK, &json!({ "operations": operations }))
}

pub(super) async fn trace(
    State(state): State<Arc<ServerState>>,
    Path(id): Path<String>,
    Query(parameters): Parameters,
) -> Response {
    let id = trace_id(&id).map_err(|why| malformed("trace_id", &why));
    let is_raw = [["startTime", "start_time"], ["endTime", "end_time"]]
        .iter()
        .try_for_each(|names| time(&parameters, *names).map(drop))
        .and_then(|()| is_raw(&parameters, ["rawTraces", "raw_traces"]));
    match id.and_then(|id| Ok((id, is_raw?))) {
        Ok((id, is_raw)) => {
            let trace = id.and_then(|id| state.look(|store| store.trace(id)));
            let trace = trace.map(|trace| if is_raw { trace } else { trace.with_own_ids() });
            found(&trace.into_iter().collect::<Vec<_>>())
        }
        Err(refusal) => refused(refusal),
    }
}

pub(super) async fn search(
    State(state): State<Arc<ServerState>>,
    Query(parameters): Parameters,
) -> Response {
    match search_of(&parameters) {
        Ok(search) => found(&search.find(&state).0),
        Err(refusal) => refused(refusal),
    }
}

/// Answers with the calls of the traces that started within a time. Numbers are text, as Go writes those of 64 bits.
pub(super) async fn dependencies(
    State(state): State<Arc<ServerState>>,
    Query(parameters): Parameters,
) -> Response {
    let time = |names: [&'static str; 2]| {
        let required = || Refusal::bad(format!("{} is required", names[0]));
        time(&parameters, names)?.ok_or_else(required)
    };
    let window = time(["startTime", "start_time"]).and_then(|start| {
        let end = time(["endTime", "end_time"])?;
        match start < end {
            true => Ok((start, end)),
            false => Err(Refusal::bad("endTime must be after startTime")),
        }
    });
    let (start, end) = match window {
        Ok(window) => window,
        Err(refusal) => return refused(refusal),
    };
    let calls = calls_within(&state, start, end).into_iter();
    let calls = calls.map(|((parent, child), count)| {
        json!({ "parent": parent, "child": child, "callCount": count.to_string() })
    });
    let calls: Vec<_> = calls.collect();
    answer(StatusCode::OK, &json!({ "dependencies": calls }))
}

/// Reads a search. Its names are those of Jaeger since 2.19, or the older ones.
pub(super) fn search_of(parameters: &[(String, String)]) -> Result<Search, Refusal> {
    // Without its filter a search would find what nobody has asked for.
    if parameters.iter().any(|(name, _)| name.starts_with(FILTER)) {
        return Err(Refusal::bad("the structured query filter is disabled"));
    }
    let text = |names| either(parameters, names).map(str::to_owned);
    let time = |names| {
        let micros = self::time(parameters, names)?;
        micros.ok_or_else(|| {
            Refusal::bad("query.start_time_min and query.start_time_max are required")
        })
    };
    let mut most = None;
    for name in LIMITS {
        most = match most {
            Some(most) => Some(most),
            None => limit(parameters, name)?,
        };
    }
    let span = |names: [&str; 2]| match duration(parameters, names[0])? {
        Some(length) => Ok(Some(length)),
        None => duration(parameters, names[1]),
    };
    Ok(Search {
        ids: Vec::new(),
        conditions: Conditions {
            service: text(["query.serviceName", "query.service_name"]),
            operation: text(["query.operationName", "query.operation_name"])
                // A user interface of Jaeger said so for a while.
                .or_else(|| text(["query.spanName", "query.span_name"])),
            tags: match parameter(parameters, "query.attributes") {
                Some(text) => tags_of(text)?.into_iter().collect(),
                None => BTreeSet::new(),
            },
            min_duration: span(["query.durationMin", "query.duration_min"])?,
            max_duration: span(["query.durationMax", "query.duration_max"])?,
            start: Some(time(["query.startTimeMin", "query.start_time_min"])?),
            end: Some(time(["query.startTimeMax", "query.start_time_max"])?),
        },
        errors: false,
        limit: most.unwrap_or(LIMIT),
        is_raw: is_raw(parameters, ["query.rawTraces", "query.raw_traces"])?,
    })
}

fn either<'a>(parameters: &'a [(String, String)], [new, old]: [&str; 2]) -> Option<&'a str> {
    parameter(parameters, new).or_else(|| parameter(parameters, old))
}

/// Returns whether traces are wanted as they came.
fn is_raw(parameters: &[(String, String)], [new, old]: [&str; 2]) -> Result<bool, Refusal> {
    Ok(truth(parameters, new)? || truth(parameters, old)?)
}

/// Reads a time, in microseconds since the epoch.
fn time(parameters: &[(String, String)], names: [&str; 2]) -> Result<Option<i64>, Refusal> {
    let read = |text: &str| {
        // The plus of an offset is a space unless it was escaped, which Grafana does not do.
        let read = moment(text).or_else(|| moment(&text.replace(' ', "+")));
        read.ok_or_else(|| malformed(names[1], &format!("parsing time {text:?}")))
    };
    either(parameters, names).map(read).transpose()
}

/// The answer with traces.
#[derive(Serialize)]
struct Found<'a> {
    result: TracesData<'a>,
}

fn found(traces: &[Trace]) -> Response {
    if traces.is_empty() {
        return refused(Refusal::new(StatusCode::NOT_FOUND, "No traces found"));
    }
    let result = TracesData::new(traces);
    answer(StatusCode::OK, &Found { result })
}

pub(super) fn refused(Refusal { status, message }: Refusal) -> Response {
    let error = json!({ "error": { "httpCode": status.as_u16(), "message": message } });
    answer(status, &error).into_response()
}

fn malformed(name: &str, why: &str) -> Refusal {
    Refusal::bad(format!("malformed parameter {name}: {why}"))
}

/// The name of a filter of conditions, which the answer about capabilities does not name.
const FILTER: &str = "query.filter";
/// The names of the most traces of an answer, the newest first. The last one is that of pages, of which there is one.
const LIMITS: [&str; 4] = [
    "query.searchDepth",
    "query.search_depth",
    "query.num_traces",
    "query.pagination.pageSize",
];
