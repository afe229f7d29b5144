//! A request as spans of the crate `tracing`, through the layers of three libraries: the time on a core.
//!
//! ```console
//! cargo run --release --manifest-path benches/compare/Cargo.toml --bin tracing_layer
//! cargo run --release --manifest-path benches/compare/Cargo.toml --bin tracing_layer -- 30
//! ```
//!
//! A request is a root with four tags, three children with two tags each, and two events with a field, all made by the
//! macros of `tracing`. Two more rows give the scale: `tracing-subscriber`'s registry without a layer, and the same
//! request in tracehound's own API.
//!
//! Each contender runs in a process of its own, because a process has one subscriber. Processes take turns; the
//! argument is the number of rounds, 15 by default, and the table has the medians. `caller` is the time of the thread
//! that makes the spans, `whole` that of all threads until the bytes of OTLP requests are there. Nothing is sent.
//!
//! # What is not equal
//!
//! - The layers of opentelemetry and fastrace add places in the source and threads by default. Both are off here, as
//!   they are by default in tracehound.
//! - opentelemetry's span of an event at level `INFO` has the fields `level` and `target`, as tracehound's log record
//!   has. fastrace has neither, and all its values are text.

use std::borrow::Cow;
use std::env;
use std::hint::black_box;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use fastrace_opentelemetry::OpenTelemetryReporter;
use opentelemetry::InstrumentationScope;
use opentelemetry::trace::TracerProvider as _;
use opentelemetry_sdk::trace::{BatchConfigBuilder, BatchSpanProcessor, SdkTracerProvider};
use tracehound::JaegerTracer;
use tracehound::bridge::TracingLayer;
use tracehound::model::field;
use tracehound::prelude::*;
use tracehound::reporter::RemoteReporter;
use tracehound::sampler::ConstSampler;
use tracing::{info, info_span};
use tracing_subscriber::prelude::*;

use crate::clocks::{process_cpu, thread_cpu};
use crate::requests::{Sink, Totals};

#[expect(dead_code, reason = "other figures need more of it")]
#[path = "../clocks.rs"]
mod clocks;
#[macro_use]
#[path = "../encoder.rs"]
mod encoder;
#[path = "../requests.rs"]
mod requests;

fn main() {
    let arguments: Vec<_> = env::args().skip(1).collect();
    match &arguments[..] {
        [one, name] if one == "--one" => measure(name),
        [rounds] => compare(rounds.parse().expect("a number of rounds")),
        _ => compare(15),
    }
}

/// The names of the rows; the second one is compared with the others.
const ROWS: [&str; 5] = [
    "registry without a layer",
    "tracehound",
    "tracing-opentelemetry",
    "fastrace-tracing",
    "tracehound's own API",
];

/// Runs a process for each row and round, and prints the medians.
fn compare(rounds: usize) {
    let program = env::current_exe().expect("this program");
    let mut times = [const { (Vec::new(), Vec::new()) }; ROWS.len()];
    for _ in 0..rounds {
        for (name, (caller, whole)) in ROWS.iter().zip(&mut times) {
            let output = Command::new(&program).args(["--one", name]).output();
            let output = output.expect("it starts");
            let text = String::from_utf8(output.stdout).expect("numbers");
            let mut numbers = text
                .split_whitespace()
                .map(|number| number.parse::<f64>().expect("a number"));
            caller.push(numbers.next().expect("the caller's time"));
            whole.push(numbers.next().expect("the whole time"));
        }
    }
    let medians = times.map(|(caller, whole)| (median(caller), median(whole)));
    let (base_caller, base_whole) = medians[1];
    println!(
        "| {rounds} rounds | caller, ns a request | | whole, ns a request | |\n|---|--:|--:|--:|--:|"
    );
    for (name, (caller, whole)) in ROWS.iter().zip(medians) {
        println!(
            "| {name} | {caller:.0} | {:.2} × | {whole:.0} | {:.2} × |",
            caller / base_caller,
            whole / base_whole
        );
    }
}

fn median(mut times: Vec<f64>) -> f64 {
    times.sort_by(f64::total_cmp);
    times[times.len() / 2]
}

/// Measures one row, and prints the caller's time and the whole time.
fn measure(name: &str) {
    let contender = Contender::prepare(name);
    let requests = |count: u64| {
        for n in 0..count {
            contender.request(n);
        }
    };
    requests(REQUESTS);
    contender.flush();
    let mut callers = Vec::new();
    let begin = process_cpu();
    for _ in 0..REPEATS {
        let begin = thread_cpu();
        requests(REQUESTS);
        callers.push((thread_cpu() - begin).as_nanos() as f64 / REQUESTS as f64);
        contender.flush();
    }
    let whole = (process_cpu() - begin).as_nanos() as f64 / (REPEATS * REQUESTS) as f64;
    let spans = (REPEATS + 1) * REQUESTS * SPANS_OF_A_REQUEST;
    if !matches!(contender, Contender::Registry) {
        assert_eq!(contender.totals().get().0, spans, "{name} lost spans");
    }
    println!("{} {whole}", median(callers));
}

/// Few enough for every queue.
const REQUESTS: u64 = 1_000;
const REPEATS: u64 = 40;
const SPANS_OF_A_REQUEST: u64 = 4;
const QUEUE: usize = 1 << 16;

enum Contender {
    Registry,
    Layer(JaegerTracer, Arc<Totals>),
    OwnApi(JaegerTracer, Arc<Totals>),
    OpenTelemetry(SdkTracerProvider, Arc<Totals>),
    Fastrace(Arc<Totals>),
}

impl Contender {
    fn prepare(name: &str) -> Self {
        let totals = Arc::<Totals>::default();
        let registry = tracing_subscriber::registry();
        match name {
            "registry without a layer" => {
                registry.init();
                Self::Registry
            }
            "tracehound" => {
                let tracer = tracer(&totals);
                registry.with(TracingLayer::new(tracer.clone())).init();
                Self::Layer(tracer, totals)
            }
            "tracehound's own API" => Self::OwnApi(tracer(&totals), totals),
            "tracing-opentelemetry" => {
                let processor = BatchSpanProcessor::builder(Encoder::new(totals.clone()))
                    .with_batch_config(
                        BatchConfigBuilder::default()
                            .with_max_queue_size(QUEUE)
                            .build(),
                    )
                    .build();
                let provider = SdkTracerProvider::builder()
                    .with_resource(resource())
                    .with_span_processor(processor)
                    .build();
                let layer = tracing_opentelemetry::layer()
                    .with_tracer(provider.tracer("compare"))
                    .with_location(false)
                    .with_threads(false)
                    .with_target(false);
                registry.with(layer).init();
                Self::OpenTelemetry(provider, totals)
            }
            "fastrace-tracing" => {
                let scope = InstrumentationScope::builder("compare").build();
                let encoder = Encoder::new(totals.clone());
                let reporter = OpenTelemetryReporter::new(encoder, Cow::Owned(resource()), scope);
                fastrace::set_reporter(reporter, fastrace::collector::Config::default());
                let layer = fastrace_tracing::FastraceCompatLayer::new()
                    .with_location(false)
                    .with_threads(false);
                registry.with(layer).init();
                Self::Fastrace(totals)
            }
            other => panic!("no row {other:?}"),
        }
    }

    fn request(&self, n: u64) {
        match self {
            Self::OwnApi(tracer, _) => own_request(tracer, n),
            _ => tracing_request(n),
        }
    }

    fn flush(&self) {
        match self {
            Self::Registry => {}
            Self::Layer(tracer, _) | Self::OwnApi(tracer, _) => {
                tracer.flush(Duration::from_secs(20));
            }
            Self::OpenTelemetry(provider, _) => provider.force_flush().expect("it is open"),
            Self::Fastrace(_) => fastrace::flush(),
        }
    }

    fn totals(&self) -> &Totals {
        match self {
            Self::Registry => panic!("there are no spans"),
            Self::Layer(_, totals)
            | Self::OwnApi(_, totals)
            | Self::OpenTelemetry(_, totals)
            | Self::Fastrace(totals) => totals,
        }
    }
}

fn tracing_request(n: u64) {
    let request = info_span!(
        "GET /orders",
        http.method = "GET",
        http.url = black_box(URL),
        http.status_code = 200,
        user.id = black_box(USER),
    );
    let _request = request.enter();
    info!(items = n, "cart read");
    for (name, statement) in black_box(STATEMENTS) {
        info_span!("query", db.instance = name, db.statement = statement).in_scope(|| ());
    }
    info!(bytes = 1_432, "answered");
}

fn own_request(tracer: &JaegerTracer, n: u64) {
    let request = tracer
        .build_span("GET /orders")
        .tag("http.method", "GET")
        .tag("http.url", black_box(URL))
        .tag("http.status_code", 200)
        .tag("user.id", black_box(USER))
        .start_active();
    let log = |message: &str, key: &str, value: u64| {
        request.log([
            field("event", "log"),
            field("level", "INFO"),
            field("target", module_path!()),
            field("message", message),
            field(key, value),
        ]);
    };
    log("cart read", "items", n);
    for (name, statement) in black_box(STATEMENTS) {
        let query = tracer
            .build_span("query")
            .tag("db.instance", name)
            .tag("db.statement", statement);
        drop(query.start_active());
    }
    log("answered", "bytes", 1_432);
}

const URL: &str = "/api/v2/orders/104711/items?limit=50";
const USER: &str = "user-004711";
const STATEMENTS: [(&str, &str); 3] = [
    ("orders", "SELECT * FROM orders WHERE id = ?"),
    ("items", "SELECT * FROM items WHERE order_id = ?"),
    ("stock", "UPDATE stock SET held = held + 1 WHERE id = ?"),
];

fn tracer(totals: &Arc<Totals>) -> JaegerTracer {
    JaegerTracer::builder("compare")
        .sampler(ConstSampler::new(true))
        .queue_size(QUEUE)
        .reporter(RemoteReporter::new(Sink(totals.clone())))
        .build()
        .expect("named")
}

encoder!(opentelemetry_sdk, opentelemetry_proto);
