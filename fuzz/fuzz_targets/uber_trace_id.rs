//! The trace header: read exactly as a slow and simple reader does, from every kind of carrier.

#![no_main]

use http::{HeaderMap, HeaderValue};
use libfuzzer_sys::fuzz_target;
use tracehound::SpanContext;
use tracehound::model::{Flags, SpanId, TraceId};
use tracehound::propagation::{ExtractError, Extractor, Injector, JaegerCodec, TextMapReader};
use tracehound_fuzz::assert_short;
use tracehound_fuzz::carrier::Plain;
use tracehound_fuzz::slow::{decode, hex, pieces};

const NAME: &str = "uber-trace-id";

fuzz_target!(|value: &[u8]| {
    let expected = read(value);
    let plain = Plain {
        headers: vec![(NAME.to_owned(), value.to_vec())],
        is_http: true,
    };
    check(value, &expected, &plain);
    if let Ok(value) = HeaderValue::from_bytes(value) {
        let mut headers = HeaderMap::new();
        headers.insert(NAME, value.clone());
        check(value.as_bytes(), &expected, &headers);
    }
    if let Ok(text) = std::str::from_utf8(value) {
        check(value, &expected, &vec![(NAME, text)]);
    }
});

/// What a value stands for: a context, no trace, or an error.
type Answer = Result<Option<SpanContext>, ()>;

fn check(value: &[u8], expected: &Answer, carrier: &dyn TextMapReader) {
    for codec in [JaegerCodec::http_headers(), JaegerCodec::text_map()] {
        let answer = codec.extract(carrier);
        if let Err(error) = &answer {
            assert!(matches!(error, ExtractError::Corrupted { .. }), "{error:?}");
            assert_short(error);
        }
        let answer = answer.map_err(|_| ());
        assert_eq!(answer, *expected, "{}", value.escape_ascii());
        let Ok(Some(context)) = answer else { continue };

        let mut written = HeaderMap::new();
        codec.inject(&context, &mut written);
        assert_eq!(read(written[NAME].as_bytes()), Ok(Some(context.clone())));
        assert_eq!(codec.extract(&written), Ok(Some(context)));
    }
}

/// The rules, as slow and as simple as they can be written.
fn read(value: &[u8]) -> Answer {
    let pieces: Vec<_> = pieces(value).filter(|piece| !piece.is_empty()).collect();
    let ids: Vec<_> = pieces.iter().map(|piece| ids(piece)).collect();
    let trace = ids.iter().rev().copied().flatten().find_map(context);
    match (trace, ids.last()) {
        (Some(context), _) => Ok(Some(context)),
        (None, Some(Some(_))) => Ok(None),
        (None, _) => Err(()),
    }
}

fn ids(piece: &[u8]) -> Option<(u128, u64, u64, u8)> {
    let decoded = decode(piece)?;
    let text = std::str::from_utf8(&decoded).ok()?;
    let parts: Vec<_> = text.split(':').collect();
    let [trace_id, span_id, parent_id, flags] = parts[..] else {
        return None;
    };
    let number = |digits: &str, most| hex(digits.as_bytes(), most);
    Some((
        number(trace_id, 32)?,
        number(span_id, 16)? as u64,
        number(parent_id, 16)? as u64,
        number(flags, 2)? as u8,
    ))
}

fn context((trace, span, parent, flags): (u128, u64, u64, u8)) -> Option<SpanContext> {
    Some(SpanContext::new(
        TraceId::new((trace >> 64) as u64, trace as u64)?,
        SpanId::new(span)?,
        SpanId::new(parent),
        Flags::from_bits(flags),
    ))
}
