//! Names the bytes of Thrift's compact protocol that structs of `jaeger.thrift` are made of.
//!
//! ```text
//! a tag   18 03 'k' 'e' 'y'  15 06  46 54  00          key = 42
//!         ┬─ ────────┬─────  ──┬──  ──┬──  ┬─
//!         │          │         │      │    STOP
//!         │          │         │      field 6, an i64: 42, in zigzag form
//!         │          │         field 2, an i32: which kind of value this tag has
//!         │          length and bytes
//!         field 1, a string
//! ```
//!
//! A field begins with one byte: how far its id is from the id of the field before, and its type. Numbers are LEB128,
//! signed ones in zigzag form. A list begins with its count and the type of its items.

/// Types of fields and of the items of lists.
pub(crate) const TRUE: u8 = 1;
pub(crate) const FALSE: u8 = 2;
pub(crate) const I32: u8 = 5;
pub(crate) const I64: u8 = 6;
pub(crate) const DOUBLE: u8 = 7;
/// Text has this type too.
pub(crate) const BINARY: u8 = 8;
pub(crate) const LIST: u8 = 9;
pub(crate) const STRUCT: u8 = 12;

/// The end of a struct.
pub(crate) const STOP: u8 = 0;

/// Returns the first byte of a field whose id is `step` above the id of the field before it.
pub(crate) const fn field_header(step: u8, field_type: u8) -> u8 {
    step << 4 | field_type
}

/// The headers of fields that follow directly on the field before them, as most do.
pub(crate) const NEXT_I32: u8 = field_header(1, I32);
pub(crate) const NEXT_I64: u8 = field_header(1, I64);
pub(crate) const NEXT_BINARY: u8 = field_header(1, BINARY);
pub(crate) const NEXT_LIST: u8 = field_header(1, LIST);
pub(crate) const NEXT_STRUCT: u8 = field_header(1, STRUCT);

/// What a `Tag` has between its key and its value: field 2, which names the kind of value, and the header of the field
/// that holds the value.
pub(crate) const STRING_TAG: [u8; 3] = tag(0, field_header(1, BINARY));
pub(crate) const DOUBLE_TAG: [u8; 3] = tag(1, field_header(2, DOUBLE));
/// A boolean has its value in the header.
pub(crate) const TRUE_TAG: [u8; 3] = tag(2, field_header(3, TRUE));
pub(crate) const FALSE_TAG: [u8; 3] = tag(2, field_header(3, FALSE));
pub(crate) const LONG_TAG: [u8; 3] = tag(3, field_header(4, I64));
pub(crate) const BINARY_TAG: [u8; 3] = tag(4, field_header(5, BINARY));

const fn tag(kind: u8, value_header: u8) -> [u8; 3] {
    // A number that is not negative doubles in zigzag form.
    [NEXT_I32, kind << 1, value_header]
}

/// Returns three bytes as the first ones of a little-endian word.
pub(crate) const fn as_word(bytes: [u8; 3]) -> u64 {
    let [first, second, third] = bytes;
    u64::from_le_bytes([first, second, third, 0, 0, 0, 0, 0])
}

/// Lists of this many items or more have a [`LONG_LIST`] header.
pub(crate) const LONG_LIST_ITEMS: usize = 15;

/// Returns the whole header of a list of fewer than [`LONG_LIST_ITEMS`] structs.
pub(crate) const fn short_list_header(count: usize) -> u8 {
    (count as u8) << 4 | STRUCT
}

/// The header of a longer list of structs. The count follows as a number.
pub(crate) const LONG_LIST: u8 = 0xf0 | STRUCT;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_the_bytes_of_the_protocol() {
        assert_eq!(
            [NEXT_I32, NEXT_I64, NEXT_BINARY, NEXT_LIST, NEXT_STRUCT],
            [0x15, 0x16, 0x18, 0x19, 0x1c]
        );
        assert_eq!(STRING_TAG, [0x15, 0, 0x18]);
        assert_eq!(DOUBLE_TAG, [0x15, 2, 0x27]);
        assert_eq!(TRUE_TAG, [0x15, 4, 0x31]);
        assert_eq!(FALSE_TAG, [0x15, 4, 0x32]);
        assert_eq!(LONG_TAG, [0x15, 6, 0x46]);
        assert_eq!(BINARY_TAG, [0x15, 8, 0x58]);
        assert_eq!(as_word(LONG_TAG), 0x46_0615);
        assert_eq!([short_list_header(14), LONG_LIST], [0xec, 0xfc]);
    }
}
