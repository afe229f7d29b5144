//! `/trace/{id}`: one trace.

use std::slice;
use std::sync::Arc;

use axum::extract::{Path, Query, State};
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, StatusCode};

use crate::dev::server::state::ServerState;
use crate::dev::server::viewer::TEXT;
use crate::dev::server::viewer::answer::{find, html, json, parameter, wants_html};
use crate::view::json::{Envelope, TraceJson};
use crate::view::page::frame::{Frame, View};
use crate::view::page::page;
use crate::view::waterfall::{Style, draw};

/// Answers with the page for a browser, with the picture for others, and in the format that is asked for.
pub(super) async fn show(
    state: State<Arc<ServerState>>,
    Path(id): Path<String>,
    Query(parameters): Query<Vec<(String, String)>>,
    headers: HeaderMap,
) -> Response {
    let format = match parameter(&parameters, "format") {
        Some(format) => format,
        None if wants_html(&headers) => "html",
        None => "text",
    };
    let trace = match find(&state, &id) {
        Ok(trace) => trace,
        Err(error) => return error.into_response(),
    };
    if format == "jaeger" {
        let trace = trace.with_own_ids();
        let trace = TraceJson::new(&trace);
        return json(StatusCode::OK, &Envelope::found(vec![trace], Vec::new()));
    }
    if format != "html" {
        let details = parameter(&parameters, "details").is_some();
        return draw(&trace, &Style { details, ..TEXT }).into_response();
    }
    let id = trace.trace_id;
    let links = [
        (format!("/trace/{id}?format=jaeger"), "JSON"),
        (format!("/trace/{id}?format=text&details=on"), "Text"),
        (format!("/compare?a={id}"), "Compare"),
    ];
    let frame = Frame::served(View::Trace);
    html(page(slice::from_ref(&trace), frame, &links), frame)
}
