//! Expected shapes of traces.

use std::panic::catch_unwind;

use tracehound::model::{ReferenceType, ReportedReference, SpanId, Tag, TraceId};
use tracehound::prelude::*;
use tracehound::reporter::OwnedSpan;
use tracehound::testkit::{SpanShape, TestTracer, TraceShape, assert_trace, span};

/// Returns the spans of a tree, where each line is a name with the number of its parent's line.
fn trace(rows: &[(&'static str, usize)]) -> Vec<OwnedSpan> {
    let id = |n: usize| SpanId::new(n as u64 + 1);
    let spans = rows.iter().enumerate().map(|(n, (name, parent))| {
        let trace_id = TraceId::new(0, 1).expect("not zero");
        let mut span = OwnedSpan::new(trace_id, id(n).expect("not zero"), *name);
        span.start = tracehound::model::Timestamp::from_micros(n as i64);
        span.parent_id = id(*parent).filter(|_| n > 0);
        span
    });
    spans.collect()
}

fn differences(shape: impl Into<TraceShape>, spans: &[OwnedSpan]) -> Vec<String> {
    match shape.into().compare(spans) {
        Ok(()) => Vec::new(),
        Err(difference) => difference.lines().to_vec(),
    }
}

fn shop() -> Vec<OwnedSpan> {
    trace(&[("checkout", 0), ("list", 0), ("pay", 0), ("card", 2)])
}

#[test]
fn children_fit_in_any_order_unless_an_order_is_asked_for() {
    let pay = || span("pay").child("card");
    let unordered = span("checkout").child(pay()).child("list");
    assert_trace(&shop(), unordered.clone());
    assert_trace(&shop(), "checkout\n  pay\n    card\n  list");
    assert_trace(
        &shop(),
        span("checkout").child("list").child(pay()).in_order(),
    );
    assert_eq!(
        differences(unordered.in_order(), &shop()),
        ["checkout: the spans below have started in another order"]
    );
}

#[test]
fn missing_and_unexpected_spans_are_named_with_their_paths() {
    assert_eq!(
        differences(
            "checkout\n  list\n  pay\n    card\n    receipt\n  ship",
            &shop()
        ),
        [
            "checkout > pay: no span `receipt`",
            "checkout: no span `ship`"
        ]
    );
    assert_eq!(
        differences("checkout\n  pay", &shop()),
        [
            "checkout > pay: an unexpected span `card`",
            "checkout: an unexpected span `list`"
        ]
    );
    assert_eq!(differences("checkout", &[]), ["no span `checkout`"]);
    assert_eq!(differences("", &shop()), ["an unexpected span `checkout`"]);
    assert_trace(&[], "");
}

#[test]
fn other_spans_are_allowed_where_the_shape_says_so() {
    let open = span("checkout").child("list").and_others();
    assert_trace(&shop(), open.clone());
    assert_trace(&shop(), span("checkout").and_others());
    // Only right below that span, in order too.
    let deeper = span("checkout").child("pay").and_others();
    assert_eq!(
        differences(deeper, &shop()),
        ["checkout > pay: an unexpected span `card`"]
    );
    let pay = span("pay").and_others();
    assert_trace(&shop(), open.child(pay).in_order());
}

#[test]
fn spans_with_one_name_are_told_apart_by_what_is_below_and_by_tags() {
    let mut spans = trace(&[("root", 0), ("call", 0), ("call", 0), ("a", 1), ("b", 2)]);
    spans[1].tags.push(Tag::new("n", 1));
    spans[2].tags.push(Tag::new("n", 2));
    let call = |child: &str| span("call").child(child);
    // The first shape fits both calls.
    let any = span("call").and_others();
    assert_trace(&spans, span("root").child(any).child(call("a")));
    assert_trace(&spans, span("root").child(call("b")).child(call("a")));
    let shape = span("root")
        .child(call("b").tag("n", 1))
        .child(call("a").tag("n", 2));
    let lines = differences(shape, &spans);
    assert!(lines[0].contains("root > call"), "{lines:?}");
    assert_eq!(lines.len(), 4, "{lines:?}");
}

#[test]
fn each_thing_that_is_asked_of_a_span_is_checked() {
    let tracer = TestTracer::new("shop");
    let root = tracer.start_span("root");
    let span_ = tracer.build_span("call").follows_from(&root).start();
    span_.set_tag("n", 1).set_tag("error", true);
    span_.log([("event", "retry")]);
    span_.finish();
    root.finish();
    let spans = tracer.spans();
    let right = || span("call").failed();
    let under_root = |shape: SpanShape| differences(span("root").child(shape), &spans);
    let all = right()
        .service("shop")
        .tag("n", 1)
        .has_tag("n")
        .has_no_tag("m")
        .event("retry")
        .follows_from();
    assert_eq!(under_root(all), [""; 0]);
    for (shape, line) in [
        (span("call"), "it has failed"),
        (
            right().service("bank"),
            "the service is `shop` instead of `bank`",
        ),
        (right().tag("n", 2), "the tag `n` is 1 instead of 2"),
        (right().tag("n", "1"), "the tag `n` is 1 instead of \"1\""),
        (right().tag("m", 2), "it has no tag `m`"),
        (right().has_tag("m"), "it has no tag `m`"),
        (right().has_no_tag("n"), "it has the tag `n`: 1"),
        (right().event("stop"), "it has no log with the event `stop`"),
    ] {
        assert_eq!(under_root(shape), [format!("root > call: {line}")]);
    }
    let mut child_of = spans.clone();
    for span in &mut child_of {
        for reference in &mut span.references {
            *reference = ReportedReference::new(
                ReferenceType::ChildOf,
                reference.trace_id,
                reference.span_id,
            );
        }
    }
    assert_eq!(
        differences(span("root").child(right().follows_from()), &child_of),
        ["root > call: it refers to its parent not as FollowsFrom"]
    );
    assert_eq!(
        differences("root !\n  call !", &spans),
        ["root: it has not failed"]
    );
}

#[test]
fn a_failing_assertion_shows_both_trees() {
    let mut spans = shop();
    spans[2].tags.push(Tag::new("cents", 42));
    spans[3].operation_name = "cash".to_owned();
    let expected = span("checkout")
        .child("list")
        .child(span("pay").tag("cents", 4_200).child("card"));
    let panic = catch_unwind(|| assert_trace(&spans, expected)).expect_err("a difference");
    let message = panic.downcast_ref::<String>().expect("a message");
    let (message, files) = message
        .split_once("\nthe traces as a page: ")
        .expect("files");
    let (html, json) = files
        .trim_end()
        .split_once("\nfor Jaeger's user interface: ")
        .expect("two files");
    assert!(html.ends_with(".html") && html.contains("target"), "{html}");
    let page = std::fs::read_to_string(html).expect("the page");
    assert!(
        page.starts_with("<!doctype html>") && page.contains("\"cash\""),
        "{page}"
    );
    let json = std::fs::read(json).expect("the JSON");
    let json: serde_json::Value = serde_json::from_slice(&json).expect("JSON");
    assert_eq!(json["data"][0]["spans"][0]["operationName"], "checkout");
    assert_eq!(
        message,
        "the spans differ from the expected shape:
  checkout > pay: the tag `cents` is 42 instead of 4200
  checkout > pay: no span `card`
  checkout > pay: an unexpected span `cash`

expected:
    checkout
      list
  ~   pay [cents=4200]
  -     card

found:
    checkout
      list
  ~   pay
  +     cash
"
    );
}

#[test]
fn several_roots_are_several_shapes() {
    let tracer = TestTracer::new("shop");
    tracer.start_span("checkout").finish();
    tracer.start_span("refund").finish();
    tracer.assert_trace([span("refund"), span("checkout")]);
    tracer.assert_trace("checkout\nrefund");
    assert_eq!(
        differences("checkout", &tracer.spans()),
        ["an unexpected span `refund`"]
    );
}

#[test]
fn a_trace_of_many_equal_spans_is_compared_quickly() {
    let mut rows = vec![("root", 0)];
    rows.extend((0..300).map(|_| ("call", 0)));
    let spans = trace(&rows);
    assert_trace(&spans, span("root").children(vec!["call"; 300]));
    let lines = differences(span("root").children(vec!["call"; 299]), &spans);
    assert_eq!(lines, ["root: an unexpected span `call`"]);
}

#[test]
fn a_tracer_beside_another_one_shares_its_spans() {
    let shop = TestTracer::new("shop");
    let bank = shop.beside("bank");
    let checkout = shop.start_span("checkout");
    bank.build_span("pay").child_of(&checkout).start().finish();
    checkout.finish();
    shop.assert_trace(
        span("checkout")
            .service("shop")
            .child(span("pay").service("bank")),
    );
    assert_eq!(
        differences("checkout", &shop.spans()),
        ["checkout: an unexpected span `pay`"]
    );
    assert_eq!(bank.take().len(), 2);
    assert!(shop.spans().is_empty());
}
