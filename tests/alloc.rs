//! What a span costs the allocator, in a process of its own.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::hint::black_box;

use tracehound::model::field;
use tracehound::prelude::*;
use tracehound::reporter::NullReporter;
use tracehound::sampler::ConstSampler;
use tracehound::scope::with_active_span;
use tracehound::{JaegerTracer, NoopTracer};

/// Counts what the calling thread allocates, frees aside.
struct Counting;

thread_local! {
    static ALLOCATIONS: Cell<u64> = const { Cell::new(0) };
}

fn count() {
    let _ = ALLOCATIONS.try_with(|n| n.set(n.get() + 1));
}

#[expect(
    unsafe_code,
    reason = "an allocator cannot be written without; it only passes on"
)]
// SAFETY: every call is passed on to the system's allocator as it came.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count();
        // SAFETY: passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        count();
        // SAFETY: passed on.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, ptr: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count();
        // SAFETY: passed on.
        unsafe { System.realloc(ptr, layout, size) }
    }

    unsafe fn dealloc(&self, ptr: *mut u8, layout: Layout) {
        // SAFETY: passed on.
        unsafe { System.dealloc(ptr, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Allocations of a run of `work` in the steady state, in tenths: a ring takes a new chunk now and then.
fn tenths_of_allocations(work: impl FnMut()) -> u64 {
    let runs = 1_000;
    allocations(runs, work) * 10 / runs
}

/// Allocations of many runs together.
fn allocations(runs: u64, mut work: impl FnMut()) -> u64 {
    for _ in 0..100 {
        work();
    }
    let before = ALLOCATIONS.get();
    for _ in 0..runs {
        work();
    }
    ALLOCATIONS.get() - before
}

fn tracer(keep: bool) -> JaegerTracer {
    JaegerTracer::builder("test")
        .sampler(ConstSampler::new(keep))
        .reporter(NullReporter::new())
        .build()
        .expect("named")
}

fn fill(span: &Span, url: &String) {
    span.set_tag("http.method", "GET")
        .set_tag("component", "test")
        .set_tag("http.url", url)
        .set_tag("user.id", 42)
        .set_tag("http.status_code", 200)
        .set_tag("ratio", 0.5);
    span.log([field("event", "cache_miss"), field("bytes", 17)]);
}

#[test]
fn nothing_is_allocated_for_a_span_in_the_steady_state() {
    let (kept, dropped) = (tracer(true), tracer(false));
    let url = "http://shop.example.com/orders?id=17".to_owned();
    let parent = kept.start_span("parent");
    let remote = parent.context();
    let rows: [(&str, &dyn Fn()); 9] = [
        ("noop", &|| {
            let span = black_box(NoopTracer.build_span("s").tag("a", 1).start());
            fill(&span, &url);
        }),
        ("noop behind dyn", &|| {
            let tracer: &dyn Tracer = black_box(&NoopTracer);
            fill(&tracer.build_span("s").tag("a", 1).start(), &url);
        }),
        ("unsampled", &|| fill(&dropped.start_span("s"), &url)),
        ("root", &|| kept.start_span("s").finish()),
        ("child of a span", &|| {
            kept.build_span("s").child_of(&parent).start().finish();
        }),
        ("child of a context", &|| {
            kept.build_span("s").child_of(&remote).start().finish();
        }),
        ("child of the active span", &|| {
            let _scope = parent.activate();
            kept.start_span("s").finish();
            with_active_span(|span| {
                let _ = black_box(span.is_recording());
            });
        }),
        ("tags at the start", &|| {
            kept.build_span("s")
                .tag("span.kind", "server")
                .tag("http.url", &url)
                .start()
                .finish();
        }),
        ("tags and a log", &|| fill(&kept.start_span("s"), &url)),
    ];
    for (name, work) in rows {
        assert_eq!(tenths_of_allocations(work), 0, "{name}");
    }
}

#[test]
fn chunks_of_rings_are_a_fraction_of_an_allocation_a_span() {
    let tracer = tracer(true);
    let runs = 20_000;
    let n = allocations(runs, || tracer.start_span("s").finish());
    assert!(n < runs / 100, "{n} allocations for {runs} spans");
}

#[cfg(feature = "http")]
#[test]
fn a_request_allocates_one_header_value() {
    use http::{HeaderMap, HeaderValue};

    for keep in [true, false] {
        let tracer = tracer(keep);
        let mut incoming = HeaderMap::new();
        let header = format!("5b2b4e1f9d3a7c60:6ad04c2b18e7f935:0:{}", u8::from(keep));
        for (name, value) in [
            ("host", "shop"),
            ("accept", "*/*"),
            ("uber-trace-id", &header),
        ] {
            let value = HeaderValue::from_str(value).expect("legal");
            incoming.insert(name.parse::<http::HeaderName>().expect("legal"), value);
        }
        let mut outgoing = HeaderMap::with_capacity(8);
        let url = "http://shop.example.com/orders?id=17".to_owned();
        let extracted = tenths_of_allocations(|| {
            let _ = black_box(tracer.extract(&incoming));
        });
        assert_eq!(extracted, 0, "extract, {keep}");
        let n = tenths_of_allocations(|| {
            let parent = tracer.extract(&incoming).expect("well-formed");
            let span = tracer.build_span("GET /orders").child_of(&parent).start();
            fill(&span, &url);
            let child = tracer.build_span("GET /stock").child_of(&span).start();
            tracer.inject(&child.context(), &mut outgoing);
            child.finish();
            span.finish();
        });
        assert_eq!(n, 10, "a request, {keep}");
    }
}
