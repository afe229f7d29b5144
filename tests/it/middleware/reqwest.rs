//! Tests of spans for the requests of reqwest, over loopback.

pub(super) mod ends;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Body;
use axum::http::{Extensions, HeaderMap};
use axum::response::Redirect;
use axum::routing::get as route;
use http::StatusCode;
use reqwest::{Request, Response};
use reqwest_middleware::{ClientBuilder, ClientWithMiddleware, Middleware, Next};
use tracehound::NoopTracer;
use tracehound::metrics::Counter;
use tracehound::middleware::{SendTraced, ServerLayer, SpanEnd, TracingMiddleware};
use tracehound::prelude::*;
use tracehound::scope::active_span;

use crate::closed_port::closed_port;
use crate::support::recording_tracer;
use crate::support::web::{
    Fed, events, log_field, of_kind, one_span, reqwest_client, run, serve, spans, until,
};

fn http(middleware: TracingMiddleware) -> ClientWithMiddleware {
    ClientBuilder::new(reqwest_client())
        .with(middleware)
        .build()
}

/// Answers with the context in the headers.
async fn echo(headers: HeaderMap) -> String {
    let values = headers.get_all("uber-trace-id").into_iter();
    let values: Vec<_> = values.map(|value| value.to_str().expect("text")).collect();
    values.join(",")
}

fn app() -> Router {
    Router::new()
        .route("/echo", route(echo))
        .route("/empty", route(|| async {}))
        .route("/here", route(|| async { Redirect::to("/there?token=1") }))
        .route("/there", route(|| async { Redirect::to("/echo?token=2") }))
        .route("/broken", route(|| async { StatusCode::BAD_GATEWAY }))
}

#[test]
fn a_request_has_a_client_span_and_the_server_joins_its_trace() {
    run(async {
        let (tracer, reporter) = recording_tracer();
        let address = serve(app().layer(ServerLayer::new(tracer.clone()))).await;
        let client = http(TracingMiddleware::new(tracer.clone()));
        let parent = tracer.start_span("parent");
        let sent = client.get(format!("http://{address}/echo?page=2")).send();
        let response = sent.in_span(parent.downgrade()).await.expect("an answer");
        let text = response.text().await.expect("a body");
        let spans = spans(&reporter, 2).await;
        let (client, server) = (of_kind(&spans, "client"), of_kind(&spans, "server"));
        assert_eq!(client.parent_id, parent.context().span_id());
        assert_eq!(server.parent_id, Some(client.span_id));
        assert!(text.contains(&client.span_id.to_string()));
        assert_eq!(client.operation_name, "HTTP GET");
        let rows = [
            ("component", "reqwest"),
            ("http.method", "GET"),
            ("http.url", &*format!("http://{address}/echo?page=")),
            ("http.status_code", "200"),
            ("peer.address", &address.to_string()),
            ("error", ""),
        ];
        for (key, value) in rows {
            assert_eq!(client.tag_text(key), value, "{key}");
        }
        assert_eq!(events(client), ["headers_received"]);
    });
}

#[test]
fn send_traced_gives_one_request_a_span() {
    run(async {
        let (tracer, reporter) = recording_tracer();
        let address = serve(app()).await;
        let client = reqwest_client();
        let parent = tracer.start_span("parent");
        let request = client.get(format!("http://{address}/echo"));
        let request = request.header("uber-trace-id", "1:2:0:1");
        let sent = request.send_traced(&tracer).in_span(parent.downgrade());
        let text = sent.await.expect("an answer").text().await.expect("a body");
        let span = one_span(&reporter).await;
        assert_eq!(span.parent_id, parent.context().span_id());
        let parent = parent.context().to_span_id();
        let context = format!("{}:{}:{parent}:1", span.trace_id, span.span_id);
        assert_eq!(text, context);
    });
}

#[test]
fn send_traced_works_in_a_spawned_task() {
    run(async {
        let (tracer, reporter) = recording_tracer();
        let address = serve(app()).await;
        let request = reqwest_client().get(format!("http://{address}/empty"));
        let sent = tokio::spawn(async move { request.send_traced(&tracer).await });
        sent.await.expect("no panic").expect("an answer");
        one_span(&reporter).await;
    });
}

#[test]
fn tracing_leaves_the_response_unchanged() {
    run(async {
        let (tracer, reporter) = recording_tracer();
        let address = serve(app()).await;
        let url = format!("http://{address}/echo?a=b#c");
        let plain = reqwest_client().get(&url).send().await.expect("an answer");
        let traced = reqwest_client().get(&url).send_traced(&tracer).await;
        let mut traced = traced.expect("an answer");
        assert_eq!(traced.url(), plain.url());
        assert_eq!(traced.remote_addr(), Some(address));
        assert_eq!(traced.version(), plain.version());
        assert_eq!(traced.status(), plain.status());
        assert_eq!(
            traced.headers()["content-type"],
            plain.headers()["content-type"]
        );
        let length = traced.content_length().expect("a length");
        let mut read = 0;
        while let Some(chunk) = traced.chunk().await.expect("no error") {
            read += chunk.len() as u64;
        }
        assert_eq!(read, length);
        // The URL of the response has lost the fragment of the one that was asked for.
        let span = one_span(&reporter).await;
        assert_eq!(events(&span), ["headers_received"]);
    });
}

#[test]
fn the_span_ends_with_the_body() {
    run(async {
        for how in ["read", "dropped", "at the head"] {
            let (tracer, reporter) = recording_tracer();
            let (feeder, body) = Fed::new();
            let body = Arc::new(Mutex::new(Some(body)));
            let app = Router::new().route(
                "/",
                route(move || async move {
                    Body::new(body.lock().unwrap().take().expect("one request"))
                }),
            );
            let url = format!("http://{}/", serve(app).await);
            let middleware = TracingMiddleware::new(tracer.clone());
            let middleware = match how {
                "at the head" => middleware.span_end(SpanEnd::Head),
                _ => middleware,
            };
            let response = http(middleware).get(url).send().await.expect("an answer");
            if how == "at the head" {
                one_span(&reporter).await;
            } else {
                assert!(reporter.spans().is_empty(), "{how}");
            }
            feeder.data("all");
            if how == "dropped" {
                drop(response);
                until("the server to notice", || feeder.is_closed().then_some(())).await;
            } else {
                drop(feeder);
                assert_eq!(response.text().await.expect("a body"), "all");
            }
            let span = one_span(&reporter).await;
            assert!(span.tag("http.cancelled").is_none(), "{how}");
            let is_dropped = events(&span).contains(&"body_dropped".to_owned());
            assert_eq!(is_dropped, how == "dropped", "{how}");
            assert!(span.tag("error").is_none(), "{how}");
            assert_eq!(tracer.metrics().get(Counter::FinishedTwice), 0);
        }
    });
}

#[test]
fn a_response_without_a_body_ends_its_span() {
    run(async {
        for method in ["HEAD", "GET"] {
            let (tracer, reporter) = recording_tracer();
            let url = format!("http://{}/empty", serve(app()).await);
            let method = method.parse().expect("a method");
            let request = reqwest_client().request(method, url);
            let response = request.send_traced(&tracer).await.expect("an answer");
            let span = one_span(&reporter).await;
            assert!(span.tag("http.cancelled").is_none());
            drop(response);
        }
    });
}

#[test]
fn redirects_share_a_span_that_records_their_target() {
    run(async {
        let (tracer, reporter) = recording_tracer();
        let address = serve(app()).await;
        let request = reqwest_client().get(format!("http://{address}/here"));
        let response = request.send_traced(&tracer).await.expect("an answer");
        let text = response.text().await.expect("a body");
        let span = one_span(&reporter).await;
        assert!(text.contains(&span.span_id.to_string()));
        assert_eq!(span.tag_text("http.url"), format!("http://{address}/here"));
        let led = log_field(&span, "redirected", "http.url");
        assert_eq!(led, Some(format!("http://{address}/echo?token=")));
    });
}

#[test]
fn a_status_of_5xx_is_an_error() {
    run(async {
        let (tracer, reporter) = recording_tracer();
        let url = format!("http://{}/broken", serve(app()).await);
        let response = reqwest_client().get(url).send_traced(&tracer).await;
        response.expect("an answer");
        let span = one_span(&reporter).await;
        assert_eq!(span.tag_text("http.status_code"), "502");
        assert_eq!(span.tag_text("error"), "true");
    });
}

#[test]
fn a_refused_connection_is_an_error_with_its_cause() {
    run(async {
        let (tracer, reporter) = recording_tracer();
        let (_socket, address) = closed_port();
        let url = format!("http://{address}/");
        let client = http(TracingMiddleware::new(tracer.clone()));
        let error = client.get(&url).send().await.expect_err("refused");
        assert!(error.is_connect());
        let request = reqwest_client().get(&url);
        let error = request.send_traced(&tracer).await.expect_err("refused");
        assert!(error.is_connect());
        for span in spans(&reporter, 2).await {
            assert_eq!(span.tag_text("error"), "true");
            let field = |key| log_field(&span, "error", key).expect(key);
            assert_eq!(field("error.kind"), "connect");
            assert!(field("error.object").contains("refused"), "{span:#?}");
        }
    });
}

#[test]
fn a_request_that_cannot_be_built_has_no_span() {
    run(async {
        let (tracer, reporter) = recording_tracer();
        let error = reqwest_client().get("no url").send_traced(&tracer).await;
        assert!(error.expect_err("no URL").is_builder());
        assert!(reporter.spans().is_empty());
    });
}

#[test]
fn tracing_leaves_an_error_of_the_body_unchanged() {
    run(async {
        let (tracer, reporter) = recording_tracer();
        let mut errors = Vec::new();
        for is_traced in [false, true] {
            let (feeder, body) = Fed::with_length(10);
            let body = Arc::new(Mutex::new(Some(body)));
            let handler =
                move || async move { Body::new(body.lock().unwrap().take().expect("one request")) };
            let url = format!(
                "http://{}/",
                serve(Router::new().route("/", route(handler))).await
            );
            feeder.data("four");
            let request = reqwest_client().get(url);
            let mut response = if is_traced {
                request.send_traced(&tracer).await.expect("an answer")
            } else {
                request.send().await.expect("an answer")
            };
            assert_eq!(
                response.chunk().await.expect("no error").expect("data"),
                "four"
            );
            feeder.fail("the disk is gone");
            errors.push(response.chunk().await.expect_err("cut"));
        }
        let kind = |error: &reqwest::Error| {
            (
                error.to_string(),
                error.is_body(),
                error.is_decode(),
                error.is_timeout(),
                error.is_request(),
            )
        };
        assert_eq!(kind(&errors[1]), kind(&errors[0]));
        let span = one_span(&reporter).await;
        assert_eq!(span.tag_text("error"), "true");
        assert_eq!(events(&span), ["headers_received", "error"]);
    });
}

/// Retries while the answer is 502, up to three attempts.
struct Again;

#[async_trait::async_trait]
impl Middleware for Again {
    async fn handle(
        &self,
        request: Request,
        extensions: &mut Extensions,
        next: Next<'_>,
    ) -> reqwest_middleware::Result<Response> {
        for _ in 0..2 {
            let request = request.try_clone().expect("no body");
            let response = next.clone().run(request, extensions).await?;
            if response.status() != StatusCode::BAD_GATEWAY {
                return Ok(response);
            }
        }
        next.run(request, extensions).await
    }
}

#[test]
fn a_middleware_inside_of_retries_traces_each_attempt_and_one_outside_traces_all() {
    run(async {
        let url = format!("http://{}/broken", serve(app()).await);
        for (is_inside, count) in [(true, 3), (false, 1)] {
            let (tracer, reporter) = recording_tracer();
            let tracing = TracingMiddleware::new(tracer);
            let client = ClientBuilder::new(reqwest_client());
            let client = if is_inside {
                client.with(Again).with(tracing).build()
            } else {
                client.with(tracing).with(Again).build()
            };
            drop(client.get(&url).send().await.expect("an answer"));
            spans(&reporter, count).await;
        }
    });
}

#[test]
fn hooks_decide_what_a_span_records() {
    run(async {
        let (tracer, reporter) = recording_tracer();
        let address = serve(app()).await;
        let middleware = TracingMiddleware::new(tracer)
            .operation_name(|request| request.url().path().trim_matches('/').to_owned().into())
            .filter(|request| request.url().path() != "/empty")
            .component("koala")
            .url(|_| None)
            .request_headers([http::header::ACCEPT, http::header::AUTHORIZATION])
            .response_headers([http::header::CONTENT_TYPE])
            .decorate(|span, request| {
                span.set_tag("has_body", request.body().is_some());
            })
            .decorate_response(|_, _| panic!("in a hook"))
            .decorate_response(|span, response| {
                span.set_tag("length", response.content_length());
            })
            .injection(false);
        let client = http(middleware);
        let request = client.get(format!("http://{address}/echo"));
        let request = request.header("accept", "*/*").bearer_auth("secret");
        let response = request.send().await.expect("an answer");
        assert_eq!(response.text().await.expect("a body"), "");
        let filtered = client.get(format!("http://{address}/empty")).send().await;
        filtered.expect("an answer");
        let span = one_span(&reporter).await;
        assert_eq!(span.operation_name, "echo");
        let rows = [
            ("component", "koala"),
            ("http.url", ""),
            ("http.header.accept", "*/*"),
            ("http.header.authorization", ""),
            (
                "http.response.header.content-type",
                "text/plain; charset=utf-8",
            ),
            ("has_body", "false"),
            ("length", "0"),
        ];
        for (key, value) in rows {
            assert_eq!(span.tag_text(key), value, "{key}");
        }
    });
}

#[test]
fn a_disabled_tracer_leaves_requests_untouched() {
    run(async {
        let url = format!("http://{}/echo", serve(app()).await);
        let request = reqwest_client()
            .get(&url)
            .header("uber-trace-id", "untouched");
        let response = request.send_traced(&NoopTracer).await.expect("an answer");
        assert_eq!(response.text().await.expect("a body"), "untouched");
        let client = http(TracingMiddleware::new(NoopTracer));
        let request = client.get(&url).header("uber-trace-id", "untouched");
        let response = request.send().await.expect("an answer");
        assert_eq!(response.text().await.expect("a body"), "untouched");
    });
}

/// Counts the requests that pass while a span is active.
struct Spy(Arc<AtomicUsize>);

#[async_trait::async_trait]
impl Middleware for Spy {
    async fn handle(
        &self,
        request: Request,
        extensions: &mut Extensions,
        next: Next<'_>,
    ) -> reqwest_middleware::Result<Response> {
        if !active_span().is_noop() {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
        next.run(request, extensions).await
    }
}

#[test]
fn the_span_is_active_while_the_request_is_sent() {
    run(async {
        let (tracer, _reporter) = recording_tracer();
        let seen = Arc::new(AtomicUsize::new(0));
        let url = format!("http://{}/empty", serve(app()).await);
        let client = ClientBuilder::new(reqwest_client())
            .with(TracingMiddleware::new(tracer))
            .with(Spy(seen.clone()))
            .build();
        client.get(url).send().await.expect("an answer");
        assert_eq!(seen.load(Ordering::Relaxed), 1);
        assert!(active_span().is_noop());
    });
}

#[test]
fn dropping_a_request_cancels_it_without_an_error() {
    run(async {
        let (tracer, reporter) = recording_tracer();
        let (started, mut is_started) = tokio::sync::mpsc::unbounded_channel();
        let handler = move || {
            let _ = started.send(());
            std::future::pending::<()>()
        };
        let url = format!(
            "http://{}/",
            serve(Router::new().route("/", route(handler))).await
        );
        tokio::select! {
            _ = reqwest_client().get(url).send_traced(&tracer) => unreachable!("there is no answer"),
            started = is_started.recv() => assert!(started.is_some()),
        }
        let span = one_span(&reporter).await;
        assert_eq!(events(&span), ["cancelled"]);
        assert!(span.tag("error").is_none());
    });
}
