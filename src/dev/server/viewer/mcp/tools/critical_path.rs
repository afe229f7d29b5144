//! `get_critical_path`: the spans that the trace waited for.

use serde::{Deserialize, Serialize};

use crate::dev::server::state::ServerState;
use crate::dev::server::viewer::mcp::allowance::Allowance;
use crate::dev::server::viewer::mcp::tools::{find, long, short};
use crate::view::tree::Tree;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Arguments {
    trace_id: String,
}

#[derive(Serialize)]
pub(super) struct CriticalPath {
    trace_id: String,
    total_duration_us: i64,
    critical_path_duration_us: i64,
    segments: Vec<Segment>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
}

#[derive(Serialize)]
struct Segment {
    span_id: String,
    service: String,
    span_name: String,
    self_time_us: i64,
    start_offset_us: i64,
    end_offset_us: i64,
}

/// Lists the stretches of the critical path by time.
pub(super) fn critical_path(state: &ServerState, asked: Arguments) -> Result<CriticalPath, String> {
    let trace = find(state, &asked.trace_id)?;
    let tree = Tree::new(&trace);
    let stretches = tree.nodes.iter().flat_map(|node| {
        let stretches = node.critical.iter();
        stretches.map(move |&(from, to)| (from, to, node))
    });
    let mut stretches: Vec<_> = stretches.collect();
    stretches.sort_by_key(|&(from, to, _)| (from, to));
    let mut allowance = Allowance::new();
    let mut segments = Vec::new();
    for &(from, to, node) in &stretches {
        if !allowance.take(SEGMENT) {
            break;
        }
        segments.push(Segment {
            span_id: short(node.span.span_id()),
            service: allowance.text(node.span.service_name()),
            span_name: allowance.text(node.span.operation_name()),
            self_time_us: to.saturating_sub(from),
            start_offset_us: from.saturating_sub(tree.start),
            end_offset_us: to.saturating_sub(tree.start),
        });
    }
    let lengths = stretches
        .iter()
        .map(|(from, to, _)| to.saturating_sub(*from));
    Ok(CriticalPath {
        trace_id: long(trace.trace_id),
        total_duration_us: tree.end.saturating_sub(tree.start),
        critical_path_duration_us: lengths.fold(0, i64::saturating_add),
        segments,
        error: allowance.note(),
    })
}

/// The bytes of a segment beside its texts, about.
const SEGMENT: usize = 150;
