//! Tests of gRPC-Web, whose trailers are in the body, by requests made by hand.

use std::convert::Infallible;

use http::{Request, Response};
use http_body_util::BodyExt;
use tonic::body::Body;
use tower::{ServiceExt, service_fn};
use tracehound::middleware::{ClientLayer, GrpcDetails, ServerLayer};
use tracehound::reporter::OwnedSpan;

use super::messages;
use crate::support::grpc::outcome;
use crate::support::grpc_streams::frame;
use crate::support::recording_tracer;
use crate::support::web::{Fed, log_field, run, spans};

/// Sends a call with this content type and these bytes, and returns the spans of client and server.
async fn call(
    content_type: &'static str,
    request: &'static [u8],
    response: Vec<Vec<u8>>,
    response_type: &'static str,
) -> [OwnedSpan; 2] {
    let (tracer, reporter) = recording_tracer();
    let details = GrpcDetails::new();
    let server = service_fn(move |request: Request<Body>| {
        let response = response.clone();
        async move {
            request.into_body().collect().await.expect("a body");
            let (feeder, body) = Fed::new();
            for bytes in response {
                feeder.bytes(bytes);
            }
            let response = Response::builder().header("content-type", response_type);
            Ok::<_, Infallible>(response.body(body).expect("a response"))
        }
    });
    let server = ServerLayer::new(tracer.clone()).grpc(details).wrap(server);
    let client = ClientLayer::new(tracer.clone()).grpc(details).wrap(server);
    let (feeder, body) = Fed::new();
    for byte in request.chunks(3) {
        feeder.bytes(byte);
    }
    drop(feeder);
    let request = Request::post("http://shop/test.Streams/Chat")
        .header("content-type", content_type)
        .body(Body::new(body));
    let response = client.oneshot(request.expect("a request")).await;
    let body = response.expect("infallible").into_body();
    body.collect().await.expect("a body");
    let spans = spans(&reporter, 2).await;
    let of = |kind| crate::support::web::of_kind(&spans, kind).clone();
    [of("client"), of("server")]
}

fn trailers(text: &str) -> Vec<u8> {
    let mut bytes = frame(text);
    bytes[0] = 0x80;
    bytes
}

#[test]
fn a_call_of_grpc_web_is_an_http_request_with_messages_and_a_status() {
    run(async {
        let web = "application/grpc-web+proto";
        let rows = [
            ("grpc-status:0\r\n", ["", "", ""], ["", "", ""]),
            (
                "grpc-status: 5\r\ngrpc-message: no%20such\r\n",
                ["NotFound", "4xx", "true"],
                ["NotFound", "4xx", ""],
            ),
            (
                "x-other: 1\r\n",
                ["Unknown", "0xx", "true"],
                ["Unknown", "0xx", "true"],
            ),
        ];
        for (text, on_client, on_server) in rows {
            let answer = vec![frame("a"), frame("b"), trailers(text)];
            let [client, server] = call(web, b"\0\0\0\0\x02hi", answer, web).await;
            assert_eq!(messages(&client), ["1", "2"], "{text}");
            assert_eq!(messages(&server), ["2", "1"], "{text}");
            assert_eq!(outcome(&client), on_client, "{text}");
            assert_eq!(outcome(&server), on_server, "{text}");
            for span in [&client, &server] {
                assert_eq!(span.operation_name, "HTTP POST");
                assert_eq!(span.tag_text("http.status_code"), "200");
                assert_eq!(span.tag_text("grpc.malformed_by"), "");
            }
            if text.contains("message") {
                let message = log_field(&client, "error", "message");
                assert_eq!(message.as_deref(), Some("no such"));
            }
        }
    });
}

#[test]
fn grpc_web_in_base64_is_counted() {
    run(async {
        // The message `a`, twice.
        let request = b"AAAAAAFhAAAAAAFh";
        // The message `a`, and trailers `grpc-status:13`.
        let answer = [&b"AAAAAAFhgAAAA"[..], b"A5ncnBjLXN0YXR1czoxMw=="];
        let answer = answer.map(<[u8]>::to_vec).to_vec();
        let text = "application/grpc-web-text";
        let [client, server] = call(text, request, answer, text).await;
        assert_eq!(messages(&client), ["2", "1"]);
        assert_eq!(messages(&server), ["1", "2"]);
        assert_eq!(outcome(&server), ["Internal", "5xx", "true"]);
    });
}

#[test]
fn a_response_that_is_not_grpc_web_has_no_details() {
    run(async {
        let answer = vec![b"<p>Hello</p>".to_vec()];
        let web = "application/grpc-web";
        for span in call(web, b"\0\0\0\0\x02hi", answer, "text/html").await {
            assert_eq!(outcome(&span), ["", "", ""]);
            assert!(!span.tags.iter().any(|tag| tag.key.starts_with("grpc.")));
        }
    });
}
