//! Compares the spans of simple API calls with those that the Go client sent for the same calls
//! (`tests/vectors/spans_behaviour.json`), and the log record of a baggage item with those of all clients
//! (`baggage_via_span.json`).
//!
//! The id source counts like the recorded one, so ids are compared as they are.

use std::collections::{BTreeSet, HashMap};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, UNIX_EPOCH};

use serde_json::{Value, json};
use tracehound::clock::ManualClock;
use tracehound::model::{ReferenceType, TagRef, display};
use tracehound::prelude::*;
use tracehound::reporter::{InMemoryReporter, OwnedSpan};
use tracehound::sampler::{
    ConstSampler, ProbabilisticSampler, RateLimitingSampler, SamplingRate, TracesPerSecond,
};
use tracehound::tracer::TracerBuilder;
use tracehound::{JaegerTracer, SpanContext};

const GO: &str = "jaeger-client-go 2.30.0";
const START: u64 = 1_500_000_000_000_000;

/// Intended differences from the Go client: entry, field, our value, and the rule behind it.
const DIFFERENCES: &[(&str, &str, &str, &str)] = &[
    (
        "odd-tag-values",
        "uint64",
        "18446744073709551615",
        "a u64 above i64::MAX is its decimal text",
    ),
    (
        "odd-tag-values",
        "nil",
        "",
        "a tag whose value is nothing is not set",
    ),
    (
        "clock-fractions",
        "duration of g",
        "1",
        "no length is reported as one microsecond",
    ),
];

/// Entries about features that tracehound does not have yet.
const LATER: &[(&str, &str)] = &[("shared-rpc-span", "one span id for both sides of a call")];

struct Scene {
    builder: TracerBuilder,
    clock: ManualClock,
    spans: InMemoryReporter,
}

impl Scene {
    fn new() -> Self {
        let spans = InMemoryReporter::new();
        let clock = ManualClock::at_micros(START);
        // The Go tracer draws the first number for the id of the client.
        let next = AtomicU64::new(0x1000_0000_0000_0002);
        let builder = JaegerTracer::builder("vector-service")
            .sampler(ConstSampler::new(true))
            .reporter(spans.clone())
            .clock(clock.clone())
            .id_source(move || next.fetch_add(1, Ordering::Relaxed));
        Self {
            builder,
            clock,
            spans,
        }
    }

    fn root(
        self,
        with: impl FnOnce(TracerBuilder) -> TracerBuilder,
        act: impl FnOnce(&Span),
    ) -> Vec<OwnedSpan> {
        let tracer = with(self.builder).build().expect("named");
        let span = tracer.start_span("root");
        act(&span);
        self.clock.advance(Duration::from_micros(500_000));
        span.finish();
        self.spans.spans()
    }

    fn two(self, kind: ReferenceType) -> Vec<OwnedSpan> {
        let tracer = self.builder.build().expect("named");
        let step = Duration::from_micros(250_000);
        let a = tracer.start_span("a");
        self.clock.advance(step);
        let b = tracer.build_span("b");
        let b = match kind {
            ReferenceType::ChildOf => b.child_of(&a),
            ReferenceType::FollowsFrom => b.follows_from(&a),
        };
        let b = b.start();
        self.clock.advance(step);
        b.finish();
        self.clock.advance(step);
        a.finish();
        self.spans.spans()
    }

    fn server(self, header: &str) -> Vec<OwnedSpan> {
        let tracer = self.builder.build().expect("named");
        let headers = HashMap::from([("uber-trace-id".to_owned(), header.to_owned())]);
        let parent = tracer.extract(&headers).expect("well formed");
        let span = tracer
            .build_span("server")
            .child_of(&parent)
            .tag("span.kind", "server")
            .start();
        self.clock.advance(Duration::from_micros(500_000));
        span.finish();
        self.spans.spans()
    }
}

fn play(name: &str, recorded: &Value) -> Option<Vec<OwnedSpan>> {
    let scene = Scene::new();
    let same = |builder| builder;
    Some(match name {
        "root-128-bit" => scene.root(|builder| builder.trace_id_128bit(true), |_| {}),
        "root-probabilistic" => scene.root(
            |builder| builder.sampler(ProbabilisticSampler::new(SamplingRate::ONE)),
            |_| {},
        ),
        "root-ratelimiting" => scene.root(
            |builder| {
                builder.sampler(RateLimitingSampler::new(
                    TracesPerSecond::new(5.5).expect("a rate"),
                ))
            },
            |_| {},
        ),
        "child-of-span" | "child-of-reference" => scene.two(ReferenceType::ChildOf),
        "follows-from-reference" => scene.two(ReferenceType::FollowsFrom),
        "extracted-parent" => scene.server(&format!(
            "{}:{}:0:1",
            "5af7183fb1d4cf5f", "6b221d5bc9e6496c"
        )),
        "extracted-unsampled-parent" => scene.server(&format!(
            "{}:{}:0:0",
            "5af7183fb1d4cf5f", "6b221d5bc9e6496c"
        )),
        "jaeger-baggage" => {
            let tracer = scene.builder.build().expect("named");
            let headers = HashMap::from([("jaeger-baggage".to_owned(), "k1=v1, k2=v2".to_owned())]);
            let parent = tracer.extract(&headers).expect("well formed");
            let span = tracer.build_span("root").child_of(&parent).start();
            let mut injected = HashMap::new();
            tracer.inject(&span.context(), &mut injected);
            for pair in recorded["extra"]["injected"].as_array().expect("pairs") {
                let [name, value] = [0, 1].map(|n| pair[n].as_str().expect("text"));
                let ours = &injected[&name.to_lowercase()];
                // The parent of a root is a single zero in Java and here, and sixteen zeros in Go. Readers parse a
                // number.
                assert_eq!(*ours, value.replace(":0000000000000000:", ":0:"), "{name}");
            }
            scene.clock.advance(Duration::from_micros(500_000));
            span.finish();
            scene.spans.spans()
        }
        "sampling-priority-1" => scene.root(
            |builder| builder.sampler(ConstSampler::new(false)),
            |span| {
                span.set_tag("before", "x")
                    .set_tag("sampling.priority", 1)
                    .set_tag("after", "x");
            },
        ),
        "sampling-priority-0" => scene.root(same, |span| {
            span.set_tag("sampling.priority", 0);
        }),
        "rename" => scene.root(same, |span| {
            span.set_operation_name("after");
        }),
        "odd-tag-values" => scene.root(same, |span| {
            span.set_tag("int", 7)
                .set_tag("int8", -8i8)
                .set_tag("uint8", 200u8);
            span.set_tag("uint64", u64::MAX).set_tag("float32", 0.1f32);
            span.set_tag("struct", display(&"{A:1}"))
                .set_tag("nil", None::<i64>);
            span.set_tag("error", display(&std::io::Error::other("boom")));
            span.set_tag("duration", display(&"1.5s"))
                .set_tag("slice", display(&"[a b]"));
            span.set_tag("bytes", &b"\x00\xff"[..]);
        }),
        "clock-fractions" => {
            let tracer = scene.builder.build().expect("named");
            for span in recorded["packets"]
                .as_array()
                .expect("packets")
                .iter()
                .flat_map(spans_of)
            {
                let at = |micros: i64| UNIX_EPOCH + Duration::from_micros(micros as u64);
                let (start, duration) = (number(span, "startTime"), number(span, "duration"));
                let name = span["operationName"].as_str().expect("a name").to_owned();
                tracer
                    .build_span(name)
                    .start_time(at(start))
                    .start()
                    .finish_at(at(start + duration));
            }
            scene.spans.spans()
        }
        _ => return None,
    })
}

fn spans_of(packet: &Value) -> impl Iterator<Item = &Value> {
    packet["batch"]["spans"].as_array().expect("spans").iter()
}

fn number(span: &Value, field: &str) -> i64 {
    span[field]
        .as_i64()
        .unwrap_or_else(|| panic!("{field} of {span}"))
}

/// Returns the key of a tag or field and the value that its type selects.
fn recorded_tag(tag: &Value) -> (String, Value) {
    let value = match tag["vType"].as_str().expect("a type") {
        "STRING" => tag["vStr"].clone(),
        "DOUBLE" => json!(tag["vDouble"].as_f64()),
        "BOOL" => tag["vBool"].clone(),
        "LONG" => tag["vLong"].clone(),
        _ => json!({ "hex": tag["vBinary"] }),
    };
    (tag["key"].as_str().expect("a key").to_owned(), value)
}

fn our_tag(key: &str, value: TagRef<'_>) -> (String, Value) {
    let json = match value {
        TagRef::String(text) => json!(text),
        TagRef::Double(value) => json!(value),
        TagRef::Bool(value) => json!(value),
        TagRef::Long(value) => json!(value),
        other => json!({ "hex": other.to_string() }),
    };
    (key.to_owned(), json)
}

fn compare(name: &str, span: &OwnedSpan, recorded: &Value, used: &mut BTreeSet<usize>) {
    let mut differs = |field: &str, ours: &str| {
        let row = DIFFERENCES
            .iter()
            .position(|row| row.0 == name && row.1 == field && row.2 == ours);
        row.map(|row| used.insert(row)).is_some()
    };
    assert_eq!(
        span.trace_id.low() as i64,
        number(recorded, "traceIdLow"),
        "{name}"
    );
    assert_eq!(
        span.trace_id.high() as i64,
        number(recorded, "traceIdHigh"),
        "{name}"
    );
    assert_eq!(
        span.span_id.get() as i64,
        number(recorded, "spanId"),
        "{name}"
    );
    let parent = span.parent_id.map_or(0, |id| id.get() as i64);
    assert_eq!(parent, number(recorded, "parentSpanId"), "{name}");
    assert_eq!(span.operation_name, recorded["operationName"], "{name}");
    assert_eq!(
        i64::from(span.flags.bits()),
        number(recorded, "flags"),
        "{name}"
    );
    assert_eq!(
        span.start.as_micros(),
        number(recorded, "startTime"),
        "{name}"
    );
    let (duration, field) = (
        span.duration.as_micros(),
        format!("duration of {}", span.operation_name),
    );
    if duration as i64 != number(recorded, "duration") {
        assert!(
            differs(&field, &duration.to_string()),
            "{name}: {field} is {duration}"
        );
    }
    let references: Vec<_> = recorded["references"]
        .as_array()
        .into_iter()
        .flatten()
        .collect();
    assert_eq!(span.references.len(), references.len(), "{name}");
    for (ours, recorded) in span.references.iter().zip(references) {
        let kind = match ours.kind {
            ReferenceType::ChildOf => "CHILD_OF",
            ReferenceType::FollowsFrom => "FOLLOWS_FROM",
        };
        assert_eq!(recorded["refType"], kind, "{name}");
        assert_eq!(
            ours.trace_id.low() as i64,
            number(recorded, "traceIdLow"),
            "{name}"
        );
        assert_eq!(
            ours.span_id.get() as i64,
            number(recorded, "spanId"),
            "{name}"
        );
    }
    // The Go client sets start tags in the random order of a map, so they are compared as a map.
    let ours: HashMap<_, _> = span
        .tags
        .iter()
        .map(|tag| our_tag(&tag.key, tag.value.as_ref()))
        .collect();
    let recorded: HashMap<_, _> = recorded["tags"]
        .as_array()
        .into_iter()
        .flatten()
        .map(recorded_tag)
        .collect();
    let keys: BTreeSet<_> = ours.keys().chain(recorded.keys()).collect();
    for key in keys {
        if ours.get(key) != recorded.get(key) {
            let text = ours
                .get(key)
                .map_or("", |value| value.as_str().expect("text"));
            assert!(
                differs(key, text),
                "{name}: {key} is {:?}, was {:?}",
                ours.get(key),
                recorded.get(key)
            );
        }
    }
}

fn entries(file: &str) -> Vec<Value> {
    let file: Value = serde_json::from_str(file).expect("the vectors are JSON");
    file["entries"].as_array().expect("entries").clone()
}

#[test]
fn simple_calls_give_the_spans_of_the_go_client() {
    let mut used = BTreeSet::new();
    for entry in entries(include_str!("../vectors/spans_behaviour.json")) {
        let name = entry["name"].as_str().expect("a name");
        if LATER.iter().any(|(later, _)| *later == name) {
            continue;
        }
        // In Go each reference is to the parent, so both ways to give it are the same there.
        let results = &entry["results"];
        let recorded = match name {
            "child-of-reference" => {
                // Only Node and Python were recorded. The ids of Node are those of Go less one, and its clock differs.
                assert!(results[GO].is_null());
                let spans = play(name, &Value::Null).expect("played");
                let node = &results["jaeger-client-node 3.19.0"]["packets"];
                let child = spans_of(&node[0]).next().expect("the child first");
                assert_eq!(
                    spans[0].references.len(),
                    child["references"].as_array().expect("one").len()
                );
                assert_eq!(child["references"][0]["spanId"], child["parentSpanId"]);
                assert_eq!(Some(spans[0].references[0].span_id), spans[0].parent_id);
                continue;
            }
            _ => &results[GO],
        };
        let Some(spans) = play(name, recorded) else {
            panic!("{name} is not played")
        };
        let recorded: Vec<_> = recorded["packets"]
            .as_array()
            .expect("packets")
            .iter()
            .flat_map(spans_of)
            .collect();
        assert_eq!(spans.len(), recorded.len(), "{name}");
        for (span, recorded) in spans.iter().zip(recorded) {
            compare(name, span, recorded, &mut used);
        }
    }
    assert_eq!(
        used.len(),
        DIFFERENCES.len(),
        "a row of the table was not needed"
    );
}

#[test]
fn a_baggage_item_is_logged_as_other_clients_log_it() {
    for entry in entries(include_str!("../vectors/baggage_via_span.json")) {
        let name = entry["name"].as_str().expect("a name");
        let scene = Scene::new();
        let limits = tracehound::span::Limits::default().log_value_bytes(10_000);
        let tracer = scene.builder.limits(limits).build().expect("named");
        let span = tracer
            .build_span("s")
            .child_of(&None::<SpanContext>)
            .start();
        for pair in entry["input"]["baggage"].as_array().expect("pairs") {
            let [key, value] = [0, 1].map(|n| pair[n].as_str().expect("text"));
            span.set_baggage_item(key, value);
        }
        span.finish();
        let ours: Vec<Vec<(String, String)>> = scene.spans.spans()[0]
            .logs
            .iter()
            .map(|log| {
                log.fields
                    .iter()
                    .map(|f| (f.key.to_string(), f.value.to_string()))
                    .collect()
            })
            .collect();
        let recorded = |producer: &Value| -> Vec<Vec<(String, String)>> {
            let pair = |field: &Value| [0, 1].map(|n| field[n].as_str().unwrap_or("?").to_owned());
            let log = |log: &Value| {
                log.as_array()
                    .expect("fields")
                    .iter()
                    .map(|field| pair(field).into())
                    .collect()
            };
            producer["log_fields"]
                .as_array()
                .expect("logs")
                .iter()
                .map(log)
                .collect()
        };
        let results = entry["results"].as_object().expect("results");
        assert!(
            results
                .values()
                .any(|producer| sorted(recorded(producer)) == sorted(ours.clone())),
            "{name}: {ours:?} is what nobody else writes: {results:?}"
        );
    }
}

/// The fields of a Java log are a map, so their order has no meaning.
fn sorted(mut logs: Vec<Vec<(String, String)>>) -> Vec<Vec<(String, String)>> {
    logs.iter_mut().for_each(|fields| fields.sort());
    logs
}
