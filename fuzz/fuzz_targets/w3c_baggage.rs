//! W3C Baggage: read as a slow and simple reader reads it, within the limits; what is left out is counted, and what is
//! written is read again.
//!
//! An input is a header a line.

#![no_main]

use std::sync::LazyLock;

use allocation_counter::measure;
use libfuzzer_sys::fuzz_target;
use tracehound::metrics::Counter::BaggageItemsSkipped;
use tracehound::prelude::*;
use tracehound::propagation::{ExtractCarrier, Extractor, HttpHeaders, Propagation, W3cCodec};
use tracehound::{JaegerTracer, SpanContext};
use tracehound_fuzz::baggage::{Collected, assert_within_limits, items};
use tracehound_fuzz::counting;
use tracehound_fuzz::facts::{Facts, Format};
use tracehound_fuzz::headers::{Headers, as_text, header_map, plain, texts, written_by};
use tracehound_fuzz::slow::{is_token, percent_decoded, pieces, split_once, trim};

static TRACER: LazyLock<JaegerTracer> =
    LazyLock::new(|| tracehound_fuzz::speaking([Propagation::Baggage]));

static CODEC: LazyLock<W3cCodec> = LazyLock::new(W3cCodec::baggage);

fuzz_target!(|input: &[u8]| {
    let lines = input.split(|byte| *byte == b'\n').take(100);
    let headers: Headers = lines
        .map(|line| ("Baggage".to_owned(), line.to_vec()))
        .collect();
    let map = header_map(&headers);
    check(&as_text(&headers), &HttpHeaders(texts(&headers)));
    check(&plain(&map).headers, &map);
});

fn check(headers: &Headers, carrier: &dyn ExtractCarrier) {
    let expected = read(headers);
    let (answer, lost) = counting(&TRACER, BaggageItemsSkipped, || TRACER.extract(carrier));
    let context = answer.expect("baggage is no error").unwrap_or_default();
    assert_eq!(
        items(context.baggage()),
        items(&expected.baggage),
        "{headers:?}"
    );
    assert_eq!(lost, expected.lost, "{headers:?}");
    assert_within_limits(context.baggage());

    let kept = Facts::of(&context).kept_by(Format::Http(Propagation::Baggage));
    let (written, lost) = counting(&TRACER, BaggageItemsSkipped, || {
        written_by(&TRACER, &context)
    });
    assert_eq!(
        context.baggage().len() as u64 - lost,
        kept.baggage.len() as u64
    );
    assert!(
        written.iter().all(|(_, value)| value.len() <= 8_192),
        "{written:?}"
    );
    let mut again = SpanContext::default();
    let used = measure(|| {
        let arrived = CODEC.extract(&written);
        again = arrived.expect("written by us").unwrap_or_default();
    });
    assert!(used.bytes_max <= MOST_BYTES, "{used:?}");
    assert_eq!(items(again.baggage()), items(&kept.baggage), "{headers:?}");
    assert_eq!(written_by(&TRACER, &again), written, "{headers:?}");
}

/// The most memory that reading takes at a time: the items, and as much again for one that does not fit.
const MOST_BYTES: u64 = 64 * 1_024;

/// The rules, as slow and as simple as they can be written.
fn read(headers: &Headers) -> Collected {
    let mut collected = Collected::default();
    for (_, header) in headers {
        for member in pieces(header).filter(|member| !member.is_empty()) {
            let (item, properties) = split_once(member, b';').unwrap_or((member, b""));
            let Some((key, value)) = split_once(item, b'=') else {
                collected.lost += 1;
                continue;
            };
            let [key, value, properties] = [key, value, properties].map(trim);
            let [key, properties] = [key, properties].map(String::from_utf8_lossy);
            if is_token(&key) {
                collected.add(&key, &percent_decoded(value), &properties);
            } else {
                collected.lost += 1;
            }
        }
    }
    collected
}
