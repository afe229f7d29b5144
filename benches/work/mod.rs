//! Work with spans as programs do it, for measurements of time and of instructions.

use std::hint::black_box;

use http::{HeaderMap, HeaderName, HeaderValue};

use tracehound::model::field;
use tracehound::prelude::*;

/// A piece of work with spans.
pub(crate) trait Work {
    const NAME: &'static str;
    /// How many spans the work makes, if its figures are per span.
    const SPANS: u64 = 1;
    fn once<T: Tracer + ?Sized>(&mut self, tracer: &T);
}

/// A span with a tag: the cost of calls that stay in a program whose tracing is off.
pub(crate) struct Tagged;

impl Work for Tagged {
    const NAME: &'static str = "noop";

    fn once<T: Tracer + ?Sized>(&mut self, tracer: &T) {
        let span = tracer.start_span(black_box("get_account"));
        span.set_tag("items", black_box(3));
        span.finish();
    }
}

pub(crate) struct Root;

impl Work for Root {
    const NAME: &'static str = "root";

    fn once<T: Tracer + ?Sized>(&mut self, tracer: &T) {
        tracer.start_span(black_box("get_account")).finish();
    }
}

/// A child of the active span. The caller activates one.
pub(crate) struct Child;

impl Work for Child {
    const NAME: &'static str = "child";

    fn once<T: Tracer + ?Sized>(&mut self, tracer: &T) {
        tracer.start_span(black_box("query")).finish();
    }
}

/// A request in a service that calls another one: it reads the context from the headers, starts a server span with six
/// tags and a log, and a client span whose context goes into the headers of the next request.
pub(crate) struct Request {
    pub(crate) headers: HeaderMap,
    pub(crate) next: HeaderMap,
    url: String,
    user: String,
}

impl Request {
    pub(crate) fn new(trace_header: &'static str) -> Self {
        Self::with_headers(&[("uber-trace-id", trace_header)])
    }

    /// Returns a request whose context is in `trace_headers`.
    pub(crate) fn with_headers(trace_headers: &[(&'static str, &'static str)]) -> Self {
        let headers = |pairs: &[(&'static str, &'static str)]| -> HeaderMap {
            pairs
                .iter()
                .map(|(name, value)| {
                    let name = HeaderName::from_static(name);
                    (name, HeaderValue::from_static(value))
                })
                .collect()
        };
        Self {
            headers: headers(
                &[
                    &[
                        ("host", "shop.example.com"),
                        (
                            "user-agent",
                            "Mozilla/5.0 (X11; Linux x86_64) Gecko/20100101",
                        ),
                        ("accept", "application/json"),
                        ("accept-encoding", "gzip, br"),
                        ("content-type", "application/json"),
                        ("content-length", "1432"),
                        ("x-request-id", "7b0c9f3e-0f7e-4f1b-9d53-9a2c7b1f0a11"),
                        ("x-forwarded-for", "203.0.113.7"),
                    ],
                    trace_headers,
                ]
                .concat(),
            ),
            next: headers(&[
                ("host", "backend.internal"),
                ("user-agent", "shop/1.4.2"),
                ("accept", "application/json"),
                ("content-type", "application/json"),
            ]),
            url: "/api/v2/orders/104711/items?limit=50".to_owned(),
            user: "user-004711".to_owned(),
        }
    }
}

impl Work for Request {
    const NAME: &'static str = "request";

    fn once<T: Tracer + ?Sized>(&mut self, tracer: &T) {
        let parent = tracer.extract(black_box(&self.headers)).unwrap_or_default();
        let server = tracer
            .build_span(black_box("GET /orders"))
            .child_of(&parent)
            .tag("http.method", "GET")
            .tag("component", "shop")
            .tag("http.url", &self.url)
            .tag("user.id", &self.user)
            .start();
        server.log([field("event", "cache_miss"), field("bytes", black_box(512))]);
        let client = tracer
            .build_span(black_box("GET /backend"))
            .child_of(&server)
            .start();
        tracer.inject(&client.context(), &mut self.next);
        client.finish();
        server
            .set_tag("http.status_code", black_box(200))
            .set_tag("http.response_size", black_box(1_432));
        server.finish();
    }
}

pub(crate) const SAMPLED: &str = "6309ab92c95468edea0dc1a9772ae2dc:409423a204bc17a8:0:1";
pub(crate) const UNSAMPLED: &str = "6309ab92c95468edea0dc1a9772ae2dc:409423a204bc17a8:0:0";
