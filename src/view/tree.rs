//! The shape of a trace: the parent of each span, the order of the rows, and the critical path.

use std::cmp::Reverse;
use std::collections::HashMap;

use crate::model::{ReferenceType, SpanId, tags};
use crate::view::{OpenSpan, ReceivedSpan, Trace};

/// The spans of a trace in the order of the rows: parents before children, siblings by their starts.
#[derive(Debug)]
pub(crate) struct Tree<'a> {
    pub(crate) nodes: Vec<Node<'a>>,
    /// The earliest start.
    pub(crate) start: i64,
    /// The latest end.
    pub(crate) end: i64,
}

/// A span in its place in the tree. Times are microseconds since the epoch.
#[derive(Debug)]
pub(crate) struct Node<'a> {
    pub(crate) span: TreeSpan<'a>,
    pub(crate) link: Link,
    /// Index of the parent.
    pub(crate) parent: Option<usize>,
    /// Zero for a root.
    pub(crate) depth: usize,
    pub(crate) start: i64,
    pub(crate) end: i64,
    /// The stretches of time in which the trace waited for this span itself, the latest first.
    pub(crate) critical: Vec<(i64, i64)>,
}

/// A span of the tree: received, or still open.
#[derive(Clone, Copy, Debug)]
pub(crate) enum TreeSpan<'a> {
    Received(&'a ReceivedSpan),
    /// An open root, and the earliest start in the trace. Clocks differ a little between processes, and a root cannot
    /// start after the spans below it.
    Open(&'a OpenSpan, i64),
}

/// How a span is connected to its parent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Link {
    /// The span has no parent.
    Root,
    ChildOf,
    FollowsFrom,
    /// The parent has not been received, or is a descendant of the span.
    Orphan,
}

impl<'a> TreeSpan<'a> {
    pub(crate) fn service_name(self) -> &'a str {
        match self {
            Self::Received(span) => span.service_name(),
            Self::Open(span, _) => &span.service_name,
        }
    }

    pub(crate) fn operation_name(self) -> &'a str {
        match self {
            Self::Received(span) => &span.span.operation_name,
            Self::Open(span, _) => &span.operation_name,
        }
    }

    pub(crate) fn is_error(self) -> bool {
        matches!(self, Self::Received(span) if span.is_error())
    }

    pub(crate) fn is_open(self) -> bool {
        matches!(self, Self::Open(..))
    }

    pub(crate) fn span_id(self) -> SpanId {
        match self {
            Self::Received(span) => span.span.span_id,
            Self::Open(span, _) => span.span_id,
        }
    }

    pub(crate) fn start(self) -> i64 {
        match self {
            Self::Received(span) => span.span.start.as_micros(),
            Self::Open(span, at_the_latest) => span.start.as_micros().min(at_the_latest),
        }
    }

    /// Returns the end, or `None` while the span is open.
    pub(crate) fn end(self) -> Option<i64> {
        match self {
            Self::Received(span) => {
                let micros = i64::try_from(span.span.duration.as_micros()).unwrap_or(i64::MAX);
                Some(self.start().saturating_add(micros))
            }
            Self::Open(..) => None,
        }
    }

    fn has_kind(self, kind: &str) -> bool {
        matches!(self, Self::Received(span) if span.span.tag_text(tags::SPAN_KIND) == kind)
    }
}

impl<'a> Tree<'a> {
    pub(crate) fn new(trace: &'a Trace) -> Self {
        let spans = spans(trace);
        let start = spans.iter().map(|span| span.start()).min().unwrap_or(0);
        let end = spans
            .iter()
            .map(|span| span.end().unwrap_or_else(|| span.start()))
            .max()
            .unwrap_or(0);
        let nodes = in_order(&spans, end);
        let mut tree = Self { nodes, start, end };
        tree.find_critical_path();
        tree
    }

    /// Returns the span that the trace is named for: the first without a parent, else the first to start.
    pub(crate) fn root(&self) -> Option<&Node<'a>> {
        let root = self.nodes.iter().find(|node| node.link == Link::Root);
        root.or_else(|| self.nodes.iter().min_by_key(|node| node.start))
    }

    /// Returns how many levels the tree has.
    pub(crate) fn depth(&self) -> usize {
        self.nodes
            .iter()
            .map(|node| node.depth + 1)
            .max()
            .unwrap_or(0)
    }

    /// Finds the critical path, walking back in time from the end of the longest root.
    ///
    /// A span waited for the child that ended last. Before that child began, it waited for the child that had ended
    /// last by then, or worked itself. Spans that only follow are not waited for.
    fn find_critical_path(&mut self) {
        let roots = self.nodes.iter().enumerate();
        let Some((root, _)) = roots
            .filter(|(_, node)| node.parent.is_none())
            .max_by_key(|(index, node)| (node.end.saturating_sub(node.start), Reverse(*index)))
        else {
            return;
        };
        let within = self.clamped();
        let mut waited_for = self.children_by_end(&within);
        let (mut at, mut until) = (root, within[root].1);
        loop {
            let last = loop {
                match waited_for[at].pop() {
                    Some(child) if within[child].1 > until => {}
                    last => break last,
                }
            };
            let from = last
                .map_or(within[at].0, |child| within[child].1)
                .min(until);
            if from < until {
                self.nodes[at].critical.push((from, until));
            }
            until = from;
            at = match (last, self.nodes[at].parent) {
                (Some(child), _) => child,
                (None, Some(parent)) if at != root => parent,
                _ => return,
            };
        }
    }

    /// Returns starts and ends, cut to those of the parent: clocks differ between processes.
    fn clamped(&self) -> Vec<(i64, i64)> {
        let mut within: Vec<(i64, i64)> = Vec::with_capacity(self.nodes.len());
        for node in &self.nodes {
            within.push(match node.parent {
                Some(parent) => (
                    node.start.max(within[parent].0),
                    node.end.min(within[parent].1),
                ),
                None => (node.start, node.end),
            });
        }
        within
    }

    /// Returns for each node the children that it may have waited for, ordered by their ends.
    fn children_by_end(&self, within: &[(i64, i64)]) -> Vec<Vec<usize>> {
        let mut children = vec![Vec::new(); self.nodes.len()];
        for (index, node) in self.nodes.iter().enumerate() {
            let (start, end) = within[index];
            if let (Some(parent), Link::ChildOf) = (node.parent, node.link)
                && start <= end
            {
                children[parent].push(index);
            }
        }
        for children in &mut children {
            children.sort_by_key(|&child| within[child].1);
        }
        children
    }
}

/// Returns the spans of a trace, the open ones last.
pub(crate) fn spans(trace: &Trace) -> Vec<TreeSpan<'_>> {
    let mut spans: Vec<TreeSpan<'_>> = trace.spans.iter().map(|s| TreeSpan::Received(s)).collect();
    let first = spans.iter().map(|span| span.start()).min();
    let open = trace.open.iter();
    spans.extend(open.map(|span| TreeSpan::Open(span, first.unwrap_or(i64::MAX))));
    spans
}

/// Finds the parent of each span.
fn parents(spans: &[TreeSpan<'_>]) -> Vec<(Option<usize>, Link)> {
    // In Zipkin's model a client and its server share an id, so the parent is first looked for in the same service.
    let mut by_id: HashMap<SpanId, usize> = HashMap::new();
    let mut by_service: HashMap<(SpanId, &str), usize> = HashMap::new();
    for (index, span) in spans.iter().enumerate() {
        by_id.entry(span.span_id()).or_insert(index);
        let key = (span.span_id(), span.service_name());
        by_service.entry(key).or_insert(index);
    }
    // The server ends first, so its span often comes first.
    let mut clients: HashMap<SpanId, usize> = HashMap::new();
    if by_id.len() < spans.len() {
        for (index, span) in spans.iter().enumerate() {
            if span.has_kind(tags::SPAN_KIND_CLIENT) {
                clients.entry(span.span_id()).or_insert(index);
            }
        }
    }
    let parent = |index: usize| {
        let span = spans[index];
        if let Some(&twin) = clients.get(&span.span_id())
            && span.has_kind(tags::SPAN_KIND_SERVER)
        {
            return (Some(twin), Link::ChildOf);
        }
        let TreeSpan::Received(received) = span else {
            return (None, Link::Root);
        };
        let Some((id, kind)) = received.parent() else {
            return (None, Link::Root);
        };
        let found = by_service
            .get(&(id, span.service_name()))
            .or_else(|| by_id.get(&id));
        match found {
            Some(&parent) if parent != index => match kind {
                ReferenceType::ChildOf => (Some(parent), Link::ChildOf),
                ReferenceType::FollowsFrom => (Some(parent), Link::FollowsFrom),
            },
            _ => (None, Link::Orphan),
        }
    };
    (0..spans.len()).map(parent).collect()
}

/// Returns the spans in the order of the rows. Does not recurse: a trace may be as deep as it has spans.
fn in_order<'a>(spans: &[TreeSpan<'a>], end: i64) -> Vec<Node<'a>> {
    let parents = parents(spans);
    let mut by_start: Vec<usize> = (0..spans.len()).collect();
    by_start.sort_by_key(|&index| (spans[index].start(), index));
    let mut children = vec![Vec::new(); spans.len()];
    for &index in &by_start {
        if let (Some(parent), _) = parents[index] {
            children[parent].push(index);
        }
    }
    let mut nodes: Vec<Node<'a>> = Vec::with_capacity(spans.len());
    let mut is_placed = vec![false; spans.len()];
    let mut place_with_descendants = |root: usize, link: Link| {
        let mut waiting = vec![(root, None, link)];
        while let Some((index, parent, link)) = waiting.pop() {
            if std::mem::replace(&mut is_placed[index], true) {
                continue;
            }
            let span = spans[index];
            let depth = parent.map_or(0, |parent: usize| nodes[parent].depth + 1);
            nodes.push(Node {
                span,
                link,
                parent,
                depth,
                start: span.start(),
                end: span.end().unwrap_or_else(|| end.max(span.start())),
                critical: Vec::new(),
            });
            let here = Some(nodes.len() - 1);
            let below = children[index].iter().rev();
            waiting.extend(below.map(|&child| (child, here, parents[child].1)));
        }
    };
    for &index in &by_start {
        if let (None, link) = parents[index] {
            place_with_descendants(index, link);
        }
    }
    // The remaining spans form circles. Each is cut open at its earliest span.
    for &index in &by_start {
        place_with_descendants(index, Link::Orphan);
    }
    nodes
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::view::fixtures::{START, SpanFixture, span, trace};

    /// Returns the name and the stretches of each span on the critical path, in time since the start of the trace.
    fn critical(spans: impl IntoIterator<Item = SpanFixture>) -> Vec<(String, Vec<(i64, i64)>)> {
        let trace = trace(spans);
        let tree = Tree::new(&trace);
        let nodes = tree.nodes.iter().filter(|node| !node.critical.is_empty());
        nodes
            .map(|node| {
                let since = |&(from, to): &(i64, i64)| (from - START, to - START);
                let stretches = node.critical.iter().rev().map(since).collect();
                (node.span.operation_name().to_owned(), stretches)
            })
            .collect()
    }

    fn expected(stretches: &[(&str, &[(i64, i64)])]) -> Vec<(String, Vec<(i64, i64)>)> {
        stretches
            .iter()
            .map(|(name, at)| ((*name).to_owned(), at.to_vec()))
            .collect()
    }

    #[test]
    fn the_child_that_ended_last_was_waited_for() {
        let spans = [
            span("a", "root", 1, 0, 100),
            span("a", "first", 2, 10, 40).child_of(1),
            span("a", "beside", 3, 5, 35).child_of(1),
            span("a", "second", 4, 50, 90).child_of(1),
            span("a", "inner", 5, 60, 80).child_of(4),
        ];
        let root: &[_] = &[(0, 10), (40, 50), (90, 100)];
        assert_eq!(
            critical(spans),
            expected(&[
                ("root", root),
                ("first", &[(10, 40)]),
                ("second", &[(50, 60), (80, 90)]),
                ("inner", &[(60, 80)]),
            ])
        );
    }

    #[test]
    fn a_server_with_the_id_of_its_client_is_below_it_whichever_comes_first() {
        let client = || span("shop", "call", 1, 0, 100).tag("span.kind", "client");
        let server = || span("pay", "charge", 1, 10, 90).tag("span.kind", "server");
        let inner = || span("pay", "read", 2, 20, 30).child_of(1);
        for spans in [[client(), server(), inner()], [inner(), server(), client()]] {
            let trace = trace(spans);
            let tree = Tree::new(&trace);
            let shape = tree.nodes.iter();
            let shape: Vec<_> = shape
                .map(|node| (node.span.operation_name(), node.parent))
                .collect();
            let expected = [("call", None), ("charge", Some(0)), ("read", Some(1))];
            assert_eq!(shape, expected);
        }
    }

    #[test]
    fn a_span_that_only_follows_is_not_waited_for() {
        let spans = [
            span("a", "root", 1, 0, 100),
            span("a", "mail", 2, 10, 90).follows(1),
        ];
        assert_eq!(critical(spans), expected(&[("root", &[(0, 100)])]));
    }

    #[test]
    fn time_outside_of_the_parent_is_not_on_the_critical_path() {
        let spans = [
            span("a", "root", 1, 0, 100),
            span("b", "late", 2, 60, 130).child_of(1),
            span("b", "elsewhere", 3, 200, 300).child_of(1),
        ];
        assert_eq!(
            critical(spans),
            expected(&[("root", &[(0, 60)]), ("late", &[(60, 100)])])
        );
    }

    #[test]
    fn the_critical_path_is_that_of_the_longest_root() {
        let spans = [
            span("a", "short", 1, 0, 10),
            span("a", "long", 2, 5, 50),
            span("a", "orphan", 3, 0, 20).child_of(99),
        ];
        assert_eq!(critical(spans), expected(&[("long", &[(5, 50)])]));
    }

    #[test]
    fn spans_of_no_length_are_not_on_the_critical_path() {
        let spans = [
            span("a", "root", 1, 0, 0),
            span("a", "child", 2, 0, 0).child_of(1),
        ];
        assert_eq!(critical(spans), expected(&[]));
        assert_eq!(critical([]), expected(&[]));
    }
}
