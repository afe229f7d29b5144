//! Several formats in one carrier.

mod conflicts;
mod neighbours;
mod writing;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use tracehound::diagnostics::Diagnostics;
use tracehound::metrics::Counter;
use tracehound::prelude::*;
use tracehound::propagation::{ExtractError, Propagation};
use tracehound::reporter::InMemoryReporter;
use tracehound::{JaegerTracer, SpanContext};

use super::items;
use super::whole::Whole;
use crate::support::recording_builder;
use Propagation::{B3, B3Single, Jaeger, W3c};

type Pairs<'h> = &'h [(&'h str, &'h str)];

/// A tracer of several formats, and what it says.
struct Listened {
    tracer: JaegerTracer,
    spans: InMemoryReporter,
    lines: Arc<Mutex<Vec<String>>>,
}

impl Listened {
    fn new(formats: &[Propagation]) -> Self {
        let lines = Arc::new(Mutex::new(Vec::new()));
        let heard = lines.clone();
        let (builder, spans) = recording_builder();
        let builder = builder.diagnostics(Diagnostics::with_handler(move |line| {
            heard.lock().unwrap().push(line.to_owned());
        }));
        let builder = builder.propagation(formats.iter().copied());
        let tracer = builder.build().expect("named");
        Self {
            tracer,
            spans,
            lines,
        }
    }

    fn extract(&self, headers: Pairs<'_>) -> Result<Option<SpanContext>, ExtractError> {
        self.tracer.extract(&headers)
    }

    fn read(&self, headers: Pairs<'_>) -> SpanContext {
        self.extract(headers)
            .expect("well-formed")
            .expect("a context")
    }

    fn count(&self, counter: Counter) -> u64 {
        self.tracer.metrics().get(counter)
    }

    fn lines(&self) -> Vec<String> {
        self.lines.lock().unwrap().clone()
    }
}

/// The headers of one trace in each format, and the trace id.
const TRACES: [(Propagation, Pairs<'_>, &str); 4] = [
    (Jaeger, &[("uber-trace-id", "a1:2:0:1")], "00000000000000a1"),
    (
        B3,
        &[
            ("x-b3-traceid", "b1"),
            ("x-b3-spanid", "2"),
            ("x-b3-sampled", "1"),
        ],
        "00000000000000b1",
    ),
    (
        W3c,
        &[(
            "traceparent",
            "00-000000000000000000000000000000c1-0000000000000002-01",
        )],
        "00000000000000c1",
    ),
    (B3Single, &[("b3", "d1-2-1")], "00000000000000d1"),
];

fn headers(formats: &[Propagation]) -> Vec<(&'static str, &'static str)> {
    let is_listed = |format: &Propagation| formats.contains(format);
    let traces = TRACES.iter().filter(|(format, ..)| is_listed(format));
    traces
        .flat_map(|(_, headers, _)| headers.iter().copied())
        .collect()
}

fn trace_id(format: Propagation) -> &'static str {
    let trace = TRACES.iter().find(|(known, ..)| *known == format);
    trace.expect("each format has a trace").2
}

/// Every order of three formats.
const ORDERS: [[Propagation; 3]; 6] = [
    [Jaeger, B3, W3c],
    [Jaeger, W3c, B3],
    [B3, Jaeger, W3c],
    [B3, W3c, Jaeger],
    [W3c, Jaeger, B3],
    [W3c, B3, Jaeger],
];

#[test]
fn the_first_format_with_a_trace_counts_in_the_configured_order() {
    for order in ORDERS {
        for missing in 0..3 {
            let listened = Listened::new(&order);
            let received = headers(&order[missing..]);
            let read = listened.read(&received);
            assert_eq!(read.to_trace_id(), trace_id(order[missing]), "{order:?}");
            // The order of the headers has no say.
            let reversed: Vec<_> = received.into_iter().rev().collect();
            assert_eq!(listened.read(&reversed), read, "{order:?}");
        }
        assert_eq!(Listened::new(&order).extract(&[("host", "h")]), Ok(None));
    }
    // Both forms of B3 are read by either word, and by its own rule the single header wins.
    for order in [[B3, B3Single], [B3Single, B3]] {
        let read = Listened::new(&order).read(&headers(&order));
        assert_eq!(read.to_trace_id(), trace_id(B3Single), "{order:?}");
    }
}

/// A malformed trace in each format, and the header that the error names.
const MALFORMED: [(Propagation, Pairs<'_>, &str); 3] = [
    (Jaeger, &[("uber-trace-id", "a1:2:0:x")], "uber-trace-id"),
    (
        B3,
        &[("x-b3-traceid", "x"), ("x-b3-spanid", "2")],
        "x-b3-traceid",
    ),
    (W3c, &[("traceparent", "00-0-1-2")], "traceparent"),
];

fn malformed(format: Propagation) -> &'static (Propagation, Pairs<'static>, &'static str) {
    let mut rows = MALFORMED.iter();
    rows.find(|(known, ..)| *known == format).expect("listed")
}

#[test]
fn a_malformed_header_hides_no_other_format_and_is_counted_once() {
    for order in ORDERS {
        for good in 0..3 {
            let listened = Listened::new(&order);
            let bad = order.iter().filter(|format| **format != order[good]);
            let mut received = headers(&[order[good]]);
            received.extend(bad.flat_map(|format| malformed(*format).1));
            let read = listened.read(&received);
            assert_eq!(read.to_trace_id(), trace_id(order[good]), "{received:?}");
            assert_eq!(read.conflict(), None);
            assert_eq!(listened.count(Counter::DecodingErrors), 1, "{received:?}");
            let [line] = &listened.lines()[..] else {
                panic!("one line, not {:?}", listened.lines())
            };
            let first = order.iter().find(|format| **format != order[good]);
            let header = malformed(*first.expect("two are bad")).2;
            assert!(line.contains(header), "{line}");
        }
    }
}

#[test]
fn the_first_error_is_returned_if_no_format_has_a_trace() {
    for order in ORDERS {
        for good in 0..3 {
            let listened = Listened::new(&order);
            let bad = &order[good..];
            let mut received = vec![("uberctx-user", "7"), ("baggage", "user=7")];
            received.extend(bad.iter().flat_map(|format| malformed(*format).1));
            let error = listened.extract(&received).expect_err("no trace");
            let header = malformed(bad[0]).2;
            assert!(error.to_string().starts_with(header), "{error}");
            assert_eq!(listened.count(Counter::DecodingErrors), 1, "{received:?}");
            assert_eq!(listened.lines().len(), 1);
        }
    }
}

#[test]
fn baggage_of_all_formats_is_taken_and_the_first_value_of_a_key() {
    let received = [
        ("uberctx-a", "jaeger"),
        ("uberctx-b", "jaeger"),
        ("baggage-a", "b3"),
        ("baggage-c", "b3"),
        ("baggage", "a=w3c,c=w3c,d=w3c;ttl=1"),
    ];
    let all = [Jaeger, W3c, B3];
    for (order, a, c) in [
        (all, "jaeger", "w3c"),
        ([W3c, B3, Jaeger], "w3c", "w3c"),
        ([B3, Jaeger, W3c], "b3", "b3"),
    ] {
        let expected = [("a", a), ("b", "jaeger"), ("c", c), ("d", "w3c")];
        // Without a trace, with one in each format, and with a trace that another format names.
        for traces in [&[][..], &all[..1], &all[1..2], &all] {
            let received = [&received[..], &headers(traces)].concat();
            let read = Listened::new(&order).read(&received);
            assert_eq!(items(&read), expected, "{order:?}");
            assert_eq!(read.baggage().properties("d"), "ttl=1");
            assert_eq!(read.has_trace(), !traces.is_empty());
        }
    }
    // A malformed format gives nothing.
    let received = [&received[..], malformed(W3c).1, &headers(&[Jaeger])].concat();
    let read = Listened::new(&all).read(&received);
    assert_eq!(
        items(&read),
        [("a", "jaeger"), ("b", "jaeger"), ("c", "b3")]
    );
}

#[test]
fn baggage_of_all_formats_together_is_within_the_limits() {
    let long = "v".repeat(3_000);
    let received = [
        ("uberctx-a", &*long),
        ("uberctx-b", &long),
        ("baggage-c", &long),
        ("baggage-d", "short"),
    ];
    let listened = Listened::new(&[Jaeger, B3]);
    let read = listened.read(&received);
    let keys: Vec<_> = items(&read).into_iter().map(|(key, _)| key).collect();
    assert_eq!(keys, ["a", "b", "d"]);
    assert_eq!(listened.count(Counter::BaggageItemsSkipped), 1);

    let names: Vec<_> = (0..40)
        .flat_map(|n| [format!("uberctx-j{n:02}"), format!("baggage-b{n:02}")])
        .collect();
    let many: Vec<_> = names.iter().map(|name| (name.as_str(), "v")).collect();
    let listened = Listened::new(&[Jaeger, B3]);
    assert_eq!(listened.read(&many).baggage().len(), 64);
    assert_eq!(listened.count(Counter::BaggageItemsSkipped), 16);
}

#[test]
fn a_context_without_a_trace_has_what_all_formats_say() {
    let debug = ("jaeger-debug-id", "find-me");
    let rows: [(Pairs<'_>, Option<&str>, Option<u8>, usize); 8] = [
        (&[debug], Some("find-me"), None, 0),
        (&[debug, ("b3", "0")], Some("find-me"), Some(0), 0),
        (&[("b3", "1")], None, Some(1), 0),
        (&[("x-b3-flags", "1")], None, Some(3), 0),
        (&[("b3", "d"), ("baggage", "k=v")], None, Some(3), 1),
        (&[("uberctx-k", "v"), ("baggage", "l=v")], None, None, 2),
        (
            &[("uber-trace-id", "0:0:0:1"), ("uberctx-k", "v"), debug],
            Some("find-me"),
            None,
            1,
        ),
        (
            &[("x-b3-traceid", "1"), ("x-b3-sampled", "0")],
            None,
            Some(0),
            0,
        ),
    ];
    for order in ORDERS {
        for (received, debug_id, decision, count) in rows {
            let listened = Listened::new(&order);
            let read = listened.read(received);
            assert!(!read.has_trace(), "{received:?}");
            assert_eq!(read.debug_id(), debug_id, "{received:?}");
            let decided = read.decision_without_trace().map(|flags| flags.bits());
            assert_eq!(decided, decision, "{received:?}");
            assert_eq!(read.baggage().len(), count, "{received:?}");
            assert_eq!(listened.count(Counter::PropagationConflicts), 0);

            // A trace in another format makes all of it but the baggage void.
            let trace = headers(&[W3c]);
            let with_trace = [received, &trace].concat();
            let read = listened.read(&with_trace);
            assert_eq!(read.to_trace_id(), trace_id(W3c), "{with_trace:?}");
            assert_eq!((read.debug_id(), read.baggage().len()), (None, count));
        }
    }
}

#[test]
fn a_text_map_is_read_in_the_spelling_of_go() {
    let canonical = [
        ("Uber-Trace-Id", "c1:2:9:1"),
        ("Uberctx-User-Id", "7"),
        ("Jaeger-Baggage", "Cart=3"),
        ("X-B3-Traceid", "c1"),
        ("X-B3-Spanid", "2"),
        ("X-B3-Parentspanid", "9"),
        ("X-B3-Sampled", "1"),
        ("Baggage-Region", "eu"),
        (
            "Traceparent",
            "00-000000000000000000000000000000c1-0000000000000002-03",
        ),
        ("Tracestate", "congo=t61"),
        ("Baggage", "tenant=1"),
    ];
    let all = [Jaeger, W3c, B3];
    let listened = Listened::new(&all);
    let lower = canonical.map(|(name, value)| (name.to_lowercase(), value));
    let map = BTreeMap::from(canonical);
    let read = listened.tracer.extract(&map).unwrap().expect("a trace");
    assert_eq!(
        read.to_string(),
        "00000000000000c1:0000000000000002:0000000000000009:1"
    );
    let keys: Vec<_> = items(&read).into_iter().map(|(key, _)| key).collect();
    assert_eq!(keys, ["cart", "region", "tenant", "user-id"]);
    assert!(read.has_random_trace_id() && read.trace_state().is_some());
    assert_eq!(listened.count(Counter::PropagationConflicts), 0);
    let other = listened.tracer.extract(&lower).unwrap().expect("a trace");
    assert_eq!(Whole::of(&other), Whole::of(&read));
    let debug = listened.read(&[("Jaeger-Debug-Id", "Find-Me")]);
    assert_eq!(debug.debug_id(), Some("Find-Me"));
}
