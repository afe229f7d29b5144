//! The table of open spans of one process.

use std::borrow::Cow;
use std::collections::HashMap;
use std::collections::hash_map::Entry as Room;
use std::hash::{Hash, Hasher};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::bounded_text::beginning;
use crate::model::{Place, SpanId, SpanKind, TraceId};
use crate::observer::ObservedSpan;
use crate::watch::open_spans::id_hash::IdHash;
use crate::watch::open_spans::info::OpenSpanInfo;
use crate::watch::open_spans::thread_name::thread_name;

/// The open spans of a process, in shards with a lock each, so that threads hardly wait for each other.
pub(super) struct Table {
    /// As many as a power of two.
    shards: Box<[Shard]>,
    /// The number of spans that may be kept beside those for which the shards have room already.
    spare: AtomicUsize,
    /// The room that a shard takes from `spare` at a time.
    share: usize,
    untracked: AtomicU64,
    over_limit: AtomicU64,
}

#[derive(Default)]
#[repr(align(64))]
struct Shard(Mutex<Spans>);

#[derive(Default)]
struct Spans {
    by_key: HashMap<Key, Entry, IdHash>,
    /// The number of spans that may be in `by_key`.
    room: usize,
}

/// Identifies a span. Spans may share an id, as the two sides of a call do in Zipkin.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Key {
    trace_id: TraceId,
    span_id: SpanId,
    /// Nanoseconds since the epoch.
    start: i64,
}

impl Key {
    fn of(span: &ObservedSpan<'_>) -> Self {
        Self {
            trace_id: span.trace_id(),
            span_id: span.span_id(),
            start: span.start_nanos(),
        }
    }
}

impl Hash for Key {
    /// Hashes the part that differs between most spans.
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u64(self.span_id.get());
        state.write_u64(self.trace_id.low());
    }
}

struct Entry {
    /// The number of other open spans with this key.
    twins: u32,
    name: Cow<'static, str>,
    kind: Option<SpanKind>,
    is_local_root: bool,
    /// Ticks of the clock at the start.
    ticks: i64,
    place: Option<Place>,
    service: Arc<str>,
    thread: Arc<str>,
    /// The number of times that the span was found to be over its limit, which was doubled each time.
    doublings: u32,
}

/// The result of a look at all open spans.
pub(super) struct Round {
    pub(super) overdue: Vec<OpenSpanInfo>,
    /// The time at which the next span exceeds its limit, in ticks.
    pub(super) next: Option<i64>,
}

impl Table {
    /// Makes a table of at most `max` spans.
    pub(super) fn new(max: usize) -> Self {
        let shards = 1_usize << (max / SPANS_OF_SHARD).clamp(1, MAX_SHARDS).ilog2();
        Self {
            shards: (0..shards).map(|_| Shard::default()).collect(),
            spare: AtomicUsize::new(max),
            share: (max / SHARES).clamp(1, MAX_SHARE),
            untracked: AtomicU64::new(0),
            over_limit: AtomicU64::new(0),
        }
    }

    /// Adds a span that starts.
    pub(super) fn open(&self, span: &ObservedSpan<'_>, ticks: i64, service: &Arc<str>) {
        let key = Key::of(span);
        // Before the lock, because it allocates.
        let entry = Entry {
            twins: 0,
            name: name_of(span),
            kind: span.kind(),
            is_local_root: span.is_local_root(),
            ticks,
            place: span.place(),
            service: service.clone(),
            thread: thread_name(),
            doublings: 0,
        };
        let mut spans = self.shard(key);
        let has_room = spans.by_key.len() < spans.room || self.make_room(&mut spans);
        match spans.by_key.entry(key) {
            Room::Occupied(mut twin) => twin.get_mut().twins += 1,
            Room::Vacant(place) if has_room => {
                place.insert(entry);
            }
            Room::Vacant(_) => {
                self.untracked.fetch_add(1, Ordering::Relaxed);
            }
        }
    }

    /// Removes a span that ends. If it was open as long as the limit and that was not noticed, it is counted.
    pub(super) fn close(&self, span: &ObservedSpan<'_>, limit: Option<Duration>) {
        let key = Key::of(span);
        let mut spans = self.shard(key);
        let was_noticed = match spans.by_key.remove(&key) {
            Some(mut entry) if entry.twins > 0 => {
                let was_noticed = entry.doublings > 0;
                entry.twins -= 1;
                spans.by_key.insert(key, entry);
                was_noticed
            }
            Some(entry) => {
                self.give_room_back(&mut spans);
                drop(spans);
                entry.doublings > 0
            }
            None => {
                drop(spans);
                let less = |untracked: u64| untracked.checked_sub(1);
                let _ = self
                    .untracked
                    .fetch_update(Ordering::Relaxed, Ordering::Relaxed, less);
                false
            }
        };
        if limit.is_some_and(|limit| span.duration() >= limit) && !was_noticed {
            self.over_limit.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Returns the spans that have been open longer than `limit` and were not returned before, or only when they had
    /// been open half as long as now.
    pub(super) fn round(&self, limit: Duration, now: i64) -> Round {
        let mut overdue = Vec::new();
        let mut next: Option<i64> = None;
        for shard in &self.shards {
            for (key, entry) in &mut lock(shard).by_key {
                if entry.due(limit) <= now {
                    if entry.doublings == 0 {
                        let spans = u64::from(entry.twins) + 1;
                        self.over_limit.fetch_add(spans, Ordering::Relaxed);
                    }
                    while entry.due(limit) <= now {
                        entry.doublings += 1;
                    }
                    overdue.push(entry.info(key, now));
                }
                let due = entry.due(limit);
                next = Some(next.map_or(due, |next| next.min(due)));
            }
        }
        Round { overdue, next }
    }

    /// Returns all spans.
    pub(super) fn list(&self, now: i64) -> Vec<OpenSpanInfo> {
        let mut list = Vec::new();
        for shard in &self.shards {
            for (key, entry) in &lock(shard).by_key {
                let copies = entry.twins as usize + 1;
                list.extend(std::iter::repeat_n(entry.info(key, now), copies));
            }
        }
        list
    }

    /// Returns how many spans are kept.
    pub(super) fn len(&self) -> usize {
        let count = |spans: MutexGuard<'_, Spans>| {
            let twins = |entry: &Entry| entry.twins as usize;
            spans.by_key.len() + spans.by_key.values().map(twins).sum::<usize>()
        };
        self.shards.iter().map(|shard| count(lock(shard))).sum()
    }

    pub(super) fn untracked(&self) -> u64 {
        self.untracked.load(Ordering::Relaxed)
    }

    pub(super) fn over_limit(&self) -> u64 {
        self.over_limit.load(Ordering::Relaxed)
    }

    fn shard(&self, key: Key) -> MutexGuard<'_, Spans> {
        // Ids may count up from 1. The multiplier is near 2^64 divided by the golden ratio.
        let mixed = key.span_id.get().wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let at = (mixed >> 32) as usize & (self.shards.len() - 1);
        lock(&self.shards[at])
    }

    /// Takes room for a shard that is full. Returns false if there is none.
    fn make_room(&self, spans: &mut Spans) -> bool {
        let mut taken = 0;
        let take = |spare: usize| {
            taken = spare.min(self.share);
            (taken > 0).then(|| spare - taken)
        };
        let spare = self
            .spare
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, take);
        if spare.is_ok() {
            spans.room += taken;
        }
        spare.is_ok()
    }

    fn give_room_back(&self, spans: &mut Spans) {
        if spans.room - spans.by_key.len() >= 2 * self.share {
            spans.room -= self.share;
            self.spare.fetch_add(self.share, Ordering::Relaxed);
        }
    }
}

impl Entry {
    /// Returns when the span exceeds its limit, which is doubled each time, in ticks.
    fn due(&self, limit: Duration) -> i64 {
        if self.doublings >= MAX_DOUBLINGS {
            return i64::MAX;
        }
        let limit = i64::try_from(limit.as_nanos()).unwrap_or(i64::MAX);
        let doubled = limit.saturating_mul(1 << self.doublings);
        self.ticks.saturating_add(doubled)
    }

    fn info(&self, key: &Key, now: i64) -> OpenSpanInfo {
        OpenSpanInfo {
            operation_name: self.name.to_string(),
            trace_id: key.trace_id,
            span_id: key.span_id,
            kind: self.kind,
            is_local_root: self.is_local_root,
            start_time: start_time(key.start),
            age: Duration::from_nanos(now.saturating_sub(self.ticks).max(0).unsigned_abs()),
            place: self.place,
            service: self.service.clone(),
            thread: self.thread.clone(),
        }
    }
}

fn lock(shard: &Shard) -> MutexGuard<'_, Spans> {
    shard.0.lock().unwrap_or_else(PoisonError::into_inner)
}

fn start_time(nanos: i64) -> SystemTime {
    UNIX_EPOCH + Duration::from_nanos(nanos.max(0).unsigned_abs())
}

/// Returns the name, cut at [`MAX_NAME_BYTES`].
fn name_of(span: &ObservedSpan<'_>) -> Cow<'static, str> {
    match span.static_name() {
        Some(name) => Cow::Borrowed(name),
        None => Cow::Owned(beginning(span.operation_name(), MAX_NAME_BYTES).to_owned()),
    }
}

const MAX_SHARDS: usize = 32;
/// A smaller table has fewer shards, so that its limit holds exactly.
const SPANS_OF_SHARD: usize = 64;
/// In how many shares the room is given to shards at least.
const SHARES: usize = 1_024;
const MAX_SHARE: usize = 16;
const MAX_NAME_BYTES: usize = 256;
/// A millisecond that is doubled as often is longer than any clock counts.
const MAX_DOUBLINGS: u32 = 45;
