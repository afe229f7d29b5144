//! A flood of spans over HTTP to a collector on loopback: does every span have its line in the account, and does memory
//! stay flat?
//!
//! ```text
//! cargo bench --bench flood --features testkit
//! cargo bench --bench flood --features testkit -- --rate 1000000
//! ```
//!
//! Two threads finish spans as fast as they can, or as many a second as `--rate` says: far faster than a collector
//! takes them, so most find no room in the queue. At a rate each request is timed, which shows whether a thread waits.
//! The program prints counts and the memory of the process while the flood lasts. It fails unless, at the end, finished
//! spans are those sent and those dropped, and those sent are those that the collector has decoded.

#![expect(clippy::disallowed_methods, reason = "a benchmark has a stopwatch")]

use std::env;
use std::fmt;
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
    let mut arguments = env::args().skip_while(|argument| argument != "--rate");
    let rate = arguments.nth(1).and_then(|rate| rate.parse().ok());
    let collector = MockCollector::start().expect("a port");
    collector.keep_at_most(0);
    let otlp = OtlpSender::new(&collector.url("/v1/traces")).expect("a URL");
    flood(
        "OTLP over HTTP",
        RemoteReporter::new(otlp),
        &collector,
        time,
        rate,
    );
    let thrift = HttpSender::new(&collector.url("/api/traces")).expect("a URL");
    flood(
        "Thrift over HTTP",
        RemoteReporter::new(thrift),
        &collector,
        time,
        rate,
    );
}

/// Floods the collector for a while, with as many spans a second as `rate` says, or as many as there can be.
fn flood(
    name: &str,
    reporter: RemoteReporter,
    collector: &MockCollector,
    time: Duration,
    rate: Option<u64>,
) {
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
    let times = thread::scope(|scope| {
        let threads: Vec<_> = (0..THREADS)
            .map(|_| {
                scope.spawn(|| match rate {
                    Some(rate) => requests_at(&tracer, rate as f64 / THREADS as f64, &is_over),
                    None => {
                        while !is_over.load(Ordering::Relaxed) {
                            request(&tracer);
                        }
                        Times::default()
                    }
                })
            })
            .collect();
        for part in 1..=5 {
            thread::sleep((time * part / 5).saturating_sub(begin.elapsed()));
            line(begin.elapsed());
        }
        is_over.store(true, Ordering::Relaxed);
        let mut times = Times::default();
        for thread in threads {
            times.add(&thread.join().expect("no panic"));
        }
        times
    });
    let report = tracer.close(Duration::from_secs(60));
    line(begin.elapsed());
    println!("{report}");
    println!("{times}\n");
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

/// Makes requests of two spans at an even rate, and times each.
fn requests_at(tracer: &JaegerTracer, spans_a_second: f64, is_over: &AtomicBool) -> Times {
    let (mut times, begin, mut made) = (Times::default(), Instant::now(), 0.0);
    while !is_over.load(Ordering::Relaxed) {
        let due = begin.elapsed().as_secs_f64() * spans_a_second;
        while made < due {
            let start = Instant::now();
            request(tracer);
            times.note(start.elapsed());
            made += 2.0;
        }
        thread::sleep(Duration::from_millis(1));
    }
    times
}

/// How long requests took: how many there were in each stretch of 16 ns, the last one of which has no end.
struct Times {
    counts: Vec<u64>,
    longest: Duration,
}

impl Times {
    fn note(&mut self, time: Duration) {
        let at = (time.as_nanos() / STRETCH).min(self.counts.len() as u128 - 1);
        self.counts[at as usize] += 1;
        self.longest = self.longest.max(time);
    }

    fn add(&mut self, other: &Self) {
        for (count, more) in self.counts.iter_mut().zip(&other.counts) {
            *count += more;
        }
        self.longest = self.longest.max(other.longest);
    }

    /// Returns the nanoseconds within which this share of the requests ended.
    fn within(&self, share: f64) -> u128 {
        let all: u64 = self.counts.iter().sum();
        let mut left = (all as f64 * share) as u64;
        let at = self.counts.iter().position(|count| {
            let is_here = left < *count;
            left = left.saturating_sub(*count);
            is_here
        });
        STRETCH * (at.unwrap_or(0) as u128 + 1)
    }
}

impl Default for Times {
    fn default() -> Self {
        Self {
            counts: vec![0; 65_536],
            longest: Duration::ZERO,
        }
    }
}

impl fmt::Display for Times {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [half, most, nearly_all] = [0.5, 0.99, 0.999].map(|share| self.within(share));
        let longest = self.longest;
        match longest.is_zero() {
            true => f.write_str("no request was timed"),
            false => write!(
                f,
                "a request of two spans took {half} ns (p50), {most} ns (p99), {nearly_all} ns (p99.9), \
                 {longest:?} (longest)"
            ),
        }
    }
}

/// Nanoseconds.
const STRETCH: u128 = 16;

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
