//! Spans that are active before they start.

use std::any::Any;
use std::fmt;
use std::sync::Arc;

use crate::span::Span;

/// A span that starts when it is asked for: by a child, by a reader of its context, or at its end.
pub(crate) trait Deferred: Any + Send + Sync + fmt::Debug {
    /// Returns a handle that does not own the span, once it has started.
    fn started(&self) -> Option<&Span>;

    /// Returns whether the span has ended. Then it is no longer active, wherever it was entered and not left.
    fn has_ended(&self) -> bool;

    /// Returns the parent if it is a deferred span that must start before this one.
    fn waits_for(&self) -> Option<Arc<dyn Deferred>>;

    /// Starts the span, whose parent has started, unless it has started already. Runs user code.
    ///
    /// Does nothing if this thread is just starting it. Waits for another thread that does, but not for ever.
    fn start(&self);
}

/// Starts a deferred span, and before it the deferred spans above it. Runs user code.
///
/// A loop, because a recursive function may have as many spans above each other as its stack has frames.
pub(crate) fn start_deferred(span: &dyn Deferred) {
    let mut above = Vec::new();
    let mut next = span.waits_for();
    while let Some(parent) = next {
        next = parent.waits_for();
        above.push(parent);
    }
    while let Some(parent) = above.pop() {
        parent.start();
    }
    span.start();
}

/// A deferred span on the stack of a thread, and who has put it there.
#[derive(Clone, Debug)]
pub(crate) struct DeferredEntry {
    pub(crate) span: Arc<dyn Deferred>,
    /// Tells the entries of different layers apart.
    pub(crate) layer: usize,
    /// The number of the span in its layer.
    pub(crate) id: u64,
    /// The thread was panicking when it entered the span.
    pub(crate) is_entered_in_panic: bool,
}

impl DeferredEntry {
    #[inline]
    pub(super) fn started(&self) -> Option<&Span> {
        self.span.started().filter(|_| !self.span.has_ended())
    }

    pub(super) fn has_ended(&self) -> bool {
        self.span.has_ended()
    }

    pub(super) fn start(&self) {
        start_deferred(&*self.span);
    }
}
