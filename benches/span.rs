//! What a span costs the thread that it is on: off, not sampled, sampled, and in a request between two services.
//!
//! Every piece of work runs over a tracer whose type is known and over `dyn Tracer`. Finished spans go through
//! the ring and the worker to a reporter that lets them go. Spans that found no room in the ring cost less than
//! the others, so a group that had any says how many.

use std::hint::black_box;
use std::time::Duration;

use criterion::measurement::WallTime;
use criterion::{BenchmarkGroup, Criterion, Throughput, criterion_group, criterion_main};
use http::{HeaderMap, HeaderName, HeaderValue};

use tracehound::model::field;
use tracehound::prelude::*;
use tracehound::reporter::{InMemoryReporter, NullReporter, OwnedSpan};
use tracehound::sampler::ConstSampler;
use tracehound::tracer::tracer;
use tracehound::{JaegerTracer, NoopTracer};

/// One thing that programs do with spans.
trait Work {
    const NAME: &'static str;
    /// Figures are per span where there are several of a kind.
    const SPANS: u64 = 1;
    fn once<T: Tracer + ?Sized>(&mut self, tracer: &T);
}

/// A span with one tag: what it costs to have left the calls in a program whose tracing is off.
struct Tagged;

impl Work for Tagged {
    const NAME: &'static str = "noop";

    fn once<T: Tracer + ?Sized>(&mut self, tracer: &T) {
        let span = tracer.start_span(black_box("get_account"));
        span.set_tag("items", black_box(3));
        span.finish();
    }
}

struct Root;

impl Work for Root {
    const NAME: &'static str = "root";

    fn once<T: Tracer + ?Sized>(&mut self, tracer: &T) {
        tracer.start_span(black_box("get_account")).finish();
    }
}

/// A child of the active span, which is the caller's to activate.
struct Child;

impl Work for Child {
    const NAME: &'static str = "child";

    fn once<T: Tracer + ?Sized>(&mut self, tracer: &T) {
        tracer.start_span(black_box("query")).finish();
    }
}

/// A trace of one root and a hundred children.
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

/// A service in the middle: the context out of the headers of a request, a server span with six tags and a log,
/// and a client span whose context goes into the headers of the next request.
struct Request {
    headers: HeaderMap,
    next: HeaderMap,
    url: String,
    user: String,
}

impl Request {
    fn new(trace_header: &'static str) -> Self {
        let headers = |pairs: &[(&'static str, &'static str)]| -> HeaderMap {
            pairs
                .iter()
                .map(|(name, value)| {
                    let name = HeaderName::from_static(name);
                    (name, HeaderValue::from_static(value))
                })
                .collect()
        };
        Self {
            headers: headers(&[
                ("host", "shop.example.com"),
                (
                    "user-agent",
                    "Mozilla/5.0 (X11; Linux x86_64) Gecko/20100101",
                ),
                ("accept", "application/json"),
                ("accept-encoding", "gzip, br"),
                ("content-type", "application/json"),
                ("content-length", "1432"),
                ("x-request-id", "7b0c9f3e-0f7e-4f1b-9d53-9a2c7b1f0a11"),
                ("x-forwarded-for", "203.0.113.7"),
                ("uber-trace-id", trace_header),
            ]),
            next: headers(&[
                ("host", "backend.internal"),
                ("user-agent", "shop/1.4.2"),
                ("accept", "application/json"),
                ("content-type", "application/json"),
            ]),
            url: "/api/v2/orders/104711/items?limit=50".to_owned(),
            user: "user-004711".to_owned(),
        }
    }
}

impl Work for Request {
    const NAME: &'static str = "request";

    fn once<T: Tracer + ?Sized>(&mut self, tracer: &T) {
        let parent = tracer.extract(black_box(&self.headers)).unwrap_or_default();
        let server = tracer
            .build_span(black_box("GET /orders"))
            .child_of(&parent)
            .tag("http.method", "GET")
            .tag("component", "shop")
            .tag("http.url", &self.url)
            .tag("user.id", &self.user)
            .start();
        server.log([field("event", "cache_miss"), field("bytes", black_box(512))]);
        let client = tracer
            .build_span(black_box("GET /backend"))
            .child_of(&server)
            .start();
        tracer.inject(&client.context(), &mut self.next);
        client.finish();
        server
            .set_tag("http.status_code", black_box(200))
            .set_tag("http.response_size", black_box(1_432));
        server.finish();
    }
}

const SAMPLED: &str = "6309ab92c95468edea0dc1a9772ae2dc:409423a204bc17a8:0:1";
const UNSAMPLED: &str = "6309ab92c95468edea0dc1a9772ae2dc:409423a204bc17a8:0:0";

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

/// What is left of work after it has been done once.
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

criterion_group!(benches, off, unsampled, sampled, child);
criterion_main!(benches);
