//! Tests of spans for gRPC calls, with tonic over loopback.

use std::convert::Infallible;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use http::HeaderMap;
use http_body_util::BodyExt;
use tokio::sync::mpsc;
use tonic::Request;
use tonic::body::Body;
use tonic::service::Interceptor;
use tonic::transport::Server;
use tower::{ServiceExt, service_fn};
use tracehound::NoopTracer;
use tracehound::metrics::Counter;
use tracehound::middleware::{ClientLayer, RequestSpan, ServerLayer, TracingInterceptor};
use tracehound::prelude::*;
use tracehound::scope::{activate_context, active_span};

use crate::middleware::ways::{Way, check};
use crate::support::grpc::{self, STREAM, UNARY, World, channel, message, outcome, stream, unary};
use crate::support::recording_tracer;
use crate::support::web::{Fed, events, listener, one_span, run, spans, until};

#[test]
fn a_call_has_a_span_on_both_sides() {
    run(async {
        let world = World::new().await;
        let parent = world.tracer.start_span("parent");
        let call = unary(world.client(), message("hello"));
        let answer = call.in_span(parent.downgrade()).await.expect("an answer");
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
fn a_stream_that_ends_is_no_error() {
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
fn a_stream_that_the_client_drops_is_cancelled_on_both_sides() {
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
fn a_call_that_is_dropped_before_its_response_is_cancelled_on_both_sides() {
    run(async {
        let (tracer, reporter) = recording_tracer();
        let (started, mut is_started) = mpsc::unbounded_channel();
        let layer = ServerLayer::new(tracer.clone());
        let address = grpc::serve_by(Server::builder(), layer, grpc::silent(started)).await;
        let service = ClientLayer::new(tracer.clone()).wrap(channel(address));
        tokio::select! {
            _ = unary(service, message("hello")) => unreachable!("there is no answer"),
            started = is_started.recv() => assert!(started.is_some()),
        }
        for span in spans(&reporter, 2).await {
            assert_eq!(outcome(&span), ["Canceled", "2xx", ""]);
            assert_eq!(events(&span), ["cancelled"]);
        }
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
                    let mut seen = note.lock().unwrap();
                    seen.push(active_span().context().span_id());
                    seen.push(RequestSpan::active().context().span_id());
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
fn the_server_span_records_the_callers_address() {
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
fn the_client_span_records_the_peer_address_that_was_set() {
    run(async {
        let world = World::new().await;
        let target = world.address.to_string();
        let service = ClientLayer::new(world.tracer.clone())
            .peer_address(target.clone())
            .wrap(channel(world.address));
        unary(service, message("hello")).await.expect("an answer");
        let (client, _) = world.both().await;
        assert_eq!(client.tag_text("peer.address"), target);
    });
}

#[test]
fn a_filtered_method_has_no_span() {
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
fn a_disabled_tracer_leaves_calls_untouched() {
    run(async {
        let address = grpc::serve(ServerLayer::new(NoopTracer)).await;
        let service = ClientLayer::new(NoopTracer).wrap(channel(address));
        let answer = unary(service, message("hello")).await.expect("an answer");
        assert_eq!(answer, "hello");
    });
}

#[test]
fn an_interceptor_injects_the_active_context_and_starts_no_span() {
    run(async {
        let world = World::new().await;
        let parent = world.tracer.start_span("parent");
        let mut interceptor = TracingInterceptor::new(world.tracer.clone());
        let metadata = |request: Request<()>| request.into_parts().0.into_headers();
        let none = metadata(interceptor.call(Request::new(())).expect("it never fails"));
        assert_eq!(none, HeaderMap::new());
        for by_context in [false, true] {
            let _scope = if by_context {
                activate_context(&parent.context())
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
            assert!(headers.contains_key("traceparent"));
            assert_eq!(headers.len(), 2);
        }
        let service = tonic::service::interceptor::InterceptedService::new(
            channel(world.address),
            interceptor,
        );
        let call = unary(service, message("hello"));
        call.in_span(parent.downgrade()).await.expect("an answer");
        let server = one_span(&world.reporter).await;
        assert_eq!(server.parent_id, parent.context().span_id());
    });
}

#[test]
fn the_frames_of_a_call_pass_through_unchanged() {
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
            async { Ok::<_, Infallible>(http::Response::new(body)) }
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

#[test]
fn baggage_with_a_binary_key_stays_out_of_the_metadata() {
    run(async {
        let (tracer, _) = recording_tracer();
        let parent = tracer.start_span("parent");
        parent
            .set_baggage_item("plain", "1")
            .set_baggage_item("odd-bin", "1");
        let seen = Arc::new(Mutex::new(HeaderMap::new()));
        let sink = seen.clone();
        let service =
            ClientLayer::new(tracer).wrap(service_fn(move |request: http::Request<Body>| {
                *sink.lock().expect("not poisoned") = request.headers().clone();
                async { Ok::<_, Infallible>(http::Response::new(Body::empty())) }
            }));
        let request = http::Request::post("http://127.0.0.1/pkg.Service/Method")
            .header("content-type", "application/grpc")
            .body(Body::empty())
            .expect("a request");
        let call = service.oneshot(request).in_span(parent.downgrade());
        drop(call.await.expect("an answer"));
        let headers = seen.lock().expect("not poisoned");
        assert!(headers.contains_key("uber-trace-id"));
        assert_eq!(headers["uberctx-plain"], "1");
        assert!(!headers.contains_key("uberctx-odd-bin"));
    });
}

#[test]
pub(in crate::middleware) fn a_call_ends_in_each_way() {
    let rows = [
        (Way::Done, "client; server"),
        (
            Way::Error,
            "client error=true error; server error=true error",
        ),
        (Way::Cancel, "client cancelled; server cancelled"),
        (Way::Drop, "client cancelled; server cancelled"),
        (
            Way::Panic,
            "client error=true error; server error=true panic",
        ),
        // The server never hears of the call.
        (Way::Timeout, "client error=true timeout"),
    ];
    check(rows, |way, tracer| {
        run(async {
            let layer = ServerLayer::new(tracer.clone());
            let (started, mut is_started) = mpsc::unbounded_channel();
            let (_listener, deaf) = listener().await;
            let address = match way {
                Way::Cancel => {
                    grpc::serve_by(Server::builder(), layer, grpc::silent(started)).await
                }
                Way::Timeout => deaf,
                _ => grpc::serve(layer).await,
            };
            let service = ClientLayer::new(tracer.clone()).wrap(channel(address));
            match way {
                Way::Cancel => tokio::select! {
                    _ = unary(service, message("hello")) => unreachable!("there is no answer"),
                    started = is_started.recv() => assert!(started.is_some()),
                },
                Way::Drop => drop(stream(service, message("pending")).await.expect("a head")),
                Way::Timeout => {
                    let mut late = message("hello");
                    late.set_timeout(Duration::from_millis(20));
                    unary(service, late).await.expect_err("late");
                }
                _ => {
                    let text = match way {
                        Way::Error => "early 13 no",
                        Way::Panic => "panic",
                        _ => "hello",
                    };
                    let answer = unary(service, message(text)).await;
                    assert_eq!(answer.is_ok(), way == Way::Done);
                }
            }
            // The server learns of it after the client.
            let expected = if way == Way::Timeout { 1 } else { 2 };
            until("the spans to end", || {
                let count = tracer.metrics().get(Counter::FinishedSpansSampled);
                (count == expected).then_some(())
            })
            .await;
        });
    });
}
