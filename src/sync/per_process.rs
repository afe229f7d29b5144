//! Values that a forked child must not share with its parent.
//!
//! `fork` gives the child one thread and a copy of all memory, including locks held by threads that the child does not
//! have. Values behind locks are therefore kept once for each process in a line of forks. A forked child makes a value
//! of its own, only tries the locks of the inherited one, and never frees the inherited one, which may be half changed.

use std::fmt;
use std::mem;
use std::sync::OnceLock;
#[cfg(all(unix, any(not(miri), feature = "signals")))]
use std::sync::atomic::AtomicBool;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;

/// The number of forks between this process and the first one that used this library.
static GENERATION: AtomicU32 = AtomicU32::new(0);

/// Returns a number that differs between a process and every process it was forked from.
#[inline]
pub(crate) fn generation() -> u32 {
    // Relaxed: it changes only while the process has one thread.
    GENERATION.load(Ordering::Relaxed)
}

/// Starts a new generation in a process that was just forked. Its only thread calls this from a fork handler, where
/// almost nothing is allowed.
#[cfg(all(unix, not(miri)))]
pub(crate) fn begin_generation() {
    GENERATION.fetch_add(1, Ordering::Relaxed);
    LEAVES_SIGNALS.store(true, Ordering::Relaxed);
}

/// Whether the signal handlers of this library take the default action: in a forked child, where nobody waits for them.
#[cfg(all(unix, any(not(miri), feature = "signals")))]
pub(crate) static LEAVES_SIGNALS: AtomicBool = AtomicBool::new(false);

/// A value of which each process of a line of forks has its own.
pub(crate) struct PerProcess<T: 'static> {
    generation: u32,
    /// `None` only during drop.
    value: Option<T>,
    /// One place is enough, unless the process forks in the instant in which another thread fills one.
    successors: [Successor<T>; 2],
}

/// A place for the value of a process further down the line.
struct Successor<T: 'static> {
    /// The generation that makes or has made the value, or zero.
    claimed_by: AtomicU32,
    /// Set by the one thread whose claim succeeded, so no thread ever blocks in the `OnceLock`.
    made: OnceLock<Box<PerProcess<T>>>,
}

impl<T> PerProcess<T> {
    /// Wraps the value of this process.
    pub(crate) fn new(value: T) -> Self {
        Self::of(generation(), value)
    }

    /// Wraps the value of the first process of the line, for statics.
    pub(crate) const fn of_first(value: T) -> Self {
        Self::of(0, value)
    }

    const fn of(generation: u32, value: T) -> Self {
        Self {
            generation,
            value: Some(value),
            successors: [const {
                Successor {
                    claimed_by: AtomicU32::new(0),
                    made: OnceLock::new(),
                }
            }; 2],
        }
    }

    /// Returns the value of this process. If there is none yet, `inherit` makes one from the inherited value.
    ///
    /// `inherit` may only try the locks in the inherited value, and must not call `get` again.
    #[inline]
    pub(crate) fn get(&self, inherit: impl FnOnce(&T) -> T) -> &T {
        let now = generation();
        if self.generation == now {
            return self.value();
        }
        self.find(now, inherit)
    }

    #[cold]
    fn find(&self, now: u32, inherit: impl FnOnce(&T) -> T) -> &T {
        let mut node = self;
        'line: loop {
            for successor in &node.successors {
                // Acquire: pairs with the exchange below.
                let mut claimed_by = successor.claimed_by.load(Ordering::Acquire);
                if claimed_by == 0 {
                    match successor.claimed_by.compare_exchange(
                        0,
                        now,
                        Ordering::AcqRel,
                        Ordering::Acquire,
                    ) {
                        Ok(_) => {
                            let make = || Box::new(Self::of(now, inherit(node.value())));
                            return successor.made.get_or_init(make).value();
                        }
                        Err(other) => claimed_by = other,
                    }
                }
                match successor.made.get() {
                    Some(made) if claimed_by == now => return made.value(),
                    Some(older) => {
                        node = older;
                        continue 'line;
                    }
                    None if claimed_by == now => return successor.wait(),
                    // The fork did not copy the claiming thread: this value will never be made.
                    None => {}
                }
            }
            // Both places are lost to such an instant. This process makes a value for each call and leaks it.
            return Box::leak(Box::new(inherit(node.value())));
        }
    }

    fn value(&self) -> &T {
        self.value.as_ref().expect("present until drop")
    }
}

impl<T> Successor<T> {
    /// Waits for another thread of this process that is making the value.
    fn wait(&self) -> &T {
        loop {
            if let Some(made) = self.made.get() {
                return made.value();
            }
            thread::yield_now();
        }
    }
}

impl<T> Drop for PerProcess<T> {
    fn drop(&mut self) {
        if self.generation != generation() {
            mem::forget(self.value.take());
        }
    }
}

impl<T> fmt::Debug for PerProcess<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PerProcess")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::AtomicUsize;
    use std::sync::{Arc, Barrier};

    fn never(_: &u32) -> u32 {
        unreachable!("a value exists")
    }

    #[test]
    fn each_process_of_a_line_has_a_value_of_its_own() {
        let first = PerProcess::of_first(10);
        assert_eq!(*first.find(1, |inherited| inherited + 1), 11);
        assert_eq!(*first.find(1, never), 11);
        // The second process of the line never asked for a value.
        assert_eq!(*first.find(3, |inherited| inherited + 1), 12);
        assert_eq!(*first.find(4, |inherited| inherited + 1), 13);
        assert_eq!(*first.find(4, never), 13);
        assert_eq!(*PerProcess::new(1).get(never), 1);
    }

    #[test]
    fn threads_that_ask_at_once_get_one_value() {
        for now in 1..50 {
            let (first, made) = (PerProcess::of_first(0), AtomicUsize::new(0));
            let barrier = Barrier::new(3);
            thread::scope(|scope| {
                for _ in 0..3 {
                    scope.spawn(|| {
                        barrier.wait();
                        let value = first.find(now, |_| {
                            made.fetch_add(1, Ordering::Relaxed);
                            7
                        });
                        assert_eq!(*value, 7);
                    });
                }
            });
            assert_eq!(made.load(Ordering::Relaxed), 1);
        }
    }

    #[test]
    fn a_forked_child_does_not_wait_for_a_value_that_its_parent_was_making() {
        let first = PerProcess::of_first(10);
        first.successors[0].claimed_by.store(1, Ordering::Relaxed);
        assert_eq!(*first.find(2, |inherited| inherited + 1), 11);
        assert_eq!(*first.find(2, never), 11);
        // Further down the line, with both places lost.
        let second = first.successors[1].made.get().expect("made");
        for successor in &second.successors {
            successor.claimed_by.store(3, Ordering::Relaxed);
        }
        assert_eq!(*first.find(4, |inherited| inherited + 1), 12);
    }

    #[test]
    fn an_inherited_value_is_never_freed() {
        let (own, inherited) = (Arc::new(()), Arc::new(()));
        drop(PerProcess::new(own.clone()));
        drop(PerProcess::of(generation() + 1, inherited.clone()));
        assert_eq!(Arc::strong_count(&own), 1);
        assert_eq!(Arc::strong_count(&inherited), 2);
    }
}
