//! The orphans that were found so far in one process.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use crate::diagnostics::Subject;
use crate::model::Place;
use crate::watch::orphans::orphan::Orphan;

/// Counts of orphans, and one orphan of each place.
#[derive(Default)]
pub(super) struct Found {
    pub(super) proven: AtomicU64,
    pub(super) suspected: AtomicU64,
    /// The number of open spans. Only kept if orphans are suspected.
    pub(super) open: AtomicU64,
    by_place: Mutex<HashMap<Key, Orphan>>,
}

/// The place where the span starts, and the place where its work was spawned if that is known.
type Key = (Subject, Option<Place>);

/// The relation of a further orphan to the ones before.
pub(super) enum News {
    /// The first one of its place.
    First,
    /// The first one that is too many to be kept.
    FirstOfTooMany,
    Nothing,
}

impl Found {
    /// Counts an orphan.
    pub(super) fn add(&self, orphan: &Orphan) -> News {
        let counter = match orphan.is_proven() {
            true => &self.proven,
            false => &self.suspected,
        };
        counter.fetch_add(1, Ordering::Relaxed);
        let place = orphan.place.map(|place| (place.file(), place.line()));
        let subject = Subject::of(place, &orphan.operation_name);
        let mut by_place = self.by_place.lock().unwrap_or_else(PoisonError::into_inner);
        let is_full = by_place.len() >= MAX_PLACES;
        let key = (subject, orphan.spawned_at);
        if let Some(known) = by_place.get_mut(&key) {
            known.count += 1;
            return News::Nothing;
        }
        if !is_full {
            by_place.insert(key, orphan.clone());
            return News::First;
        }
        let others = by_place.entry((Subject::Other, None));
        let mut news = News::Nothing;
        others
            .and_modify(|others| others.count += 1)
            .or_insert_with(|| {
                news = News::FirstOfTooMany;
                orphan.clone()
            });
        news
    }

    /// Returns one orphan of each place, those that came most often first.
    pub(super) fn list(&self) -> Vec<Orphan> {
        let by_place = self.by_place.lock().unwrap_or_else(PoisonError::into_inner);
        let known = by_place
            .iter()
            .filter(|((subject, _), _)| *subject != Subject::Other);
        let mut list: Vec<_> = known.map(|(_, orphan)| orphan.clone()).collect();
        drop(by_place);
        list.sort_by_key(|orphan| std::cmp::Reverse(orphan.count));
        list
    }
}

const MAX_PLACES: usize = 1_000;
