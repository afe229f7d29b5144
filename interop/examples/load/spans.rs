//! The two kinds of span. The Go program makes the same kinds.

use tracehound::{
    JaegerTracer,
    model::{field, tags},
    prelude::*,
};
use tracehound_interop::SpanSize;

/// Starts and finishes a span.
pub(crate) fn make(tracer: &JaegerTracer, size: SpanSize) {
    match size {
        SpanSize::Large => request(tracer),
        _ => step(tracer),
    }
}

/// A step within a program.
fn step(tracer: &JaegerTracer) {
    let span = tracer.start_span("render_invoice");
    span.set_tag(tags::COMPONENT, "invoices")
        .set_tag("template", "monthly-statement.de.html")
        .set_tag("customer", "c-7f3a9b2e4d");
    span.finish();
}

/// A request as the server middleware writes it, with two headers.
fn request(tracer: &JaegerTracer) {
    let span = tracer
        .build_span("GET /orders/{customer}/items")
        .tag(tags::SPAN_KIND, tags::SPAN_KIND_SERVER)
        .start();
    span.set_tag(tags::COMPONENT, "axum")
        .set_tag(tags::HTTP_METHOD, "GET")
        .set_tag(tags::HTTP_URL, URL)
        .set_tag("http.request.header.user-agent", USER_AGENT)
        .set_tag("http.request.header.x-request-id", REQUEST_ID)
        .set_tag(tags::PEER_IPV4, "203.0.113.57")
        .set_tag(tags::PEER_PORT, 51_734);
    span.log([
        field(tags::EVENT, "cache_miss"),
        field("key", "orders/7f3a9b2e4d"),
    ]);
    span.set_tag(tags::HTTP_STATUS_CODE, 200)
        .set_tag("http.response_size", 18_234);
    span.finish();
}

const URL: &str = "http://shop.example.com:8080/orders/7f3a9b2e4d/items?page=&sort=&expand=";
const USER_AGENT: &str = "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0";
const REQUEST_ID: &str = "0b9d0d5e-6c0f-4b7e-9a55-3f1f0a6a1d42";
