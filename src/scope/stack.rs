//! The stack of what is active on a thread. It survives drops out of order, and its own destruction.

use std::cell::{Cell, RefCell};

use crate::span::{Span, SpanContext};

/// What can be active.
#[derive(Clone, Debug)]
pub(crate) enum Active {
    /// A handle that does not own.
    Span(Span),
    Context(SpanContext),
}

#[derive(Default)]
struct Stack {
    entries: Vec<(u64, Active)>,
    next_id: u64,
}

thread_local! {
    static STACK: RefCell<Stack> = const { RefCell::new(Stack { entries: Vec::new(), next_id: 0 }) };
    /// How many entries the stack has: where there are none, nobody looks at it.
    static DEPTH: Cell<usize> = const { Cell::new(0) };
}

/// Puts an entry on top; `None` while the thread is torn down.
pub(crate) fn push(active: Active) -> Option<u64> {
    with_stack(|stack| {
        let id = stack.next_id;
        stack.next_id += 1;
        stack.entries.push((id, active));
        DEPTH.set(stack.entries.len());
        id
    })
}

/// Takes an entry away, wherever it is by now.
pub(crate) fn remove(id: u64) {
    let removed = with_stack(|stack| {
        let place = stack.entries.iter().rposition(|(entry, _)| *entry == id)?;
        let removed = stack.entries.remove(place);
        DEPTH.set(stack.entries.len());
        Some(removed)
    });
    // Only now: dropping the last handle to a span may run code of the user's.
    drop(removed);
}

/// Looks at the entry on top. `look` must not touch the stack.
#[inline(always)]
pub(crate) fn top<R>(look: impl FnOnce(Option<&Active>) -> R) -> R {
    if DEPTH.get() == 0 {
        return look(None);
    }
    let mut look = Some(look);
    let seen = with_stack(|stack| {
        look.take()
            .map(|look| look(stack.entries.last().map(|(_, active)| active)))
    });
    match (seen.flatten(), look) {
        (Some(result), _) => result,
        (None, Some(look)) => look(None),
        (None, None) => unreachable!("a look that was taken has given a result"),
    }
}

#[inline(always)]
fn with_stack<R>(f: impl FnOnce(&mut Stack) -> R) -> Option<R> {
    STACK
        .try_with(|stack| Some(f(&mut *stack.try_borrow_mut().ok()?)))
        .ok()
        .flatten()
}
