//! Tests of what spans of requests show in a test environment, and of what they hide there too.

use std::convert::Infallible;
use std::fmt;

use axum::Router;
use axum::body::Body;
use axum::routing::post;
use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use tonic::metadata::MetadataValue;
use tower::{ServiceExt, service_fn};
use tracehound::JaegerTracer;
use tracehound::middleware::{ClientLayer, SendTraced, ServerLayer, record_message};
use tracehound::model::Recording;
use tracehound::prelude::*;
use tracehound::reporter::{InMemoryReporter, OwnedSpan};

use crate::support::grpc::{self, channel, message, unary};
use crate::support::web::{
    Fed, events, log_field, of_kind, one_span, reqwest_client, run, serve, spans,
};
use crate::support::{recording_builder, recording_tracer};

fn tracer() -> (JaegerTracer, InMemoryReporter) {
    let (builder, reporter) = recording_builder();
    let builder = builder.recording(Recording::everything());
    (builder.build().expect("a tracer"), reporter)
}

const SHOWN: [&str; 6] = [
    "http.query",
    "http.request_headers",
    "http.response_headers",
    "http.response_trailers",
    "http.request_body",
    "http.response_body",
];

/// Posts a login with secrets, and returns the spans of client and server.
async fn login(tracer: &JaegerTracer, reporter: &InMemoryReporter) -> [OwnedSpan; 2] {
    let answer = |body: String| async move {
        assert!(
            body.contains("canary"),
            "the handler sees the request itself"
        );
        let headers = [
            ("content-type", "application/json"),
            ("set-cookie", "id=canary"),
            ("x-shop", "north"),
        ];
        (headers, "{\"user\":\"ada\",\"accessToken\":\"canary\"}")
    };
    let app = Router::new()
        .route("/login", post(answer))
        .layer(ServerLayer::new(tracer.clone()));
    let address = serve(app).await;
    let url = format!("http://u:canary@{address}/login?from=mail&token=canary");
    let reply = reqwest_client()
        .post(url)
        .header("content-type", "application/x-www-form-urlencoded")
        .header("authorization", "Bearer canary")
        .header("x-session-id", "canary")
        .header("uberctx-user", "canary")
        .header("x-tenant", "acme")
        .body("user=ada&password=canary")
        .send_traced(tracer)
        .await
        .expect("an answer");
    assert!(reply.text().await.expect("a body").contains("canary"));
    let spans = spans(reporter, 2).await;
    ["client", "server"].map(|kind| of_kind(&spans, kind).clone())
}

#[test]
pub(in crate::middleware) fn everything_shows_queries_headers_and_bodies_without_their_secrets() {
    run(async {
        let (tracer, reporter) = tracer();
        for span in login(&tracer, &reporter).await {
            let text = format!("{span:#?}");
            assert!(!text.contains("canary"), "{text}");
            assert_eq!(span.tag_text("http.query"), "from=mail&token=…");
            assert_eq!(span.tag_text("http.request_body"), "user=ada&password=…");
            let answer = "{\"user\":\"ada\",\"accessToken\":…}";
            assert_eq!(span.tag_text("http.response_body"), answer);
            let asked = span.tag_text("http.request_headers").into_owned();
            assert!(asked.contains("x-tenant: acme"), "{asked}");
            let answered = span.tag_text("http.response_headers").into_owned();
            assert!(answered.contains("x-shop: north"), "{answered}");
            let url = span.tag_text("http.url").into_owned();
            assert!(url.ends_with("/login?from=&token="), "{url}");
        }
    });
}

#[test]
fn other_levels_show_nothing_of_them() {
    run(async {
        for recording in [Recording::metadata(), Recording::statements()] {
            let (builder, reporter) = recording_builder();
            let tracer = builder.recording(recording).build().expect("a tracer");
            for span in login(&tracer, &reporter).await {
                for key in SHOWN {
                    assert!(span.tag(key).is_none(), "{key}");
                }
            }
        }
    });
}

/// Sends a body through a server that answers with it, and returns the server's span.
async fn echo(headers: &[(&'static str, &'static str)], body: Vec<u8>) -> OwnedSpan {
    let (tracer, reporter) = tracer();
    let answer_headers = headers.to_vec();
    let server = service_fn(move |request: Request<Body>| {
        let headers = answer_headers.clone();
        async move {
            let body = request.into_body().collect().await.expect("a body");
            let mut response = Response::builder();
            for (name, value) in headers {
                response = response.header(name, value);
            }
            let body = Full::new(body.to_bytes());
            Ok::<_, Infallible>(response.body(body).expect("a response"))
        }
    });
    let server = ServerLayer::new(tracer.clone()).wrap(server);
    let mut request = Request::post("/");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let request = request.body(Body::from(body.clone())).expect("a request");
    let response = server.oneshot(request).await.expect("infallible");
    let answer = response.into_body().collect().await.expect("a body");
    assert_eq!(answer.to_bytes(), body, "the body passes unchanged");
    one_span(&reporter).await
}

#[test]
fn a_long_body_is_shown_from_its_start() {
    run(async {
        let body = format!("x{}", "é".repeat(100_000)).into_bytes();
        let span = echo(&[("content-type", "text/plain; charset=utf-8")], body).await;
        for key in ["http.request_body", "http.response_body"] {
            let shown = span.tag_text(key).into_owned();
            assert!(shown.starts_with("xé") && shown.ends_with('…'), "{shown}");
            assert!(shown.len() < 5_000, "{}", shown.len());
            assert!(!shown.contains('\u{fffd}'), "{shown}");
        }
    });
}

#[test]
fn a_body_that_is_no_text_is_not_shown() {
    run(async {
        let rows: [&[(&str, &str)]; 5] = [
            &[],
            &[("content-type", "application/octet-stream")],
            &[("content-type", "image/png")],
            &[("content-type", "multipart/form-data; boundary=x")],
            &[
                ("content-type", "application/json"),
                ("content-encoding", "gzip"),
            ],
        ];
        for headers in rows {
            let span = echo(headers, b"canary".to_vec()).await;
            for key in ["http.request_body", "http.response_body"] {
                assert!(span.tag(key).is_none(), "{key} {headers:?}");
            }
        }
        let rows = ["application/json", "application/problem+json", "TEXT/xml"];
        for content_type in rows {
            let span = echo(&[("content-type", content_type)], b"hello".to_vec()).await;
            assert_eq!(
                span.tag_text("http.request_body"),
                "hello",
                "{content_type}"
            );
            assert_eq!(
                span.tag_text("http.response_body"),
                "hello",
                "{content_type}"
            );
        }
    });
}

#[test]
fn a_text_that_the_client_sends_is_shown() {
    run(async {
        let (tracer, reporter) = tracer();
        let server = service_fn(|_: Request<String>| async {
            Ok::<_, Infallible>(Response::new(Full::<Bytes>::default()))
        });
        let request = Request::post("http://shop/")
            .header("content-type", "text/plain")
            .body("hello".to_owned());
        let client = ClientLayer::new(tracer.clone()).wrap(server);
        let response = client.oneshot(request.expect("a request")).await;
        drop(response.expect("infallible"));
        let span = one_span(&reporter).await;
        assert_eq!(span.tag_text("http.request_body"), "hello");
        assert!(span.tag("http.response_body").is_none());
    });
}

#[test]
fn a_body_that_is_dropped_halfway_is_shown_as_far_as_it_came() {
    run(async {
        let (tracer, reporter) = tracer();
        let server = service_fn(|request: Request<Body>| async move {
            let mut body = request.into_body();
            body.frame().await.expect("a frame").expect("no error");
            let (feeder, answer) = Fed::new();
            feeder.data("first");
            feeder.data("second");
            let response = Response::builder().header("content-type", "text/plain");
            Ok::<_, Infallible>(response.body(answer).expect("a response"))
        });
        let (feeder, body) = Fed::new();
        feeder.data("one");
        feeder.data("two");
        let request = Request::post("/")
            .header("content-type", "text/plain")
            .body(Body::new(body));
        let server = ServerLayer::new(tracer.clone()).wrap(server);
        let response = server.oneshot(request.expect("a request")).await;
        let mut answer = response.expect("infallible").into_body();
        answer.frame().await.expect("a frame").expect("no error");
        drop(answer);
        let span = one_span(&reporter).await;
        assert_eq!(span.tag_text("http.request_body"), "one");
        assert_eq!(span.tag_text("http.response_body"), "first");
        assert_eq!(span.tag_text("http.cancelled"), "true");
    });
}

#[test]
pub(in crate::middleware) fn everything_shows_the_metadata_and_the_sizes_of_a_grpc_call() {
    run(async {
        let (tracer, reporter) = tracer();
        let address = grpc::serve(ServerLayer::new(tracer.clone())).await;
        let mut request = message("hello");
        let metadata = request.metadata_mut();
        metadata.insert("x-tenant", MetadataValue::from_static("acme"));
        metadata.insert("authorization", MetadataValue::from_static("canary"));
        metadata.insert_bin("x-id-bin", MetadataValue::from_bytes(b"canary"));
        let client = ClientLayer::new(tracer.clone()).wrap(channel(address));
        unary(client, request).await.expect("an answer");
        let spans = spans(&reporter, 2).await;
        for span in &spans {
            let text = format!("{span:#?}");
            assert!(!text.contains("canary"), "{text}");
            let metadata = span.tag_text("http.request_headers").into_owned();
            assert!(metadata.contains("x-tenant: acme"), "{metadata}");
            assert!(!metadata.contains("-bin"), "{metadata}");
            assert_eq!(span.tag_text("http.response_trailers"), "grpc-status: 0");
            assert_eq!(span.tag_text("grpc.messages_sent"), "1");
            assert!(span.tag("http.request_body").is_none());
        }
        let server = of_kind(&spans, "server");
        assert_eq!(events(server), ["message_received", "message_sent"]);
        let size = log_field(server, "message_received", "grpc.message_size");
        assert_eq!(size.as_deref(), Some("5"));
    });
}

#[derive(Debug)]
#[expect(dead_code, reason = "read by `Debug`")]
struct Login {
    user: &'static str,
    password: Option<&'static str>,
}

const LOGIN: Login = Login {
    user: "ada",
    password: Some("canary"),
};

struct Panics;

impl fmt::Debug for Panics {
    fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
        panic!("in Debug")
    }
}

#[test]
pub(in crate::middleware) fn a_message_is_recorded_without_its_secrets() {
    run(async {
        let (tracer, reporter) = tracer();
        tracer.start_span("call").in_scope(|| {
            record_message(&LOGIN);
            record_message(&Panics);
            record_message(&vec!["é"; 10_000]);
        });
        record_message(&LOGIN);
        let span = one_span(&reporter).await;
        assert_eq!(events(&span), ["message", "message"]);
        let text = log_field(&span, "message", "message").expect("a text");
        assert_eq!(text, "Login { user: \"ada\", password: …}");
        let name = log_field(&span, "message", "message.type").expect("a type");
        assert!(name.ends_with("Login"), "{name}");
    });
}

#[test]
fn a_message_is_not_formatted_at_another_level() {
    run(async {
        let (tracer, reporter) = recording_tracer();
        tracer
            .start_span("call")
            .in_scope(|| record_message(&Panics));
        assert_eq!(events(&one_span(&reporter).await), [""; 0]);
    });
}
