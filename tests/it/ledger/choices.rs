//! A schedule as bytes, each of which is a choice.

/// Choices of a schedule. When the bytes are used up, every choice is the first one.
#[derive(Debug)]
pub(super) struct Choices {
    bytes: Vec<u8>,
    at: usize,
}

impl Choices {
    pub(super) fn new(bytes: &[u8]) -> Self {
        Self {
            bytes: bytes.to_vec(),
            at: 0,
        }
    }

    pub(super) fn is_used_up(&self) -> bool {
        self.at >= self.bytes.len()
    }

    /// Chooses a number below `count`.
    pub(super) fn below(&mut self, count: usize) -> usize {
        let byte = self.bytes.get(self.at).copied().unwrap_or(0);
        self.at += 1;
        usize::from(byte) % count
    }

    /// Chooses an item of a list that is not empty.
    pub(super) fn of<T: Copy>(&mut self, items: &[T]) -> T {
        items[self.below(items.len())]
    }

    /// Chooses yes once in `count` times.
    pub(super) fn once_in(&mut self, count: usize) -> bool {
        self.below(count) == count - 1
    }
}
