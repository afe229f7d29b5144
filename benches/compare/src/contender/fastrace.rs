use std::borrow::Cow;
use std::hint::black_box;
use std::sync::atomic::{AtomicU64, Ordering};

use fastrace::collector::{Config, Reporter, SpanRecord};
use fastrace::prelude::{Event, Span, SpanContext};
use http::HeaderValue;

use crate::contender::{Contender, Mode};
use crate::request::Request;

/// fastrace has one reporter for the process.
static DELIVERED: AtomicU64 = AtomicU64::new(0);

struct Fastrace {
    is_sampled: bool,
}

pub fn prepare(mode: Mode) -> Option<Box<dyn Contender>> {
    if mode != Mode::Off {
        fastrace::set_reporter(Sink, Config::default());
    }
    Some(Box::new(Fastrace {
        is_sampled: mode == Mode::Sampled,
    }))
}

struct Sink;

impl Reporter for Sink {
    fn report(&mut self, spans: Vec<SpanRecord>) {
        for span in &spans {
            let properties = &span.properties;
            let bytes: usize = properties
                .iter()
                .map(|(key, value)| key.len() + value.len())
                .sum();
            black_box((span.name.len(), span.duration_ns, bytes, span.events.len()));
        }
        DELIVERED.fetch_add(spans.len() as u64, Ordering::Relaxed);
    }
}

impl Contender for Fastrace {
    fn roots(&self, n: u64) {
        for _ in 0..n {
            drop(Span::root(
                "root",
                SpanContext::random().sampled(self.is_sampled),
            ));
        }
    }

    fn children(&self, n: u64) {
        let root = Span::root("root", SpanContext::random().sampled(self.is_sampled));
        for _ in 0..n {
            drop(Span::enter_with_parent("child", &root));
        }
    }

    fn requests(&self, n: u64, request: &mut Request) {
        for _ in 0..n {
            let header = request
                .headers
                .get("traceparent")
                .and_then(|value| value.to_str().ok());
            let caller = header
                .and_then(SpanContext::decode_w3c_traceparent)
                .expect("it is there");
            let server = Span::root("GET /orders", caller).with_properties(|| {
                [
                    fixed("http.method", "GET"),
                    fixed("component", "shop"),
                    owned("http.url", request.url.clone()),
                    owned("user.id", request.user.clone()),
                    owned("http.status_code", request.status.to_string()),
                    owned("http.response_size", request.response_size.to_string()),
                ]
            });
            server.add_event(Event::new("event").with_properties(|| {
                [
                    fixed("event", "cache_miss"),
                    owned("bytes", request.bytes_read.to_string()),
                ]
            }));
            let client = Span::enter_with_parent("GET /backend", &server);
            let context = SpanContext::from_span(&client).expect("it has a parent");
            let value = HeaderValue::try_from(context.encode_w3c_traceparent()).expect("ASCII");
            request.next.insert("traceparent", value);
        }
    }

    fn off(&self, n: u64) {
        for i in 0..n {
            drop(
                Span::root("root", SpanContext::random())
                    .with_property(|| ("items", i.to_string())),
            );
        }
    }

    fn flush(&self) {
        fastrace::flush();
    }

    fn delivered(&self) -> u64 {
        DELIVERED.load(Ordering::Relaxed)
    }
}

type Property = (Cow<'static, str>, Cow<'static, str>);

fn fixed(key: &'static str, value: &'static str) -> Property {
    (key.into(), value.into())
}

fn owned(key: &'static str, value: String) -> Property {
    (key.into(), value.into())
}
