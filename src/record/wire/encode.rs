//! Tags, log records and references in Thrift's compact protocol, and the iterators that read them back.
//!
//! The structs are those of `jaeger.thrift`; what is written here is copied into packets as it stands.

use std::str;

use crate::model::{
    FieldRef, ReferenceType, ReportedReference, SpanId, TagRef, Timestamp, TraceId, field,
};
use crate::record::wire::appender::{Appender, VARINT_BYTES};

/// Appends a `Tag` struct. `None` and `Display` have been turned into one of the other kinds.
pub(crate) fn write_tag(out: &mut Vec<u8>, key: &str, value: TagRef<'_>) {
    match value {
        TagRef::String(text) => write_struct(out, key, text.len(), |out| {
            // SAFETY: three bytes and a number of the room for a tag, and what was asked for.
            unsafe {
                out.array([0x15, 0, 0x18]);
                out.sized_bytes(text.as_bytes());
            }
        }),
        TagRef::Long(value) => write_long_tag(out, key, value),
        TagRef::Unsigned(number) => match i64::try_from(number) {
            Ok(number) => write_long_tag(out, key, number),
            Err(_) => write_as_text(out, key, value),
        },
        TagRef::Double(value) if value.is_finite() => {
            write_struct(out, key, 8, |out| {
                // SAFETY: eleven bytes of the room for a tag, and eight that were asked for.
                unsafe {
                    out.array([0x15, 2, 0x27]);
                    out.array(value.to_le_bytes());
                }
            });
        }
        TagRef::Bool(value) => write_struct(out, key, 0, |out| {
            // SAFETY: three bytes of the room for a tag.
            unsafe { out.array([0x15, 4, if value { 0x31 } else { 0x32 }]) };
        }),
        TagRef::Binary(bytes) => write_struct(out, key, bytes.len(), |out| {
            // SAFETY: three bytes and a number of the room for a tag, and what was asked for.
            unsafe {
                out.array([0x15, 8, 0x58]);
                out.sized_bytes(bytes);
            }
        }),
        _ => write_as_text(out, key, value),
    }
}

#[inline(always)]
fn write_long_tag(out: &mut Vec<u8>, key: &str, value: i64) {
    write_struct(out, key, 0, |out| {
        // SAFETY: three bytes and a number of the room for a tag.
        unsafe {
            out.array([0x15, 6, 0x46]);
            out.varint(zigzag(value));
        }
    });
}

/// A tag's key, what `write_value` writes, and the end: `payload` bytes and no more than three and a number.
#[inline(always)]
fn write_struct(
    out: &mut Vec<u8>,
    key: &str,
    payload: usize,
    write_value: impl FnOnce(&mut Appender<'_>),
) {
    let room = key.len().saturating_add(payload).saturating_add(TAG_BYTES);
    let mut out = Appender::new(out, room);
    // SAFETY: a tag is its key, its payload and no more than `TAG_BYTES` besides: the key's field header of a byte and its
    // length, the value's type and field header of three bytes and a number, and an end.
    unsafe {
        out.byte(0x18);
        out.sized_bytes(key.as_bytes());
        write_value(&mut out);
        out.byte(0);
    }
    out.finish();
}

/// Room for what a tag has beside its key and its text or bytes.
const TAG_BYTES: usize = 5 + 2 * VARINT_BYTES;

/// What Jaeger has no type for.
#[cold]
#[inline(never)]
fn write_as_text(out: &mut Vec<u8>, key: &str, value: TagRef<'_>) {
    write_tag(out, key, TagRef::String(&value.to_string()));
}

/// Appends a `Log` struct.
pub(crate) fn write_log(out: &mut Vec<u8>, timestamp: Timestamp, fields: &[FieldRef<'_>]) {
    out.push(0x16);
    write_varint(out, zigzag(timestamp.as_micros()));
    out.push(0x19);
    write_list_header(out, fields.len());
    for field in fields {
        write_tag(out, field.key, field.value);
    }
    out.push(0);
}

/// Appends a `SpanRef` struct.
pub(crate) fn write_reference(out: &mut Vec<u8>, reference: &ReportedReference) {
    let kind = zigzag(reference_kind(reference.kind)) as u8;
    let mut out = Appender::new(out, REFERENCE_BYTES);
    // SAFETY: six bytes and three numbers.
    unsafe {
        out.array([0x15, kind, 0x16]);
        out.varint(zigzag(reference.trace_id.low() as i64));
        out.byte(0x16);
        out.varint(zigzag(reference.trace_id.high() as i64));
        out.byte(0x16);
        out.varint(zigzag(reference.span_id.get() as i64));
        out.byte(0);
    }
    out.finish();
}

/// A reference's kind on the wire.
pub(crate) const fn reference_kind(kind: ReferenceType) -> i64 {
    match kind {
        ReferenceType::ChildOf => 0,
        ReferenceType::FollowsFrom => 1,
    }
}

/// Room for a reference.
const REFERENCE_BYTES: usize = 6 + 3 * VARINT_BYTES;

/// Appends the header of a list of structs.
pub(crate) fn write_list_header(out: &mut Vec<u8>, count: usize) {
    if count < 15 {
        out.push((count as u8) << 4 | 0x0c);
    } else {
        out.push(0xfc);
        write_varint(out, count as u64);
    }
}

/// Appends a length and the bytes.
pub(crate) fn write_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    write_varint(out, bytes.len() as u64);
    out.extend_from_slice(bytes);
}

/// Appends an unsigned LEB128 number.
#[inline]
pub(crate) fn write_varint(out: &mut Vec<u8>, value: u64) {
    let mut out = Appender::new(out, VARINT_BYTES);
    // SAFETY: there is room for a number.
    unsafe { out.varint(value) };
    out.finish();
}

/// How many bytes [`write_varint`] appends.
pub(crate) const fn varint_len(value: u64) -> usize {
    (70 - (value | 1).leading_zeros() as usize) / 7
}

/// Small numbers of either sign become small numbers.
pub(crate) const fn zigzag(value: i64) -> u64 {
    ((value << 1) ^ (value >> 63)) as u64
}

/// The tags of a finished span, or the fields of one of its log records, in the order in which they were set.
#[derive(Clone, Debug)]
pub struct Tags<'a> {
    bytes: Reader<'a>,
    left: usize,
}

impl<'a> Tags<'a> {
    pub(crate) fn new(bytes: &'a [u8], count: usize) -> Self {
        Self {
            bytes: Reader(bytes),
            left: count,
        }
    }
}

impl<'a> Iterator for Tags<'a> {
    type Item = (&'a str, TagRef<'a>);

    fn next(&mut self) -> Option<Self::Item> {
        self.left = self.left.checked_sub(1)?;
        self.bytes.tag()
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (0, Some(self.left))
    }
}

/// The log records of a finished span in the order in which they were written.
#[derive(Clone, Debug)]
pub struct Logs<'a> {
    bytes: Reader<'a>,
    left: usize,
}

/// One log record of a finished span.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct LogView<'a> {
    /// When.
    pub timestamp: Timestamp,
    /// What.
    pub fields: Tags<'a>,
}

impl<'a> LogView<'a> {
    /// Its fields, to be written again.
    pub(crate) fn field_refs(&self) -> Vec<FieldRef<'a>> {
        let fields = self.fields.clone();
        fields.map(|(key, value)| field(key, value)).collect()
    }
}

impl<'a> Logs<'a> {
    pub(crate) fn new(bytes: &'a [u8], count: usize) -> Self {
        Self {
            bytes: Reader(bytes),
            left: count,
        }
    }
}

impl<'a> Iterator for Logs<'a> {
    type Item = LogView<'a>;

    fn next(&mut self) -> Option<LogView<'a>> {
        self.left = self.left.checked_sub(1)?;
        let bytes = &mut self.bytes;
        bytes.skip(1)?;
        let timestamp = Timestamp::from_micros(bytes.zigzag()?);
        bytes.skip(1)?;
        let count = bytes.list_header()?;
        let fields = Tags {
            bytes: bytes.clone(),
            left: count,
        };
        for _ in 0..count {
            bytes.tag()?;
        }
        bytes.skip(1)?;
        Some(LogView { timestamp, fields })
    }
}

/// The references of a finished span in the order in which they were given.
#[derive(Clone, Debug)]
pub struct References<'a> {
    first: Option<ReportedReference>,
    bytes: Reader<'a>,
    left: usize,
}

impl<'a> References<'a> {
    /// `first`, and then `count` encoded ones.
    pub(crate) fn new(first: Option<ReportedReference>, bytes: &'a [u8], count: usize) -> Self {
        Self {
            first,
            bytes: Reader(bytes),
            left: count,
        }
    }
}

impl Iterator for References<'_> {
    type Item = ReportedReference;

    fn next(&mut self) -> Option<ReportedReference> {
        if let Some(first) = self.first.take() {
            return Some(first);
        }
        self.left = self.left.checked_sub(1)?;
        let bytes = &mut self.bytes;
        bytes.skip(1)?;
        let kind = match bytes.zigzag()? {
            0 => ReferenceType::ChildOf,
            _ => ReferenceType::FollowsFrom,
        };
        bytes.skip(1)?;
        let low = bytes.zigzag()? as u64;
        bytes.skip(1)?;
        let high = bytes.zigzag()? as u64;
        bytes.skip(1)?;
        let span_id = bytes.zigzag()? as u64;
        bytes.skip(1)?;
        Some(ReportedReference::new(
            kind,
            TraceId::new(high, low)?,
            SpanId::new(span_id)?,
        ))
    }
}

/// Reads what the functions above have written, and only that: `None` is the end.
#[derive(Clone, Debug)]
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn skip(&mut self, n: usize) -> Option<()> {
        self.0 = self.0.get(n..)?;
        Some(())
    }

    fn byte(&mut self) -> Option<u8> {
        let (&byte, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(byte)
    }

    fn varint(&mut self) -> Option<u64> {
        let mut value = 0;
        for shift in (0..70).step_by(7) {
            let byte = self.byte()?;
            value |= u64::from(byte & 0x7f).checked_shl(shift)?;
            if byte & 0x80 == 0 {
                return Some(value);
            }
        }
        None
    }

    fn zigzag(&mut self) -> Option<i64> {
        let value = self.varint()?;
        Some((value >> 1) as i64 ^ -((value & 1) as i64))
    }

    fn bytes(&mut self) -> Option<&'a [u8]> {
        let len = usize::try_from(self.varint()?).ok()?;
        let (bytes, rest) = self.0.split_at_checked(len)?;
        self.0 = rest;
        Some(bytes)
    }

    fn text(&mut self) -> Option<&'a str> {
        str::from_utf8(self.bytes()?).ok()
    }

    fn list_header(&mut self) -> Option<usize> {
        let byte = self.byte()?;
        if byte >> 4 == 15 {
            self.varint().map(|count| count as usize)
        } else {
            Some((byte >> 4).into())
        }
    }

    fn tag(&mut self) -> Option<(&'a str, TagRef<'a>)> {
        self.skip(1)?;
        let key = self.text()?;
        self.skip(2)?;
        let value = match self.byte()? {
            0x18 => TagRef::String(self.text()?),
            0x27 => {
                let (bytes, rest) = self.0.split_first_chunk::<8>()?;
                self.0 = rest;
                TagRef::Double(f64::from_le_bytes(*bytes))
            }
            0x31 => TagRef::Bool(true),
            0x32 => TagRef::Bool(false),
            0x46 => TagRef::Long(self.zigzag()?),
            _ => TagRef::Binary(self.bytes()?),
        };
        self.skip(1)?;
        Some((key, value))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn varints_are_as_long_as_they_say() {
        for shift in 0..64 {
            for value in [1u64 << shift, (1 << shift) - 1, u64::MAX >> shift] {
                let mut out = Vec::new();
                write_varint(&mut out, value);
                assert_eq!(out.len(), varint_len(value), "{value}");
                assert_eq!(Reader(&out).varint(), Some(value));
            }
        }
        for value in [0, 1, -1, i64::MAX, i64::MIN] {
            let mut out = Vec::new();
            write_varint(&mut out, zigzag(value));
            assert_eq!(Reader(&out).zigzag(), Some(value));
        }
    }

    #[test]
    fn tags_read_back_as_they_were_written() {
        let tags = [
            ("s", TagRef::String("é")),
            ("empty", TagRef::String("")),
            ("d", TagRef::Double(-0.5)),
            ("t", TagRef::Bool(true)),
            ("f", TagRef::Bool(false)),
            ("l", TagRef::Long(i64::MIN)),
            ("y", TagRef::Binary(&[0, 255])),
        ];
        let mut out = Vec::new();
        for (key, value) in tags {
            write_tag(&mut out, key, value);
        }
        let read: Vec<_> = Tags::new(&out, tags.len()).collect();
        assert_eq!(read.len(), tags.len());
        for ((key, value), (read_key, read_value)) in tags.iter().zip(read) {
            assert_eq!(*key, read_key);
            assert_eq!(value.to_value(), read_value.to_value());
        }
    }

    #[test]
    fn logs_and_references_read_back() {
        let mut out = Vec::new();
        let fields: Vec<_> = (0..20).map(|n| field("n", n)).collect();
        write_log(
            &mut out,
            Timestamp::from_micros(1_700_000_000_000_001),
            &fields,
        );
        write_log(&mut out, Timestamp::from_micros(2), &[]);
        let logs: Vec<_> = Logs::new(&out, 2).collect();
        assert_eq!(logs[0].timestamp.as_micros(), 1_700_000_000_000_001);
        assert_eq!(logs[0].fields.clone().count(), 20);
        assert_eq!(logs[1].fields.clone().count(), 0);

        let reference = ReportedReference::new(
            ReferenceType::FollowsFrom,
            TraceId::new(u64::MAX, 7).expect("not zero"),
            SpanId::new(9).expect("not zero"),
        );
        let mut out = Vec::new();
        write_reference(&mut out, &reference);
        assert_eq!(
            References::new(None, &out, 1).collect::<Vec<_>>(),
            [reference]
        );
    }
}
