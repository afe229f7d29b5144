//! `get_trace_topology`: the tree of a trace as a list, without tags and logs.

use serde::{Deserialize, Serialize};

use crate::dev::server::state::ServerState;
use crate::dev::server::viewer::mcp::allowance::Allowance;
use crate::dev::server::viewer::mcp::tools::span_details::status_code;
use crate::dev::server::viewer::mcp::tools::times::rfc3339;
use crate::dev::server::viewer::mcp::tools::{find, long, short};
use crate::view::tree::{Link, Node, Tree, TreeSpan};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Arguments {
    trace_id: String,
    depth: Option<i64>,
}

#[derive(Serialize)]
pub(super) struct Topology {
    trace_id: String,
    spans: Vec<TopologySpan>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
}

#[derive(Serialize)]
struct TopologySpan {
    path: String,
    service: String,
    span_name: String,
    start_time: String,
    duration_us: i64,
    status: &'static str,
    #[serde(skip_serializing_if = "is_zero")]
    truncated_children: usize,
}

/// Lists the spans down to a depth, parents before children and siblings by their starts.
pub(super) fn topology(state: &ServerState, asked: Arguments) -> Result<Topology, String> {
    let trace = find(state, &asked.trace_id)?;
    let tree = Tree::new(&trace);
    let depth = asked
        .depth
        .and_then(|depth| usize::try_from(depth).ok())
        .filter(|&depth| depth > 0);
    let mut children = vec![0; tree.nodes.len()];
    for parent in tree.nodes.iter().filter_map(|node| node.parent) {
        children[parent] += 1;
    }
    let mut allowance = Allowance::new();
    let mut spans = Vec::new();
    for (index, node) in tree.nodes.iter().enumerate() {
        if depth.is_some_and(|depth| node.depth >= depth) {
            continue;
        }
        // The longest path has all spans of the trace, so it is made when there is room for it.
        if !allowance.take(SPAN + (node.depth + 2) * ID) {
            break;
        }
        let is_last = depth == Some(node.depth + 1);
        spans.push(TopologySpan {
            path: path(&tree, node),
            service: allowance.text(node.span.service_name()),
            span_name: allowance.text(node.span.operation_name()),
            start_time: rfc3339(node.start),
            duration_us: node.end.saturating_sub(node.start),
            status: status_code(node.span),
            truncated_children: if is_last { children[index] } else { 0 },
        });
    }
    let error = allowance.note();
    Ok(Topology {
        trace_id: long(trace.trace_id),
        spans,
        error,
    })
}

/// Returns the ids from the root to a span: `rootID/parentID/spanID`. A parent that is missing comes first.
fn path(tree: &Tree<'_>, node: &Node<'_>) -> String {
    let mut ids = vec![short(node.span.span_id())];
    let mut top = node;
    while let Some(parent) = top.parent.and_then(|parent| tree.nodes.get(parent)) {
        top = parent;
        ids.push(short(top.span.span_id()));
    }
    if let (Link::Orphan, TreeSpan::Received(span)) = (top.link, top.span)
        && let Some((missing, _)) = span.parent()
    {
        ids.push(short(missing));
    }
    ids.reverse();
    ids.join("/")
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it so")]
fn is_zero(count: &usize) -> bool {
    *count == 0
}

/// The bytes of a span beside its texts and path, about, and those of an id.
const SPAN: usize = 170;
const ID: usize = 17;
