//! `/live`: the traces as they come, by server-sent events.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use askama::Template;
use axum::extract::{Query, State};
use axum::response::sse::{Event, Sse};
use axum::response::{IntoResponse, Response};
use futures_core::Stream;
use http::{HeaderMap, StatusCode};
use tokio::sync::mpsc;
use tokio::time::{sleep, timeout};

use crate::clock::instant_now;
use crate::dev::server::state::ServerState;
use crate::dev::server::viewer::answer::html;
use crate::dev::server::viewer::filter::Filter;
use crate::dev::server::viewer::search::Form;
use crate::dev::store::TraceStore;
use crate::view::page::frame::{Frame, View};
use crate::view::page::render;

/// The page that shows traces as they come. Its script asks for the events.
#[derive(Template)]
#[template(path = "live.html")]
struct LivePage {
    frame: Frame,
    form: Form,
}

pub(super) async fn show(
    State(state): State<Arc<ServerState>>,
    Query(parameters): Query<Vec<(String, String)>>,
) -> Response {
    let frame = Frame::served(View::Live);
    let traces = state.look(TraceStore::traces);
    let form = Form::new(&traces, parameters);
    html(render(&LivePage { frame, form }), frame)
}

/// Answers with an event for each moment at which traces have got spans: a JSON array of their summaries. The
/// parameters are those of the search.
pub(super) async fn events(
    State(state): State<Arc<ServerState>>,
    Query(parameters): Query<Vec<(String, String)>>,
    headers: HeaderMap,
) -> Response {
    let filter = match Filter::new(&parameters, EVENT_LIMIT) {
        Ok(filter) => filter,
        Err(problem) => return (StatusCode::BAD_REQUEST, problem + "\n").into_response(),
    };
    // A browser whose connection broke says how far it had come.
    let last = headers.get("last-event-id").and_then(|id| id.to_str().ok());
    let since = last.and_then(|id| id.parse().ok());
    let since = since.unwrap_or_else(|| state.look(|store| store.changes()));
    let (sender, events) = mpsc::channel(1);
    tokio::spawn(feed(state, filter, since, sender));
    Sse::new(Events(events)).into_response()
}

/// Sends events until the browser has left.
async fn feed(state: Arc<ServerState>, filter: Filter, mut since: u64, out: mpsc::Sender<Event>) {
    let mut changes = state.changes();
    let mut last_event = instant_now();
    // Spans may come without end that this browser does not ask for.
    while !out.is_closed() {
        let (changed, latest) = state.look(|store| (store.changed_since(since), store.changes()));
        since = latest;
        let newest = changed.iter().rev().filter_map(|trace| filter.fit(trace));
        let news: Vec<_> = newest.take(filter.limit).collect();
        let text = serde_json::to_string(&news).unwrap_or_default();
        let event = Event::default().id(since.to_string()).data(text);
        let now = instant_now();
        if !news.is_empty() {
            last_event = now;
            let _ = out.send(event).await;
        } else if now.saturating_duration_since(last_event) >= KEEP_ALIVE {
            last_event = now;
            let _ = out.send(Event::default().comment("")).await;
        }
        // Spans come in bursts: an event tells of all that came meanwhile.
        sleep(PACE).await;
        while timeout(KEEP_ALIVE, changes.changed()).await.is_err() {
            // A comment keeps the connection open, and tells whether the other end is still there.
            if out.send(Event::default().comment("")).await.is_err() {
                return;
            }
        }
    }
}

/// The events of a channel as a stream.
struct Events(mpsc::Receiver<Event>);

impl Stream for Events {
    type Item = Result<Event, Infallible>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.0.poll_recv(context).map(|event| event.map(Ok))
    }
}

/// The least time between two events of a connection.
const PACE: Duration = Duration::from_millis(250);
/// Less than the silence after which the server closes a connection.
const KEEP_ALIVE: Duration = Duration::from_secs(10);
/// The most traces that an event tells of, the newest first.
const EVENT_LIMIT: usize = 100;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dev::store::{StoreLimits, TraceStore};

    #[test]
    fn events_end_with_their_browser_even_while_spans_come() {
        let limits = StoreLimits {
            traces: 1,
            bytes: 1,
        };
        let nowhere = ([127, 0, 0, 1], 0).into();
        let state = ServerState::new(TraceStore::new(limits), None, None, nowhere, nowhere);
        let state = Arc::new(state);
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .build()
            .expect("a runtime");
        let ended = runtime.block_on(async {
            let busy = state.clone();
            tokio::spawn(async move {
                loop {
                    busy.count_undecodable();
                    sleep(Duration::from_millis(5)).await;
                }
            });
            let (out, events) = mpsc::channel(1);
            drop(events);
            let feed = feed(state, Filter::default(), 0, out);
            timeout(3 * KEEP_ALIVE, feed).await
        });
        assert!(ended.is_ok());
    }
}
