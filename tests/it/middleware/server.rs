//! Tests of a server's layer, with axum and hyper over loopback and with services by hand.

mod filtered;
mod late;
mod names;
mod request_span;

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::{ConnectInfo, Path};
use axum::routing::get as route;
use bytes::Bytes;
use http::header::HeaderValue;
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt, Empty, Full};
use tower::{Service, ServiceExt, service_fn};
use tracehound::metrics::Counter;
use tracehound::middleware::ServerLayer;
use tracehound::prelude::*;
use tracehound::sampler::ConstSampler;
use tracehound::scope::active_span;
use tracehound::{JaegerTracer, NoopTracer};

use crate::support::web::{
    Fed, call, call_with, client, events, get, listener, log_field, one_span, reply, run, serve,
    spans, until,
};
use crate::support::{recording_builder, recording_tracer};

const PARENT: &str = "5b2b4e1f9d3a7c60:6ad04c2b18e7f935:0:1";

async fn user(Path(id): Path<String>) -> String {
    format!("user {id}")
}

fn app(tracer: &JaegerTracer) -> Router {
    Router::new()
        .route("/users/{id}", route(user))
        .layer(ServerLayer::new(tracer.clone()))
}

#[test]
fn an_axum_request_has_a_span_named_after_its_route() {
    run(async {
        let (tracer, reporter) = recording_tracer();
        let address = serve(app(&tracer)).await;
        let (status, body) = call(format!("http://{address}/users/7?page=2&token")).await;
        assert_eq!((status, &*body), (StatusCode::OK, &b"user 7"[..]));
        let span = one_span(&reporter).await;
        assert_eq!(span.operation_name, "GET /users/{id}");
        assert_eq!(span.parent_id, None);
        let rows = [
            ("span.kind", "server"),
            ("component", "tower"),
            ("http.method", "GET"),
            ("http.url", &*format!("http://{address}/users/7?page=")),
            ("http.status_code", "200"),
            ("http.response_size", "6"),
            ("error", ""),
            ("peer.ipv4", ""),
        ];
        for (key, value) in rows {
            assert_eq!(span.tag_text(key), value, "{key}");
        }
    });
}

#[test]
fn the_span_kind_is_known_when_the_span_starts() {
    // Only a server span that joins a sampled trace is counted as joined.
    run(async {
        let (tracer, _reporter) = recording_tracer();
        let mut request = Request::new(());
        let parent = HeaderValue::from_static(PARENT);
        request.headers_mut().insert("uber-trace-id", parent);
        let server = ServerLayer::new(tracer.clone())
            .wrap(service_fn(|_| async { reply(200, Empty::<Bytes>::new()) }));
        server.oneshot(request).await.expect("infallible");
        assert_eq!(tracer.metrics().get(Counter::TracesJoinedSampled), 1);
    });
}

#[test]
fn the_callers_context_is_the_parent() {
    run(async {
        let (tracer, reporter) = recording_tracer();
        let address = serve(app(&tracer)).await;
        let mut request = get(format!("http://{address}/users/7"));
        let parent = HeaderValue::from_static(PARENT);
        request.headers_mut().insert("uber-trace-id", parent);
        call_with(request).await;
        let span = one_span(&reporter).await;
        assert_eq!(span.trace_id.to_string(), "5b2b4e1f9d3a7c60");
        let parent = span.parent_id.expect("a parent");
        assert_eq!(parent.to_string(), "6ad04c2b18e7f935");
    });
}

#[test]
fn the_last_valid_context_is_the_parent() {
    run(async {
        let (tracer, reporter) = recording_tracer();
        let address = serve(app(&tracer)).await;
        let mut request = get(format!("http://{address}/users/7"));
        for value in ["1:2:0:1", PARENT, "broken"] {
            let value = HeaderValue::from_static(value);
            request.headers_mut().append("uber-trace-id", value);
        }
        assert_eq!(call_with(request).await.0, 200);
        let span = one_span(&reporter).await;
        assert_eq!(span.trace_id.to_string(), "5b2b4e1f9d3a7c60");
    });
}

#[test]
fn a_malformed_context_is_counted_and_the_request_starts_a_trace() {
    run(async {
        let headers: [&[u8]; 4] = [b"1:2:3", b"x:y:z:1", b"\xff\xfe", b"1:2:0:100"];
        for value in headers {
            let (tracer, reporter) = recording_tracer();
            let address = serve(app(&tracer)).await;
            let mut request = get(format!("http://{address}/users/7"));
            let value = HeaderValue::from_bytes(value).expect("legal");
            request.headers_mut().insert("uber-trace-id", value.clone());
            assert_eq!(call_with(request).await.0, 200, "{value:?}");
            let span = one_span(&reporter).await;
            assert_eq!(span.parent_id, None, "{value:?}");
            let errors = tracer.metrics().get(Counter::DecodingErrors);
            assert_eq!(errors, 1, "{value:?}");
        }
    });
}

#[test]
fn a_request_without_a_context_starts_a_root_even_under_an_active_span() {
    run(async {
        let (tracer, reporter) = recording_tracer();
        let other = tracer.start_span("other");
        let _scope = other.activate();
        let handler = service_fn(|_: Request<()>| async { reply(200, Empty::<Bytes>::new()) });
        let mut server = ServerLayer::new(tracer.clone()).wrap(handler);
        drop(server.call(Request::new(())));
        let span = one_span(&reporter).await;
        assert_eq!(span.parent_id, None);
        assert_ne!(Some(span.trace_id), other.context().trace_id());
        assert_eq!(active_span().context(), other.context());
    });
}

#[test]
fn only_a_status_of_5xx_is_an_error() {
    run(async {
        for (status, is_error) in [
            (200, false),
            (404, false),
            (499, false),
            (500, true),
            (503, true),
        ] {
            let (tracer, reporter) = recording_tracer();
            let handler =
                service_fn(
                    move |_: Request<()>| async move { reply(status, Empty::<Bytes>::new()) },
                );
            let server = ServerLayer::new(tracer).wrap(handler);
            server.oneshot(Request::new(())).await.expect("infallible");
            let span = one_span(&reporter).await;
            assert_eq!(span.tag_text("http.status_code"), status.to_string());
            assert_eq!(span.tag("error").is_some(), is_error, "{status}");
            assert_eq!(events(&span), [""; 0]);
        }
    });
}

#[test]
fn a_failing_service_is_an_error() {
    run(async {
        let (tracer, reporter) = recording_tracer();
        let handler = service_fn(|_: Request<()>| async {
            let cause = std::io::Error::other("no such table");
            Err::<Response<Empty<Bytes>>, tower::BoxError>(Box::new(cause))
        });
        let server = ServerLayer::new(tracer).wrap(handler);
        let error = server.oneshot(Request::new(())).await.expect_err("failed");
        assert!(error.is::<std::io::Error>());
        let span = one_span(&reporter).await;
        assert_eq!(span.tag_text("error"), "true");
        let message = log_field(&span, "error", "message");
        assert_eq!(message.as_deref(), Some("no such table"));
        assert!(span.tag("http.status_code").is_none());
    });
}

#[test]
pub(in crate::middleware) fn the_callers_address_is_recorded_if_the_server_tells_it() {
    run(async {
        for (address, key) in [
            ("10.1.2.3:4567", "peer.ipv4"),
            ("[fe80::1]:4567", "peer.ipv6"),
            // A listener on `[::]` sees an IPv4 caller like this.
            ("[::ffff:10.1.2.3]:4567", "peer.ipv4"),
        ] {
            let (tracer, reporter) = recording_tracer();
            let address: SocketAddr = address.parse().expect("an address");
            let mut request = Request::new(axum::body::Body::empty());
            request.extensions_mut().insert(ConnectInfo(address));
            app(&tracer).oneshot(request).await.expect("infallible");
            let span = one_span(&reporter).await;
            assert_eq!(span.tag_text(key), address.ip().to_canonical().to_string());
            assert_eq!(span.tag_text("peer.port"), "4567");
            let peers = ["peer.ipv4", "peer.ipv6"].map(|key| span.tag(key).is_some());
            assert_ne!(peers[0], peers[1], "{address}");
        }
    });
}

#[test]
fn an_axum_server_with_connect_info_tells_the_callers_address() {
    run(async {
        let (tracer, reporter) = recording_tracer();
        let (listener, address) = listener().await;
        let app = app(&tracer).into_make_service_with_connect_info::<SocketAddr>();
        tokio::spawn(async move { axum::serve(listener, app).await });
        call(format!("http://{address}/users/7")).await;
        let span = one_span(&reporter).await;
        assert_eq!(span.tag_text("peer.ipv4"), "127.0.0.1");
        assert!(span.tag("peer.port").is_some());
    });
}

#[test]
fn an_address_in_the_extensions_is_the_callers() {
    run(async {
        let (tracer, reporter) = recording_tracer();
        let mut request = Request::new(());
        let address: SocketAddr = "10.1.2.3:4567".parse().expect("an address");
        request.extensions_mut().insert(address);
        let server = ServerLayer::new(tracer)
            .wrap(service_fn(|_| async { reply(200, Empty::<Bytes>::new()) }));
        server.oneshot(request).await.expect("infallible");
        let span = one_span(&reporter).await;
        assert_eq!(span.tag_text("peer.ipv4"), "10.1.2.3");
        assert_eq!(span.tag_text("peer.port"), "4567");
    });
}

#[test]
fn a_disabled_tracer_leaves_requests_untouched() {
    run(async {
        let seen = Arc::new(Mutex::new(None));
        let note = seen.clone();
        let handler = service_fn(move |request: Request<()>| {
            *note.lock().unwrap() = Some(request.extensions().is_empty());
            async { reply(200, Full::<Bytes>::from("all")) }
        });
        let server = ServerLayer::new(NoopTracer)
            .operation_name(|_| unreachable!("nothing is to be named"))
            .wrap(handler);
        let response = server.oneshot(Request::new(())).await.expect("infallible");
        let body = response.into_body().collect().await.expect("infallible");
        assert_eq!(body.to_bytes(), "all");
        assert_eq!(*seen.lock().unwrap(), Some(true));
    });
}

#[test]
fn an_unsampled_request_has_a_context_for_its_children() {
    run(async {
        let (builder, reporter) = recording_builder();
        let tracer = builder.sampler(ConstSampler::new(false)).build();
        let tracer = tracer.expect("the service has a name");
        let inner = tracer.clone();
        let handler = service_fn(move |_: Request<()>| {
            let (parent, child) = (active_span().context(), inner.start_span("child").context());
            assert!(parent.has_trace() && !parent.is_sampled());
            assert_eq!(child.parent_id(), parent.span_id());
            async { reply(500, Empty::<Bytes>::new()) }
        });
        let server = ServerLayer::new(tracer.clone()).wrap(handler);
        server.oneshot(Request::new(())).await.expect("infallible");
        let metrics = tracer.metrics();
        assert_eq!(metrics.get(Counter::FinishedSpansUnsampled), 2);
        assert!(reporter.spans().is_empty());
    });
}

#[test]
fn a_caller_that_disconnects_during_the_body_cancels_the_request() {
    run(async {
        let (tracer, reporter) = recording_tracer();
        let (feeder, body) = Fed::new();
        let body = Arc::new(Mutex::new(Some(body)));
        let handler = move || {
            let body = body.lock().unwrap().take().expect("one request");
            async { axum::body::Body::new(body) }
        };
        let app = Router::new()
            .route("/", route(handler))
            .layer(ServerLayer::new(tracer.clone()));
        let address = serve(app).await;
        feeder.data("one");
        let response = client().request(get(format!("http://{address}/"))).await;
        let mut response = response.expect("an answer");
        response.frame().await.expect("a frame").expect("no error");
        assert!(reporter.spans().is_empty());
        drop(response);
        until("the server to notice", || feeder.is_closed().then_some(())).await;
        let span = one_span(&reporter).await;
        assert_eq!(events(&span), ["headers_sent", "cancelled"]);
        assert_eq!(span.tag_text("http.cancelled"), "true");
        assert!(span.tag("error").is_none());
        assert_eq!(tracer.metrics().get(Counter::FinishedTwice), 0);
    });
}

#[test]
fn a_caller_that_disconnects_before_the_head_cancels_the_request() {
    run(async {
        let (tracer, reporter) = recording_tracer();
        let (started, mut is_started) = tokio::sync::mpsc::unbounded_channel();
        let handler = move || {
            let _ = started.send(());
            std::future::pending::<()>()
        };
        let app = Router::new()
            .route("/", route(handler))
            .layer(ServerLayer::new(tracer));
        let address = serve(app).await;
        let client = client();
        let request = client.request(get(format!("http://{address}/")));
        tokio::select! {
            _ = request => unreachable!("there is no answer"),
            started = is_started.recv() => assert!(started.is_some()),
        }
        drop(client);
        let span = one_span(&reporter).await;
        assert_eq!(events(&span), ["cancelled"]);
        assert!(span.tag("http.status_code").is_none());
    });
}

#[test]
fn a_panic_in_an_axum_handler_is_an_error_and_the_server_continues() {
    run(async {
        let (tracer, reporter) = recording_tracer();
        async fn fail() {
            panic!("in the handler");
        }
        let app = app(&tracer).merge(
            Router::new()
                .route("/panic", route(fail))
                .layer(ServerLayer::new(tracer)),
        );
        let address = serve(app).await;
        let failed = client()
            .request(get(format!("http://{address}/panic")))
            .await;
        assert!(failed.is_err());
        let span = one_span(&reporter).await;
        assert_eq!(span.tag_text("error"), "true");
        assert_eq!(events(&span), ["panic"]);
        assert_eq!(call(format!("http://{address}/users/7")).await.0, 200);
        assert!(spans(&reporter, 2).await[1].tag("error").is_none());
    });
}

#[test]
fn the_responses_of_a_real_server_end_their_spans() {
    run(async {
        let app = |tracer: &JaegerTracer| {
            Router::new()
                .route("/text", route(|| async { "text" }))
                .route("/empty", route(|| async {}))
                .route("/204", route(|| async { StatusCode::NO_CONTENT }))
                .route("/304", route(|| async { StatusCode::NOT_MODIFIED }))
                .route(
                    "/length",
                    route(|| async {
                        let (feeder, body) = Fed::with_length(4);
                        feeder.data("text");
                        // The sender stays, so the stream never ends.
                        std::mem::forget(feeder);
                        axum::body::Body::new(body)
                    }),
                )
                .layer(ServerLayer::new(tracer.clone()))
        };
        let rows = [
            ("GET", "/text"),
            ("HEAD", "/text"),
            ("GET", "/empty"),
            ("GET", "/204"),
            ("GET", "/304"),
            ("GET", "/length"),
        ];
        for (method, path) in rows {
            let (tracer, reporter) = recording_tracer();
            let address = serve(app(&tracer)).await;
            let request = Request::builder()
                .method(method)
                .uri(format!("http://{address}{path}"))
                .body(Full::default());
            call_with(request.expect("a request")).await;
            let span = one_span(&reporter).await;
            assert!(span.tag("http.cancelled").is_none(), "{method} {path}");
            assert_eq!(tracer.metrics().get(Counter::FinishedTwice), 0);
        }
    });
}
