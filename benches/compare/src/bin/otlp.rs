//! Finished spans to a request of OTLP: tracehound beside opentelemetry's exporter and fastrace's, in one process and
//! in interleaved rounds.
//!
//! ```console
//! cargo run --release --manifest-path benches/compare/Cargo.toml --bin otlp
//! cargo run --release --manifest-path benches/compare/Cargo.toml --bin otlp -- 100
//! ```
//!
//! It prints the median of the time on a core, and the bytes a span; the argument is the number of rounds, 40 by
//! default. Each contender gets spans in the form in which its library hands them to an exporter, and makes the
//! bytes of requests of up to 512 spans, as its exporter does. The spans are those of requests: a server's span
//! with six attributes and an event, and a client's span without.
//!
//! # What is not equal
//!
//! - tracehound's spans are encoded in part when they are made, on the threads of the program: its worker gets tags and
//!   logs in Thrift's compact protocol. The table of W9 shows both sides.
//! - The time that it takes to read the clock is left out. tracehound's spans are shown to it a few at a time, so it has
//!   more readings.
//! - opentelemetry and fastrace take spans by value, so the figures have the cost of freeing them, as in a program.
//! - fastrace has no types of attributes: all values are text. `fastrace-opentelemetry` makes opentelemetry's spans of
//!   its own, and opentelemetry's exporter makes the bytes.

use std::borrow::Cow;
use std::env;
use std::hint::black_box;
use std::sync::{Arc, LazyLock};
use std::time::{Duration, Instant, SystemTime};

use fastrace::collector::{self, EventRecord, Reporter as _, SpanRecord};
use fastrace_opentelemetry::OpenTelemetryReporter;
use opentelemetry::trace::{
    Event, SpanContext, SpanId, SpanKind, Status, TraceFlags, TraceId, TraceState,
};
use opentelemetry::{InstrumentationScope, KeyValue};
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::transform::common::tonic::ResourceAttributesWithSchema;
use opentelemetry_proto::transform::trace::tonic::group_spans_by_resource_and_scope;
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::trace::{SpanData, SpanEvents, SpanExporter, SpanLinks};
use prost::Message;
use tracehound::model::{self, LogRecord, ReferenceType, ReportedReference, Tag, Timestamp};
use tracehound::reporter::{FinishedSpan, OwnedSpan, RemoteReporter, Reporter};

use crate::clocks::thread_cpu;
use crate::requests::{Sink, Totals};

#[expect(dead_code, reason = "other figures need more of it")]
#[path = "../clocks.rs"]
mod clocks;
#[path = "../requests.rs"]
mod requests;

fn main() {
    let rounds = env::args()
        .nth(1)
        .map_or(40, |rounds| rounds.parse().expect("a number of rounds"));
    let mut contenders: [Measured; 3] = [
        Measured::new("tracehound", Tracehound::new()),
        Measured::new("opentelemetry-otlp", OpenTelemetry::new()),
        Measured::new("fastrace-opentelemetry", Fastrace::new()),
    ];
    for _ in 0..rounds {
        contenders.iter_mut().for_each(Measured::measure);
    }
    println!("| {rounds} rounds | ns a span | multiple | bytes a span |\n|---|--:|--:|--:|");
    let base = contenders[0].median();
    for measured in &mut contenders {
        let (median, bytes) = (measured.median(), measured.bytes_per_span());
        let name = measured.name;
        println!(
            "| {name} | {median:.0} | {:.1} × | {bytes} |",
            median / base
        );
    }
}

/// A library that encodes [`SPANS`] spans.
trait Contender {
    /// Encodes all spans once. Returns the time that the encoding took.
    fn encode(&mut self) -> Duration;

    /// Returns the spans and the bytes of all requests so far.
    fn totals(&mut self) -> (u64, u64);
}

struct Measured {
    name: &'static str,
    contender: Box<dyn Contender>,
    times: Vec<f64>,
    encoded: u64,
}

impl Measured {
    fn new(name: &'static str, contender: impl Contender + 'static) -> Self {
        Self {
            name,
            contender: Box::new(contender),
            times: Vec::new(),
            encoded: 0,
        }
    }

    fn measure(&mut self) {
        let taken: Duration = (0..REPEATS).map(|_| self.contender.encode()).sum();
        self.encoded += REPEATS * SPANS;
        self.times
            .push(taken.as_nanos() as f64 / (REPEATS * SPANS) as f64);
    }

    fn median(&mut self) -> f64 {
        self.times.sort_by(f64::total_cmp);
        self.times[self.times.len() / 2]
    }

    fn bytes_per_span(&mut self) -> u64 {
        let (spans, bytes) = self.contender.totals();
        assert_eq!(spans, self.encoded, "{} lost spans", self.name);
        bytes / spans
    }
}

/// Returns how long this thread is on a core for some work.
fn time_of(work: impl FnOnce()) -> Duration {
    let begin = thread_cpu();
    work();
    (thread_cpu() - begin).saturating_sub(*CLOCK)
}

/// The time between two readings of the clock with nothing between them.
static CLOCK: LazyLock<Duration> = LazyLock::new(|| {
    let mut times = [(); 1_001].map(|()| {
        let begin = thread_cpu();
        thread_cpu() - begin
    });
    times.sort();
    times[times.len() / 2]
});

/// The numbers of the spans: the client's, then the server's.
fn ids(n: u64) -> (u128, u64, u64) {
    let mix = |n: u64| (n + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let trace_id = u128::from(mix(n)) << 64 | u128::from(mix(n + SPANS));
    (trace_id, mix(n + 2 * SPANS), mix(n + 3 * SPANS))
}

const PARENT: u64 = 0x6ad0_4c2b_18e7_f935;
const START_MICROS: u64 = 1_700_000_000_123_456;
const DURATION: Duration = Duration::from_micros(1_500);
const URL: &str = "/api/v2/orders/104711/items?limit=50";
const USER: &str = "user-004711";

/// The tracer's side of a [`RemoteReporter`]: views of spans, as the worker has them.
struct Tracehound {
    reporter: RemoteReporter,
    spans: Vec<OwnedSpan>,
    totals: Arc<Totals>,
}

impl Tracehound {
    fn new() -> Self {
        let totals = Arc::<Totals>::default();
        Self {
            reporter: RemoteReporter::new(Sink(totals.clone())),
            spans: (0..SPANS / 2).flat_map(Self::request).collect(),
            totals,
        }
    }

    fn request(n: u64) -> [OwnedSpan; 2] {
        let (trace_id, client_id, server_id) = ids(n);
        let trace_id = model::TraceId::new((trace_id >> 64) as u64, trace_id as u64);
        let trace_id = trace_id.expect("not zero");
        let id = |id| model::SpanId::new(id).expect("not zero");
        let span = |name, span_id, parent_id| {
            let mut span = OwnedSpan::new(trace_id, id(span_id), name);
            span.parent_id = Some(id(parent_id));
            let kind = ReferenceType::ChildOf;
            let parent = ReportedReference::new(kind, trace_id, id(parent_id));
            span.references.push(parent);
            span.start = Timestamp::from_micros(START_MICROS as i64);
            span.duration = DURATION;
            span
        };
        let mut client = span("GET /backend", client_id, server_id);
        client.tags = vec![Tag::new("span.kind", "client")];
        let mut server = span("GET /orders", server_id, PARENT);
        server.tags = vec![
            Tag::new("span.kind", "server"),
            Tag::new("http.method", "GET"),
            Tag::new("component", "shop"),
            Tag::new("http.url", URL),
            Tag::new("user.id", USER),
            Tag::new("http.status_code", 200),
            Tag::new("http.response_size", 1_432),
        ];
        let fields = vec![Tag::new("event", "cache_miss"), Tag::new("bytes", 512)];
        server.logs = vec![LogRecord::new(server.start, fields)];
        [client, server]
    }

    /// Reports views of all spans, which are made before.
    fn report(
        spans: &[OwnedSpan],
        views: &mut Vec<FinishedSpan<'_>>,
        report: &mut dyn FnMut(&[FinishedSpan<'_>]),
    ) {
        let Some((first, rest)) = spans.split_first() else {
            return report(views);
        };
        first.view(|view| {
            let mut views = views.clone();
            views.push(*view);
            Self::report(rest, &mut views, report);
        });
    }
}

impl Contender for Tracehound {
    fn encode(&mut self) -> Duration {
        let mut taken = Duration::ZERO;
        // In few spans at a time, because each view is a frame on the stack.
        for spans in self.spans.chunks(32) {
            Self::report(spans, &mut Vec::new(), &mut |views| {
                taken += time_of(|| {
                    for span in views {
                        self.reporter.report(black_box(span));
                    }
                });
            });
        }
        let deadline = Instant::now() + Duration::from_secs(20);
        taken
            + time_of(|| {
                self.reporter.flush(deadline);
            })
    }

    fn totals(&mut self) -> (u64, u64) {
        self.totals.get()
    }
}

/// The work of opentelemetry's exporter of OTLP before it sends.
#[derive(Debug)]
struct Encoder {
    resource: ResourceAttributesWithSchema,
    totals: Arc<Totals>,
}

impl Encoder {
    fn new(totals: Arc<Totals>) -> Self {
        let resource = resource();
        let resource = ResourceAttributesWithSchema::from(&resource);
        Self { resource, totals }
    }

    fn encode(&self, batch: Vec<SpanData>) {
        let spans = batch.len();
        let resource_spans = group_spans_by_resource_and_scope(batch, &self.resource);
        let request = ExportTraceServiceRequest { resource_spans }.encode_to_vec();
        self.totals.add(spans, &request);
    }
}

impl SpanExporter for Encoder {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        self.encode(batch);
        Ok(())
    }
}

fn resource() -> Resource {
    Resource::builder_empty()
        .with_service_name("compare")
        .build()
}

struct OpenTelemetry {
    encoder: Encoder,
    batch: Vec<SpanData>,
}

impl OpenTelemetry {
    fn new() -> Self {
        Self {
            encoder: Encoder::new(Arc::default()),
            batch: (0..SPANS / 2).flat_map(Self::request).collect(),
        }
    }

    fn request(n: u64) -> [SpanData; 2] {
        let (trace_id, client_id, server_id) = ids(n);
        let start = SystemTime::UNIX_EPOCH + Duration::from_micros(START_MICROS);
        let span = |name: &'static str, kind, span_id: u64, parent_id: u64| SpanData {
            span_context: SpanContext::new(
                TraceId::from(trace_id),
                SpanId::from(span_id),
                TraceFlags::SAMPLED,
                false,
                TraceState::default(),
            ),
            parent_span_id: SpanId::from(parent_id),
            parent_span_is_remote: false,
            span_kind: kind,
            name: name.into(),
            start_time: start,
            end_time: start + DURATION,
            attributes: Vec::new(),
            dropped_attributes_count: 0,
            events: SpanEvents::default(),
            links: SpanLinks::default(),
            status: Status::Unset,
            instrumentation_scope: InstrumentationScope::builder("compare").build(),
        };
        let client = span("GET /backend", SpanKind::Client, client_id, server_id);
        let mut server = span("GET /orders", SpanKind::Server, server_id, PARENT);
        server.attributes = vec![
            KeyValue::new("http.method", "GET"),
            KeyValue::new("component", "shop"),
            KeyValue::new("http.url", URL.to_owned()),
            KeyValue::new("user.id", USER.to_owned()),
            KeyValue::new("http.status_code", 200),
            KeyValue::new("http.response_size", 1_432),
        ];
        let fields = vec![KeyValue::new("bytes", 512)];
        let event = Event::new("cache_miss", start, fields, 0);
        server.events.events.push(event);
        [client, server]
    }
}

impl Contender for OpenTelemetry {
    fn encode(&mut self) -> Duration {
        let batch = self.batch.clone();
        time_of(|| self.encoder.encode(black_box(batch)))
    }

    fn totals(&mut self) -> (u64, u64) {
        self.encoder.totals.get()
    }
}

struct Fastrace {
    reporter: OpenTelemetryReporter,
    batch: Vec<SpanRecord>,
    totals: Arc<Totals>,
}

impl Fastrace {
    fn new() -> Self {
        let totals = Arc::<Totals>::default();
        let encoder = Encoder::new(totals.clone());
        let scope = InstrumentationScope::builder("compare").build();
        Self {
            reporter: OpenTelemetryReporter::new(encoder, Cow::Owned(resource()), scope),
            batch: (0..SPANS / 2).flat_map(Self::request).collect(),
            totals,
        }
    }

    fn request(n: u64) -> [SpanRecord; 2] {
        let (trace_id, client_id, server_id) = ids(n);
        let span = |name: &'static str, span_id, parent_id| SpanRecord {
            trace_id: collector::TraceId(trace_id),
            span_id: collector::SpanId(span_id),
            parent_id: collector::SpanId(parent_id),
            begin_time_unix_ns: START_MICROS * 1_000,
            duration_ns: DURATION.as_nanos() as u64,
            name: name.into(),
            ..SpanRecord::default()
        };
        let text = |key: &'static str, value: &str| (key.into(), value.to_owned().into());
        let mut client = span("GET /backend", client_id, server_id);
        client.properties = vec![("span.kind".into(), "client".into())];
        let mut server = span("GET /orders", server_id, PARENT);
        server.properties = vec![
            ("span.kind".into(), "server".into()),
            ("http.method".into(), "GET".into()),
            ("component".into(), "shop".into()),
            text("http.url", URL),
            text("user.id", USER),
            text("http.status_code", "200"),
            text("http.response_size", "1432"),
        ];
        server.events = vec![EventRecord {
            name: "cache_miss".into(),
            timestamp_unix_ns: START_MICROS * 1_000,
            properties: vec![text("bytes", "512")],
        }];
        [client, server]
    }
}

impl Contender for Fastrace {
    fn encode(&mut self) -> Duration {
        let batch = self.batch.clone();
        time_of(|| self.reporter.report(black_box(batch)))
    }

    fn totals(&mut self) -> (u64, u64) {
        self.totals.get()
    }
}

/// The usual size of a batch of opentelemetry.
const SPANS: u64 = 512;
const REPEATS: u64 = 50;
