//! The series of one thread, and how a span finds its own.

use std::cell::RefCell;
use std::sync::{Arc, Weak};

use crate::bounded_text::beginning;
use crate::model::SpanKind;
use crate::observer::ObservedSpan;
use crate::observer::red::registry::ThreadSeries;
use crate::observer::red::series::{Key, Series};
use crate::observer::red::shared::Shared;
use crate::observer::red::static_names::StaticNames;
use crate::sync::generation;

thread_local! {
    /// The tables of this thread, one for each [`RedMetrics`](super::RedMetrics) that it has counted for.
    static TABLES: RefCell<Vec<ThreadTable>> = const { RefCell::new(Vec::new()) };
}

/// Counts a span in the series of the calling thread. Returns false while the thread is torn down.
#[inline]
pub(super) fn count(shared: &Arc<Shared>, span: &ObservedSpan<'_>) -> bool {
    let counted = TABLES.try_with(|tables| {
        let Ok(mut tables) = tables.try_borrow_mut() else {
            return false;
        };
        let now = generation();
        let is_ours = |table: &ThreadTable| table.id == shared.id && table.generation == now;
        let at = match tables.iter().position(is_ours) {
            Some(at) => at,
            None => add_table(&mut tables, shared),
        };
        let Some(table) = tables.get_mut(at) else {
            return false;
        };
        table.count(shared, span);
        true
    });
    counted.unwrap_or(false)
}

#[cold]
fn add_table(tables: &mut Vec<ThreadTable>, shared: &Arc<Shared>) -> usize {
    tables.retain(|table| table.generation == generation() && table.shared.strong_count() > 0);
    tables.push(ThreadTable::new(shared));
    tables.len() - 1
}

/// A hash table of the series in which one thread counts, with open addressing.
struct ThreadTable {
    /// Identifies the `Shared`, whose address may be used again.
    id: u64,
    /// The process that made the table: a forked child makes its own.
    generation: u32,
    shared: Weak<Shared>,
    own: Arc<ThreadSeries>,
    statics: StaticNames,
    /// A power of two of places, at most half of them taken.
    places: Vec<Place>,
    taken: usize,
    /// The series for names beyond the limit, by kind.
    others: [Option<Arc<Series>>; KINDS],
}

#[derive(Clone, Default)]
struct Place {
    hash: u64,
    series: Option<Arc<Series>>,
}

impl ThreadTable {
    fn new(shared: &Arc<Shared>) -> Self {
        let own = Arc::new(ThreadSeries::default());
        shared.registry().add_thread(own.clone());
        Self {
            id: shared.id,
            generation: generation(),
            shared: Arc::downgrade(shared),
            own,
            statics: StaticNames::new(),
            places: vec![Place::default(); FIRST_PLACES],
            taken: 0,
            others: [const { None }; KINDS],
        }
    }

    /// Counts a span.
    #[inline]
    fn count(&mut self, shared: &Shared, span: &ObservedSpan<'_>) {
        let kind = span.kind();
        if let Some(name) = span.static_name()
            && let Some(series) = self.statics.find(name, kind)
        {
            return series.count(span, &shared.bounds);
        }
        self.count_by_text(shared, span);
    }

    /// Counts a span whose name is not static, or is counted for the first time.
    #[inline(never)]
    fn count_by_text(&mut self, shared: &Shared, span: &ObservedSpan<'_>) {
        let kind = span.kind();
        let series = self
            .series(shared, cut(span.operation_name()), kind)
            .clone();
        series.count(span, &shared.bounds);
        if let Some(name) = span.static_name() {
            self.statics.add(name, kind, series);
        }
    }

    /// Returns the series of a name.
    fn series(&mut self, shared: &Shared, name: &str, kind: Option<SpanKind>) -> &Arc<Series> {
        let hash = hash(name.as_bytes(), kind_number(kind));
        let at = match self.find(hash, name, kind) {
            Ok(at) => at,
            Err(_) => match self.insert(shared, hash, name, kind) {
                Some(at) => at,
                None => return self.other(shared, kind),
            },
        };
        self.places[at]
            .series
            .as_ref()
            .expect("found or inserted just now")
    }

    /// Returns the place of a series, or else the place that it would take.
    #[inline]
    fn find(&self, hash: u64, name: &str, kind: Option<SpanKind>) -> Result<usize, usize> {
        let mask = self.places.len() - 1;
        let mut at = hash as usize & mask;
        loop {
            let place = &self.places[at];
            match &place.series {
                None => return Err(at),
                Some(series)
                    if place.hash == hash
                        && series.key.kind == kind
                        && series.key.operation.as_deref() == Some(name) =>
                {
                    return Ok(at);
                }
                Some(_) => at = (at + 1) & mask,
            }
        }
    }

    /// Adds a series for a name, and returns its place. Returns `None` if the name is beyond the limit.
    #[cold]
    #[inline(never)]
    fn insert(
        &mut self,
        shared: &Shared,
        hash: u64,
        name: &str,
        kind: Option<SpanKind>,
    ) -> Option<usize> {
        let operation = Some(shared.admit(name)?);
        let series = self.new_series(shared, Key { operation, kind });
        if (self.taken + 1) * 2 > self.places.len() {
            self.grow();
        }
        self.taken += 1;
        let (Ok(at) | Err(at)) = self.find(hash, name, kind);
        self.places[at] = Place {
            hash,
            series: Some(series),
        };
        Some(at)
    }

    fn grow(&mut self) {
        let wider = vec![Place::default(); self.places.len() * 2];
        let mask = wider.len() - 1;
        for place in std::mem::replace(&mut self.places, wider) {
            if place.series.is_some() {
                let mut at = place.hash as usize & mask;
                while self.places[at].series.is_some() {
                    at = (at + 1) & mask;
                }
                self.places[at] = place;
            }
        }
    }

    /// Returns the series of all names beyond the limit.
    #[cold]
    fn other(&mut self, shared: &Shared, kind: Option<SpanKind>) -> &Arc<Series> {
        let at = usize::from(kind_number(kind));
        if self.others[at].is_none() {
            let key = Key {
                operation: None,
                kind,
            };
            self.others[at] = Some(self.new_series(shared, key));
        }
        self.others[at].as_ref().expect("made just now")
    }

    fn new_series(&self, shared: &Shared, key: Key) -> Arc<Series> {
        let series = Arc::new(Series::new(key, &shared.bounds));
        self.own.add(series.clone());
        series
    }
}

/// The thread ends, or its [`RedMetrics`](super::RedMetrics) is gone.
impl Drop for ThreadTable {
    fn drop(&mut self) {
        if self.generation == generation()
            && let Some(shared) = self.shared.upgrade()
        {
            shared.registry().retire(&self.own);
        }
    }
}

/// Returns the part of a name that counts: at most [`MAX_NAME_BYTES`].
#[inline]
pub(super) fn cut(name: &str) -> &str {
    beginning(name, MAX_NAME_BYTES)
}

#[inline]
fn kind_number(kind: Option<SpanKind>) -> u8 {
    kind.map_or(0, |kind| kind as u8 + 1)
}

/// Mixes eight bytes at a time. Names that an attacker makes collide cost a walk along at most as many places as there
/// are series.
#[inline]
fn hash(bytes: &[u8], kind: u8) -> u64 {
    let mut hash = (bytes.len() as u64) << 8 | u64::from(kind);
    let (words, rest) = bytes.as_chunks::<8>();
    for word in words {
        hash = mixed(hash, u64::from_le_bytes(*word));
    }
    let mut last = [0; 8];
    last[..rest.len()].copy_from_slice(rest);
    hash = mixed(hash, u64::from_le_bytes(last));
    hash ^ hash >> 32
}

#[inline]
fn mixed(hash: u64, word: u64) -> u64 {
    // The multiplier of FxHash: an odd number near 2^64 divided by pi.
    (hash.rotate_left(5) ^ word).wrapping_mul(0x517c_c1b7_2722_0a95)
}

/// No kind, and those of [`SpanKind::ALL`].
const KINDS: usize = 1 + SpanKind::ALL.len();
const FIRST_PLACES: usize = 32;
/// Longer names are counted by their beginning, so that memory is bounded.
const MAX_NAME_BYTES: usize = 256;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_name_is_cut_between_characters() {
        let long = "é".repeat(200);
        assert_eq!(cut(&long).len(), 256);
        assert_eq!(cut(&format!("x{long}")).len(), 255);
        assert_eq!(cut("short"), "short");
    }

    #[test]
    fn names_that_differ_hash_differently() {
        let names = [
            "",
            "a",
            "b",
            "ab",
            "ba",
            "aaaaaaaa",
            "aaaaaaab",
            "aaaaaaaaa",
            "aaaaaaaab",
        ];
        let mut hashes: Vec<_> = names
            .iter()
            .flat_map(|name| [hash(name.as_bytes(), 0), hash(name.as_bytes(), 1)])
            .collect();
        hashes.sort_unstable();
        hashes.dedup();
        assert_eq!(hashes.len(), 2 * names.len());
    }
}
