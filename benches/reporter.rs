//! Times the worker: a finished span into a packet, and from the flush of a tracer to the packet.
//!
//! The sender takes ready packets and counts, so the cost of a datagram or a request comes on top. Figures are per
//! span. `cargo bench --bench encodings` compares the encodings with each other.

#![expect(clippy::disallowed_methods, reason = "a benchmark has a stopwatch")]

use std::hint::black_box;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use criterion::{Criterion, Throughput, criterion_group, criterion_main};

use tracehound::JaegerTracer;
use tracehound::model::field;
use tracehound::prelude::*;
use tracehound::reporter::sender::{Batch, BatchFormat, SendOutcome, Sender};
use tracehound::reporter::{RemoteReporter, Reporter};
use tracehound::sampler::ConstSampler;

use crate::spans::{URL, requests, roots, with_views};

mod spans;

/// Takes packets and counts their spans.
struct Counting {
    format: BatchFormat,
    max_bytes: usize,
    spans: Arc<AtomicU64>,
}

impl Counting {
    fn new(format: BatchFormat, max_bytes: usize) -> (Self, Arc<AtomicU64>) {
        let spans = Arc::new(AtomicU64::new(0));
        let sender = Self {
            format,
            max_bytes,
            spans: spans.clone(),
        };
        (sender, spans)
    }
}

impl Sender for Counting {
    fn format(&self) -> BatchFormat {
        self.format
    }

    fn max_bytes(&self) -> usize {
        self.max_bytes
    }

    fn send(&mut self, batch: &Batch<'_>, _: Instant) -> SendOutcome {
        black_box(batch.bytes);
        self.spans.fetch_add(batch.span_count, Ordering::Relaxed);
        SendOutcome::default()
    }
}

fn packets(c: &mut Criterion) {
    let formats = [
        ("compact, 65 kB", BatchFormat::Compact, 65_000),
        ("compact, 16 kB", BatchFormat::Compact, 16_000),
        ("binary, 65 kB", BatchFormat::Binary, 65_000),
    ];
    for (kind, spans) in [("roots", roots()), ("requests", requests())] {
        let mut group = c.benchmark_group(format!("packets of {kind}"));
        group.throughput(Throughput::Elements(spans.len() as u64));
        for (name, format, max_bytes) in formats {
            let (sender, delivered) = Counting::new(format, max_bytes);
            let mut reporter: Box<dyn Reporter> = Box::new(RemoteReporter::new(sender));
            let mut reported = 0;
            with_views(&spans, &[], &mut |views| {
                group.bench_function(name, |b| {
                    b.iter(|| {
                        for span in views {
                            reporter.report(black_box(span));
                        }
                        reported += views.len() as u64;
                    });
                });
            });
            reporter.flush(Instant::now() + LONG);
            assert_eq!(delivered.load(Ordering::Relaxed), reported, "{kind} {name}");
        }
        group.finish();
    }
}

fn flush(c: &mut Criterion) {
    let finish_roots: fn(&JaegerTracer) = |tracer| {
        for _ in 0..2 * FLUSHED_PAIRS {
            tracer.start_span("get_account").finish();
        }
    };
    let finish_requests: fn(&JaegerTracer) = |tracer| {
        for _ in 0..FLUSHED_PAIRS {
            let server = tracer
                .build_span("get_account")
                .tag("http.method", "GET")
                .tag("component", "shop")
                .tag("http.url", URL)
                .tag("user.id", "user-004711")
                .tag("http.status_code", 200)
                .tag("http.response_size", 1_432)
                .start();
            server.log([field("event", "cache_miss"), field("bytes", 512)]);
            let client = tracer.build_span("query").child_of(&server).start();
            client.finish();
            server.finish();
        }
    };
    let mut group = c.benchmark_group("flush");
    group.throughput(Throughput::Elements(2 * FLUSHED_PAIRS));
    for (name, finish) in [("roots", finish_roots), ("requests", finish_requests)] {
        let (sender, delivered) = Counting::new(BatchFormat::Compact, 65_000);
        let tracer = JaegerTracer::builder("bench")
            .sampler(ConstSampler::new(true))
            .reporter(RemoteReporter::new(sender))
            .build()
            .expect("named");
        group.bench_function(name, |b| {
            b.iter_custom(|times| {
                let mut taken = Duration::ZERO;
                for _ in 0..times {
                    finish(&tracer);
                    let before = Instant::now();
                    let report = tracer.flush(LONG);
                    taken += before.elapsed();
                    assert!(report.is_complete(), "{report}");
                }
                taken
            });
        });
        let report = tracer.close(LONG);
        assert_eq!(delivered.load(Ordering::Relaxed), report.finished, "{name}");
    }
    group.finish();
}

const LONG: Duration = Duration::from_secs(20);
/// Half a megabyte of spans, too little to make the worker drain by itself.
const FLUSHED_PAIRS: u64 = 1_000;

criterion_group!(benches, packets, flush);
criterion_main!(benches);
