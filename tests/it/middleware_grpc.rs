//! Spans for gRPC, with tonic over loopback.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use http::HeaderMap;
use http_body_util::{BodyExt, Empty};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tonic::body::Body;
use tonic::service::Interceptor;
use tonic::transport::Server;
use tonic::{Code, Request};
use tower::service_fn;
use tracehound::metrics::Counter;
use tracehound::middleware::{ClientLayer, RequestSpan, ServerLayer, TracingInterceptor};
use tracehound::prelude::*;
use tracehound::reporter::{InMemoryReporter, OwnedSpan};
use tracehound::scope::{active_span, with_context};
use tracehound::{JaegerTracer, NoopTracer};

use crate::support::grpc::{self, STREAM, UNARY, channel, stream, unary};
use crate::support::recording_tracer;
use crate::support::web::{
    Fed, closed_port, events, listener, log_field, of_kind, one_span, run, spans, until,
};

/// A tracer on both sides of `test.Echo`.
struct World {
    tracer: JaegerTracer,
    reporter: InMemoryReporter,
    address: SocketAddr,
}

impl World {
    async fn new() -> Self {
        let (tracer, reporter) = recording_tracer();
        let address = grpc::serve(ServerLayer::new(tracer.clone())).await;
        Self {
            tracer,
            reporter,
            address,
        }
    }

    fn client(&self) -> tracehound::middleware::ClientService<tonic::transport::Channel> {
        ClientLayer::new(self.tracer.clone()).wrap(channel(self.address))
    }

    /// The spans of client and server, finished once each.
    async fn both(&self) -> (OwnedSpan, OwnedSpan) {
        let spans = spans(&self.reporter, 2).await;
        assert_eq!(self.tracer.metrics().get(Counter::FinishedTwice), 0);
        let (client, server) = (of_kind(&spans, "client"), of_kind(&spans, "server"));
        (client.clone(), server.clone())
    }
}

/// Code, class and error tag.
fn outcome(span: &OwnedSpan) -> [String; 3] {
    ["response_code", "response_class", "error"].map(|key| span.tag_text(key).into_owned())
}

/// tonic spells one of them in another way.
fn code(span: &OwnedSpan) -> Option<Code> {
    let name = span
        .tag_text("response_code")
        .replace("Canceled", "Cancelled");
    (0..17)
        .map(Code::from)
        .find(|code| format!("{code:?}") == name)
}

fn message(text: &str) -> Request<String> {
    Request::new(text.to_owned())
}

#[test]
fn a_call_has_a_span_on_both_sides() {
    run(async {
        let world = World::new().await;
        let parent = world.tracer.start_span("parent");
        let call = unary(world.client(), message("hello"));
        let answer = call.instrument(parent.handle()).await.expect("an answer");
        assert_eq!(answer, "hello");
        let (client, server) = world.both().await;
        assert_eq!(client.parent_id, parent.context().span_id());
        assert_eq!(server.parent_id, Some(client.span_id));
        for span in [client, server] {
            assert_eq!(span.operation_name, UNARY);
            assert_eq!(span.tag_text("component"), "gRPC");
            assert_eq!(outcome(&span), ["", "", ""]);
            assert_eq!(events(&span), [""; 0]);
            assert!(span.tag("http.status_code").is_none());
            assert!(span.tag("http.url").is_none());
        }
    });
}

#[test]
fn a_status_is_recorded_by_the_table_of_otgrpc() {
    run(async {
        let rows = [
            (1, "Canceled", "2xx", false, false),
            (2, "Unknown", "0xx", true, false),
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
fn a_stream_that_comes_to_its_end_is_no_error() {
    run(async {
        let world = World::new().await;
        let mut answers = stream(world.client(), message("hello"))
            .await
            .expect("a head");
        let mut count = 0;
        while answers.message().await.expect("no error").is_some() {
            count += 1;
        }
        assert_eq!(count, 2);
        let (client, server) = world.both().await;
        for span in [client, server] {
            assert_eq!(span.operation_name, STREAM);
            assert_eq!(outcome(&span), ["", "", ""]);
        }
    });
}

#[test]
fn a_stream_that_the_client_gives_up_is_cancelled_on_both_sides() {
    run(async {
        for messages in [0, 1] {
            let world = World::new().await;
            let mut answers = stream(world.client(), message("pending"))
                .await
                .expect("a head");
            for _ in 0..messages {
                answers
                    .message()
                    .await
                    .expect("no error")
                    .expect("a message");
            }
            assert!(world.reporter.spans().is_empty());
            drop(answers);
            let (client, server) = world.both().await;
            for span in [client, server] {
                assert_eq!(outcome(&span), ["Canceled", "2xx", ""], "{messages}");
                assert_eq!(events(&span), ["cancelled"], "{messages}");
            }
        }
    });
}

#[test]
fn a_call_that_is_given_up_before_an_answer_is_cancelled_on_both_sides() {
    run(async {
        let world = World::new().await;
        let started = || {
            let metrics = world.tracer.metrics();
            (metrics.get(Counter::TracesJoinedSampled) == 1).then_some(())
        };
        tokio::select! {
            _ = unary(world.client(), message("pending")) => unreachable!("there is no answer"),
            () = until("the server's span", started) => {}
        }
        let (client, server) = world.both().await;
        for span in [client, server] {
            assert_eq!(outcome(&span), ["Canceled", "2xx", ""]);
            assert_eq!(events(&span), ["cancelled"]);
        }
    });
}

#[test]
fn a_deadline_that_passes_on_the_client_is_an_error() {
    run(async {
        let (tracer, reporter) = recording_tracer();
        // It takes connections and says nothing.
        let (_listener, address) = listener().await;
        let service = ClientLayer::new(tracer.clone()).wrap(channel(address));
        let mut request = message("hello");
        request.set_timeout(Duration::from_millis(1));
        let status = unary(service, request).await.expect_err("late");
        let span = one_span(&reporter).await;
        assert_eq!(span.tag_text("error"), "true");
        assert_eq!(code(&span), Some(status.code()));
        let kind = log_field(&span, "error", "error.kind");
        assert_eq!(kind.as_deref(), Some("timeout"));
    });
}

#[test]
fn a_deadline_that_passes_on_the_server_cancels_the_handler() {
    run(async {
        let (tracer, reporter) = recording_tracer();
        let server = Server::builder().timeout(Duration::from_millis(1));
        let address = grpc::serve_by(server, ServerLayer::new(tracer.clone())).await;
        let service = ClientLayer::new(tracer.clone()).wrap(channel(address));
        let status = unary(service, message("pending")).await.expect_err("late");
        let spans = spans(&reporter, 2).await;
        let (client, server) = (of_kind(&spans, "client"), of_kind(&spans, "server"));
        assert_eq!(outcome(server), ["Canceled", "2xx", ""]);
        assert_eq!(events(server), ["cancelled"]);
        assert_eq!(code(client), Some(status.code()));
    });
}

#[test]
fn a_panic_in_a_handler_is_an_error_on_the_server() {
    run(async {
        let world = World::new().await;
        unary(world.client(), message("panic"))
            .await
            .expect_err("gone");
        let (client, server) = world.both().await;
        assert_eq!(server.tag_text("error"), "true");
        assert_eq!(events(&server), ["panic"]);
        assert_eq!(client.tag_text("error"), "true");
    });
}

#[test]
fn a_server_that_is_not_there_is_unavailable() {
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

/// Answers every request with what `reply` makes, over HTTP/2.
async fn serve_raw<B>(reply: fn() -> http::Response<B>) -> SocketAddr
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

fn grpc_reply<B>(body: B) -> http::Response<B> {
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
fn a_stream_that_the_server_breaks_off_is_an_error_of_the_client() {
    run(async {
        let (tracer, reporter) = recording_tracer();
        let address = serve_raw(|| {
            let (feeder, body) = Fed::new();
            // One message of one byte, and then no more.
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
fn the_handler_of_a_call_finds_its_span() {
    run(async {
        let (tracer, reporter) = recording_tracer();
        let seen = Arc::new(Mutex::new(Vec::new()));
        let note = seen.clone();
        let handler = service_fn(move |request: http::Request<Body>| {
            let note = note.clone();
            async move {
                let mut grpc = tonic::server::Grpc::new(grpc::Text);
                let answer = service_fn(|request: Request<String>| {
                    let span = request.extensions().get::<RequestSpan>().cloned();
                    let mut seen = note.lock().unwrap();
                    seen.push(active_span().context().span_id());
                    seen.push(span.and_then(|span| span.context().span_id()));
                    std::future::ready(Ok(tonic::Response::new(request.into_inner())))
                });
                Ok::<_, Infallible>(grpc.unary(answer, request).await)
            }
        });
        let service = ServerLayer::new(tracer.clone()).wrap(handler);
        unary(service, message("hello")).await.expect("an answer");
        let span = one_span(&reporter).await;
        assert_eq!(
            *seen.lock().unwrap(),
            [Some(span.span_id), Some(span.span_id)]
        );
    });
}

#[test]
fn the_address_of_the_caller_is_on_the_span_of_the_server() {
    run(async {
        let world = World::new().await;
        unary(world.client(), message("hello"))
            .await
            .expect("an answer");
        let (_, server) = world.both().await;
        assert_eq!(server.tag_text("peer.ipv4"), "127.0.0.1");
        assert!(server.tag("peer.port").is_some());
    });
}

#[test]
fn a_method_that_the_filter_excludes_has_no_span() {
    run(async {
        let (tracer, reporter) = recording_tracer();
        let layer = ServerLayer::new(tracer.clone()).filter(|request| request.uri.path() != UNARY);
        let address = grpc::serve(layer).await;
        let service = ClientLayer::new(tracer.clone())
            .filter(|_| false)
            .wrap(channel(address));
        unary(service, message("hello")).await.expect("an answer");
        assert!(reporter.spans().is_empty());
    });
}

#[test]
fn a_tracer_that_is_off_leaves_calls_alone() {
    run(async {
        let address = grpc::serve(ServerLayer::new(NoopTracer)).await;
        let service = ClientLayer::new(NoopTracer).wrap(channel(address));
        let answer = unary(service, message("hello")).await.expect("an answer");
        assert_eq!(answer, "hello");
    });
}

#[test]
fn an_interceptor_injects_what_is_active_and_starts_no_span() {
    run(async {
        let world = World::new().await;
        let parent = world.tracer.start_span("parent");
        let mut interceptor = TracingInterceptor::new(world.tracer.clone());
        let metadata = |request: Request<()>| request.into_parts().0.into_headers();
        let none = metadata(interceptor.call(Request::new(())).expect("it never fails"));
        assert_eq!(none, HeaderMap::new());
        for by_context in [false, true] {
            let _scope = if by_context {
                with_context(&parent.context())
            } else {
                parent.activate()
            };
            let mut request = Request::new(());
            let stale = "1:2:0:1".parse().expect("legal");
            request.metadata_mut().insert("uber-trace-id", stale);
            let headers = metadata(interceptor.call(request).expect("it never fails"));
            assert_eq!(
                headers["uber-trace-id"],
                parent.context().to_string().as_str()
            );
            assert_eq!(headers.len(), 1);
        }
        let service = tonic::service::interceptor::InterceptedService::new(
            channel(world.address),
            interceptor,
        );
        let call = unary(service, message("hello"));
        call.instrument(parent.handle()).await.expect("an answer");
        let server = one_span(&world.reporter).await;
        assert_eq!(server.parent_id, parent.context().span_id());
    });
}

#[test]
fn the_frames_of_a_call_pass_through_as_they_are() {
    run(async {
        let mut trailers = HeaderMap::new();
        trailers.insert("grpc-status", "0".parse().expect("legal"));
        trailers.insert("x-more", "1".parse().expect("legal"));
        let (tracer, reporter) = recording_tracer();
        let sent = trailers.clone();
        let handler = service_fn(move |_: http::Request<()>| {
            let (feeder, body) = Fed::new();
            feeder.data("one");
            feeder.trailers(sent.clone());
            async { Ok::<_, Infallible>(grpc_reply(body)) }
        });
        let request = http::Request::post(UNARY)
            .header("content-type", "application/grpc")
            .body(())
            .expect("a request");
        let server = ServerLayer::new(tracer.clone()).wrap(handler);
        let response = tower::ServiceExt::oneshot(server, request).await;
        let body = response.expect("infallible").into_body();
        let collected = body.collect().await.expect("no error");
        assert_eq!(collected.trailers(), Some(&trailers));
        assert_eq!(collected.to_bytes(), "one");
        assert_eq!(outcome(&one_span(&reporter).await), ["", "", ""]);
    });
}
