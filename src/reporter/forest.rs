//! The trees that spans form.

use std::collections::{HashMap, HashSet};

use crate::reporter::OwnedSpan;

/// A span and its place in the trees.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Planted<'a> {
    pub(crate) span: &'a OwnedSpan,
    /// The number of spans above it: 0 for a root.
    pub(crate) depth: usize,
}

/// Orders spans as trees, each span right before the spans below it.
///
/// Spans that have one parent come in the order of their start, and so do traces. A span whose parent is not there is
/// a root. If parents form a circle, its earliest span is a root.
pub(crate) fn forest(spans: &[OwnedSpan]) -> Vec<Planted<'_>> {
    let mut spans: Vec<_> = spans.iter().collect();
    // Of spans that start within a microsecond, those that finish first come first.
    spans.sort_by_key(|span| span.start);
    let key = |span: &OwnedSpan| (span.trace_id, span.span_id);
    let known: HashSet<_> = spans.iter().map(|span| key(span)).collect();
    let mut children = HashMap::<_, Vec<&OwnedSpan>>::new();
    let mut traces = Vec::<Vec<&OwnedSpan>>::new();
    for span in &spans {
        let parent = span.parent_id.map(|parent_id| (span.trace_id, parent_id));
        match parent.filter(|parent| known.contains(parent) && *parent != key(span)) {
            Some(parent) => children.entry(parent).or_default().push(span),
            None => match traces
                .iter_mut()
                .find(|roots| roots[0].trace_id == span.trace_id)
            {
                Some(roots) => roots.push(span),
                None => traces.push(vec![span]),
            },
        }
    }
    let mut planted = Vec::with_capacity(spans.len());
    let mut shown = HashSet::new();
    let mut next: Vec<_> = traces.into_iter().flatten().map(|root| (root, 0)).collect();
    next.reverse();
    loop {
        if next.is_empty() {
            // What is left has parents in a circle. The earliest such span stands where its trace would begin.
            let left = children.values().flatten();
            let left =
                left.filter(|span| !shown.contains(&std::ptr::from_ref::<OwnedSpan>(**span)));
            let left = left.min_by_key(|span| span.start);
            next.extend(left.map(|span| (*span, 0)));
        }
        let Some((span, depth)) = next.pop() else {
            break;
        };
        if !shown.insert(std::ptr::from_ref(span)) {
            continue;
        }
        planted.push(Planted { span, depth });
        // Taken out, so that spans with one id do not repeat what is below them.
        let below = children.remove(&key(span)).unwrap_or_default();
        next.extend(below.into_iter().rev().map(|child| (child, depth + 1)));
    }
    planted
}
