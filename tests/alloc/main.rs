//! Counts of the allocations that calls of the API make on the calling thread.

mod handed_over;
#[cfg(feature = "tracing")]
mod log_lines;
#[cfg(all(
    feature = "axum",
    feature = "reqwest",
    feature = "stream",
    feature = "tonic"
))]
mod middleware;
#[cfg(feature = "remote-sampler")]
mod remote_sampler;
mod samplers;
mod strangers;
#[cfg(feature = "remote-sampler")]
mod strategies;
#[cfg(feature = "macros")]
mod traced;
mod watch;

use std::hint::black_box;
use std::sync::mpsc;
use std::thread;

use tracehound::clock::ManualClock;
use tracehound::metrics::Counter;
use tracehound::model::{Flags, SpanId, TraceId, field};
use tracehound::prelude::*;
use tracehound::reporter::NullReporter;
use tracehound::sampler::{ConstSampler, KeepSampler, SamplingRate};
use tracehound::scope::with_active_span;
use tracehound::tracer::tracer;
use tracehound::{JaegerTracer, NoopTracer, SpanContext};

/// Returns tenths of allocations per run of `work` in the steady state. They hide the rare new chunk of a thread queue.
fn tenths_of_allocations(work: impl FnMut()) -> u64 {
    let runs = 1_000;
    allocations(runs, work) * 10 / runs
}

/// Returns the allocations of many runs together.
fn allocations(runs: u64, mut work: impl FnMut()) -> u64 {
    for _ in 0..100 {
        work();
    }
    let work_all = || {
        for _ in 0..runs {
            work();
        }
    };
    allocation_counter::measure(work_all).count_total
}

fn null_tracer(keep: bool) -> JaegerTracer {
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
fn a_span_allocates_nothing_in_the_steady_state() {
    let (kept, dropped) = (null_tracer(true), null_tracer(false));
    let url = "http://shop.example.com/orders?id=17".to_owned();
    let parent = kept.start_span("parent");
    let remote = parent.context();
    let with_baggage = remote.with_baggage_item("user", "42");
    let rows: [(&str, &dyn Fn()); 19] = [
        ("a disabled tracer", &|| {
            fill(&JaegerTracer::disabled().start_span("s"), &url);
        }),
        ("the global tracer, not set", &|| {
            let span = tracer().build_span("s").tag("a", 1).start();
            fill(&span, &url);
            let _scope = span.activate();
        }),
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
        ("logs", &|| {
            let span = kept.start_span("s");
            span.log([field("event", "retry"), field("url", &url)]);
            span.log_event("done");
        }),
        ("a tag that is set again", &|| {
            let span = kept.start_span("s");
            span.set_tag("items", 1).set_tag("items", 2);
        }),
        ("a lazy tag", &|| {
            kept.start_span("s").set_tag_with("items", || 2);
        }),
        ("a new name", &|| {
            kept.start_span("HTTP GET").set_operation_name("GET /cart");
        }),
        ("clones and handles", &|| {
            let span = kept.start_span("s");
            let (clone, handle) = (span.clone(), span.downgrade());
            span.finish();
            drop((clone, handle));
        }),
        ("the context", &|| {
            let span = kept.start_span("s");
            assert!(span.context().is_sampled());
        }),
        ("a cause", &|| {
            kept.build_span("s").follows_from(&remote).start().finish();
        }),
        ("baggage that is inherited", &|| {
            let span = kept.build_span("s").child_of(&with_baggage).start();
            span.finish();
        }),
    ];
    for (name, work) in rows {
        assert_eq!(tenths_of_allocations(work), 0, "{name}");
    }
}

#[test]
fn a_trace_that_is_weighed_and_let_go_allocates_nothing_in_the_steady_state() {
    let tracer = JaegerTracer::builder("test")
        .sampler(KeepSampler::new(ConstSampler::new(false)).slowest(SamplingRate::DEFAULT))
        .reporter(NullReporter::new())
        // Time stands still, so no trace is slower than others.
        .clock(ManualClock::at_micros(1_700_000_000_000_000))
        .build()
        .expect("named");
    let url = "http://shop.example.com/orders?id=17".to_owned();
    let ids = TraceId::new(0, 7).zip(SpanId::new(8)).expect("not zero");
    let dropped_by_caller = SpanContext::new(ids.0, ids.1, None, Flags::default());
    let request = |parent: Option<&SpanContext>| {
        let mut server = tracer.build_span("server").tag("span.kind", "server");
        if let Some(parent) = parent {
            server = server.child_of(parent);
        }
        let server = server.start();
        fill(&server, &url);
        for _ in 0..3 {
            let client = tracer.build_span("client").child_of(&server).start();
            fill(&client, &url);
            assert!(!client.context().is_sampled() && client.is_recording());
        }
        let _scope = server.activate();
        tracer.start_span("of the active span").finish();
    };
    let n = allocations(20_000, || request(None))
        + allocations(20_000, || request(Some(&dropped_by_caller)));
    assert_eq!(n, 0);
    // Memory is the same after all these requests, and less than a few slots' while one is open.
    let measured = allocation_counter::measure(|| {
        for _ in 0..1_000 {
            request(None);
        }
    });
    assert_eq!(measured.bytes_current, 0);
    assert_eq!(tracer.metrics().get(Counter::WeighedTracesLetGo), 41_200);
}

#[test]
fn spans_that_wait_take_a_bounded_part_of_memory_however_many_traces_are_open() {
    let tracer = JaegerTracer::builder("test")
        .sampler(KeepSampler::new(ConstSampler::new(false)))
        .reporter(NullReporter::new())
        .build()
        .expect("named");
    let text = "x".repeat(1_000);
    let mut roots = Vec::with_capacity(4_000);
    let opened = allocation_counter::measure(|| {
        for _ in 0..4_000 {
            roots.push(tracer.start_span("root"));
        }
    });
    // 40 MB if all were kept; 1 MiB is, in memory that grows by doubling.
    let filled = allocation_counter::measure(|| {
        for root in &roots {
            for _ in 0..10 {
                let child = tracer
                    .build_span("child")
                    .child_of(root)
                    .tag("text", &*text);
                child.start().finish();
            }
        }
    });
    assert!(filled.bytes_max < 3 << 20, "{} bytes", filled.bytes_max);
    let ended = allocation_counter::measure(|| roots.clear());
    let left = opened.bytes_current + filled.bytes_current + ended.bytes_current;
    // What pools keep: 64 and 512 slots and decisions.
    assert!(left < 4 << 20, "{left} bytes of {}", opened.bytes_current);
}

/// A list of baggage is immutable: a new item makes a new text, a piece that holds it, and one that holds all that the
/// trace carries.
#[test]
fn a_new_baggage_item_costs_three_allocations() {
    for keep in [true, false] {
        let tracer = null_tracer(keep);
        let n = tenths_of_allocations(|| {
            let span = tracer.start_span("s");
            span.set_baggage_item("user", "42");
        });
        assert_eq!(n, 30, "sampled: {keep}");
    }
}

#[test]
fn a_span_that_another_thread_finishes_costs_less_than_a_fifth_of_an_allocation() {
    let tracer = null_tracer(true);
    let (to, from) = mpsc::sync_channel::<Span>(1);
    let (done, is_done) = mpsc::sync_channel(1);
    let finisher = thread::spawn(move || {
        for span in from {
            span.finish();
            if done.send(()).is_err() {
                return;
            }
        }
    });
    // Slots return to their thread in batches.
    let n = allocations(10_000, || {
        to.send(tracer.start_span("s"))
            .expect("the other end lives");
        is_done.recv().expect("the other end lives");
    });
    assert!(n < 2_000, "{n} allocations for 10 000 spans");
    drop(to);
    finisher.join().expect("no panic");
}

#[test]
fn chunks_of_thread_queues_cost_less_than_a_hundredth_of_an_allocation_per_span() {
    let tracer = null_tracer(true);
    let runs = 20_000;
    let n = allocations(runs, || tracer.start_span("s").finish());
    assert!(n < runs / 100, "{n} allocations for {runs} spans");
}

#[cfg(feature = "http")]
#[test]
fn a_request_allocates_one_value_for_each_format() {
    use http::{HeaderMap, HeaderValue};

    for keep in [true, false] {
        let tracer = null_tracer(keep);
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
        let context = tracer.start_span("s").context();
        let injected = tenths_of_allocations(|| tracer.inject(&context, &mut outgoing));
        assert_eq!(injected, 20, "inject, {keep}");
        let n = tenths_of_allocations(|| {
            let parent = tracer.extract(&incoming).expect("well-formed");
            let span = tracer.build_span("GET /orders").child_of(&parent).start();
            fill(&span, &url);
            let child = tracer.build_span("GET /stock").child_of(&span).start();
            tracer.inject(&child.context(), &mut outgoing);
            child.finish();
            span.finish();
        });
        assert_eq!(n, 20, "a request, {keep}");
    }
}

/// A context holds what came with the trace in one piece, a `tracestate` in one more, and baggage in two: in three if
/// it has more than four items.
#[cfg(feature = "http")]
#[test]
fn headers_of_w3c_allocate_what_the_context_holds() {
    use http::{HeaderMap, HeaderName, HeaderValue};
    use tracehound::propagation::{Extractor, Injector, W3cCodec};

    let parent = "00-463ac35c9f6413ad48485a3953bb6124-a2fb4a1d1a96d312-01";
    let state = "ot=th:8;rv:e6d1a75832a2f0,congo=t61rcWkgMzE";
    let baggage = "user=caf%C3%A9,cart=7;ttl=30,region=eu%2D1,a=b,c=d,e=f";
    let codec = W3cCodec::new();
    // Injecting makes a header value for each header, and the text of `baggage` before.
    for (headers, extracted, injected) in [
        (&[("traceparent", parent)][..], 0, 1),
        (&[("traceparent", parent), ("tracestate", state)], 2, 2),
        (&[("traceparent", parent), ("baggage", baggage)], 4, 3),
        (
            &[
                ("traceparent", parent),
                ("tracestate", state),
                ("baggage", baggage),
            ],
            5,
            4,
        ),
        (&[("baggage", baggage)], 4, 2),
        (&[("baggage", "user=caf%C3%A9,cart=7;ttl=30,a=b,c=d")], 3, 2),
    ] {
        let mut incoming = HeaderMap::new();
        incoming.insert("host", HeaderValue::from_static("shop"));
        for (name, value) in headers {
            incoming.insert(
                HeaderName::from_static(name),
                HeaderValue::from_static(value),
            );
        }
        let n = tenths_of_allocations(|| {
            let _ = black_box(codec.extract(&incoming));
        });
        assert_eq!(n, 10 * extracted, "extract {headers:?}");
        let context = codec
            .extract(&incoming)
            .expect("well-formed")
            .expect("a context");
        let mut outgoing = HeaderMap::with_capacity(8);
        let n = tenths_of_allocations(|| {
            outgoing.clear();
            codec.inject(&context, &mut outgoing);
        });
        assert_eq!(n, 10 * injected, "inject {headers:?}");
    }
}
