//! The stack of active spans and contexts of a thread. Scopes may be dropped in any order, and during the thread's end.

use std::cell::{Cell, RefCell};
use std::mem::{self, ManuallyDrop};

use crate::scope::active::{Active, ActiveRef};
use crate::scope::deferred::DeferredEntry;
use crate::scope::foreign::{self, Mark};
#[cfg(feature = "tower")]
use crate::scope::role::Role;
use crate::span::Span;

/// An entry, and the mark that another library had when it was pushed.
type Entry = (Active, Mark);

/// Entries in the order of their ids. An entry that is removed from the middle leaves a gap; the last entry is no gap.
struct Stack {
    entries: Vec<(u64, Option<Entry>)>,
    gaps: usize,
    next_id: u64,
    /// Number of entries that were moved or skipped so far.
    #[cfg(test)]
    steps: usize,
}

thread_local! {
    /// Never destroyed, so that spans that start in the destructors of other thread-locals find their parent. [`END`]
    /// frees its memory.
    static STACK: RefCell<ManuallyDrop<Stack>> = const { RefCell::new(ManuallyDrop::new(Stack::new())) };
    /// Number of entries. If it is 0, the stack is not touched.
    static DEPTH: Cell<usize> = const { Cell::new(0) };
    /// Number of entries that are deferred spans.
    static DEFERRED: Cell<usize> = const { Cell::new(0) };
    static IS_ENDING: Cell<bool> = const { Cell::new(false) };
    /// Destroyed when the thread ends, if the thread has had a scope.
    static END: End = const { End };
}

struct End;

impl Drop for End {
    /// Frees the memory of an empty stack now, and has the last scope free it if there are scopes left.
    fn drop(&mut self) {
        IS_ENDING.set(true);
        let freed = with_stack(Stack::free_if_empty);
        drop(freed);
    }
}

/// Puts an entry on top and returns its id. Returns `None` if the stack is in use, which a correct caller never sees.
pub(crate) fn push(active: Active) -> Option<u64> {
    debug_assert!(
        !matches!(active, Active::Deferred(_)),
        "it is not counted here"
    );
    push_made(foreign::mark(), || active)
}

/// Puts a deferred span on top, in place of those on top that have ended: a thread keeps them if the span is left on
/// another one.
#[cfg(feature = "tracing")]
pub(crate) fn push_deferred(entry: DeferredEntry) {
    if with_stack(|stack| stack.top().is_some_and(Active::has_ended)).unwrap_or(false) {
        remove_ended();
    }
    if push_made(foreign::mark(), || Active::Deferred(entry)).is_some() {
        DEFERRED.set(DEFERRED.get() + 1);
    }
}

/// Removes all deferred spans on top that have ended.
#[cfg(feature = "tracing")]
#[cold]
fn remove_ended() {
    while let Some(id) = with_stack(|stack| stack.ended_top()).flatten() {
        drop(remove_entry(id));
    }
}

/// Like [`push`], for a span, which is one word to move: an entry has nine.
pub(super) fn push_span(span: Span) -> Option<u64> {
    push_made(foreign::mark(), || Active::Span(span))
}

/// Moves the span of a request to the top and returns its id. If the stack is in use, the span stays where it is.
#[cfg(feature = "tower")]
#[inline(always)]
pub(super) fn lend(span: &mut Span, role: Role) -> Option<u64> {
    push_made(foreign::mark(), || Active::Request(mem::take(span), role))
}

#[inline(always)]
fn push_made(mark: Mark, make: impl FnOnce() -> Active) -> Option<u64> {
    with_stack(|stack| {
        if stack.entries.capacity() == 0 {
            begin_stack();
        }
        let id = stack.push((make(), mark));
        DEPTH.set(stack.entries.len());
        id
    })
}

/// Frees the memory of the stack when the thread ends.
#[cold]
fn begin_stack() {
    // If `END` has been destroyed already, the last scope frees the memory.
    let _ = END.try_with(|_| ());
}

/// Removes an entry, which need not be on top.
// What was removed is dropped after the borrow of the stack has ended: dropping the last handle of a span may run user
// code.
#[inline(always)]
pub(crate) fn remove(id: u64) {
    let top = with_stack(|stack| {
        stack.take_top(id, |active| match active {
            Active::Span(span) => Some(mem::take(span)),
            _ => None,
        })
    });
    match top.flatten() {
        Some(span) => drop(span),
        None => remove_any(id),
    }
}

#[inline(never)]
fn remove_any(id: u64) {
    drop(remove_entry(id));
}

/// Removes a span that was [lent](lend), which need not be on top, and returns it with what has become of its role.
#[cfg(feature = "tower")]
#[inline(always)]
pub(super) fn take_back(id: u64) -> Option<(Span, Role)> {
    let top = with_stack(|stack| {
        stack.take_top(id, |active| match active {
            Active::Request(span, role) => Some((mem::take(span), *role)),
            _ => None,
        })
    });
    match top.flatten() {
        Some(lent) => Some(lent),
        None => take_back_any(id),
    }
}

#[cfg(feature = "tower")]
#[inline(never)]
fn take_back_any(id: u64) -> Option<(Span, Role)> {
    match remove_entry(id) {
        Some((Active::Request(span, role), _)) => Some((span, role)),
        _ => None,
    }
}

/// Calls `look` with the spans of requests, the uppermost first, until it returns something. `look` must not use the
/// stack.
#[cfg(feature = "tower")]
pub(super) fn find_request<R>(mut look: impl FnMut(&Span, &mut Role) -> Option<R>) -> Option<R> {
    if DEPTH.get() == 0 {
        return None;
    }
    let found = with_stack(|stack| {
        let mut entries = stack.entries.iter_mut().rev();
        entries.find_map(|(_, entry)| match entry {
            Some((Active::Request(span, role), _)) => look(span, role),
            _ => None,
        })
    });
    found.flatten()
}

#[inline(always)]
fn remove_entry(id: u64) -> Option<Entry> {
    let removed = with_stack(|stack| {
        let removed = stack.remove(id);
        DEPTH.set(stack.entries.len());
        if IS_ENDING.get() {
            drop(stack.free_if_empty());
        }
        removed
    });
    let removed = removed.flatten();
    if let Some((Active::Deferred(_), _)) = &removed {
        DEFERRED.set(DEFERRED.get().saturating_sub(1));
    }
    removed
}

/// Calls `look` with what was activated last: the span or context on top, or what is active in another library. `look`
/// must not use the stack.
///
/// A deferred span on top starts before, which runs user code.
#[inline(always)]
pub(crate) fn top<R>(look: impl FnOnce(Option<ActiveRef<'_>>) -> R) -> R {
    if let Some(active) = foreign::activated_after::<Active>(top_mark) {
        return look(active.started());
    }
    if DEPTH.get() == 0 {
        return look(None);
    }
    if has_deferred() {
        return top_of_deferred(look);
    }
    look_at(look, Stack::top_plain)
}

/// Returns whether a deferred span is on the stack. Without one, a look asks no entry whether it has started.
#[inline(always)]
fn has_deferred() -> bool {
    cfg!(feature = "tracing") && DEFERRED.get() > 0
}

#[inline(never)]
fn top_of_deferred<R>(look: impl FnOnce(Option<ActiveRef<'_>>) -> R) -> R {
    let waiting = with_stack(|stack| match stack.top() {
        Some(Active::Deferred(entry)) if entry.started().is_none() => Some(entry.clone()),
        _ => None,
    });
    match waiting.flatten() {
        Some(entry) => start_and_look(&entry, look),
        None => look_at(look, |stack| stack.top().and_then(Active::started)),
    }
}

/// Calls `look` with what `find` finds on the stack.
#[inline(always)]
fn look_at<R>(
    look: impl FnOnce(Option<ActiveRef<'_>>) -> R,
    find: impl FnOnce(&Stack) -> Option<ActiveRef<'_>>,
) -> R {
    let mut look = Some(look);
    let seen = with_stack(|stack| look.take().map(|look| look(find(stack))));
    match (seen.flatten(), look) {
        (Some(result), _) => result,
        (None, Some(look)) => look(None),
        (None, None) => unreachable!("a look that was taken has given a result"),
    }
}

/// Starts a deferred span outside of the borrow of the stack, and looks then.
///
/// While this thread starts the span, a sampler may look for its parent: it finds the entry below.
#[cold]
#[inline(never)]
fn start_and_look<R>(entry: &DeferredEntry, look: impl FnOnce(Option<ActiveRef<'_>>) -> R) -> R {
    entry.start();
    look_at(look, Stack::top_started)
}

/// Like [`top`], but a deferred span is shown as it is and does not start. One that has ended is passed over. `look`
/// must not use the stack.
pub(crate) fn peek<R>(look: impl FnOnce(Option<&Active>) -> R) -> Option<R> {
    if let Some(active) = foreign::activated_after::<Active>(top_mark) {
        return Some(look(Some(&active)));
    }
    with_stack(|stack| look(stack.top_open()))
}

/// Removes the uppermost entry of a deferred span that `is_it` accepts, and returns it.
#[cfg(feature = "tracing")]
pub(crate) fn remove_deferred(is_it: impl Fn(&DeferredEntry) -> bool) -> Option<DeferredEntry> {
    let find = |stack: &mut Stack| match stack.take_top_deferred(&is_it) {
        Some(entry) => Ok(entry),
        None => Err(stack.id_of_deferred(&is_it)),
    };
    let id = match with_stack(find)? {
        Ok(entry) => return Some(entry),
        Err(id) => id?,
    };
    match remove_entry(id) {
        Some((Active::Deferred(entry), _)) => Some(entry),
        _ => None,
    }
}

/// Returns the mark of the entry on top.
fn top_mark() -> Option<Mark> {
    if DEPTH.get() == 0 {
        return None;
    }
    with_stack(|stack| stack.top_entry().map(|(_, mark)| *mark)).flatten()
}

#[inline(always)]
fn with_stack<R>(f: impl FnOnce(&mut Stack) -> R) -> Option<R> {
    STACK
        .try_with(|stack| Some(f(&mut *stack.try_borrow_mut().ok()?)))
        .ok()
        .flatten()
}

impl Stack {
    const fn new() -> Self {
        Self {
            entries: Vec::new(),
            gaps: 0,
            next_id: 0,
            #[cfg(test)]
            steps: 0,
        }
    }

    #[inline(always)]
    fn push(&mut self, entry: Entry) -> u64 {
        let id = self.next_id;
        self.next_id += 1;
        self.entries.push((id, Some(entry)));
        id
    }

    /// Removes the entry on top if it has this id, is on top of another, and `take` takes its span: the usual end of a
    /// scope, without a move of the whole entry.
    #[inline(always)]
    fn take_top<T>(&mut self, id: u64, take: impl FnOnce(&mut Active) -> Option<T>) -> Option<T> {
        let len = self.entries.len();
        let (last, Some((active, _))) = self.entries.last_mut()? else {
            return None;
        };
        if *last != id || self.gaps > 0 || IS_ENDING.get() {
            return None;
        }
        let taken = take(active)?;
        // Forgotten, not dropped: the no-op span is left in it, and a drop would ask for the kind of the entry.
        mem::forget(self.entries.pop());
        DEPTH.set(len - 1);
        Some(taken)
    }

    /// Removes the entry on top if it is a deferred span that `is_it` accepts and is on top of another. Spans of
    /// `tracing` usually end this way.
    #[cfg(feature = "tracing")]
    #[inline(always)]
    fn take_top_deferred(
        &mut self,
        is_it: impl Fn(&DeferredEntry) -> bool,
    ) -> Option<DeferredEntry> {
        let (_, Some((Active::Deferred(entry), _))) = self.entries.last()? else {
            return None;
        };
        if !is_it(entry) || self.gaps > 0 || IS_ENDING.get() {
            return None;
        }
        let popped = self.entries.pop();
        DEPTH.set(self.entries.len());
        DEFERRED.set(DEFERRED.get().saturating_sub(1));
        match popped {
            Some((_, Some((Active::Deferred(entry), _)))) => Some(entry),
            _ => None,
        }
    }

    /// Returns the id of the uppermost deferred span that `is_it` accepts.
    #[cfg(feature = "tracing")]
    fn id_of_deferred(&self, is_it: impl Fn(&DeferredEntry) -> bool) -> Option<u64> {
        let mut entries = self.entries.iter().rev();
        entries.find_map(|(id, active)| match active {
            Some((Active::Deferred(entry), _)) if is_it(entry) => Some(*id),
            _ => None,
        })
    }

    /// Returns the id of the entry on top if it is a deferred span that has ended.
    #[cfg(feature = "tracing")]
    fn ended_top(&self) -> Option<u64> {
        let (id, entry) = self.entries.last()?;
        let (active, _) = entry.as_ref()?;
        active.has_ended().then_some(*id)
    }

    fn remove(&mut self, id: u64) -> Option<Entry> {
        if self.entries.last().is_some_and(|(last, _)| *last == id) {
            let removed = self.entries.pop().and_then(|(_, entry)| entry);
            while let Some((_, None)) = self.entries.last() {
                self.entries.pop();
                self.gaps -= 1;
                self.step(1);
            }
            return removed;
        }
        let place = self.entries.binary_search_by_key(&id, |(id, _)| *id).ok()?;
        let removed = self.entries[place].1.take()?;
        self.gaps += 1;
        // Half of the entries were removed since the last time, so each removal pays for two steps.
        if self.gaps > self.entries.len() / 2 {
            self.step(self.entries.len());
            self.entries.retain(|(_, entry)| entry.is_some());
            self.gaps = 0;
        }
        Some(removed)
    }

    #[inline(always)]
    fn top(&self) -> Option<&Active> {
        self.top_entry().map(|(active, _)| active)
    }

    /// Returns the span or context on top, which is not deferred.
    #[inline(always)]
    fn top_plain(&self) -> Option<ActiveRef<'_>> {
        match self.top()? {
            Active::Span(span) | Active::Request(span, _) => Some(ActiveRef::Span(span)),
            Active::Context(context) => Some(ActiveRef::Context(context)),
            Active::Deferred(_) => None,
        }
    }

    #[inline(always)]
    fn top_entry(&self) -> Option<&Entry> {
        self.entries.last().and_then(|(_, entry)| entry.as_ref())
    }

    /// Returns the uppermost entry that is not a deferred span which has ended. A thread that leaves its scopes by
    /// `mem::forget`, or after its layer was replaced, keeps such entries.
    fn top_open(&self) -> Option<&Active> {
        let mut entries = self.entries.iter().rev();
        entries.find_map(|(_, entry)| {
            let (active, _) = entry.as_ref()?;
            (!active.has_ended()).then_some(active)
        })
    }

    /// Returns the uppermost span or context, without the deferred spans that have not started.
    fn top_started(&self) -> Option<ActiveRef<'_>> {
        let mut entries = self.entries.iter().rev();
        entries.find_map(|(_, entry)| entry.as_ref()?.0.started())
    }

    /// Takes the memory of the stack if the stack is empty.
    fn free_if_empty(&mut self) -> Vec<(u64, Option<Entry>)> {
        if self.entries.is_empty() {
            mem::take(&mut self.entries)
        } else {
            Vec::new()
        }
    }

    #[cfg(test)]
    fn step(&mut self, steps: usize) {
        self.steps += steps;
    }

    #[cfg(not(test))]
    fn step(&mut self, _: usize) {}
}

#[cfg(test)]
mod tests;
