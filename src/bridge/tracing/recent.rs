//! The span that a thread made or left last, which saves most look-ups in the registry.

use std::cell::Cell;
use std::sync::Arc;

use crate::bridge::tracing::deferred_span::DeferredSpan;
use crate::scope::Deferred as _;

/// A span, and the number by which its registry calls it.
struct Recent {
    id: u64,
    span: Arc<DeferredSpan>,
}

thread_local! {
    static RECENT: Cell<Option<Recent>> = const { Cell::new(None) };
}

/// Remembers a span in place of the one before. It holds no tracer once it has started.
#[inline]
pub(super) fn remember(id: u64, span: Arc<DeferredSpan>) {
    let recent = Some(Recent { id, span });
    // The one before is dropped when the place is set: its memory may be freed.
    let before = RECENT.try_with(|place| place.replace(recent));
    drop(before);
}

/// Takes the span out if it is the one with this number in this layer and has not ended. The registry gives the numbers
/// of ended spans to new ones.
#[inline]
pub(super) fn take(layer: usize, id: u64) -> Option<Arc<DeferredSpan>> {
    let taken = RECENT.try_with(|place| {
        let recent = place.take()?;
        if recent.id == id && recent.span.is_of(layer) && !recent.span.has_ended() {
            return Some(recent.span);
        }
        place.set(Some(recent));
        None
    });
    taken.ok().flatten()
}
