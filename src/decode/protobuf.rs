//! A reader of protobuf.

use std::borrow::Cow;

use crate::decode::Reason;

/// The fields of a message, in their order.
pub(super) struct Fields<'a>(&'a [u8]);

/// The value of a field, by its wire type.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Value<'a> {
    Varint(u64),
    Fixed64(u64),
    Bytes(&'a [u8]),
    Fixed32(u32),
}

impl<'a> Fields<'a> {
    pub(super) fn new(message: &'a [u8]) -> Self {
        Self(message)
    }

    fn field(&mut self) -> Result<(u64, Value<'a>), Reason> {
        let tag = self.varint()?;
        let value = match tag & 7 {
            0 => Value::Varint(self.varint()?),
            1 => Value::Fixed64(u64::from_le_bytes(self.array()?)),
            2 => {
                let length = usize::try_from(self.varint()?).map_err(|_| CUT)?;
                Value::Bytes(self.take(length)?)
            }
            5 => Value::Fixed32(u32::from_le_bytes(self.array()?)),
            other => return Err(format!("the wire type {other} is none of protobuf 3")),
        };
        Ok((tag >> 3, value))
    }

    fn varint(&mut self) -> Result<u64, Reason> {
        let mut value = 0;
        for shift in (0..70).step_by(7) {
            let [byte] = self.array()?;
            value |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Ok(value);
            }
        }
        Err("a varint has more than ten bytes".to_owned())
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Reason> {
        let (array, rest) = self.0.split_first_chunk().ok_or(CUT)?;
        self.0 = rest;
        Ok(*array)
    }

    fn take(&mut self, length: usize) -> Result<&'a [u8], Reason> {
        let (taken, rest) = self.0.split_at_checked(length).ok_or(CUT)?;
        self.0 = rest;
        Ok(taken)
    }
}

impl<'a> Iterator for Fields<'a> {
    type Item = Result<(u64, Value<'a>), Reason>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.0.is_empty() {
            return None;
        }
        let field = self.field();
        if field.is_err() {
            self.0 = &[];
        }
        Some(field)
    }
}

/// Reads text. Bytes that are not UTF-8 become U+FFFD.
pub(super) fn text(bytes: &[u8]) -> Cow<'_, str> {
    String::from_utf8_lossy(bytes)
}

const CUT: &str = "the message is cut short";

#[cfg(test)]
mod tests {
    use super::*;

    fn all(bytes: &[u8]) -> Result<Vec<(u64, Value<'_>)>, Reason> {
        Fields::new(bytes).collect()
    }

    #[test]
    fn fields_of_every_wire_type_are_read() {
        let bytes = b"\x08\x96\x01\x11\x01\0\0\0\0\0\0\0\x1a\x03abc\x25\x02\0\0\0";
        let expected = [
            (1, Value::Varint(150)),
            (2, Value::Fixed64(1)),
            (3, Value::Bytes(b"abc")),
            (4, Value::Fixed32(2)),
        ];
        assert_eq!(all(bytes).expect("well-formed"), expected);
        let largest = [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1];
        let bytes = [&[8][..], &largest].concat();
        assert_eq!(all(&bytes), Ok(vec![(1, Value::Varint(u64::MAX))]));
    }

    #[test]
    fn a_message_that_is_cut_or_malformed_is_an_error() {
        let whole = b"\x08\x96\x01\x1a\x03abc";
        for end in [1, 2, 4, 5, 7] {
            assert!(all(&whole[..end]).is_err(), "{end}");
        }
        assert!(all(b"\x1a\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01").is_err());
        assert!(all(b"\x0b").is_err(), "a group");
        assert!(all(&[0xff; 20]).is_err(), "a varint without end");
    }
}
