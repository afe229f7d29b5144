//! The mark on work that was spawned while something was active.

use std::cell::RefCell;
use std::fmt;
use std::panic::Location;
use std::sync::Arc;

use crate::diagnostics::Quoted;
use crate::model::TraceId;
use crate::scope::{active_context, active_span};

/// The place at which work was spawned, and what was active there.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Loss {
    pub(super) place: &'static Location<'static>,
    /// The name of the active span. `None` if only the context of another process was active.
    pub(super) active_span: Option<String>,
    pub(super) trace_id: TraceId,
    /// The work itself was spawned elsewhere, by work that has this mark.
    pub(super) is_inherited: bool,
}

impl Loss {
    /// Returns the mark of work that is spawned at `place` now. `None` if nothing can be lost: neither a span nor a
    /// context is active, and the spawning work has no mark.
    pub(super) fn of_work_spawned_at(place: &'static Location<'static>) -> Option<Arc<Self>> {
        let span = active_span();
        let context = match span.is_noop() {
            true => active_context(),
            false => span.context(),
        };
        match context.trace_id() {
            Some(trace_id) => Some(Arc::new(Self {
                place,
                active_span: span.slot().map(|slot| cut(&slot.operation_name())),
                trace_id,
                is_inherited: false,
            })),
            None => current().map(|mark| match mark.is_inherited {
                true => mark,
                false => Arc::new(Self {
                    is_inherited: true,
                    ..(*mark).clone()
                }),
            }),
        }
    }
}

impl fmt::Display for Loss {
    /// Writes `its work was spawned at src/main.rs:12 while "checkout" was active`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let work = match self.is_inherited {
            true => "its work descends from work that was spawned",
            false => "its work was spawned",
        };
        let (file, line) = (self.place.file(), self.place.line());
        write!(f, "{work} at {file}:{line} while ")?;
        match &self.active_span {
            Some(name) => write!(f, "{} was active", Quoted(name)),
            None => write!(f, "a context of trace {} was active", self.trace_id),
        }
    }
}

thread_local! {
    /// The mark of the work that runs on this thread now.
    static CURRENT: RefCell<Option<Arc<Loss>>> = const { RefCell::new(None) };
}

/// Returns the mark of the work that runs on this thread.
pub(super) fn current() -> Option<Arc<Loss>> {
    let mark = CURRENT.try_with(|current| current.try_borrow().ok()?.clone());
    mark.ok().flatten()
}

/// Replaces the mark of the work that runs on this thread. Returns the one before.
pub(super) fn set(mark: Option<Arc<Loss>>) -> Option<Arc<Loss>> {
    let before = CURRENT.try_with(|current| {
        let mut current = current.try_borrow_mut().ok()?;
        std::mem::replace(&mut *current, mark)
    });
    before.ok().flatten()
}

/// Marks the work that runs on this thread until this is dropped.
pub(super) struct Marked {
    before: Option<Arc<Loss>>,
}

impl Marked {
    pub(super) fn new(mark: Option<Arc<Loss>>) -> Self {
        Self { before: set(mark) }
    }
}

impl Drop for Marked {
    fn drop(&mut self) {
        drop(set(self.before.take()));
    }
}

fn cut(name: &str) -> String {
    name.chars().take(MAX_CHARS).collect()
}

const MAX_CHARS: usize = 100;
