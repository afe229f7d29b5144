//! The spans behind the ids in a `Context`, which holds them in a box that nobody can look into.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::sync::{Mutex, MutexGuard, PoisonError, TryLockError};
use std::thread;

use opentelemetry::trace::SpanContext as OtelSpanContext;
use tracehound::Span;

/// A span that can be found by its ids as long as this lives.
#[derive(Debug)]
pub(crate) struct Findable {
    key: Key,
}

/// The ids of a span. Several boxes may hold one span.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Key {
    trace_id: u128,
    span_id: u64,
}

struct Found {
    /// A handle that does not own the span.
    span: Span,
    boxes: usize,
}

impl Findable {
    /// Makes a span one that can be found, unless its ids are invalid.
    pub(crate) fn new(context: &OtelSpanContext, span: &Span) -> Option<Self> {
        let key = Key::of(context)?;
        let mut spans = key.lock()?;
        match spans.entry(key) {
            Entry::Occupied(mut found) => found.get_mut().boxes += 1,
            Entry::Vacant(place) => {
                place.insert(Found {
                    span: span.downgrade(),
                    boxes: 1,
                });
            }
        }
        Some(Self { key })
    }
}

impl Drop for Findable {
    fn drop(&mut self) {
        let removed = self.key.lock().and_then(|mut spans| {
            let found = spans.get_mut(&self.key)?;
            found.boxes -= 1;
            match found.boxes {
                0 => spans.remove(&self.key),
                _ => None,
            }
        });
        // Dropped after the lock: the last handle of a span may take its tracer with it.
        drop(removed);
    }
}

/// Returns a handle, which does not own, to the span with these ids.
pub(crate) fn find(context: &OtelSpanContext) -> Option<Span> {
    let key = Key::of(context)?;
    let spans = key.lock()?;
    spans.get(&key).map(|found| found.span.clone())
}

impl Key {
    fn of(context: &OtelSpanContext) -> Option<Self> {
        context.is_valid().then(|| Self {
            trace_id: u128::from_be_bytes(context.trace_id().to_bytes()),
            span_id: u64::from_be_bytes(context.span_id().to_bytes()),
        })
    }

    /// Locks the spans among which this one is. Gives up after a while: after a fork the thread that holds the lock may
    /// not exist in this process.
    fn lock(self) -> Option<MutexGuard<'static, BTreeMap<Self, Found>>> {
        let spans = &SPANS[self.span_id as usize % SPANS.len()];
        for _ in 0..MOST_TRIES {
            match spans.try_lock() {
                Ok(spans) => return Some(spans),
                Err(TryLockError::Poisoned(poisoned)) => {
                    return Some(PoisonError::into_inner(poisoned));
                }
                Err(TryLockError::WouldBlock) => thread::yield_now(),
            }
        }
        None
    }
}

const MOST_TRIES: usize = 10_000;

/// By the lowest bits of the span id, which are random.
static SPANS: [Mutex<BTreeMap<Key, Found>>; 64] = [const { Mutex::new(BTreeMap::new()) }; 64];
