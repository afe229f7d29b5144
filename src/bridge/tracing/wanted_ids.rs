//! A switch that tells whether log lines ask for the ids of spans.

use std::sync::atomic::{AtomicBool, Ordering};

/// This is true once a format asks for ids, perhaps for those of a span that has just ended.
static ARE_WANTED: AtomicBool = AtomicBool::new(false);

/// Makes spans keep their ids until the registry lets go of them, for lines about their close.
pub(in crate::bridge) fn want_ids() {
    ARE_WANTED.store(true, Ordering::Relaxed);
}

#[inline]
pub(super) fn are_ids_wanted() -> bool {
    ARE_WANTED.load(Ordering::Relaxed)
}
