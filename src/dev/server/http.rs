//! The HTTP side of the embedded agent: a collector, a sampling server, and the viewer.
//!
//! It listens on loopback and answers only requests for a loopback name. A web page whose own name resolves to this
//! address (DNS rebinding) is refused for its `Host` header, and one that has another origin for its `Origin` or
//! `Sec-Fetch-Site`.

mod local_pages;

use std::io;
use std::net::{IpAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::{Query, Request, State};
use axum::middleware::{Next, from_fn, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use http::uri::Authority;
use http::{HeaderMap, HeaderValue, StatusCode, Uri, Version, header};
use tokio::runtime;
use tokio::sync::{Semaphore, oneshot};
use tokio::time::timeout;

use crate::dev::server::ingest;
use crate::dev::server::listener::BoundedListener;
use crate::dev::server::peer::Identity;
use crate::dev::server::state::ServerState;
use crate::dev::server::viewer::answer::json_text;
use crate::dev::server::viewer::viewer;
use crate::dev::strategies::ServedStrategies;

/// The sockets, by their use.
pub(crate) struct Listeners {
    pub(crate) ingest: Vec<TcpListener>,
    pub(crate) grpc: Vec<TcpListener>,
    pub(crate) sampling: TcpListener,
    pub(crate) query: Vec<TcpListener>,
}

/// The services of the sockets. Each refuses what comes from elsewhere.
pub(crate) struct Routers {
    pub(crate) ingest: Router,
    pub(crate) grpc: Router,
    pub(crate) sampling: Router,
    pub(crate) query: Router,
}

impl Routers {
    pub(crate) fn new(
        state: &Arc<ServerState>,
        strategies: Option<Arc<ServedStrategies>>,
        identity: Identity,
    ) -> Self {
        let grpc = grpc(state.clone(), strategies.clone());
        // Zipkin takes gRPC at the port that takes HTTP.
        let ingest = ingest::routes(state.clone())
            .merge(strategies_at(&["/api/sampling"], strategies.clone()))
            .layer(from_fn(local_pages::admit))
            .merge(grpc.clone());
        let guarded = |router: Router| {
            let turns = Turns {
                free: Arc::new(Semaphore::new(REQUESTS)),
                longest: LONGEST_TURN,
            };
            let router = router.layer(from_fn_with_state(turns, take_turn));
            router.layer(from_fn(guard))
        };
        Self {
            ingest: guarded(ingest),
            grpc: guarded(grpc),
            sampling: guarded(strategies_at(&SAMPLING, strategies)),
            query: guarded(viewer(state.clone(), identity)),
        }
    }
}

/// Returns a function that serves until the other end of `stop` is dropped.
///
/// # Errors
///
/// Fails if the runtime cannot be made or cannot watch a socket.
pub(crate) fn server(
    listeners: Listeners,
    state: &Arc<ServerState>,
    strategies: Option<Arc<ServedStrategies>>,
    identity: Identity,
    stop: oneshot::Receiver<()>,
) -> io::Result<impl FnOnce() + Send + 'static> {
    let runtime = runtime::Builder::new_current_thread()
        .enable_io()
        .enable_time()
        .build()?;
    let Routers {
        ingest,
        grpc,
        sampling,
        query,
    } = Routers::new(state, strategies, identity);
    let with = |listeners: Vec<TcpListener>, router: Router| {
        let pair = move |listener| (listener, router.clone());
        listeners.into_iter().map(pair)
    };
    let pairs = with(listeners.ingest, ingest)
        .chain(with(listeners.grpc, grpc))
        .chain(with(listeners.query, query))
        .chain([(listeners.sampling, sampling)]);
    for (listener, router) in pairs {
        listener.set_nonblocking(true)?;
        let _context = runtime.enter();
        let listener = tokio::net::TcpListener::from_std(listener)?;
        let listener = BoundedListener::new(listener, Arc::new(Semaphore::new(CONNECTIONS)));
        runtime.spawn(async move {
            let _ = axum::serve(listener, router).await;
        });
    }
    Ok(move || {
        let _ = runtime.block_on(stop);
    })
}

#[cfg(any(feature = "_grpc-receiver", all(tracehound_fuzz, feature = "tower")))]
use crate::dev::server::grpc::routes as grpc;

/// No port for gRPC is open.
#[cfg(not(any(feature = "_grpc-receiver", all(tracehound_fuzz, feature = "tower"))))]
fn grpc(_: Arc<ServerState>, _: Option<Arc<ServedStrategies>>) -> Router {
    Router::new()
}

fn refuse(why: &str) -> Response {
    (StatusCode::BAD_REQUEST, format!("{why}\n")).into_response()
}

/// Answers with strategies at these paths.
fn strategies_at(paths: &[&str], strategies: Option<Arc<ServedStrategies>>) -> Router {
    let router = Router::new();
    let router = paths
        .iter()
        .fold(router, |router, path| router.route(path, get(strategy)));
    router.with_state(strategies)
}

async fn strategy(
    State(strategies): State<Option<Arc<ServedStrategies>>>,
    Query(parameters): Query<Vec<(String, String)>>,
) -> Response {
    let mut services = parameters.iter().filter(|(name, _)| name == "service");
    let (Some((_, service)), None) = (services.next(), services.next()) else {
        return refuse("'service' parameter must be provided once");
    };
    let answer = ServedStrategies::answer_of(strategies.as_deref(), service);
    json_text(StatusCode::OK, answer.into_owned().into())
}

/// Refuses requests that do not ask for a loopback name or come from another page, and tells browsers to treat answers
/// as data only, unless an answer has a policy of its own.
async fn guard(request: Request, next: Next) -> Response {
    let forbidden = |why: &'static str| (StatusCode::FORBIDDEN, why).into_response();
    if !asks_for_loopback(&request) {
        return forbidden("the Host header must name the loopback interface\n");
    }
    if !comes_from_loopback(request.headers()) {
        return forbidden("the Origin header must name the loopback interface\n");
    }
    if is_part_of_foreign_page(request.headers()) {
        return forbidden("a page elsewhere may link to this server, but not use it\n");
    }
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    for (name, value) in [
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::CACHE_CONTROL, "no-store"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    headers
        .entry(header::CONTENT_SECURITY_POLICY)
        .or_insert(HeaderValue::from_static("default-src 'none'"));
    response
}

/// The turns of the requests to the ports of a kind.
#[derive(Clone)]
struct Turns {
    free: Arc<Semaphore>,
    /// A turn ends after this time, even if the body has not come by then.
    longest: Duration,
}

/// Waits until few enough other requests are worked on. Refuses a request that is not answered within its turn, so that
/// bodies that never end do not hold up the other requests.
async fn take_turn(State(turns): State<Turns>, request: Request, next: Next) -> Response {
    // It is never closed.
    let _turn = turns.free.acquire_owned().await;
    let answer = timeout(turns.longest, next.run(request)).await;
    answer.unwrap_or_else(|_| {
        let why = "the request was not complete in time\n";
        (StatusCode::REQUEST_TIMEOUT, why).into_response()
    })
}

fn asks_for_loopback(request: &Request) -> bool {
    // HTTP/2 has the host in the URI, and need not have the header.
    let mut hosts = request.headers().get_all(header::HOST).iter().peekable();
    let authority = request.uri().authority();
    let has_host =
        hosts.peek().is_some() || (request.version() == Version::HTTP_2 && authority.is_some());
    has_host
        && authority.is_none_or(is_loopback)
        && hosts.all(|host| {
            let authority = Authority::try_from(host.as_bytes());
            authority.is_ok_and(|authority| is_loopback(&authority))
        })
}

/// Returns whether a request is none of a page elsewhere. Browsers name the page with each request that could change
/// something or that another page may read; a file has the origin `null`.
fn comes_from_loopback(headers: &HeaderMap) -> bool {
    headers.get_all(header::ORIGIN).iter().all(|origin| {
        let uri = Uri::try_from(origin.as_bytes());
        uri.is_ok_and(|uri| uri.scheme().is_some() && uri.authority().is_some_and(is_loopback))
    })
}

/// Returns whether a page elsewhere loads something from here, as a picture for example: browsers send no `Origin` with
/// that. To follow a link is no such request.
fn is_part_of_foreign_page(headers: &HeaderMap) -> bool {
    let is = |name, value: &str| headers.get(name).is_some_and(|found| found == value);
    is("sec-fetch-site", "cross-site")
        && !is("sec-fetch-mode", "navigate")
        && !headers.contains_key(header::ORIGIN)
}

fn is_loopback(authority: &Authority) -> bool {
    let host = authority.host();
    let address = host.trim_start_matches('[').trim_end_matches(']');
    let address = address.parse::<IpAddr>();
    host.eq_ignore_ascii_case("localhost") || address.is_ok_and(|address| address.is_loopback())
}

/// The path at which an agent and a collector answer with strategies.
const SAMPLING: [&str; 3] = ["/sampling", "/", "/api/sampling"];

/// A port has at most this number of connections at a time. More of them wait. Each service that sends spans by requests
/// keeps one open, so there are more than programs of a developer.
const CONNECTIONS: usize = 100;
/// The ports of a kind work on at most this number of requests at a time. Each may have a body in memory.
const REQUESTS: usize = 32;
/// A program on this machine sends the largest body within a small part of this time.
const LONGEST_TURN: Duration = Duration::from_secs(30);

#[cfg(all(test, feature = "tower"))]
mod tests {
    use std::convert::Infallible;

    use axum::body::{Body, Bytes};
    use axum::routing::post;
    use futures_util::stream;
    use tower_service::Service;

    use super::*;
    use crate::decode::ReceivedBatch;
    use crate::dev::store::{StoreLimits, TraceStore};
    use crate::reporter::sender::BatchFormat;
    use crate::view::fixtures::{span, trace};

    #[tokio::test]
    async fn nothing_is_looked_through_while_the_store_is_locked() {
        let limits = StoreLimits {
            traces: 10,
            bytes: 1 << 20,
        };
        let address = ([127, 0, 0, 1], 1).into();
        let state = Arc::new(ServerState::new(
            TraceStore::new(limits),
            None,
            None,
            address,
            address,
        ));
        let held = trace([
            span("shop", "checkout", 1, 0, 9),
            span("pay", "charge", 2, 1, 8).child_of(1),
        ]);
        state.insert(held.spans.iter().map(|received| {
            let process = crate::model::Process::clone(&received.process);
            ReceivedBatch::new(BatchFormat::Compact, process, vec![received.span.clone()])
        }));
        let mut viewer = Routers::new(&state, None, Identity::new(address, None)).query;
        let id = held.trace_id;
        for path in [
            "/?service=shop&operation=checkout",
            "/live?service=shop",
            "/graph",
            &format!("/compare?a={id}&b={id}"),
            "/api/services",
            "/api/operations?service=shop",
            "/api/services/shop/operations",
            "/api/traces?service=shop",
            "/api/dependencies",
            "/api/v3/services",
            "/api/v3/operations?service=shop",
        ] {
            let request = Request::builder()
                .uri(path)
                .header(header::HOST, "localhost")
                .header(header::ACCEPT, "text/html")
                .body(Body::empty())
                .expect("a request");
            // A look while the store is locked would panic here.
            let Ok(answer) = viewer.call(request).await;
            assert_eq!(answer.status(), StatusCode::OK, "{path}");
        }
    }
    #[tokio::test]
    async fn a_body_that_never_ends_gives_its_turn_back() {
        let turns = Turns {
            free: Arc::new(Semaphore::new(1)),
            longest: Duration::from_millis(5),
        };
        let router = Router::new().route("/", post(|_: Bytes| async {}));
        let mut router = router.layer(from_fn_with_state(turns, take_turn));
        // The second one waits for the turn of the first.
        for _ in 0..2 {
            let body = Body::from_stream(stream::pending::<Result<Bytes, Infallible>>());
            let request = Request::post("/").body(body).expect("a request");
            let answer = timeout(Duration::from_secs(60), router.call(request)).await;
            let Ok(answer) = answer.expect("the turn came back");
            assert_eq!(answer.status(), StatusCode::REQUEST_TIMEOUT);
        }
    }
}
