//! The viewer: pages for a browser, text for a terminal, and tools for language models.
//!
//! Each view has a file here and a template. The server draws every view but two, which the script of the page draws:
//! the trace itself, since its rows come and go as it is scrolled, and the live view.

pub(crate) mod answer;
mod calendar;
mod compare;
pub(super) mod filter;
mod graph;
mod live;
pub(crate) mod mcp;
mod open_json;
mod open_page;
mod picture;
mod search;
mod summary;
mod trace_page;

use std::fmt::Write as _;
use std::future::ready;
use std::sync::Arc;

use axum::Router;
use axum::routing::get;
use http::StatusCode;

use crate::dev::server::peer::{self, Identity};
use crate::dev::server::query;
use crate::dev::server::state::ServerState;
use crate::dev::server::viewer::answer::json;
use crate::view::tree::Tree;
use crate::view::waterfall::{Style, summary};

/// Returns the routes of the viewer.
pub(super) fn viewer(state: Arc<ServerState>, identity: Identity) -> Router {
    let identity = move || ready(json(StatusCode::OK, &identity));
    Router::new()
        .route(peer::PATH, get(identity))
        .route("/", get(search::show))
        // Links to a Jaeger lead here and to the graph by other names.
        .route("/search", get(search::show))
        .route("/live", get(live::show))
        .route("/graph", get(graph::show))
        .route("/dependencies", get(graph::show))
        .route("/compare", get(compare::show))
        .route("/open-spans", get(open_page::show))
        .route("/trace/{id}", get(trace_page::show))
        .route("/api/live", get(live::events))
        .route("/api/open-spans", get(open_page::show_json))
        .merge(mcp::routes())
        .with_state(state.clone())
        .merge(query::routes(state))
}

/// Returns the newest traces, a line for each, for a client that is no browser.
fn list(state: &ServerState) -> String {
    let newest = state.look(|store| {
        let ids = store.trace_ids().into_iter().rev().take(LISTED);
        ids.filter_map(|id| store.trace(id)).collect::<Vec<_>>()
    });
    let open = state.open_spans.len();
    let mut text = format!("spans open now: {open}, see /open-spans\n");
    text.push_str("traces received, the newest first:\n");
    for trace in newest {
        let id = trace.trace_id;
        let line = summary(&trace, &Tree::new(&trace), &TEXT);
        let _ = writeln!(text, "/trace/{id}  {line}");
    }
    text
}

/// The number of traces in the list.
const LISTED: usize = 50;
/// The style of text over HTTP: Unicode, and no escape codes.
const TEXT: Style = Style {
    bold: false,
    rows: 1_000,
    ..Style::terminal(140, false)
};
