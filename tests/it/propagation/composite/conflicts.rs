//! What formats say of one request that does not agree.

use tracehound::metrics::Counter;
use tracehound::prelude::*;
use tracehound::propagation::{Propagation, Trust};

use super::{Listened, ORDERS, Pairs, headers, trace_id};
use Propagation::{B3, B3Single, Jaeger, W3c};

const TAG: &str = "propagation.conflict";

/// Returns what the other formats say, and the number of conflicts. A span that is kept has it in one tag, and its child
/// has none.
#[track_caller]
fn conflict(formats: &[Propagation], headers: Pairs<'_>) -> (Option<String>, u64) {
    let listened = Listened::new(formats);
    let parent = listened.read(headers);
    let span = listened.tracer.build_span("s").child_of(&parent).start();
    let child = listened.tracer.build_span("child").child_of(&span).start();
    drop((child, span));
    let said = parent.conflict().map(str::to_owned);
    for span in listened.spans.spans() {
        let tags = span.tags.iter().filter(|tag| tag.key == TAG);
        let tags: Vec<_> = tags.map(|tag| tag.value.to_string()).collect();
        let is_child = span.operation_name == "child";
        let expected = said.clone().filter(|_| !is_child);
        assert_eq!(tags, Vec::from_iter(expected), "{}", span.operation_name);
    }
    (said, listened.count(Counter::PropagationConflicts))
}

#[test]
fn other_traces_are_one_conflict_with_one_tag() {
    for order in ORDERS {
        let (tag, count) = conflict(&order, &headers(&order));
        let said = order[1..].iter().map(|format| {
            let header = match format {
                Jaeger => "uber-trace-id",
                B3 => "x-b3-traceid",
                _ => "traceparent",
            };
            format!("{header} {}:0000000000000002:0:1", trace_id(*format))
        });
        assert_eq!(tag, Some(said.collect::<Vec<_>>().join(", ")), "{order:?}");
        assert_eq!(count, 1, "{order:?}");
    }
}

#[test]
fn each_part_that_differs_is_a_conflict() {
    let parent =
        |trace: &str, span: &str, flags: &str| format!("00-{trace:0>32}-{span:0>16}-{flags}");
    let id = |trace: &str, span: &str, flags: &str| format!("{trace:0>16}:{span:0>16}:0:{flags}");
    let rows = [
        // The value of `uber-trace-id`, that of `traceparent`, and what the tag says of it.
        ("1:2:0:1", parent("1", "2", "01"), None),
        ("1:2:9:1", parent("1", "2", "01"), None),
        ("1:2:0:0", parent("1", "2", "00"), None),
        ("1:2:0:1", parent("1", "2", "03"), None),
        // W3C's headers say no more of debug, and nothing of other flags.
        ("1:2:0:3", parent("1", "2", "01"), None),
        ("1:2:0:2", parent("1", "2", "00"), None),
        ("1:2:0:2", parent("1", "2", "01"), Some(id("1", "2", "1"))),
        ("1:2:0:9", parent("1", "2", "01"), None),
        // An id of zero names no trace.
        ("0:2:0:1", parent("1", "2", "00"), None),
        ("1:0:0:1", parent("1", "2", "00"), None),
        ("1:2:0:1", parent("3", "2", "01"), Some(id("3", "2", "1"))),
        ("1:2:0:1", parent("1", "4", "01"), Some(id("1", "4", "1"))),
        ("1:2:0:1", parent("1", "2", "00"), Some(id("1", "2", "0"))),
        ("1:2:0:0", parent("1", "2", "01"), Some(id("1", "2", "1"))),
        ("1:2:0:3", parent("1", "2", "00"), Some(id("1", "2", "0"))),
        (
            "a1:2:0:1",
            parent("b00000000000000a1", "2", "01"),
            Some({
                let trace = "000000000000000b00000000000000a1";
                format!("{trace}:0000000000000002:0:1")
            }),
        ),
    ];
    for (jaeger, w3c, said) in rows {
        let received = [("traceparent", &*w3c), ("uber-trace-id", jaeger)];
        let expected = said.as_ref().map(|said| format!("traceparent {said}"));
        let (tag, count) = conflict(&[Jaeger, W3c], &received);
        assert_eq!(tag, expected, "{jaeger} {w3c}");
        assert_eq!(count, u64::from(said.is_some()), "{jaeger} {w3c}");
        // The other order is in conflict, too.
        let (tag, count) = conflict(&[W3c, Jaeger], &received);
        assert_eq!(
            (tag.is_some(), count),
            (said.is_some(), said.is_some().into())
        );
    }
}

#[test]
fn a_decision_that_is_left_open_is_no_conflict() {
    let w3c = |flags: &str| {
        let (trace, span) = ("0".repeat(31) + "1", "0".repeat(15) + "2");
        format!("00-{trace}-{span}-{flags}")
    };
    for flags in ["00", "01"] {
        for b3 in [
            &[("b3", "1-2")][..],
            &[("x-b3-traceid", "1"), ("x-b3-spanid", "2")],
        ] {
            let parent = w3c(flags);
            let received = [b3, &[("traceparent", &parent)]].concat();
            for formats in [[B3, W3c], [W3c, B3], [B3Single, W3c]] {
                assert_eq!(conflict(&formats, &received), (None, 0), "{received:?}");
                let read = Listened::new(&formats).read(&received);
                // The first format counts, so that B3 leaves the decision to the own sampler.
                assert_eq!(read.is_sampling_final(), formats[0] == W3c);
                assert_eq!(read.is_sampled(), formats[0] == W3c && flags == "01");
            }
        }
    }
}

#[test]
fn a_decision_without_a_trace_is_in_conflict_with_another_one() {
    let trace = ("uber-trace-id", "1:2:0:1");
    for formats in [
        [Jaeger, B3],
        [B3, Jaeger],
        [Jaeger, B3Single],
        [B3Single, Jaeger],
    ] {
        for (headers, said) in [
            (&[trace, ("b3", "0")][..], Some("b3 flags 0")),
            (
                &[trace, ("x-b3-sampled", "0")],
                Some("x-b3-sampled flags 0"),
            ),
            (
                &[trace, ("X-B3-Sampled", "0")],
                Some("x-b3-sampled flags 0"),
            ),
            (&[trace, ("b3", "1")], None),
            (&[trace, ("b3", "d")], None),
            (&[trace, ("x-b3-sampled", "?")], None),
            (&[("uberctx-k", "v"), ("b3", "0")], None),
            (&[("jaeger-debug-id", "d"), ("b3", "0")], None),
        ] {
            let expected = (said.map(str::to_owned), said.is_some().into());
            assert_eq!(
                conflict(&formats, headers),
                expected,
                "{formats:?} {headers:?}"
            );
        }
    }
    // Also where another format without a trace or a decision is between them.
    let received = [("uberctx-k", "v"), ("b3", "0"), headers(&[W3c])[0]];
    let (tag, _) = conflict(&[Jaeger, B3, W3c], &received);
    assert_eq!(tag.as_deref(), Some("b3 flags 0"));
}

#[test]
fn a_conflict_names_the_header_that_was_read() {
    let trace = ("uber-trace-id", "1:2:0:1");
    let several = [
        ("X-B3-TraceId", "00000000000000AB"),
        ("X-B3-SpanId", "3"),
        ("X-B3-Sampled", "1"),
    ];
    for (b3, said) in [
        // Well-formed, it wins over the several.
        ("cd-4-1", "b3 00000000000000cd:0000000000000004:0:1"),
        ("AB-3-1", "b3 00000000000000ab:0000000000000003:0:1"),
        // Malformed, it is not read.
        (
            "cd-?-1",
            "x-b3-traceid 00000000000000ab:0000000000000003:0:1",
        ),
    ] {
        for formats in [[Jaeger, B3], [Jaeger, B3Single]] {
            let received = [&[trace][..], &several, &[("b3", b3)]].concat();
            let (tag, _) = conflict(&formats, &received);
            assert_eq!(tag.as_deref(), Some(said), "{formats:?} {b3}");
        }
    }
}

#[test]
fn the_same_trace_in_another_format_adds_what_the_first_cannot_say() {
    let trace = "463ac35c9f6413ad48485a3953bb6124";
    let jaeger = format!("{trace}:2:9:3");
    let parent = format!("00-{trace}-0000000000000002-03");
    let received = [
        ("uber-trace-id", &*jaeger),
        ("traceparent", &parent),
        ("tracestate", "congo=t61"),
    ];
    let read = Listened::new(&[Jaeger, W3c]).read(&received);
    assert_eq!(read.flags().bits(), 3);
    assert!(read.parent_id().is_some() && read.has_random_trace_id());
    assert_eq!(read.trace_state().expect("joined").to_string(), "congo=t61");
    // In the other order W3C's flags count, and the parent is not known.
    let read = Listened::new(&[W3c, Jaeger]).read(&received);
    assert_eq!((read.flags().bits(), read.parent_id()), (1, None));
    assert!(read.has_random_trace_id() && read.trace_state().is_some());
    // Another span of the trace is a conflict, but it is one trace.
    let other = format!("00-{trace}-0000000000000003-03");
    let received = [received[0], ("traceparent", &other), received[2]];
    let read = Listened::new(&[Jaeger, W3c]).read(&received);
    assert!(read.has_random_trace_id() && read.trace_state().is_some());
    assert!(read.conflict().is_some());
    // Nothing is taken from another trace.
    let other = format!("00-{}-0000000000000002-03", trace.replace('4', "5"));
    let received = [received[0], ("traceparent", &other), received[2]];
    let read = Listened::new(&[Jaeger, W3c]).read(&received);
    assert!(!read.has_random_trace_id() && read.trace_state().is_none());
}

#[test]
fn a_conflict_is_told_whatever_is_believed_of_the_ids() {
    let received = headers(&[Jaeger, W3c]);
    for (trust, is_told) in [
        (Trust::full(), true),
        (Trust::ids_only(), true),
        (Trust::restart(), false),
    ] {
        let listened = Listened::new(&[Jaeger, W3c]);
        let caller = listened.extract(&received).expect("well-formed");
        let builder = listened.tracer.build_span("s");
        builder.caller(&caller, trust).start().finish();
        let span = &listened.spans.spans()[0];
        let tag = span.tags.iter().find(|tag| tag.key == TAG);
        assert_eq!(tag.is_some(), is_told, "{trust:?}");
    }
}
