use std::hint::black_box;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use crossbeam_channel::{Receiver, Sender, bounded};
use http::{HeaderMap, HeaderName, HeaderValue};
use rustracing::carrier::{IterHttpHeaderFields, SetHttpHeaderField};
use rustracing::sampler::{AllSampler, NullSampler};
use rustracing::tag::Tag;
use rustracing_jaeger::Tracer;
use rustracing_jaeger::reporter::JaegerCompactReporter;
use rustracing_jaeger::span::{FinishedSpan, Span, SpanContext};
use rustracing_jaeger::thrift::agent::EmitBatchNotification;
use rustracing_jaeger::thrift::jaeger::{Batch, Process};
use thrift_codec::CompactEncode;
use thrift_codec::message::Message;

use crate::contender::{Account, Contender, Destination, Mode, QUEUE, Tally};
use crate::request::Request;

struct Rustracing {
    tracer: Tracer,
    waiting: Receiver<FinishedSpan>,
    drain: Sender<Sender<()>>,
    tally: Arc<Tally>,
}

pub fn prepare(mode: Mode, destination: Destination) -> Option<Box<dyn Contender>> {
    let (sender, waiting) = bounded(QUEUE);
    let (drain, orders) = bounded(1);
    let tally = Arc::new(Tally::new());
    let tracer = match mode {
        Mode::Sampled => Tracer::with_sender(AllSampler, sender),
        Mode::Unsampled | Mode::Off => Tracer::with_sender(NullSampler, sender),
    };
    let sink = sink(destination, tally.clone());
    let spans = waiting.clone();
    thread::spawn(move || report(&spans, &orders, &sink));
    Some(Box::new(Rustracing {
        tracer,
        waiting,
        drain,
        tally,
    }))
}

enum Sink {
    Reader(Arc<Tally>),
    Encoder(Arc<Tally>),
    Jaeger(JaegerCompactReporter, Arc<Tally>),
}

fn sink(destination: Destination, tally: Arc<Tally>) -> Sink {
    match destination {
        Destination::Memory => Sink::Reader(tally),
        Destination::Bytes => Sink::Encoder(tally),
        Destination::Network(addresses, _) => {
            let reporter = JaegerCompactReporter::new("compare");
            let mut reporter = reporter.expect("a port is free");
            reporter.set_agent_addr(addresses.agent);
            Sink::Jaeger(reporter, tally)
        }
    }
}

/// Drains every 10 ms, and when told to. The loop of its documentation, which blocks on the channel, has every
/// span wake it, and costs the program more.
fn report(spans: &Receiver<FinishedSpan>, orders: &Receiver<Sender<()>>, sink: &Sink) {
    let mut batch = Vec::with_capacity(BATCH);
    loop {
        let order = orders.recv_timeout(Duration::from_millis(10));
        loop {
            batch.extend(spans.try_iter().take(BATCH));
            if batch.is_empty() {
                break;
            }
            sink.take(&batch);
            batch.clear();
        }
        if let Ok(done) = order {
            done.send(()).expect("the one who ordered waits");
        }
    }
}

impl Sink {
    fn take(&self, spans: &[FinishedSpan]) {
        match self {
            Self::Reader(tally) => {
                for span in spans {
                    let bytes: usize = span.tags().iter().map(|tag| tag.name().len()).sum();
                    let name = span.operation_name().len();
                    black_box((name, span.finish_time(), bytes, span.logs().len()));
                }
                tally.add(spans.len());
            }
            Self::Encoder(tally) => tally.encoded(spans.len(), || encode(spans)),
            Self::Jaeger(reporter, tally) => {
                reporter.report(spans).expect("small enough");
                tally.add(spans.len());
            }
        }
    }
}

/// As its reporter does.
fn encode(spans: &[FinishedSpan]) -> Vec<u8> {
    let batch = Batch {
        process: Process {
            service_name: "compare".to_owned(),
            tags: Vec::new(),
        },
        spans: spans.iter().map(From::from).collect(),
    };
    let mut bytes = Vec::new();
    let message = Message::from(EmitBatchNotification { batch });
    message.compact_encode(&mut bytes).expect("well-formed");
    bytes
}

/// Spans in a datagram, which its reporter does not split.
const BATCH: usize = 200;

impl Contender for Rustracing {
    fn roots(&self, n: u64) {
        for _ in 0..n {
            drop(self.tracer.span("root").start());
        }
    }

    fn children(&self, n: u64) {
        let root = self.tracer.span("root").start();
        for _ in 0..n {
            drop(root.child("child", |options| options.start()));
        }
    }

    fn requests(&self, n: u64, request: &mut Request) {
        for _ in 0..n {
            let caller = SpanContext::extract_from_http_header(&Headers(&request.headers));
            let caller = caller.expect("well-formed").expect("it is there");
            let mut server = self
                .tracer
                .span("GET /orders")
                .child_of(&caller)
                .tag(Tag::new("http.method", "GET"))
                .tag(Tag::new("component", "shop"))
                .tag(Tag::new("http.url", request.url.clone()))
                .tag(Tag::new("user.id", request.user.clone()))
                .tag(Tag::new("http.status_code", request.status))
                .tag(Tag::new("http.response_size", request.response_size))
                .start();
            server.log(|log| {
                log.field(("event", "cache_miss"));
                log.field(("bytes", request.bytes_read.to_string()));
            });
            let client = server.child("GET /backend", |options| options.start());
            // A span that is not sampled has no context here, so nothing goes to the next service.
            if let Some(context) = client.context() {
                let mut next = Next(&mut request.next);
                context
                    .inject_to_http_header(&mut next)
                    .expect("well-formed");
            }
            drop(client);
        }
    }

    fn tagged_root(&self, request: &Request) {
        let root = self
            .tracer
            .span("GET /orders")
            .tag(Tag::new("http.method", "GET"))
            .tag(Tag::new("component", "shop"))
            .tag(Tag::new("http.url", request.url.clone()))
            .tag(Tag::new("http.status_code", request.status))
            .tag(Tag::new("http.response_size", request.response_size));
        drop(root.start());
    }

    fn off(&self, n: u64) {
        for i in 0..n {
            let mut span = Span::inactive();
            span.set_tag(|| Tag::new("items", i as i64));
        }
    }

    fn flush(&self) {
        let (done, is_done) = bounded(1);
        self.drain.send(done).expect("it drains until the end");
        is_done.recv().expect("it drains until the end");
        assert!(self.waiting.is_empty());
    }

    fn tally(&self) -> &Tally {
        &self.tally
    }

    /// Its reporter returns whether a datagram was sent. The tracer says nothing of spans that find the channel full.
    fn account(&self) -> Account {
        Account {
            sent: Some(self.tally.delivered()),
            ..Account::default()
        }
    }
}

struct Headers<'a>(&'a HeaderMap);

/// All headers, in turn: it cannot ask for one by name.
impl<'a, 'b: 'a> IterHttpHeaderFields<'a> for Headers<'b> {
    type Fields = Box<dyn Iterator<Item = (&'a str, &'a [u8])> + 'a>;

    fn fields(&'a self) -> Self::Fields {
        let headers = self.0.iter();
        Box::new(headers.map(|(name, value)| (name.as_str(), value.as_bytes())))
    }
}

struct Next<'a>(&'a mut HeaderMap);

impl SetHttpHeaderField for Next<'_> {
    fn set_http_header_field(&mut self, name: &str, value: &str) -> rustracing::Result<()> {
        let name = HeaderName::from_bytes(name.as_bytes()).expect("lower case");
        self.0
            .insert(name, HeaderValue::from_str(value).expect("ASCII"));
        Ok(())
    }
}
