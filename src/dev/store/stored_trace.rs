use std::collections::{BTreeSet, HashSet, VecDeque};
use std::sync::Arc;
use std::time::Instant;

use crate::model::{Process, SpanId};
use crate::reporter::OwnedSpan;
use crate::view::{ReceivedSpan, size_of_tags};

/// The spans of one trace, and whether it is at rest.
#[derive(Debug)]
pub(super) struct StoredTrace {
    pub(super) spans: Vec<Arc<ReceivedSpan>>,
    /// The id of each span, and its place.
    ids: BTreeSet<(SpanId, usize)>,
    /// The latest processes, so that spans of one client share theirs.
    processes: VecDeque<Arc<Process>>,
    pub(super) bytes: usize,
    pub(super) last_span: Instant,
    /// The change that its first span was.
    pub(super) began: u64,
    /// The change that its last span was.
    pub(super) changed: u64,
    /// The number of spans that are in a picture, or in one that waits for its turn.
    pub(super) shown: usize,
    /// Whether a parent is missing; `None` if that is not known since the last span.
    is_incomplete: Option<bool>,
}

impl StoredTrace {
    /// Returns a trace without spans, whose first one is that change.
    pub(super) fn new(now: Instant, change: u64) -> Self {
        Self {
            spans: Vec::new(),
            ids: BTreeSet::new(),
            processes: VecDeque::new(),
            bytes: 0,
            last_span: now,
            began: change,
            changed: change,
            shown: 0,
            is_incomplete: Some(false),
        }
    }

    /// Returns whether the trace has a span that is alike in all parts. Clients send a request again if they do not learn
    /// that it arrived.
    ///
    /// Compares with a few spans of that id, and large processes not at all: one body may tell of many such spans.
    pub(super) fn has(&self, span: &OwnedSpan, process: &Arc<Process>) -> bool {
        let id = span.span_id;
        let of_id = self.ids.range((id, 0)..=(id, usize::MAX)).take(MAX_OF_ID);
        let mut spans = of_id.filter_map(|&(_, place)| self.spans.get(place));
        let is_small = is_small(process);
        let is_alike =
            |known: &Arc<Process>| Arc::ptr_eq(known, process) || is_small && known == process;
        spans.any(|known| known.span == *span && is_alike(&known.process))
    }

    /// Adds a span, and returns how many bytes it takes.
    pub(super) fn push(&mut self, span: OwnedSpan, process: &Arc<Process>, now: Instant) -> usize {
        let (process, size) = self.process(process);
        let span = ReceivedSpan { span, process };
        let size = size + size_of_span(&span);
        self.ids.insert((span.span.span_id, self.spans.len()));
        self.spans.push(Arc::new(span));
        self.bytes += size;
        self.last_span = now;
        self.is_incomplete = None;
        size
    }

    /// Removes the newest span, and returns how many bytes it took.
    pub(super) fn pop(&mut self) -> Option<usize> {
        let span = self.spans.pop()?;
        self.ids.remove(&(span.span.span_id, self.spans.len()));
        let size = size_of_span(&span);
        self.bytes = self.bytes.saturating_sub(size);
        self.shown = self.shown.min(self.spans.len());
        Some(size)
    }

    /// Returns the process as this trace shares it, and how many bytes it adds to the trace.
    fn process(&mut self, process: &Arc<Process>) -> (Arc<Process>, usize) {
        let is_same = |known: &&Arc<Process>| Arc::ptr_eq(known, process);
        let same = self.processes.iter().find(is_same);
        // Each span of a batch comes here, so a process that is large is not compared with others.
        let same = same.or_else(|| {
            let is_small = is_small(process);
            let mut known = self.processes.iter().filter(|_| is_small);
            known.find(|known| *known == process)
        });
        if let Some(known) = same {
            return (known.clone(), 0);
        }
        if self.processes.len() == MAX_PROCESSES {
            self.processes.pop_front();
        }
        self.processes.push_back(process.clone());
        let size = size_of::<Process>() + process.service_name.len() + size_of_tags(&process.tags);
        (process.clone(), size)
    }

    pub(super) fn is_incomplete(&mut self) -> bool {
        let spans = &self.spans;
        *self.is_incomplete.get_or_insert_with(|| {
            let ids: HashSet<SpanId> = spans.iter().map(|span| span.span.span_id).collect();
            let parents = spans.iter().filter_map(|span| span.parent());
            parents
                .into_iter()
                .any(|(parent, _)| !ids.contains(&parent))
        })
    }
}

/// Returns whether a process may be compared with others.
fn is_small(process: &Process) -> bool {
    process.tags.len() <= MAX_COMPARED_TAGS
        && process.service_name.len() + size_of_tags(&process.tags) <= MAX_COMPARED_BYTES
}

/// Returns about how many bytes a span and its place take.
fn size_of_span(span: &ReceivedSpan) -> usize {
    span.size() + size_of::<(SpanId, usize)>()
}

/// The number of processes that a trace looks through for one that it can share.
const MAX_PROCESSES: usize = 16;
/// The tags of a process that is compared with others, and their bytes.
const MAX_COMPARED_TAGS: usize = 64;
const MAX_COMPARED_BYTES: usize = 8 << 10;
/// The number of spans of one id that a new one is compared with.
const MAX_OF_ID: usize = 4;
