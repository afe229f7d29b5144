//! Jaeger's query API, which its user interface and Grafana read.
//!
//! Requests, answers and errors have the form of Jaeger's. A search may do without a service, and without a time it
//! looks through all traces.

pub(crate) mod dependencies;
mod metrics;
mod names;
mod otlp;
mod search;
mod summaries;
mod trace;
mod v3;
mod value;

use std::borrow::Cow;
use std::sync::Arc;

use axum::Router;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use http::StatusCode;
use serde::Serialize;
use serde_json::ser::{PrettyFormatter, Serializer};

use crate::dev::server::state::ServerState;
use crate::dev::server::viewer::answer::{json, json_text, parameter};
use crate::view::json::Envelope;

/// The parameters of a request, as they came.
type Parameters = axum::extract::Query<Vec<(String, String)>>;

/// Returns the routes of the API in its second version, and of the third as far as it reads traces.
pub(super) fn routes(state: Arc<ServerState>) -> Router {
    Router::new()
        .route("/api/services", get(names::services))
        .route("/api/services/{service}/operations", get(names::of_service))
        .route("/api/operations", get(names::operations))
        .route("/api/traces", get(search::search))
        .route("/api/traces/{id}", get(trace::get))
        .route("/api/archive/{id}", post(trace::archive))
        .route("/api/transform", post(trace::transform))
        .route("/api/dependencies", get(dependencies::dependencies))
        .route("/api/metrics/latencies", get(metrics::latencies))
        .route("/api/metrics/calls", get(metrics::rates))
        .route("/api/metrics/errors", get(metrics::rates))
        .route("/api/metrics/minstep", get(metrics::smallest_step))
        .route("/api/v3/capabilities", get(v3::capabilities))
        .route("/api/v3/services", get(v3::services))
        .route("/api/v3/operations", get(v3::operations))
        .route("/api/v3/dependencies", get(v3::dependencies))
        .route("/api/v3/trace-summaries", get(summaries::summaries))
        .route("/api/v3/traces", get(v3::search))
        .route("/api/v3/traces/{id}", get(v3::trace))
        .with_state(state)
}

/// Answers with data, indented if the request asks for it.
fn answer(parameters: &[(String, String)], value: &impl Serialize) -> Response {
    let pretty = parameter(parameters, "prettyPrint");
    if pretty.is_none_or(|pretty| pretty == "false") {
        return json(StatusCode::OK, value);
    }
    let mut text = Vec::new();
    let indent = PrettyFormatter::with_indent(b"    ");
    match value.serialize(&mut Serializer::with_formatter(&mut text, indent)) {
        Ok(()) => json_text(StatusCode::OK, text.into()),
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

/// The reason why a request has no data for an answer.
#[derive(Debug, PartialEq)]
struct Refusal {
    status: StatusCode,
    message: Cow<'static, str>,
}

impl Refusal {
    fn new(status: StatusCode, message: impl Into<Cow<'static, str>>) -> Self {
        let message = message.into();
        Self { status, message }
    }

    fn bad(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, message)
    }

    fn not_found() -> Self {
        Self::new(StatusCode::NOT_FOUND, "trace not found")
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let code = self.status.as_u16();
        json(self.status, &Envelope::error(code, self.message, None))
    }
}
