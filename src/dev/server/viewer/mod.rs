//! The viewer: pages for a browser, text for a terminal, and the JSON of Jaeger's query API.

pub(crate) mod answer;
mod open_json;
mod trace_page;

use std::fmt::Write as _;
use std::future::ready;
use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use http::StatusCode;

use crate::dev::server::peer::{self, Identity};
use crate::dev::server::state::ServerState;
use crate::dev::server::viewer::answer::json;
use crate::dev::server::viewer::open_json::OpenSpanJson;
use crate::dev::store::TraceStore;
use crate::view::json::Envelope;
use crate::view::tree::Tree;
use crate::view::waterfall::{Style, summary};

/// Returns the routes of the viewer.
pub(super) fn viewer(state: Arc<ServerState>, identity: Identity) -> Router {
    let identity = move || ready(json(StatusCode::OK, &identity));
    Router::new()
        .route(peer::PATH, get(identity))
        .route("/", get(index))
        .route("/trace/{id}", get(trace_page::show))
        .route("/api/traces/{id}", get(trace_page::show_json))
        .route("/api/services", get(services))
        .route("/open-spans", get(open_spans))
        .route("/api/open-spans", get(open_spans_json))
        .with_state(state)
}

async fn services(State(state): State<Arc<ServerState>>) -> Response {
    let names = state.look(TraceStore::services);
    json(StatusCode::OK, &Envelope::list(names))
}

async fn open_spans(State(state): State<Arc<ServerState>>) -> Response {
    let list = state.open_spans.list();
    let mut text = format!(
        "spans that are open now, the oldest first: {}\n",
        list.len()
    );
    for span in list {
        let _ = writeln!(text, "{}  {span}", span.service);
    }
    text.into_response()
}

async fn open_spans_json(State(state): State<Arc<ServerState>>) -> Response {
    let list = state.open_spans.list();
    let spans = list.iter().map(OpenSpanJson::new).collect();
    json(StatusCode::OK, &Envelope::list(spans))
}

async fn index(State(state): State<Arc<ServerState>>) -> Response {
    let newest = state.look(|store| {
        let ids = store.trace_ids().into_iter().rev().take(INDEX);
        ids.filter_map(|id| store.trace(id)).collect::<Vec<_>>()
    });
    let open = state.open_spans.len();
    let mut text = format!("spans open now: {open}, see /open-spans\n");
    text.push_str("traces received, the newest first:\n");
    for trace in newest {
        let id = trace.trace_id;
        let _ = writeln!(
            text,
            "/trace/{id}  {}",
            summary(&trace, &Tree::new(&trace), &TEXT)
        );
    }
    text.into_response()
}

/// How many traces the front page lists.
const INDEX: usize = 50;
/// The style of text over HTTP: Unicode, and no escape codes.
const TEXT: Style = Style {
    bold: false,
    rows: 1_000,
    ..Style::terminal(140, false)
};
