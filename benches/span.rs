//! Times a span on the thread that uses it: off, not sampled, sampled, and in a request between two services.
//!
//! Every piece of work runs over a tracer whose type is known and over `dyn Tracer`. Finished spans go through the
//! thread queue and the worker to a reporter that drops them. A span that finds no room in the queue costs less than
//! others, so a group with such spans says how many there were.

use std::hint::black_box;
use std::time::Duration;

use criterion::measurement::WallTime;
use criterion::{BenchmarkGroup, Criterion, Throughput, criterion_group, criterion_main};
use http::HeaderValue;

use tracehound::observer::RedMetrics;
use tracehound::prelude::*;
use tracehound::reporter::{InMemoryReporter, NullReporter, OwnedSpan};
use tracehound::sampler::ConstSampler;
use tracehound::tracer::tracer;
use tracehound::{JaegerTracer, NoopTracer};

use crate::work::{Child, Request, Root, SAMPLED, Tagged, UNSAMPLED, Work};

mod work;

/// A trace with a root and a hundred children.
struct Tree;

impl Work for Tree {
    const NAME: &'static str = "root with 100 children, per span";
    const SPANS: u64 = 101;

    fn once<T: Tracer + ?Sized>(&mut self, tracer: &T) {
        let root = tracer.start_span(black_box("get_account"));
        let _scope = root.activate();
        for _ in 0..100 {
            tracer.start_span(black_box("query")).finish();
        }
    }
}

fn off(c: &mut Criterion) {
    assert!(NoopTracer.start_span("get_account").is_noop());
    assert!(tracer().start_span("get_account").is_noop());
    let mut group = c.benchmark_group(Tagged::NAME);
    measure(&mut group, "static", &NoopTracer, &mut Tagged);
    measure::<dyn Tracer>(&mut group, "dyn", &NoopTracer, &mut Tagged);
    measure(&mut group, "global, not set", tracer(), &mut Tagged);
    measure(
        &mut group,
        "disabled",
        &JaegerTracer::disabled(),
        &mut Tagged,
    );
    group.finish();
}

fn unsampled(c: &mut Criterion) {
    assert!(recorded(false, &mut Root).is_empty());
    both(c, "unsampled ", false, &mut Root);
    let mut request = Request::new(UNSAMPLED);
    assert!(recorded(true, &mut request).is_empty());
    assert!(text(&request.next["uber-trace-id"]).ends_with(":0"));
    both(c, "unsampled ", true, &mut request);
}

/// Times a root with and without an observer that counts rate, errors and durations. The difference is its cost.
fn observed(c: &mut Criterion) {
    for (how, keep) in [("unsampled", false), ("sampled", true)] {
        let mut group = c.benchmark_group(format!("{how} root, observed"));
        let red = RedMetrics::new();
        let builder = JaegerTracer::builder("bench").sampler(ConstSampler::new(keep));
        let builder = builder.reporter(NullReporter::new()).observer(red.clone());
        let tracer = builder.build().expect("named");
        Root.once(&tracer);
        assert_eq!(red.snapshot()[0].count(), 1);
        measure(&mut group, "no observer", &null_tracer(keep), &mut Root);
        measure(&mut group, "RedMetrics", &tracer, &mut Root);
        group.finish();
        say_losses(how, &tracer);
    }
}

fn sampled(c: &mut Criterion) {
    assert_eq!(recorded(true, &mut Root).len(), 1);
    both(c, "sampled ", true, &mut Root);

    assert_eq!(recorded(true, &mut Tree).len(), 101);
    both(c, "sampled ", true, &mut Tree);

    let mut request = Request::new(SAMPLED);
    let spans = recorded(true, &mut request);
    assert_eq!(spans.len(), 2);
    let (client, server) = (&spans[0], &spans[1]);
    assert_eq!(server.tags.len(), 6);
    assert_eq!(server.logs.len(), 1);
    assert_eq!(server.logs[0].fields.len(), 2);
    assert_eq!(client.parent_id, Some(server.span_id));
    assert_eq!(
        server.parent_id.map(|id| id.to_string()).as_deref(),
        Some("409423a204bc17a8")
    );
    let (trace_id, client_id) = (client.trace_id, client.span_id);
    let expected = format!("{trace_id}:{client_id}:{}:1", server.span_id);
    assert_eq!(text(&request.next["uber-trace-id"]), expected);
    both(c, "sampled ", true, &mut request);
}

fn child(c: &mut Criterion) {
    let tracer = null_tracer(true);
    let parent = tracer.start_span("get_account");
    let scope = parent.activate();
    let child = tracer.start_span("query");
    assert_eq!(child.context().parent_id(), parent.context().span_id());
    drop(child);
    let mut group = c.benchmark_group("sampled child");
    measure(&mut group, "static", &tracer, &mut Child);
    measure::<dyn Tracer>(&mut group, "dyn", &tracer, &mut Child);
    group.finish();
    drop(scope);
    say_losses("sampled child", &tracer);
}

/// Measures work over a tracer of known type and over `dyn Tracer`.
fn both(c: &mut Criterion, how: &str, keep: bool, work: &mut impl Work) {
    let name = how.to_owned() + name_of(work);
    let tracer = null_tracer(keep);
    let mut group = c.benchmark_group(&name);
    measure(&mut group, "static", &tracer, work);
    measure::<dyn Tracer>(&mut group, "dyn", &tracer, work);
    group.finish();
    say_losses(&name, &tracer);
}

fn measure<T: Tracer + ?Sized>(
    group: &mut BenchmarkGroup<'_, WallTime>,
    mode: &str,
    tracer: &T,
    work: &mut impl Work,
) {
    group.throughput(Throughput::Elements(spans_of(work)));
    group.bench_function(mode, |b| b.iter(|| work.once(black_box(tracer))));
}

/// Does the work once and returns its spans.
fn recorded(keep: bool, work: &mut impl Work) -> Vec<OwnedSpan> {
    let spans = InMemoryReporter::new();
    let tracer = JaegerTracer::builder("bench")
        .sampler(ConstSampler::new(keep))
        .reporter(spans.clone())
        .build()
        .expect("named");
    work.once(&tracer);
    spans.spans()
}

fn null_tracer(keep: bool) -> JaegerTracer {
    JaegerTracer::builder("bench")
        .sampler(ConstSampler::new(keep))
        .reporter(NullReporter::new())
        .build()
        .expect("named")
}

fn say_losses(name: &str, tracer: &JaegerTracer) {
    let report = tracer.close(Duration::from_secs(5));
    if !report.is_complete() {
        eprintln!("{name}: {report}");
    }
}

fn name_of<W: Work>(_: &W) -> &'static str {
    W::NAME
}

fn spans_of<W: Work>(_: &W) -> u64 {
    W::SPANS
}

fn text(value: &HeaderValue) -> &str {
    value.to_str().expect("ASCII")
}

criterion_group!(benches, off, unsampled, observed, sampled, child);
criterion_main!(benches);
