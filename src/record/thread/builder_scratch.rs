//! Memory for the tags and options of a span builder, used again by the thread's next builder.
//!
//! The tags borrow from the caller of the builder, but their memory outlives that borrow. So they are stored with
//! `'static` lifetimes, which are a lie, and handed out with the true ones.

use std::cell::Cell;
use std::marker::PhantomData;
use std::mem::{self, MaybeUninit};
use std::ops::{Deref, DerefMut};
use std::ptr;
use std::slice;

use crate::model::TagRef;

/// Borrowed tags and an `S`, in memory that is used again once it is [emptied](Self::emptied).
///
/// The number of tags is in this handle and not in the memory: a builder passes it on in a register, so in a chain of
/// calls the compiler knows where each tag goes.
pub(crate) struct BuilderScratch<'a, S> {
    storage: Box<Storage<S>>,
    /// The number of tags in `storage.first`.
    count: usize,
    borrows: PhantomData<(&'a str, TagRef<'a>)>,
}

/// Scratch without tags.
#[derive(Default)]
pub(crate) struct EmptyScratch<S>(Box<Storage<S>>);

/// The memory of the scratch.
///
/// The `'static` lifetimes of the tags are a lie: only [`BuilderScratch::tags`] hands them out, with their true
/// lifetime.
struct Storage<S> {
    first: [MaybeUninit<LentTag>; FIRST],
    /// All tags, if they are more than `first` has room for.
    many: Vec<LentTag>,
    rest: S,
}

type LentTag = (&'static str, TagRef<'static>);

/// The room for tags without an allocation. Few spans start with more.
const FIRST: usize = 16;

impl<'a, S> BuilderScratch<'a, S> {
    /// Adds a tag.
    #[inline(always)]
    pub(crate) fn push(&mut self, key: &'a str, value: TagRef<'a>) {
        // SAFETY: the types differ in lifetimes only. The scratch borrows for `'a`, hands tags out for no longer than
        // that, and hands none out again after it was emptied. Dropping a tag does nothing.
        let tag = unsafe {
            (
                mem::transmute::<&'a str, &'static str>(key),
                mem::transmute::<TagRef<'a>, TagRef<'static>>(value),
            )
        };
        match self.storage.first.get_mut(self.count) {
            Some(place) => {
                place.write(tag);
                self.count += 1;
            }
            None => self.push_to_many(tag),
        }
    }

    #[cold]
    #[inline(never)]
    fn push_to_many(&mut self, tag: LentTag) {
        let Storage { first, many, .. } = &mut *self.storage;
        if many.is_empty() {
            // SAFETY: all places of `first` have been written.
            many.extend(unsafe { written(first, FIRST) });
        }
        many.push(tag);
    }

    /// Returns the tags.
    #[inline(always)]
    pub(crate) fn tags(&self) -> &[(&'a str, TagRef<'a>)] {
        if self.count < FIRST {
            self.first()
        } else {
            self.all()
        }
    }

    #[inline(always)]
    fn first(&self) -> &[LentTag] {
        // SAFETY: the first `count` have been written.
        unsafe { written(&self.storage.first, self.count) }
    }

    #[cold]
    #[inline(never)]
    fn all(&self) -> &[LentTag] {
        if self.storage.many.is_empty() {
            self.first()
        } else {
            &self.storage.many
        }
    }

    /// Drops the tags and keeps their memory, for up to [`KEPT`] tags.
    #[inline(always)]
    pub(crate) fn emptied(mut self) -> EmptyScratch<S> {
        if self.count >= FIRST {
            self.storage.many.clear();
            self.storage.many.shrink_to(KEPT);
        }
        EmptyScratch(self.storage)
    }
}

/// Returns the first `count` tags.
///
/// # Safety
///
/// `count` is at most the length of the array, and the first `count` have been written.
#[inline(always)]
unsafe fn written(first: &[MaybeUninit<LentTag>; FIRST], count: usize) -> &[LentTag] {
    // SAFETY: passed on. `MaybeUninit<T>` has the layout of `T`.
    unsafe { slice::from_raw_parts(first.as_ptr().cast(), count) }
}

impl<S> EmptyScratch<S> {
    /// Begins to take tags that live for `'a`.
    #[inline(always)]
    pub(crate) fn fill<'a>(self) -> BuilderScratch<'a, S> {
        BuilderScratch {
            storage: self.0,
            count: 0,
            borrows: PhantomData,
        }
    }
}

impl<S: Clone> Clone for BuilderScratch<'_, S> {
    fn clone(&self) -> Self {
        let storage = Storage {
            first: self.storage.first,
            many: self.storage.many.clone(),
            rest: self.storage.rest.clone(),
        };
        Self {
            storage: Box::new(storage),
            ..*self
        }
    }
}

impl<S: Default> Default for Storage<S> {
    fn default() -> Self {
        Self {
            first: [MaybeUninit::uninit(); FIRST],
            many: Vec::new(),
            rest: S::default(),
        }
    }
}

/// The place where a thread keeps empty scratch.
///
/// It is a static of the thread without a destructor, so an access need not test whether the destructor has run.
/// Another static, which has one, [closes](Self::close) it at the thread's end.
pub(crate) struct ScratchSlot<S>(Cell<*mut Storage<S>>);

impl<S> ScratchSlot<S> {
    /// Makes a slot that keeps nothing.
    pub(crate) const fn new() -> Self {
        Self(Cell::new(ptr::null_mut()))
    }

    /// Takes out the scratch that was put here.
    #[inline(always)]
    pub(crate) fn take(&self) -> Option<EmptyScratch<S>> {
        let storage = self.0.get();
        if storage.addr() <= CLOSED {
            return None;
        }
        self.0.set(ptr::null_mut());
        // SAFETY: the pointer is neither null nor `CLOSED`, so it came from `put`, and it was just removed from the
        // slot.
        Some(EmptyScratch(unsafe { Box::from_raw(storage) }))
    }

    /// Keeps the scratch. Returns it if the slot has some already or is closed.
    #[inline(always)]
    pub(crate) fn put(&self, scratch: EmptyScratch<S>) -> Result<(), EmptyScratch<S>> {
        if !self.0.get().is_null() {
            return Err(scratch);
        }
        self.0.set(Box::into_raw(scratch.0));
        Ok(())
    }

    /// Frees the scratch, and keeps none from now on.
    pub(crate) fn close(&self) {
        drop(self.take());
        self.0.set(ptr::without_provenance_mut(CLOSED));
    }
}

/// On these platforms thread statics are looked up by a key and destroyed in any order, so this one may go before the
/// one that closes it.
#[cfg(not(any(
    target_os = "linux",
    target_vendor = "apple",
    all(windows, target_env = "msvc")
)))]
impl<S> Drop for ScratchSlot<S> {
    fn drop(&mut self) {
        self.close();
    }
}

/// An address that no storage has, because it is not aligned.
const CLOSED: usize = 1;

impl<S> Deref for BuilderScratch<'_, S> {
    type Target = S;

    #[inline(always)]
    fn deref(&self) -> &S {
        &self.storage.rest
    }
}

impl<S> DerefMut for BuilderScratch<'_, S> {
    #[inline(always)]
    fn deref_mut(&mut self) -> &mut S {
        &mut self.storage.rest
    }
}

/// The number of tags whose memory is kept.
const KEPT: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    /// Adds `count` tags that live for this call only, and empties the scratch.
    fn use_for(count: u64, scratch: EmptyScratch<u8>) -> EmptyScratch<u8> {
        let key = String::from("k");
        let mut scratch = scratch.fill();
        for n in 0..count {
            scratch.push(&key, TagRef::Unsigned(n));
        }
        for scratch in [&scratch, &scratch.clone()] {
            let values = scratch.tags().iter().map(|(key, value)| match value {
                TagRef::Unsigned(value) if *key == "k" => *value,
                _ => u64::MAX,
            });
            assert!(values.eq(0..count), "{count}");
        }
        scratch.emptied()
    }

    #[test]
    fn the_memory_of_scratch_is_used_again() {
        let mut scratch = EmptyScratch::default();
        let storage = &raw const *scratch.0;
        let most = FIRST as u64 + 2;
        for count in (0..most).chain([most, 0, most]) {
            scratch = use_for(count, scratch);
            assert_eq!(&raw const *scratch.0, storage);
            assert!(scratch.0.many.is_empty());
        }
        assert!(scratch.0.many.capacity() > FIRST);
    }

    #[test]
    fn a_scratch_slot_keeps_one_until_it_is_closed() {
        let slot = ScratchSlot::<Vec<u8>>::new();
        let put = || slot.put(EmptyScratch::default());
        assert!(slot.take().is_none());
        assert!(put().is_ok() && put().is_err());
        assert!(slot.take().is_some() && slot.take().is_none());
        assert!(put().is_ok());
        for _ in 0..2 {
            slot.close();
            assert!(slot.take().is_none() && put().is_err());
        }
    }

    #[test]
    fn scratch_does_not_keep_the_memory_of_many_tags() {
        let scratch = use_for(KEPT as u64 + 1, EmptyScratch::default());
        assert!(scratch.0.many.capacity() <= KEPT);
    }
}
