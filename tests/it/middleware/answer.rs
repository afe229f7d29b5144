//! Tests of the headers that tell a caller its trace, between servers and clients over loopback.

use axum::Router;
use axum::body::Body;
use axum::routing::any;
use http::header::{HeaderMap, HeaderName, HeaderValue};
use http::{Method, Request, Response};
use http_body_util::{BodyExt, Full};
use reqwest_middleware::ClientBuilder;
use tower::ServiceExt;
use tracehound::JaegerTracer;
use tracehound::middleware::{
    AnswerHeaders, ClientLayer, ServerLayer, TraceLink, TracingMiddleware, Trust,
};
use tracehound::reporter::OwnedSpan;
use tracehound::sampler::ConstSampler;

use crate::support::web::{client, get, of_kind, one_span, reqwest_client, run, serve, spans};
use crate::support::{recording_builder, recording_tracer};

const LINK: HeaderName = HeaderName::from_static("x-trace");

fn every_header() -> AnswerHeaders {
    let link = TraceLink::new("http://jaeger:16686/trace/{trace_id}?uiFind={span_id}");
    AnswerHeaders::new()
        .server_timing(true)
        .link(LINK, link.expect("a template"))
}

/// Returns a server that answers with the headers of `answer` itself, and with status 204 to a DELETE.
fn app(layer: ServerLayer, answer: HeaderMap) -> Router {
    let handler = move |method: Method| async move {
        let mut response = Response::new(Body::from("Ada"));
        if method == Method::DELETE {
            response = Response::new(Body::empty());
            *response.status_mut() = http::StatusCode::NO_CONTENT;
        }
        response.headers_mut().extend(answer);
        response
    };
    Router::new().route("/", any(handler)).layer(layer)
}

/// Sends a request without a context and returns the headers of the response.
async fn headers_of(method: Method, layer: ServerLayer, answer: HeaderMap) -> HeaderMap {
    let address = serve(app(layer, answer)).await;
    let request = Request::builder()
        .method(method)
        .uri(format!("http://{address}/"));
    let request = request.body(Full::default()).expect("a request");
    let response = client().request(request).await.expect("an answer");
    let headers = response.headers().clone();
    response.into_body().collect().await.expect("a body");
    headers
}

fn texts(headers: &HeaderMap, name: &str) -> Vec<String> {
    let values = headers.get_all(name).iter();
    let texts = values.map(|value| value.to_str().expect("text").to_owned());
    texts.collect()
}

fn trace_parent(span: &OwnedSpan, flags: &str) -> String {
    format!(
        "00-{:0>32}-{}-{flags}",
        span.trace_id.to_string(),
        span.span_id
    )
}

#[test]
fn a_response_names_its_trace_in_every_header_that_was_asked_for() {
    run(async {
        for method in [Method::GET, Method::HEAD, Method::DELETE] {
            let (tracer, reporter) = recording_tracer();
            let layer = ServerLayer::new(tracer).answer_headers(every_header());
            let own = [
                ("traceresponse", "00---"),
                ("x-trace", "none"),
                ("server-timing", "db;dur=53"),
            ];
            let own = own.map(|(name, value)| {
                let name = HeaderName::from_static(name);
                (name, HeaderValue::from_static(value))
            });
            let headers = headers_of(method.clone(), layer, own.into_iter().collect()).await;
            let span = one_span(&reporter).await;
            let parent = trace_parent(&span, "01");
            assert_eq!(texts(&headers, "traceresponse"), [&*parent], "{method}");
            let timing = format!("traceparent;desc=\"{parent}\"");
            let timings = texts(&headers, "server-timing");
            assert_eq!(timings, ["db;dur=53", &timing], "{method}");
            let link = format!(
                "http://jaeger:16686/trace/{}?uiFind={}",
                span.trace_id, span.span_id
            );
            assert_eq!(texts(&headers, "x-trace"), [link], "{method}");
        }
    });
}

#[test]
fn a_response_names_nothing_that_was_not_asked_for() {
    run(async {
        let (tracer, _reporter) = recording_tracer();
        let layer = || ServerLayer::new(tracer.clone());
        let one = AnswerHeaders::new().trace_response(false);
        // The setting, and whether each header is there.
        let rows = [
            (layer(), [false, false, false]),
            (
                layer().answer_headers(AnswerHeaders::new()),
                [true, false, false],
            ),
            (layer().answer_headers(one.clone()), [false, false, false]),
            (
                layer().answer_headers(one.server_timing(true)),
                [false, true, false],
            ),
            (
                layer().answer_headers(every_header()).filter(|_| false),
                [false, false, false],
            ),
        ];
        for (row, (layer, expected)) in rows.into_iter().enumerate() {
            let headers = headers_of(Method::GET, layer, HeaderMap::new()).await;
            let names = ["traceresponse", "server-timing", "x-trace"];
            let found = names.map(|name| headers.contains_key(name));
            assert_eq!(found, expected, "row {row}");
        }
    });
}

#[test]
fn only_callers_of_the_users_choice_get_headers() {
    run(async {
        let (tracer, reporter) = recording_tracer();
        let headers = every_header().when(|request| {
            let staff = request.headers.get("x-staff").map(HeaderValue::as_bytes);
            assert_ne!(staff, Some(&b"panic"[..]));
            staff == Some(b"yes")
        });
        let layer = ServerLayer::new(tracer).answer_headers(headers);
        let address = serve(app(layer, HeaderMap::new())).await;
        for (staff, is_answered) in [("yes", true), ("no", false), ("panic", false)] {
            let mut request = get(format!("http://{address}/"));
            let value = HeaderValue::from_static(staff);
            request.headers_mut().insert("x-staff", value);
            let response = client().request(request).await.expect("an answer");
            assert_eq!(response.status(), 200, "{staff}");
            for name in ["traceresponse", "server-timing", "x-trace"] {
                let is_there = response.headers().contains_key(name);
                assert_eq!(is_there, is_answered, "{staff} {name}");
            }
        }
        spans(&reporter, 3).await;
    });
}

#[test]
fn traces_that_are_not_kept_are_named_unless_the_user_wants_sampled_ones_only() {
    run(async {
        for (is_sampled, sampled_only) in [(true, true), (false, true), (false, false)] {
            let (builder, _reporter) = recording_builder();
            let builder = builder.sampler(ConstSampler::new(is_sampled));
            let tracer = builder.build().expect("named");
            let headers = AnswerHeaders::new().sampled_only(sampled_only);
            let layer = ServerLayer::new(tracer).answer_headers(headers);
            let headers = headers_of(Method::GET, layer, HeaderMap::new()).await;
            let found = texts(&headers, "traceresponse");
            let flags: Vec<_> = found.iter().map(|value| value.rsplit('-').next()).collect();
            let expected = match (is_sampled, sampled_only) {
                (true, _) => vec![Some("01")],
                (false, false) => vec![Some("00")],
                (false, true) => vec![],
            };
            assert_eq!(flags, expected, "{is_sampled} {sampled_only}");
        }
    });
}

/// Sends a request with a client of hyper-util and with one of reqwest, and returns the spans of both.
async fn client_spans(url: &str, reads: bool) -> Vec<OwnedSpan> {
    let (tracer, reporter) = recording_tracer();
    let layer = ClientLayer::new(tracer.clone()).trace_response(reads);
    let response = layer.wrap(client()).oneshot(get(url)).await;
    let body = response.expect("an answer").into_body();
    body.collect().await.expect("a body");
    let layer = TracingMiddleware::new(tracer).trace_response(reads);
    let client = ClientBuilder::new(reqwest_client()).with(layer);
    let response = client.build().get(url).send().await;
    response.expect("an answer").text().await.expect("a body");
    spans(&reporter, 2).await
}

fn other_trace(span: &OwnedSpan) -> [String; 2] {
    ["traceresponse.trace_id", "traceresponse.span_id"].map(|key| span.tag_text(key).into_owned())
}

#[test]
pub(in crate::middleware) fn a_client_finds_the_trace_of_a_server_that_has_started_another_one() {
    run(async {
        let rows = [
            (Trust::restart(), true),
            (Trust::ids_only(), true),
            (Trust::restart(), false),
        ];
        for (trust, reads) in rows {
            let (tracer, reporter) = recording_tracer();
            let layer = ServerLayer::new(tracer)
                .trust(trust)
                .answer_headers(AnswerHeaders::new());
            let address = serve(app(layer, HeaderMap::new())).await;
            let found = client_spans(&format!("http://{address}/"), reads).await;
            let servers = spans(&reporter, 2).await;
            for (client, server) in found.iter().zip(&servers) {
                let is_other = trust == Trust::restart();
                assert_eq!(client.trace_id != server.trace_id, is_other);
                let expected = match is_other && reads {
                    true => [server.trace_id.to_string(), server.span_id.to_string()],
                    false => Default::default(),
                };
                assert_eq!(other_trace(client), expected, "{trust:?} {reads}");
            }
        }
    });
}

#[test]
fn a_traceresponse_that_names_no_trace_is_not_recorded() {
    run(async {
        let long = format!("00-{}-canary", "c".repeat(4_000));
        let values = [
            "",
            "canary",
            "00-canary",
            "00-00000000000000000000000000000000-a2fb4a1d1a96d312-01",
            "00-463ac35c9f6413ad48485a3953bb6124-0000000000000000-01",
            "00-463ac35c9f6413ad48485a3953bb6124-a2fb4a1d1a96d312-01-canary",
            "ff-463ac35c9f6413ad48485a3953bb6124-a2fb4a1d1a96d312-01",
            "00-463ac35c9f6413ad48485a3953bb6124-a2fb4a1d1a96d312",
            "00---01",
            &long,
        ];
        for value in values {
            let own = (
                HeaderName::from_static("traceresponse"),
                HeaderValue::from_str(value).expect("a value"),
            );
            let layer = ServerLayer::new(JaegerTracer::disabled());
            let address = serve(app(layer, HeaderMap::from_iter([own]))).await;
            for span in client_spans(&format!("http://{address}/"), true).await {
                assert_eq!(other_trace(&span), ["", ""], "{value}");
                assert!(!format!("{span:?}").contains("canary"), "{value}");
            }
        }
        // A later version may have more fields.
        let own = (
            HeaderName::from_static("traceresponse"),
            HeaderValue::from_static(
                "01-463ac35c9f6413ad48485a3953bb6124-a2fb4a1d1a96d312-01-canary",
            ),
        );
        let layer = ServerLayer::new(JaegerTracer::disabled());
        let address = serve(app(layer, HeaderMap::from_iter([own]))).await;
        for span in client_spans(&format!("http://{address}/"), true).await {
            let ids = ["463ac35c9f6413ad48485a3953bb6124", "a2fb4a1d1a96d312"];
            assert_eq!(other_trace(&span), ids);
        }
    });
}

#[test]
fn a_server_inside_of_another_one_adds_no_second_answer() {
    run(async {
        let (tracer, reporter) = recording_tracer();
        let layer = || ServerLayer::new(tracer.clone()).answer_headers(every_header());
        let address = serve(app(layer(), HeaderMap::new()).layer(layer())).await;
        let response = client().request(get(format!("http://{address}/"))).await;
        let headers = response.expect("an answer").headers().clone();
        for name in ["traceresponse", "server-timing", "x-trace"] {
            assert_eq!(texts(&headers, name).len(), 1, "{name}");
        }
        let span = one_span(&reporter).await;
        let spans = [span];
        let span = of_kind(&spans, "server");
        assert_eq!(texts(&headers, "traceresponse"), [trace_parent(span, "01")]);
    });
}
