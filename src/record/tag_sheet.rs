//! Borrowed tags in memory that outlives what they borrow.

use std::marker::PhantomData;
use std::mem;
use std::ops::{Deref, DerefMut};

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
        self.page.tags.clear();
        if self.page.tags.capacity() > KEPT {
            self.page.tags.shrink_to(0);
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
    fn much_memory_is_not_kept() {
        let mut sheet = EmptySheet::<u8>::default().fill();
        for _ in 0..=KEPT {
            sheet.push("k", TagRef::Bool(true));
        }
        assert!(sheet.emptied().fill().page.tags.capacity() <= KEPT);
    }
}
