//! Tests of streams that no client or server of tonic would send.

use std::convert::Infallible;

use http::{Request, Response};
use http_body_util::BodyExt;
use tower::{ServiceExt, service_fn};
use tracehound::middleware::{ClientLayer, GrpcDetails, ServerLayer};

use super::ends::ending;
use super::messages;
use crate::middleware::grpc_status::{grpc_reply, serve_raw};
use crate::support::grpc::{channel, message, stream};
use crate::support::grpc_streams::{Kind, World, frame};
use crate::support::recording_tracer;
use crate::support::web::{Fed, of_kind, one_span, run, spans};

#[test]
fn a_stream_that_the_client_resets_was_ended_by_the_client() {
    run(async {
        for (sent, is_cut) in [(0, false), (1, false), (2, false), (0, true), (1, true)] {
            let world = World::new(GrpcDetails::new()).await;
            let (feeder, body) = Fed::new();
            let response = world.call_raw(Kind::Chat, body).await;
            let mut answers = Box::pin(response.into_body());
            for _ in 0..sent {
                feeder.bytes(frame("hello"));
                let Some(Ok(answer)) = answers.frame().await else {
                    panic!("no answer")
                };
                assert!(answer.is_data());
            }
            if is_cut {
                let mut half = frame("hello");
                half.truncate(7);
                feeder.bytes(half);
                // Its first bytes have gone when an answer to what came before is here.
                assert_eq!(world.reporter.spans().len(), 0);
            }
            drop(answers);
            // hyper resets the stream.
            feeder.fail("gone");
            let (client, server) = world.both().await;
            let count = sent.to_string();
            let row = format!("{sent} {is_cut}");
            assert_eq!(ending(&client)[..2], ["Canceled", "client"], "{row}");
            assert_eq!(client.tag_text("grpc.messages_received"), count, "{row}");
            let expected = ["Canceled", "client", &count, &count];
            assert_eq!(ending(&server), expected, "{row}");
        }
    });
}

#[test]
pub(in crate::middleware) fn a_request_that_ends_inside_of_a_message_is_cut() {
    run(async {
        for kind in [Kind::Unary, Kind::Collect, Kind::Chat] {
            let world = World::new(GrpcDetails::new()).await;
            let (feeder, body) = Fed::new();
            feeder.bytes(&b"\0\0\0\0\x05hel"[..]);
            drop(feeder);
            let response = world.call_raw(kind, body).await;
            let _ = response.into_body().collect().await;
            let (client, server) = world.both().await;
            for span in [&client, &server] {
                assert_eq!(span.tag_text("grpc.cut_by"), "client", "{kind:?}");
                assert_ne!(span.tag_text("response_code"), "", "{kind:?}");
            }
            assert_eq!(messages(&client), ["0", "0"], "{kind:?}");
            assert_eq!(messages(&server), ["0", "0"], "{kind:?}");
        }
    });
}

#[test]
fn a_response_that_ends_inside_of_a_message_is_cut() {
    run(async {
        let (tracer, reporter) = recording_tracer();
        let address = serve_raw(|| {
            let (feeder, body) = Fed::new();
            feeder.bytes(frame("one"));
            feeder.bytes(&b"\0\0\0\0\x05hel"[..]);
            grpc_reply(body)
        })
        .await;
        let service = ClientLayer::new(tracer.clone())
            .grpc(GrpcDetails::new())
            .wrap(channel(address));
        let mut answers = stream(service, message("hello")).await.expect("a head");
        answers.message().await.expect("one message");
        answers.message().await.expect_err("half a message");
        drop(answers);
        let span = one_span(&reporter).await;
        assert_eq!(messages(&span), ["1", "1"]);
        assert_eq!(span.tag_text("grpc.cut_by"), "server");
        assert_eq!(span.tag_text("error"), "true");
    });
}

#[test]
fn a_stream_that_the_server_resets_was_ended_by_the_server() {
    run(async {
        let (tracer, reporter) = recording_tracer();
        let address = serve_raw(|| {
            let (feeder, body) = Fed::new();
            feeder.bytes(frame("one"));
            feeder.fail("the disk is gone");
            grpc_reply(body)
        })
        .await;
        let service = ClientLayer::new(tracer.clone())
            .grpc(GrpcDetails::new())
            .wrap(channel(address));
        if let Ok(mut answers) = stream(service, message("hello")).await {
            while let Ok(Some(_)) = answers.message().await {}
        }
        let span = one_span(&reporter).await;
        assert_eq!(span.tag_text("grpc.ended_by"), "server");
        assert_eq!(span.tag_text("grpc.messages_sent"), "1");
        assert_eq!(span.tag_text("error"), "true");
    });
}

#[test]
pub(in crate::middleware) fn bytes_that_are_no_message_end_the_count_of_their_side() {
    run(async {
        let world = World::new(GrpcDetails::new()).await;
        let (feeder, body) = Fed::new();
        feeder.bytes(frame("one"));
        feeder.bytes(&b"\x07\0\0\0\0\0\0\0\0\0"[..]);
        drop(feeder);
        let response = world.call_raw(Kind::Chat, body).await;
        let _ = response.into_body().collect().await;
        let spans = spans(&world.reporter, 2).await;
        for span in &spans {
            assert_eq!(span.tag_text("grpc.malformed_by"), "client");
            assert_eq!(span.tag_text("grpc.cut_by"), "");
        }
        assert_eq!(
            of_kind(&spans, "client").tag_text("grpc.messages_sent"),
            "1"
        );
        let server = of_kind(&spans, "server");
        assert_eq!(server.tag_text("grpc.messages_received"), "1");
    });
}

/// Calls a method through a layer with details, and reads the response to its end.
async fn call<B>(layer: &ServerLayer, body: B, response: Response<Fed>)
where
    B: http_body::Body<Error: std::fmt::Debug> + Send + 'static,
{
    let response = std::sync::Mutex::new(Some(response));
    let service = layer.wrap(service_fn(move |request: Request<B>| {
        let response = response.lock().expect("not poisoned").take();
        async move {
            request.into_body().collect().await.expect("a body");
            Ok::<_, Infallible>(response.expect("one call"))
        }
    }));
    let request = Request::post("/test.Streams/Chat").header("content-type", "application/grpc");
    let response = service
        .oneshot(request.body(body).expect("a request"))
        .await;
    let body = response.expect("infallible").into_body();
    body.collect().await.expect("a body");
}

#[test]
fn a_route_that_is_not_grpc_has_no_details() {
    run(async {
        let (tracer, reporter) = recording_tracer();
        let layer = ServerLayer::new(tracer).grpc(GrpcDetails::new());
        let (feeder, body) = Fed::new();
        feeder.bytes(frame("one"));
        drop(feeder);
        let (feeder, answer) = Fed::new();
        feeder.data("<p>Hello</p>");
        drop(feeder);
        call(&layer, tonic::body::Body::new(body), Response::new(answer)).await;
        let span = one_span(&reporter).await;
        assert_eq!(span.operation_name, "HTTP POST");
        assert!(!span.tags.iter().any(|tag| tag.key.starts_with("grpc.")));
    });
}

#[test]
fn a_body_of_another_type_is_not_counted() {
    run(async {
        let (tracer, reporter) = recording_tracer();
        let layer = ServerLayer::new(tracer).grpc(GrpcDetails::new());
        for is_axum in [false, true] {
            let (feeder, body) = Fed::new();
            feeder.bytes(frame("one"));
            drop(feeder);
            let (feeder, answer) = Fed::new();
            feeder.bytes(frame("two"));
            drop(feeder);
            match is_axum {
                true => call(&layer, axum::body::Body::new(body), grpc_reply(answer)).await,
                false => call(&layer, body, grpc_reply(answer)).await,
            }
        }
        let spans = spans(&reporter, 2).await;
        assert_eq!(messages(&spans[0]), ["1", ""]);
        assert_eq!(messages(&spans[1]), ["1", "1"]);
    });
}
