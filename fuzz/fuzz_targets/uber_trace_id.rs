//! The trace header: read exactly as a slow and simple reader does, from every kind of carrier.

#![no_main]

use http::{HeaderMap, HeaderValue};
use libfuzzer_sys::fuzz_target;
use tracehound::SpanContext;
use tracehound::model::{Flags, SpanId, TraceId};
use tracehound::propagation::{ExtractError, Extractor, Injector, JaegerCodec, TextMapReader};
use tracehound_fuzz::carrier::Plain;

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
            let text = error.to_string();
            let is_shown = |byte| byte == b' ' || u8::is_ascii_graphic(&byte);
            assert!(text.len() < 400 && text.bytes().all(is_shown), "{text}");
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
    let pieces: Vec<_> = value
        .split(|byte| *byte == b',')
        .map(trim)
        .filter(|piece| !piece.is_empty())
        .collect();
    let ids: Vec<_> = pieces.iter().map(|piece| ids(piece)).collect();
    let trace = ids.iter().rev().copied().flatten().find_map(context);
    match (trace, ids.last()) {
        (Some(context), _) => Ok(Some(context)),
        (None, Some(Some(_))) => Ok(None),
        (None, _) => Err(()),
    }
}

fn trim(text: &[u8]) -> &[u8] {
    let blank = |byte: &&u8| matches!(**byte, b' ' | b'\t');
    let start = text.iter().take_while(blank).count();
    let end = text[start..].iter().rev().take_while(blank).count();
    &text[start..text.len() - end]
}

fn ids(piece: &[u8]) -> Option<(u128, u64, u64, u8)> {
    let decoded = decode(piece)?;
    let text = std::str::from_utf8(&decoded).ok()?;
    let parts: Vec<_> = text.split(':').collect();
    let [trace_id, span_id, parent_id, flags] = parts[..] else {
        return None;
    };
    let number = |digits: &str, most: usize| {
        let is_hex = digits.bytes().all(|byte| byte.is_ascii_hexdigit());
        let is_number = is_hex && (1..=most).contains(&digits.len());
        is_number.then(|| u128::from_str_radix(digits, 16).ok())?
    };
    Some((
        number(trace_id, 32)?,
        number(span_id, 16)? as u64,
        number(parent_id, 16)? as u64,
        number(flags, 2)? as u8,
    ))
}

/// `None` where an escape is malformed.
fn decode(text: &[u8]) -> Option<Vec<u8>> {
    let mut decoded = Vec::new();
    let mut rest = text;
    while let Some((&byte, after)) = rest.split_first() {
        rest = after;
        if byte != b'%' {
            decoded.push(byte);
            continue;
        }
        let (digits, after) = rest.split_at_checked(2)?;
        let digits = std::str::from_utf8(digits).ok()?;
        if !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return None;
        }
        decoded.push(u8::from_str_radix(digits, 16).ok()?);
        rest = after;
    }
    Some(decoded)
}

fn context((trace, span, parent, flags): (u128, u64, u64, u8)) -> Option<SpanContext> {
    Some(SpanContext::new(
        TraceId::new((trace >> 64) as u64, trace as u64)?,
        SpanId::new(span)?,
        SpanId::new(parent),
        Flags::from_bits(flags),
    ))
}
