//! The one header of B3: read as a slow and simple reader reads it, and as the several headers with the same parts.
//!
//! An input is a value a line.

#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use tracehound::propagation::{B3Codec, Extractor, Propagation, TextMapReader};
use tracehound_fuzz::assert_short;
use tracehound_fuzz::b3::{SEVERAL, read_single};
use tracehound_fuzz::facts::{Facts, Format};
use tracehound_fuzz::headers::{Headers, as_text, header_map, plain, texts, written};
use tracehound_fuzz::slow::{pieces, trim};

static CODECS: LazyLock<[(B3Codec, Propagation); 2]> = LazyLock::new(|| {
    [
        (B3Codec::multiple_headers(), Propagation::B3),
        (B3Codec::single_header(), Propagation::B3Single),
    ]
});

fuzz_target!(|input: &[u8]| {
    let lines = input.split(|byte| *byte == b'\n').take(100);
    let headers: Headers = lines.map(|line| ("B3".to_owned(), line.to_vec())).collect();
    let map = header_map(&headers);
    check(&as_text(&headers), &texts(&headers));
    check(&plain(&map).headers, &map);
    headers.iter().for_each(|(_, value)| check_parts(value));
});

fn check(headers: &Headers, carrier: &dyn TextMapReader) {
    let values = headers.iter().map(|(_, value)| value.as_slice());
    let expected = read_single(values).map(|one| one.filter(|facts| !facts.is_empty()));
    for (codec, _) in &*CODECS {
        let answer = codec.extract(carrier);
        answer.as_ref().err().into_iter().for_each(assert_short);
        assert_eq!(Facts::found(answer), expected, "{headers:?}");
    }
    let Ok(Some(context)) = CODECS[0].0.extract(carrier) else {
        return;
    };
    for (codec, format) in &*CODECS {
        let arrived = codec.extract(&written(codec, &context));
        let kept = Facts::of(&context).kept_by(Format::Http(*format));
        assert_eq!(Facts::found(arrived), Ok(Some(kept)), "{headers:?}");
    }
}

/// The parts of a well-formed value in several headers say the same.
fn check_parts(value: &[u8]) {
    let Some(piece) =
        pieces(value).find(|piece| matches!(read_single([*piece].into_iter()), Ok(Some(_))))
    else {
        return;
    };
    let parts: Vec<_> = piece.split(|byte| *byte == b'-').collect();
    // A header of its own loses the blanks around its value; a part of one header keeps them.
    if parts.iter().any(|part| trim(part) != *part) {
        return;
    }
    let (ids, state) = match parts.split_at_checked(2) {
        Some((ids, rest)) => (ids, rest.first()),
        None => (&[][..], parts.first()),
    };
    let [trace, span, parent, sampled, flags] = SEVERAL;
    let mut headers: Vec<_> = [trace, span].into_iter().zip(ids.iter().copied()).collect();
    headers.extend(parts.get(3).map(|id| (parent, *id)));
    headers.extend(state.map(|state| match *state {
        b"d" => (flags, &b"1"[..]),
        other => (sampled, other),
    }));
    let owned = |(name, value): (&str, &[u8])| (name.to_owned(), value.to_vec());
    let headers: Headers = headers.into_iter().map(owned).collect();
    let [(codec, _), _] = &*CODECS;
    let several = Facts::found(codec.extract(&texts(&headers)));
    let one = Facts::found(codec.extract(&texts(&vec![("b3".to_owned(), piece.to_vec())])));
    assert_eq!(several, one, "{headers:?}");
}
