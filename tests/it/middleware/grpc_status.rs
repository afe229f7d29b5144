//! Tests of how the status of a gRPC call is recorded, with tonic over loopback.

mod claims;

use std::convert::Infallible;
use std::net::SocketAddr;
use std::time::Duration;

use http_body_util::Empty;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::sync::mpsc;
use tonic::Code;
use tonic::transport::Server;
use tower::service_fn;
use tracehound::middleware::{ClientLayer, ServerLayer};

use crate::closed_port::closed_port;
use crate::support::grpc::{self, World, channel, message, outcome, stream, unary};
use crate::support::recording_tracer;
use crate::support::web::{Fed, events, listener, log_field, of_kind, one_span, run, spans};

#[test]
fn a_status_is_recorded_by_the_rules_of_otgrpc() {
    run(async {
        let rows = [
            (1, "Canceled", "2xx", false, false),
            (2, "Unknown", "0xx", true, true),
            (3, "InvalidArgument", "4xx", true, false),
            (4, "DeadlineExceeded", "5xx", true, true),
            (5, "NotFound", "4xx", true, false),
            (6, "AlreadyExists", "4xx", true, false),
            (7, "PermissionDenied", "4xx", true, false),
            (8, "ResourceExhausted", "5xx", true, true),
            (9, "FailedPrecondition", "4xx", true, false),
            (10, "Aborted", "5xx", true, true),
            (11, "OutOfRange", "4xx", true, false),
            (12, "Unimplemented", "5xx", true, true),
            (13, "Internal", "5xx", true, true),
            (14, "Unavailable", "5xx", true, true),
            (15, "DataLoss", "5xx", true, true),
            (16, "Unauthenticated", "4xx", true, false),
        ];
        for (code, name, class, on_client, on_server) in rows {
            for when in ["early", "late"] {
                let world = World::new().await;
                let request = message(&format!("{when} {code} no: \u{e9} 100%"));
                let status = if when == "early" {
                    unary(world.client(), request).await.expect_err(name)
                } else {
                    let mut answers = stream(world.client(), request).await.expect("a head");
                    answers.message().await.expect("one message");
                    answers.message().await.expect_err(name)
                };
                assert_eq!(status.code(), Code::from(code));
                let (client, server) = world.both().await;
                for (span, is_error) in [(client, on_client), (server, on_server)] {
                    let error = if is_error { "true" } else { "" };
                    let side = span.tag_text("span.kind");
                    assert_eq!(outcome(&span), [name, class, error], "{when} on {side}");
                    let text = log_field(&span, "error", "message");
                    assert_eq!(text.as_deref(), Some("no: \u{e9} 100%"), "{when} on {side}");
                }
            }
        }
    });
}

#[test]
fn a_refused_connection_is_unavailable() {
    run(async {
        let (tracer, reporter) = recording_tracer();
        let (_socket, address) = closed_port();
        let service = ClientLayer::new(tracer.clone()).wrap(channel(address));
        let status = unary(service, message("hello")).await.expect_err("refused");
        assert_eq!(status.code(), Code::Unavailable);
        let span = one_span(&reporter).await;
        assert_eq!(outcome(&span), ["Unavailable", "5xx", "true"]);
        assert_eq!(
            log_field(&span, "error", "error.kind").as_deref(),
            Some("connect")
        );
        let object = log_field(&span, "error", "error.object").expect("an error");
        assert!(object.contains("refused"), "{object}");
    });
}

/// Answers every request with a response from `reply`, over HTTP/2.
pub(super) async fn serve_raw<B>(reply: fn() -> http::Response<B>) -> SocketAddr
where
    B: http_body::Body<Data = bytes::Bytes, Error: Into<tower::BoxError>> + Send + 'static,
{
    let (listener, address) = listener().await;
    let service = hyper::service::service_fn(move |_| async move { Ok::<_, Infallible>(reply()) });
    tokio::spawn(async move {
        let (stream, _) = listener.accept().await.expect("a connection");
        let server = hyper::server::conn::http2::Builder::new(TokioExecutor::new());
        let _ = server.serve_connection(TokioIo::new(stream), service).await;
    });
    address
}

pub(super) fn grpc_reply<B>(body: B) -> http::Response<B> {
    let response = http::Response::builder().header("content-type", "application/grpc");
    response.body(body).expect("a response")
}

#[test]
fn a_stream_without_a_status_is_unknown() {
    run(async {
        let (tracer, reporter) = recording_tracer();
        let address = serve_raw(|| grpc_reply(Empty::new())).await;
        let service = ClientLayer::new(tracer.clone()).wrap(channel(address));
        let status = unary(service, message("hello"))
            .await
            .expect_err("no status");
        assert_eq!(status.code(), Code::Unknown);
        let span = one_span(&reporter).await;
        assert_eq!(outcome(&span), ["Unknown", "0xx", "true"]);
        let text = log_field(&span, "error", "message");
        assert_eq!(text.as_deref(), Some("the status is missing"));
    });
}

#[test]
fn a_response_that_is_not_grpc_has_the_code_of_its_http_status() {
    fn reply(status: u16) -> http::Response<Empty<bytes::Bytes>> {
        let response = http::Response::builder().status(status);
        response.body(Empty::new()).expect("a response")
    }
    run(async {
        let rows: [(fn() -> _, _, _); 6] = [
            (|| reply(400), "Internal", Code::Internal),
            (|| reply(401), "Unauthenticated", Code::Unauthenticated),
            (|| reply(403), "PermissionDenied", Code::PermissionDenied),
            (|| reply(404), "Unimplemented", Code::Unimplemented),
            (|| reply(503), "Unavailable", Code::Unavailable),
            (|| reply(418), "Unknown", Code::Unknown),
        ];
        for (reply, name, code) in rows {
            let (tracer, reporter) = recording_tracer();
            let address = serve_raw(reply).await;
            let service = ClientLayer::new(tracer.clone()).wrap(channel(address));
            let status = unary(service, message("hello")).await.expect_err(name);
            assert_eq!(status.code(), code);
            let span = one_span(&reporter).await;
            assert_eq!(span.tag_text("response_code"), name);
            assert_eq!(span.tag_text("error"), "true", "{name}");
        }
    });
}

#[test]
fn a_stream_that_the_server_breaks_off_is_an_error_on_the_client() {
    run(async {
        let (tracer, reporter) = recording_tracer();
        let address = serve_raw(|| {
            let (feeder, body) = Fed::new();
            // The frame of a message of one byte.
            feeder.data("\0\0\0\0\u{1}x");
            feeder.fail("the disk is gone");
            grpc_reply(body)
        })
        .await;
        let service = ClientLayer::new(tracer.clone()).wrap(channel(address));
        let broken = match stream(service, message("hello")).await {
            Ok(mut answers) => loop {
                match answers.message().await {
                    Ok(Some(_)) => {}
                    Ok(None) => break None,
                    Err(status) => break Some(status),
                }
            },
            Err(status) => Some(status),
        };
        broken.expect("an error");
        let span = one_span(&reporter).await;
        assert_eq!(span.tag_text("error"), "true");
        assert!(span.tag("response_code").is_some());
        assert_eq!(events(&span), ["error"]);
    });
}

#[test]
fn a_deadline_that_passes_on_the_client_is_an_error() {
    run(async {
        let (tracer, reporter) = recording_tracer();
        // The listener takes connections and never answers.
        let (_listener, address) = listener().await;
        let service = ClientLayer::new(tracer.clone()).wrap(channel(address));
        let mut request = message("hello");
        request.set_timeout(Duration::from_millis(1));
        let status = unary(service, request).await.expect_err("late");
        let span = one_span(&reporter).await;
        assert_eq!(outcome(&span), ["DeadlineExceeded", "5xx", "true"]);
        // tonic reports a timeout as Cancelled, unlike other gRPC clients.
        assert_eq!(status.code(), Code::Cancelled);
        let kind = log_field(&span, "error", "error.kind");
        assert_eq!(kind.as_deref(), Some("timeout"));
    });
}

#[test]
fn a_deadline_that_passes_on_the_server_cancels_the_handler() {
    run(async {
        let (tracer, reporter) = recording_tracer();
        let server = Server::builder().timeout(Duration::from_millis(1));
        let layer = ServerLayer::new(tracer.clone());
        let (started, _is_started) = mpsc::unbounded_channel();
        let address = grpc::serve_by(server, layer, grpc::silent(started)).await;
        let service = ClientLayer::new(tracer.clone()).wrap(channel(address));
        let status = unary(service, message("hello")).await.expect_err("late");
        let spans = spans(&reporter, 2).await;
        let (client, server) = (of_kind(&spans, "client"), of_kind(&spans, "server"));
        assert_eq!(outcome(server), ["Canceled", "2xx", ""]);
        assert_eq!(events(server), ["cancelled"]);
        assert_eq!(outcome(client), ["DeadlineExceeded", "5xx", "true"]);
        assert_eq!(status.code(), Code::Cancelled);
    });
}

#[test]
fn a_call_that_fails_as_cancelled_is_no_error() {
    run(async {
        let (tracer, reporter) = recording_tracer();
        let sender = service_fn(|_: http::Request<tonic::body::Body>| async {
            Err::<http::Response<tonic::body::Body>, _>(tonic::Status::cancelled("given up"))
        });
        let service = ClientLayer::new(tracer).wrap(sender);
        unary(service, message("hello"))
            .await
            .expect_err("given up");
        let span = one_span(&reporter).await;
        assert_eq!(outcome(&span), ["Canceled", "2xx", ""]);
        assert_eq!(events(&span), ["error"]);
    });
}

#[test]
fn an_unknown_path_names_no_span() {
    async fn call(address: SocketAddr, path: &'static str) {
        let mut client = tonic::client::Grpc::new(channel(address));
        client.ready().await.expect("ready");
        let path = http::uri::PathAndQuery::from_static(path);
        let called = client.unary(message("hello"), path, grpc::Text).await;
        assert_eq!(called.expect_err("no method").code(), Code::Unimplemented);
    }
    run(async {
        let (tracer, reporter) = recording_tracer();
        let layer = ServerLayer::new(tracer.clone());
        call(grpc::serve(layer.clone()).await, "/made.up/Name").await;
        let service = layer.wrap(service_fn(|_| async {
            let response = http::Response::builder().status(404);
            Ok::<_, Infallible>(
                response
                    .body(Empty::<bytes::Bytes>::new())
                    .expect("a response"),
            )
        }));
        let (listener, address) = listener().await;
        tokio::spawn(async move {
            let (stream, _) = listener.accept().await.expect("a connection");
            let server = hyper::server::conn::http2::Builder::new(TokioExecutor::new());
            let service = hyper_util::service::TowerToHyperService::new(service);
            let _ = server.serve_connection(TokioIo::new(stream), service).await;
        });
        call(address, "/made.up/Name").await;
        let spans = spans(&reporter, 2).await;
        assert_eq!(outcome(&spans[0]), ["Unimplemented", "5xx", "true"]);
        // This server does not speak gRPC.
        assert_eq!(outcome(&spans[1]), ["", "", ""]);
        assert_eq!(spans[1].tag_text("http.status_code"), "404");
        for span in spans {
            assert_eq!(span.operation_name, "HTTP POST");
        }

        let (tracer, reporter) = recording_tracer();
        let named = ServerLayer::new(tracer.clone()).operation_name(|_| "own".into());
        call(grpc::serve(named).await, "/made.up/Name").await;
        assert_eq!(one_span(&reporter).await.operation_name, "own");
    });
}
