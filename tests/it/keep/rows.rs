//! A span keeps as much while its trace is undecided as a sampled one does.

use std::time::SystemTime;

use tracehound::model::{ReferenceType, field};
use tracehound::prelude::*;

use super::{dropped_by_caller, keep, tracer};
use crate::support::{log_texts, recording_tracer, texts};

/// Does everything to a child of `parent` that may be done to a span before the decision.
fn fill(tracer: &tracehound::JaegerTracer, parent: &Span) -> Span {
    let other = dropped_by_caller();
    let span = tracer
        .build_span("HTTP GET")
        .child_of(parent)
        .follows_from(&other)
        .tag("start", 1)
        .tag("span.kind", "server")
        .start();
    span.set_tag("number", 2.5)
        .set_tag("text", "late")
        .set_tag("text", "later")
        .set_tag_with("lazy", || "made");
    assert!(span.is_recording());
    span.log([field("event", "retry"), field("attempt", 2)]);
    span.log_at(SystemTime::UNIX_EPOCH, [("event", "first")]);
    span.log_event("done");
    span.set_baggage_item("user", "42");
    span.set_operation_name("GET /cart");
    span.log_error(&"x".parse::<u8>().expect_err("no number"));
    span
}

#[test]
fn a_late_decision_finds_tags_logs_references_and_baggage_of_ended_and_open_spans() {
    let (decided, expected) = recording_tracer();
    let (undecided, found) = tracer(keep().rule("all", |_| true).failures(false));
    for tracer in [&decided, &undecided] {
        let root = tracer.start_span("root");
        fill(tracer, &root).finish();
        let open = fill(tracer, &root);
        root.finish();
        open.finish();
    }
    let (expected, found) = (expected.spans(), found.spans());
    assert_eq!((expected.len(), found.len()), (3, 3));
    for (expected, found) in expected.iter().zip(&found) {
        assert_eq!(expected.operation_name, found.operation_name);
        assert_eq!(texts(&expected.tags), texts(&found.tags));
        let logs = |span: &tracehound::reporter::OwnedSpan| {
            span.logs.iter().map(log_texts).collect::<Vec<_>>()
        };
        assert_eq!(logs(expected), logs(found));
        assert_eq!(expected.references.len(), found.references.len());
        assert_eq!(expected.flags, found.flags);
    }
    let child = &found[0];
    assert_eq!(texts(&child.tags).len(), 6, "{:?}", child.tags);
    assert_eq!(child.logs.len(), 5, "three, one of baggage, and the error");
    let baggage = ["event=baggage", "key=user", "value=42"];
    assert!(child.logs.iter().any(|log| log_texts(log) == baggage));
    let kinds: Vec<_> = child.references.iter().map(|it| it.kind).collect();
    assert_eq!(kinds, [ReferenceType::ChildOf, ReferenceType::FollowsFrom]);
}

#[test]
fn log_error_is_a_failure() {
    let (tracer, spans) = tracer(keep());
    let root = tracer.start_span("root");
    root.log_error(&"x".parse::<u8>().expect_err("no number"));
    assert!(root.context().is_sampled());
    root.finish();
    assert_eq!(spans.spans()[0].logs.len(), 1);
}
