//! Jaeger's headers under other names, which may overlap: every carrier tells the same, and what is injected is
//! extracted again.
//!
//! An input is a line each for the names of the trace header, the prefix of baggage, the debug id and the list of
//! baggage, and then a header a line, `name:value`.

#![no_main]

use http::HeaderMap;
use libfuzzer_sys::fuzz_target;
use tracehound::propagation::{Extractor, HeaderNames, Injector, JaegerCodec, Propagation};
use tracehound_fuzz::assert_short;
use tracehound_fuzz::baggage::assert_within_limits;
use tracehound_fuzz::carrier::Plain;
use tracehound_fuzz::facts::{Facts, Format};
use tracehound_fuzz::headers::{Headers, as_text, from_lines, header_map, plain, texts};

fuzz_target!(|input: &[u8]| {
    let mut names = from_lines(input);
    let mut headers = names.split_off(names.len().min(4));
    // As many as leave room for 64 items among the first 256 headers.
    headers.truncate(150);
    let [trace, prefix, debug, list] = &names[..] else {
        return;
    };
    let own = [&trace.0, &debug.0, &list.0];
    let Some(names) = header_names(&trace.0, &prefix.0, &debug.0, &list.0) else {
        return;
    };
    let is_taken = |key: &str| {
        let name = format!("{}{key}", prefix.0);
        own.iter().any(|own| own.eq_ignore_ascii_case(&name))
    };
    let codec = JaegerCodec::http_headers().header_names(names.clone());
    check_http(&codec, &headers, is_taken);
    let codec = JaegerCodec::text_map().header_names(names);
    check_text(&codec, &headers, is_taken);
});

fn header_names(trace: &str, prefix: &str, debug: &str, list: &str) -> Option<HeaderNames> {
    let names = HeaderNames::default().trace_id(trace).ok()?;
    let names = names.baggage_prefix(prefix).ok()?;
    names.debug_id(debug).ok()?.baggage(list).ok()
}

fn check_http(codec: &JaegerCodec, headers: &Headers, is_taken: impl Fn(&str) -> bool) {
    let map = header_map(headers);
    let answer = codec.extract(&map);
    assert_eq!(answer, codec.extract(&plain(&map)), "{map:?}");
    answer.as_ref().err().into_iter().for_each(assert_short);
    let Ok(Some(context)) = answer else { return };
    assert_within_limits(context.baggage());
    let format = Format::Http(Propagation::Jaeger);
    let expected = kept(Facts::of(&context), format, is_taken);
    for mut carrier in [HeaderMap::new(), map] {
        codec.inject(&context, &mut carrier);
        assert_eq!(
            Facts::found(codec.extract(&carrier)),
            Ok(expected.clone()),
            "{carrier:?}"
        );
    }
}

fn check_text(codec: &JaegerCodec, headers: &Headers, is_taken: impl Fn(&str) -> bool) {
    let list = texts(headers);
    let plain = Plain {
        headers: as_text(headers),
        is_http: false,
    };
    let answer = codec.extract(&list);
    assert_eq!(answer, codec.extract(&plain), "{list:?}");
    let Ok(Some(context)) = answer else { return };
    assert_within_limits(context.baggage());
    let expected = kept(Facts::of(&context), Format::JaegerText, is_taken);
    for mut carrier in [Vec::new(), list] {
        codec.inject(&context, &mut carrier);
        assert_eq!(
            Facts::found(codec.extract(&carrier)),
            Ok(expected.clone()),
            "{carrier:?}"
        );
    }
}

/// What arrives: no item whose header is another one of Jaeger's.
fn kept(facts: Facts, format: Format, is_taken: impl Fn(&str) -> bool) -> Option<Facts> {
    let keys = facts.baggage.iter().map(|(key, _)| key);
    let taken = keys.filter(|key| is_taken(key));
    let baggage = taken.fold(facts.baggage.clone(), |all, key| all.without(key));
    let kept = Facts { baggage, ..facts }.kept_by(format);
    (!kept.is_empty()).then_some(kept)
}
