//! Fields of a short log record, collected before the span is locked.

use std::mem::MaybeUninit;
use std::slice;

use crate::model::FieldRef;

/// Up to eight fields of a log record, on the stack.
pub(crate) struct FieldList<'a> {
    /// The first `len` are initialized.
    fields: [MaybeUninit<FieldRef<'a>>; ROOM],
    len: usize,
}

impl<'a> FieldList<'a> {
    /// Makes an empty list.
    #[inline(always)]
    pub(crate) fn new() -> Self {
        Self {
            fields: [const { MaybeUninit::uninit() }; ROOM],
            len: 0,
        }
    }

    /// Takes fields until `from` has no more. Returns false if the list is full before that. Runs user code: `from`.
    #[inline(always)]
    pub(crate) fn fill(&mut self, from: &mut impl Iterator<Item = FieldRef<'a>>) -> bool {
        while let Some(place) = self.fields.get_mut(self.len) {
            let Some(field) = from.next() else {
                return true;
            };
            place.write(field);
            self.len += 1;
        }
        false
    }

    /// Returns the fields that were taken.
    #[inline(always)]
    pub(crate) fn as_slice(&self) -> &[FieldRef<'a>] {
        // SAFETY: `fill` has written the first `len`, and nothing else changes them or the length.
        unsafe { slice::from_raw_parts(self.fields.as_ptr().cast(), self.len) }
    }
}

const ROOM: usize = 8;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::field;

    #[test]
    fn a_field_list_takes_fields_up_to_its_room() {
        for count in 0..ROOM + 3 {
            let keys: Vec<_> = (0..count).map(|n| n.to_string()).collect();
            let mut from = keys.iter().map(|key| field(key, "value"));
            let mut list = FieldList::new();
            assert_eq!(list.fill(&mut from), count < ROOM);
            let listed = list
                .as_slice()
                .iter()
                .chain(&Vec::from_iter(from))
                .map(|field| field.key.to_owned())
                .collect::<Vec<_>>();
            assert_eq!(listed, keys);
            assert_eq!(list.as_slice().len(), count.min(ROOM));
        }
    }
}
