//! The crates that are compared, each doing the same work in the way that its own documentation shows.
//!
//! Every one hands its finished spans to a sink of ours on the reporter's core, which reads what it is given and
//! lets it go (a sink that looked at nothing would leave the cache lines where they are), encodes it, or sends it to
//! a process that counts.

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

/// Loops are inside: what calls cost that cannot be inlined is paid once for `n` pieces of work.
pub trait Contender: Send + Sync {
    /// Roots, without tags.
    fn roots(&self, n: u64);

    /// A root with `n` children, one after the other.
    fn children(&self, n: u64);

    /// Takes the context from the headers, starts a server span with six tags, logs two fields, starts a client
    /// span, puts its context into the headers of the next request, finishes both.
    fn requests(&self, n: u64, request: &mut Request);

    /// One root with five tags.
    fn tagged_root(&self, request: &Request);

    /// Spans with one tag, of a tracer that is off.
    fn off(&self, n: u64);

    /// Waits until the sink has had all spans that are finished and not lost.
    fn flush(&self);

    /// What its sink counts in this process.
    fn tally(&self) -> &Tally;

    /// What it says itself has become of its spans.
    fn account(&self) -> Account {
        Account::default()
    }
}

/// Spans, at the end of a contender's way.
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

    /// Counts spans that `encode` makes bytes of, and the time that it takes.
    fn encoded<T>(&self, spans: usize, encode: impl FnOnce() -> T) {
        let begin = thread_cpu();
        black_box(encode());
        self.add_encoding(thread_cpu() - begin);
        self.add(spans);
    }

    pub fn delivered(&self) -> u64 {
        self.spans.load(Ordering::Relaxed)
    }

    /// What encoding has taken so far, where spans go to [`Destination::Bytes`].
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

/// What a contender is to be prepared for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Every span is kept.
    Sampled,
    /// Every span is declined by the sampler, or by the caller in the trace header.
    Unsampled,
    /// Nothing is set up, as in a program whose libraries are instrumented and which does not care.
    Off,
}

/// Where its spans go.
#[derive(Clone, Copy)]
pub enum Destination {
    /// To a sink in this process that reads them.
    Memory,
    /// To one that makes bytes of them, of which the [`Tally`] has the time.
    Bytes,
    /// To another process.
    Network(Addresses, Batches),
}

/// How many spans go out of the process at once, where that can be said.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Batches {
    /// As many as the crate thinks fit.
    Usual,
    /// As many as its protocol or its queue lets it.
    Large,
}

/// Name and constructor; the constructor has nothing for what the crate cannot do.
pub type Entry = (&'static str, Prepare);

pub type Prepare = fn(Mode, Destination) -> Option<Box<dyn Contender>>;

/// All of them, ours first.
pub const ALL: [Entry; 6] = [
    ("tracehound", tracehound::prepare),
    ("fastrace", fastrace::prepare),
    ("minitrace", minitrace::prepare),
    ("rustracing_jaeger", rustracing::prepare),
    ("opentelemetry", opentelemetry::prepare),
    ("tracing-opentelemetry", tracing::prepare),
];

/// Ours with a higher limit of bytes a second than the default, for a sink that keeps up.
pub const RAISED: Entry = (
    "tracehound, max_bytes_per_second raised to 2 GB",
    tracehound::prepare_raised,
);

/// Shows what the harness itself costs.
pub const NOTHING: Entry = ("harness", nothing::prepare);

/// How many spans may wait, where that can be said: tracehound's default.
const QUEUE: usize = 16_384;
