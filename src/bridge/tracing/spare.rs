//! The memory of spans that have ended, which the next spans of the thread use again.

use std::cell::RefCell;
use std::sync::Arc;

use crate::bridge::tracing::deferred_span::DeferredSpan;

thread_local! {
    static SPARE: RefCell<Vec<Arc<DeferredSpan>>> = const { RefCell::new(Vec::new()) };
}

/// Returns an empty span to which there is no other handle.
pub(super) fn take() -> Arc<DeferredSpan> {
    let spare = SPARE.try_with(|spare| spare.try_borrow_mut().ok()?.pop());
    spare.ok().flatten().unwrap_or_default()
}

/// Keeps the memory of a span that has ended, unless something else holds it.
pub(super) fn keep(mut span: Arc<DeferredSpan>) {
    if let Some(alone) = Arc::get_mut(&mut span) {
        alone.reset();
        let _ = SPARE.try_with(|spare| {
            if let Ok(mut spare) = spare.try_borrow_mut()
                && spare.len() < MOST_SPARE
            {
                spare.push(span);
            }
        });
    }
}

const MOST_SPARE: usize = 32;
