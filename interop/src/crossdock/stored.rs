//! The spans that a run should have left in Jaeger, and those that it has left.

use std::collections::BTreeMap;

use crate::{
    StoredSpan, Trace, Value, Version,
    crossdock::{Peer, Seen},
};

/// Returns the spans that the services should have left, by trace, in the form of [`spans`]. They called each other in
/// this order.
///
/// A service stores its spans if it saw the trace as sampled.
pub(crate) fn expected(all_seen: &[Seen], peers: &[&Peer]) -> BTreeMap<u128, Vec<String>> {
    let mut traces: BTreeMap<u128, Vec<String>> = BTreeMap::new();
    // The way from the root to the span that calls the service, if that span is stored.
    let mut caller: Option<String> = None;
    for (level, (seen, peer)) in all_seen.iter().zip(peers).enumerate() {
        let service = peer.service_name();
        let own = match level {
            0 => format!("S1 of {service}"),
            _ => format!("post (server) of {service}"),
        };
        let is_new_trace = level == 0 || all_seen[level - 1].trace_id != seen.trace_id;
        let way = match caller.take() {
            _ if is_new_trace => own,
            Some(caller) => below(&caller, &own),
            None => below(NOT_STORED, &own),
        };
        if seen.is_sampled {
            let spans = traces.entry(seen.trace_id).or_default();
            spans.push(way.clone());
            if level + 1 < all_seen.len() {
                let call = below(&way, &format!("post (client) of {service}"));
                spans.push(call.clone());
                caller = Some(call);
            }
        }
    }
    for spans in traces.values_mut() {
        spans.sort();
    }
    traces
}

/// Returns what is wrong with a stored trace: its spans, and the versions that they show.
pub(crate) fn wrong(
    trace: &Trace,
    expected: &[String],
    peers: &[&Peer],
    version: Version,
) -> Vec<String> {
    let mut problems = wrong_versions(trace, peers, version);
    let found = spans(trace);
    if found != expected {
        problems.push(format!("stored {found:#?}, expected {expected:#?}"));
    }
    problems
}

/// Returns the spans of the trace, sorted, each as its way from the root: `S1 of a > post (client) of a`.
fn spans(trace: &Trace) -> Vec<String> {
    let mut spans: Vec<String> = trace.spans.iter().map(|span| way(trace, span)).collect();
    spans.sort();
    spans
}

/// Returns what is wrong with the versions that the spans show.
fn wrong_versions(trace: &Trace, peers: &[&Peer], version: Version) -> Vec<String> {
    let mut problems = Vec::new();
    for span in &trace.spans {
        let mut peers = peers.iter();
        let Some(peer) = peers.find(|peer| peer.service_name() == span.service) else {
            problems.push(format!("a span of {:?}, which took no part", span.service));
            continue;
        };
        let (key, value) = match (version, peer.version) {
            // This one stores the tag in OpenTelemetry's model.
            (Version::V2, ("jaeger.version", value)) => {
                ("opencensus.exporterversion", format!("Jaeger-{value}"))
            }
            (_, (key, value)) => (key, value.to_owned()),
        };
        let has_it = span
            .process_tags
            .iter()
            .any(|tag| tag.key == key && tag.value == Value::String(value.clone()));
        if !has_it {
            let tags = &span.process_tags;
            problems.push(format!(
                "{}: expected {key}={value:?}, found {tags:?}",
                span.service
            ));
        }
    }
    problems
}

fn way(trace: &Trace, span: &StoredSpan) -> String {
    let mut way = label(span);
    let mut below_it = span;
    // More steps than spans would be a circle.
    for _ in 0..trace.spans.len() {
        let Some(parent_id) = parent(below_it) else {
            return way;
        };
        let mut spans = trace.spans.iter();
        match spans.find(|candidate| candidate.span_id == parent_id) {
            Some(parent) => {
                way = below(&label(parent), &way);
                below_it = parent;
            }
            None => return below(NOT_STORED, &way),
        }
    }
    below("a circle", &way)
}

fn parent(span: &StoredSpan) -> Option<u64> {
    let mut references = span.references.iter();
    Some(
        references
            .find(|reference| reference.trace_id == span.trace_id)?
            .span_id,
    )
}

fn label(span: &StoredSpan) -> String {
    let kind = span.tags.iter().find_map(|tag| match &tag.value {
        // What OpenTelemetry says of a span that is neither side of a call.
        Value::String(kind) if tag.key == "span.kind" && kind != "internal" => Some(kind),
        _ => None,
    });
    let kind = kind.map(|kind| format!(" ({kind})")).unwrap_or_default();
    format!("{}{kind} of {}", span.operation, span.service)
}

fn below(parent: &str, child: &str) -> String {
    format!("{parent} > {child}")
}

/// Stands for a parent that the trace does not contain.
const NOT_STORED: &str = "?";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Reference, ReferenceKind, Tag};

    fn seen(trace_id: u128, is_sampled: bool) -> Seen {
        Seen {
            trace_id,
            is_sampled,
            baggage: String::new(),
        }
    }

    fn expected_of(seen: [Seen; 3]) -> Vec<(u128, Vec<String>)> {
        expected(&seen, &[&Peer::own(""); 3]).into_iter().collect()
    }

    fn span(span_id: u64, parent_id: u64, operation: &str, kind: Option<&str>) -> StoredSpan {
        let reference = Reference {
            kind: ReferenceKind::ChildOf,
            trace_id: 1,
            span_id: parent_id,
        };
        StoredSpan {
            trace_id: 1,
            span_id,
            references: (parent_id != 0).then_some(reference).into_iter().collect(),
            operation: operation.to_owned(),
            service: Peer::own("").service_name(),
            tags: kind
                .map(|kind| Tag::new("span.kind", kind))
                .into_iter()
                .collect(),
            ..StoredSpan::default()
        }
    }

    #[test]
    fn a_whole_run_leaves_a_chain_of_five_spans() {
        let trace = Trace {
            spans: vec![
                span(5, 4, "post", Some("server")),
                span(1, 0, "S1", None),
                span(2, 1, "post", Some("client")),
                span(3, 2, "post", Some("server")),
                span(4, 3, "post", Some("client")),
            ],
            warnings: Vec::new(),
        };
        let expected = expected_of([seen(1, true), seen(1, true), seen(1, true)]);
        assert_eq!(expected, [(1, spans(&trace))]);
    }

    #[test]
    fn a_span_in_the_wrong_place_is_seen() {
        let of_client = [span(1, 0, "S1", None), span(2, 1, "post", Some("client"))];
        for wrong in [
            span(2, 0, "post", Some("client")),
            span(2, 7, "post", Some("client")),
            span(2, 2, "post", Some("client")),
            span(2, 1, "post", Some("server")),
            span(2, 1, "get", Some("client")),
        ] {
            let right = of_client.to_vec();
            let wrong = vec![right[0].clone(), wrong];
            let [right, wrong] = [right, wrong].map(|stored| {
                spans(&Trace {
                    spans: stored,
                    warnings: Vec::new(),
                })
            });
            assert_ne!(right, wrong);
        }
    }

    #[test]
    fn a_service_that_does_not_sample_leaves_a_gap() {
        let expected = expected_of([seen(1, true), seen(1, false), seen(1, true)]);
        let name = Peer::own("").service_name();
        let spans = [
            format!("? > post (server) of {name}"),
            format!("S1 of {name}"),
            format!("S1 of {name} > post (client) of {name}"),
        ];
        assert_eq!(expected, [(1, spans.to_vec())]);
    }

    #[test]
    fn a_lost_trace_id_begins_another_trace() {
        let expected = expected_of([seen(1, false), seen(2, true), seen(2, true)]);
        let name = Peer::own("").service_name();
        let (server, client) = (
            format!("post (server) of {name}"),
            format!("post (client) of {name}"),
        );
        let call = format!("{server} > {client}");
        let spans = vec![server.clone(), call.clone(), format!("{call} > {server}")];
        assert_eq!(expected, [(2, spans)]);
    }
}
