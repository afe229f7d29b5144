//! Tests that no secret is recorded. Every secret in these requests and responses contains `canary`.

use std::convert::Infallible;

use axum::Router;
use axum::routing::any;
use bytes::Bytes;
use http::header::{self, HeaderName, HeaderValue};
use http::{HeaderMap, Request, StatusCode};
use http_body_util::{BodyExt, Full};
use reqwest_middleware::ClientBuilder;
use tonic::metadata::MetadataValue;
use tower::{ServiceExt, service_fn};
use tracehound::middleware::{ClientLayer, SendTraced, ServerLayer, TracingMiddleware};
use tracehound::reporter::{InMemoryReporter, OwnedSpan};

use crate::closed_port::closed_port;
use crate::support::grpc::{self, UNARY, channel, unary};
use crate::support::recording_tracer;
use crate::support::web::{client, of_kind, reply, reqwest_client, run, serve, spans};

const SECRET_HEADERS: [&str; 7] = [
    "authorization",
    "proxy-authorization",
    "cookie",
    "set-cookie",
    "x-api-key",
    "x-auth-token",
    "client-secret",
];

const SECRET_PATH: &str = "/shop;jsessionid=canary-1?id=canary-2&canary-3&x=a:canary-4@b";

/// A header that is secret only because its value is marked as sensitive. Servers do not see the mark.
const MARKED: HeaderName = HeaderName::from_static("x-marked");

/// Returns the names of all secret headers, to request them from a layer.
fn names() -> impl Iterator<Item = HeaderName> {
    SECRET_HEADERS.into_iter().map(HeaderName::from_static)
}

fn secret_headers() -> HeaderMap {
    let mut headers = HeaderMap::new();
    let secret = HeaderValue::from_static("Bearer canary-header");
    headers.extend(names().map(|name| (name, secret.clone())));
    let mut secret = HeaderValue::from_static("canary-sensitive");
    secret.set_sensitive(true);
    headers.insert(MARKED, secret);
    headers.insert("uberctx-user", HeaderValue::from_static("canary-baggage"));
    headers.insert("jaeger-baggage", HeaderValue::from_static("k=canary-item"));
    headers.insert("x-unasked", HeaderValue::from_static("canary-unasked"));
    headers
}

async fn answer() -> (StatusCode, HeaderMap, &'static str) {
    (
        StatusCode::INTERNAL_SERVER_ERROR,
        secret_headers(),
        "canary-response",
    )
}

async fn redirect() -> (StatusCode, [(HeaderName, &'static str); 1]) {
    let location = "/answer?token=canary-redirect";
    (
        StatusCode::TEMPORARY_REDIRECT,
        [(header::LOCATION, location)],
    )
}

/// Waits for `count` spans and checks that no canary is in them.
async fn clean(reporter: &InMemoryReporter, count: usize) -> Vec<OwnedSpan> {
    let spans = spans(reporter, count).await;
    let text = format!("{spans:#?}");
    assert!(!text.contains("canary"), "{text}");
    spans
}

#[test]
fn no_http_secret_is_recorded() {
    run(async {
        let (tracer, reporter) = recording_tracer();
        let layer = ServerLayer::new(tracer.clone())
            .request_headers(names())
            .response_headers(names());
        let app = Router::new()
            .route("/answer", any(answer))
            .route("/redirect", any(redirect))
            .fallback(answer)
            .layer(layer);
        let address = serve(app).await;
        let layer = ClientLayer::new(tracer.clone())
            .request_headers(names().chain([MARKED]))
            .response_headers(names());
        let mut request = Request::post(format!("http://{address}{SECRET_PATH}"))
            .body(Full::<Bytes>::from("canary-request"))
            .expect("a request");
        request.headers_mut().extend(secret_headers());
        let response = layer
            .wrap(client())
            .oneshot(request)
            .await
            .expect("an answer");
        let body = response.into_body().collect().await.expect("a body");
        assert_eq!(body.to_bytes(), "canary-response");
        for span in clean(&reporter, 2).await {
            let url = format!("http://{address}/shop;jsessionid=?id=&x=");
            assert_eq!(span.tag_text("http.url"), url);
        }

        let middleware = TracingMiddleware::new(tracer.clone())
            .request_headers(names().chain([MARKED]))
            .response_headers(names());
        let http = ClientBuilder::new(reqwest_client())
            .with(middleware)
            .build();
        let url = |path: &str| format!("http://canary-user:canary-pass@{address}{path}");
        let request = http
            .post(url("/redirect?token=canary"))
            .headers(secret_headers());
        request.body("canary").send().await.expect("an answer");
        let request = reqwest_client().get(url(SECRET_PATH));
        request.send_traced(&tracer).await.expect("an answer");
        clean(&reporter, 2 + 3 + 2).await;
    });
}

#[test]
fn no_url_secret_of_a_failed_request_is_recorded() {
    run(async {
        let (tracer, reporter) = recording_tracer();
        let (_socket, address) = closed_port();
        let url = format!("http://canary-user:canary-pass@{address}{SECRET_PATH}#canary");
        let request = reqwest_client().get(&url);
        let error = request.send_traced(&tracer).await.expect_err("refused");
        assert!(error.to_string().contains("canary"), "{error}");
        let http = ClientBuilder::new(reqwest_client())
            .with(TracingMiddleware::new(tracer.clone()))
            .build();
        http.get(&url).send().await.expect_err("refused");
        let failing = service_fn(|request: Request<()>| async move {
            let text = format!("cannot call <{}>", request.uri());
            Err::<http::Response<Full<Bytes>>, _>(std::io::Error::other(text))
        });
        let uri = format!("http://canary-user:canary-pass@{address}{SECRET_PATH}");
        for is_server in [false, true] {
            let request = Request::get(&uri).body(()).expect("a request");
            if is_server {
                let server = ServerLayer::new(tracer.clone()).wrap(failing);
                server.oneshot(request).await.expect_err("failed");
            } else {
                let client = ClientLayer::new(tracer.clone()).wrap(failing);
                client.oneshot(request).await.expect_err("failed");
            }
        }
        for span in clean(&reporter, 4).await {
            let text = format!("{:?}", span.logs);
            assert!(text.contains(&format!("{address}/shop")), "{text}");
        }
    });
}

#[test]
fn no_secret_in_a_host_header_is_recorded() {
    run(async {
        let (tracer, reporter) = recording_tracer();
        let server = ServerLayer::new(tracer).wrap(service_fn(|_: Request<()>| async {
            reply(200, Full::<Bytes>::default())
        }));
        let request = Request::get("/")
            .header("host", "canary-user:canary-pass@shop")
            .body(());
        let sent = server.oneshot(request.expect("a request")).await;
        sent.expect("infallible");
        let span = clean(&reporter, 1).await.remove(0);
        assert_eq!(span.tag_text("http.url"), "http://shop/");
    });
}

#[test]
fn a_host_header_that_is_no_authority_is_not_recorded() {
    let hosts = [
        "evil/../?token=canary&x",
        "evil?token=canary",
        "evil#canary",
        "evil;token=canary",
        "evil canary:80",
        "evil:canary",
        "[canary]",
        "canary\\evil",
        "\"canary\"",
        "canary,evil",
        "canary@evil/@x y",
    ];
    run(async {
        let (tracer, reporter) = recording_tracer();
        let server = ServerLayer::new(tracer).wrap(service_fn(|_: Request<()>| async {
            reply(200, Full::<Bytes>::default())
        }));
        for host in hosts {
            let request = Request::get("/cart?id=canary").header("host", host);
            let request = request.body(()).expect("a request");
            let sent = server.clone().oneshot(request).await;
            sent.expect("infallible");
        }
        for span in clean(&reporter, hosts.len()).await {
            assert_eq!(span.tag_text("http.url"), "/cart?id=");
        }
    });
}

/// Returns texts that quote a URL, as errors, messages and headers do. Its password holds one of the separators.
fn quotes() -> impl Iterator<Item = String> {
    let separators = [
        "#", "?", "/", "@", ":", " ", "\t", "\"", "'", "`", "\\", "(", ")", "[", "<", ">", "&",
        "%40", "://",
    ];
    let around = [
        ("", ""),
        ("cannot reach ", ": refused"),
        ("url (", "): refused"),
        ("\"", "\", "),
        ("{\"url\":\"", "\",\"e\":\"x\"}"),
        ("see http://docs/ and '", "'"),
    ];
    separators.into_iter().flat_map(move |separator| {
        around.into_iter().flat_map(move |(before, after)| {
            let password = format!("p{separator}canary{separator}canary");
            [
                format!("{before}pg://canary:{password}@shop/d{after}"),
                format!("{before}canary:{password}@shop/d{after}"),
                format!("{before}http://shop/?k=canary&l=canary#canary{after}"),
            ]
        })
    })
}

#[test]
fn no_url_secret_in_an_error_is_recorded() {
    run(async {
        let (tracer, reporter) = recording_tracer();
        let failing = service_fn(|request: Request<String>| async move {
            let cause = std::io::Error::other(request.body().clone());
            Err::<http::Response<Full<Bytes>>, _>(std::io::Error::other(cause))
        });
        let texts: Vec<_> = quotes().collect();
        for text in &texts {
            let client = ClientLayer::new(tracer.clone()).wrap(failing);
            let request = Request::get("http://shop/").body(text.clone());
            let failed = client.oneshot(request.expect("a request")).await;
            failed.expect_err("failed");
        }
        for (span, text) in clean(&reporter, texts.len()).await.iter().zip(&texts) {
            let logs = format!("{:?}", span.logs);
            assert!(
                logs.contains("shop/") || logs.contains('…'),
                "{text}: {logs}"
            );
            assert!(
                !text.contains("refused") || logs.contains("refused"),
                "{text}: {logs}"
            );
        }
    });
}

#[test]
fn no_url_secret_in_a_grpc_message_is_recorded() {
    run(async {
        let (tracer, reporter) = recording_tracer();
        let texts: Vec<_> = quotes().collect();
        for text in &texts {
            let text = text.clone();
            let failing = service_fn(move |_: Request<()>| {
                let status = tonic::Status::internal(text.clone());
                async move { Ok::<http::Response<Full<Bytes>>, Infallible>(status.into_http()) }
            });
            let request = Request::post(UNARY).header("content-type", "application/grpc");
            let request = request.body(()).expect("a request");
            let client = ClientLayer::new(tracer.clone()).wrap(failing);
            client.oneshot(request).await.expect("a head");
        }
        clean(&reporter, texts.len()).await;
    });
}

#[test]
fn no_url_secret_in_a_header_is_recorded() {
    run(async {
        let (tracer, reporter) = recording_tracer();
        let server = ServerLayer::new(tracer).request_headers([header::REFERER]);
        let server = server.wrap(service_fn(|_: Request<()>| async {
            reply(200, Full::<Bytes>::default())
        }));
        let mut count = 0;
        for text in quotes() {
            let request = Request::get("/").header(header::REFERER, text);
            let request = request.body(()).expect("a request");
            let sent = server.clone().oneshot(request).await;
            sent.expect("infallible");
            count += 1;
        }
        clean(&reporter, count).await;
    });
}

#[test]
fn no_grpc_secret_is_recorded() {
    run(async {
        let (tracer, reporter) = recording_tracer();
        let layer = ServerLayer::new(tracer.clone())
            .request_headers(names())
            .response_headers(names());
        let address = grpc::serve(layer).await;
        let layer = ClientLayer::new(tracer.clone())
            .request_headers(names())
            .response_headers(names());
        let messages = [
            "canary-message",
            "early 13 see http://canary-user:canary-pass@shop/?token=canary",
        ];
        for (n, message) in messages.into_iter().enumerate() {
            let mut request = tonic::Request::new(message.to_owned());
            let metadata = MetadataValue::from_static("Bearer canary-metadata");
            for name in SECRET_HEADERS {
                request.metadata_mut().insert(name, metadata.clone());
            }
            request.metadata_mut().insert("x-unasked", metadata);
            let bytes = MetadataValue::from_bytes(b"canary-bytes");
            request.metadata_mut().insert_bin("x-bin", bytes);
            let service = layer.wrap(channel(address));
            let _ = unary(service, request).await;
            clean(&reporter, (n + 1) * 2).await;
        }
        let calls = reporter.spans();
        let failed = format!("{:?}", of_kind(&calls[2..], "client").logs);
        assert!(failed.contains("see http://shop/?token="), "{failed}");
    });
}

#[test]
fn no_secret_in_the_metadata_of_a_status_is_recorded() {
    run(async {
        let (tracer, reporter) = recording_tracer();
        let failing = service_fn(|_: Request<()>| async {
            let mut status = tonic::Status::with_details(
                tonic::Code::Internal,
                "no",
                Bytes::from_static(b"canary-details"),
            );
            let metadata = MetadataValue::from_static("canary-metadata");
            status.metadata_mut().insert("x-api-key", metadata);
            Ok::<http::Response<Full<Bytes>>, tonic::Status>(status.into_http())
        });
        let broken = service_fn(|_: Request<()>| async {
            let mut status = tonic::Status::internal("no");
            let metadata = MetadataValue::from_static("canary-metadata");
            status.metadata_mut().insert("x-api-key", metadata);
            Err::<http::Response<Full<Bytes>>, _>(status)
        });
        let request = || {
            let request = Request::post(UNARY).header("content-type", "application/grpc");
            request.body(()).expect("a request")
        };
        let layer = ClientLayer::new(tracer.clone());
        layer
            .wrap(failing)
            .oneshot(request())
            .await
            .expect("a head");
        layer
            .wrap(broken)
            .oneshot(request())
            .await
            .expect_err("failed");
        for span in clean(&reporter, 2).await {
            assert_eq!(span.tag_text("response_code"), "Internal");
        }
    });
}

#[test]
fn the_request_itself_keeps_its_secrets() {
    run(async {
        let (tracer, _reporter) = recording_tracer();
        let handler = service_fn(|request: Request<()>| async move {
            let (parts, ()) = request.into_parts();
            for (name, value) in secret_headers() {
                let name = name.expect("one value each");
                assert_eq!(parts.headers.get(&name), Some(&value), "{name}");
            }
            assert_eq!(parts.uri, SECRET_PATH);
            Ok::<_, Infallible>(http::Response::new(Full::<Bytes>::default()))
        });
        let mut request = Request::get(SECRET_PATH).body(()).expect("a request");
        *request.headers_mut() = secret_headers();
        let server = ServerLayer::new(tracer).wrap(handler);
        server.oneshot(request).await.expect("infallible");
    });
}
