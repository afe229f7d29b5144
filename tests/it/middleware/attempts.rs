//! Tests of the numbers of redirects and retries, over loopback.

use std::convert::Infallible;
use std::future::pending;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::Router;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use axum::routing::get as route;
use bytes::Bytes;
use futures_util::future::join;
use http::{Extensions, Request, StatusCode};
use http_body_util::{BodyExt, Empty, Full};
use reqwest::redirect::Policy;
use reqwest_middleware::{ClientBuilder, ClientWithMiddleware, Middleware, Next};
use tokio::sync::oneshot;
use tower::retry::RetryLayer;
use tower::{Layer, ServiceBuilder, ServiceExt, service_fn};
use tower_http::follow_redirect::FollowRedirectLayer;
use tracehound::JaegerTracer;
use tracehound::middleware::{CallLayer, CallMiddleware, ClientLayer, TracingMiddleware};
use tracehound::model::TagNames;
use tracehound::reporter::{InMemoryReporter, OwnedSpan};

use super::client::Again;
use crate::closed_port::closed_port;
use crate::support::web::{
    client, events, get, one_span, reply, reqwest_builder, run, serve, spans,
};
use crate::support::{recording_builder, recording_tracer};

/// Returns the URL of a server that answers `/1/2/x` once with 503 and twice with a redirect, which holds a secret.
async fn server() -> String {
    async fn answer(
        State(seen): State<Arc<AtomicUsize>>,
        Path((fails, hops)): Path<(usize, usize)>,
    ) -> Response {
        if seen.fetch_add(1, Ordering::Relaxed) < fails {
            return StatusCode::SERVICE_UNAVAILABLE.into_response();
        }
        match hops.checked_sub(1) {
            Some(rest) => {
                let location = format!("/0/{rest}?token=canary");
                (StatusCode::FOUND, [("location", location)]).into_response()
            }
            None => "the end".into_response(),
        }
    }
    let app = Router::new().route("/{fails}/{hops}", route(answer));
    format!("http://{}", serve(app.with_state(Arc::default())).await)
}

/// Sends a request through layers that retry and follow redirects.
async fn send(tracer: &JaegerTracer, url: String) {
    let client = ServiceBuilder::new()
        .layer(CallLayer::new(tracer.clone()))
        .layer(FollowRedirectLayer::new())
        .layer(RetryLayer::new(Again))
        .layer(ClientLayer::new(tracer.clone()))
        .service(client());
    let response = client.oneshot(get(url)).await.expect("an answer");
    let body = response.into_body().collect().await.expect("a body");
    assert_eq!(body.to_bytes(), "the end");
}

/// A middleware that sends a request again while it is answered by 503, and follows redirects.
struct Patient;

#[async_trait::async_trait]
impl Middleware for Patient {
    async fn handle(
        &self,
        mut request: reqwest::Request,
        extensions: &mut Extensions,
        next: Next<'_>,
    ) -> reqwest_middleware::Result<reqwest::Response> {
        loop {
            let copy = request.try_clone().expect("no body");
            let response = next.clone().run(copy, extensions).await?;
            if let Some(location) = response.headers().get("location") {
                let location = location.to_str().expect("text");
                *request.url_mut() = response.url().join(location).expect("a URL");
            } else if response.status() != StatusCode::SERVICE_UNAVAILABLE {
                return Ok(response);
            }
        }
    }
}

fn reqwest_client(tracer: &JaegerTracer, redirects: Policy) -> ClientBuilder {
    let client = reqwest_builder().redirect(redirects).build();
    let builder = ClientBuilder::new(client.expect("a client"));
    builder
        .with(CallMiddleware::new(tracer.clone()))
        .with(Patient)
}

async fn send_by_reqwest(tracer: &JaegerTracer, url: String) {
    let client: ClientWithMiddleware = reqwest_client(tracer, Policy::none())
        .with(TracingMiddleware::new(tracer.clone()))
        .build();
    let response = client.get(url).send().await.expect("an answer");
    assert_eq!(response.text().await.expect("a body"), "the end");
}

fn numbers(span: &OwnedSpan) -> [String; 2] {
    ["http.resend_count", "http.redirects"].map(|key| span.tag_text(key).into_owned())
}

/// Returns the span of the only call and those of its attempts, in order.
async fn call_of(reporter: &InMemoryReporter, attempts: usize) -> (OwnedSpan, Vec<OwnedSpan>) {
    let spans = spans(reporter, attempts + 1).await;
    let is_call = |span: &OwnedSpan| span.tag_text("span.kind").is_empty();
    let (mut calls, mut attempts): (Vec<_>, Vec<_>) = spans.into_iter().partition(is_call);
    assert_eq!(calls.len(), 1, "{calls:#?}");
    attempts.sort_by_key(|span| span.start);
    (calls.remove(0), attempts)
}

#[test]
pub(in crate::middleware) fn each_attempt_of_a_call_has_a_span_with_its_number() {
    run(async {
        let statuses = ["503", "302", "302", "200"];
        let expected = [["", ""], ["1", ""], ["2", "1"], ["3", "2"]];
        for is_reqwest in [false, true] {
            let (tracer, reporter) = recording_tracer();
            let url = format!("{}/1/2?token=canary", server().await);
            match is_reqwest {
                true => send_by_reqwest(&tracer, url).await,
                false => send(&tracer, url).await,
            }
            let (call, attempts) = call_of(&reporter, 4).await;
            let found: Vec<_> = attempts.iter().map(numbers).collect();
            assert_eq!(found, expected, "{is_reqwest}");
            for (attempt, status) in attempts.iter().zip(statuses) {
                assert_eq!(attempt.tag_text("http.status_code"), status);
                assert_eq!(attempt.tag_text("span.kind"), "client");
                assert_eq!(attempt.parent_id, Some(call.span_id));
            }
            assert_eq!(call.parent_id, None);
            assert_eq!(numbers(&call), ["3", "2"]);
            let rows = [
                ("http.method", "GET"),
                ("http.status_code", "200"),
                ("component", if is_reqwest { "reqwest" } else { "tower" }),
                ("peer.address", ""),
            ];
            for (key, value) in rows {
                assert_eq!(call.tag_text(key), value, "{key}");
            }
            assert!(call.tag_text("http.url").ends_with("/1/2?token="));
            let all = format!("{call:?} {attempts:?}");
            assert!(!all.contains("canary"), "{all}");
        }
    });
}

#[test]
pub(in crate::middleware) fn attempts_are_numbered_by_the_name_of_opentelemetry_if_the_tracer_says_so()
 {
    run(async {
        let (builder, reporter) = recording_builder();
        let builder = builder.tag_names(TagNames::OpenTelemetry);
        let tracer = builder.build().expect("named");
        send(&tracer, format!("{}/1/0", server().await)).await;
        let (call, attempts) = call_of(&reporter, 2).await;
        for span in [&call, &attempts[1]] {
            assert_eq!(span.tag_text("http.request.resend_count"), "1");
            assert_eq!(numbers(span), ["", ""]);
        }
    });
}

#[test]
fn a_call_with_one_attempt_has_no_numbers() {
    run(async {
        for is_reqwest in [false, true] {
            let (tracer, reporter) = recording_tracer();
            let url = format!("{}/0/0", server().await);
            match is_reqwest {
                true => send_by_reqwest(&tracer, url).await,
                false => send(&tracer, url).await,
            }
            let (call, attempts) = call_of(&reporter, 1).await;
            assert_eq!(numbers(&call), ["", ""]);
            assert_eq!(numbers(&attempts[0]), ["", ""]);
        }
    });
}

#[test]
fn attempts_of_calls_that_run_at_once_are_numbered_by_call() {
    run(async {
        let (tracer, reporter) = recording_tracer();
        let urls = [
            format!("{}/0/2", server().await),
            format!("{}/2/1", server().await),
        ];
        let [first, second] = urls.map(|url| send(&tracer, url));
        // Both in one task, so that their polls alternate on one thread.
        join(first, second).await;
        let spans = spans(&reporter, 2 + 3 + 4).await;
        let calls = spans.iter().filter(|span| span.parent_id.is_none());
        let mut calls: Vec<_> = calls.map(numbers).collect();
        calls.sort();
        assert_eq!(calls, [["2", "2"], ["3", "1"]]);
    });
}

#[test]
fn a_request_outside_of_a_call_has_no_number() {
    run(async {
        let (tracer, reporter) = recording_tracer();
        let failing = service_fn(|_: Request<()>| async { reply(503, Empty::<Bytes>::new()) });
        let client = ClientLayer::new(tracer.clone()).wrap(failing);
        let filtered = CallLayer::new(tracer.clone()).filter(|_| false);
        let unsampled = CallLayer::new(JaegerTracer::disabled());
        for layer in [filtered, unsampled] {
            let retried = RetryLayer::new(AgainTwice::default()).layer(client.clone());
            let answer = layer.wrap(retried).oneshot(Request::new(())).await;
            drop(answer.expect("infallible"));
        }
        for span in spans(&reporter, 6).await {
            assert_eq!(numbers(&span), ["", ""]);
        }
    });
}

/// A policy that tries a request three times.
#[derive(Clone, Default)]
struct AgainTwice(usize);

impl<B> tower::retry::Policy<Request<()>, http::Response<B>, Infallible> for AgainTwice {
    type Future = std::future::Ready<()>;

    fn retry(
        &mut self,
        _: &mut Request<()>,
        _: &mut Result<http::Response<B>, Infallible>,
    ) -> Option<Self::Future> {
        self.0 += 1;
        (self.0 <= 2).then(|| std::future::ready(()))
    }

    fn clone_request(&mut self, request: &Request<()>) -> Option<Request<()>> {
        Some(request.clone())
    }
}

#[test]
fn a_call_that_panics_or_is_dropped_ends_and_numbers_nothing_else() {
    run(async {
        let (tracer, reporter) = recording_tracer();
        let layer = ClientLayer::new(tracer.clone());
        let panicking = layer.wrap(service_fn(|request: Request<()>| async move {
            assert_eq!(request.uri().path(), "/ok", "in the service");
            reply(200, Empty::<Bytes>::new())
        }));
        let call = CallLayer::new(tracer.clone()).wrap(panicking.clone());
        let sent = tokio::spawn(call.oneshot(Request::new(())));
        sent.await.map(drop).expect_err("a panic");
        for span in spans(&reporter, 2).await {
            assert_eq!(span.tag_text("error"), "true");
            assert_eq!(events(&span), ["panic"]);
        }
        let (called, is_called) = oneshot::channel();
        let called = Arc::new(std::sync::Mutex::new(Some(called)));
        let hanging = layer.wrap(service_fn(move |_: Request<()>| {
            let called = called.lock().unwrap().take().expect("called once");
            called.send(()).expect("a test");
            pending::<Result<http::Response<Empty<Bytes>>, Infallible>>()
        }));
        let call = CallLayer::new(tracer.clone()).wrap(hanging);
        let sent = tokio::spawn(call.oneshot(Request::new(())));
        is_called.await.expect("a call");
        sent.abort();
        for span in &spans(&reporter, 4).await[2..] {
            assert_eq!(span.tag_text("http.cancelled"), "true");
        }
        // The next request on this thread, and on those of the tasks.
        for _ in 0..8 {
            let request = Request::get("/ok").body(()).expect("a request");
            let sent = tokio::spawn(panicking.clone().oneshot(request));
            drop(sent.await.expect("no panic").expect("infallible"));
        }
        for span in &spans(&reporter, 12).await[4..] {
            assert_eq!(numbers(span), ["", ""]);
            assert_eq!(span.parent_id, None);
        }
    });
}

#[test]
fn a_call_that_fails_has_the_error_of_its_last_attempt() {
    run(async {
        let (tracer, reporter) = recording_tracer();
        let (_socket, address) = closed_port();
        let url = format!("http://canary:canary@{address}/?token=canary");
        let http = reqwest_client(&tracer, Policy::none());
        let http = http.with(TracingMiddleware::new(tracer.clone())).build();
        http.get(&url).send().await.expect_err("refused");
        let call =
            CallLayer::new(tracer.clone()).wrap(ClientLayer::new(tracer.clone()).wrap(client()));
        let request = Request::get(format!("http://{address}/?token=canary"));
        let request = request.body(Full::<Bytes>::default()).expect("a request");
        call.oneshot(request).await.map(drop).expect_err("refused");
        for span in spans(&reporter, 4).await {
            assert_eq!(span.tag_text("error"), "true");
            assert!(!format!("{span:?}").contains("canary"), "{span:?}");
        }
    });
}

/// Returns the fields of each log record of a redirect.
fn redirects(span: &OwnedSpan) -> Vec<String> {
    let logs = span
        .logs
        .iter()
        .map(|log| crate::support::log_texts(log).join(" "));
    logs.filter(|log| log.starts_with("event=redirect "))
        .collect()
}

#[test]
pub(in crate::middleware) fn redirects_that_reqwest_follows_itself_are_logged_with_their_number() {
    run(async {
        let rows = [(Policy::default(), "200", 2), (Policy::none(), "302", 1)];
        for (policy, status, count) in rows {
            let (tracer, reporter) = recording_tracer();
            let url = server().await;
            let policy = TracingMiddleware::log_redirects(policy);
            let client = reqwest_builder().redirect(policy).build();
            let client = ClientBuilder::new(client.expect("a client"))
                .with(TracingMiddleware::new(tracer))
                .build();
            let sent = client.get(format!("{url}/0/2")).send().await;
            sent.expect("an answer").text().await.expect("a body");
            let span = one_span(&reporter).await;
            assert_eq!(span.tag_text("http.status_code"), status);
            assert_eq!(numbers(&span), ["".to_owned(), count.to_string()]);
            let expected = (1..=count).map(|number| {
                format!(
                    "event=redirect http.status_code=302 http.url={url}/0/{}?token= http.redirects={number}",
                    2 - number
                )
            });
            assert_eq!(redirects(&span), expected.collect::<Vec<_>>());
            assert!(!format!("{span:?}").contains("canary"), "{span:?}");
        }
    });
}
