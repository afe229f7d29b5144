//! Tests of the events of a client's connections, over loopback.

use std::collections::HashSet;
use std::fmt;
use std::future::{pending, ready};
use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::ConnectInfo;
use axum::routing::get as route;
use bytes::Bytes;
use http::{Request, Response, Uri};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::dns::Name;
use hyper_util::client::legacy::connect::{Connect, HttpConnector};
use hyper_util::rt::{TokioExecutor, TokioIo};
use reqwest_middleware::{ClientBuilder, ClientWithMiddleware};
use tokio::net::TcpStream;
use tokio::sync::{Semaphore, oneshot};
use tower::util::BoxCloneSyncService;
use tower::{BoxError, Service, ServiceExt, service_fn};
use tracehound::JaegerTracer;
use tracehound::middleware::{
    ClientLayer, ConnectionEvents, SystemResolver, TracedBody, TracingMiddleware,
};
use tracehound::reporter::OwnedSpan;
use tracehound::sampler::ConstSampler;

use crate::closed_port::closed_port;
use crate::support::web::{
    events, get, listener, log_field, one_span, reqwest_builder, run, serve, spans, until,
};
use crate::support::{log_texts, recording_builder, recording_tracer};

/// Returns a server that answers with the port of the caller, by which connections can be told apart.
async fn server() -> SocketAddr {
    let port = |ConnectInfo(peer): ConnectInfo<SocketAddr>| async move { peer.port().to_string() };
    let app = Router::new().route("/", route(port));
    let app = app.into_make_service_with_connect_info::<SocketAddr>();
    let (listener, address) = listener().await;
    tokio::spawn(async move { axum::serve(listener, app).await });
    address
}

/// A client of hyper-util whose connector has events.
type HyperClient = BoxCloneSyncService<
    Request<Full<Bytes>>,
    Response<TracedBody<Incoming>>,
    hyper_util::client::legacy::Error,
>;

fn client_of(
    tracer: &JaegerTracer,
    events: &ConnectionEvents,
    connector: impl Connect + Clone + Send + Sync + 'static,
) -> HyperClient {
    let client = Client::builder(TokioExecutor::new()).build(connector);
    let layer = ClientLayer::new(tracer.clone());
    let client = layer.connection_events(events.clone()).wrap(client);
    BoxCloneSyncService::new(client)
}

/// Returns a client that asks `resolve` for addresses.
fn resolving<F>(
    tracer: &JaegerTracer,
    resolve: impl Fn() -> F + Clone + Send + Sync + 'static,
) -> HyperClient
where
    F: Future<Output = io::Result<Vec<SocketAddr>>> + Send + 'static,
{
    let events = ConnectionEvents::new();
    let resolver = service_fn(move |_: Name| {
        let addresses = resolve();
        async { Ok::<_, io::Error>(addresses.await?.into_iter()) }
    });
    let connector = HttpConnector::new_with_resolver(events.resolver(resolver));
    client_of(tracer, &events, events.wrap(connector))
}

async fn text(response: Response<TracedBody<Incoming>>) -> String {
    let body = response.into_body().collect().await.expect("a body");
    String::from_utf8(body.to_bytes().to_vec()).expect("text")
}

/// Returns the events that tell of the connection.
fn connecting(span: &OwnedSpan) -> Vec<String> {
    let events = events(span).into_iter();
    let is_of_connection = |event: &String| {
        ["DNS", "Connect", "TLS"]
            .iter()
            .any(|start| event.starts_with(start))
    };
    events.filter(is_of_connection).collect()
}

#[test]
pub(in crate::middleware) fn the_first_request_of_a_connection_logs_how_it_was_made() {
    run(async {
        let (tracer, reporter) = recording_tracer();
        let address = server().await;
        let client = resolving(&tracer, move || ready(Ok(vec![address])));
        let uri = format!("http://shop.example:{}/", address.port());
        let response = client.oneshot(get(&uri)).await.expect("an answer");
        text(response).await;
        let span = one_span(&reporter).await;
        let expected = ["ConnectStart", "DNSStart", "DNSDone", "ConnectDone"];
        assert_eq!(connecting(&span), expected);
        let rows = [
            ("DNSStart", "host", "shop.example".to_owned()),
            ("DNSDone", "addr", "127.0.0.1".to_owned()),
            ("ConnectStart", "network", "tcp".to_owned()),
            (
                "ConnectStart",
                "addr",
                format!("shop.example:{}", address.port()),
            ),
            ("ConnectDone", "network", "tcp".to_owned()),
            ("ConnectDone", "addr", address.to_string()),
        ];
        for (event, key, value) in rows {
            assert_eq!(log_field(&span, event, key), Some(value), "{event} {key}");
        }
        assert_eq!(span.tag_text("net/http.reused"), "false");
    });
}

#[test]
fn every_address_of_a_name_is_logged_up_to_sixteen() {
    run(async {
        for (count, expected) in [(3, 3), (40, 16)] {
            let (tracer, reporter) = recording_tracer();
            let address = server().await;
            let client = resolving(&tracer, move || ready(Ok(vec![address; count])));
            let uri = format!("http://shop:{}/", address.port());
            drop(client.oneshot(get(&uri)).await.expect("an answer"));
            let span = one_span(&reporter).await;
            let logs = span.logs.iter().map(log_texts);
            let mut done = logs.filter(|fields| fields[0] == "event=DNSDone");
            let done = done.next_back().expect("a look-up");
            assert_eq!(done[1..], vec!["addr=127.0.0.1"; expected]);
        }
    });
}

/// Sends requests until one has used a connection of an earlier one, and checks that each span knows.
async fn check_reuse<F>(send: impl Fn() -> F, reporter: &tracehound::reporter::InMemoryReporter)
where
    F: Future<Output = String>,
{
    let (mut ports, mut sent) = (HashSet::new(), 0);
    loop {
        let is_new = ports.insert(send().await);
        sent += 1;
        let span = spans(reporter, sent).await.pop().expect("a span");
        let reused = span.tag_text("net/http.reused");
        assert_eq!(reused, (!is_new).to_string(), "request {sent}");
        if is_new {
            assert!(connecting(&span).contains(&"ConnectDone".to_owned()));
        } else {
            return;
        }
        assert!(sent < 1_000, "no connection is used again");
    }
}

#[test]
pub(in crate::middleware) fn a_span_tells_whether_its_connection_was_used_before() {
    run(async {
        let (tracer, reporter) = recording_tracer();
        let address = server().await;
        let client = resolving(&tracer, move || ready(Ok(vec![address])));
        let send = || async {
            let request = get(format!("http://shop:{}/", address.port()));
            text(client.clone().oneshot(request).await.expect("an answer")).await
        };
        check_reuse(send, &reporter).await;
    });
}

fn reqwest_client(tracer: &JaegerTracer) -> ClientWithMiddleware {
    let events = ConnectionEvents::new();
    let client = reqwest_builder()
        .connector_layer(events.clone())
        .dns_resolver(events.resolver(SystemResolver::new()))
        .build()
        .expect("a client");
    let tracing = TracingMiddleware::new(tracer.clone()).connection_events(events);
    ClientBuilder::new(client).with(tracing).build()
}

#[test]
fn a_request_of_reqwest_logs_its_look_up_and_its_connection() {
    run(async {
        let (tracer, reporter) = recording_tracer();
        let address = server().await;
        let client = reqwest_client(&tracer);
        let url = format!("http://localhost:{}/", address.port());
        let send = || async {
            let response = client.get(&url).send().await.expect("an answer");
            response.text().await.expect("a body")
        };
        check_reuse(send, &reporter).await;
        let span = reporter.spans().remove(0);
        let expected = ["ConnectStart", "DNSStart", "DNSDone", "ConnectDone"];
        assert_eq!(connecting(&span), expected);
        assert_eq!(
            log_field(&span, "DNSStart", "host").as_deref(),
            Some("localhost")
        );
        let peer = log_field(&span, "ConnectDone", "addr");
        assert_eq!(peer, Some(address.to_string()));
    });
}

#[test]
fn a_connection_that_fails_is_logged_with_its_error() {
    run(async {
        let (tracer, reporter) = recording_tracer();
        let (_socket, address) = closed_port();
        let client = resolving(&tracer, move || ready(Ok(vec![address])));
        let uri = format!("http://shop:{}/?token=canary", address.port());
        let failed = client.oneshot(get(&uri)).await;
        drop(failed.map(drop).expect_err("refused"));
        let url = format!("http://canary:canary@{address}/?token=canary");
        let failed = reqwest_client(&tracer).get(url).send().await;
        failed.expect_err("refused");
        for span in spans(&reporter, 2).await {
            let message = log_field(&span, "error", "message");
            assert_eq!(message.as_deref(), Some("ConnectDone"));
            let error = log_field(&span, "error", "error.object").expect("an error");
            assert!(error.contains("onnect"), "{error}");
            assert!(!connecting(&span).contains(&"ConnectDone".to_owned()));
            assert_eq!(span.tag_text("net/http.reused"), "");
            assert!(!format!("{span:?}").contains("canary"), "{span:?}");
        }
        let hyper = &reporter.spans()[0];
        let target = log_field(hyper, "error", "addr");
        assert_eq!(target, Some(format!("shop:{}", address.port())));
    });
}

#[test]
pub(in crate::middleware) fn a_look_up_that_fails_is_logged_without_secrets() {
    run(async {
        let (tracer, reporter) = recording_tracer();
        let client = resolving(&tracer, || {
            let text = "cannot ask http://canary:canary@dns/?key=canary";
            ready(Err(io::Error::other(text)))
        });
        let failed = client.oneshot(get("http://shop.example/")).await;
        failed.map(drop).expect_err("no address");
        let span = one_span(&reporter).await;
        let error = log_field(&span, "DNSDone", "error.object");
        assert_eq!(error.as_deref(), Some("cannot ask http://dns/?key="));
        assert!(!format!("{span:?}").contains("canary"), "{span:?}");
    });
}

#[test]
fn a_request_that_is_dropped_while_it_connects_has_no_end_of_it() {
    run(async {
        let (tracer, reporter) = recording_tracer();
        let (asked, is_asked) = oneshot::channel();
        let asked = Arc::new(Mutex::new(Some(asked)));
        let client = resolving(&tracer, move || {
            asked
                .lock()
                .unwrap()
                .take()
                .expect("asked once")
                .send(())
                .expect("a test");
            pending()
        });
        let request = tokio::spawn(client.oneshot(get("http://shop/")));
        is_asked.await.expect("a look-up");
        request.abort();
        let span = one_span(&reporter).await;
        assert_eq!(connecting(&span), ["ConnectStart", "DNSStart"]);
        assert_eq!(span.tag_text("http.cancelled"), "true");
    });
}

#[test]
fn a_connection_that_is_made_in_the_background_belongs_to_a_later_request() {
    run(async {
        let (tracer, reporter) = recording_tracer();
        // A request to `/slow` is answered when it may be.
        let answers = Arc::new(Semaphore::new(0));
        let may_answer = answers.clone();
        let slow = move || async move { may_answer.acquire().await.expect("open").forget() };
        let app = Router::new()
            .route("/", route(|| async {}))
            .route("/slow", route(slow));
        let address = serve(app).await;
        // So is the look-up of every connection.
        let look_ups = Arc::new(Semaphore::new(1));
        let (may_look_up, asked) = (look_ups.clone(), Arc::new(AtomicUsize::new(0)));
        let asks = asked.clone();
        let client = resolving(&tracer, move || {
            asks.fetch_add(1, Ordering::Relaxed);
            let may_look_up = may_look_up.clone();
            async move {
                may_look_up.acquire().await.expect("open").forget();
                Ok(vec![address])
            }
        });
        let send = |path: &str| {
            let request = get(format!("http://shop:{}{path}", address.port()));
            let sent = client.clone().oneshot(request);
            tokio::spawn(async { text(sent.await.expect("an answer")).await })
        };
        let has_asked = async |times| {
            let asked = || asked.load(Ordering::Relaxed) == times;
            until("a look-up", || asked().then_some(())).await;
        };
        let first = send("/slow");
        has_asked(1).await;
        // No connection is idle, so the second request asks for one. Then it gets the first one.
        let second = send("/");
        has_asked(2).await;
        answers.add_permits(1);
        first.await.expect("no panic");
        second.await.expect("no panic");
        look_ups.add_permits(100);
        let mut found = spans(&reporter, 2).await;
        found.sort_by_key(|span| span.tag_text("net/http.reused").into_owned());
        let reused = found.iter().map(|span| span.tag_text("net/http.reused"));
        assert_eq!(reused.collect::<Vec<_>>(), ["false", "true"]);
        assert!(found[0].tag_text("http.url").ends_with("/slow"));
        assert_eq!(connecting(&found[1]), ["ConnectStart", "DNSStart"]);
    });
}

/// Returns a connector that adds a handshake to another one: it fails for the host `127.0.0.2`.
fn tls<S>(inner: S) -> BoxCloneSyncService<Uri, TokioIo<TcpStream>, BoxError>
where
    S: Service<Uri, Response = TokioIo<TcpStream>, Error: Into<BoxError>, Future: Send>
        + Clone
        + Send
        + Sync
        + 'static,
{
    BoxCloneSyncService::new(service_fn(move |uri: Uri| {
        let inner = inner.clone();
        async move {
            let fails = uri.host() == Some("127.0.0.2");
            let connection = inner.oneshot(uri).await.map_err(Into::into)?;
            match fails {
                true => Err("unknown authority http://canary:canary@ca/".into()),
                false => Ok(connection),
            }
        }
    }))
}

#[test]
pub(in crate::middleware) fn a_handshake_is_told_from_the_connection() {
    run(async {
        let address = server().await;
        let tcp = ["ConnectStart", "ConnectDone"];
        let rows = [
            ("http", "127.0.0.1", &tcp[..]),
            (
                "https",
                "127.0.0.1",
                &[
                    "ConnectStart",
                    "ConnectDone",
                    "TLSHandshakeStart",
                    "TLSHandshakeDone",
                ],
            ),
            (
                "https",
                "127.0.0.2",
                &["ConnectStart", "ConnectDone", "TLSHandshakeStart"],
            ),
            ("http", "127.0.0.2", &tcp),
        ];
        for (scheme, host, expected) in rows {
            let row = format!("{scheme} {host}");
            let (tracer, reporter) = recording_tracer();
            let events = ConnectionEvents::new();
            let connect = service_fn(move |_: Uri| async move {
                TcpStream::connect(address).await.map(TokioIo::new)
            });
            let connector = events.wrap_tls(tls(events.wrap(connect)));
            let client = client_of(&tracer, &events, connector);
            let uri = format!("{scheme}://{host}:{}/", address.port());
            let answer = client.oneshot(get(&uri)).await;
            assert_eq!(answer.is_ok(), host == "127.0.0.1", "{row}");
            drop(answer);
            let span = one_span(&reporter).await;
            assert_eq!(connecting(&span), expected, "{row}");
            let message = log_field(&span, "error", "message");
            let has_failed = message.as_deref() == Some("TLSHandshakeDone");
            assert_eq!(has_failed, row == "https 127.0.0.2", "{row}: {message:?}");
            assert!(!format!("{span:?}").contains("canary"), "{span:?}");
        }
    });
}

#[test]
fn requests_whose_spans_are_not_kept_log_nothing() {
    run(async {
        let address = server().await;
        let (builder, reporter) = recording_builder();
        let unsampled = builder.sampler(ConstSampler::new(false)).build();
        for tracer in [unsampled.expect("named"), JaegerTracer::disabled()] {
            let client = resolving(&tracer, move || ready(Ok(vec![address])));
            let request = get(format!("http://shop:{}/", address.port()));
            text(client.oneshot(request).await.expect("an answer")).await;
            assert!(reporter.spans().is_empty());
        }
    });
}

/// An error whose text cannot be had.
#[derive(Debug)]
struct Panics;

impl fmt::Display for Panics {
    fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
        panic!("in an error")
    }
}

#[test]
fn an_error_that_panics_is_not_logged() {
    run(async {
        let (tracer, reporter) = recording_tracer();
        let span = tracehound::prelude::TracerExt::start_active_span(&tracer, "request");
        let failing = service_fn(|_: Uri| ready(Err::<TokioIo<TcpStream>, _>(Panics)));
        let events = ConnectionEvents::new();
        let failed = events
            .wrap(failing)
            .oneshot(Uri::from_static("http://shop/"))
            .await;
        failed.expect_err("failed");
        let resolver =
            service_fn(|_: Name| ready(Err::<std::vec::IntoIter<SocketAddr>, _>(Panics)));
        let name = "shop".parse::<Name>().expect("a name");
        let failed = events.resolver(resolver).oneshot(name).await;
        failed.expect_err("failed");
        span.finish();
        let span = one_span(&reporter).await;
        assert_eq!(connecting(&span), ["ConnectStart", "DNSStart"]);
    });
}
