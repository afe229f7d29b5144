//! The crates that are compared, each doing the same work in the way that its own documentation shows.
//!
//! Every one hands its finished spans to a sink of ours on the reporter's core, which reads what it is given and
//! lets it go: a sink that looked at nothing would leave the cache lines where they are.

mod fastrace;
mod minitrace;
mod opentelemetry;
mod rustracing;
mod tracehound;
mod tracing;

use crate::request::Request;

/// Loops are inside: what calls cost that cannot be inlined is paid once for `n` pieces of work.
pub trait Contender: Sync {
    /// Roots, without tags.
    fn roots(&self, n: u64);

    /// A root with `n` children, one after the other.
    fn children(&self, n: u64);

    /// Takes the context from the headers, starts a server span with six tags, logs two fields, starts a client
    /// span, puts its context into the headers of the next request, finishes both.
    fn requests(&self, n: u64, request: &mut Request);

    /// Spans with one tag, of a tracer that is off.
    fn off(&self, n: u64);

    /// Waits until the sink has had all spans that are finished.
    fn flush(&self);

    /// How many spans the sink has had.
    fn delivered(&self) -> u64;
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

/// Name and constructor; the constructor has nothing for what the crate cannot do.
pub type Entry = (&'static str, fn(Mode) -> Option<Box<dyn Contender>>);

/// All of them, ours first.
pub const ALL: [Entry; 6] = [
    ("tracehound", tracehound::prepare),
    ("fastrace", fastrace::prepare),
    ("minitrace", minitrace::prepare),
    ("rustracing_jaeger", rustracing::prepare),
    ("opentelemetry", opentelemetry::prepare),
    ("tracing-opentelemetry", tracing::prepare),
];
