//! The table of what each format carries, which the documentation has as it is computed here.

use std::collections::BTreeMap;

use tracehound::SpanContext;
use tracehound::model::{Baggage, Flags, SpanId, TraceId};
use tracehound::propagation::{BinaryCodec, Codec, Extractor, Injector, Propagation};

/// The page that holds the table.
const PAGE: &str = include_str!("../../../src/propagation/mod.rs");

const HEADING: &str = "//! # What does each format carry?";

enum Format {
    Text(Box<dyn Codec>),
    Binary(BinaryCodec),
}

impl Format {
    /// Returns a context as the receiver reads it.
    fn carry(&self, context: &SpanContext) -> SpanContext {
        let read = match self {
            Self::Text(codec) => {
                let mut headers = BTreeMap::new();
                codec.inject(context, &mut headers);
                codec.extract(&headers)
            }
            Self::Binary(codec) => {
                let mut bytes = Vec::new();
                codec.inject(context, &mut bytes);
                codec.extract(&bytes)
            }
        };
        read.expect("well-formed").unwrap_or_default()
    }

    /// Returns whether a debug id is read from its header.
    fn reads_debug_id(&self) -> bool {
        let Self::Text(codec) = self else {
            return false;
        };
        let read = codec.extract(&[("jaeger-debug-id", "find-me")]);
        read.expect("well-formed").unwrap_or_default().debug_id() == Some("find-me")
    }
}

/// Returns the columns of the table: their headings and formats.
fn formats() -> Vec<(String, Format)> {
    let text = Propagation::ALL.iter().filter_map(|format| {
        let heading = match format {
            Propagation::Jaeger => "Jaeger",
            Propagation::B3 => "B3",
            Propagation::B3Single => "B3 single",
            Propagation::W3c => "W3C",
            // These are parts of the format before.
            Propagation::TraceContext | Propagation::Baggage => return None,
            other => panic!("add to `formats` in {}: the heading of {other}", file!()),
        };
        let codec = format.http_headers_codec();
        Some((heading.to_owned(), Format::Text(codec)))
    });
    let binary = Format::Binary(BinaryCodec::default());
    text.chain([("binary".to_owned(), binary)]).collect()
}

/// A part of a context: contexts that have it, and how to say what of it is there.
struct Part {
    name: &'static str,
    contexts: Vec<SpanContext>,
    /// An empty text says that it is gone.
    describe: fn(&SpanContext) -> String,
}

const TEXT: &str = "a b+c,d;e=f\"\\%20%zé🚀\r\n\0 ";
const CAPITALS: &str = "userId";
const ANY_KEY: &str = "a b:é";
const PROPERTIES: &str = "ttl=30;internal";

fn trace(flags: u8) -> SpanContext {
    let trace = TraceId::new(0x463a_c35c, 7).expect("not zero");
    let span = SpanId::new(8).expect("not zero");
    SpanContext::new(trace, span, SpanId::new(9), Flags::from_bits(flags))
}

fn item(key: &str, value: &str, properties: &str) -> SpanContext {
    let baggage = Baggage::default().with_properties(key, value, properties);
    trace(1).with_baggage(baggage.expect("short"))
}

fn decided(context: &SpanContext) -> String {
    match (context.is_sampling_final(), context.is_sampled()) {
        (false, _) => "open".to_owned(),
        (true, true) => "sampled".to_owned(),
        (true, false) => "not sampled".to_owned(),
    }
}

fn parts() -> Vec<Part> {
    let part = |name, contexts: &[SpanContext], describe| Part {
        name,
        contexts: contexts.to_vec(),
        describe,
    };
    let state = trace(1).with_trace_state("congo=t61,ot=rv:6e6d1a75832a2f".parse().expect("legal"));
    vec![
        part("trace id of 128 bits", &[trace(1)], |context| {
            context.to_trace_id()
        }),
        part("parent id", &[trace(1)], |context| {
            context
                .parent_id()
                .map_or_else(String::new, |id| id.to_string())
        }),
        part("sampled or not", &[trace(0), trace(1)], decided),
        part("debug flag", &[trace(3)], |context| {
            match context.is_debug() {
                true => "debug".to_owned(),
                false => decided(context),
            }
        }),
        part("other flags", &[trace(0xf9), trace(9)], |context| {
            match context.flags().bits() & !3 {
                0 => String::new(),
                flags => flags.to_string(),
            }
        }),
        part(
            "decision left to the receiver",
            &[trace(0).with_deferred_sampling()],
            decided,
        ),
        part(
            "decision without a trace",
            &[0, 1, 3].map(|flags| SpanContext::without_trace(Flags::from_bits(flags))),
            |context| {
                let decision = context.decision_without_trace();
                decision.map_or_else(String::new, |flags| format!("{flags:?}"))
            },
        ),
        part(
            "random flag",
            &[trace(1).with_random_trace_id(true)],
            |context| {
                if context.has_random_trace_id() {
                    "random".to_owned()
                } else {
                    String::new()
                }
            },
        ),
        part("`tracestate`", &[state], |context| {
            let state = context.trace_state();
            state.map_or_else(String::new, ToString::to_string)
        }),
        part(
            "baggage value of any text",
            &[item("k", TEXT, "")],
            |context| context.baggage().get("k").unwrap_or_default().to_owned(),
        ),
        part(
            "baggage key with capitals",
            &[item(CAPITALS, "v", "")],
            |context| {
                let keys = context.baggage().iter().map(|(key, _)| key);
                match keys.collect::<String>().as_str() {
                    "userid" => "in lower case".to_owned(),
                    key => key.to_owned(),
                }
            },
        ),
        part(
            "baggage key of any text",
            &[item(ANY_KEY, "v", "")],
            |context| {
                context
                    .baggage()
                    .get(ANY_KEY)
                    .unwrap_or_default()
                    .to_owned()
            },
        ),
        part(
            "baggage properties",
            &[item("k", "v", PROPERTIES)],
            |context| context.baggage().properties("k").to_owned(),
        ),
    ]
}

/// Returns what becomes of a part between a sender and a receiver.
fn outcome(part: &Part, carry: impl Fn(&SpanContext) -> SpanContext) -> String {
    let outcomes = part.contexts.iter().map(|context| {
        let (sent, received) = ((part.describe)(context), (part.describe)(&carry(context)));
        assert!(!sent.is_empty(), "{}", part.name);
        match received {
            same if same == sent => "kept".to_owned(),
            gone if gone.is_empty() => "lost".to_owned(),
            other if other.starts_with("in ") => other,
            other => format!("as {other}"),
        }
    });
    let mut outcomes: Vec<_> = outcomes.collect();
    outcomes.dedup();
    outcomes.join(" or ")
}

fn table() -> String {
    let formats = formats();
    let row = |name: &str, cells: Vec<String>| format!("//! | {name} | {} |\n", cells.join(" | "));
    let names = formats.iter().map(|(name, _)| name.clone());
    let mut table = row("part of a context", names.collect());
    table += &format!("//! |---|{}\n", "---|".repeat(formats.len()));
    for part in parts() {
        let cells = formats
            .iter()
            .map(|(_, format)| outcome(&part, |context| format.carry(context)));
        table += &row(part.name, cells.collect());
    }
    let debug_id = SpanContext::default().with_debug_id("find-me");
    let cells = formats.iter().map(|(_, format)| {
        assert_eq!(format.carry(&debug_id).debug_id(), None);
        let is_read = format.reads_debug_id();
        if is_read { "only read" } else { "lost" }.to_owned()
    });
    table += &row("debug id", cells.collect());
    table
}

#[test]
fn the_documentation_has_the_table_of_what_each_format_carries() {
    let (_, section) = PAGE.split_once(HEADING).expect("the page has the section");
    let documented: String = section
        .lines()
        .skip_while(|line| !line.starts_with("//! |"))
        .take_while(|line| line.starts_with("//! |"))
        .map(|line| format!("{line}\n"))
        .collect();
    let expected = table();
    assert!(
        documented == expected,
        "put this into src/propagation/mod.rs, in place of its table:\n{expected}"
    );
}

#[test]
fn a_context_that_changes_its_format_keeps_what_both_carry() {
    for part in parts() {
        for (one_name, one) in &formats() {
            for (other_name, other) in &formats() {
                let carried_by =
                    |format: &Format| outcome(&part, |context| format.carry(context)) == "kept";
                let both = outcome(&part, |context| other.carry(&one.carry(context)));
                assert_eq!(
                    both == "kept",
                    carried_by(one) && carried_by(other),
                    "{}, read as {one_name} and written as {other_name}: {both}",
                    part.name
                );
            }
        }
    }
}
