//! What a forked child must not share with its parent.
//!
//! A child of `fork` has one thread and a copy of everything else: of locks too, held by threads that it does not have.
//! So what is behind a lock is kept once for each process of a line of forks; a child begins with a new one, never looks
//! at the lock of the old one but by trying, and never frees what the old one holds, which may be half changed.

use std::fmt;
use std::mem;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;

/// How many forks lie between this process and the first one that used this library.
static GENERATION: AtomicU32 = AtomicU32::new(0);

/// Differs between a process and all that it was forked from.
#[inline]
pub(crate) fn generation() -> u32 {
    // Relaxed: it changes while there is one thread.
    GENERATION.load(Ordering::Relaxed)
}

/// This process has just been forked. Called by its only thread, from a handler that may do next to nothing.
pub(crate) fn begin_generation() {
    GENERATION.fetch_add(1, Ordering::Relaxed);
}

/// A value for each process.
pub(crate) struct PerProcess<T: 'static> {
    generation: u32,
    /// None only while it is dropped.
    value: Option<T>,
    /// One is enough, unless a process is forked in the instant in which another of its threads makes one.
    successors: [Successor<T>; 2],
}

/// The value of a process further down the line.
struct Successor<T: 'static> {
    /// The generation that makes it, or has made it; zero where none does.
    claimed_by: AtomicU32,
    /// Set by the one thread that has claimed it, so nobody ever waits inside of it.
    made: OnceLock<Box<PerProcess<T>>>,
}

impl<T> PerProcess<T> {
    /// A value of this process.
    pub(crate) fn new(value: T) -> Self {
        Self::of(generation(), value)
    }

    /// A value of the first process of the line, for statics.
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

    /// The value of this process; where there is none yet, what `inherit` makes of the one that was inherited.
    ///
    /// `inherit` may only try the locks of what it is given, and must not come here again.
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
                // Acquire: the claim itself guards nothing, but pairs with the exchange below.
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
                    // Who has claimed it was not copied by the fork: it will never be made.
                    None => {}
                }
            }
            // Two such instants in one line of processes: this one does not wait, and remembers nothing.
            return Box::leak(Box::new(inherit(node.value())));
        }
    }

    fn value(&self) -> &T {
        self.value.as_ref().expect("there until it is dropped")
    }
}

impl<T> Successor<T> {
    /// Another thread of this process makes it just now.
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
        unreachable!("there is a value")
    }

    #[test]
    fn each_process_of_a_line_has_a_value_of_its_own() {
        let first = PerProcess::of_first(10);
        assert_eq!(*first.find(1, |inherited| inherited + 1), 11);
        assert_eq!(*first.find(1, never), 11);
        // The second child of the line never asked.
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
        // And once more down the line.
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
