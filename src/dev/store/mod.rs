#[cfg(test)]
pub(crate) mod fixtures;
mod open_spans;
mod stored_trace;
#[cfg(test)]
mod tests;

#[cfg(test)]
use std::cell::Cell;
use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::decode::{NO_NAME, ReceivedBatch, ReportedLosses};
use crate::dev::store::open_spans::OpenSpans;
use crate::dev::store::stored_trace::StoredTrace;
use crate::model::{Process, TagRef, TraceId, tags};
use crate::reporter::OwnedSpan;
use crate::view::{OpenSpan, Trace};

/// The counters of the embedded agent since its start.
///
/// ```
/// use tracehound::dev::{DevOptions, DevServer, Waterfall};
///
/// let server = DevServer::start(DevOptions::new().any_ports().waterfall(Waterfall::Never))?;
/// let totals = server.totals();
/// assert_eq!((totals.received, totals.dropped, totals.undecodable), (0, 0, 0));
/// # Ok::<(), tracehound::dev::DevError>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct DevTotals {
    /// Spans that came in messages that could be read.
    pub received: u64,
    /// Received spans that could not be kept: an id was zero, a span of Zipkin could not be read, or the trace alone
    /// filled the store.
    pub dropped: u64,
    /// Received spans that were dropped later to make room for newer traces.
    pub evicted: u64,
    /// Received spans that are alike in all parts to one that the trace has: a client sends a request again if it does
    /// not learn that it arrived. The fifth span of one id, a value that is not a number and a process of many tags are
    /// not compared.
    pub repeated: u64,
    /// Datagrams and request bodies that could not be read.
    pub undecodable: u64,
    /// Spans that clients lost before sending them, as they report it (`ClientStats` of a batch).
    pub lost_by_clients: u64,
}

/// The bounds of a [`TraceStore`].
#[derive(Clone, Copy, Debug)]
pub(crate) struct StoreLimits {
    pub(crate) traces: usize,
    pub(crate) bytes: usize,
}

/// Traces by id, bounded in number and bytes: the oldest is dropped first. Callers pass the time in.
#[derive(Debug)]
pub(crate) struct TraceStore {
    limits: StoreLimits,
    traces: HashMap<TraceId, StoredTrace>,
    /// The ids of the traces, in the order in which their first spans came.
    order: VecDeque<TraceId>,
    bytes: usize,
    /// Counts the spans that were kept, so that a view can ask for what is new.
    changes: u64,
    /// The traces by the change that the last span of each was.
    by_change: BTreeMap<u64, TraceId>,
    /// The number of traces that were looked at to find those that changed.
    #[cfg(test)]
    looks: Cell<usize>,
    open: OpenSpans,
    /// The losses that each client has reported, by its id.
    clients: HashMap<String, u64>,
    totals: DevTotals,
}

/// The traces that have come to rest.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Settled {
    /// Those that are at rest and not claimed, the one that came to rest first at the front.
    pub(crate) ready: Vec<TraceId>,
    /// When the next one comes to rest, if no span comes before.
    pub(crate) next: Option<Instant>,
}

impl TraceStore {
    pub(crate) fn new(limits: StoreLimits) -> Self {
        Self {
            limits,
            traces: HashMap::new(),
            order: VecDeque::new(),
            bytes: 0,
            changes: 0,
            by_change: BTreeMap::new(),
            #[cfg(test)]
            looks: Cell::new(0),
            open: OpenSpans::default(),
            clients: HashMap::new(),
            totals: DevTotals::default(),
        }
    }

    /// Stores a batch.
    pub(crate) fn insert(&mut self, mut batch: ReceivedBatch, now: Instant) {
        if batch.process.service_name.is_empty() {
            let tags = batch.process.tags.clone();
            batch.process = Arc::new(Process::new(NO_NAME, tags));
        }
        if let Some(losses) = batch.losses {
            self.note_losses(&batch.process, losses);
        }
        self.totals.received += batch.left_out + batch.spans.len() as u64;
        self.totals.dropped += batch.left_out;
        for mut span in batch.spans {
            // The trace has it once for all of its spans.
            span.process = None;
            self.insert_span(span, &batch.process, now);
        }
    }

    /// Counts a datagram or body that could not be read.
    pub(crate) fn count_undecodable(&mut self) {
        self.totals.undecodable += 1;
    }

    /// Records a span of this process that has started. Its trace is not at rest until the span comes.
    pub(crate) fn note_open(&mut self, span: OpenSpan) {
        self.open.open(span);
    }

    /// Drops all traces. The totals stay.
    pub(crate) fn clear(&mut self) {
        self.traces.clear();
        self.order.clear();
        self.by_change.clear();
        self.bytes = 0;
    }

    /// Returns a copy of a trace as it is now.
    pub(crate) fn trace(&self, trace_id: TraceId) -> Option<Trace> {
        let held = self.traces.get(&trace_id)?;
        Some(Trace {
            trace_id,
            spans: held.spans.clone(),
            open: self.open.get(trace_id).into_iter().cloned().collect(),
        })
    }

    /// Returns the ids of all traces that are held, the oldest first.
    pub(crate) fn trace_ids(&self) -> Vec<TraceId> {
        self.order.iter().copied().collect()
    }

    /// Returns copies of all traces that are held, the oldest first.
    pub(crate) fn traces(&self) -> Vec<Trace> {
        let ids = self.order.iter();
        ids.filter_map(|&id| self.trace(id)).collect()
    }

    /// Returns a number that grows with each span that is kept.
    pub(crate) fn changes(&self) -> u64 {
        self.changes
    }

    /// Returns the traces that have got spans since a number of changes, the oldest first. Looks at no others: each
    /// browser that follows asks at each change.
    pub(crate) fn changed_since(&self, changes: u64) -> Vec<Trace> {
        let changed = self.by_change.range(changes.saturating_add(1)..);
        let mut ids: Vec<(u64, TraceId)> = changed
            .filter_map(|(_, &id)| {
                #[cfg(test)]
                self.looks.set(self.looks.get() + 1);
                Some((self.traces.get(&id)?.began, id))
            })
            .collect();
        ids.sort_unstable();
        let ids = ids.into_iter();
        ids.filter_map(|(_, id)| self.trace(id)).collect()
    }

    pub(crate) fn totals(&self) -> DevTotals {
        self.totals
    }

    /// Returns the traces that have come to rest by `now`.
    ///
    /// A trace is at rest if no span of it has come for 200 ms and its root is not known to be open. A parent that is
    /// missing is most likely open too, but its process may send to another agent, so the store waits for it for two
    /// seconds only.
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

    /// Marks the spans that a trace has now as shown.
    pub(crate) fn claim(&mut self, trace_id: TraceId) {
        if let Some(held) = self.traces.get_mut(&trace_id) {
            held.shown = held.spans.len();
        }
    }

    /// Returns all traces with spans that are not shown, at rest or not, the oldest first.
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
        let held = self.traces.get(&trace_id);
        if held.is_some_and(|held| held.has(&span, process)) {
            self.totals.repeated += 1;
            return;
        }
        self.changes += 1;
        let held = self.traces.entry(trace_id).or_insert_with(|| {
            self.order.push_back(trace_id);
            StoredTrace::new(now, self.changes)
        });
        self.bytes += held.push(span, process, now);
        self.by_change.remove(&held.changed);
        self.by_change.insert(self.changes, trace_id);
        held.changed = self.changes;
        self.make_room(trace_id);
    }

    /// Drops the oldest traces, but never the one with the newest span. If that trace alone is too large, its newest
    /// span is refused.
    fn make_room(&mut self, newest: TraceId) {
        while self.traces.len() > self.limits.traces || self.bytes > self.limits.bytes {
            let place = usize::from(self.order.front() == Some(&newest));
            let Some(oldest) = self.order.remove(place) else {
                return self.refuse_last_span(newest);
            };
            if let Some(held) = self.traces.remove(&oldest) {
                self.by_change.remove(&held.changed);
                self.bytes = self.bytes.saturating_sub(held.bytes);
                self.totals.evicted += held.spans.len() as u64;
            }
        }
    }

    fn refuse_last_span(&mut self, trace_id: TraceId) {
        let Some(held) = self.traces.get_mut(&trace_id) else {
            return;
        };
        if let Some(size) = held.pop() {
            self.bytes = self.bytes.saturating_sub(size);
            self.totals.dropped += 1;
        }
        if held.spans.is_empty() {
            self.bytes = self.bytes.saturating_sub(held.bytes);
            self.by_change.remove(&held.changed);
            self.traces.remove(&trace_id);
            self.order.retain(|&id| id != trace_id);
        }
    }

    /// Adds what a client has lost since its last report: its counters grow from its start.
    fn note_losses(&mut self, process: &Process, losses: ReportedLosses) {
        let uuid = process.tags.iter().find(|tag| tag.key == tags::CLIENT_UUID);
        let Some(TagRef::String(uuid)) = uuid.map(|tag| tag.value.as_ref()) else {
            return;
        };
        let counts = [losses.full_queue, losses.too_large, losses.failed_to_emit];
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

/// How long no span must come before a trace is at rest.
const QUIET: Duration = Duration::from_millis(200);
/// How long no span must come before a trace with a missing parent is at rest.
const PATIENCE: Duration = Duration::from_secs(2);
/// How many clients' losses are counted.
const MAX_CLIENTS: usize = 256;
