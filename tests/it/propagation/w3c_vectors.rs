//! The W3C codec against recordings of what published clients wrote and read.

use std::collections::BTreeMap;

use percent_encoding::percent_decode_str;
use serde_json::Value;
use tracehound::SpanContext;
use tracehound::propagation::{Extractor, Injector, W3cCodec};

use super::explained::{Comparison, Rule};
use super::{Headers, input_context};
use crate::support::vectors::{Entry, entries, pairs};

const SOURCE: &str = concat!(
    include_str!("../../../src/propagation/w3c/mod.rs"),
    include_str!("../../../src/model/trace_state/mod.rs"),
);

/// A trace as it was read.
#[derive(Clone, Debug, PartialEq)]
struct Trace {
    ids: (u128, u64),
    is_sampled: bool,
    /// `None` if the client drops the flag.
    has_random_trace_id: Option<bool>,
    trace_state: String,
}

/// The result of reading headers, or `None` if they are malformed.
type Answer = Option<Option<Trace>>;

fn our_answer(headers: &Headers) -> Answer {
    let codec = W3cCodec::trace_context();
    let context = codec.extract(headers).ok()?;
    assert_eq!(W3cCodec::new().extract(headers), Ok(context.clone()));
    Some(context.map(|context| {
        let trace = trace(&context);
        let mut sent_on = Headers::new();
        codec.inject(&context, &mut sent_on);
        let again = codec.extract(&sent_on).unwrap().expect("a trace");
        if trace.trace_state.len() <= 512 {
            assert_eq!(super::w3c_vectors::trace(&again), trace);
        }
        trace
    }))
}

fn trace(context: &SpanContext) -> Trace {
    let (trace, span) = context.trace_id().zip(context.span_id()).expect("a trace");
    Trace {
        ids: (
            (u128::from(trace.high()) << 64) | u128::from(trace.low()),
            span.get(),
        ),
        is_sampled: context.is_sampled(),
        has_random_trace_id: Some(context.has_random_trace_id()),
        trace_state: context
            .trace_state()
            .map_or_else(String::new, ToString::to_string),
    }
}

/// Returns whether a client has the answer `ours`.
fn agrees(ours: &Answer, client: &str, result: &Value) -> bool {
    match (ours, result["outcome"].as_str().expect("an outcome")) {
        // Most clients do not tell a malformed header from none. Both begin a new trace.
        (None | Some(None), "none") | (None, "error") => true,
        (Some(Some(ours)), "context") => client_trace(client, result).is_some_and(|client| {
            let knows_flag = client.has_random_trace_id.is_some();
            let ours = Trace {
                has_random_trace_id: ours.has_random_trace_id.filter(|_| knows_flag),
                ..ours.clone()
            };
            ours == client
        }),
        _ => false,
    }
}

fn client_trace(client: &str, result: &Value) -> Option<Trace> {
    let id = |field: &str| u128::from_str_radix(result[field].as_str()?, 16).ok();
    let flags = result["flags"].as_u64()?;
    let keeps_flags = ["@opentelemetry/core", "opentelemetry-api-python"]
        .iter()
        .any(|name| client.starts_with(name));
    Some(Trace {
        ids: (id("trace_id")?, id("span_id")? as u64),
        is_sampled: flags & 1 != 0,
        has_random_trace_id: keeps_flags.then_some(flags & 2 != 0),
        trace_state: result["tracestate"].as_str().unwrap_or_default().to_owned(),
    })
}

/// The lines of the documentation that explain a difference from all clients.
const READ: &[Rule<Answer>] = &[
    (
        "Upper-case digits, ids of zero, the version `ff`, or several such headers that differ are an error.",
        |entry, ours| {
            let headers = pairs(&entry.input["headers"]);
            let parents = headers.iter().filter(|(name, _)| name == "traceparent");
            ours.is_none() && parents.count() > 1
        },
    ),
    (
        "Of members with equal keys the first one counts, and the others are left out.",
        |entry, ours| {
            let headers = pairs(&entry.input["headers"]);
            let received = &headers.last().expect("a header").1;
            let first = |members: &str| members.split(',').next().map(str::to_owned);
            let ours = ours.iter().flatten().next();
            ours.is_some_and(|ours| {
                let (received_keys, keys) = (keys(received), keys(&ours.trace_state));
                first(received) == first(&ours.trace_state)
                    && received_keys.len() > keys.len()
                    && received_keys.iter().all(|key| keys.contains(key))
            })
        },
    ),
];

fn keys(trace_state: &str) -> Vec<&str> {
    let members = trace_state.split(',');
    members
        .filter_map(|member| Some(member.split_once('=')?.0))
        .collect()
}

#[test]
fn extract_reads_the_trace_that_a_client_reads() {
    let mut comparison = Comparison::explained_by(READ);
    let entries = entries("w3c_extract");
    for entry in &entries {
        let ours = our_answer(&pairs(&entry.input["headers"]));
        // Ruby does not look for `tracestate`. Java does not check it.
        let reads = |client: &str| {
            !entry.name.starts_with("tracestate/") || !client.starts_with("jaeger-client-ruby")
        };
        let mut clients = entry.results.iter().filter(|(client, _)| reads(client));
        let equals = clients.any(|(client, result)| agrees(&ours, client, result));
        comparison.compare(entry, &ours, equals);
    }
    assert_eq!(entries.len(), 89);
    comparison.check(SOURCE, 86);
}

/// Each key with the value and the properties.
type Items = BTreeMap<String, (String, String)>;

fn our_items(headers: &Headers) -> Items {
    let codec = W3cCodec::baggage();
    let context = codec.extract(headers).unwrap().unwrap_or_default();
    assert!(!context.has_trace());
    let mut sent_on = Headers::new();
    codec.inject(&context, &mut sent_on);
    let again = codec.extract(&sent_on).unwrap().unwrap_or_default();
    assert_eq!(again, context);
    let items = context.baggage().iter_with_properties();
    items
        .map(|(key, value, properties)| {
            let [key, value, properties] = [key, value, properties].map(str::to_owned);
            (key, (value, properties))
        })
        .collect()
}

fn client_items(result: &Value) -> Option<Items> {
    if result["outcome"] == "none" {
        return Some(Items::default());
    }
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let items = result["baggage"].as_object()?.iter();
    items
        .map(|(key, value)| {
            let properties = text(&result["metadata"][key]).unwrap_or_default();
            Some((key.clone(), (text(value)?, properties)))
        })
        .collect()
}

const BAGGAGE_READ: &[Rule<Items>] = &[(
    "Keys are not decoded and keep their case.",
    |entry, ours| {
        let as_received = |(key, _): (&String, _)| entry.input.to_string().contains(key);
        entry.input.to_string().contains("a%20b=") && ours.iter().all(as_received)
    },
)];

#[test]
fn extract_reads_the_baggage_that_a_client_reads() {
    let mut comparison = Comparison::explained_by(BAGGAGE_READ);
    let entries = entries("w3c_baggage_extract");
    for entry in &entries {
        let ours = our_items(&pairs(&entry.input["headers"]));
        let mut clients = entry.results.iter();
        let equals = clients.any(|(_, result)| client_items(result).as_ref() == Some(&ours));
        comparison.compare(entry, &ours, equals);
    }
    assert_eq!(entries.len(), 46);
    comparison.check(SOURCE, 45);
}

fn written(codec: &W3cCodec, entry: &Entry) -> Headers {
    let mut headers = Headers::new();
    codec.inject(&input_context(&entry.input), &mut headers);
    headers
}

/// Headers without those that are empty.
fn without_empty(headers: Headers) -> Headers {
    headers
        .into_iter()
        .filter(|(_, value)| !value.is_empty())
        .collect()
}

#[test]
fn inject_writes_the_trace_that_a_client_writes() {
    let mut comparison = Comparison::<Headers>::explained_by(&[]);
    let entries = entries("w3c_inject");
    for entry in &entries {
        let ours = written(&W3cCodec::trace_context(), entry);
        let clients = entry
            .results
            .iter()
            .map(|(_, result)| pairs(&result["w3c"]));
        let equals = clients.map(without_empty).any(|client| client == ours);
        comparison.compare(entry, &ours, equals);
    }
    assert_eq!(entries.len(), 71);
    comparison.check(SOURCE, 71);
}

/// The items of written headers, or `None` if one is malformed.
fn decoded(headers: &Headers) -> Option<BTreeMap<String, String>> {
    let members = headers.iter().flat_map(|(_, value)| value.split(','));
    let item = |member: &str| {
        let (key, value) = member.split_once('=')?;
        let value = percent_decode_str(value).decode_utf8().ok()?;
        Some((key.to_owned(), value.into_owned()))
    };
    members.map(item).collect()
}

#[test]
fn inject_writes_the_baggage_that_a_client_writes() {
    let mut comparison = Comparison::<Headers>::explained_by(&[]);
    let entries = entries("w3c_inject");
    let mut as_javascript = 0;
    for entry in &entries {
        let ours = written(&W3cCodec::baggage(), entry);
        let lists = entry
            .results
            .iter()
            .filter_map(|(client, result)| Some((client, pairs(result.get("w3c_baggage")?))));
        let clients: Vec<_> = lists.collect();
        assert_eq!(clients.len(), 3, "{}", entry.name);
        let equals = clients
            .iter()
            .any(|(_, client)| decoded(client) == decoded(&ours));
        comparison.compare(entry, &ours, equals);
        as_javascript += usize::from(clients[0].1 == ours);
    }
    assert_eq!(entries.len(), 71);
    comparison.check(SOURCE, 71);
    println!(
        "{as_javascript:4} byte for byte as {}",
        entries[0].results[0].0
    );
}
