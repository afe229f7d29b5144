//! Messages of ours, compared field by field with those that published clients sent for the same batch
//! (`tests/vectors/spans_compact.json`, `spans_binary.json`, `spans_split.json`). An absent list equals an empty one.
//!
//! Each entry must equal what at least one client sent, or stand in [`DIFFERENCES`] with the rule that explains it.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value as Json;
use thrift::protocol::TMessageType;
use tracehound::metrics::DropCause;
use tracehound::model::{
    Flags, LogRecord, Process, ReferenceType, ReportedReference, SpanId, Tag, TagValue, Timestamp,
    TraceId, tags,
};
use tracehound::reporter::sender::BatchFormat;
use tracehound::reporter::{OwnedSpan, RemoteReporter};

use crate::support::batches::{
    Capture, client_batch, from_hex, input, input_process, input_span, report_all, wire_process,
    wire_span,
};
use crate::support::jaeger_thrift::{self as wire, Value, decode};

/// Entries that equal no client's message: the file, the entry, and the reason.
const DIFFERENCES: &[(&str, &str, &str)] = &[
    ("spans_compact", "tags/doubles", NOT_FINITE),
    ("spans_binary", "tags/doubles", NOT_FINITE),
    (
        "spans_compact",
        "tags/binary-length-300",
        "Go cuts bytes at 256, the others have none; our limit is 1,024, where the tag is set",
    ),
    (
        "spans_compact",
        "process/long-tag-2000",
        "Java alone does not cut, and writes process tags in the order of a hash map",
    ),
    ("spans_binary", "mixed/rich-span", INTEGERS_AND_BYTES),
    ("spans_binary", "mixed/rich-and-plain", INTEGERS_AND_BYTES),
    ("spans_binary", "process/all-tag-types", INTEGERS_AND_BYTES),
    ("spans_split", "split/uniform-20-limit-500", EXACT),
    ("spans_split", "split/uniform-20-limit-700", EXACT),
    ("spans_split", "split/uniform-20-limit-1000", EXACT),
    ("spans_split", "split/uniform-20-limit-1472", EXACT),
    ("spans_split", "split/growing-30-limit-600", EXACT),
    ("spans_split", "split/growing-30-limit-1200", EXACT),
    ("spans_split", "split/default-limit-600-spans", EXACT),
    ("spans_split", "split/edge-limit-901", EXACT),
    ("spans_split", "split/one-too-large", DEGRADED),
    ("spans_split", "split/only-too-large", DEGRADED),
    ("spans_split", "batch-size/1", BY_BYTES),
    ("spans_split", "batch-size/10", BY_BYTES),
    ("spans_split", "batch-size/larger-than-a-datagram", BY_BYTES),
];

const NOT_FINITE: &str =
    "NaN and the infinities are sent as text: a backend answers 500 for the trace otherwise";
const EXACT: &str =
    "sizes are known exactly, so more spans fit in than with a reserve for the envelope";
const DEGRADED: &str =
    "a span too large for a packet is made smaller and marked; every client drops it";
const BY_BYTES: &str = "packets are filled by bytes, where the Python client counts spans";
const INTEGERS_AND_BYTES: &str =
    "in this file Node alone has bytes, and no integers; the others leave the bytes out";

/// Process tags that clients add on their own.
const ADDED: &[(&str, &[&str])] = &[
    (
        "jaeger-client-go 2.30.0",
        &["jaeger.version", "hostname", "client-uuid"],
    ),
    ("jaeger-client-java 1.8.1", &["jaeger.version"]),
    ("jaeger-client-ruby 1.3.0", &["jaeger.version"]),
    ("rustracing_jaeger 0.10.0", &["jaeger.version", "hostname"]),
];

fn entries(text: &str) -> BTreeMap<String, Json> {
    let file: Json = serde_json::from_str(text).unwrap();
    let entries = file["entries"].as_array().unwrap();
    let named = |entry: &Json| (entry["name"].as_str().unwrap().to_owned(), entry.clone());
    entries.iter().map(named).collect()
}

fn compact() -> BTreeMap<String, Json> {
    entries(include_str!("../vectors/spans_compact.json"))
}

fn binary() -> BTreeMap<String, Json> {
    entries(include_str!("../vectors/spans_binary.json"))
}

/// Returns the name of each client with its result.
fn results(entry: &Json) -> impl Iterator<Item = (&str, &Json)> {
    let results = entry["results"].as_object().unwrap();
    results
        .iter()
        .map(|(client, result)| (client.as_str(), result))
}

fn without_added(client: &str, mut process: wire::Process) -> wire::Process {
    let added = ADDED.iter().find(|(name, _)| *name == client);
    for key in added.map_or(&[][..], |(_, keys)| *keys) {
        let place = process.tags.iter().rposition(|tag| tag.key == *key);
        process.tags.remove(place.unwrap());
    }
    process
}

/// Fails unless `differing` holds exactly the entries that the table names for that file.
fn check_differences(file: &str, differing: &BTreeSet<String>) {
    let rows = DIFFERENCES.iter().filter(|(of, _, _)| *of == file);
    let expected: BTreeSet<_> = rows.map(|(_, entry, _)| (*entry).to_owned()).collect();
    assert_eq!(
        *differing, expected,
        "{file}: entries without an equal client"
    );
}

fn check_batches(file: &str, format: BatchFormat, entries: &BTreeMap<String, Json>) {
    let inputs = compact();
    let mut differing = BTreeSet::new();
    for (name, entry) in entries {
        let (process, spans) = input(&inputs[name]["input"]);
        let capture = Capture::new(format, 65_000);
        report_all(
            &mut RemoteReporter::new(capture.clone()),
            process.clone(),
            &spans,
        );
        let messages = capture.decoded();
        assert_eq!(messages.len(), 1, "{name}");
        let message = &messages[0];
        assert_eq!(
            (message.name.as_str(), message.kind, message.seqid),
            ("emitBatch", TMessageType::OneWay, 1)
        );
        assert_eq!(
            (message.empty_lists, message.spare_values),
            (0, 0),
            "{name}"
        );
        let ours = &message.batch;
        assert_eq!((ours.seq_no, ours.stats), (Some(1), Some([0; 3])));
        assert_eq!(ours.process, wire_process(&process), "{name}");
        assert_eq!(
            ours.spans,
            spans.iter().map(wire_span).collect::<Vec<_>>(),
            "{name}"
        );

        let is_equal = |(client, result): (&str, &Json)| {
            let theirs = client_batch(&result["packets"][0]["batch"]);
            ours.process == without_added(client, theirs.process) && ours.spans == theirs.spans
        };
        if !results(entry).any(is_equal) {
            differing.insert(name.clone());
        }
    }
    check_differences(file, &differing);
}

#[test]
fn compact_batches_equal_those_of_a_client() {
    check_batches("spans_compact", BatchFormat::Compact, &compact());
}

#[test]
fn binary_batches_equal_those_of_a_client() {
    check_batches("spans_binary", BatchFormat::Binary, &binary());
}

#[test]
fn the_oracle_reads_what_clients_sent() {
    let files = [
        (BatchFormat::Compact, compact()),
        (BatchFormat::Binary, binary()),
    ];
    for (format, entries) in files {
        for (name, entry) in &entries {
            for (client, result) in results(entry) {
                let packet = &result["packets"][0];
                let read = decode(format, &from_hex(packet["hex"].as_str().unwrap()));
                match read {
                    Ok(message) => {
                        let expected = client_batch(&packet["batch"]);
                        assert_eq!(message.batch, expected, "{name}: {client}");
                    }
                    // The Go client cuts strings inside of characters.
                    Err(error) => {
                        let has_bytes = packet["batch"].to_string().contains("bytes_hex");
                        assert!(has_bytes, "{name}: {client}: {error}");
                    }
                }
            }
        }
    }
}

/// Compares bytes with those of clients that send ONEWAY messages without batch numbers and without empty
/// lists, as we do. Their decoded batches go through the reporter again.
#[test]
fn our_bytes_equal_those_of_clients_that_write_as_we_do() {
    let files = [
        (BatchFormat::Compact, compact(), 2..3),
        (BatchFormat::Binary, binary(), 17..21),
    ];
    let mut compared = BTreeMap::<String, u32>::new();
    for (format, entries, seqid) in files {
        for (name, entry) in &entries {
            for (client, result) in results(entry) {
                let bytes = from_hex(result["packets"][0]["hex"].as_str().unwrap());
                let Ok(theirs) = decode(format, &bytes) else {
                    continue;
                };
                let has_extras = theirs.empty_lists + theirs.spare_values > 0;
                if theirs.kind != TMessageType::OneWay || has_extras {
                    continue;
                }
                let Some((process, spans)) = given(&theirs.batch) else {
                    continue;
                };
                let capture = Capture::new(format, 65_000);
                let mut reporter = RemoteReporter::new(capture.clone()).batch_numbers(false);
                report_all(&mut reporter, process, &spans);
                let mut ours = capture.messages().remove(0);
                ours[seqid.clone()].copy_from_slice(&bytes[seqid.clone()]);
                assert_eq!(ours, bytes, "{name}: {client}");
                let key = format!("{format:?}: {client}");
                *compared.entry(key).or_default() += 1;
            }
        }
    }
    let compared: Vec<_> = compared.iter().map(|(key, n)| (&**key, *n)).collect();
    let expected = [
        (
            "Binary: jaeger-client-python 4.8.0 batch written by Apache thrift 0.25.0",
            1,
        ),
        ("Binary: rustracing_jaeger 0.10.0", 23),
        ("Compact: jaeger-client-java 1.8.1", 1),
        ("Compact: jaeger-client-python 4.8.0", 1),
        ("Compact: jaeger-client-ruby 1.3.0", 1),
        ("Compact: opentelemetry-jaeger-rust 0.22.0", 2),
        ("Compact: rustracing_jaeger 0.10.0", 23),
    ];
    assert_eq!(compared, expected, "messages that were compared, by client");
}

/// Returns the input that would make that batch; `None` if it holds a double that we send as text.
fn given(batch: &wire::Batch) -> Option<(Process, Vec<OwnedSpan>)> {
    let process = Process::new(
        batch.process.service_name.clone(),
        given_tags(&batch.process.tags)?,
    );
    let spans = batch.spans.iter().map(|span| {
        let trace_id = TraceId::new(span.trace_id_high as u64, span.trace_id_low as u64)?;
        let span_id = SpanId::new(span.span_id as u64)?;
        let mut owned = OwnedSpan::new(trace_id, span_id, span.operation_name.clone());
        owned.parent_id = SpanId::new(span.parent_span_id as u64);
        owned.flags = Flags::from_bits(span.flags as u8);
        owned.start = Timestamp::from_micros(span.start_time);
        owned.duration = std::time::Duration::from_micros(span.duration as u64);
        owned.tags = given_tags(&span.tags)?;
        for log in &span.logs {
            let timestamp = Timestamp::from_micros(log.timestamp);
            let fields = given_tags(&log.fields)?;
            owned.logs.push(LogRecord::new(timestamp, fields));
        }
        for reference in &span.references {
            let kind = match reference.kind {
                0 => ReferenceType::ChildOf,
                _ => ReferenceType::FollowsFrom,
            };
            let (high, low) = (reference.trace_id_high, reference.trace_id_low);
            let trace_id = TraceId::new(high as u64, low as u64)?;
            let span_id = SpanId::new(reference.span_id as u64)?;
            let reference = ReportedReference::new(kind, trace_id, span_id);
            owned.references.push(reference);
        }
        Some(owned)
    });
    Some((process, spans.collect::<Option<_>>()?))
}

fn given_tags(tags: &[wire::Tag]) -> Option<Vec<Tag>> {
    let given = |tag: &wire::Tag| {
        let value = match &tag.value {
            Value::String(text) => TagValue::from(text.clone()),
            Value::Double(bits) => TagValue::Double(f64::from_bits(*bits)),
            Value::Bool(value) => TagValue::Bool(*value),
            Value::Long(value) => TagValue::Long(*value),
            Value::Binary(bytes) => TagValue::Binary(bytes.clone()),
        };
        let is_sent = !matches!(value, TagValue::Double(value) if !value.is_finite());
        is_sent.then(|| Tag::new(tag.key.clone(), value))
    };
    tags.iter().map(given).collect()
}

/// A batch larger than a packet, as it was given to each client.
struct Split {
    spans: Vec<OwnedSpan>,
    limit: usize,
}

fn split(entries: &BTreeMap<String, Json>, name: &str) -> Split {
    let input = &entries[name]["input"];
    if let Some(same) = input["as"].as_str() {
        return split(entries, same);
    }
    let limit = input["max_packet_size"].as_u64().unwrap_or(65_000) as usize;
    let spans = match &input["spans"] {
        Json::Array(spans) => spans.iter().map(input_span).collect(),
        pattern => {
            let count = pattern["count"].as_u64().unwrap();
            let first = input_span(&pattern["first"]);
            let spans: Vec<_> = (0..count).map(|n| nth(name, &first, n)).collect();
            let last = spans.len() - 1;
            for (key, n) in [("first", 0), ("second", 1), ("last", last)] {
                assert_eq!(spans[n], input_span(&pattern[key]), "{name}: {key}");
            }
            spans
        }
    };
    Split { spans, limit }
}

/// Returns the span `n` of a pattern.
fn nth(name: &str, first: &OwnedSpan, n: u64) -> OwnedSpan {
    let mut span = first.clone();
    span.span_id = SpanId::new(first.span_id.get() + n).unwrap();
    span.start = Timestamp::from_micros(first.start.as_micros() + n as i64);
    if name.starts_with("batch-size/") {
        span.operation_name = format!("op-{n}");
    } else if name.starts_with("split/growing") {
        span.operation_name = format!("op-{n:03}-{}", "x".repeat(9 * n as usize));
    } else {
        span.tags = vec![Tag::new("i", format!("{n:04}"))];
    }
    span
}

/// Returns the number of spans in each packet that a client sent.
fn client_counts(result: &Json) -> Vec<usize> {
    let count = |packet: &Json| match packet["span_count"].as_u64() {
        Some(count) => count as usize,
        None => packet["batch"]["spans"].as_array().unwrap().len(),
    };
    let packets = result["packets"].as_array();
    packets.map_or_else(Vec::new, |packets| packets.iter().map(count).collect())
}

fn client_sizes(result: &Json) -> impl Iterator<Item = usize> {
    let packets = result["packets"].as_array().into_iter().flatten();
    packets.map(|packet| packet["size"].as_u64().unwrap() as usize)
}

/// Returns the process of a batch with the tags that this client adds.
fn client_process(input: &Json, client: &str, minimal: [&Json; 2]) -> Process {
    let mut process = input_process(input);
    let result = minimal
        .iter()
        .find_map(|entry| entry["results"].get(client));
    let added = ADDED.iter().find(|(name, _)| *name == client);
    if let (Some(result), Some((_, keys))) = (result, added) {
        let sent = client_batch(&result["packets"][0]["batch"]).process.tags;
        for key in *keys {
            let tag = sent.iter().find(|tag| tag.key == *key).unwrap().clone();
            process.tags.extend(given_tags(&[tag]).unwrap());
        }
    }
    process
}

#[test]
fn our_packets_hold_at_least_what_packets_of_clients_hold() {
    let entries = entries(include_str!("../vectors/spans_split.json"));
    let (compact, binary) = (compact(), binary());
    let minimal = [&compact["minimal/one-span"], &binary["minimal/one-span"]];
    let mut differing = BTreeSet::new();
    for (name, entry) in &entries {
        let Split { spans, limit } = split(&entries, name);
        let input = match entry["input"]["as"].as_str() {
            Some(same) => &entries[same]["input"],
            None => &entry["input"],
        };
        let mut has_equal = false;
        for (client, result) in results(entry) {
            let format = match result["protocol"].as_str().unwrap() {
                "compact" => BatchFormat::Compact,
                "binary" => BatchFormat::Binary,
                other => unreachable!("an unknown protocol {other}"),
            };
            let process = client_process(input, client, minimal);
            let capture = Capture::new(format, limit);
            let has_numbers = client.starts_with("jaeger-client-go");
            let mut reporter = RemoteReporter::new(capture.clone()).batch_numbers(has_numbers);
            let unsent = report_all(&mut reporter, process, &spans);

            let messages = capture.decoded();
            let counts: Vec<_> = messages
                .iter()
                .map(|message| message.batch.spans.len())
                .collect();
            let theirs = client_counts(result);
            has_equal |= counts == theirs;
            let is_whole = theirs.iter().sum::<usize>() == spans.len();
            if is_whole && client_sizes(result).all(|size| size <= limit) {
                assert!(counts.len() <= theirs.len(), "{name}: {client}");
            }
            let lost = unsent.dropped.get(DropCause::TooLarge);
            assert_eq!(lost, unsent.dropped.total() + unsent.queued, "{name}");
            let sent: Vec<_> = messages
                .into_iter()
                .flat_map(|message| message.batch.spans)
                .collect();
            assert_eq!(sent.len() as u64 + lost, spans.len() as u64, "{name}");
            if lost == 0 {
                let is_degraded =
                    |span: &wire::Span| span.tags.iter().any(|tag| tag.key == tags::DEGRADED);
                for (ours, given) in sent.iter().zip(&spans) {
                    assert!(*ours == wire_span(given) || is_degraded(ours), "{name}");
                }
            }
            for bytes in capture.messages() {
                assert!(bytes.len() <= limit, "{name}: {} bytes", bytes.len());
            }
        }
        if !has_equal {
            differing.insert(name.clone());
        }
    }
    check_differences("spans_split", &differing);
}
