use std::borrow::Cow;
use std::hint::black_box;
use std::net::UdpSocket;

use fastrace::collector::{Config, Reporter, SpanRecord};
use fastrace::prelude::{Event, Span, SpanContext};
use fastrace_jaeger::JaegerReporter;
use http::HeaderValue;

use crate::contender::{Contender, Destination, Mode, Tally};
use crate::request::Request;

/// fastrace has one reporter for the process.
static TALLY: Tally = Tally::new();

struct Fastrace {
    is_sampled: bool,
}

pub fn prepare(mode: Mode, destination: Destination) -> Option<Box<dyn Contender>> {
    if mode != Mode::Off {
        fastrace::set_reporter(sink(destination), Config::default());
    }
    Some(Box::new(Fastrace {
        is_sampled: mode == Mode::Sampled,
    }))
}

enum Sink {
    Reader,
    /// Its encoder cannot be called without its socket. No thread reads from the second one.
    Encoder(JaegerReporter, UdpSocket),
    Jaeger(JaegerReporter),
}

fn sink(destination: Destination) -> Sink {
    let jaeger = |agent| JaegerReporter::new(agent, "compare").expect("a port is free");
    match destination {
        Destination::Memory => Sink::Reader,
        Destination::Bytes => {
            let silent = UdpSocket::bind("127.0.0.1:0").expect("a port is free");
            Sink::Encoder(jaeger(silent.local_addr().expect("it is bound")), silent)
        }
        Destination::Network(addresses, _) => Sink::Jaeger(jaeger(addresses.agent)),
    }
}

impl Reporter for Sink {
    fn report(&mut self, spans: Vec<SpanRecord>) {
        match self {
            Self::Reader => {
                for span in &spans {
                    let properties = &span.properties;
                    let bytes: usize = properties
                        .iter()
                        .map(|(key, value)| key.len() + value.len())
                        .sum();
                    black_box((span.name.len(), span.duration_ns, bytes, span.events.len()));
                }
                TALLY.add(spans.len());
            }
            Self::Encoder(jaeger, _silent) => {
                TALLY.encoded(spans.len(), || jaeger.report(spans));
            }
            Self::Jaeger(jaeger) => jaeger.report(spans),
        }
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

    fn tagged_root(&self, request: &Request) {
        let root = Span::root("GET /orders", SpanContext::random());
        drop(root.with_properties(|| {
            [
                fixed("http.method", "GET"),
                fixed("component", "shop"),
                owned("http.url", request.url.clone()),
                owned("http.status_code", request.status.to_string()),
                owned("http.response_size", request.response_size.to_string()),
            ]
        }));
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

    fn tally(&self) -> &Tally {
        &TALLY
    }
}

type Property = (Cow<'static, str>, Cow<'static, str>);

fn fixed(key: &'static str, value: &'static str) -> Property {
    (key.into(), value.into())
}

fn owned(key: &'static str, value: String) -> Property {
    (key.into(), value.into())
}
