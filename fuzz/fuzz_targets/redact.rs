//! Secrets in URLs, in user info and in queries, in every quoting: none is on a span, in a line or in an error.

#![no_main]

use std::io;
use std::sync::LazyLock;
use std::time::Duration;

use arbitrary::Arbitrary;
use bytes::Bytes;
use http::{Request, Response, header};
use http_body_util::Empty;
use libfuzzer_sys::fuzz_target;
use tower::{ServiceExt, service_fn};
use tracehound::JaegerTracer;
use tracehound::config::Config;
use tracehound::fuzzing::{redact_text, redact_value};
use tracehound::middleware::{ClientLayer, ServerLayer};
use tracehound::reporter::InMemoryReporter;
use tracehound_fuzz::canary::{Planted, assert_hidden};
use tracehound_fuzz::ready;

static TRACING: LazyLock<(JaegerTracer, InMemoryReporter)> = LazyLock::new(|| {
    let spans = InMemoryReporter::new();
    (tracehound_fuzz::tracer(spans.clone()), spans)
});

#[derive(Arbitrary, Debug)]
struct Input<'a> {
    way: Way,
    planted: Planted<'a>,
}

/// How the text comes to us.
#[derive(Arbitrary, Clone, Copy, Debug)]
enum Way {
    Text,
    Value,
    Variable,
    Error,
    Header,
    Host,
    GrpcMessage,
}

fuzz_target!(|input: Input<'_>| {
    let Some(text) = input.planted.text() else {
        return;
    };
    match input.way {
        Way::Text => assert_hidden(&text, &redact_text(&text)),
        Way::Value => assert_hidden(&text, &redact_value(&text)),
        Way::Variable => {
            let lookup = |name: &str| (name == "JAEGER_ENDPOINT").then(|| text.clone());
            let shown = match Config::from_lookup(lookup) {
                Ok(config) => format!("{config:?} {}", config.explain()),
                Err(error) => format!("{error} {:?}", error.problems()),
            };
            assert_hidden(&text, &shown);
        }
        Way::Error => {
            let failing = service_fn(|request: Request<String>| async move {
                let cause = io::Error::other(request.into_body());
                Err::<Response<Empty<Bytes>>, _>(io::Error::other(cause))
            });
            let client = ClientLayer::new(TRACING.0.clone()).wrap(failing);
            let request = Request::new(text.clone());
            ready(client.oneshot(request)).expect_err("it fails");
            assert_hidden_on_spans(&text);
        }
        Way::Header | Way::Host => {
            let name = match input.way {
                Way::Header => header::REFERER,
                _ => header::HOST,
            };
            let request = Request::get("/cart").header(name, &text).body(());
            let Ok(request) = request else { return };
            let answering = service_fn(|_: Request<()>| async {
                Ok::<_, io::Error>(Response::new(Empty::<Bytes>::new()))
            });
            let layer = ServerLayer::new(TRACING.0.clone());
            let server = layer.request_headers([header::REFERER]).wrap(answering);
            ready(server.oneshot(request)).expect("it answers");
            assert_hidden_on_spans(&text);
        }
        Way::GrpcMessage => {
            let answering = service_fn(|_: Request<()>| async {
                Response::builder()
                    .header("content-type", "application/grpc")
                    .header("grpc-status", "13")
                    .header("grpc-message", escaped(&text))
                    .body(Empty::<Bytes>::new())
            });
            let request = Request::post("http://shop/shop.Cart/Get")
                .header("content-type", "application/grpc")
                .body(())
                .expect("a request");
            let client = ClientLayer::new(TRACING.0.clone()).wrap(answering);
            ready(client.oneshot(request)).expect("it answers");
            assert_hidden_on_spans(&text);
        }
    }
});

fn assert_hidden_on_spans(text: &String) {
    let (tracer, spans) = &*TRACING;
    tracer.flush(Duration::from_secs(10));
    let spans = spans.take();
    assert_eq!(spans.len(), 1, "{text}");
    assert_hidden(text, &format!("{spans:?}"));
}

/// As gRPC writes a message: all but visible ASCII is escaped, and so is `%`.
fn escaped(text: &str) -> String {
    text.bytes()
        .map(|byte| match byte {
            b'%' => "%25".to_owned(),
            b' '..=b'~' => char::from(byte).to_string(),
            _ => format!("%{byte:02X}"),
        })
        .collect()
}
