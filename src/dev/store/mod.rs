#[cfg(test)]
pub(crate) mod fixtures;
mod open_spans;
#[cfg(test)]
mod tests;
pub(crate) mod trace;

use std::collections::{BTreeSet, HashMap, HashSet, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::dev::store::open_spans::OpenSpans;
use crate::dev::store::trace::{OpenSpan, ReceivedSpan, Trace, from_wire, size_of_tags};
use crate::model::{Process, SpanId, TagRef, TraceId, tags};
use crate::reporter::OwnedSpan;
use crate::thrift::{Batch, ClientStats};

/// What the embedded agent has counted since its start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct DevTotals {
    /// Spans that came and could be read.
    pub received: u64,
    /// Of these, those that could not be kept: an id is zero, or its trace alone fills the store.
    pub dropped: u64,
    /// Of these, those that were let go of to make room for newer traces.
    pub evicted: u64,
    /// Datagrams and request bodies that could not be read.
    pub undecodable: u64,
    /// Spans that the senders say they have lost before sending them (`ClientStats` of a batch).
    pub lost_by_clients: u64,
}

/// How much a [`TraceStore`] keeps.
#[derive(Clone, Copy, Debug)]
pub(crate) struct StoreLimits {
    pub(crate) traces: usize,
    pub(crate) bytes: usize,
}

/// Traces by id, bounded in number and bytes: the oldest goes first. Time is handed in.
#[derive(Debug)]
pub(crate) struct TraceStore {
    limits: StoreLimits,
    traces: HashMap<TraceId, StoredTrace>,
    /// By the arrival of the first span.
    order: VecDeque<TraceId>,
    bytes: usize,
    open: OpenSpans,
    /// The latest counters of each client.
    clients: HashMap<String, u64>,
    totals: DevTotals,
}

#[derive(Debug)]
struct StoredTrace {
    spans: Vec<Arc<ReceivedSpan>>,
    /// The processes seen last, so that those of one client are kept once.
    processes: VecDeque<Arc<Process>>,
    bytes: usize,
    last_span: Instant,
    /// How many of the spans have been claimed for a picture.
    shown: usize,
    /// Whether a parent is not there; `None` when that has to be found out again.
    is_incomplete: Option<bool>,
}

/// Which traces have come to rest.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Settled {
    /// Now, and not claimed before.
    pub(crate) ready: Vec<TraceId>,
    /// When the next one will, if nothing comes before.
    pub(crate) next: Option<Instant>,
}

impl TraceStore {
    pub(crate) fn new(limits: StoreLimits) -> Self {
        Self {
            limits,
            traces: HashMap::new(),
            order: VecDeque::new(),
            bytes: 0,
            open: OpenSpans::default(),
            clients: HashMap::new(),
            totals: DevTotals::default(),
        }
    }

    /// Takes a batch in.
    pub(crate) fn insert(&mut self, batch: Batch, now: Instant) {
        if let Some(stats) = batch.stats {
            self.note_stats(&batch.process, stats);
        }
        let process = Arc::new(batch.process);
        for span in batch.spans {
            self.totals.received += 1;
            match from_wire(span) {
                Some(span) => self.insert_span(span, &process, now),
                None => self.totals.dropped += 1,
            }
        }
    }

    /// Counts what could not be read.
    pub(crate) fn count_undecodable(&mut self) {
        self.totals.undecodable += 1;
    }

    /// Remembers a span of this process that has started: its trace is not at rest until it comes.
    pub(crate) fn note_open(&mut self, span: OpenSpan) {
        self.open.open(span);
    }

    /// Forgets all traces. The totals stay.
    pub(crate) fn clear(&mut self) {
        self.traces.clear();
        self.order.clear();
        self.bytes = 0;
    }

    /// The spans of a trace that have come so far.
    pub(crate) fn trace(&self, trace_id: TraceId) -> Option<Trace> {
        let held = self.traces.get(&trace_id)?;
        Some(Trace {
            trace_id,
            spans: held.spans.clone(),
            open: self.open.get(trace_id).into_iter().cloned().collect(),
        })
    }

    /// All traces that are held, the oldest first.
    pub(crate) fn trace_ids(&self) -> Vec<TraceId> {
        self.order.iter().copied().collect()
    }

    /// The services of all traces that are held, sorted.
    pub(crate) fn services(&self) -> Vec<String> {
        let spans = self.traces.values().flat_map(|held| &held.spans);
        let names: BTreeSet<&str> = spans.map(|span| span.service_name()).collect();
        names.into_iter().map(str::to_owned).collect()
    }

    pub(crate) fn totals(&self) -> DevTotals {
        self.totals
    }

    /// Which traces have come to rest by `now`, the one that came to rest first at the front.
    ///
    /// At rest: no span has come for 200 ms and none is known to be open. A parent that is not there is most
    /// likely open too, but may also be in a process that sends nowhere: it is waited for during two seconds.
    pub(crate) fn settled(&mut self, now: Instant) -> Settled {
        let mut ready = Vec::new();
        let mut settled = Settled::default();
        for (&trace_id, held) in &mut self.traces {
            if held.shown >= held.spans.len() || self.open.get(trace_id).is_some() {
                continue;
            }
            let mut at = held.last_span + QUIET;
            if at <= now && held.is_incomplete() {
                at = held.last_span + PATIENCE;
            }
            if at <= now {
                ready.push((held.last_span, trace_id));
            } else {
                settled.next = Some(settled.next.map_or(at, |next| next.min(at)));
            }
        }
        ready.sort_unstable();
        settled.ready.extend(ready.into_iter().map(|(_, id)| id));
        settled
    }

    /// Marks a trace as shown with the spans that it has now.
    pub(crate) fn claim(&mut self, trace_id: TraceId) {
        if let Some(held) = self.traces.get_mut(&trace_id) {
            held.shown = held.spans.len();
        }
    }

    /// All traces with spans that have not been shown, at rest or not, the oldest first.
    pub(crate) fn unshown(&self) -> Vec<TraceId> {
        let is_unshown = |id: &TraceId| {
            let held = self.traces.get(id);
            held.is_some_and(|held| held.shown < held.spans.len())
        };
        self.order.iter().copied().filter(is_unshown).collect()
    }

    fn insert_span(&mut self, span: OwnedSpan, process: &Arc<Process>, now: Instant) {
        let trace_id = span.trace_id;
        self.open.close(trace_id, span.span_id);
        let held = self.traces.entry(trace_id).or_insert_with(|| {
            self.order.push_back(trace_id);
            StoredTrace::new(now)
        });
        let (process, mut size) = held.process(process);
        let span = ReceivedSpan { span, process };
        size += span.size();
        held.bytes += size;
        self.bytes += size;
        held.spans.push(Arc::new(span));
        held.last_span = now;
        held.is_incomplete = None;
        self.make_room(trace_id);
    }

    /// Lets go of the oldest traces, of the newest span's last. Where that one is too large by itself, the
    /// span is refused.
    fn make_room(&mut self, newest: TraceId) {
        while self.traces.len() > self.limits.traces || self.bytes > self.limits.bytes {
            let place = usize::from(self.order.front() == Some(&newest));
            let Some(oldest) = self.order.remove(place) else {
                return self.refuse_last_span(newest);
            };
            if let Some(held) = self.traces.remove(&oldest) {
                self.bytes = self.bytes.saturating_sub(held.bytes);
                self.totals.evicted += held.spans.len() as u64;
            }
        }
    }

    fn refuse_last_span(&mut self, trace_id: TraceId) {
        let Some(held) = self.traces.get_mut(&trace_id) else {
            return;
        };
        if let Some(span) = held.spans.pop() {
            let size = span.size();
            held.bytes = held.bytes.saturating_sub(size);
            held.shown = held.shown.min(held.spans.len());
            self.bytes = self.bytes.saturating_sub(size);
            self.totals.dropped += 1;
        }
        if held.spans.is_empty() {
            self.bytes = self.bytes.saturating_sub(held.bytes);
            self.traces.remove(&trace_id);
            self.order.retain(|&id| id != trace_id);
        }
    }

    /// The counters grow from a client's start, so only the difference is news.
    fn note_stats(&mut self, process: &Process, stats: ClientStats) {
        let uuid = process.tags.iter().find(|tag| tag.key == tags::CLIENT_UUID);
        let Some(TagRef::String(uuid)) = uuid.map(|tag| tag.value.as_ref()) else {
            return;
        };
        let counts = [
            stats.full_queue_dropped_spans,
            stats.too_large_dropped_spans,
            stats.failed_to_emit_spans,
        ];
        let lost = counts.iter().fold(0u64, |sum, &count| {
            sum.saturating_add(u64::try_from(count).unwrap_or(0))
        });
        if self.clients.len() >= MAX_CLIENTS && !self.clients.contains_key(uuid) {
            return;
        }
        let known = self.clients.entry(uuid.to_owned()).or_default();
        let news = lost.saturating_sub(*known);
        *known += news;
        self.totals.lost_by_clients = self.totals.lost_by_clients.saturating_add(news);
    }
}

impl StoredTrace {
    fn new(now: Instant) -> Self {
        Self {
            spans: Vec::new(),
            processes: VecDeque::new(),
            bytes: 0,
            last_span: now,
            shown: 0,
            is_incomplete: Some(false),
        }
    }

    /// The process as this trace has it already, and how many bytes that costs.
    fn process(&mut self, process: &Arc<Process>) -> (Arc<Process>, usize) {
        if let Some(known) = self.processes.iter().find(|known| *known == process) {
            return (known.clone(), 0);
        }
        if self.processes.len() == MAX_PROCESSES {
            self.processes.pop_front();
        }
        self.processes.push_back(process.clone());
        let size = size_of::<Process>() + process.service_name.len() + size_of_tags(&process.tags);
        (process.clone(), size)
    }

    fn is_incomplete(&mut self) -> bool {
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

/// A trace is at rest when no span has come for so long.
const QUIET: Duration = Duration::from_millis(200);
/// How long a parent that is not there is waited for.
const PATIENCE: Duration = Duration::from_secs(2);
const MAX_CLIENTS: usize = 256;
/// More processes than this in one trace are kept more than once.
const MAX_PROCESSES: usize = 16;
