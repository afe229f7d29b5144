//! The B3 codec against recordings of what published clients wrote and read.

use std::collections::BTreeMap;

use serde_json::Value;
use tracehound::SpanContext;
use tracehound::model::SpanId;
use tracehound::propagation::{B3Codec, Extractor, Injector};

use super::explained::{Comparison, Rule};
use super::{Headers, input_context};
use crate::support::vectors::{Entry, entries, pairs};

const SOURCE: &str = include_str!("../../../src/propagation/b3/mod.rs");

/// The content of headers.
#[derive(Clone, Debug, PartialEq, Default)]
struct Seen {
    /// Trace, span and parent id.
    ids: Option<(u128, u64, u64)>,
    /// The flags, if there is a sampling decision.
    decision: Option<u8>,
    baggage: BTreeMap<String, String>,
}

/// The result of reading headers, or `None` if they are malformed.
type Answer = Option<Seen>;

fn our_answer(headers: &Headers) -> Answer {
    let codec = B3Codec::multiple_headers();
    let context = codec.extract(headers).ok()?.unwrap_or_default();
    let seen = seen(&context);
    for codec in [B3Codec::multiple_headers(), B3Codec::single_header()] {
        let mut sent_on = Headers::new();
        codec.inject(&context, &mut sent_on);
        let again = codec.extract(&sent_on).unwrap().unwrap_or_default();
        let mut again = super::b3_vectors::seen(&again);
        // One header without a state has no place for a parent.
        if let (Some(ids), Some(first)) = (&mut again.ids, seen.ids)
            && seen.decision.is_none()
        {
            ids.2 = first.2;
        }
        assert_eq!(again, seen, "{sent_on:?}");
    }
    Some(seen)
}

fn seen(context: &SpanContext) -> Seen {
    let ids = context.trace_id().zip(context.span_id());
    let items = context.baggage().iter();
    Seen {
        ids: ids.map(|(trace, span)| {
            let trace = (u128::from(trace.high()) << 64) | u128::from(trace.low());
            (
                trace,
                span.get(),
                context.parent_id().map_or(0, SpanId::get),
            )
        }),
        decision: if context.has_trace() {
            context.is_sampling_final().then(|| context.flags().bits())
        } else {
            context.decision_without_trace().map(|flags| flags.bits())
        },
        baggage: items
            .map(|(key, value)| (key.to_owned(), value.to_owned()))
            .collect(),
    }
}

/// Returns whether a client has the answer `ours`, as far as it tells.
fn agrees(ours: &Answer, client: &str, result: &Value, entry: &Entry) -> bool {
    let counted = result["decoding_errors"].as_u64().unwrap_or(0) > 0;
    match (ours, result["outcome"].as_str().expect("an outcome")) {
        (None, "error") => true,
        (None, "none") => counted,
        (Some(ours), "none") => !counted && *ours == Seen::default(),
        (Some(ours), "context") => {
            has_ids(ours, client, result, entry)
                && decision(client, result).is_some_and(|decision| decision.fits(ours.decision))
                && ours.baggage == baggage(result)
        }
        _ => false,
    }
}

fn has_ids(ours: &Seen, client: &str, result: &Value, entry: &Entry) -> bool {
    let is_zipkin = client.starts_with("py_zipkin");
    let source = if is_zipkin {
        &result["ids_as_kept"]
    } else {
        result
    };
    let text = |field: &str| source[field].as_str().unwrap_or_default();
    let id = |field: &str| u128::from_str_radix(text(field), 16).ok();
    let is_invalid = result["valid"] == false;
    // py_zipkin draws ids where none came in.
    let is_drawn = is_zipkin && !entry.input.to_string().contains(text("trace_id"));
    if is_invalid || is_drawn {
        return ours.ids.is_none();
    }
    // A client that tells no parent keeps none.
    let parent = match &source["parent_id"] {
        Value::Null => ours.ids.map(|ids| u128::from(ids.2)),
        _ => id("parent_id"),
    };
    ours.ids
        .map(|(trace, span, parent)| (trace, u128::from(span), u128::from(parent)))
        == id("trace_id")
            .zip(id("span_id"))
            .zip(parent)
            .map(|((trace, span), parent)| (trace, span, parent))
}

/// What a client tells of the decision.
enum Told {
    Flags(Option<u8>),
    /// It has no debug flag.
    IsSampled(bool),
}

impl Told {
    fn fits(&self, ours: Option<u8>) -> bool {
        match self {
            Self::Flags(flags) => *flags == ours,
            Self::IsSampled(is_sampled) => ours.map(|flags| flags & 1 != 0) == Some(*is_sampled),
        }
    }
}

fn decision(client: &str, result: &Value) -> Option<Told> {
    if client.starts_with("py_zipkin") {
        let is_sampled = result["sampled_option"].as_bool()?;
        let is_debug = result["b3_flags"] == "1";
        return Some(Told::Flags(Some(
            u8::from(is_sampled) + 2 * u8::from(is_debug),
        )));
    }
    let flags: u8 = result["flags"].as_u64()?.try_into().ok()?;
    Some(match (client.split(' ').next()?, flags) {
        // Its bits are 2 for a decision that is left to the receiver, and 4 for debug.
        ("opentelemetry-zipkin-rust", 2) => Told::Flags(None),
        ("opentelemetry-zipkin-rust", 5) => Told::Flags(Some(3)),
        ("opentelemetry-zipkin-rust", 4) => return None,
        (name, _) if name.contains("opentelemetry") => Told::IsSampled(flags & 1 != 0),
        _ => Told::Flags(Some(flags)),
    })
}

fn baggage(result: &Value) -> BTreeMap<String, String> {
    let items = result["baggage"].as_object().into_iter().flatten();
    items
        .map(|(key, value)| (key.clone(), value.as_str().unwrap_or_default().to_owned()))
        .collect()
}

/// The lines of the documentation that explain a difference from all clients.
const READ: &[Rule<Answer>] = &[
    (
        "Ids without a state leave the decision to the sampler of the receiver, as B3 asks. Jaeger's clients take them \
         for not sampled.",
        |entry, ours| {
            let taken = |ours: &Seen| {
                let unsampled = Some(Seen {
                    decision: Some(0),
                    ..ours.clone()
                });
                let mut results = entry.results.iter();
                results.any(|(client, result)| agrees(&unsampled, client, result, entry))
            };
            let is_deferred = |ours: &&Seen| ours.ids.is_some() && ours.decision.is_none();
            ours.as_ref().filter(is_deferred).is_some_and(taken)
        },
    ),
    (
        "A malformed id is an error, and so is a malformed `b3` header if the several say nothing.",
        |entry, ours| {
            // The clients that do not tell an error read nothing.
            let reads_nothing = |(_, result): &(String, Value)| result["outcome"] == "none";
            ours.is_none() && entry.results.iter().any(reads_nothing)
        },
    ),
    ("Values may have blanks at their ends.", |entry, ours| {
        entry.input.to_string().contains("\" 1\"")
            && ours.as_ref().is_some_and(|ours| ours.decision == Some(3))
    }),
    (
        "The states `true` and `false` are read in any case",
        |entry, ours| {
            let states = [("single/only-true", 1), ("single/only-false", 0)];
            ours.as_ref().is_some_and(|ours| {
                states
                    .iter()
                    .any(|(name, flags)| entry.name == *name && ours.decision == Some(*flags))
            })
        },
    ),
    (
        "A percent-encoded baggage value is decoded",
        |entry, ours| {
            let has_escape = entry.input.to_string().contains("\"a%20b\"");
            has_escape
                && ours
                    .as_ref()
                    .is_some_and(|ours| ours.baggage["key"] == "a b")
        },
    ),
];

#[test]
fn extract_reads_what_a_client_reads() {
    let mut comparison = Comparison::explained_by(READ);
    let entries = entries("b3_extract");
    for entry in &entries {
        let ours = our_answer(&pairs(&entry.input["headers"]));
        // Jaeger's clients do not look for the one header.
        let reads = |client: &str| {
            !entry.name.starts_with("single/") || !client.starts_with("jaeger-client")
        };
        let equals = entry
            .results
            .iter()
            .filter(|(client, _)| reads(client))
            .any(|(client, result)| agrees(&ours, client, result, entry));
        comparison.compare(entry, &ours, equals);
    }
    assert_eq!(entries.len(), 102);
    comparison.check(SOURCE, 77);
}

/// Headers with their names in lower case, in the order of the names.
type Written = BTreeMap<String, String>;

fn written(codec: &B3Codec, entry: &Entry) -> Written {
    let mut headers = Headers::new();
    codec.inject(&input_context(&entry.input), &mut headers);
    let names = headers.iter().map(|(name, _)| name);
    // No name is written twice.
    assert_eq!(
        names
            .clone()
            .collect::<std::collections::BTreeSet<_>>()
            .len(),
        names.len()
    );
    lower_cased(headers)
}

fn lower_cased(headers: Headers) -> Written {
    headers
        .into_iter()
        .map(|(name, value)| (name.to_lowercase(), value))
        .collect()
}

/// Returns the headers that a client wrote, or `None` if it did not write this form or one of them has no value.
fn client_written(result: &Value, form: &str) -> Option<Written> {
    let list = result.get(form)?.as_array()?;
    let pair = |pair: &Value| Some((pair[0].as_str()?.to_owned(), pair[1].as_str()?.to_owned()));
    Some(lower_cased(list.iter().map(pair).collect::<Option<_>>()?))
}

fn input_item(entry: &Entry) -> (String, String) {
    pairs(&entry.input["baggage"]).swap_remove(0)
}

/// The lines that explain several headers that no client writes.
const SEVERAL_WRITTEN: &[Rule<Written>] = &[
    (
        "A value with other characters, with a blank at an end, or with an escape such as `%20` is percent-encoded.",
        |entry, ours| {
            let (key, value) = input_item(entry);
            ours.get(&format!("baggage-{key}")).is_some_and(|encoded| {
                let decoded = percent_encoding::percent_decode_str(encoded);
                *encoded != value && decoded.decode_utf8_lossy() == value
            })
        },
    ),
    (
        "Items beyond them, and items whose key cannot stand in a header name, are left out and counted",
        |entry, ours| {
            let (key, _) = input_item(entry);
            ["", "a b", "a=b", "a,b"].contains(&&*key)
                && !ours.keys().any(|name| name.starts_with("baggage-"))
        },
    ),
];

#[test]
fn inject_writes_the_several_headers_of_a_client() {
    let mut comparison = Comparison::explained_by(SEVERAL_WRITTEN);
    let entries = entries("b3_inject");
    for entry in &entries {
        let ours = written(&B3Codec::multiple_headers(), entry);
        let has_baggage = entry.input["baggage"] != serde_json::json!([]);
        // The other clients write no baggage, or write it under another prefix.
        let writes_baggage = |client: &str| {
            client.starts_with("jaeger-client-go") || client.starts_with("jaeger-client-java")
        };
        let equals = entry
            .results
            .iter()
            .filter(|(client, _)| !has_baggage || writes_baggage(client))
            .any(|(_, result)| client_written(result, "b3_multi").as_ref() == Some(&ours));
        comparison.compare(entry, &ours, equals);
    }
    assert_eq!(entries.len(), 71);
    comparison.check(SOURCE, 53);
}

/// Returns the trace id, the span id and the state of a value of the one header.
fn parts(value: &str) -> Option<(u128, u64, &str)> {
    let mut parts = value.split('-');
    let trace = u128::from_str_radix(parts.next()?, 16).ok()?;
    let span = u64::from_str_radix(parts.next()?, 16).ok()?;
    Some((trace, span, parts.next()?))
}

/// The lines that explain one header that no client writes.
const ONE_WRITTEN: &[Rule<Written>] = &[(
    "| debug | `x-b3-flags: 1` and `x-b3-sampled: 1` | `d` | sampled and debug |",
    |entry, ours| {
        let flags = entry.input["flags"].as_u64().expect("flags");
        flags & 3 == 3 && parts(&ours["b3"]).is_some_and(|(_, _, state)| state == "d")
    },
)];

#[test]
fn inject_writes_the_one_header_of_a_client() {
    let mut comparison = Comparison::explained_by(ONE_WRITTEN);
    for entry in &entries("b3_inject") {
        let ours = written(&B3Codec::single_header(), entry);
        // No client writes the parent into the one header, nor baggage beside it.
        let parent = entry.input["parent_id"].as_str().expect("an id");
        let has_parent = parent.bytes().any(|digit| digit != b'0');
        let last = ours["b3"].splitn(4, '-').nth(3);
        assert_eq!(last, has_parent.then_some(parent), "{}", entry.name);
        let others = ours.keys().filter(|name| *name != "b3");
        assert!(others.into_iter().all(|name| name.starts_with("baggage-")));
        let equals = entry
            .results
            .iter()
            .filter_map(|(_, result)| client_written(result, "b3_single"))
            .any(|theirs| parts(&theirs["b3"]) == parts(&ours["b3"]));
        comparison.compare(entry, &ours, equals);
    }
    comparison.check(SOURCE, 64);
}
