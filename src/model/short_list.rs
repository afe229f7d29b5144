/// A list whose first `N` items need no allocation.
#[derive(Clone, Debug)]
pub(crate) struct ShortList<T, const N: usize> {
    few: [T; N],
    /// How many items there are, here or in `many`.
    len: usize,
    /// All items, once there are more than `few` has room for.
    many: Vec<T>,
}

impl<T: Copy + Default, const N: usize> Default for ShortList<T, N> {
    #[inline]
    fn default() -> Self {
        Self {
            few: [T::default(); N],
            len: 0,
            many: Vec::new(),
        }
    }
}

impl<T: Copy + Default, const N: usize> ShortList<T, N> {
    #[inline]
    pub(crate) fn push(&mut self, item: T) {
        match self.few.get_mut(self.len) {
            Some(place) => *place = item,
            None => self.push_to_many(item),
        }
        self.len += 1;
    }

    #[inline]
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    #[inline]
    pub(crate) fn as_slice(&self) -> &[T] {
        match self.few.get(..self.len) {
            Some(few) => few,
            None => &self.many,
        }
    }

    pub(crate) fn get_mut(&mut self, at: usize) -> Option<&mut T> {
        match self.few.get_mut(..self.len) {
            Some(few) => few.get_mut(at),
            None => self.many.get_mut(at),
        }
    }

    /// Removes an item, which must be in the list.
    pub(crate) fn remove(&mut self, at: usize) {
        match self.few.get_mut(..self.len) {
            Some(few) => few.copy_within(at + 1.., at),
            None => {
                self.many.remove(at);
                if let Ok(few) = self.many.as_slice().try_into() {
                    self.few = few;
                    self.many.clear();
                }
            }
        }
        self.len -= 1;
    }

    #[cold]
    fn push_to_many(&mut self, item: T) {
        if self.many.is_empty() {
            self.many.reserve(2 * N);
            self.many.extend(self.few);
        }
        self.many.push(item);
    }
}

impl<T: Copy + Default, const N: usize> FromIterator<T> for ShortList<T, N> {
    fn from_iter<I: IntoIterator<Item = T>>(items: I) -> Self {
        let mut list = Self::default();
        items.into_iter().for_each(|item| list.push(item));
        list
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_item_is_removed_at_any_place() {
        for len in 1..10_usize {
            for at in 0..len {
                let mut list: ShortList<usize, 4> = (0..len).collect();
                list.remove(at);
                assert!(
                    list.as_slice()
                        .iter()
                        .copied()
                        .eq((0..at).chain(at + 1..len))
                );
                list.push(len);
                assert_eq!((list.len(), list.as_slice().last()), (len, Some(&len)));
            }
        }
    }

    #[test]
    fn a_list_of_any_length_keeps_its_items_in_order() {
        for len in 0..10_usize {
            let mut list: ShortList<usize, 4> = (0..len).collect();
            assert_eq!(list.len(), len);
            assert!(list.as_slice().iter().copied().eq(0..len));
            for at in 0..len {
                *list.get_mut(at).expect("in the list") += 1;
            }
            assert!(list.get_mut(len).is_none());
            assert!(list.as_slice().iter().copied().eq(1..=len));
        }
    }
}
