//! The crates that are compared. Each does the work in the way that its own documentation shows.
//!
//! Each hands its finished spans to a sink of ours on the reporter's core. The sink reads and drops them (without reading
//! them it would leave the cache lines on the other core), encodes them, or sends them to a process that counts.

mod fastrace;
mod minitrace;
mod nothing;
mod opentelemetry;
mod rustracing;
mod tracehound;
mod tracing;

use std::hint::black_box;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::clocks::thread_cpu;
use crate::request::Request;
use crate::sink::Addresses;

/// A crate that is compared. Loops are inside its methods, so that a call that cannot be inlined is paid once for `n`
/// pieces of work.
pub trait Contender: Send + Sync {
    /// Makes `n` roots without tags.
    fn roots(&self, n: u64);

    /// Makes a root with `n` children, one after the other.
    fn children(&self, n: u64);

    /// Takes the context from the headers, starts a server span with six tags, logs two fields, starts a client
    /// span, puts its context into the headers of the next request, finishes both.
    fn requests(&self, n: u64, request: &mut Request);

    /// Makes a root with five tags.
    fn tagged_root(&self, request: &Request);

    /// Makes `n` spans with one tag, of a tracer that is off.
    fn off(&self, n: u64);

    /// Waits until the sink has had all spans that are finished and not lost.
    fn flush(&self);

    /// Returns the counts of its sink in this process.
    fn tally(&self) -> &Tally;

    /// Returns its own account of its spans.
    fn account(&self) -> Account {
        Account::default()
    }
}

/// Counts of spans that have arrived at a sink in this process.
#[derive(Debug)]
pub struct Tally {
    spans: AtomicU64,
    encoding_ns: AtomicU64,
}

impl Tally {
    pub const fn new() -> Self {
        Self {
            spans: AtomicU64::new(0),
            encoding_ns: AtomicU64::new(0),
        }
    }

    /// Counts spans that have arrived.
    fn add(&self, spans: usize) {
        self.spans.fetch_add(spans as u64, Ordering::Relaxed);
    }

    /// Counts time that this thread has spent on encoding.
    fn add_encoding(&self, time: Duration) {
        let ns = time.as_nanos() as u64;
        self.encoding_ns.fetch_add(ns, Ordering::Relaxed);
    }

    /// Counts spans that `encode` turns into bytes, and the time of that.
    fn encoded<T>(&self, spans: usize, encode: impl FnOnce() -> T) {
        let begin = thread_cpu();
        black_box(encode());
        self.add_encoding(thread_cpu() - begin);
        self.add(spans);
    }

    pub fn delivered(&self) -> u64 {
        self.spans.load(Ordering::Relaxed)
    }

    /// Returns the time of encoding so far, if spans go to [`Destination::Bytes`].
    pub fn encoding_ns(&self) -> u64 {
        self.encoding_ns.load(Ordering::Relaxed)
    }
}

/// A contender's own account of its spans: what a program can read without looking into a log.
#[derive(Default)]
pub struct Account {
    pub finished: Option<u64>,
    pub sent: Option<u64>,
    pub dropped: Option<u64>,
}

/// How a program uses a contender.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Every span is kept.
    Sampled,
    /// Every span is declined by the sampler, or by the caller in the trace header.
    Unsampled,
    /// Nothing is set up, as in a program that does not trace but whose libraries are instrumented.
    Off,
}

/// The sink that a contender sends its spans to.
#[derive(Clone, Copy)]
pub enum Destination {
    /// A sink in this process that reads them.
    Memory,
    /// A sink in this process that encodes them. The [`Tally`] has the time.
    Bytes,
    /// Another process.
    Network(Addresses, Batches),
}

/// How many spans leave the process at once, if that can be set.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Batches {
    /// As many as the crate sends by default.
    Usual,
    /// As many as its protocol or its queue lets it.
    Large,
}

/// Name and constructor of a contender. The constructor returns `None` for what the crate cannot do.
pub type Entry = (&'static str, Prepare);

pub type Prepare = fn(Mode, Destination) -> Option<Box<dyn Contender>>;

/// All contenders, ours first.
pub const ALL: [Entry; 6] = [
    ("tracehound", tracehound::prepare),
    ("fastrace", fastrace::prepare),
    ("minitrace", minitrace::prepare),
    ("rustracing_jaeger", rustracing::prepare),
    ("opentelemetry", opentelemetry::prepare),
    ("tracing-opentelemetry", tracing::prepare),
];

/// tracehound with the formats of headers that it reads and writes by default.
pub const TWO_FORMATS: Entry = (
    "tracehound, Jaeger's and W3C's headers",
    tracehound::prepare_default,
);

/// tracehound with a higher limit of bytes a second than its default, for a sink that keeps up.
pub const RAISED: Entry = (
    "tracehound, max_bytes_per_second raised to 2 GB",
    tracehound::prepare_raised,
);

/// A contender that does nothing and shows the cost of the harness.
pub const NOTHING: Entry = ("harness", nothing::prepare);

/// How many spans may wait, if that can be set: tracehound's default.
const QUEUE: usize = 16_384;
