//! The headers of a request, through a whole tracer: every carrier tells the same, within the limits, and what is
//! injected is extracted again.
//!
//! An input is a byte of options and then a header a line, `name:value`.

#![no_main]

use std::collections::BTreeMap;
use std::sync::LazyLock;

use http::{HeaderMap, HeaderName, HeaderValue};
use libfuzzer_sys::fuzz_target;
use tracehound::model::Baggage;
use tracehound::prelude::*;
use tracehound::propagation::{
    ExtractCarrier, ExtractError, Extractor, HeaderNames, InjectCarrier, Injector, JaegerCodec,
};
use tracehound::reporter::NullReporter;
use tracehound::{JaegerTracer, SpanContext};
use tracehound_fuzz::carrier::Plain;

static TRACER: LazyLock<JaegerTracer> =
    LazyLock::new(|| tracehound_fuzz::tracer(NullReporter::new()));

fuzz_target!(|input: &[u8]| {
    let Some((&options, text)) = input.split_first() else {
        return;
    };
    let lines = text.split(|byte| *byte == b'\n').take(MOST_HEADERS);
    let mut pairs: Vec<(String, Vec<u8>)> = lines
        .map(|line| {
            let colon = line.iter().position(|byte| *byte == b':');
            let (name, value) = line.split_at(colon.unwrap_or(line.len()));
            let name = String::from_utf8_lossy(name).into_owned();
            (name, value.get(1..).unwrap_or_default().to_vec())
        })
        .collect();
    match options & 1 {
        0 => check(&Tracing, &pairs),
        // The first four lines are the names of the headers.
        _ => {
            let rest = pairs.split_off(pairs.len().min(4));
            if let Some(names) = names(&pairs) {
                check(&Coding::new(names), &rest);
            }
        }
    }
});

/// A `HeaderMap` is searched for baggage among its first 256 headers.
const MOST_HEADERS: usize = 250;

/// A whole tracer, or a codec with other names.
trait Propagation {
    fn extract(
        &self,
        carrier: &dyn ExtractCarrier,
        is_http: bool,
    ) -> Result<Option<SpanContext>, ExtractError>;
    fn inject(&self, context: &SpanContext, carrier: &mut dyn InjectCarrier, is_http: bool);
    /// Whether no baggage item of that key is written, because its header is another one of Jaeger's.
    fn is_taken(&self, key: &str) -> bool;
}

struct Tracing;

impl Propagation for Tracing {
    fn extract(
        &self,
        carrier: &dyn ExtractCarrier,
        _is_http: bool,
    ) -> Result<Option<SpanContext>, ExtractError> {
        Tracer::extract(&*TRACER, carrier)
    }

    fn inject(&self, context: &SpanContext, carrier: &mut dyn InjectCarrier, _is_http: bool) {
        Tracer::inject(&*TRACER, context, carrier);
    }

    fn is_taken(&self, _key: &str) -> bool {
        false
    }
}

struct Coding {
    http: JaegerCodec,
    text: JaegerCodec,
    prefix: String,
    others: [String; 3],
}

impl Coding {
    fn new((names, prefix, others): (HeaderNames, String, [String; 3])) -> Self {
        Self {
            http: JaegerCodec::http_headers().header_names(names.clone()),
            text: JaegerCodec::text_map().header_names(names),
            prefix,
            others,
        }
    }

    fn codec(&self, is_http: bool) -> &JaegerCodec {
        if is_http { &self.http } else { &self.text }
    }
}

impl Propagation for Coding {
    fn extract(
        &self,
        carrier: &dyn ExtractCarrier,
        is_http: bool,
    ) -> Result<Option<SpanContext>, ExtractError> {
        use tracehound::propagation::ReadFrom::{HttpHeaders, TextMap};
        match carrier.read() {
            HttpHeaders(reader) | TextMap(reader) => self.codec(is_http).extract(reader),
            _ => Ok(None),
        }
    }

    fn inject(&self, context: &SpanContext, carrier: &mut dyn InjectCarrier, is_http: bool) {
        use tracehound::propagation::WriteTo::{HttpHeaders, TextMap};
        match carrier.write() {
            HttpHeaders(writer) | TextMap(writer) => self.codec(is_http).inject(context, writer),
            _ => {}
        }
    }

    fn is_taken(&self, key: &str) -> bool {
        let name = format!("{}{key}", self.prefix);
        self.others
            .iter()
            .any(|other| other.eq_ignore_ascii_case(&name))
    }
}

/// Header names, with the prefix and the other three as text.
fn names(pairs: &[(String, Vec<u8>)]) -> Option<(HeaderNames, String, [String; 3])> {
    let [(trace, _), (prefix, _), (debug, _), (list, _)] = pairs else {
        return None;
    };
    let names = HeaderNames::default()
        .trace_id(trace)
        .and_then(|names| names.baggage_prefix(prefix))
        .and_then(|names| names.debug_id(debug))
        .and_then(|names| names.baggage(list));
    let others = [trace.clone(), debug.clone(), list.clone()];
    Some((names.ok()?, prefix.clone(), others))
}

fn check(propagation: &dyn Propagation, pairs: &[(String, Vec<u8>)]) {
    let mut headers = HeaderMap::new();
    for (name, value) in pairs {
        if let (Ok(name), Ok(value)) = (
            HeaderName::from_bytes(name.as_bytes()),
            HeaderValue::from_bytes(value),
        ) {
            headers.append(name, value);
        }
    }
    let plain = Plain {
        headers: headers
            .iter()
            .map(|(name, value)| (name.as_str().to_owned(), value.as_bytes().to_vec()))
            .collect(),
        is_http: true,
    };
    let answer = propagation.extract(&headers, true);
    assert_eq!(answer, propagation.extract(&plain, true), "{headers:?}");
    if let Some(context) = within_limits(answer) {
        let is_written = |key: &str| {
            HeaderName::from_bytes(key.as_bytes()).is_ok() && !propagation.is_taken(key)
        };
        let expected = written(&context, is_written);
        let fresh = HeaderMap::new();
        for mut carrier in [fresh, headers] {
            propagation.inject(&context, &mut carrier, true);
            assert_eq!(
                context_in(propagation, &carrier, true),
                expected,
                "{carrier:?}"
            );
        }
        check_child(&context);
    }

    let pairs: Vec<_> = pairs
        .iter()
        .map(|(name, value)| (name.clone(), String::from_utf8_lossy(value).into_owned()))
        .collect();
    let map: BTreeMap<_, _> = pairs.iter().cloned().collect();
    for (pairs, from_map) in [
        (pairs, None),
        (
            map.clone().into_iter().collect(),
            Some(propagation.extract(&map, false)),
        ),
    ] {
        let plain = Plain {
            headers: pairs
                .iter()
                .map(|(name, value)| (name.clone(), value.clone().into_bytes()))
                .collect(),
            is_http: false,
        };
        let answer = propagation.extract(&pairs, false);
        assert_eq!(answer, propagation.extract(&plain, false), "{pairs:?}");
        assert!(
            from_map.is_none_or(|from_map| from_map == answer),
            "{pairs:?}"
        );
        if let Some(context) = within_limits(answer) {
            let expected = written(&context, |key| !propagation.is_taken(key));
            for mut carrier in [Vec::new(), pairs] {
                propagation.inject(&context, &mut carrier, false);
                assert_eq!(
                    context_in(propagation, &carrier, false),
                    expected,
                    "{carrier:?}"
                );
            }
            let mut carrier = map.clone();
            propagation.inject(&context, &mut carrier, false);
            assert_eq!(
                context_in(propagation, &carrier, false),
                expected,
                "{carrier:?}"
            );
        }
    }
}

/// The context, whose baggage and debug id are not too large; nor is the text of an error.
fn within_limits(answer: Result<Option<SpanContext>, ExtractError>) -> Option<SpanContext> {
    let context = match answer {
        Ok(context) => context?,
        Err(error) => {
            assert!(error.to_string().len() < 1_000, "{error}");
            return None;
        }
    };
    let baggage = context.baggage();
    let bytes = baggage.iter().map(|(key, value)| key.len() + value.len());
    assert!(baggage.len() <= Baggage::MAX_ITEMS, "{baggage:?}");
    assert!(bytes.sum::<usize>() <= Baggage::MAX_BYTES, "{baggage:?}");
    let debug_id = context.debug_id().unwrap_or_default();
    assert!(debug_id.len() <= 4_096, "{debug_id}");
    assert!(!context.is_empty());
    Some(context)
}

/// What arrives of a context: no debug id, and of the baggage what a header can hold.
fn written(context: &SpanContext, is_written: impl Fn(&str) -> bool) -> (String, Baggage) {
    let keys = context.baggage().iter().map(|(key, _)| key);
    let lost = keys.filter(|key| !is_written(key));
    let baggage = lost.fold(context.baggage().clone(), |all, key| all.without(key));
    (context.to_string(), baggage)
}

fn context_in(
    propagation: &dyn Propagation,
    carrier: &dyn ExtractCarrier,
    is_http: bool,
) -> (String, Baggage) {
    let context = propagation.extract(carrier, is_http);
    let context = context.expect("written by us").unwrap_or_default();
    assert_eq!(context.debug_id(), None);
    (context.to_string(), context.baggage().clone())
}

/// A child goes on with the trace of its parent, in the next process too.
fn check_child(parent: &SpanContext) {
    let child = TRACER.build_span("child").child_of(parent).start();
    let child = child.context();
    if parent.has_trace() {
        assert_eq!(child.trace_id(), parent.trace_id());
        assert_eq!(child.parent_id(), parent.span_id());
        assert_eq!(child.is_sampled(), parent.is_sampled());
    } else {
        assert_eq!(child.is_debug(), parent.debug_id().is_some());
    }
    assert_eq!(child.baggage(), parent.baggage());
    let mut headers = HeaderMap::new();
    Tracer::inject(&*TRACER, &child, &mut headers);
    let next = Tracer::extract(&*TRACER, &headers).expect("written by us");
    assert_eq!(next.expect("a trace").to_string(), child.to_string());
}
