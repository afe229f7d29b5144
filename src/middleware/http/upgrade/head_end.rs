//! Finds the end of the head of an HTTP/1 message as its bytes pass by.

/// The search for the empty line that ends a head.
#[derive(Debug, Default)]
pub(super) struct HeadEnd {
    is_line_empty: bool,
    is_found: bool,
}

impl HeadEnd {
    pub(super) fn is_found(&self) -> bool {
        self.is_found
    }

    /// Returns how many of the next bytes belong to the head.
    pub(super) fn take(&mut self, bytes: &[u8]) -> usize {
        let mut taken = 0;
        for byte in bytes {
            if self.is_found {
                break;
            }
            taken += 1;
            match byte {
                b'\n' if self.is_line_empty => self.is_found = true,
                b'\n' => self.is_line_empty = true,
                b'\r' => {}
                _ => self.is_line_empty = false,
            }
        }
        taken
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_ends_with_its_empty_line_wherever_the_bytes_are_split() {
        let rows = [
            ("HTTP/1.1 101 x\r\nupgrade: a\r\n\r\n", "rest"),
            ("HTTP/1.1 101 x\n\n", "\n\nrest"),
            ("HTTP/1.1 101 \r\n\r\n", ""),
        ];
        for (head, rest) in rows {
            let bytes = format!("{head}{rest}").into_bytes();
            for split in 0..=bytes.len() {
                let mut end = HeadEnd::default();
                let (first, second) = bytes.split_at(split);
                let taken = end.take(first) + end.take(second);
                assert_eq!(
                    (taken, end.is_found()),
                    (head.len(), true),
                    "{head} {split}"
                );
            }
            let mut end = HeadEnd::default();
            end.take(&bytes[..head.len() - 1]);
            assert!(!end.is_found(), "{head}");
        }
    }
}
