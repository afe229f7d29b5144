//! Tests of how a panic in the service or in the body ends the span.

use std::convert::Infallible;
use std::future::Ready;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use http::{Request, Response};
use http_body::{Body, Frame};
use http_body_util::Empty;
use tower::{Service, service_fn};
use tracehound::middleware::ServerLayer;
use tracehound::scope::active_span;

use super::{finished, serve};
use crate::support::recording_tracer;
use crate::support::web::{Fed, events, reply, run};

/// A body that panics when it is polled.
struct Panics;

impl Body for Panics {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        self: Pin<&mut Self>,
        _cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        panic!("in the body");
    }
}

#[test]
fn a_panic_in_the_body_ends_the_span_as_an_error() {
    run(async {
        let (tracer, spans) = recording_tracer();
        let mut body = serve(&tracer, Response::new(Panics)).await.into_body();
        let mut cx = Context::from_waker(Waker::noop());
        let polled = catch_unwind(AssertUnwindSafe(|| {
            let _ = Pin::new(&mut body).poll_frame(&mut cx);
        }));
        assert!(polled.is_err());
        // The code that caught the panic still has the body.
        let span = finished(&tracer, &spans);
        assert_eq!(span.tag_text("error"), "true");
        assert_eq!(events(&span), ["headers_sent", "panic"]);
        drop(body);
        finished(&tracer, &spans);
    });
}

#[test]
fn a_panic_before_the_head_ends_the_span_as_an_error() {
    let (tracer, spans) = recording_tracer();
    fn fail() -> Result<Response<Empty<Bytes>>, Infallible> {
        panic!("in the handler")
    }
    let handler = service_fn(|_: Request<()>| async { fail() });
    let mut server = ServerLayer::new(tracer.clone()).wrap(handler);
    let mut cx = Context::from_waker(Waker::noop());
    let mut future = Box::pin(server.call(Request::new(())));
    let polled = catch_unwind(AssertUnwindSafe(|| {
        let _ = future.as_mut().poll(&mut cx);
    }));
    assert!(polled.is_err());
    let span = finished(&tracer, &spans);
    assert_eq!(span.tag_text("error"), "true");
    assert_eq!(events(&span), ["panic"]);
    assert!(span.tag("http.status_code").is_none());
    drop(future);
    finished(&tracer, &spans);
    assert!(active_span().is_noop());
}

#[test]
fn a_panic_in_the_call_ends_the_span_as_an_error() {
    let (tracer, spans) = recording_tracer();
    fn fail(_: Request<()>) -> Ready<Result<Response<Empty<Bytes>>, Infallible>> {
        panic!("in the call, active: {:?}", active_span())
    }
    let handler = service_fn(fail);
    let mut server = ServerLayer::new(tracer.clone()).wrap(handler);
    let called = catch_unwind(AssertUnwindSafe(|| drop(server.call(Request::new(())))));
    assert!(called.is_err());
    let span = finished(&tracer, &spans);
    assert_eq!(events(&span), ["panic"]);
}

#[test]
fn a_future_or_body_that_a_panic_drops_is_an_error() {
    for is_answered in [false, true] {
        let (tracer, spans) = recording_tracer();
        let (_feeder, body) = Fed::new();
        let mut body = Some(body);
        let handler = service_fn(move |_: Request<()>| {
            let body = body.take().expect("one request");
            std::future::ready(reply(200, body))
        });
        let mut server = ServerLayer::new(tracer.clone()).wrap(handler);
        let work = AssertUnwindSafe(|| {
            let mut future = Box::pin(server.call(Request::new(())));
            let mut cx = Context::from_waker(Waker::noop());
            let _response = is_answered.then(|| future.as_mut().poll(&mut cx));
            panic!("beside the request");
        });
        assert!(catch_unwind(work).is_err());
        let span = finished(&tracer, &spans);
        assert_eq!(span.tag_text("error"), "true");
        assert_eq!(events(&span).last().map(String::as_str), Some("panic"));
        assert!(span.tag("http.cancelled").is_none());
    }
}
