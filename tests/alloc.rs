//! How many allocations the calls of the API make on the calling thread.

use std::hint::black_box;
use std::sync::mpsc;
use std::thread;

use tracehound::model::{Baggage, field};
use tracehound::prelude::*;
use tracehound::propagation::BinaryCodec;
use tracehound::reporter::NullReporter;
use tracehound::sampler::ConstSampler;
use tracehound::scope::with_active_span;
use tracehound::tracer::tracer;
use tracehound::{JaegerTracer, NoopTracer};

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

/// A list of baggage is immutable: a new item makes a new text, a new list of ends, a piece that holds both, and one
/// that holds all that the trace carries.
#[test]
fn a_new_baggage_item_costs_four_allocations() {
    for keep in [true, false] {
        let tracer = null_tracer(keep);
        let n = tenths_of_allocations(|| {
            let span = tracer.start_span("s");
            span.set_baggage_item("user", "42");
        });
        assert_eq!(n, 40, "sampled: {keep}");
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

/// A stranger chooses every length in the carrier. The list of items and their text are bounded all the same.
#[test]
fn a_binary_carrier_takes_no_more_memory_than_the_limits_allow() {
    let number = |n: u32| n.to_be_bytes().to_vec();
    let carrier = |count: u32, items: &[u8]| [&[1; 33][..], &number(count), items].concat();
    let item = |key: &str, value: &[u8]| {
        let (key_bytes, value_bytes) = (number(key.len() as u32), number(value.len() as u32));
        [&key_bytes, key.as_bytes(), &value_bytes, value].concat()
    };
    let mega = vec![b'v'; 1 << 20];
    let small: Vec<u8> = (0..180).flat_map(|n| item(&n.to_string(), b"v")).collect();
    let large: Vec<u8> = (0..180)
        .flat_map(|n| item(&n.to_string(), &mega[..9_000]))
        .collect();
    let fitting: Vec<u8> = (0..180)
        .flat_map(|n| item(&format!("{n:03}"), &mega[..125]))
        .collect();
    // A text that doubles, and a list of three lengths an item.
    let bound = 2 * Baggage::MAX_BYTES as u64;
    let codec = BinaryCodec::default();
    for (name, bytes, is_malformed) in [
        ("a huge count", carrier(u32::MAX, &[]), true),
        ("181 items", carrier(181, &small), true),
        (
            "a huge key",
            carrier(1, &[number(u32::MAX), mega.clone()].concat()),
            true,
        ),
        ("a huge value", carrier(1, &item("k", &mega)), false),
        ("180 small items", carrier(180, &small), false),
        ("180 large items", carrier(180, &large), false),
        ("180 items of 128 bytes", carrier(180, &fitting), false),
    ] {
        let mut outcome = None;
        let memory = allocation_counter::measure(|| outcome = Some(codec.extract(&bytes)));
        assert_eq!(outcome.expect("set").is_err(), is_malformed, "{name}");
        let most = if is_malformed { 0 } else { bound };
        println!(
            "{name}: {} bytes at most, {} in all",
            memory.bytes_max, memory.bytes_total
        );
        assert!(memory.bytes_max <= most, "{name}: {memory:?}");
        assert!(memory.bytes_total <= 2 * most, "{name}: {memory:?}");
    }
}

/// A context holds what came with the trace in one piece, a `tracestate` in one more, and baggage in three.
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

/// A stranger chooses how many headers there are, and all that is in them.
#[test]
fn headers_of_w3c_take_no_more_memory_than_the_limits_allow() {
    use tracehound::propagation::{Extractor, W3cCodec};

    let parent = "00-463ac35c9f6413ad48485a3953bb6124-a2fb4a1d1a96d312-01";
    let mega = 1 << 20;
    let member = |n: usize| format!("k{n:03}{}={}", "k".repeat(252), "v".repeat(256));
    let state = (0..32).map(member).collect::<Vec<_>>().join(", ");
    let list = |value: &str| {
        let members: Vec<_> = (0..180).map(|n| format!("k{n}={value}")).collect();
        members.join(",")
    };
    let many = |name: &'static str, value: &str| vec![(name, value.to_owned()); 1_000];
    // The places of 128 headers, 2,048 bytes of `tracestate`, and baggage with its lengths.
    let bound = 2 * Baggage::MAX_BYTES as u64;
    let codec = W3cCodec::new();
    for (name, headers) in [
        (
            "the largest tracestate",
            vec![("tracestate", state.clone())],
        ),
        ("tracestates", many("tracestate", &state)),
        (
            "a long member",
            vec![("tracestate", format!("k={}", "v".repeat(mega)))],
        ),
        (
            "commas",
            vec![
                ("tracestate", ",".repeat(mega)),
                ("baggage", ",".repeat(mega)),
            ],
        ),
        ("180 small items", vec![("baggage", list("v"))]),
        (
            "180 large items",
            vec![("baggage", list(&"v".repeat(9_000)))],
        ),
        (
            "180 items of 128 bytes",
            vec![("baggage", list(&"v".repeat(124)))],
        ),
        ("escapes", vec![("baggage", list(&"%20".repeat(42)))]),
        ("percent signs", vec![("baggage", list(&"%".repeat(9_000)))]),
        (
            "invalid UTF-8",
            vec![("baggage", list(&"%FF".repeat(2_700)))],
        ),
        (
            "a long key",
            vec![("baggage", format!("{}=v", "k".repeat(mega)))],
        ),
        (
            "long properties",
            vec![("baggage", format!("k=v;{}", "p".repeat(mega)))],
        ),
        ("headers", many("baggage", &list("v"))),
        (
            "both",
            vec![
                ("tracestate", state.clone()),
                ("baggage", list(&"v".repeat(124))),
            ],
        ),
    ] {
        let headers = [vec![("traceparent", parent.to_owned())], headers].concat();
        let mut outcome = None;
        let memory = allocation_counter::measure(|| outcome = Some(codec.extract(&headers)));
        let context = outcome
            .expect("set")
            .expect("well-formed")
            .expect("a trace");
        println!(
            "{name}: {} bytes at most, {} in all",
            memory.bytes_max, memory.bytes_total
        );
        assert!(memory.bytes_max <= bound, "{name}: {memory:?}");
        assert!(memory.bytes_total <= 2 * bound, "{name}: {memory:?}");
        assert!(context.baggage().len() <= Baggage::MAX_ITEMS);
    }
}

/// A stranger chooses the headers. What a codec allocates for them is bounded all the same.
#[test]
fn headers_take_no_more_memory_than_the_limits_allow() {
    use tracehound::propagation::{Codec, CompositeCodec, Extractor, MessageHeaders, Propagation};

    type Headers = Vec<(String, Vec<u8>)>;

    const FORMATS: [Propagation; 4] = [
        Propagation::Jaeger,
        Propagation::W3c,
        Propagation::B3,
        Propagation::B3Single,
    ];

    /// Returns many headers with one name, or with names that begin alike.
    fn many(count: usize, name: &str, value: &str) -> Headers {
        let name = |n: usize| match name.strip_suffix('*') {
            Some(prefix) => format!("{prefix}{n:03}"),
            None => name.to_owned(),
        };
        let header = |n| (name(n), value.replace('#', &format!("{n:03}")).into_bytes());
        (0..count).map(header).collect()
    }

    let all: CompositeCodec = FORMATS.iter().fold(CompositeCodec::new(), |codec, format| {
        codec.member(format.http_headers_codec())
    });
    let names: Vec<String> = {
        let headers = all.headers();
        let prefixed = headers.prefixes().map(|prefix| format!("{prefix}k"));
        headers.names().map(str::to_owned).chain(prefixed).collect()
    };
    let trace: Headers = [
        ("uber-trace-id", "1:2:0:1"),
        (
            "traceparent",
            "00-00000000000000000000000000000001-0000000000000002-01",
        ),
        ("b3", "1-2-1"),
    ]
    .map(|(name, value)| (name.to_owned(), value.into()))
    .to_vec();
    let (v125, v8000) = ("v".repeat(124), "v".repeat(8_000));
    let state = format!("k#={}", "v".repeat(256));
    let mut inputs = vec![
        ("full uberctx-", many(64, "uberctx-*", &v125)),
        ("full baggage-", many(64, "baggage-*", &v125)),
        ("full baggage", many(64, "baggage", &format!("k#={v125}"))),
        (
            "one large baggage",
            many(1, "baggage", &format!("k={v8000}")),
        ),
        ("one large uberctx-", many(1, "uberctx-*", &v8000)),
        (
            "full jaeger-baggage",
            many(1, "jaeger-baggage", &format!("k={v8000}")),
        ),
        ("full tracestate", many(32, "tracestate", &state)),
        ("many uberctx-", many(10_000, "uberctx-*", "v")),
        ("many baggage", many(10_000, "baggage", "k#=v")),
        ("many tracestate", many(10_000, "tracestate", "k#=v")),
        ("many b3", many(10_000, "b3", "1-2-1")),
        (
            "many uber-trace-id",
            many(10_000, "uber-trace-id", "1:2:0:1"),
        ),
    ];
    let together = [0, 1, 2, 6].map(|n| inputs[n].1.clone()).concat();
    let most = [together.clone(), many(40, "b3", "1-2-1")].concat();
    inputs.push(("full in all formats", together));
    inputs.push(("as many headers as are kept", most));
    for text in ["a", "%", "%41", ",", "k=v,", "\u{e9}", "k=%ff", ";"] {
        let huge = text.repeat(65_536 / text.len());
        for name in &names {
            inputs.push(("huge", vec![(name.clone(), huge.clone().into_bytes())]));
        }
    }

    let mut codecs: Vec<(String, Box<dyn Codec>)> = FORMATS
        .iter()
        .map(|format| (format.to_string(), format.http_headers_codec()))
        .collect();
    codecs.push(("text map".to_owned(), Propagation::Jaeger.text_map_codec()));
    codecs.push(("all".to_owned(), Box::new(all)));
    for (format, codec) in &codecs {
        // A codec of several formats holds the baggage of two of them at a time, and the places of all headers.
        let bound = match format.as_str() {
            "all" => 4 * Baggage::MAX_BYTES,
            _ => 2 * Baggage::MAX_BYTES,
        } as u64;
        for (kind, headers) in &inputs {
            for has_trace in [false, true] {
                let trace = if has_trace { &trace[..] } else { &[] };
                let headers = [trace, &headers[..]].concat();
                let mut read = None;
                let memory = allocation_counter::measure(|| {
                    read = Some(codec.extract(&MessageHeaders(&headers[..])));
                });
                let (most, kept) = (memory.bytes_max, memory.bytes_current);
                println!("{format}, {kind}: {most} at most, {kept} kept");
                assert!(most <= bound, "{format}, {kind}: {memory:?}");
                let largest_context = 3 * Baggage::MAX_BYTES as i64 / 2;
                assert!(kept <= largest_context, "{format}, {kind}: {memory:?}");
                drop(read);
            }
        }
    }
}
