//! Jaeger's gRPC.

use super::{
    Change, Difference,
    thrift::{
        NO_BYTES, V1_MINUS_ZERO, V2_DUPLICATES, V2_EVENTS, V2_FLAGS, V2_KIND, V2_ORDER, V2_RENAMED,
        V2_STATUS,
    },
};
use crate::{Reference, ReferenceKind, SentSpan, StoredSpan, rules};

/// To v1's collector.
pub(super) const V1: &[Difference] = &[
    NO_BYTES,
    Difference {
        name: "parent first",
        reason: "the model has no parent id: the parent is the first reference",
        change: Change::Expect(parent_first),
    },
    V1_MINUS_ZERO,
    Difference {
        name: "format tag",
        reason: "the collector appends how the span came to it",
        change: Change::Expect(|_, span| rules::v1_append_format(span, "proto")),
    },
];

/// To v2's receiver.
pub(super) const V2: &[Difference] = &[
    NO_BYTES,
    V2_FLAGS,
    Difference {
        name: "parent and links",
        reason: "the parent is shown first; the other references become links with their type",
        change: Change::Expect(rules::otlp_references),
    },
    V2_DUPLICATES,
    V2_RENAMED,
    V2_KIND,
    V2_STATUS,
    V2_EVENTS,
    V2_ORDER,
];

fn parent_first(sent: &SentSpan, span: &mut StoredSpan) {
    let is_parent =
        |it: &Reference| (it.trace_id, it.span_id) == (sent.trace_id, sent.parent_span_id);
    if sent.parent_span_id == 0 {
        return;
    }
    let references = &mut span.references;
    let parent = match references.iter().position(is_parent) {
        Some(at) => references.remove(at),
        None => Reference {
            kind: ReferenceKind::ChildOf,
            trace_id: sent.trace_id,
            span_id: sent.parent_span_id,
        },
    };
    references.insert(0, parent);
}
