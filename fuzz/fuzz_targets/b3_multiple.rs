//! The several headers of B3, beside the one and baggage: read as a slow and simple reader reads them.
//!
//! An input is a header a line: the first byte says which one, the rest is the value.

#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use tracehound::propagation::{B3Codec, Extractor, Propagation, TextMapReader};
use tracehound_fuzz::assert_short;
use tracehound_fuzz::b3::{SEVERAL, read_several, read_single};
use tracehound_fuzz::baggage::{Collected, assert_within_limits};
use tracehound_fuzz::facts::{Facts, Format, Found, Malformed};
use tracehound_fuzz::headers::{Headers, as_text, header_map, plain, texts, written};
use tracehound_fuzz::slow::percent_decoded;

static CODECS: LazyLock<[(B3Codec, Propagation); 2]> = LazyLock::new(|| {
    [
        (B3Codec::multiple_headers(), Propagation::B3),
        (B3Codec::single_header(), Propagation::B3Single),
    ]
});

fuzz_target!(|input: &[u8]| {
    let lines = input.split(|byte| *byte == b'\n').take(100);
    let header = |line: &[u8]| {
        let (which, value) = line.split_first()?;
        let names = SEVERAL
            .into_iter()
            .chain(["b3", "baggage-user", "baggage-cart"]);
        let name = names.cycle().nth(usize::from(*which % 8))?;
        Some((name.to_owned(), value.to_vec()))
    };
    let headers: Headers = lines.filter_map(header).collect();
    let map = header_map(&headers);
    check(&as_text(&headers), &texts(&headers));
    check(&plain(&map).headers, &map);
});

fn check(headers: &Headers, carrier: &dyn TextMapReader) {
    let expected = read(headers);
    for (codec, _) in &*CODECS {
        let answer = codec.extract(carrier);
        answer.as_ref().err().into_iter().for_each(assert_short);
        assert_eq!(Facts::found(answer), expected, "{headers:?}");
    }
    let Ok(Some(context)) = CODECS[0].0.extract(carrier) else {
        return;
    };
    assert_within_limits(context.baggage());
    for (codec, format) in &*CODECS {
        let arrived = codec.extract(&written(codec, &context));
        let kept = Facts::of(&context).kept_by(Format::Http(*format));
        assert_eq!(Facts::found(arrived), Ok(Some(kept)), "{headers:?}");
    }
}

/// The rules, as slow and as simple as they can be written.
fn read(headers: &Headers) -> Found {
    let values = |wanted: &str| {
        let named = headers.iter().filter(move |(name, _)| *name == wanted);
        named.map(|(_, value)| value.as_slice()).collect::<Vec<_>>()
    };
    let several = read_several(SEVERAL.map(|name| values(name).first().copied()));
    let facts = match (read_single(values("b3").into_iter()), several) {
        (Ok(Some(one)), _) => one,
        (Ok(None), several) => several?,
        (Err(Malformed), Ok(several)) if !several.is_empty() => several,
        (Err(Malformed), _) => return Err(Malformed),
    };
    let mut collected = Collected::default();
    for (name, value) in headers {
        if let Some(key) = name.strip_prefix("baggage-") {
            collected.add(key, &percent_decoded(value), "");
        }
    }
    let baggage = collected.baggage;
    let facts = Facts { baggage, ..facts };
    Ok((!facts.is_empty()).then_some(facts))
}
