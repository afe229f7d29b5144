//! A flood of spans over HTTP to a collector on loopback: does every span have its line in the account, and does memory
//! stay flat?
//!
//! ```text
//! cargo bench --bench flood --features testkit
//! ```
//!
//! Threads finish spans as fast as they can, far faster than a collector takes them, so most find no room in the queue.
//! The program prints counts and the memory of the process while the flood lasts. It fails unless, at the end, finished
//! spans are those sent and those dropped, and those sent are those that the collector has decoded.

#![expect(clippy::disallowed_methods, reason = "a benchmark has a stopwatch")]

use std::env;
use std::fs;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use tracehound::JaegerTracer;
use tracehound::model::field;
use tracehound::prelude::*;
use tracehound::reporter::RemoteReporter;
use tracehound::reporter::sender::{HttpSender, OtlpSender};
use tracehound::sampler::ConstSampler;
use tracehound::testkit::MockCollector;

fn main() {
    let is_measured = env::args().any(|argument| argument == "--bench");
    let time = Duration::from_secs(if is_measured { 10 } else { 1 });
    let collector = MockCollector::start().expect("a port");
    collector.keep_at_most(0);
    let otlp = OtlpSender::new(&collector.url("/v1/traces")).expect("a URL");
    flood(
        "OTLP over HTTP",
        RemoteReporter::new(otlp),
        &collector,
        time,
    );
    let thrift = HttpSender::new(&collector.url("/api/traces")).expect("a URL");
    flood(
        "Thrift over HTTP",
        RemoteReporter::new(thrift),
        &collector,
        time,
    );
}

fn flood(name: &str, reporter: RemoteReporter, collector: &MockCollector, time: Duration) {
    collector.clear();
    let tracer = JaegerTracer::builder("flood")
        .sampler(ConstSampler::new(true))
        .reporter(reporter)
        .build()
        .expect("the service has a name");
    println!(
        "{name}\n{:>8} {:>12} {:>12} {:>12} {:>8}",
        "s", "finished", "arrived", "dropped", "MiB"
    );
    let line = |at: Duration| {
        let report = tracer.report();
        println!(
            "{:>8.1} {:>12} {:>12} {:>12} {:>8}",
            at.as_secs_f64(),
            report.finished,
            collector.span_count(),
            report.dropped.total(),
            memory().map_or_else(|| "?".to_owned(), |bytes| (bytes >> 20).to_string()),
        );
    };
    let is_over = AtomicBool::new(false);
    let begin = Instant::now();
    thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                while !is_over.load(Ordering::Relaxed) {
                    request(&tracer);
                }
            });
        }
        for part in 1..=5 {
            thread::sleep((time * part / 5).saturating_sub(begin.elapsed()));
            line(begin.elapsed());
        }
        is_over.store(true, Ordering::Relaxed);
    });
    let report = tracer.close(Duration::from_secs(60));
    line(begin.elapsed());
    println!("{report}\n");
    assert_eq!(report.queued, 0, "{report}");
    assert_eq!(
        report.finished,
        report.sent + report.dropped.total(),
        "{report}"
    );
    assert_eq!(collector.span_count(), report.sent, "{report}");
    assert_eq!(collector.errors(), [""; 0]);
    assert!(report.sent > 0, "{report}");
}

fn request(tracer: &JaegerTracer) {
    let server = tracer
        .build_span("get_account")
        .tag("http.method", "GET")
        .tag("http.url", "/api/v2/orders/104711/items?limit=50")
        .tag("http.status_code", 200)
        .start();
    server.log([field("event", "cache_miss"), field("bytes", 512)]);
    tracer
        .build_span("query")
        .child_of(&server)
        .start()
        .finish();
    server.finish();
}

/// Returns the memory of this process that is in use, where the system tells it.
fn memory() -> Option<u64> {
    let text = fs::read_to_string("/proc/self/statm").ok()?;
    let pages: u64 = text.split(' ').nth(1)?.parse().ok()?;
    Some(pages * PAGE)
}

const THREADS: usize = 2;
/// The size of a page on most systems.
const PAGE: u64 = 4_096;
