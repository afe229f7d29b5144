//! The number of spans in a message to an agent, in Thrift's compact protocol.

/// Returns the number in the header of the list, or `None` if the message is no `emitBatch`.
pub fn spans(message: &[u8]) -> Option<u64> {
    let mut rest = Rest(message);
    let (protocol, _kind_and_version, _number) = (rest.byte()?, rest.byte()?, rest.varint()?);
    if protocol != 0x82 || rest.bytes()? != b"emitBatch" {
        return None;
    }
    rest.up_to_field(1, STRUCT)?;
    rest.up_to_field(2, LIST)?;
    let (count, kind) = rest.list()?;
    (kind == STRUCT).then_some(count)
}

struct Rest<'a>(&'a [u8]);

impl<'a> Rest<'a> {
    /// Reads a struct to the value of that field.
    fn up_to_field(&mut self, id: u64, kind: u8) -> Option<()> {
        let mut last = 0;
        loop {
            let (at, found) = self.field(last)??;
            if at == id {
                return (found == kind).then_some(());
            }
            self.skip(found)?;
            last = at;
        }
    }

    /// Reads the id and the kind of the next field. The inner `None` is the end of the struct.
    fn field(&mut self, last: u64) -> Option<Option<(u64, u8)>> {
        let head = self.byte()?;
        Some(match (head >> 4, head & 15) {
            (_, 0) => None,
            (0, kind) => Some((self.varint()? >> 1, kind)),
            (step, kind) => Some((last + u64::from(step), kind)),
        })
    }

    /// Reads how many elements follow, and their kind.
    fn list(&mut self) -> Option<(u64, u8)> {
        let head = self.byte()?;
        let count = match head >> 4 {
            15 => self.varint()?,
            count => u64::from(count),
        };
        Some((count, head & 15))
    }

    fn skip(&mut self, kind: u8) -> Option<()> {
        match kind {
            // A boolean: its kind is its value.
            1 | 2 => {}
            3 => self.take(1).map(drop)?,
            4..=6 => self.varint().map(drop)?,
            7 => self.take(8).map(drop)?,
            8 => self.bytes().map(drop)?,
            LIST => {
                let (count, kind) = self.list()?;
                (0..count).try_for_each(|_| self.skip(kind))?;
            }
            STRUCT => {
                let mut last = 0;
                while let Some((id, kind)) = self.field(last)? {
                    self.skip(kind)?;
                    last = id;
                }
            }
            _ => return None,
        }
        Some(())
    }

    fn byte(&mut self) -> Option<u8> {
        Some(self.take(1)?[0])
    }

    fn varint(&mut self) -> Option<u64> {
        let mut value = 0;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            value |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Some(value);
            }
        }
        None
    }

    fn bytes(&mut self) -> Option<&'a [u8]> {
        let length = self.varint()?;
        self.take(length.try_into().ok()?)
    }

    fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(taken)
    }
}

const LIST: u8 = 9;
const STRUCT: u8 = 12;

#[cfg(test)]
mod tests {
    use super::spans;

    /// Returns a message with a process `x` with a tag, and `list` as the header of the list of spans.
    fn message(list: &[u8]) -> Vec<u8> {
        let head = b"\x82\x81\x05\x09emitBatch\x1c\x1c";
        let process = b"\x18\x01x\x19\x1c\x18\x01k\x15\x04\x22\x00\x00";
        [&head[..], process, b"\x19", list].concat()
    }

    #[test]
    fn spans_are_counted_behind_a_process_with_tags() {
        assert_eq!(spans(&message(b"\x3c")), Some(3));
        assert_eq!(spans(&message(b"\xfc\xac\x02")), Some(300));
    }

    #[test]
    fn a_message_that_is_no_batch_is_not_counted() {
        let whole = message(b"\x3c");
        for end in 0..whole.len() {
            assert_eq!(spans(&whole[..end]), None, "{end} bytes");
        }
        assert_eq!(spans(&message(b"\x38")), None, "a list of strings");
        assert_eq!(spans(&whole[1..]), None);
    }
}
