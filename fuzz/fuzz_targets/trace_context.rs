//! W3C Trace Context: `traceparent` and `tracestate` are read as a slow and simple reader reads them, lists of members
//! keep their rules, and a sampler of this program sets the member `ot` and no other.
//!
//! An input is the `traceparent` and then a `tracestate` a line.

#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use tracehound::diagnostics::Diagnostics;
use tracehound::metrics::Counter::DecodingErrors;
use tracehound::model::{Flags, SpanId, TraceId, TraceState};
use tracehound::prelude::*;
use tracehound::propagation::{ExtractCarrier, HttpHeaders, Propagation};
use tracehound::reporter::NullReporter;
use tracehound::sampler::{ProbabilisticSampler, SamplingRate};
use tracehound::{JaegerTracer, SpanContext};
use tracehound_fuzz::facts::{Facts, Format, Malformed};
use tracehound_fuzz::headers::{Headers, as_text, header_map, plain, texts, written_by};
use tracehound_fuzz::slow::{hex, pieces, trim};
use tracehound_fuzz::{assert_short, counting};

/// Tracers that keep all new traces, and half of them.
static TRACERS: LazyLock<[JaegerTracer; 2]> = LazyLock::new(|| [tracer(1.0), tracer(0.5)]);

fn tracer(rate: f64) -> JaegerTracer {
    let rate = SamplingRate::new(rate).expect("a probability");
    JaegerTracer::builder("fuzz")
        .sampler(ProbabilisticSampler::new(rate))
        .reporter(NullReporter::new())
        .diagnostics(Diagnostics::silent())
        .propagation([Propagation::TraceContext])
        .build()
        .expect("the service has a name")
}

fuzz_target!(|input: &[u8]| {
    let mut lines = input.split(|byte| *byte == b'\n').take(100);
    let parent = lines.next().unwrap_or_default();
    let mut headers: Headers = vec![("TraceParent".to_owned(), parent.to_vec())];
    headers.extend(lines.map(|line| ("TraceState".to_owned(), line.to_vec())));
    check(&as_text(&headers), &HttpHeaders(texts(&headers)));
    let map = header_map(&headers);
    check(&plain(&map).headers, &map);
});

fn check(headers: &Headers, carrier: &dyn ExtractCarrier) {
    let values = |wanted: &str| -> Vec<_> {
        let named = headers
            .iter()
            .filter(|(name, _)| name.eq_ignore_ascii_case(wanted));
        named.map(|(_, value)| value.as_slice()).collect()
    };
    let list = read_list(&values("tracestate"));
    let list = list.map(|list| cut(list, 4 * TraceState::MAX_HEADER_CHARS));
    let parent = values("traceparent")
        .first()
        .map(|value| read_parent(value));
    let is_read = matches!(parent, Some(Ok(_)));
    let expected = match parent {
        None => Ok(None),
        Some(Err(Malformed)) => Err(Malformed),
        Some(Ok(facts)) => Ok(Some(Facts {
            trace_state: list.clone().ok().and_then(|list| {
                let state = TraceState::from_headers([&list.join(",")]).expect("well-formed");
                (!state.is_empty()).then_some(state)
            }),
            ..facts
        })),
    };
    let errors = u64::from(expected.is_err() || (is_read && list.is_err()));
    let [tracer, _] = &*TRACERS;
    let (answer, counted) = counting(tracer, DecodingErrors, || tracer.extract(carrier));
    answer.as_ref().err().into_iter().for_each(assert_short);
    assert_eq!(Facts::found(answer.clone()), expected, "{headers:?}");
    assert_eq!(counted, errors, "{headers:?}");

    let Ok(Some(context)) = answer else { return };
    let arrived = tracer.extract(&HttpHeaders(written_by(tracer, &context)));
    let kept = Facts::of(&context).kept_by(Format::Http(Propagation::TraceContext));
    assert_eq!(Facts::found(arrived), Ok(Some(kept)), "{headers:?}");
    let state = context.trace_state().cloned().unwrap_or_default();
    let list = list.unwrap_or_default();
    check_list(&state, &list, &values("tracestate"));
    for (tracer, threshold) in TRACERS.iter().zip(["0", "8"]) {
        check_ot(tracer, threshold, context.clone(), &list);
    }
}

/// `traceparent`, as slow and as simple as it can be read.
fn read_parent(value: &[u8]) -> Result<Facts, Malformed> {
    let value = trim(value);
    let is_lower = value.iter().take(55).all(|byte| !byte.is_ascii_uppercase());
    let number = |from: usize, len: usize| hex(value.get(from..from + len)?, len);
    let (Some(version), Some(trace), Some(span), Some(flags)) =
        (number(0, 2), number(3, 32), number(36, 16), number(53, 2))
    else {
        return Err(Malformed);
    };
    let has_dashes = [2, 35, 52].iter().all(|at| value[*at] == b'-');
    let ends_well = value.len() == 55 || (version > 0 && value[55] == b'-');
    if !is_lower || !has_dashes || !ends_well || version == 0xff {
        return Err(Malformed);
    }
    let trace = TraceId::new((trace >> 64) as u64, trace as u64).ok_or(Malformed)?;
    Ok(Facts {
        ids: Some((trace, SpanId::new(span as u64).ok_or(Malformed)?, None)),
        flags: Flags::from_bits(flags as u8 & 1),
        is_random: version == 0 && flags & 2 != 0,
        ..Facts::default()
    })
}

/// The members of `tracestate`, as slow and as simple as they can be read.
fn read_list(values: &[&[u8]]) -> Result<Vec<String>, Malformed> {
    let members = values.iter().flat_map(|value| pieces(value));
    let members = members.filter(|member| !member.is_empty());
    let members: Vec<_> = members.map(|member| std::str::from_utf8(member)).collect();
    if members.len() > 32 {
        return Err(Malformed);
    }
    let mut list = Vec::<String>::new();
    for member in members {
        let member = member.map_err(|_| Malformed)?;
        let (key, value) = member.split_once('=').ok_or(Malformed)?;
        let is_key = |byte: u8| byte.is_ascii_lowercase() || b"0123456789_-*/@".contains(&byte);
        let is_value = |byte: u8| matches!(byte, b' '..=b'~') && byte != b'=';
        let is_legal = key.starts_with(|first: char| first.is_ascii_alphanumeric())
            && key.bytes().all(is_key)
            && value.bytes().all(is_value)
            && !value.is_empty()
            && key.len().max(value.len()) <= 256;
        if !is_legal {
            return Err(Malformed);
        }
        if !list.iter().any(|known| has_key(known, key)) {
            list.push(member.to_owned());
        }
    }
    Ok(list)
}

fn has_key(member: &str, key: &str) -> bool {
    member
        .split_once('=')
        .is_some_and(|(known, _)| known == key)
}

/// Cut to the length of a header: long members go first, those at the end before others.
fn header_of(list: &[String]) -> String {
    cut(list.to_vec(), TraceState::MAX_HEADER_CHARS).join(",")
}

fn cut(mut list: Vec<String>, chars: usize) -> Vec<String> {
    while list.join(",").len() > chars {
        let long = list.iter().rposition(|member| member.len() > 128);
        list.remove(long.unwrap_or(list.len() - 1));
    }
    list
}

/// The list after a member was set, and after it was removed.
fn check_list(state: &TraceState, list: &[String], values: &[&[u8]]) {
    assert_eq!(state.to_string(), list.join(","));
    assert_eq!(state.len(), list.len());
    assert_eq!(state.to_header(), header_of(list));
    let text = values.last().copied().unwrap_or_default();
    let text = String::from_utf8_lossy(text);
    let (odd, value) = text.split_once('=').unwrap_or((&text, "v"));
    let known = list.last().and_then(|member| member.split_once('='));
    for key in ["ot", odd, known.map_or("a", |(key, _)| key)] {
        let others: Vec<_> = list
            .iter()
            .filter(|member| !has_key(member, key))
            .cloned()
            .collect();
        let without = state.without(key);
        assert_eq!(without.to_string(), others.join(","));
        assert_eq!(without.is_empty(), others.is_empty());
        let alone = read_list(&[format!("{key}={value}").as_bytes()]);
        let is_legal = alone == Ok(vec![format!("{key}={value}")]);
        let with = state.with(key, value);
        assert_eq!(with.is_ok(), is_legal, "{key:?} {value:?}");
        let Ok(with) = with else { continue };
        let first = format!("{key}={value}");
        let expected: Vec<_> = [first].into_iter().chain(others).take(32).collect();
        assert_eq!(with.to_string(), expected.join(","));
        assert_eq!(with.get(key), Some(value));
        assert_eq!(with.to_header(), header_of(&expected));
        assert_eq!(with.to_string().parse(), Ok(with));
    }
}

/// A sampler of this program decides on a trace that came undecided.
fn check_ot(tracer: &JaegerTracer, threshold: &str, context: SpanContext, list: &[String]) {
    let received = list.iter().find(|member| has_key(member, "ot"));
    let received = received.map_or("", |member| &member["ot=".len()..]);
    let entries = || {
        received
            .split(';')
            .filter_map(|entry| entry.split_once(':'))
    };
    let first = |wanted: &str| {
        entries()
            .find(|(key, _)| *key == wanted)
            .map(|(_, value)| value)
    };
    let is_number = |text: &&str| {
        let is_lower = !text.bytes().any(|byte| byte.is_ascii_uppercase());
        is_lower && hex(text.as_bytes(), 14).is_some()
    };
    let random = first("rv")
        .filter(is_number)
        .filter(|text| text.len() == 14);

    let span = tracer
        .build_span("op")
        .child_of(&context.with_deferred_sampling())
        .start();
    let child = span.context();
    let written = written_by(tracer, &child);
    let state = written.iter().find(|(name, _)| name == "tracestate");
    let state = state.map_or("", |(_, value)| value);
    if let Some(random) = random {
        assert_eq!(
            child.is_sampled(),
            threshold == "0" || random >= "8",
            "{list:?}"
        );
    }
    let is_kept = |key: &str| key != "th" && !(child.is_sampled() && key == "rv");
    let others: Vec<_> = entries().filter(|(key, _)| is_kept(key)).collect();
    let mut member = String::new();
    if child.is_sampled() {
        let sent = state
            .split(',')
            .find_map(|member| member.strip_prefix("ot="));
        let own = sent.and_then(|sent| sent.split(';').find_map(|entry| entry.strip_prefix("rv:")));
        if let Some(own) = own {
            assert!(own.len() == 14 && is_number(&own), "{state}");
            assert!(threshold == "0" || own >= "8", "{state}");
        }
        // Long entries of others can make the member too long for the header; then any value will do.
        let random = random.or(own).unwrap_or("ffffffffffffff");
        member = format!("th:{threshold};rv:{random}");
    } else if first("th").filter(is_number).is_none() {
        assert_eq!(state, header_of(list));
        return;
    }
    for (key, value) in others {
        let separator = if member.is_empty() { "" } else { ";" };
        let entry = format!("{separator}{key}:{value}");
        if member.len() + entry.len() <= 256 {
            member += &entry;
        }
    }
    let member = member.trim_end_matches(' ');
    let own = (!member.is_empty()).then(|| format!("ot={member}"));
    let others = list.iter().filter(|member| !has_key(member, "ot")).cloned();
    let expected: Vec<_> = own.into_iter().chain(others).take(32).collect();
    assert_eq!(state, header_of(&expected), "{list:?}");
}
