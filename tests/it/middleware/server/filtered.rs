//! Tests that a filtered request, which has no span, passes its caller's context on.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};

use bytes::Bytes;
use http::header::HeaderValue;
use http::{Request, Response};
use http_body::{Body, Frame};
use http_body_util::{BodyExt, Empty};
use tower::{Service, ServiceExt, service_fn};
use tracehound::JaegerTracer;
use tracehound::metrics::Counter;
use tracehound::middleware::{ClientLayer, RequestSpan, ServerLayer};
use tracehound::prelude::*;
use tracehound::scope::active_span;

use super::PARENT;
use crate::support::recording_tracer;
use crate::support::web::{of_kind, one_span, reply, run};

fn layer(tracer: &JaegerTracer) -> ServerLayer {
    ServerLayer::new(tracer.clone()).filter(|_| false)
}

fn request(context: &'static str) -> Request<()> {
    let mut request = Request::new(());
    let headers = request.headers_mut();
    headers.insert("uber-trace-id", HeaderValue::from_static(context));
    headers.insert("uberctx-user", HeaderValue::from_static("7"));
    request
}

#[test]
fn a_filtered_request_passes_its_callers_context_on() {
    run(async {
        let (tracer, reporter) = recording_tracer();
        let sent = Arc::new(Mutex::new(None));
        let sink = sent.clone();
        let client = ClientLayer::new(tracer.clone()).wrap(service_fn(move |sent: Request<()>| {
            *sink.lock().unwrap() = Some(sent.headers().clone());
            async { reply(200, Empty::<Bytes>::new()) }
        }));
        let server = layer(&tracer).wrap(service_fn(move |_: Request<()>| {
            assert!(RequestSpan::active().is_noop());
            let client = client.clone();
            async move {
                tokio::task::yield_now().await;
                assert!(active_span().is_noop());
                client.oneshot(Request::new(())).await
            }
        }));
        server.oneshot(request(PARENT)).await.expect("infallible");
        assert!(active_span().is_noop());
        let span = one_span(&reporter).await;
        assert_eq!(
            of_kind(std::slice::from_ref(&span), "client").trace_id,
            span.trace_id
        );
        assert_eq!(span.trace_id.to_string(), "5b2b4e1f9d3a7c60");
        let parent = span.parent_id.expect("a parent");
        assert_eq!(parent.to_string(), "6ad04c2b18e7f935");
        let headers = sent.lock().unwrap().take().expect("sent");
        assert_eq!(headers["uberctx-user"], "7");
    });
}

/// A body that starts a span when it is polled and another when it is dropped.
struct Starts(JaegerTracer, bool);

impl Body for Starts {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        self.0.start_span("poll").finish();
        let is_first = std::mem::take(&mut self.1);
        Poll::Ready(is_first.then(|| Ok(Frame::data(Bytes::from_static(b"x")))))
    }
}

impl Drop for Starts {
    fn drop(&mut self) {
        self.0.start_span("drop").finish();
    }
}

#[test]
fn the_callers_context_is_active_in_the_body_and_in_drops() {
    run(async {
        let (tracer, reporter) = recording_tracer();
        let inner = tracer.clone();
        let mut server = layer(&tracer).wrap(service_fn(move |_: Request<()>| {
            let body = Starts(inner.clone(), true);
            async { Ok::<_, Infallible>(Response::new(body)) }
        }));
        let response = server.call(request(PARENT)).await.expect("infallible");
        let body = response.into_body().collect().await.expect("infallible");
        assert_eq!(body.to_bytes(), "x");
        drop(server.call(request(PARENT)));
        let names: Vec<_> = reporter
            .spans()
            .into_iter()
            .map(|span| {
                assert_eq!(span.trace_id.to_string(), "5b2b4e1f9d3a7c60");
                span.operation_name
            })
            .collect();
        assert_eq!(names, ["poll", "poll", "drop", "drop"]);
    });
}

#[test]
fn a_filtered_request_without_a_valid_context_passes_none_on() {
    run(async {
        let rows = [(Request::new(()), 0), (request("broken"), 1)];
        for (request, errors) in rows {
            let (tracer, reporter) = recording_tracer();
            let inner = tracer.clone();
            let server = layer(&tracer).wrap(service_fn(move |_: Request<()>| {
                inner.start_span("own").finish();
                async { reply(200, Empty::<Bytes>::new()) }
            }));
            server.oneshot(request).await.expect("infallible");
            assert_eq!(one_span(&reporter).await.parent_id, None);
            assert_eq!(tracer.metrics().get(Counter::DecodingErrors), errors);
        }
    });
}
