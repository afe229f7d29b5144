//! Borrowed tags in memory that outlives what they borrow.

use std::cell::Cell;
use std::marker::PhantomData;
use std::mem;
use std::ops::{Deref, DerefMut};
use std::ptr;

use crate::model::TagRef;

/// Borrowed tags, and an `S`, in a box: one word to hand on. An emptied one is used again for other tags.
#[derive(Clone)]
pub(crate) struct TagSheet<'a, S> {
    page: Box<Page<S>>,
    borrows: PhantomData<(&'a str, TagRef<'a>)>,
}

/// A sheet without tags.
#[derive(Default)]
pub(crate) struct EmptySheet<S>(Box<Page<S>>);

#[derive(Clone, Default)]
struct Page<S> {
    /// Not as long-lived as they say: only [`TagSheet::tags`] hands them out, for as long as the sheet says.
    tags: Vec<(&'static str, TagRef<'static>)>,
    beside: S,
}

impl<'a, S> TagSheet<'a, S> {
    #[inline(always)]
    pub(crate) fn push(&mut self, key: &'a str, value: TagRef<'a>) {
        // SAFETY: the types differ in lifetimes alone. The sheet borrows for `'a`, what it hands out lives no longer than
        // that, and none of the tags is left when it is emptied. To drop them does nothing.
        let (key, value) = unsafe {
            (
                mem::transmute::<&'a str, &'static str>(key),
                mem::transmute::<TagRef<'a>, TagRef<'static>>(value),
            )
        };
        self.page.tags.push((key, value));
    }

    #[inline(always)]
    pub(crate) fn tags(&self) -> &[(&'a str, TagRef<'a>)] {
        &self.page.tags
    }

    /// Without the tags. Their memory stays, unless it is much.
    #[inline(always)]
    pub(crate) fn emptied(mut self) -> EmptySheet<S> {
        if !self.page.tags.is_empty() {
            self.page.tags.clear();
            self.page.tags.shrink_to(KEPT);
        }
        EmptySheet(self.page)
    }
}

impl<S> EmptySheet<S> {
    #[inline(always)]
    pub(crate) fn fill<'a>(self) -> TagSheet<'a, S> {
        TagSheet {
            page: self.0,
            borrows: PhantomData,
        }
    }
}

/// Where a thread keeps an emptied sheet: a static of the thread that needs no destructor, so that it is looked up at no
/// cost. The thread's end [closes](Self::close) it.
pub(crate) struct SheetPlace<S>(Cell<*mut Page<S>>);

impl<S> SheetPlace<S> {
    pub(crate) const fn new() -> Self {
        Self(Cell::new(ptr::null_mut()))
    }

    /// Takes the sheet that was put here.
    #[inline(always)]
    pub(crate) fn take(&self) -> Option<EmptySheet<S>> {
        let page = self.0.get();
        if page.addr() <= CLOSED {
            return None;
        }
        self.0.set(ptr::null_mut());
        // SAFETY: it is neither of the two that are no page, so `put` has left it, and it is here no more.
        Some(EmptySheet(unsafe { Box::from_raw(page) }))
    }

    /// Gives the sheet back if there is one already, or the place is closed.
    #[inline(always)]
    pub(crate) fn put(&self, sheet: EmptySheet<S>) -> Result<(), EmptySheet<S>> {
        if !self.0.get().is_null() {
            return Err(sheet);
        }
        self.0.set(Box::into_raw(sheet.0));
        Ok(())
    }

    /// Frees what is here, and keeps nothing from now on.
    pub(crate) fn close(&self) {
        drop(self.take());
        self.0.set(ptr::without_provenance_mut(CLOSED));
    }
}

/// The address of no page: it is not aligned.
const CLOSED: usize = 1;

impl<S> Deref for TagSheet<'_, S> {
    type Target = S;

    #[inline(always)]
    fn deref(&self) -> &S {
        &self.page.beside
    }
}

impl<S> DerefMut for TagSheet<'_, S> {
    #[inline(always)]
    fn deref_mut(&mut self) -> &mut S {
        &mut self.page.beside
    }
}

/// So many tags' memory is kept.
const KEPT: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_memory_of_a_sheet_is_used_again() {
        let mut sheet = EmptySheet::<u8>::default().fill();
        {
            let key = String::from("k");
            let mut short = sheet;
            for _ in 0..9 {
                short.push(&key, TagRef::String(&key));
            }
            let (place, room) = (short.tags().as_ptr(), short.page.tags.capacity());
            let page = &raw const *short.page;
            let again = short.emptied().fill();
            assert_eq!(&raw const *again.page, page);
            assert_eq!(
                (again.tags().as_ptr().addr(), again.page.tags.capacity()),
                (place.addr(), room)
            );
            sheet = again;
        }
        assert!(sheet.tags().is_empty());
        sheet.push("b", TagRef::Bool(true));
        assert_eq!(sheet.tags().len(), 1);
    }

    #[test]
    fn a_place_keeps_one_sheet_until_it_is_closed() {
        let place = SheetPlace::<Vec<u8>>::new();
        let put = || place.put(EmptySheet::default());
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
        let mut sheet = EmptySheet::<u8>::default().fill();
        for _ in 0..=KEPT {
            sheet.push("k", TagRef::Bool(true));
        }
        assert!(sheet.emptied().fill().page.tags.capacity() <= KEPT);
    }
}
