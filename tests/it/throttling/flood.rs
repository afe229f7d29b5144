//! Strangers who flood a server with debug ids.

use axum::Router;
use axum::routing::any;
use http::HeaderValue;
use tracehound::JaegerTracer;
use tracehound::clock::ManualClock;
use tracehound::diagnostics::Diagnostics;
use tracehound::metrics::Counter;
use tracehound::middleware::ServerLayer;
use tracehound::reporter::{InMemoryReporter, OwnedSpan};
use tracehound::sampler::ConstSampler;
use tracehound::throttler::DebugLimiter;

use crate::support::web::{call_with, get, run, serve};

const REQUESTS: usize = 500;

/// Sends requests with debug ids and paths of their own to a server whose spans are named by their paths. Returns the
/// spans that were kept.
fn flood(limiter: Option<DebugLimiter>) -> (Vec<OwnedSpan>, JaegerTracer) {
    let spans = InMemoryReporter::new();
    let mut builder = JaegerTracer::builder("test")
        .sampler(ConstSampler::new(false))
        .clock(ManualClock::default())
        .diagnostics(Diagnostics::silent())
        .reporter(spans.clone());
    if let Some(limiter) = limiter {
        builder = builder.throttler(limiter);
    }
    let tracer = builder.build().expect("the service has a name");
    let layer = ServerLayer::new(tracer.clone())
        .operation_name(|request: &http::request::Parts| request.uri.path().to_owned().into());
    run(async {
        let app = Router::new().fallback(any(async || "hello")).layer(layer);
        let address = serve(app).await;
        for n in 0..REQUESTS {
            let mut request = get(format!("http://{address}/{n}"));
            let debug_id = HeaderValue::from_str(&format!("flood-{n}")).expect("a header");
            request.headers_mut().insert("jaeger-debug-id", debug_id);
            let (status, body) = call_with(request).await;
            assert_eq!((status.as_u16(), &body[..]), (200, &b"hello"[..]));
        }
    });
    tracer.close(std::time::Duration::from_secs(20));
    (spans.spans(), tracer)
}

#[test]
fn a_flood_of_debug_ids_under_new_names_is_bounded_by_the_limiter() {
    let (spans, tracer) = flood(Some(DebugLimiter::new()));
    assert_eq!(spans.len(), 10, "ten a second, and the clock stands still");
    for n in 0..10 {
        let name = format!("/{n}");
        let span = spans.iter().find(|span| span.operation_name == name);
        let span = span.expect("the first ten are allowed");
        assert_eq!(span.tag_text("jaeger-debug-id"), format!("flood-{n}"));
    }
    let denied = tracer.metrics().get(Counter::ThrottledDebugSpans);
    assert_eq!(denied as usize, REQUESTS - 10);
}

#[test]
fn a_flood_of_debug_ids_keeps_every_trace_without_a_limiter() {
    let (spans, tracer) = flood(None);
    assert_eq!(spans.len(), REQUESTS);
    assert_eq!(tracer.metrics().get(Counter::ThrottledDebugSpans), 0);
}
