use std::collections::{BTreeSet, HashMap, HashSet, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::dev::open_spans::OpenSpans;
use crate::dev::trace::{OpenSpan, ReceivedSpan, Trace, from_wire, size_of_tags};
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

/// How much a [`Store`] keeps.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    pub(crate) traces: usize,
    pub(crate) bytes: usize,
}

/// Traces by id, bounded in number and bytes: the oldest goes first. Time is handed in.
#[derive(Debug)]
pub(crate) struct Store {
    limits: Limits,
    traces: HashMap<TraceId, Held>,
    /// By the arrival of the first span.
    order: VecDeque<TraceId>,
    bytes: usize,
    open: OpenSpans,
    /// The latest counters of each client.
    clients: HashMap<String, u64>,
    totals: DevTotals,
}

#[derive(Debug)]
struct Held {
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
pub(crate) struct Rest {
    /// Now, and not claimed before.
    pub(crate) ready: Vec<TraceId>,
    /// When the next one will, if nothing comes before.
    pub(crate) next: Option<Instant>,
}

impl Store {
    pub(crate) fn new(limits: Limits) -> Self {
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
    pub(crate) fn rest(&mut self, now: Instant) -> Rest {
        let mut ready = Vec::new();
        let mut rest = Rest::default();
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
                rest.next = Some(rest.next.map_or(at, |next| next.min(at)));
            }
        }
        ready.sort_unstable();
        rest.ready.extend(ready.into_iter().map(|(_, id)| id));
        rest
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
            Held::new(now)
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

impl Held {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::instant_now;
    use crate::dev::sample::{batch, open, trace_id, wire};
    use crate::model::Tag;

    const GENEROUS: Limits = Limits {
        traces: 100,
        bytes: 1 << 20,
    };

    fn ms(n: u64) -> Duration {
        Duration::from_millis(n)
    }

    #[test]
    fn spans_of_a_trace_come_together_in_any_order_and_from_any_process() {
        let (mut store, now) = (Store::new(GENEROUS), instant_now());
        store.insert(batch("pay", [wire(1, 3, 2), wire(2, 9, 0)]), now);
        store.insert(batch("shop", [wire(1, 1, 0), wire(1, 2, 1)]), now);
        let trace = store.trace(trace_id(1)).expect("held");
        let ids: Vec<_> = trace
            .spans
            .iter()
            .map(|span| span.span.span_id.get())
            .collect();
        assert_eq!(ids, [3, 1, 2]);
        assert_eq!(trace.services(), ["pay", "shop"]);
        assert_eq!(store.services(), ["pay", "shop"]);
        assert_eq!(store.trace_ids(), [trace_id(1), trace_id(2)]);
        assert_eq!(store.totals().received, 4);
        assert!(store.trace(trace_id(3)).is_none());
    }

    #[test]
    fn a_trace_is_at_rest_200_ms_after_its_last_span() {
        let (mut store, start) = (Store::new(GENEROUS), instant_now());
        store.insert(batch("shop", [wire(1, 1, 0)]), start);
        store.insert(batch("shop", [wire(1, 2, 1)]), start + ms(150));
        let rest = store.rest(start + ms(349));
        assert_eq!((rest.ready.len(), rest.next), (0, Some(start + ms(350))));
        assert_eq!(store.rest(start + ms(350)).ready, [trace_id(1)]);
        store.claim(trace_id(1));
        assert_eq!(store.rest(start + ms(900)), Rest::default());
        store.insert(batch("shop", [wire(1, 3, 1)]), start + ms(1_000));
        assert_eq!(store.rest(start + ms(1_199)).ready, []);
        assert_eq!(store.rest(start + ms(1_200)).ready, [trace_id(1)]);
    }

    #[test]
    fn who_came_to_rest_first_is_first() {
        let (mut store, start) = (Store::new(GENEROUS), instant_now());
        for (trace, at) in [(3, 20), (1, 10), (2, 30)] {
            store.insert(batch("shop", [wire(trace, 1, 0)]), start + ms(at));
        }
        let ready = store.rest(start + ms(1_000)).ready;
        assert_eq!(ready, [trace_id(1), trace_id(3), trace_id(2)]);
    }

    #[test]
    fn a_trace_with_an_open_span_is_not_at_rest() {
        let (mut store, start) = (Store::new(GENEROUS), instant_now());
        let mut root = open("shop", "checkout", 1, 0);
        root.trace_id = trace_id(7);
        store.note_open(root.clone());
        store.insert(batch("shop", [wire(7, 2, 1)]), start);
        assert_eq!(store.trace(trace_id(7)).expect("held").open, [root]);
        assert_eq!(store.rest(start + ms(60_000)), Rest::default());
        store.insert(batch("shop", [wire(7, 1, 0)]), start + ms(60_000));
        assert_eq!(store.trace(trace_id(7)).expect("held").open, []);
        assert_eq!(store.rest(start + ms(60_200)).ready, [trace_id(7)]);
    }

    #[test]
    fn a_parent_that_is_not_there_is_waited_for_two_seconds() {
        let (mut store, start) = (Store::new(GENEROUS), instant_now());
        store.insert(batch("shop", [wire(1, 2, 1)]), start);
        let rest = store.rest(start + ms(500));
        assert_eq!((rest.ready.len(), rest.next), (0, Some(start + ms(2_000))));
        store.insert(batch("shop", [wire(1, 1, 0)]), start + ms(600));
        assert_eq!(store.rest(start + ms(800)).ready, [trace_id(1)]);
        store.insert(batch("shop", [wire(2, 2, 1)]), start);
        assert_eq!(
            store.rest(start + ms(2_000)).ready,
            [trace_id(2), trace_id(1)]
        );
    }

    #[test]
    fn the_oldest_trace_goes_first_and_is_counted() {
        let limits = Limits {
            traces: 2,
            bytes: 1 << 20,
        };
        let (mut store, now) = (Store::new(limits), instant_now());
        for trace in 1..=4 {
            store.insert(batch("shop", [wire(trace, 1, 0), wire(trace, 2, 1)]), now);
        }
        assert_eq!(store.trace_ids(), [trace_id(3), trace_id(4)]);
        assert_eq!(store.totals().evicted, 4);
        assert_eq!(store.totals().dropped, 0);
    }

    #[test]
    fn the_trace_of_the_newest_span_goes_last() {
        let limits = Limits {
            traces: 10,
            bytes: 20_000,
        };
        let (mut store, now) = (Store::new(limits), instant_now());
        for trace in [1, 2, 3] {
            store.insert(batch("shop", [wire(trace, 1, 0)]), now);
        }
        let mut large = wire(1, 2, 1);
        large.operation_name = "x".repeat(20_000 - store.bytes);
        store.insert(batch("shop", [large]), now);
        let held = store.trace(trace_id(1)).expect("it has the newest span");
        assert_eq!(held.spans.len(), 2);
        assert!(store.totals().evicted > 0);
    }

    #[test]
    fn bytes_are_bounded_and_what_is_too_large_is_refused() {
        let limits = Limits {
            traces: 1_000,
            bytes: 20_000,
        };
        let (mut store, now) = (Store::new(limits), instant_now());
        for trace in 1..=500 {
            store.insert(batch("shop", [wire(trace, 1, 0)]), now);
            assert!(store.bytes <= limits.bytes);
        }
        assert!(
            (10..=100).contains(&store.traces.len()),
            "{}",
            store.traces.len()
        );
        assert_eq!(store.order.len(), store.traces.len());

        // One trace without an end: the others go, then its own spans are refused.
        store.insert(batch("shop", (1..=500).map(|id| wire(9_999, id, 0))), now);
        assert_eq!(store.trace_ids(), [trace_id(9_999)]);
        assert!(store.bytes <= limits.bytes);
        let totals = store.totals();
        let held = store.trace(trace_id(9_999)).expect("held").spans.len() as u64;
        assert_eq!(totals.received, totals.evicted + totals.dropped + held);

        // A span that alone is larger than everything.
        let mut huge = wire(5, 1, 0);
        huge.operation_name = "x".repeat(30_000);
        store.insert(batch("shop", [huge]), now);
        assert!(store.trace(trace_id(5)).is_none());
        assert_eq!(store.bytes, 0);
        store.insert(batch("shop", [wire(6, 1, 0)]), now);
        assert!(store.trace(trace_id(6)).is_some());
    }

    #[test]
    fn spans_without_ids_are_refused() {
        let (mut store, now) = (Store::new(GENEROUS), instant_now());
        store.insert(batch("shop", [wire(0, 1, 0), wire(1, 0, 0)]), now);
        assert_eq!(store.trace_ids(), []);
        assert_eq!((store.totals().received, store.totals().dropped), (2, 2));
    }

    #[test]
    fn what_clients_say_they_lost_is_counted_once() {
        let (mut store, now) = (Store::new(GENEROUS), instant_now());
        let report = |uuid: &'static str, lost: i64| Batch {
            process: Process::new("shop", vec![Tag::new("client-uuid", uuid)]),
            stats: Some(ClientStats {
                full_queue_dropped_spans: lost,
                too_large_dropped_spans: 1,
                failed_to_emit_spans: -5,
            }),
            ..batch("shop", [])
        };
        store.insert(report("a", 2), now);
        store.insert(report("a", 5), now);
        store.insert(report("a", 4), now);
        store.insert(report("b", 10), now);
        assert_eq!(store.totals().lost_by_clients, 17);
    }

    #[test]
    fn the_parent_is_the_first_reference_as_in_a_jaeger_backend() {
        let (mut store, now) = (Store::new(GENEROUS), instant_now());
        store.insert(batch("shop", [wire(1, 2, 1)]), now);
        let trace = store.trace(trace_id(1)).expect("held");
        let span = &trace.spans[0].span;
        assert_eq!(span.parent_id.map(SpanId::get), Some(1));
        assert_eq!(span.references.len(), 1);
        assert_eq!(span.references[0].span_id.get(), 1);
    }
}
