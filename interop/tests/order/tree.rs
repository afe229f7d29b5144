//! A trace as text, and whether its times fit.

use std::{collections::HashMap, fmt::Write};

use tracehound_interop::{Reference, ReferenceKind, StoredSpan, Value};

/// Draws a trace: a line for each span, below its parent and in the order of their starts.
///
/// A line has the service, the operation, the kind, `>` in front if the span only follows from its parent, and `!` at
/// the end if it failed. A span whose parent is missing is a root.
pub(crate) fn draw(spans: &[StoredSpan]) -> String {
    let mut below: HashMap<Option<u64>, Vec<&StoredSpan>> = HashMap::new();
    for span in spans {
        let parent = parent(span, spans).map(|parent| parent.span_id);
        below.entry(parent).or_default().push(span);
    }
    for siblings in below.values_mut() {
        siblings.sort_by_key(|span| span.start_us);
    }
    let mut text = String::new();
    draw_below(None, "", &below, &mut text);
    text
}

fn draw_below(
    parent: Option<u64>,
    indent: &str,
    below: &HashMap<Option<u64>, Vec<&StoredSpan>>,
    text: &mut String,
) {
    for span in below.get(&parent).into_iter().flatten() {
        let follows = matches!(&span.references[..], [Reference { kind, .. }] if *kind == ReferenceKind::FollowsFrom);
        let mark = if follows { "> " } else { "" };
        let _ = write!(text, "{indent}{mark}{} {}", span.service, span.operation);
        if let Some(Value::String(kind)) = tag(span, "span.kind") {
            let _ = write!(text, " {kind}");
        }
        if tag(span, "error") == Some(&Value::Bool(true)) {
            text.push_str(" !");
        }
        text.push('\n');
        draw_below(Some(span.span_id), &format!("{indent}  "), below, text);
    }
}

/// Returns a line for each span whose times do not fit those of its parent.
///
/// A span begins while its parent is open, or, if it only follows, after the parent's start. It ends before its parent
/// does, unless the two belong to different services: a server may end after its caller has read the answer. Times are
/// compared to the millisecond, because each tracer has a clock of its own on the common host.
pub(crate) fn out_of_time(spans: &[StoredSpan]) -> Vec<String> {
    let end = |span: &StoredSpan| span.start_us + span.duration_us;
    let mut lines = Vec::new();
    for span in spans {
        let Some(parent) = parent(span, spans) else {
            continue;
        };
        let is_early = span.start_us + SLACK_US < parent.start_us;
        let last = match span.service == parent.service {
            true => end(span),
            false => span.start_us,
        };
        let is_awaited = span.references[0].kind == ReferenceKind::ChildOf;
        let is_late = is_awaited && last > end(parent) + SLACK_US;
        if is_early || is_late {
            lines.push(format!("{span:?} does not lie within {parent:?}"));
        }
    }
    lines
}

const SLACK_US: i64 = 1_000;

fn parent<'s>(span: &StoredSpan, spans: &'s [StoredSpan]) -> Option<&'s StoredSpan> {
    let reference = span.references.first()?;
    let mut all = spans.iter();
    all.find(|other| other.span_id == reference.span_id && other.trace_id == reference.trace_id)
}

fn tag<'s>(span: &'s StoredSpan, key: &str) -> Option<&'s Value> {
    let mut tags = span.tags.iter();
    tags.find(|tag| tag.key == key).map(|tag| &tag.value)
}
