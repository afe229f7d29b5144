//! Finds the series of a name by its address, which for a literal says as much as its text.

use std::sync::Arc;

use crate::model::SpanKind;
use crate::observer::red::series::Series;

/// A hash table of static names, with open addressing.
///
/// Static text lives as long as the program and does not change, so equal addresses and lengths mean equal names. Two
/// literals of one text have a place each, and share their series.
pub(super) struct StaticNames {
    /// A power of two of places, at most half of them taken.
    places: Vec<Place>,
    taken: usize,
}

#[derive(Clone)]
struct Place {
    address: usize,
    len: usize,
    kind: Option<SpanKind>,
    series: Option<Arc<Series>>,
}

const VACANT: Place = Place {
    address: 0,
    len: 0,
    kind: None,
    series: None,
};

impl StaticNames {
    pub(super) fn new() -> Self {
        Self {
            places: vec![VACANT; FIRST_PLACES],
            taken: 0,
        }
    }

    /// Returns the series of a name, or `None` if it is not here.
    #[inline]
    pub(super) fn find(&self, name: &'static str, kind: Option<SpanKind>) -> Option<&Series> {
        let mask = self.places.len() - 1;
        let (address, len) = (name.as_ptr().addr(), name.len());
        let mut at = hash(address, kind) & mask;
        loop {
            let place = self.places.get(at)?;
            let series = place.series.as_deref()?;
            if place.address == address && place.len == len && place.kind == kind {
                return Some(series);
            }
            at = (at + 1) & mask;
        }
    }

    /// Adds a name that is not here, unless there are too many.
    pub(super) fn add(&mut self, name: &'static str, kind: Option<SpanKind>, series: Arc<Series>) {
        if self.taken >= MAX_NAMES {
            return;
        }
        self.taken += 1;
        if self.taken * 2 > self.places.len() {
            let wider = vec![VACANT; self.places.len() * 2];
            for place in std::mem::replace(&mut self.places, wider) {
                if place.series.is_some() {
                    self.put(place);
                }
            }
        }
        self.put(Place {
            address: name.as_ptr().addr(),
            len: name.len(),
            kind,
            series: Some(series),
        });
    }

    fn put(&mut self, place: Place) {
        let mask = self.places.len() - 1;
        let mut at = hash(place.address, place.kind) & mask;
        while self.places[at].series.is_some() {
            at = (at + 1) & mask;
        }
        self.places[at] = place;
    }
}

#[inline]
fn hash(address: usize, kind: Option<SpanKind>) -> usize {
    let kind = kind.map_or(0, |kind| kind as u64 + 1);
    // Multiplied by an odd number near 2^64 divided by pi; the upper bits depend on all others.
    ((address as u64 + kind).wrapping_mul(0x517c_c1b7_2722_0a95) >> 32) as usize
}

const FIRST_PLACES: usize = 32;
/// A program that leaks names without end finds them by their text.
const MAX_NAMES: usize = 4_096;
