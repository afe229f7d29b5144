//! `/api/services` and `/api/operations`: names to choose from.

use std::collections::BTreeSet;
use std::sync::Arc;

use axum::extract::{Path, Query, State};
use axum::response::{IntoResponse, Response};
use serde::Serialize;

use crate::dev::server::conditions;
use crate::dev::server::query::{Parameters, Refusal, answer};
use crate::dev::server::state::{ServerState, assert_unlocked};
use crate::dev::server::viewer::answer::parameter;
use crate::dev::store::TraceStore;
use crate::model::{TagRef, tags};
use crate::view::Trace;
use crate::view::json::Envelope;

/// The name of an operation, with the kind of its spans.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Operation {
    pub(super) name: String,
    pub(super) span_kind: String,
}

pub(super) async fn services(
    State(state): State<Arc<ServerState>>,
    Query(parameters): Parameters,
) -> Response {
    let names = conditions::services(&state.look(TraceStore::traces));
    answer(&parameters, &Envelope::list(names))
}

pub(super) async fn operations(
    State(state): State<Arc<ServerState>>,
    Query(parameters): Parameters,
) -> Response {
    let Some(service) = parameter(&parameters, "service") else {
        return Refusal::bad("parameter 'service' is required").into_response();
    };
    let kind = parameter(&parameters, "spanKind");
    let found = operations_of(&state.look(TraceStore::traces), service, kind);
    answer(&parameters, &Envelope::list(found.into_iter().collect()))
}

/// Answers with the names alone, of all kinds.
pub(super) async fn of_service(
    State(state): State<Arc<ServerState>>,
    Path(service): Path<String>,
    Query(parameters): Parameters,
) -> Response {
    let found = operations_of(&state.look(TraceStore::traces), &service, None);
    let mut names: Vec<String> = found.into_iter().map(|found| found.name).collect();
    names.dedup();
    answer(&parameters, &Envelope::list(names))
}

/// Returns the operations of a service, sorted, and only those of one kind if there is one.
pub(super) fn operations_of(
    traces: &[Trace],
    service: &str,
    kind: Option<&str>,
) -> BTreeSet<Operation> {
    assert_unlocked();
    let mut found = BTreeSet::new();
    for received in traces.iter().flat_map(|trace| &trace.spans) {
        if received.service_name() != service || found.len() >= MAX_OPERATIONS {
            continue;
        }
        let own = received.span.tag(tags::SPAN_KIND);
        let own = match &own {
            Some(TagRef::String(own)) => *own,
            _ => "",
        };
        if kind.is_none_or(|kind| kind == own) {
            found.insert(Operation {
                name: received.span.operation_name.clone(),
                span_kind: own.to_owned(),
            });
        }
    }
    found
}

const MAX_OPERATIONS: usize = 1_000;
