//! Ids that two spans share: in Zipkin's model a client and its server have one.

use std::collections::{HashMap, HashSet};
use std::mem;
use std::sync::Arc;

use crate::model::{ReferenceType, ReportedReference, SpanId, tags};
use crate::reporter::OwnedSpan;
use crate::view::{ReceivedSpan, Trace};

impl Trace {
    /// Returns the trace with an id of its own for each server span that has the id of a client's span, as Jaeger's
    /// query service answers: its user interface takes ids for unique.
    ///
    /// Such a server span becomes a child of its client, and takes along the children of the shared id, but not those
    /// of the client's service. The new ids are the lowest ones that the trace does not have.
    pub(crate) fn with_own_ids(mut self) -> Self {
        let ids: HashSet<SpanId> = self.spans.iter().map(|span| span.span.span_id).collect();
        if ids.len() == self.spans.len() {
            return self;
        }
        let mut clients: HashMap<SpanId, Arc<ReceivedSpan>> = HashMap::new();
        for span in self.spans.iter().filter(|span| has_kind(span, CLIENT)) {
            clients
                .entry(span.span.span_id)
                .or_insert_with(|| span.clone());
        }
        let mut unused = (1..).filter_map(SpanId::new).filter(|id| !ids.contains(id));
        // The first server of each id that is shared, and the id that it gets.
        let mut servers: HashMap<SpanId, (Arc<ReceivedSpan>, SpanId)> = HashMap::new();
        let mut renamed = vec![None; self.spans.len()];
        for (span, renamed) in self.spans.iter().zip(&mut renamed) {
            let shared = span.span.span_id;
            if has_kind(span, SERVER) && clients.contains_key(&shared) {
                *renamed = unused.next();
                let own = renamed.unwrap_or(shared);
                servers.entry(shared).or_insert_with(|| (span.clone(), own));
            }
        }
        for (span, renamed) in self.spans.iter_mut().zip(renamed) {
            if let Some(own) = renamed {
                let span = &mut Arc::make_mut(span).span;
                let client = mem::replace(&mut span.span_id, own);
                set_parent(span, client);
            } else if let Some((parent, _)) = span.parent()
                && let (Some(client), Some((server, own))) =
                    (clients.get(&parent), servers.get(&parent))
            {
                let is_of = |other: &ReceivedSpan| span.service_name() == other.service_name();
                if is_of(server) || !is_of(client) {
                    set_parent(&mut Arc::make_mut(span).span, *own);
                }
            }
        }
        self
    }
}

fn has_kind(span: &ReceivedSpan, kind: &str) -> bool {
    span.span.tag_text(tags::SPAN_KIND) == kind
}

/// Changes the reference that tells the parent, or adds one.
fn set_parent(span: &mut OwnedSpan, parent: SpanId) {
    let trace_id = span.trace_id;
    let first = |kind| {
        let mut references = span.references.iter();
        references.position(|it| it.kind == kind && it.trace_id == trace_id)
    };
    let told = first(ReferenceType::ChildOf).or_else(|| first(ReferenceType::FollowsFrom));
    match told.and_then(|place| span.references.get_mut(place)) {
        Some(reference) => reference.span_id = parent,
        None => {
            let reference = ReportedReference::new(ReferenceType::ChildOf, trace_id, parent);
            span.references.insert(0, reference);
        }
    }
    span.parent_id = span.parent_id.map(|_| parent);
}

const CLIENT: &str = tags::SPAN_KIND_CLIENT;
const SERVER: &str = tags::SPAN_KIND_SERVER;

#[cfg(test)]
mod tests {
    use crate::view::fixtures::{SpanFixture, span, trace};

    /// Returns the name, the id and the parent of each span, with 0 for none.
    fn shape(spans: impl IntoIterator<Item = SpanFixture>) -> Vec<(String, u64, u64)> {
        let own = trace(spans).with_own_ids().spans;
        own.iter()
            .map(|span| {
                let parent = span.parent().map_or(0, |(parent, _)| parent.get());
                (
                    span.span.operation_name.clone(),
                    span.span.span_id.get(),
                    parent,
                )
            })
            .collect()
    }

    fn expected(spans: &[(&str, u64, u64)]) -> Vec<(String, u64, u64)> {
        let owned = |&(name, id, parent): &(&str, u64, u64)| (name.to_owned(), id, parent);
        spans.iter().map(owned).collect()
    }

    #[test]
    fn a_server_gets_an_id_and_the_children_of_the_shared_one() {
        let spans = [
            span("pay", "charge", 7, 10, 90)
                .child_of(1)
                .tag("span.kind", "server"),
            span("shop", "call", 7, 0, 100)
                .child_of(1)
                .tag("span.kind", "client"),
            span("pay", "read", 3, 20, 30).child_of(7),
            span("shop", "connect", 4, 1, 2).child_of(7),
            span("bank", "book", 5, 40, 50).child_of(7),
            span("shop", "checkout", 1, 0, 100),
        ];
        let own = [
            ("charge", 2, 7),
            ("call", 7, 1),
            ("read", 3, 2),
            ("connect", 4, 7),
            ("book", 5, 2),
            ("checkout", 1, 0),
        ];
        assert_eq!(shape(spans), expected(&own));
    }

    #[test]
    fn a_root_and_followers_get_their_parents_too() {
        let spans = [
            span("shop", "call", 1, 0, 100).tag("span.kind", "client"),
            span("pay", "charge", 1, 10, 90).tag("span.kind", "server"),
            span("pay", "again", 1, 95, 99).tag("span.kind", "server"),
            span("pay", "mail", 2, 100, 110).follows(1),
        ];
        let own = [
            ("call", 1, 0),
            ("charge", 3, 1),
            ("again", 4, 1),
            ("mail", 2, 3),
        ];
        assert_eq!(shape(spans), expected(&own));
    }

    #[test]
    fn spans_that_are_no_client_and_server_keep_the_id_they_share() {
        let same = |kind: &'static str| {
            let one = || span("shop", "call", 1, 0, 9).tag("span.kind", kind);
            shape([one(), one()])
        };
        for kind in ["client", "server", "producer"] {
            assert_eq!(same(kind), expected(&[("call", 1, 0), ("call", 1, 0)]));
        }
    }
}
