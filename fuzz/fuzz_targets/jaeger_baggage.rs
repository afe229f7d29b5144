//! `jaeger-baggage` beside `uberctx-` headers: read as a slow and simple reader reads them, within the limits; what is
//! left out is counted. An item of the list and the header for it alone say the same.
//!
//! An input is a line a header: `=` and the value of `jaeger-baggage`, or `key:value` for an `uberctx-` header.

#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use tracehound::JaegerTracer;
use tracehound::metrics::Counter::BaggageItemsSkipped;
use tracehound::prelude::*;
use tracehound::propagation::{ExtractCarrier, Extractor, HttpHeaders, JaegerCodec, Propagation};
use tracehound_fuzz::baggage::{Collected, assert_within_limits, items};
use tracehound_fuzz::counting;
use tracehound_fuzz::facts::{Facts, Format};
use tracehound_fuzz::headers::{Headers, as_text, header_map, plain, texts, written_by};
use tracehound_fuzz::slow::{form_decoded, pieces, split_once, trim};

static TRACER: LazyLock<JaegerTracer> =
    LazyLock::new(|| tracehound_fuzz::speaking([Propagation::Jaeger]));

static CODEC: LazyLock<JaegerCodec> = LazyLock::new(JaegerCodec::http_headers);

const LIST: &str = "jaeger-baggage";
const PREFIX: &str = "uberctx-";

fuzz_target!(|input: &[u8]| {
    let lines = input.split(|byte| *byte == b'\n').take(60);
    let header = |line: &[u8]| match line.split_first() {
        Some((b'=', list)) => Some((LIST.to_owned(), list.to_vec())),
        _ => {
            let (key, value) = split_once(line, b':')?;
            let key = String::from_utf8_lossy(key);
            Some((format!("{PREFIX}{key}"), value.to_vec()))
        }
    };
    let headers: Headers = lines.filter_map(header).collect();
    let map = header_map(&headers);
    check(
        &as_text(&headers),
        &HttpHeaders(texts(&headers)),
        form_decoded,
    );
    check(&plain(&map).headers, &map, form_decoded);
    let lossy = |text: &[u8]| String::from_utf8_lossy(text).into_owned();
    check(&as_text(&headers), &texts(&headers), lossy);
    for (_, list) in headers.iter().filter(|(name, _)| name == LIST) {
        check_alone(list);
    }
});

type Decode = fn(&[u8]) -> String;

fn check(headers: &Headers, carrier: &dyn ExtractCarrier, decode: Decode) {
    let expected = read(headers, decode);
    let (answer, lost) = counting(&TRACER, BaggageItemsSkipped, || TRACER.extract(carrier));
    let context = answer.expect("baggage is no error").unwrap_or_default();
    assert_eq!(
        items(context.baggage()),
        items(&expected.baggage),
        "{headers:?}"
    );
    assert_eq!(lost, expected.lost, "{headers:?}");
    assert_within_limits(context.baggage());

    let kept = Facts::of(&context).kept_by(Format::Http(Propagation::Jaeger));
    let (written, lost) = counting(&TRACER, BaggageItemsSkipped, || {
        written_by(&TRACER, &context)
    });
    assert_eq!(
        context.baggage().len() as u64 - lost,
        kept.baggage.len() as u64
    );
    let arrived = TRACER
        .extract(&HttpHeaders(written))
        .expect("written by us");
    assert_eq!(
        arrived.unwrap_or_default().baggage(),
        &kept.baggage,
        "{headers:?}"
    );
}

/// The rules, as slow and as simple as they can be written.
fn read(headers: &Headers, decode: Decode) -> Collected {
    let mut collected = Collected::default();
    for (name, value) in headers {
        if let Some(key) = name.strip_prefix(PREFIX) {
            collected.add(&key.to_lowercase(), &decode(value), "");
        }
    }
    let protected = collected.baggage.clone();
    for (_, list) in headers.iter().filter(|(name, _)| name == LIST) {
        for (key, value) in members(list) {
            let key = decode(key).to_lowercase();
            collected.add_beside(&protected, &key, &decode(value));
        }
    }
    collected
}

fn members(list: &[u8]) -> impl Iterator<Item = (&[u8], &[u8])> {
    let members = pieces(list).filter_map(|pair| split_once(pair, b'='));
    let members = members.map(|(key, value)| (trim(key), trim(value)));
    members.filter(|(key, _)| !key.is_empty())
}

/// Each item in a header of its own says the same. A map of texts replaces invalid UTF-8 before the escapes around it
/// are decoded, so a list with some says something else there.
fn check_alone(list: &[u8]) {
    if std::str::from_utf8(list).is_err() {
        return;
    }
    let own =
        |(key, value): (&[u8], &[u8])| (format!("{PREFIX}{}", form_decoded(key)), value.to_vec());
    let alone: Headers = members(list).map(own).collect();
    if alone.len() > 64 {
        return;
    }
    let extracted = |headers: &Headers| Facts::found(CODEC.extract(&texts(headers)));
    let together = vec![(LIST.to_owned(), list.to_vec())];
    assert_eq!(
        extracted(&alone),
        extracted(&together),
        "{}",
        list.escape_ascii()
    );
}
