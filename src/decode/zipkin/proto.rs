use std::time::Duration;

use crate::decode::parts::Parts;
use crate::decode::protobuf::{Fields, Value, text};
use crate::decode::zipkin::batches;
use crate::decode::zipkin::span::{Endpoint, ZipkinSpan, address};
use crate::decode::{Reason, ReceivedBatch};
use crate::model::{SpanId, TagValue, Timestamp, TraceId};

/// Reads a `ListOfSpans` of `zipkin.proto3`. Spans of one process are a batch, and a span that cannot be read is left
/// out.
///
/// # Errors
///
/// Fails if the bytes are no such message, or if none of its spans can be read.
pub(crate) fn zipkin_proto(bytes: &[u8]) -> Result<Vec<ReceivedBatch>, Reason> {
    // Read twice, because a list of what may be empty spans would take eight times as much memory as the message.
    for field in Fields::new(bytes) {
        field?;
    }
    let spans = Fields::new(bytes).filter_map(|field| match field {
        Ok((1, Value::Bytes(span))) => Some(span),
        _ => None,
    });
    batches(spans, span)
}

/// Reads a `Span`.
fn span(bytes: &[u8], parts: &mut Parts) -> Result<ZipkinSpan, Reason> {
    parts.take()?;
    let (trace_id, span_id) = ids(bytes)?;
    let mut span = ZipkinSpan::new(trace_id, span_id);
    for field in Fields::new(bytes) {
        match field? {
            (2, Value::Bytes(id)) => {
                span.parent_id = self::span_id(id)?.filter(|&parent| parent != span_id);
            }
            (4, Value::Varint(number)) => span.kind = kind(number).map(str::to_owned),
            (5, Value::Bytes(bytes)) => span.name = text(bytes).into_owned(),
            (6, Value::Fixed64(micros)) => span.start = timestamp(micros),
            (7, Value::Varint(micros)) => span.duration = Duration::from_micros(micros),
            (8, Value::Bytes(bytes)) => span.local = endpoint(bytes)?,
            (9, Value::Bytes(bytes)) => span.remote = endpoint(bytes)?,
            (10, Value::Bytes(bytes)) => span.annotations.push(annotation(bytes, parts)?),
            (11, Value::Bytes(bytes)) => {
                let (key, value) = tag(bytes, parts)?;
                span.tags.insert(key, value);
            }
            (12, Value::Varint(flag)) => span.is_debug = flag != 0,
            _ => {}
        }
    }
    Ok(span)
}

/// Returns the ids of a span, which may stand anywhere in it.
fn ids(bytes: &[u8]) -> Result<(TraceId, SpanId), Reason> {
    let (mut trace, mut span) = (None, None);
    for field in Fields::new(bytes) {
        match field? {
            (1, Value::Bytes(id)) => trace = trace_id(id)?,
            (3, Value::Bytes(id)) => span = span_id(id)?,
            _ => {}
        }
    }
    let trace = trace.ok_or("a span has no trace_id")?;
    Ok((trace, span.ok_or("a span has no id")?))
}

/// Reads an id of 8 or 16 bytes; `None` if it is zero.
fn trace_id(bytes: &[u8]) -> Result<Option<TraceId>, Reason> {
    let id = match *bytes {
        [] => 0,
        _ => match (<[u8; 8]>::try_from(bytes), <[u8; 16]>::try_from(bytes)) {
            (Ok(short), _) => u64::from_be_bytes(short).into(),
            (_, Ok(long)) => u128::from_be_bytes(long),
            _ => return Err(format!("a trace id has {} bytes", bytes.len())),
        },
    };
    Ok(TraceId::new((id >> 64) as u64, id as u64))
}

/// Reads an id of 8 bytes; `None` if it is zero.
fn span_id(bytes: &[u8]) -> Result<Option<SpanId>, Reason> {
    crate::decode::otlp::span_id(bytes)
}

/// Returns the kind in lower case. A number that the model does not have is none.
fn kind(number: u64) -> Option<&'static str> {
    let place = usize::try_from(number.checked_sub(1)?).ok()?;
    KINDS.get(place).copied()
}

/// Returns a time. One that has no place in 63 bits is none.
fn timestamp(micros: u64) -> Timestamp {
    Timestamp::from_micros(i64::try_from(micros).unwrap_or(0))
}

/// Reads an `Endpoint`.
fn endpoint(bytes: &[u8]) -> Result<Endpoint, Reason> {
    let mut endpoint = Endpoint::default();
    for field in Fields::new(bytes) {
        match field? {
            (1, Value::Bytes(bytes)) => endpoint.service = Some(text(bytes).into_owned()),
            (2, Value::Bytes(bytes)) => endpoint.ipv4 = address(bytes),
            (3, Value::Bytes(bytes)) => endpoint.ipv6 = address(bytes),
            (4, Value::Varint(number)) => endpoint.port = u16::try_from(number).ok(),
            _ => {}
        }
    }
    Ok(endpoint)
}

/// Reads an `Annotation`.
fn annotation(bytes: &[u8], parts: &mut Parts) -> Result<(Timestamp, String), Reason> {
    parts.take()?;
    let (mut at, mut value) = (Timestamp::default(), String::new());
    for field in Fields::new(bytes) {
        match field? {
            (1, Value::Fixed64(micros)) => at = timestamp(micros),
            (2, Value::Bytes(bytes)) => value = text(bytes).into_owned(),
            _ => {}
        }
    }
    Ok((at, value))
}

/// Reads an entry of the tags.
fn tag(bytes: &[u8], parts: &mut Parts) -> Result<(String, TagValue), Reason> {
    parts.take()?;
    let (mut key, mut value) = (String::new(), String::new());
    for field in Fields::new(bytes) {
        match field? {
            (1, Value::Bytes(bytes)) => key = text(bytes).into_owned(),
            (2, Value::Bytes(bytes)) => value = text(bytes).into_owned(),
            _ => {}
        }
    }
    Ok((key, value.into()))
}

/// The kinds from 1 on.
const KINDS: [&str; 4] = ["client", "server", "producer", "consumer"];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decode::parts::MAX_PARTS;

    /// A field of bytes, at most 127 of them.
    fn field(number: u8, bytes: &[u8]) -> Vec<u8> {
        let head = [number << 3 | 2, bytes.len() as u8];
        [&head, bytes].concat()
    }

    /// A list of a span with the ids 10 and 11 and these fields.
    fn list(fields: &[u8]) -> Vec<u8> {
        let ids = [
            field(1, &[0, 0, 0, 0, 0, 0, 0, 10]),
            field(3, &[0, 0, 0, 0, 0, 0, 0, 11]),
        ];
        field(1, &[&ids.concat(), fields].concat())
    }

    #[test]
    fn ids_have_eight_bytes_and_those_of_traces_sixteen_too() {
        let eight = |last| [0, 0, 0, 0, 0, 0, 0, last];
        let long = [[1; 8], eight(10)].concat();
        let span = |trace: &[u8], id: &[u8]| field(1, &[field(3, id), field(1, trace)].concat());
        let read = |message: &[u8]| zipkin_proto(message).map(|mut read| read.remove(0));
        let short = read(&span(&eight(10), &eight(11))).expect("a span");
        assert_eq!(short.spans[0].trace_id, TraceId::new(0, 10).expect("an id"));
        let long = read(&span(&long, &eight(11))).expect("a span");
        assert_eq!(long.spans[0].trace_id.high(), 0x0101_0101_0101_0101);
        for (trace, id) in [
            (&[][..], &eight(11)[..]),
            (&eight(0), &eight(11)),
            (&[0; 16], &eight(11)),
            (&[1; 7], &eight(11)),
            (&[1; 17], &eight(11)),
            (&eight(10), &[]),
            (&eight(10), &eight(0)),
            (&eight(10), &[1; 16]),
        ] {
            assert!(zipkin_proto(&span(trace, id)).is_err(), "{trace:?} {id:?}");
        }
        // The list goes on without it.
        let two = [span(&[], &[]), span(&eight(10), &eight(11))].concat();
        let batch = read(&two).expect("one can be read");
        assert_eq!((batch.spans.len(), batch.left_out), (1, 1));
        assert_eq!(zipkin_proto(b""), Ok(Vec::new()));
    }

    #[test]
    fn numbers_that_the_model_does_not_have_are_none() {
        let largest = [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1];
        let port = field(8, &[&[4 << 3][..], &largest].concat());
        let address = field(9, &field(2, b"\x7f\0\0"));
        let fields = [
            [&[4 << 3][..], &largest].concat(),
            [&[6 << 3 | 1][..], &[0xff; 8]].concat(),
            [&[7 << 3][..], &largest].concat(),
            port,
            address,
            field(2, &[0, 0, 0, 0, 0, 0, 0, 11]),
        ];
        let read = zipkin_proto(&list(&fields.concat())).expect("a span");
        let span = &read[0].spans[0];
        assert_eq!((&*span.tags, span.parent_id), (&[][..], None));
        assert_eq!(span.start.as_micros(), 0);
        assert_eq!(span.duration, Duration::from_micros(u64::MAX));
    }

    #[test]
    fn a_message_has_a_bounded_number_of_parts_and_is_whole() {
        let read = |count| zipkin_proto(&list_of(count));
        assert!(read(1_000).is_ok());
        assert!(read(MAX_PARTS).is_err());
        let whole = list(&field(11, &[field(1, b"key"), field(2, b"value")].concat()));
        assert!(zipkin_proto(&whole).is_ok());
        for end in 1..whole.len() {
            assert!(zipkin_proto(&whole[..end]).is_err(), "{end}");
        }
    }

    /// A list of a span with empty annotations.
    fn list_of(count: usize) -> Vec<u8> {
        let fields = [10 << 3 | 2, 0].repeat(count);
        let ids = [field(1, &[1; 8]), field(3, &[1; 8])].concat();
        let mut length = ids.len() + fields.len();
        let mut message = vec![1 << 3 | 2];
        while length >= 0x80 {
            message.push(length as u8 | 0x80);
            length >>= 7;
        }
        message.push(length as u8);
        [message, ids, fields].concat()
    }
}
