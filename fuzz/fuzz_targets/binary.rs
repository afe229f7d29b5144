//! Binary carriers: read as a slow and simple reader reads them, within the limits and without memory for what a count
//! only claims; what is written is read again, and no part of it is.

#![no_main]

use std::sync::LazyLock;

use allocation_counter::measure;
use libfuzzer_sys::fuzz_target;
use tracehound::JaegerTracer;
use tracehound::metrics::Counter::BaggageItemsSkipped;
use tracehound::model::{Flags, SpanId, TraceId};
use tracehound::prelude::*;
use tracehound::propagation::BinaryCodec;
use tracehound_fuzz::assert_short;
use tracehound_fuzz::baggage::{Collected, assert_within_limits};
use tracehound_fuzz::counting;
use tracehound_fuzz::facts::{Facts, Format, Malformed};

static TRACER: LazyLock<JaegerTracer> = LazyLock::new(|| tracehound_fuzz::speaking([]));

fuzz_target!(|input: &[u8]| {
    let codec = BinaryCodec::default();
    let mut answer = Ok(None);
    let used = measure(|| answer = codec.extract(input));
    assert!(used.bytes_max <= 4 * input.len() as u64 + 1_024, "{used:?}");
    answer.as_ref().err().into_iter().for_each(assert_short);

    let (told, lost) = counting(&TRACER, BaggageItemsSkipped, || TRACER.extract(&input));
    assert_eq!(told, answer);
    let expected = read(input);
    assert_eq!(
        Facts::found(answer.clone()),
        expected.clone().map(|(facts, _)| facts)
    );
    assert_eq!(lost, expected.map_or(0, |(_, lost)| lost));

    let Ok(Some(context)) = answer else { return };
    assert_within_limits(context.baggage());
    let mut written = vec![0xff; 3];
    codec.inject(&context, &mut written);
    let kept = Facts::of(&context).kept_by(Format::Binary);
    let kept = Some(kept).filter(|kept| !kept.is_empty());
    assert_eq!(Facts::found(codec.extract(&written)), Ok(kept.clone()));
    for end in (1..written.len()).step_by(written.len() / 64 + 1) {
        assert!(codec.extract(&written[..end]).is_err(), "{end}");
    }
    let mut again = written.clone();
    let arrived = codec
        .extract(&written)
        .expect("written by us")
        .unwrap_or_default();
    codec.inject(&arrived, &mut again);
    assert_eq!(again, written);
    written.extend(input);
    assert_eq!(Facts::found(codec.extract(&written)), Ok(kept));
});

/// The rules, as slow and as simple as they can be written. Returns the items that are left out, too.
fn read(bytes: &[u8]) -> Result<(Option<Facts>, u64), Malformed> {
    if bytes.is_empty() {
        return Ok((None, 0));
    }
    let mut rest = bytes;
    let mut take = |len: usize| {
        let (taken, after) = rest.split_at_checked(len).ok_or(Malformed)?;
        rest = after;
        Ok(taken)
    };
    let number = |bytes: &[u8]| {
        bytes
            .iter()
            .fold(0, |all, byte| all << 8 | u64::from(*byte))
    };
    let [high, low, span, parent] = [take(8)?, take(8)?, take(8)?, take(8)?].map(number);
    let flags = take(1)?[0];
    let count = number(take(4)?);
    if count > 180 {
        return Err(Malformed);
    }
    let mut collected = Collected::default();
    for _ in 0..count {
        let mut text = || {
            let len = number(take(4)?);
            std::str::from_utf8(take(len as usize)?).map_err(|_| Malformed)
        };
        let (key, value) = (text()?, text()?);
        match collected.baggage.with(key, value) {
            Ok(with) => collected.baggage = with,
            Err(_) => collected.lost += 1,
        }
    }
    let ids = TraceId::new(high, low).zip(SpanId::new(span));
    let facts = Facts {
        ids: ids.map(|(trace, span)| (trace, span, SpanId::new(parent))),
        flags: ids.map_or(Flags::default(), |_| Flags::from_bits(flags)),
        baggage: collected.baggage,
        ..Facts::default()
    };
    Ok(((!facts.is_empty()).then_some(facts), collected.lost))
}
