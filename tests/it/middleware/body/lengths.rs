//! Tests of how the announced length of a body ends the span.

use bytes::Bytes;
use http::{HeaderMap, Request, Response, header};
use http_body_util::{BodyExt, Full};
use tower::{ServiceExt, service_fn};
use tracehound::middleware::ClientLayer;

use super::{finished, is_cancelled, serve};
use crate::support::recording_tracer;
use crate::support::web::{Fed, Feeder, events, log_field, reply, run};

#[test]
fn a_body_announced_as_empty_ends_with_the_head() {
    run(async {
        for by_body in [false, true] {
            for by_client in [false, true] {
                let name = format!("by the body: {by_body}, by a client: {by_client}");
                let (tracer, spans) = recording_tracer();
                let (_feeder, response) = announced(0, by_body);
                let response = if by_client {
                    let mut response = Some(response);
                    let sender = service_fn(move |_: Request<()>| {
                        let (parts, body) = response.take().expect("one request").into_parts();
                        async { reply(200, body).map(|reply| with_headers(reply, parts.headers)) }
                    });
                    let client = ClientLayer::new(tracer.clone()).wrap(sender);
                    client.oneshot(Request::new(())).await.expect("infallible")
                } else {
                    serve(&tracer, response).await
                };
                finished(&tracer, &spans);
                drop(response);
                let span = finished(&tracer, &spans);
                assert!(!is_cancelled(&span), "{name}: {span:#?}");
                assert_eq!(events(&span), [""; 0], "{name}");
            }
        }
    });
}

fn with_headers<B>(mut response: Response<B>, headers: HeaderMap) -> Response<B> {
    *response.headers_mut() = headers;
    response
}

/// Returns a body that is fed by hand and announces its length, by itself or in a header.
fn announced(length: u64, by_body: bool) -> (Feeder, Response<Fed>) {
    if by_body {
        let (feeder, body) = Fed::with_length(length);
        return (feeder, Response::new(body));
    }
    let (feeder, body) = Fed::new();
    let response = Response::builder().header(header::CONTENT_LENGTH, length);
    (feeder, response.body(body).expect("a response"))
}

#[test]
fn a_body_that_ends_before_its_announced_length_is_an_error() {
    run(async {
        for by_body in [false, true] {
            for with_trailers in [false, true] {
                let name = format!("by the body: {by_body}, with trailers: {with_trailers}");
                let (tracer, spans) = recording_tracer();
                let (feeder, response) = announced(6, by_body);
                let body = serve(&tracer, response).await.into_body();
                feeder.data("four");
                if with_trailers {
                    feeder.trailers(HeaderMap::new());
                }
                drop(feeder);
                body.collect().await.expect("no error");
                let span = finished(&tracer, &spans);
                assert_eq!(span.tag_text("error"), "true", "{name}");
                assert_eq!(span.tag_text("http.response_size"), "4", "{name}");
                let message = log_field(&span, "error", "message");
                let expected = "the body ended 2 bytes before its announced length";
                assert_eq!(message.as_deref(), Some(expected), "{name}");
                assert!(!is_cancelled(&span), "{name}");
            }
        }
    });
}

#[test]
fn a_body_that_reports_its_end_too_early_is_an_error() {
    run(async {
        for text in ["", "four"] {
            let (tracer, spans) = recording_tracer();
            let response = Response::builder().header(header::CONTENT_LENGTH, 6);
            let response = response.body(Full::<Bytes>::from(text));
            let response = serve(&tracer, response.expect("a response")).await;
            response.into_body().collect().await.expect("infallible");
            let span = finished(&tracer, &spans);
            assert_eq!(span.tag_text("error"), "true", "{text:?}");
        }
    });
}

#[test]
fn an_unreadable_length_is_ignored() {
    run(async {
        let rows: [&[&str]; 6] = [
            &["x"],
            &["+6"],
            &["-6"],
            &[""],
            &["6", "7"],
            &["18446744073709551616"],
        ];
        for values in rows {
            let (tracer, spans) = recording_tracer();
            let (feeder, body) = Fed::new();
            let mut response = Response::new(body);
            for value in values {
                let value = value.parse().expect("legal");
                response.headers_mut().append(header::CONTENT_LENGTH, value);
            }
            let body = serve(&tracer, response).await.into_body();
            feeder.data("four");
            drop(feeder);
            body.collect().await.expect("no error");
            let span = finished(&tracer, &spans);
            assert!(span.tag("error").is_none(), "{values:?}");
            assert!(!is_cancelled(&span), "{values:?}");
        }
    });
}
