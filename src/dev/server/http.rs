//! The HTTP side of the embedded agent: a collector, a sampling server, and a viewer.
//!
//! It listens on loopback and answers only requests for a loopback name. A web page whose own name resolves to this
//! address (DNS rebinding) is refused for its `Host` header.

use std::fmt::Write as _;
use std::future::ready;
use std::io;
use std::net::{IpAddr, TcpListener};
use std::sync::Arc;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{DefaultBodyLimit, Path, Query, Request, State};
use axum::middleware::{Next, from_fn};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use http::uri::Authority;
use http::{HeaderMap, HeaderValue, StatusCode, header};
use serde::Serialize;
use tokio::runtime;
use tokio::sync::{Semaphore, oneshot};

use crate::dev::server::listener::BoundedListener;
use crate::dev::server::peer::{self, Identity};
use crate::dev::server::state::ServerState;
use crate::dev::store::TraceStore;
use crate::dev::store::trace::Trace;
use crate::dev::strategies::StrategyFile;
use crate::dev::view::json::{Envelope, TraceJson};
use crate::dev::view::open_json::OpenSpanJson;
use crate::dev::view::tree::Tree;
use crate::dev::view::waterfall::{Style, draw, summary};
use crate::model::TraceId;
use crate::thrift::decode_body;

/// The three sockets.
pub(crate) struct Listeners {
    pub(crate) collector: TcpListener,
    pub(crate) sampling: TcpListener,
    pub(crate) query: TcpListener,
}

/// Returns a function that serves until the other end of `stop` is dropped.
///
/// # Errors
///
/// Fails if the runtime cannot be made or cannot watch a socket.
pub(crate) fn server(
    listeners: Listeners,
    state: &Arc<ServerState>,
    strategies: Option<Arc<StrategyFile>>,
    identity: Identity,
    stop: oneshot::Receiver<()>,
) -> io::Result<impl FnOnce() + Send + 'static> {
    let runtime = runtime::Builder::new_current_thread()
        .enable_io()
        .enable_time()
        .build()?;
    let pairs = [
        (
            listeners.collector,
            collector(state.clone()).merge(strategies_at(&["/api/sampling"], strategies.clone())),
        ),
        (listeners.sampling, strategies_at(&SAMPLING, strategies)),
        (listeners.query, query(state.clone(), identity)),
    ];
    for (listener, router) in pairs {
        listener.set_nonblocking(true)?;
        let _context = runtime.enter();
        let listener = tokio::net::TcpListener::from_std(listener)?;
        let listener = BoundedListener::new(listener, Arc::new(Semaphore::new(CONNECTIONS)));
        let router = router.layer(from_fn(guard));
        runtime.spawn(async move {
            let _ = axum::serve(listener, router).await;
        });
    }
    Ok(move || {
        let _ = runtime.block_on(stop);
    })
}

/// Takes Thrift over HTTP, as a collector does at port 14268.
fn collector(state: Arc<ServerState>) -> Router {
    Router::new()
        .route("/api/traces", post(submit))
        .layer(DefaultBodyLimit::max(MAX_BODY))
        .with_state(state)
}

async fn submit(
    State(state): State<Arc<ServerState>>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let content_type = headers.get(header::CONTENT_TYPE);
    let content_type = content_type
        .and_then(|value| value.to_str().ok())
        .unwrap_or("");
    let media_type = content_type.split(';').next().unwrap_or("").trim();
    if media_type.is_empty() {
        return refuse("Cannot parse content type");
    }
    if !MEDIA_TYPES
        .iter()
        .any(|known| media_type.eq_ignore_ascii_case(known))
    {
        return refuse("Unsupported content type");
    }
    match decode_body(&body) {
        Ok(batch) => {
            state.insert(batch);
            StatusCode::ACCEPTED.into_response()
        }
        Err(error) => {
            state.count_undecodable();
            refuse(&format!("Unable to process request body: {error}"))
        }
    }
}

fn refuse(why: &str) -> Response {
    (StatusCode::BAD_REQUEST, format!("{why}\n")).into_response()
}

/// Answers with strategies at these paths.
fn strategies_at(paths: &[&str], strategies: Option<Arc<StrategyFile>>) -> Router {
    let router = Router::new();
    let router = paths
        .iter()
        .fold(router, |router, path| router.route(path, get(strategy)));
    router.with_state(strategies)
}

async fn strategy(
    State(strategies): State<Option<Arc<StrategyFile>>>,
    Query(parameters): Query<Vec<(String, String)>>,
) -> Response {
    let mut services = parameters.iter().filter(|(name, _)| name == "service");
    let (Some((_, service)), None) = (services.next(), services.next()) else {
        return refuse("'service' parameter must be provided once");
    };
    let answer = match strategies {
        Some(strategies) => strategies.answer(service).into(),
        None => KEEP_EVERYTHING.into(),
    };
    json_text(StatusCode::OK, answer)
}

/// Shows traces: Jaeger's JSON, and the picture.
fn query(state: Arc<ServerState>, identity: Identity) -> Router {
    let identity = move || ready(json(StatusCode::OK, &identity));
    Router::new()
        .route(peer::PATH, get(identity))
        .route("/", get(index))
        .route("/trace/{id}", get(page))
        .route("/api/traces/{id}", get(trace_json))
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

async fn trace_json(State(state): State<Arc<ServerState>>, Path(id): Path<String>) -> Response {
    match find(&state, &id) {
        Ok(trace) => json(StatusCode::OK, &Envelope::one(TraceJson::new(&trace))),
        Err(error) => error.into_response(),
    }
}

async fn page(
    state: State<Arc<ServerState>>,
    Path(id): Path<String>,
    Query(parameters): Query<Vec<(String, String)>>,
) -> Response {
    let wants_json = |(name, value): &(String, String)| name == "format" && value == "jaeger";
    if parameters.iter().any(wants_json) {
        return trace_json(state, Path(id)).await;
    }
    match find(&state, &id) {
        Ok(trace) => draw(&trace, &PAGE).into_response(),
        Err(error) => error.into_response(),
    }
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
            summary(&trace, &Tree::new(&trace), &PAGE)
        );
    }
    text.into_response()
}

fn find(state: &ServerState, id: &str) -> Result<Trace, NotFound> {
    let id = id.parse().map_err(|_| NotFound::NoId)?;
    let trace = state.look(|store| store.trace(id));
    trace.ok_or(NotFound::NoTrace(id))
}

/// Why there is no trace to show.
enum NotFound {
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
            Self::NoTrace(id) => (StatusCode::NOT_FOUND, "trace not found", Some(id)),
        };
        json(status, &Envelope::error(status.as_u16(), why, id))
    }
}

fn json(status: StatusCode, value: &impl Serialize) -> Response {
    match serde_json::to_vec(value) {
        Ok(text) => json_text(status, text.into()),
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

fn json_text(status: StatusCode, text: Body) -> Response {
    (status, [(header::CONTENT_TYPE, "application/json")], text).into_response()
}

/// Refuses requests that do not ask for a loopback name, and tells browsers to treat answers as data only.
async fn guard(request: Request, next: Next) -> Response {
    if !asks_for_loopback(&request) {
        let why = "the Host header must name the loopback interface\n";
        return (StatusCode::FORBIDDEN, why).into_response();
    }
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    for (name, value) in [
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::CONTENT_SECURITY_POLICY, "default-src 'none'"),
        (header::CACHE_CONTROL, "no-store"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    response
}

fn asks_for_loopback(request: &Request) -> bool {
    let mut hosts = request.headers().get_all(header::HOST).iter().peekable();
    let is_loopback = |authority: &Authority| {
        let host = authority.host();
        let address = host.trim_start_matches('[').trim_end_matches(']');
        let address = address.parse::<IpAddr>();
        host.eq_ignore_ascii_case("localhost") || address.is_ok_and(|address| address.is_loopback())
    };
    hosts.peek().is_some()
        && request.uri().authority().is_none_or(is_loopback)
        && hosts.all(|host| {
            let authority = Authority::try_from(host.as_bytes());
            authority.is_ok_and(|authority| is_loopback(&authority))
        })
}

/// The path at which an agent and a collector answer with strategies.
const SAMPLING: [&str; 3] = ["/sampling", "/", "/api/sampling"];
const MEDIA_TYPES: [&str; 2] = [
    "application/x-thrift",
    "application/vnd.apache.thrift.binary",
];
const KEEP_EVERYTHING: &str =
    r#"{"strategyType":"PROBABILISTIC","probabilisticSampling":{"samplingRate":1}}"#;

/// Twice as much as the Java client sends at a time.
const MAX_BODY: usize = 2 * 1024 * 1024;
/// How many connections a port has at a time. More of them wait.
const CONNECTIONS: usize = 32;
/// How many traces the front page lists.
const INDEX: usize = 50;
/// The page for a browser, which shows Unicode and no escape codes.
const PAGE: Style = Style {
    width: 140,
    unicode: true,
    color: false,
    bold: false,
    rows: 1_000,
};
