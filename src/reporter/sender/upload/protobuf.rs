//! The few parts of protobuf's wire format that replies need.

/// A field's value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::reporter::sender) enum Value<'a> {
    Varint(u64),
    Bytes(&'a [u8]),
    /// Four or eight bytes, which no reply needs.
    Fixed,
}

/// Calls `take` for each field of a message, in order.
///
/// # Errors
///
/// Fails if the bytes are not a message: one is cut off, a number has more than ten bytes, or a group is met, which no
/// message has had for years. Fields before the fault have been taken.
pub(in crate::reporter::sender) fn read_fields<'a>(
    mut bytes: &'a [u8],
    mut take: impl FnMut(u64, Value<'a>),
) -> Result<(), Malformed> {
    while !bytes.is_empty() {
        let key = varint(&mut bytes)?;
        let value = match key & 7 {
            0 => Value::Varint(varint(&mut bytes)?),
            1 => fixed(&mut bytes, 8)?,
            2 => {
                let length = usize::try_from(varint(&mut bytes)?).map_err(|_| Malformed)?;
                let (value, rest) = bytes.split_at_checked(length).ok_or(Malformed)?;
                bytes = rest;
                Value::Bytes(value)
            }
            5 => fixed(&mut bytes, 4)?,
            _ => return Err(Malformed),
        };
        let number = key >> 3;
        if number == 0 {
            return Err(Malformed);
        }
        take(number, value);
    }
    Ok(())
}

/// The error of bytes that are not a message of protobuf.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::reporter::sender) struct Malformed;

fn varint(bytes: &mut &[u8]) -> Result<u64, Malformed> {
    let mut value = 0;
    for shift in (0..70).step_by(7) {
        let (&byte, rest) = bytes.split_first().ok_or(Malformed)?;
        *bytes = rest;
        value |= u64::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            return Ok(value);
        }
    }
    Err(Malformed)
}

fn fixed<'a>(bytes: &mut &'a [u8], length: usize) -> Result<Value<'a>, Malformed> {
    let (_, rest) = bytes.split_at_checked(length).ok_or(Malformed)?;
    *bytes = rest;
    Ok(Value::Fixed)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(bytes: &[u8]) -> Result<Vec<(u64, Value<'_>)>, Malformed> {
        let mut fields = Vec::new();
        read_fields(bytes, |number, value| fields.push((number, value)))?;
        Ok(fields)
    }

    #[test]
    fn fields_of_each_kind_are_read_in_order() {
        let bytes = b"\x08\x96\x01\x12\x02hi\x19\0\0\0\0\0\0\0\0\x25\0\0\0\0\xf8\x07\x01";
        let expected = vec![
            (1, Value::Varint(150)),
            (2, Value::Bytes(b"hi")),
            (3, Value::Fixed),
            (4, Value::Fixed),
            (127, Value::Varint(1)),
        ];
        assert_eq!(fields(bytes), Ok(expected));
        assert_eq!(fields(b""), Ok(vec![]));
        let most = b"\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01";
        assert_eq!(fields(most), Ok(vec![(1, Value::Varint(u64::MAX))]));
    }

    #[test]
    fn bytes_that_are_no_message_are_refused() {
        for bytes in [
            &b"\x08"[..],
            b"\x08\x80",
            b"\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01",
            b"\x12\x03hi",
            b"\x12\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01",
            b"\x19\0",
            b"\x25\0",
            b"\x0b\x0c",
            b"\x00\x00",
            b"\x06",
            b"{}",
            b"<html>",
        ] {
            assert_eq!(fields(bytes), Err(Malformed), "{bytes:?}");
        }
    }
}
