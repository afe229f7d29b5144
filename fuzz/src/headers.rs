//! Inputs that are headers, and the carriers that hold them.

use http::{HeaderMap, HeaderName, HeaderValue};
use tracehound::propagation::{HttpHeaders, Injector};
use tracehound::{JaegerTracer, SpanContext};

use crate::carrier::Plain;

/// Names and values in their order.
pub type Headers = Vec<(String, Vec<u8>)>;

/// A `HeaderMap` is searched for baggage among its first 256 headers.
const MOST_HEADERS: usize = 250;

/// Reads a header a line, `name:value`.
pub fn from_lines(text: &[u8]) -> Headers {
    let lines = text.split(|byte| *byte == b'\n').take(MOST_HEADERS);
    let split = |line: &[u8]| {
        let colon = line.iter().position(|byte| *byte == b':');
        let (name, value) = line.split_at(colon.unwrap_or(line.len()));
        let name = String::from_utf8_lossy(name).into_owned();
        (name, value.get(1..).unwrap_or_default().to_vec())
    };
    lines.map(split).collect()
}

/// Returns the headers that a `HeaderMap` can hold.
pub fn header_map(headers: &Headers) -> HeaderMap {
    let mut map = HeaderMap::new();
    for (name, value) in headers {
        if let (Ok(name), Ok(value)) = (
            HeaderName::from_bytes(name.as_bytes()),
            HeaderValue::from_bytes(value),
        ) {
            map.append(name, value);
        }
    }
    map
}

/// The headers of a map in the order in which it is read, in a carrier without fast paths.
pub fn plain(map: &HeaderMap) -> Plain {
    let headers = map
        .iter()
        .map(|(name, value)| (name.as_str().to_owned(), value.as_bytes().to_vec()));
    Plain {
        headers: headers.collect(),
        is_http: true,
    }
}

/// The headers as text.
pub fn texts(headers: &Headers) -> Vec<(String, String)> {
    let text = |value: &[u8]| String::from_utf8_lossy(value).into_owned();
    let pairs = headers.iter();
    pairs
        .map(|(name, value)| (name.clone(), text(value)))
        .collect()
}

/// The headers as a carrier of text holds them.
pub fn as_text(headers: &Headers) -> Headers {
    let pairs = texts(headers).into_iter();
    pairs
        .map(|(name, value)| (name, value.into_bytes()))
        .collect()
}

/// Returns the headers that a tracer writes. They can stand in a request as they are.
pub fn written_by(tracer: &JaegerTracer, context: &SpanContext) -> Vec<(String, String)> {
    use tracehound::prelude::*;
    let mut written = Vec::new();
    tracer.inject(context, &mut HttpHeaders(&mut written));
    assert_on_wire(&written);
    written
}

/// Returns the headers that a codec for HTTP writes. They can stand in a request as they are.
pub fn written(codec: &dyn Injector, context: &SpanContext) -> Vec<(String, String)> {
    let mut written = Vec::new();
    codec.inject(context, &mut written);
    assert_on_wire(&written);
    written
}

/// Panics if a name is no token, or a value is not printable ASCII or has blanks at its ends.
fn assert_on_wire(headers: &[(String, String)]) {
    for (name, value) in headers {
        assert!(crate::slow::is_token(name), "{name:?}");
        let is_printable = |byte: u8| matches!(byte, b'\t' | b' '..=b'~');
        assert!(value.bytes().all(is_printable), "{name}: {value:?}");
        assert_eq!(value.trim(), value, "{name}");
        assert!(!value.is_empty() || name.contains("ctx-") || name.starts_with("baggage-"));
    }
}
