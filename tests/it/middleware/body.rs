//! Tests of when a span ends, depending on the body of the response. One set of rules holds for servers and clients.

mod lengths;
mod panics;

use std::convert::Infallible;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use http::{HeaderMap, Request, Response};
use http_body::{Body, Frame};
use http_body_util::{BodyExt, Empty, Full};
use tower::{Service, ServiceExt, service_fn};
use tracehound::metrics::Counter;
use tracehound::middleware::{ClientLayer, ServerLayer, SpanEnd, TracedBody};
use tracehound::reporter::{InMemoryReporter, OwnedSpan};
use tracehound::scope::active_span;
use tracehound::{JaegerTracer, TracerExt};

use crate::support::recording_tracer;
use crate::support::web::{Fed, Feeder, events, log_field, reply, run};

/// Passes a response through a server's layer.
async fn serve<B: Body>(tracer: &JaegerTracer, response: Response<B>) -> Response<TracedBody<B>> {
    serve_request(tracer, Request::new(()), response).await
}

async fn serve_request<B: Body>(
    tracer: &JaegerTracer,
    request: Request<()>,
    response: Response<B>,
) -> Response<TracedBody<B>> {
    let mut response = Some(response);
    let handler = service_fn(move |_| {
        let response = response.take().expect("one request");
        async { Ok::<_, Infallible>(response) }
    });
    let server = ServerLayer::new(tracer.clone()).wrap(handler);
    server.oneshot(request).await.expect("infallible")
}

fn fed_reply() -> (Feeder, Response<Fed>) {
    let (feeder, body) = Fed::new();
    (feeder, Response::new(body))
}

/// Returns the only span, which has finished exactly once.
fn finished(tracer: &JaegerTracer, spans: &InMemoryReporter) -> OwnedSpan {
    let mut spans = spans.spans();
    assert_eq!(spans.len(), 1, "{spans:#?}");
    assert_eq!(tracer.metrics().get(Counter::FinishedTwice), 0);
    spans.remove(0)
}

fn is_cancelled(span: &OwnedSpan) -> bool {
    span.tag_text("http.cancelled") == "true" && events(span).contains(&"cancelled".to_owned())
}

#[test]
fn a_scope_that_a_handler_forgets_leaves_the_span_of_its_request_alone() {
    let (tracer, spans) = recording_tracer();
    let inner = tracer.clone();
    let handler = service_fn(move |_: Request<()>| {
        // The scope stays above that of the request.
        std::mem::forget(active_span().activate());
        inner.start_span("child").finish();
        std::future::ready(reply(200, Empty::<Bytes>::new()))
    });
    let mut server = ServerLayer::new(tracer).wrap(handler);
    let mut cx = Context::from_waker(Waker::noop());
    let answer = pin!(server.call(Request::new(()))).poll(&mut cx);
    assert!(answer.is_ready());
    assert_eq!(spans.tree(), "HTTP GET\n  child");
    let request = spans.find("HTTP GET").expect("finished");
    assert_eq!(request.tag_text("http.status_code"), "200");
}

#[test]
fn the_span_covers_a_body_of_three_chunks() {
    run(async {
        let (tracer, spans) = recording_tracer();
        let (feeder, response) = fed_reply();
        let mut body = serve(&tracer, response).await.into_body();
        for chunk in ["one", "two", "three"] {
            feeder.data(chunk);
            let frame = body.frame().await.expect("a frame").expect("no error");
            assert_eq!(frame.into_data().expect("data"), chunk);
            assert!(spans.spans().is_empty(), "{chunk}");
        }
        drop(feeder);
        assert!(body.frame().await.is_none());
        drop(body);
        let span = finished(&tracer, &spans);
        assert_eq!(events(&span), ["headers_sent"]);
        assert_eq!(span.tag_text("http.response_size"), "11");
        assert!(span.tag("error").is_none());
    });
}

#[test]
fn dropping_a_body_early_cancels_the_request_without_an_error() {
    run(async {
        for is_read in [false, true] {
            let (tracer, spans) = recording_tracer();
            let (feeder, response) = fed_reply();
            let mut body = serve(&tracer, response).await.into_body();
            feeder.data("one");
            if is_read {
                body.frame().await.expect("a frame").expect("no error");
            }
            drop(body);
            assert!(feeder.is_closed());
            let span = finished(&tracer, &spans);
            assert!(is_cancelled(&span), "{span:#?}");
            assert!(span.tag("error").is_none());
            assert_eq!(span.tag_text("http.status_code"), "200");
        }
    });
}

#[test]
fn a_failing_body_is_an_error() {
    run(async {
        let (tracer, spans) = recording_tracer();
        let (feeder, response) = fed_reply();
        let mut body = serve(&tracer, response).await.into_body();
        feeder.fail("the disk is gone");
        let error = body.frame().await.expect("a frame").expect_err("failed");
        assert_eq!(error.to_string(), "the disk is gone");
        drop(body);
        let span = finished(&tracer, &spans);
        assert_eq!(span.tag_text("error"), "true");
        let message = log_field(&span, "error", "message");
        assert_eq!(message.as_deref(), Some("the disk is gone"));
        assert!(!is_cancelled(&span));
    });
}

#[test]
fn trailers_end_the_body() {
    run(async {
        let (tracer, spans) = recording_tracer();
        let (feeder, response) = fed_reply();
        let mut body = serve(&tracer, response).await.into_body();
        feeder.data("one");
        body.frame().await.expect("a frame").expect("no error");
        let mut trailers = HeaderMap::new();
        trailers.insert("x-checksum", "1".parse().expect("legal"));
        feeder.trailers(trailers.clone());
        let frame = body.frame().await.expect("a frame").expect("no error");
        assert_eq!(frame.into_trailers().expect("trailers"), trailers);
        let span = finished(&tracer, &spans);
        assert_eq!(events(&span), ["headers_sent"]);
        drop(body);
        finished(&tracer, &spans);
    });
}

#[test]
fn the_last_announced_byte_ends_the_body() {
    run(async {
        let rows = [("by the body", true), ("by the header", false)];
        for (name, by_body) in rows {
            let (tracer, spans) = recording_tracer();
            let (feeder, body) = if by_body {
                Fed::with_length(6)
            } else {
                Fed::new()
            };
            let mut response = Response::new(body);
            if !by_body {
                let headers = response.headers_mut();
                headers.insert("content-length", "6".parse().expect("legal"));
            }
            let mut body = serve(&tracer, response).await.into_body();
            feeder.data("one");
            body.frame().await.expect("a frame").expect("no error");
            assert!(spans.spans().is_empty(), "{name}");
            feeder.data("two");
            body.frame().await.expect("a frame").expect("no error");
            drop(body);
            let span = finished(&tracer, &spans);
            assert!(!is_cancelled(&span), "{name}: {span:#?}");
            assert_eq!(span.tag_text("http.response_size"), "6", "{name}");
        }
    });
}

/// A body of one frame that announces no length.
struct Last(Option<Bytes>);

impl Body for Last {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        Poll::Ready(self.0.take().map(|data| Ok(Frame::data(data))))
    }

    fn is_end_stream(&self) -> bool {
        self.0.is_none()
    }
}

#[test]
fn a_body_that_reports_its_end_ends_the_span() {
    run(async {
        let (tracer, spans) = recording_tracer();
        let response = Response::new(Last(Some(Bytes::from_static(b"all"))));
        let mut body = serve(&tracer, response).await.into_body();
        assert!(!body.is_end_stream());
        body.frame().await.expect("a frame").expect("no error");
        assert!(body.is_end_stream());
        let span = finished(&tracer, &spans);
        assert!(!is_cancelled(&span));
        drop(body);
        finished(&tracer, &spans);
    });
}

#[test]
fn the_size_hint_of_a_body_is_kept() {
    run(async {
        let (tracer, _) = recording_tracer();
        let response = Response::new(Full::new(Bytes::from_static(b"all")));
        let body = serve(&tracer, response).await.into_body();
        assert_eq!(body.size_hint().exact(), Some(3));
    });
}

#[test]
fn the_head_ends_the_span_if_no_body_follows() {
    run(async {
        let rows = [
            ("HEAD", 200, true),
            ("CONNECT", 200, true),
            ("GET", 204, true),
            ("GET", 304, true),
            ("GET", 101, true),
            ("GET", 200, false),
        ];
        for (method, status, is_end) in rows {
            let (tracer, spans) = recording_tracer();
            let (_feeder, body) = Fed::new();
            let response = reply(status, body).expect("infallible");
            let request = Request::builder().method(method).body(()).expect("legal");
            let response = serve_request(&tracer, request, response).await;
            assert_eq!(
                spans.spans().len(),
                usize::from(is_end),
                "{method} {status}"
            );
            drop(response);
            let span = finished(&tracer, &spans);
            assert_eq!(is_cancelled(&span), !is_end, "{method} {status}");
            assert_eq!(span.tag_text("http.status_code"), status.to_string());
        }
    });
}

#[test]
fn the_head_of_a_101_ends_the_span_of_a_client() {
    run(async {
        let (tracer, spans) = recording_tracer();
        let (_feeder, body) = Fed::new();
        let mut body = Some(body);
        let sender = service_fn(move |_: Request<()>| {
            let body = body.take().expect("one request");
            async { reply(101, body) }
        });
        let client = ClientLayer::new(tracer.clone()).wrap(sender);
        let response = client.oneshot(Request::new(())).await.expect("infallible");
        finished(&tracer, &spans);
        drop(response);
        let span = finished(&tracer, &spans);
        assert_eq!(span.tag_text("http.status_code"), "101");
        assert_eq!(events(&span), [""; 0]);
    });
}

#[test]
fn the_head_ends_the_span_of_an_empty_body() {
    run(async {
        let (tracer, spans) = recording_tracer();
        let _response = serve(&tracer, Response::new(Empty::<Bytes>::new())).await;
        let span = finished(&tracer, &spans);
        assert_eq!(events(&span), [""; 0]);
    });
}

#[test]
fn a_layer_can_end_spans_with_the_head() {
    run(async {
        let (tracer, spans) = recording_tracer();
        let (feeder, body) = Fed::new();
        let mut body = Some(body);
        let handler = service_fn(move |_: Request<()>| {
            let body = body.take().expect("one request");
            async { reply(200, body) }
        });
        let server = ServerLayer::new(tracer.clone())
            .span_end(SpanEnd::Head)
            .wrap(handler);
        let response = server.oneshot(Request::new(())).await.expect("infallible");
        finished(&tracer, &spans);
        feeder.data("one");
        let mut body = response.into_body();
        let frame = body.frame().await.expect("a frame").expect("no error");
        assert_eq!(frame.into_data().expect("data"), "one");
        drop(body);
        finished(&tracer, &spans);
    });
}

/// A body that notes the active span when it is polled and when it is dropped.
struct Spy(std::sync::mpsc::Sender<(&'static str, String)>);

impl Body for Spy {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        self: Pin<&mut Self>,
        _cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let _ = self.0.send(("poll", active_span().context().to_span_id()));
        Poll::Ready(Some(Ok(Frame::data(Bytes::from_static(b"x")))))
    }
}

impl Drop for Spy {
    fn drop(&mut self) {
        let _ = self.0.send(("drop", active_span().context().to_span_id()));
    }
}

#[test]
fn the_span_is_active_while_the_body_is_polled_and_dropped() {
    run(async {
        let (tracer, spans) = recording_tracer();
        let (notes, read) = std::sync::mpsc::channel();
        let mut body = serve(&tracer, Response::new(Spy(notes))).await.into_body();
        body.frame().await.expect("a frame").expect("infallible");
        drop(body);
        let id = finished(&tracer, &spans).span_id.to_string();
        let seen: Vec<_> = read.iter().collect();
        assert_eq!(seen, [("poll", id.clone()), ("drop", id)]);
    });
}

/// A guard that notes the active span when it is dropped.
struct NotesDrop(std::sync::mpsc::Sender<String>);

impl Drop for NotesDrop {
    fn drop(&mut self) {
        let _ = self.0.send(active_span().context().to_span_id());
    }
}

#[test]
fn the_span_is_active_while_a_handler_is_dropped() {
    let (tracer, spans) = recording_tracer();
    let (notes, read) = std::sync::mpsc::channel();
    let handler = service_fn(move |_: Request<()>| {
        let note = NotesDrop(notes.clone());
        async move {
            let _note = note;
            std::future::pending::<Result<Response<Empty<Bytes>>, Infallible>>().await
        }
    });
    let mut server = ServerLayer::new(tracer.clone()).wrap(handler);
    drop(server.call(Request::new(())));
    let span = finished(&tracer, &spans);
    assert_eq!(read.recv(), Ok(span.span_id.to_string()));
}

#[test]
fn dropping_the_future_after_any_poll_cancels_the_request() {
    const STEPS: usize = 4;
    for polls in 0..=STEPS {
        let (tracer, spans) = recording_tracer();
        let handler = service_fn(|_: Request<()>| async {
            for _ in 0..STEPS {
                tokio::task::yield_now().await;
            }
            reply(200, Empty::<Bytes>::new())
        });
        let mut server = ServerLayer::new(tracer.clone()).wrap(handler);
        // `yield_now` needs a runtime.
        run(async {
            let mut future = Box::pin(server.call(Request::new(())));
            let mut cx = Context::from_waker(Waker::noop());
            for _ in 0..polls {
                assert!(future.as_mut().poll(&mut cx).is_pending());
            }
            assert!(spans.spans().is_empty());
            drop(future);
        });
        let span = finished(&tracer, &spans);
        assert!(is_cancelled(&span), "after {polls} polls");
        assert!(span.tag("error").is_none());
        assert!(span.tag("http.status_code").is_none());
    }
}

#[test]
fn a_client_that_drops_a_body_cancels_the_request_only_after_a_poll() {
    run(async {
        let rows = [
            ("whole", vec!["headers_received"], false),
            ("unread", vec!["headers_received", "body_dropped"], false),
            ("waiting", vec!["headers_received", "cancelled"], true),
            ("in part", vec!["headers_received", "cancelled"], true),
        ];
        for (how, expected, cancels) in rows {
            let (tracer, spans) = recording_tracer();
            let (feeder, response) = fed_reply();
            let mut response = Some(response);
            let sender = service_fn(move |_: Request<()>| {
                let response = response.take().expect("one request");
                async { Ok::<_, Infallible>(response) }
            });
            let client = ClientLayer::new(tracer.clone()).wrap(sender);
            let response = client.oneshot(Request::new(())).await.expect("infallible");
            assert!(spans.spans().is_empty());
            let mut body = response.into_body();
            let mut cx = Context::from_waker(Waker::noop());
            if how != "waiting" {
                feeder.data("one");
            }
            match how {
                "whole" => {
                    drop(feeder);
                    body.collect().await.expect("no error");
                }
                "unread" => drop(body),
                _ => {
                    let poll = Pin::new(&mut body).poll_frame(&mut cx);
                    assert_eq!(poll.is_pending(), how == "waiting");
                    drop(body);
                }
            }
            let span = finished(&tracer, &spans);
            assert_eq!(events(&span), expected, "{how}");
            assert_eq!(is_cancelled(&span), cancels, "{how}");
            assert!(span.tag("error").is_none(), "{how}");
        }
    });
}

#[test]
fn a_body_without_a_span_passes_through() {
    run(async {
        let body = TracedBody::<Full<Bytes>>::default();
        assert!(body.is_end_stream());
        let mut body = pin!(body);
        assert!(body.frame().await.is_none());
    });
}
