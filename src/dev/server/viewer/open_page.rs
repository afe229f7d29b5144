//! `/open-spans`: the spans that are open now.

use std::fmt::Write as _;
use std::sync::Arc;

use askama::Template;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, StatusCode};

use crate::dev::server::state::ServerState;
use crate::dev::server::viewer::answer::{html, json, wants_html};
use crate::dev::server::viewer::open_json::OpenSpanJson;
use crate::view::json::Envelope;
use crate::view::page::frame::{Frame, View};
use crate::view::page::render;
use crate::view::waterfall::duration_text;
use crate::watch::OpenSpanInfo;

#[derive(Template)]
#[template(path = "open.html")]
struct OpenPage {
    frame: Frame,
    rows: Vec<Row>,
    /// The number of open spans beyond the rows.
    more: usize,
}

/// An open span.
struct Row {
    span: OpenSpanInfo,
    age: String,
    kind: &'static str,
    place: String,
    /// Whether the server has spans of its trace.
    has_trace: bool,
}

/// Answers with a page for a browser, and with lines of text for others.
pub(super) async fn show(State(state): State<Arc<ServerState>>, headers: HeaderMap) -> Response {
    let list = state.open_spans.list();
    if !wants_html(&headers) {
        return text(&list).into_response();
    }
    let frame = Frame::served(View::Open);
    let more = list.len().saturating_sub(MAX_ROWS);
    let rows = list.into_iter().take(MAX_ROWS);
    let rows = state.look(|store| {
        rows.map(|span| Row {
            age: duration_text(span.age, true),
            kind: span.kind.map_or("", |kind| kind.name()),
            place: span
                .place
                .map_or_else(String::new, |place| place.to_string()),
            has_trace: store.trace(span.trace_id).is_some(),
            span,
        })
        .collect()
    });
    html(render(&OpenPage { frame, rows, more }), frame)
}

fn text(list: &[OpenSpanInfo]) -> String {
    let mut text = format!(
        "spans that are open now, the oldest first: {}\n",
        list.len()
    );
    for span in list {
        let _ = writeln!(text, "{}  {span}", span.service);
    }
    text
}

pub(super) async fn show_json(State(state): State<Arc<ServerState>>) -> Response {
    let list = state.open_spans.list();
    let spans = list.iter().map(OpenSpanJson::new).collect();
    json(StatusCode::OK, &Envelope::list(spans))
}

const MAX_ROWS: usize = 500;
