//! Requests over loopback in each vocabulary.

use std::net::SocketAddr;

use axum::Router;
use axum::routing::{any, get as route};
use bytes::Bytes;
use http::header::{HeaderName, HeaderValue, USER_AGENT};
use http::{Method, Request, StatusCode};
use http_body_util::{Empty, Full};
use reqwest::redirect::Policy;
use reqwest_middleware::ClientBuilder;
use tower::{ServiceExt, service_fn};
use tracehound::middleware::{ClientLayer, ServerLayer, TracingMiddleware};
use tracehound::model::TagNames;
use tracehound::prelude::*;

use super::{ALL, assert_tags, tracer};
use crate::closed_port::closed_port;
use crate::support::web::{
    client, get, listener, log_field, of_kind, one_span, reply, reqwest_builder, reqwest_client,
    run, spans,
};

const WORD: HeaderName = HeaderName::from_static("x-word");

/// Serves an app that knows its callers.
async fn serve(tracer: &JaegerTracer) -> SocketAddr {
    let layer = ServerLayer::new(tracer.clone())
        .request_headers([USER_AGENT, WORD])
        .response_headers([WORD]);
    let app = Router::new()
        .route("/users/{id}", any(async || ([(WORD, "answer")], "hello")))
        .route("/broken", route(async || StatusCode::BAD_GATEWAY))
        .layer(layer)
        .into_make_service_with_connect_info::<SocketAddr>();
    let (listener, address) = listener().await;
    tokio::spawn(async move { axum::serve(listener, app).await });
    address
}

#[test]
pub(in crate::middleware) fn a_request_is_described_in_each_vocabulary_on_both_sides() {
    run(async {
        for names in ALL {
            let (tracer, reporter) = tracer(names);
            let address = serve(&tracer).await;
            let middleware = TracingMiddleware::new(tracer.clone()).request_headers([WORD]);
            let http = ClientBuilder::new(reqwest_client())
                .with(middleware)
                .build();
            let request = http.get(format!("http://{address}/users/7?token=canary"));
            let request = request.header(USER_AGENT, "test/1").header(WORD, "ask");
            let answer = request.send().await.expect("an answer");
            assert_eq!(answer.text().await.expect("a body"), "hello");
            let spans = spans(&reporter, 2).await;
            let is_new = names == TagNames::OpenTelemetry;
            let (client, server) = (of_kind(&spans, "client"), of_kind(&spans, "server"));
            let name = if is_new { "GET" } else { "HTTP GET" };
            assert_eq!(client.operation_name, name, "{names}");
            assert_eq!(server.operation_name, "GET /users/{id}", "{names}");
            let url = format!("http://{address}/users/7?token=");
            assert_tags(
                names,
                client,
                &[
                    "http.method=GET",
                    &format!("http.url={url}"),
                    "http.status_code=200",
                    &format!("peer.address={address}"),
                    "http.header.x-word=ask",
                ],
                &[
                    "http.request.method=GET",
                    &format!("url.full={url}"),
                    "http.response.status_code=200",
                    "server.address=127.0.0.1",
                    &format!("server.port={}", address.port()),
                    "http.request.header.x-word=ask",
                ],
            );
            let port = server
                .tag("peer.port")
                .or_else(|| server.tag("network.peer.port"));
            assert!(port.is_some(), "{server:#?}");
            assert_tags(
                names,
                server,
                &[
                    "http.method=GET",
                    &format!("http.url={url}"),
                    "http.status_code=200",
                    "peer.ipv4=127.0.0.1",
                    "http.header.x-word=ask",
                    "http.header.user-agent=test/1",
                ],
                &[
                    "http.request.method=GET",
                    "url.scheme=http",
                    "url.path=/users/7",
                    "url.query=token=",
                    "http.route=/users/{id}",
                    "network.protocol.version=1.1",
                    "http.response.status_code=200",
                    "server.address=127.0.0.1",
                    &format!("server.port={}", address.port()),
                    "client.address=127.0.0.1",
                    "network.peer.address=127.0.0.1",
                    "http.request.header.x-word=ask",
                    "user_agent.original=test/1",
                ],
            );
            assert_eq!(server.tag_text("http.response.header.x-word"), "answer");
            assert!(!format!("{spans:?}").contains("canary"), "{spans:#?}");
        }
    });
}

#[test]
fn the_type_of_an_error_is_its_status_or_its_kind() {
    run(async {
        for names in ALL {
            let (tracer, reporter) = tracer(names);
            let address = serve(&tracer).await;
            let layer = ClientLayer::new(tracer.clone());
            let (_socket, closed) = closed_port();
            for (uri, expected) in [
                (format!("http://{address}/broken"), "error.type=502"),
                (format!("http://{closed}/"), "error.type=connect"),
            ] {
                let _ = layer.wrap(client()).oneshot(get(&uri)).await;
                let count = 1 + usize::from(uri.ends_with("broken"));
                for span in spans(&reporter, count).await {
                    assert_eq!(span.tag_text("error"), "true", "{names}");
                    assert_tags(names, &span, &[], &[expected]);
                }
                reporter.take();
            }
            let panics = service_fn(
                async |_: Request<()>| -> Result<http::Response<Empty<Bytes>>, _> {
                    if true {
                        panic!("as planned");
                    }
                    reply(200, Empty::new())
                },
            );
            let served = ServerLayer::new(tracer)
                .wrap(panics)
                .oneshot(Request::new(()));
            tokio::spawn(served).await.expect_err("a panic");
            let span = one_span(&reporter).await;
            assert_tags(names, &span, &[], &["error.type=panic"]);
        }
    });
}

#[test]
pub(in crate::middleware) fn an_unknown_method_is_other_and_a_request_without_a_host_has_a_path() {
    run(async {
        let (tracer, reporter) = tracer(TagNames::OpenTelemetry);
        let service = service_fn(async |_| reply(200, Empty::<Bytes>::new()));
        let service = ServerLayer::new(tracer).wrap(service);
        let mut request = Request::new(());
        *request.method_mut() = Method::from_bytes(b"BREW").expect("a method");
        *request.uri_mut() = "/pot?id=canary&to=https://canary".parse().expect("a URI");
        *request.version_mut() = http::Version::HTTP_2;
        service.oneshot(request).await.expect("infallible");
        let span = one_span(&reporter).await;
        assert_eq!(span.operation_name, "HTTP");
        for (key, value) in [
            ("http.request.method", "_OTHER"),
            ("http.request.method_original", "BREW"),
            ("url.scheme", "http"),
            ("url.path", "/pot"),
            ("url.query", "id=&to="),
            ("network.protocol.version", "2"),
            ("server.address", ""),
            ("client.address", ""),
            ("http.route", ""),
        ] {
            assert_eq!(span.tag_text(key), value, "{key}");
        }
    });
}

#[test]
fn a_request_that_only_looks_like_grpc_has_the_tags_of_http() {
    run(async {
        for names in ALL {
            let (tracer, reporter) = tracer(names);
            let service = service_fn(async |_| reply(404, Full::<Bytes>::default()));
            let request = Request::post("http://shop/canary.Service/Method")
                .header("content-type", HeaderValue::from_static("application/grpc"))
                .body(())
                .expect("a request");
            let server = ServerLayer::new(tracer).wrap(service);
            drop(server.oneshot(request).await);
            let span = one_span(&reporter).await;
            let is_new = names == TagNames::OpenTelemetry;
            let name = if is_new { "POST" } else { "HTTP POST" };
            assert_eq!(span.operation_name, name, "{names}");
            let path = "/canary.Service/Method";
            assert_tags(
                names,
                &span,
                &["http.method=POST", &format!("http.url=http://shop{path}")],
                &["http.request.method=POST", &format!("url.path={path}")],
            );
        }
    });
}

#[test]
pub(in crate::middleware) fn a_redirect_is_logged_in_the_vocabulary_of_the_span() {
    run(async {
        for names in ALL {
            let (tracer, reporter) = tracer(names);
            let to = async || axum::response::Redirect::to("/there?token=canary");
            let app = Router::new()
                .route("/here", route(to))
                .route("/there", route(async || "there"));
            let address = crate::support::web::serve(app).await;
            let each = TracingMiddleware::log_redirects(Policy::default());
            let http = reqwest_builder().redirect(each).build();
            let http = ClientBuilder::new(http.expect("a client"))
                .with(TracingMiddleware::new(tracer))
                .build();
            let answer = http.get(format!("http://{address}/here")).send().await;
            answer.expect("an answer").text().await.expect("a body");
            let span = one_span(&reporter).await;
            let mut urls = ["http.url", "url.full"];
            let mut statuses = ["http.status_code", "http.response.status_code"];
            if names == TagNames::OpenTelemetry {
                urls.reverse();
                statuses.reverse();
            }
            let url = format!("http://{address}/there?token=");
            for (event, [key, other], value) in [
                ("redirected", urls, &*url),
                ("redirect", urls, &url),
                ("redirect", statuses, "303"),
            ] {
                let told = log_field(&span, event, key);
                assert_eq!(told.as_deref(), Some(value), "{names}: {event}");
                assert_eq!(log_field(&span, event, other), None, "{names}: {event}");
            }
        }
    });
}
