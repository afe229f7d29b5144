//! A program that does a piece of work with spans many times. `.ci/instructions` counts its instructions by callgrind.
//!
//! ```text
//! instructions --list        prints the names of the pieces
//! instructions NAME TIMES    does a piece, after a warm-up, in a function whose name has `counted_pieces` in it
//! instructions               does every piece a few times
//! ```
//!
//! The clock stands still, so reading it is not in the figures. The worker's thread never calls
//! `counted_pieces`; the pieces that encode do its work on the main thread.

use std::hint::black_box;
use std::time::{Duration, Instant};

use http::HeaderMap;

use tracehound::clock::ManualClock;
use tracehound::observer::RedMetrics;
use tracehound::prelude::*;
use tracehound::propagation::Propagation;
use tracehound::reporter::sender::{Batch, BatchFormat, SendOutcome, Sender};
use tracehound::reporter::{FinishedSpan, NullReporter, RemoteReporter, Reporter};
use tracehound::sampler::{ConstSampler, KeepSampler, SamplingRate};
use tracehound::traced::set_enabled;
use tracehound::tracer::TracerBuilder;
use tracehound::watch::OpenSpans;
use tracehound::{JaegerTracer, NoopTracer, SpanContext, traced};

use crate::carriers::{BOTH, JAEGER, TRACEPARENT, W3C, caller, ordinary_headers};
use crate::pieces::{Piece, WARM_UP};
use crate::spans::{requests, with_views};
use crate::work::{Child, Request, Root, SAMPLED, Tagged, UNSAMPLED, Work};

#[expect(dead_code, reason = "cells and their tracers are for times")]
mod carriers;
mod pieces;
#[expect(dead_code, reason = "roots are for times")]
mod spans;
#[expect(dead_code, reason = "names and figures per span are for times")]
mod work;

/// A child of a span that is not active.
struct ChildOf(Span);

impl Work for ChildOf {
    const NAME: &'static str = "child of a span";

    fn once<T: Tracer + ?Sized>(&mut self, tracer: &T) {
        let child = tracer.build_span(black_box("query")).child_of(&self.0);
        child.start().finish();
    }
}

/// A root that ends when it is dropped.
struct Dropped;

impl Work for Dropped {
    const NAME: &'static str = "dropped root";

    fn once<T: Tracer + ?Sized>(&mut self, tracer: &T) {
        drop(tracer.start_span(black_box("query")));
    }
}

/// A call of a function with `#[traced]`.
struct Traced;

impl Work for Traced {
    const NAME: &'static str = "traced function";

    fn once<T: Tracer + ?Sized>(&mut self, tracer: &T) {
        traced_function(tracer);
    }
}

#[traced(name = "query", tracer = tracer)]
fn traced_function<T: Tracer + ?Sized>(tracer: &T) {
    black_box(tracer);
}

/// A call of a function with `#[traced]` that is switched off.
struct TracedOff;

impl Work for TracedOff {
    const NAME: &'static str = "traced function, off";

    fn once<T: Tracer + ?Sized>(&mut self, tracer: &T) {
        traced_function_that_is_off(tracer);
    }
}

#[traced(name = "query", tracer = tracer, kind = "client", tags(size = size_of_val(tracer)))]
fn traced_function_that_is_off<T: Tracer + ?Sized>(tracer: &T) {
    black_box(tracer);
}

/// A root with many tags. The memory that a thread keeps for its next span has room for all of them.
struct ManyTags;

impl Work for ManyTags {
    const NAME: &'static str = "many tags";

    fn once<T: Tracer + ?Sized>(&mut self, tracer: &T) {
        let span = tracer.start_span(black_box("query"));
        for key in [
            "db.system",
            "db.name",
            "db.user",
            "db.statement",
            "db.operation",
            "db.sql.table",
            "net.peer.name",
            "net.peer.port",
            "thread.name",
            "code.function",
            "code.namespace",
            "code.filepath",
        ] {
            span.set_tag(black_box(key), black_box("18 characters long"));
        }
        span.finish();
    }
}

/// Reads the context of a caller from its headers, thirty of which are ordinary.
struct Extract(HeaderMap);

impl Work for Extract {
    const NAME: &'static str = "extract";

    fn once<T: Tracer + ?Sized>(&mut self, tracer: &T) {
        let context = tracer.extract(black_box(&self.0));
        black_box(context.is_ok());
    }
}

/// Writes a context into headers, thirty of which are ordinary, that hold no context.
struct Inject {
    context: SpanContext,
    fresh: Vec<HeaderMap>,
    used: Vec<HeaderMap>,
}

impl Inject {
    fn new(tracer: &JaegerTracer, times: u64) -> Self {
        let fresh: Vec<_> = (0..WARM_UP + times).map(|_| ordinary_headers()).collect();
        let context = tracer.extract(&caller(&BOTH));
        Self {
            context: context.ok().flatten().expect("well-formed"),
            used: Vec::with_capacity(fresh.len()),
            fresh,
        }
    }
}

impl Work for Inject {
    const NAME: &'static str = "inject";

    fn once<T: Tracer + ?Sized>(&mut self, tracer: &T) {
        if let Some(mut headers) = self.fresh.pop() {
            tracer.inject(black_box(&self.context), &mut headers);
            self.used.push(headers);
        }
    }
}

const PIECES: [Piece; 35] = [
    ("noop-static", |n| run(&NoopTracer, &mut Tagged, n)),
    ("noop-dyn", |n| {
        run::<dyn Tracer>(black_box(&NoopTracer), &mut Tagged, n);
    }),
    ("unsampled-root", |n| with_tracer(false, Root, n)),
    ("sampled-root", |n| with_tracer(true, Root, n)),
    ("dropped-root", |n| with_tracer(true, Dropped, n)),
    ("many-tags", |n| with_tracer(true, ManyTags, n)),
    ("traced", |n| with_tracer(true, Traced, n)),
    ("traced-off", |n| {
        set_enabled(
            concat!(module_path!(), "::traced_function_that_is_off"),
            false,
        );
        with_tracer(true, TracedOff, n);
    }),
    // With an observer that counts rate, errors and durations.
    ("span-observed", |n| observed(true, Root, n)),
    ("unsampled-span-observed", |n| observed(false, Root, n)),
    ("unsampled-request-observed", |n| {
        observed(false, Request::new(UNSAMPLED), n);
    }),
    // With the list of open spans.
    ("span-listed", |n| {
        let builder = builder(true, &[Propagation::Jaeger]).observer(OpenSpans::new());
        measured(&builder.build().expect("named"), &mut Root, n);
    }),
    ("child-of-a-span", |n| {
        let tracer = tracer(true);
        let parent = parent(&tracer);
        measured(&tracer, &mut ChildOf(parent), n);
    }),
    ("child-of-the-active-span", |n| {
        let tracer = tracer(true);
        let parent = parent(&tracer);
        let _scope = parent.activate();
        measured(&tracer, &mut Child, n);
    }),
    ("request", |n| {
        request(true, &[Propagation::Jaeger], Request::new(SAMPLED), n);
    }),
    ("unsampled-request", |n| {
        request(false, &[Propagation::Jaeger], Request::new(UNSAMPLED), n);
    }),
    // Traces that nobody keeps, weighed by a sampler that looks for failures and slow requests.
    ("root-weighed", |n| {
        measured(&weighing(&Propagation::DEFAULT), &mut Root, n);
    }),
    ("request-weighed", |n| {
        let tracer = weighing(&[Propagation::Jaeger]);
        measured(&tracer, &mut Request::new(UNSAMPLED), n);
    }),
    // The formats of the default, with the headers of a caller that speaks one of them.
    ("request-jaeger-of-two", |n| {
        request(true, &Propagation::DEFAULT, Request::new(SAMPLED), n);
    }),
    ("request-w3c-of-two", |n| {
        request(
            true,
            &Propagation::DEFAULT,
            Request::with_headers(&W3C[..1]),
            n,
        );
    }),
    ("request-w3c-carrying", |n| {
        request(true, &[Propagation::W3c], Request::with_headers(&W3C), n);
    }),
    ("extract-jaeger", |n| {
        extract(&[Propagation::Jaeger], &JAEGER, n);
    }),
    ("extract-w3c", |n| {
        extract(&[Propagation::W3c], &TRACEPARENT, n);
    }),
    ("extract-jaeger-of-two", |n| {
        extract(&Propagation::DEFAULT, &JAEGER, n);
    }),
    ("extract-w3c-of-two", |n| {
        extract(&Propagation::DEFAULT, &TRACEPARENT, n);
    }),
    ("extract-both", |n| {
        extract(&Propagation::DEFAULT, &BOTH, n);
    }),
    ("inject-jaeger", |n| inject(&[Propagation::Jaeger], n)),
    ("inject-w3c", |n| inject(&[Propagation::W3c], n)),
    ("inject-both", |n| inject(&Propagation::DEFAULT, n)),
    // What the worker does with the two spans of a request, in each format.
    ("encode-compact", |n| encode(BatchFormat::Compact, n)),
    ("encode-binary", |n| encode(BatchFormat::Binary, n)),
    ("encode-binary-batch", |n| {
        encode(BatchFormat::BinaryBatch, n)
    }),
    ("encode-otlp", |n| encode(BatchFormat::Otlp, n)),
    ("encode-jaeger-protobuf", |n| {
        encode(BatchFormat::JaegerProto, n)
    }),
    ("encode-zipkin", |n| encode(BatchFormat::ZipkinJson, n)),
];

fn main() {
    pieces::main(&PIECES);
}

fn with_tracer<W: Work>(keep: bool, mut work: W, times: u64) {
    measured(&tracer(keep), &mut work, times);
}

fn observed<W: Work>(keep: bool, mut work: W, times: u64) {
    let builder = builder(keep, &[Propagation::Jaeger]).observer(RedMetrics::new());
    measured(&builder.build().expect("named"), &mut work, times);
}

fn request(keep: bool, formats: &[Propagation], mut request: Request, times: u64) {
    measured(&speaking(keep, formats), &mut request, times);
}

fn extract(formats: &[Propagation], headers: &[(&'static str, &'static str)], times: u64) {
    let mut work = Extract(caller(headers));
    measured(&speaking(true, formats), &mut work, times);
}

fn inject(formats: &[Propagation], times: u64) {
    let tracer = speaking(true, formats);
    let mut work = Inject::new(&tracer, times);
    measured(&tracer, &mut work, times);
}

/// Encodes the spans of a request. Every message that is full on the way is part of the count.
fn encode(format: BatchFormat, times: u64) {
    let spans = requests();
    with_views(&spans[..2], &[], &mut |views| {
        let mut reporter = RemoteReporter::new(Discarding(format));
        for _ in 0..WARM_UP {
            views.iter().for_each(|span| reporter.report(span));
        }
        encoding_counted_pieces(&mut reporter, views, times);
    });
}

#[inline(never)]
fn encoding_counted_pieces(reporter: &mut dyn Reporter, views: &[FinishedSpan<'_>], times: u64) {
    for _ in 0..times {
        for span in views {
            reporter.report(black_box(span));
        }
    }
}

/// Takes every message.
struct Discarding(BatchFormat);

impl Sender for Discarding {
    fn format(&self) -> BatchFormat {
        self.0
    }

    fn max_bytes(&self) -> usize {
        65_000
    }

    fn send(&mut self, batch: &Batch<'_>, _: Instant) -> SendOutcome {
        black_box(batch.bytes);
        SendOutcome::default()
    }
}

fn measured(tracer: &JaegerTracer, work: &mut impl Work, times: u64) {
    for _ in 0..WARM_UP {
        work.once(tracer);
    }
    // Nothing waits for the worker when the count begins.
    let patience = Duration::from_secs(60);
    assert!(tracer.flush(patience).is_complete());
    counted_pieces(tracer, work, times);
    let report = tracer.flush(patience);
    assert!(report.is_complete(), "spans were lost: {report}");
}

fn run<T: Tracer + ?Sized>(tracer: &T, work: &mut impl Work, times: u64) {
    counted_pieces(tracer, work, times);
}

#[inline(never)]
fn counted_pieces<T: Tracer + ?Sized>(tracer: &T, work: &mut impl Work, times: u64) {
    for _ in 0..times {
        work.once(black_box(tracer));
    }
}

/// Returns a span with fixed ids. Random ids take more or fewer bytes on the wire from run to run.
fn parent(tracer: &JaegerTracer) -> Span {
    let context = tracer.extract(&Request::new(SAMPLED).headers);
    let context = context.ok().flatten().expect("well-formed");
    tracer.build_span("get_account").context(context).start()
}

fn tracer(keep: bool) -> JaegerTracer {
    speaking(keep, &Propagation::DEFAULT)
}

fn speaking(keep: bool, formats: &[Propagation]) -> JaegerTracer {
    builder(keep, formats).build().expect("named")
}

fn weighing(formats: &[Propagation]) -> JaegerTracer {
    let keep = KeepSampler::new(ConstSampler::new(false))
        .slower_than(Duration::from_secs(1))
        .slowest(SamplingRate::new(0.01).expect("a share"));
    let builder = builder(false, formats).sampler(keep);
    builder.build().expect("named")
}

fn builder(keep: bool, formats: &[Propagation]) -> TracerBuilder {
    JaegerTracer::builder("bench")
        .propagation(formats.iter().copied())
        .sampler(ConstSampler::new(keep))
        .reporter(NullReporter::new())
        .clock(ManualClock::at_micros(1_700_000_000_000_000))
        .flush_interval(Duration::from_secs(3_600))
}
