//! Compares the encodings of spans with each other: what the worker does from a finished span to a full message.
//!
//! Prints nanoseconds and bytes a span, and ratios to the compact protocol, in which a span is stored already. The
//! encodings take turns, so that a busy moment of the machine meets all of them, and the fastest turn counts.
//! `cargo bench --bench encodings` measures; any other run does each piece once.

#![expect(clippy::disallowed_methods, reason = "a benchmark has a stopwatch")]

use std::env;
use std::hint::black_box;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use tracehound::reporter::sender::{Batch, BatchFormat, SendOutcome, Sender};
use tracehound::reporter::{FinishedSpan, RemoteReporter, Reporter};

use crate::spans::{requests, roots, with_views};

mod spans;

/// Each format, with the size of its largest message as its sender has it.
const FORMATS: [(&str, BatchFormat, usize); 6] = [
    ("compact", BatchFormat::Compact, 65_000),
    ("binary", BatchFormat::Binary, 65_000),
    ("binary batch", BatchFormat::BinaryBatch, 1 << 20),
    ("OTLP", BatchFormat::Otlp, 1 << 20),
    ("Jaeger protobuf", BatchFormat::JaegerProto, 1 << 20),
    ("Zipkin JSON", BatchFormat::ZipkinJson, 1 << 20),
];

/// Takes messages, and counts their spans and bytes.
struct Counting {
    format: BatchFormat,
    max_bytes: usize,
    spans: Arc<AtomicU64>,
    bytes: Arc<AtomicU64>,
}

impl Sender for Counting {
    fn format(&self) -> BatchFormat {
        self.format
    }

    fn max_bytes(&self) -> usize {
        self.max_bytes
    }

    fn send(&mut self, batch: &Batch<'_>, _: Instant) -> SendOutcome {
        let bytes = black_box(batch.bytes).len() as u64;
        self.bytes.fetch_add(bytes, Ordering::Relaxed);
        self.spans.fetch_add(batch.span_count, Ordering::Relaxed);
        SendOutcome::default()
    }
}

/// A reporter of one format, and its figures.
struct Contender {
    name: &'static str,
    reporter: Box<dyn Reporter>,
    reported: u64,
    delivered: Arc<AtomicU64>,
    bytes: Arc<AtomicU64>,
    fastest: Duration,
}

impl Contender {
    fn new((name, format, max_bytes): (&'static str, BatchFormat, usize)) -> Self {
        let (delivered, bytes) = (Arc::<AtomicU64>::default(), Arc::<AtomicU64>::default());
        let sender = Counting {
            format,
            max_bytes,
            spans: delivered.clone(),
            bytes: bytes.clone(),
        };
        Self {
            name,
            reporter: Box::new(RemoteReporter::new(sender)),
            reported: 0,
            delivered,
            bytes,
            fastest: Duration::MAX,
        }
    }

    /// Reports all spans, `times` times over.
    fn turn(&mut self, spans: &[FinishedSpan<'_>], times: u32) {
        let begin = Instant::now();
        for _ in 0..times {
            for span in spans {
                self.reporter.report(black_box(span));
            }
        }
        let taken = begin.elapsed() / (times * spans.len() as u32);
        self.fastest = self.fastest.min(taken);
        self.reported += u64::from(times) * spans.len() as u64;
    }

    /// Returns the bytes a span. Every span must have arrived.
    fn end(&mut self) -> u64 {
        self.reporter
            .flush(Instant::now() + Duration::from_secs(20));
        assert_eq!(
            self.delivered.load(Ordering::Relaxed),
            self.reported,
            "{}",
            self.name
        );
        self.bytes.load(Ordering::Relaxed) / self.reported
    }
}

fn main() {
    let is_measured = env::args().any(|argument| argument == "--bench");
    let (turns, times) = if is_measured { (60, 500) } else { (1, 1) };
    for (kind, spans) in [("roots", roots()), ("requests", requests())] {
        let mut contenders = FORMATS.map(Contender::new);
        with_views(&spans, &[], &mut |views| {
            for _ in 0..turns {
                for contender in &mut contenders {
                    contender.turn(views, times);
                }
            }
        });
        println!(
            "{kind:<16} {:>9} {:>7} {:>11}",
            "ns a span", "ratio", "bytes a span"
        );
        let first = contenders[0].fastest;
        for contender in &mut contenders {
            let (name, bytes) = (contender.name, contender.end());
            let nanos = contender.fastest.as_nanos();
            let ratio = nanos as f64 / first.as_nanos().max(1) as f64;
            println!("{name:<16} {nanos:>9} {ratio:>7.1} {bytes:>12}");
        }
        println!();
    }
}
