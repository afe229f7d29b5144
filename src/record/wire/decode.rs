//! Reads back what [`encode`](super::encode) has written: iterators over tags, log records and references.

use crate::model::{
    FieldRef, ReferenceType, ReportedReference, SpanId, TagRef, Timestamp, TraceId, field,
};
use crate::record::wire::appender::{CONTINUED, join_7};
use crate::record::wire::codes::{
    DOUBLE_TAG, FALSE_TAG, LONG_LIST, LONG_TAG, STRING_TAG, TRUE_TAG,
};
use crate::record::wire::text::text;
use crate::sampler::TagList;

/// An iterator over the tags of a finished span, or over the fields of one of its log records, in the order in which
/// they were set.
///
/// ```
/// use tracehound::model::TagRef;
/// use tracehound::reporter::FinishedSpan;
///
/// fn status_code(span: &FinishedSpan<'_>) -> Option<i64> {
///     span.tags().find_map(|(key, value)| match (key, value) {
///         ("http.status_code", TagRef::Long(code)) => Some(code),
///         _ => None,
///     })
/// }
/// ```
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

impl TagList for Tags<'_> {
    fn last(&self, key: &str) -> Option<TagRef<'_>> {
        let values = self.clone().filter(|(known, _)| *known == key);
        values.last().map(|(_, value)| value)
    }
}

/// An iterator over the log records of a finished span, in the order in which they were written.
///
/// ```
/// use tracehound::model::{LogField, LogRecord, SpanId, Timestamp, TraceId};
/// use tracehound::reporter::OwnedSpan;
///
/// let (trace_id, span_id) = (TraceId::new(0, 1).expect("not 0"), SpanId::new(2).expect("not 0"));
/// let mut span = OwnedSpan::new(trace_id, span_id, "checkout");
/// span.logs.push(LogRecord::new(
///     Timestamp::from_micros(7),
///     vec![LogField::new("event", "retry")],
/// ));
/// span.view(|span| {
///     let mut logs = span.logs();
///     let mut log = logs.next().expect("one record");
///     assert_eq!(log.timestamp.as_micros(), 7);
///     assert_eq!(log.fields.next().map(|(key, _)| key), Some("event"));
///     assert!(logs.next().is_none());
/// });
/// ```
#[derive(Clone, Debug)]
pub struct Logs<'a> {
    bytes: Reader<'a>,
    left: usize,
}

/// One log record of a finished span, an item of [`Logs`].
///
/// ```
/// use tracehound::model::TagRef;
/// use tracehound::reporter::{FinishedSpan, LogView};
///
/// /// Names an event, for a line of text.
/// fn event(log: &LogView<'_>) -> Option<String> {
///     log.fields.clone().find_map(|(key, value)| match value {
///         TagRef::String(event) if key == "event" => {
///             Some(format!("{event} at {:?}", log.timestamp))
///         }
///         _ => None,
///     })
/// }
///
/// fn events(span: &FinishedSpan<'_>) -> Vec<String> {
///     span.logs().filter_map(|log| event(&log)).collect()
/// }
/// # use tracehound::model::{SpanId, TraceId};
/// # use tracehound::reporter::OwnedSpan;
/// # let (trace_id, span_id) = (TraceId::new(0, 1).expect("not 0"), SpanId::new(2).expect("not 0"));
/// assert!(OwnedSpan::new(trace_id, span_id, "checkout").view(events).is_empty());
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct LogView<'a> {
    /// When the event happened.
    pub timestamp: Timestamp,
    /// The fields, in the order in which they were given.
    pub fields: Tags<'a>,
}

impl<'a> LogView<'a> {
    /// Collects the fields, to encode them again.
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
            bytes.skip_tag()?;
        }
        bytes.skip(1)?;
        Some(LogView { timestamp, fields })
    }
}

/// An iterator over the references of a finished span, in the order in which they were given.
///
/// ```
/// use tracehound::model::{SpanId, TraceId};
/// use tracehound::reporter::OwnedSpan;
///
/// let (trace_id, span_id) = (TraceId::new(0, 1).expect("not 0"), SpanId::new(2).expect("not 0"));
/// let root = OwnedSpan::new(trace_id, span_id, "checkout");
/// assert_eq!(root.view(|span| span.references().count()), 0);
/// ```
#[derive(Clone, Debug)]
pub struct References<'a> {
    first: Option<ReportedReference>,
    bytes: Reader<'a>,
    left: usize,
}

impl<'a> References<'a> {
    /// Yields `first`, then `count` encoded references.
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

/// Reads bytes that [`encode`](super::encode) has written, and no others. Every method returns `None` at their end.
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

    /// Reads a number. Most have one byte: they are lengths.
    #[inline]
    fn varint(&mut self) -> Option<u64> {
        match self.0 {
            [byte @ ..0x80, rest @ ..] => {
                self.0 = rest;
                Some((*byte).into())
            }
            _ => self.long_varint(),
        }
    }

    #[inline(never)]
    fn long_varint(&mut self) -> Option<u64> {
        let Some((first, rest)) = self.0.split_first_chunk() else {
            return self.last_varint();
        };
        let first = u64::from_le_bytes(*first);
        let len = (!first & CONTINUED).trailing_zeros() as usize / 8 + 1;
        if len <= 8 {
            self.skip(len)?;
            return Some(join_7(first & u64::MAX >> (64 - 8 * len)));
        }
        let (last, rest) = match rest {
            [ninth @ ..0x80, rest @ ..] => (u64::from(*ninth), rest),
            [ninth, tenth @ ..0x80, rest @ ..] => {
                (u64::from(ninth & 0x7f) | u64::from(*tenth) << 7, rest)
            }
            _ => return None,
        };
        self.0 = rest;
        Some(join_7(first) | last << 56)
    }

    /// Reads a number that may be at the very end.
    fn last_varint(&mut self) -> Option<u64> {
        let mut value = 0;
        for shift in (0..).step_by(7) {
            let byte = self.byte()?;
            value |= u64::from(byte & 0x7f).checked_shl(shift)?;
            if byte & 0x80 == 0 {
                break;
            }
        }
        Some(value)
    }

    fn zigzag(&mut self) -> Option<i64> {
        let value = self.varint()?;
        Some((value >> 1) as i64 ^ -((value & 1) as i64))
    }

    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (array, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(*array)
    }

    #[inline]
    fn bytes(&mut self) -> Option<&'a [u8]> {
        let len = usize::try_from(self.varint()?).ok()?;
        let (bytes, rest) = self.0.split_at_checked(len)?;
        self.0 = rest;
        Some(bytes)
    }

    fn list_header(&mut self) -> Option<usize> {
        let byte = self.byte()?;
        if byte == LONG_LIST {
            self.varint().map(|count| count as usize)
        } else {
            Some((byte >> 4).into())
        }
    }

    fn tag(&mut self) -> Option<(&'a str, TagRef<'a>)> {
        // A copy, which stays in registers until the end.
        let mut rest = self.clone();
        rest.skip(1)?;
        let key = text(rest.bytes()?)?;
        let value = match rest.array()? {
            STRING_TAG => TagRef::String(text(rest.bytes()?)?),
            LONG_TAG => TagRef::Long(rest.zigzag()?),
            DOUBLE_TAG => TagRef::Double(f64::from_le_bytes(rest.array()?)),
            TRUE_TAG => TagRef::Bool(true),
            FALSE_TAG => TagRef::Bool(false),
            _ => TagRef::Binary(rest.bytes()?),
        };
        rest.skip(1)?;
        *self = rest;
        Some((key, value))
    }

    fn skip_tag(&mut self) -> Option<()> {
        self.skip(1)?;
        self.bytes()?;
        match self.array()? {
            LONG_TAG => {
                self.varint()?;
            }
            DOUBLE_TAG => self.skip(8)?,
            TRUE_TAG | FALSE_TAG => {}
            _ => {
                self.bytes()?;
            }
        }
        self.skip(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::wire::encode::{
        varint_len, write_log, write_reference, write_tag, write_varint, zigzag,
    };

    #[test]
    fn varint_len_is_the_number_of_bytes_written() {
        for shift in 0..64 {
            for value in [1u64 << shift, (1 << shift) - 1, u64::MAX >> shift] {
                let mut out = Vec::new();
                write_varint(&mut out, value);
                let len = out.len();
                assert_eq!(len, varint_len(value), "{value}");
                assert_eq!(Reader(&out).varint(), Some(value));
                assert_eq!(Reader(&out[..len - 1]).varint(), None, "{value}");
                // More bytes follow, which are not a part of the number.
                out.extend_from_slice(&[0xff; 9]);
                let mut reader = Reader(&out);
                assert_eq!(reader.varint(), Some(value));
                assert_eq!(reader.0, [0xff; 9], "{value}");
            }
        }
        assert_eq!(Reader(&[0xff; 12]).varint(), None, "it does not end");
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
        let fields = tags.map(|(key, value)| FieldRef { key, value });
        let mut logs = Vec::new();
        write_log(&mut logs, Timestamp::from_micros(1), &fields);
        write_log(&mut logs, Timestamp::from_micros(2), &[]);
        let times = Logs::new(&logs, 2).map(|log| (log.timestamp.as_micros(), log.fields.count()));
        assert!(times.eq([(1, tags.len()), (2, 0)]));

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
    fn logs_and_references_read_back_as_they_were_written() {
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
