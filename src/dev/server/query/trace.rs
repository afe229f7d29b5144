//! `/api/traces/{id}`: one trace, and traces of a file.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{Path, Query, State};
use axum::response::{IntoResponse, Response};
use http::StatusCode;

use crate::decode::otlp_json_request;
use crate::dev::otlp_file::traces;
use crate::dev::server::query::value::{number, trace_id, truth};
use crate::dev::server::query::{Parameters, Refusal, answer};
use crate::dev::server::state::ServerState;
use crate::view::Trace;
use crate::view::json::{Envelope, TraceJson};

pub(super) async fn get(
    State(state): State<Arc<ServerState>>,
    Path(id): Path<String>,
    Query(parameters): Parameters,
) -> Response {
    match find(&state, &id, &parameters) {
        Ok(trace) => {
            let trace = TraceJson::new(&trace);
            answer(&parameters, &Envelope::found(vec![trace], Vec::new()))
        }
        Err(refusal) => refusal.into_response(),
    }
}

/// Refuses to archive: there is no archive.
pub(super) async fn archive(
    State(state): State<Arc<ServerState>>,
    Path(id): Path<String>,
    Query(parameters): Parameters,
) -> Response {
    let found = find(&state, &id, &parameters).map(drop);
    let refusal = match found {
        Err(refusal) if refusal.status == StatusCode::BAD_REQUEST => refusal,
        _ => Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, NO_ARCHIVE),
    };
    refusal.into_response()
}

/// Answers with traces that come as OTLP in JSON, and keeps none of them.
pub(super) async fn transform(Query(parameters): Parameters, body: Bytes) -> Response {
    let batches = match otlp_json_request(&body) {
        Ok(batches) => batches,
        Err(why) => {
            let why = format!("cannot unmarshal OTLP : {why}");
            return Refusal::bad(why).into_response();
        }
    };
    let traces = traces(batches).into_iter().map(Trace::with_own_ids);
    let traces: Vec<_> = traces.collect();
    let traces = traces.iter().map(TraceJson::new).collect();
    answer(&parameters, &Envelope::found(traces, Vec::new()))
}

fn find(state: &ServerState, id: &str, parameters: &[(String, String)]) -> Result<Trace, Refusal> {
    let id = trace_id(id).map_err(Refusal::bad)?;
    for name in ["start", "end"] {
        number(parameters, name)?;
    }
    let is_raw = truth(parameters, "raw")?;
    let trace = id.and_then(|id| state.look(|store| store.trace(id)));
    let trace = trace.ok_or_else(Refusal::not_found)?;
    Ok(if is_raw { trace } else { trace.with_own_ids() })
}

const NO_ARCHIVE: &str = "archive span storage was not configured";
