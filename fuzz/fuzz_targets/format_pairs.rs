//! A context through two formats, one after the other and side by side: what arrives is what both keep.

#![no_main]

use arbitrary::Arbitrary;
use libfuzzer_sys::fuzz_target;
use tracehound::SpanContext;
use tracehound::model::{Flags, SpanId, TraceId, TraceState};
use tracehound::propagation::{
    BinaryCodec, CompositeCodec, Extractor, Injector, JaegerCodec, Propagation,
};
use tracehound_fuzz::baggage::assert_within_limits;
use tracehound_fuzz::facts::{Facts, Format, Found, merged};
use tracehound_fuzz::headers::written;

#[derive(Arbitrary, Debug)]
struct Input<'a> {
    one: u8,
    other: u8,
    kind: Kind,
    ids: (u64, u64, u64, u64),
    flags: u8,
    is_random: bool,
    debug_id: Option<&'a str>,
    /// Key, value, properties, and how often the value is repeated.
    items: Vec<(&'a str, &'a str, &'a str, u8)>,
    members: Vec<(&'a str, &'a str)>,
}

#[derive(Arbitrary, Debug)]
enum Kind {
    Trace,
    OpenTrace,
    Decision,
    Nothing,
}

/// Returns the format of this number.
fn format(number: u8) -> Format {
    let (all, number) = (Propagation::ALL, usize::from(number));
    match number % (all.len() + 2) {
        0 => Format::JaegerText,
        1 => Format::Binary,
        n => Format::Http(all[n - 2]),
    }
}

fuzz_target!(|input: Input<'_>| {
    let context = context(&input);
    let [one, other] = [input.one, input.other].map(format);
    let between = passed(one, &context);
    let kept = Facts::of(&context).kept_by(one);
    assert_eq!(Facts::of(&between), kept, "{one:?} {context:?}");
    assert_within_limits(between.baggage());
    let arrived = Facts::of(&passed(other, &between));
    assert_eq!(
        arrived,
        kept.kept_by(other),
        "{one:?} {other:?} {context:?}"
    );
    if let (Format::Http(one), Format::Http(other)) = (one, other) {
        check_joined([one, other], &context);
    }
});

fn context(input: &Input<'_>) -> SpanContext {
    let (high, low, span, parent) = input.ids;
    let flags = Flags::from_bits(input.flags);
    let ids = TraceId::new(high, low).zip(SpanId::new(span));
    let trace = ids.map(|(trace, span)| {
        let context = SpanContext::new(trace, span, SpanId::new(parent), flags);
        context.with_random_trace_id(input.is_random)
    });
    let mut context = match (&input.kind, trace) {
        (Kind::Trace, Some(trace)) => trace,
        (Kind::OpenTrace, Some(trace)) => trace.with_deferred_sampling(),
        (Kind::Decision, _) => SpanContext::without_trace(flags),
        _ => SpanContext::default(),
    };
    let mut baggage = context.baggage().clone();
    for (key, value, properties, times) in &input.items {
        let value = value.repeat(usize::from(*times));
        let with = baggage.with_properties(key, &value, properties);
        baggage = with.unwrap_or(baggage);
    }
    context = context.with_baggage(baggage);
    if let (Some(debug_id), false) = (input.debug_id, context.has_trace()) {
        context = context.with_debug_id(debug_id);
    }
    if context.has_trace() {
        let state = input
            .members
            .iter()
            .fold(TraceState::default(), |all, (key, value)| {
                all.with(key, value).unwrap_or(all)
            });
        context = context.with_trace_state(state);
    }
    context
}

/// Returns the facts that arrive in one format.
fn passed(format: Format, context: &SpanContext) -> SpanContext {
    let arrived = match format {
        Format::Binary => {
            let mut bytes = Vec::new();
            BinaryCodec::default().inject(context, &mut bytes);
            BinaryCodec::default().extract(&bytes)
        }
        Format::JaegerText => {
            let mut headers = Vec::<(String, String)>::new();
            JaegerCodec::text_map().inject(context, &mut headers);
            JaegerCodec::text_map().extract(&headers)
        }
        Format::Http(format) => {
            let codec = format.http_headers_codec();
            codec.extract(&written(&codec, context))
        }
    };
    arrived.expect("written by us").unwrap_or_default()
}

/// Two formats side by side: what is written is what each writes, what arrives is what each finds.
fn check_joined(formats: [Propagation; 2], context: &SpanContext) {
    let codecs = formats.map(Propagation::http_headers_codec);
    let joined = formats.iter().fold(CompositeCodec::new(), |all, format| {
        all.member(format.http_headers_codec())
    });
    let headers = written(&joined, context);
    let alone = codecs.iter().flat_map(|codec| written(codec, context));
    let mut alone: Vec<_> = alone.collect();
    let mut sorted = headers.clone();
    sorted.sort();
    alone.sort();
    alone.dedup();
    assert_eq!(sorted, alone, "{formats:?} {context:?}");
    // An earlier request has left nothing.
    let mut used = headers.clone();
    joined.inject(context, &mut used);
    used.sort();
    assert_eq!(used, alone, "{formats:?} {context:?}");

    let found = |codec: &dyn Extractor| Facts::found(codec.extract(&headers));
    let members: Vec<Found> = codecs.iter().map(|codec| found(codec)).collect();
    assert_eq!(found(&joined), merged(&members), "{formats:?} {context:?}");
    assert!(joined.extract(&headers).is_ok(), "{headers:?}");

    // One is read and the other is written.
    let [one, other] = codecs;
    let gateway = CompositeCodec::new().reader(one).writer(other);
    assert_eq!(
        found(&gateway),
        merged(&members[..1]),
        "{formats:?} {context:?}"
    );
    let mut used = headers.clone();
    gateway.inject(context, &mut used);
    used.sort();
    let mut expected = written(&formats[1].http_headers_codec(), context);
    expected.sort();
    assert_eq!(used, expected, "{formats:?} {context:?}");
}
