//! Borrowed tags in memory that outlives what they borrow.

use std::cell::Cell;
use std::marker::PhantomData;
use std::mem::{self, MaybeUninit};
use std::ops::{Deref, DerefMut};
use std::ptr;
use std::slice;

use crate::model::TagRef;

/// Borrowed tags, and an `S`, in a slot that is used again for other tags when it is emptied.
///
/// How many there are stands in the handle: a builder hands it on in a register, so that the compiler knows at each tag
/// of a chain of calls where it goes.
pub(crate) struct BuilderScratch<'a, S> {
    storage: Box<Storage<S>>,
    /// So many of the page's first tags are there.
    count: usize,
    borrows: PhantomData<(&'a str, TagRef<'a>)>,
}

/// A sheet without tags.
#[derive(Default)]
pub(crate) struct EmptyScratch<S>(Box<Storage<S>>);

/// Tags are not as long-lived as they say: only [`BuilderScratch::tags`] hands them out, for as long as the sheet says.
struct Storage<S> {
    first: [MaybeUninit<LentTag>; FIRST],
    /// All of them where they are more.
    many: Vec<LentTag>,
    rest: S,
}

type LentTag = (&'static str, TagRef<'static>);

/// More tags than nearly all spans start with.
const FIRST: usize = 16;

impl<'a, S> BuilderScratch<'a, S> {
    #[inline(always)]
    pub(crate) fn push(&mut self, key: &'a str, value: TagRef<'a>) {
        // SAFETY: the types differ in lifetimes alone. The sheet borrows for `'a`, what it hands out lives no longer than
        // that, and from an emptied one none of them is handed out again. To drop them does nothing.
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
            // SAFETY: as many as have a place here have been written.
            many.extend(unsafe { written(first, FIRST) });
        }
        many.push(tag);
    }

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
        // SAFETY: so many have been written.
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

    /// Without the tags. Their memory stays, unless it is much.
    #[inline(always)]
    pub(crate) fn emptied(mut self) -> EmptyScratch<S> {
        if self.count >= FIRST {
            self.storage.many.clear();
            self.storage.many.shrink_to(KEPT);
        }
        EmptyScratch(self.storage)
    }
}

/// # Safety
///
/// The first `count` have been written; there are so many.
#[inline(always)]
unsafe fn written(first: &[MaybeUninit<LentTag>; FIRST], count: usize) -> &[LentTag] {
    // SAFETY: passed on. `MaybeUninit` has the layout of what it holds.
    unsafe { slice::from_raw_parts(first.as_ptr().cast(), count) }
}

impl<S> EmptyScratch<S> {
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

/// Where a thread keeps an emptied sheet: a static of the thread that needs no destructor, and so no look whether that has
/// run. The thread's end [closes](Self::close) it.
pub(crate) struct ScratchSlot<S>(Cell<*mut Storage<S>>);

impl<S> ScratchSlot<S> {
    pub(crate) const fn new() -> Self {
        Self(Cell::new(ptr::null_mut()))
    }

    /// Takes the sheet that was put here.
    #[inline(always)]
    pub(crate) fn take(&self) -> Option<EmptyScratch<S>> {
        let storage = self.0.get();
        if storage.addr() <= CLOSED {
            return None;
        }
        self.0.set(ptr::null_mut());
        // SAFETY: it is neither of the two that are no page, so `put` has left it, and it is here no more.
        Some(EmptyScratch(unsafe { Box::from_raw(storage) }))
    }

    /// Gives the sheet back if there is one already, or the place is closed.
    #[inline(always)]
    pub(crate) fn put(&self, scratch: EmptyScratch<S>) -> Result<(), EmptyScratch<S>> {
        if !self.0.get().is_null() {
            return Err(scratch);
        }
        self.0.set(Box::into_raw(scratch.0));
        Ok(())
    }

    /// Frees what is here, and keeps nothing from now on.
    pub(crate) fn close(&self) {
        drop(self.take());
        self.0.set(ptr::without_provenance_mut(CLOSED));
    }
}

/// Where statics of a thread are looked up by a key, they may be destroyed in any order, and this one before that which
/// closes it.
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

/// The address of no page: it is not aligned.
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

/// So many tags' memory is kept.
const KEPT: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    /// Sets so many tags that live shortly, and empties the sheet.
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
    fn the_memory_of_a_sheet_is_used_again() {
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
    fn a_place_keeps_one_sheet_until_it_is_closed() {
        let place = ScratchSlot::<Vec<u8>>::new();
        let put = || place.put(EmptyScratch::default());
        assert!(place.take().is_none());
        assert!(put().is_ok() && put().is_err());
        assert!(place.take().is_some() && place.take().is_none());
        assert!(put().is_ok());
        for _ in 0..2 {
            place.close();
            assert!(place.take().is_none() && put().is_err());
        }
    }

    #[test]
    fn much_memory_is_not_kept() {
        let scratch = use_for(KEPT as u64 + 1, EmptyScratch::default());
        assert!(scratch.0.many.capacity() <= KEPT);
    }
}
