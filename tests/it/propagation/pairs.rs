//! Extracting returns what was injected, for every format in every carrier that can hold it.

use std::collections::{BTreeMap, HashMap};
use std::process::Command;

use proptest::prelude::*;
use tracehound::metrics::Counter;
use tracehound::model::{Baggage, Flags, SpanId, TraceId};
use tracehound::prelude::*;
use tracehound::propagation::{
    ChildEnvironment, ExtractCarrier, HttpHeaders, InFormat, MessageHeaders, Propagation,
};
use tracehound::{JaegerTracer, SpanContext};

use super::properties::config;
use super::whole::Whole;
use crate::support::recording_builder;
use Propagation::{B3, B3Single, Baggage as BaggageAlone, Jaeger, TraceContext, W3c};

/// What no format may do to a context that was written whole.
const LOSSES: [Counter; 4] = [
    Counter::BaggageItemsSkipped,
    Counter::DecodingErrors,
    Counter::EncodingErrors,
    Counter::PropagationConflicts,
];

fn tracer(formats: &[Propagation]) -> JaegerTracer {
    let (builder, _) = recording_builder();
    let named = formats.first().map(|format| format.http_headers_codec());
    let builder = builder.propagation(formats.iter().copied());
    let builder = match named {
        Some(codec) => builder.named_codec("first", codec),
        None => builder,
    };
    builder.build().expect("named")
}

/// Keys that header names and names of variables can hold alike.
const KEY: &str = "[a-z0-9]([a-z0-9.-]{0,10}[a-z0-9])?";

fn baggage() -> impl Strategy<Value = Baggage> {
    let item = |value: &'static str| (KEY, value, "([a-z]{1,5}(=[a-z0-9%]{1,5})?)?");
    let items = prop_oneof![
        9 => prop::collection::vec(item(".{0,16}"), 0..6),
        1 => prop::collection::vec(item(".{0,4}"), 60..64),
    ];
    items.prop_map(|items| {
        let items = items.iter().filter(|(key, ..)| !key.ends_with("-bin"));
        items.fold(Baggage::default(), |list, (key, value, properties)| {
            list.with_properties(key, value, properties).expect("short")
        })
    })
}

fn id() -> impl Strategy<Value = u64> {
    prop_oneof![
        4 => any::<u64>(),
        1 => 0..3_u64,
        1 => (0..64_u32).prop_map(|shift| u64::MAX >> shift),
    ]
}

/// Contexts of callers: with a trace or without one, decided or not.
pub(super) fn contexts() -> impl Strategy<Value = SpanContext> {
    let ids = (id(), id(), id(), id());
    let marks = (any::<u8>(), 0..5_u8, any::<bool>());
    let states = prop::collection::vec("[a-z][a-z0-9_*/@-]{0,9}=[!-+\\--<>-~]{1,20}", 0..14);
    (ids, marks, states, baggage()).prop_map(|(ids, (flags, kind, is_random), states, baggage)| {
        let (high, low, span, parent) = ids;
        let flags = Flags::from_bits(flags);
        let trace = TraceId::new(high, low).zip(SpanId::new(span));
        let context = match (trace, kind) {
            (_, 0) | (None, _) if flags.is_sampled() => SpanContext::without_trace(flags),
            (_, 0) | (None, _) => SpanContext::default(),
            (Some((trace, span)), kind) => {
                let flags = if kind == 1 { Flags::default() } else { flags };
                let context = SpanContext::new(trace, span, SpanId::new(parent), flags)
                    .with_random_trace_id(is_random)
                    .with_trace_state(states.join(",").parse().expect("well-formed"));
                match kind {
                    1 => context.with_deferred_sampling(),
                    _ => context,
                }
            }
        };
        context.with_baggage(baggage)
    })
}

fn without_properties(baggage: &Baggage) -> Baggage {
    baggage
        .iter()
        .fold(Baggage::default(), |list, (key, value)| {
            list.with(key, value).expect("short")
        })
}

/// B3 has no debug without sampled, and no other flags.
fn b3_flags(flags: Flags) -> Flags {
    Flags::from_bits(match flags.is_sampled() {
        true => flags.bits() & 3,
        false => 0,
    })
}

/// Returns what a format keeps of a context.
fn kept(format: Propagation, context: &SpanContext) -> SpanContext {
    let (plain, whole) = (without_properties(context.baggage()), context.baggage());
    let Some((trace, span)) = context.trace_id().zip(context.span_id()) else {
        let decision = context.decision_without_trace();
        return match (format, decision) {
            (B3 | B3Single, Some(flags)) => SpanContext::without_trace(b3_flags(flags)),
            _ => SpanContext::default(),
        }
        .with_baggage(match format {
            W3c | BaggageAlone => whole.clone(),
            TraceContext => Baggage::default(),
            _ => plain,
        });
    };
    let flags = context.flags();
    let is_deferred = !context.is_sampling_final();
    let new = |parent, flags| SpanContext::new(trace, span, parent, flags);
    match format {
        Jaeger => new(context.parent_id(), flags).with_baggage(plain),
        B3 if is_deferred => new(context.parent_id(), Flags::default())
            .with_deferred_sampling()
            .with_baggage(plain),
        B3Single if is_deferred => new(None, Flags::default())
            .with_deferred_sampling()
            .with_baggage(plain),
        B3 | B3Single => new(context.parent_id(), b3_flags(flags)).with_baggage(plain),
        W3c | TraceContext => {
            let flags = if flags.is_sampled() {
                Flags::SAMPLED
            } else {
                Flags::default()
            };
            let state = context.trace_state().cloned().unwrap_or_default();
            let kept = new(None, flags)
                .with_random_trace_id(context.has_random_trace_id())
                .with_trace_state(state);
            match format {
                W3c => kept.with_baggage(whole.clone()),
                _ => kept,
            }
        }
        BaggageAlone => SpanContext::default().with_baggage(whole.clone()),
        other => panic!(
            "add to `kept` in {}: what {other} keeps of a context",
            file!()
        ),
    }
}

/// Returns what several formats keep together of a context whose baggage has no properties.
fn kept_by_all(formats: &[Propagation], context: &SpanContext) -> SpanContext {
    let first = kept(formats[0], context);
    if !context.has_trace() {
        let decided = formats.iter().map(|format| kept(*format, context));
        let decided = decided
            .filter(|kept| kept.decision_without_trace().is_some())
            .map(|kept| kept.with_baggage(context.baggage().clone()));
        return decided.into_iter().next().unwrap_or(first);
    }
    match context.trace_state() {
        _ if !formats.contains(&W3c) => first,
        None => first.with_random_trace_id(context.has_random_trace_id()),
        Some(state) => first
            .with_random_trace_id(context.has_random_trace_id())
            .with_trace_state(state.clone()),
    }
}

/// Checks every text carrier.
fn check(tracer: &JaegerTracer, context: &SpanContext, expected: &SpanContext) {
    let expected = Whole::of(expected);
    let read = |name: &str, carrier: &dyn ExtractCarrier| {
        let read = tracer.extract(carrier).expect("well-formed");
        assert_eq!(Whole::of(&read.unwrap_or_default()), expected, "{name}");
    };

    let mut map = HashMap::new();
    tracer.inject(context, &mut map);
    read("HashMap", &map);
    let mut map = BTreeMap::new();
    tracer.inject(context, &mut map);
    read("BTreeMap", &map);
    let mut list: Vec<(String, String)> = Vec::new();
    tracer.inject(context, &mut list);
    read("Vec", &list);
    read("slice", &&list[..]);
    let mut message: Vec<(Box<str>, Box<[u8]>)> = Vec::new();
    tracer.inject(context, &mut MessageHeaders(&mut message));
    read("message", &MessageHeaders(&message[..]));

    let mut map = HashMap::new();
    tracer.inject(context, &mut HttpHeaders(&mut map));
    read("HTTP HashMap", &HttpHeaders(&map));
    let mut list: Vec<(String, String)> = Vec::new();
    tracer.inject(context, &mut HttpHeaders(&mut list));
    read("HTTP Vec", &HttpHeaders(&list));
    let mut command = Command::new("child");
    tracer.inject(context, &mut ChildEnvironment(&mut command));
    let variables: Vec<_> = command
        .get_envs()
        .filter_map(|(name, value)| Some((name.to_str()?, value?.to_str()?)))
        .map(|(name, value)| (name.to_lowercase().replace('_', "-"), value))
        .collect();
    read("variables", &HttpHeaders(&variables));
    #[cfg(feature = "http")]
    {
        let mut map = http::HeaderMap::new();
        tracer.inject(context, &mut map);
        read("HeaderMap", &map);
    }
    #[cfg(feature = "tonic")]
    {
        let mut metadata = tonic::metadata::MetadataMap::new();
        tracer.inject(context, &mut metadata);
        read("MetadataMap", &metadata);
    }
}

fn check_losses(tracer: &JaegerTracer, formats: &[Propagation]) {
    for counter in LOSSES {
        assert_eq!(tracer.metrics().get(counter), 0, "{formats:?}: {counter}");
    }
}

#[test]
fn every_carrier_returns_what_a_format_keeps() {
    for format in Propagation::ALL {
        // Fails here if it does not know a new format; proptest would look for another failure.
        kept(*format, &super::context());
    }
    let formats = Propagation::ALL.iter();
    let tracers: Vec<_> = formats
        .map(|format| (*format, tracer(&[*format])))
        .collect();
    proptest!(config(), |(context in contexts())| {
        for (format, tracer) in &tracers {
            let expected = kept(*format, &context);
            check(tracer, &context, &expected);
            let mut named = BTreeMap::new();
            tracer.inject(&context, &mut InFormat("first", &mut named));
            let read = tracer.extract(&InFormat("first", &named)).expect("well-formed");
            prop_assert_eq!(Whole::of(&read.unwrap_or_default()), Whole::of(&expected));
        }
    });
    for (format, tracer) in &tracers {
        check_losses(tracer, &[*format]);
    }
}

#[test]
fn every_carrier_returns_what_several_formats_keep() {
    let lists = [
        &Propagation::DEFAULT[..],
        &[W3c, Jaeger],
        &[B3, W3c],
        &[B3Single, W3c],
        &[Jaeger, BaggageAlone],
        &[TraceContext, BaggageAlone],
        &[Jaeger, W3c, B3, B3Single],
        &[B3Single, B3, TraceContext, W3c, Jaeger],
    ];
    let tracers = lists.map(|formats| (formats, tracer(formats)));
    proptest!(config(), |(context in contexts())| {
        let baggage = without_properties(context.baggage());
        let context = context.with_baggage(baggage.clone());
        for (formats, tracer) in &tracers {
            let expected = kept_by_all(formats, &context).with_baggage(baggage.clone());
            check(tracer, &context, &expected);
        }
    });
    for (formats, tracer) in &tracers {
        check_losses(tracer, formats);
    }
}

#[test]
fn bytes_return_all_but_what_w3c_adds() {
    let tracer = tracer(&[]);
    proptest!(config(), |(context in contexts(), text in super::properties::context(".{0,20}"))| {
        for context in [context, text] {
            let expected = match context.has_trace() {
                true => kept(Jaeger, &context),
                false => kept(W3c, &context),
            };
            let expected = expected.with_baggage(without_properties(context.baggage()));
            let mut bytes: Vec<u8> = Vec::new();
            tracer.inject(&context, &mut bytes);
            let read = tracer.extract(&bytes).expect("well-formed");
            prop_assert_eq!(Whole::of(&read.unwrap_or_default()), Whole::of(&expected));
        }
    });
    check_losses(&tracer, &[]);
}
