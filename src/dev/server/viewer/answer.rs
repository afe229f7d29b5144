//! Answers of the viewer: pages, JSON, and why there is nothing to show.

use axum::body::Body;
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, HeaderValue, StatusCode, header};
use serde::Serialize;

use crate::dev::server::state::ServerState;
use crate::model::TraceId;
use crate::view::Trace;
use crate::view::json::Envelope;
use crate::view::page::frame::Frame;

/// Answers with a page, which runs under its own policy.
pub(super) fn html(page: String, frame: Frame) -> Response {
    let policy = format!("{}; frame-ancestors 'none'", frame.policy());
    let mut response = (
        [(header::CONTENT_TYPE, "text/html; charset=utf-8")],
        Body::from(page),
    )
        .into_response();
    if let Ok(policy) = HeaderValue::try_from(policy) {
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_SECURITY_POLICY, policy);
    }
    response
}

/// Answers with JSON.
pub(crate) fn json(status: StatusCode, value: &impl Serialize) -> Response {
    match serde_json::to_vec(value) {
        Ok(text) => json_text(status, text.into()),
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

/// Answers with text that is JSON.
pub(crate) fn json_text(status: StatusCode, text: Body) -> Response {
    (status, [(header::CONTENT_TYPE, "application/json")], text).into_response()
}

/// Returns whether the client is a browser, which asks for HTML. Others, such as curl, get text.
pub(super) fn wants_html(headers: &HeaderMap) -> bool {
    let accepts = headers.get_all(header::ACCEPT).iter();
    let mut texts = accepts.filter_map(|accept| accept.to_str().ok());
    texts.any(|accept| accept.contains("text/html"))
}

/// Returns the first value of a parameter that is not blank.
pub(crate) fn parameter<'a>(parameters: &'a [(String, String)], name: &str) -> Option<&'a str> {
    let mut named = parameters.iter().filter(|(key, _)| key == name);
    named
        .next()
        .map(|(_, value)| value.trim())
        .filter(|value| !value.is_empty())
}

/// Finds the trace with an id as it stands in an address.
pub(super) fn find(state: &ServerState, id: &str) -> Result<Trace, NotFound> {
    let id = id.parse().map_err(|_| NotFound::NoId)?;
    let trace = state.look(|store| store.trace(id));
    trace.ok_or(NotFound::NoTrace(id))
}

/// The reason why there is no trace to show.
pub(super) enum NotFound {
    NoId,
    NoTrace(TraceId),
}

impl IntoResponse for NotFound {
    fn into_response(self) -> Response {
        let (status, why, id) = match self {
            Self::NoId => {
                let why = "a trace id is 1 to 32 hex digits and not zero";
                (StatusCode::BAD_REQUEST, why, None)
            }
            Self::NoTrace(id) => (
                StatusCode::NOT_FOUND,
                "trace not found",
                Some(id.to_string()),
            ),
        };
        json(status, &Envelope::error(status.as_u16(), why, id))
    }
}
