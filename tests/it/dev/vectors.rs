//! Recordings of other clients, sent through the real sockets.

use std::collections::HashMap;
use std::fs;

use serde_json::Value;
use tracehound::dev::DevServer;
use tracehound::model::{ReferenceType, Tag, TagValue};
use tracehound::view::ReceivedSpan;

use super::{exchange, send, start, unhex};

fn entries(file: &str) -> Vec<Value> {
    let path = format!("{}/tests/vectors/{file}.json", env!("CARGO_MANIFEST_DIR"));
    let text = fs::read_to_string(&path).expect(&path);
    let mut file: Value = serde_json::from_str(&text).expect(&path);
    match file["entries"].take() {
        Value::Array(entries) => entries,
        other => panic!("{path}: {other}"),
    }
}

/// Returns the part `name` (`packets`, `requests`) of each producer in each entry, with a title for failures, and the
/// input.
pub(super) fn all(file: &str, name: &str) -> Vec<(String, Value, Value)> {
    let mut all = Vec::new();
    for entry in entries(file) {
        for (producer, result) in entry["results"].as_object().unwrap() {
            for item in result[name].as_array().unwrap() {
                let title = format!("{file}, {}, {producer}", entry["name"]);
                all.push((title, entry["input"].clone(), item.clone()));
            }
        }
    }
    all
}

#[test]
fn compact_datagrams_of_every_client_are_read() {
    let server = start();
    let packets = all("spans_compact", "packets");
    for (title, _, packet) in &packets {
        server.clear();
        send(
            &server,
            server.agent_address(),
            &unhex(packet["hex"].as_str().unwrap()),
        );
        check(&server, &packet["batch"], title);
    }
    assert_eq!(packets.len(), 292);
    assert_eq!(server.totals().undecodable, 0);
}

#[test]
fn binary_datagrams_of_every_client_are_read() {
    let server = start();
    let packets = all("spans_binary", "packets");
    for (title, _, packet) in &packets {
        server.clear();
        send(
            &server,
            server.binary_agent_address(),
            &unhex(packet["hex"].as_str().unwrap()),
        );
        check(&server, &packet["batch"], title);
    }
    assert_eq!(packets.len(), 170);
    assert_eq!(server.totals().undecodable, 0);
}

#[test]
fn reports_of_every_client_by_http_are_read() {
    let server = start();
    let address = server.collector_address();
    let mut read = 0;
    for (title, _, request) in all("spans_http", "requests") {
        let line = request["request_line"].as_str().unwrap();
        let path = line.split(' ').nth(1).unwrap();
        if path.split('?').next() != Some("/api/traces") {
            // Recorded at another path, to see how the client handles the answer.
            continue;
        }
        server.clear();
        let mut bytes = format!("{line}\r\nHost: {address}\r\nConnection: close\r\n").into_bytes();
        let mut is_chunked = false;
        for header in request["headers"].as_array().unwrap() {
            let (name, value) = (header[0].as_str().unwrap(), header[1].as_str().unwrap());
            is_chunked |= name.eq_ignore_ascii_case("transfer-encoding");
            if !name.eq_ignore_ascii_case("host") && !name.eq_ignore_ascii_case("connection") {
                bytes.extend_from_slice(format!("{name}: {value}\r\n").as_bytes());
            }
        }
        bytes.extend_from_slice(b"\r\n");
        let body = unhex(request["body_hex"].as_str().unwrap());
        if is_chunked {
            bytes.extend_from_slice(format!("{:x}\r\n", body.len()).as_bytes());
            bytes.extend_from_slice(&body);
            bytes.extend_from_slice(b"\r\n0\r\n\r\n");
        } else {
            bytes.extend_from_slice(&body);
        }
        let answer = exchange(address, &bytes);
        assert_eq!((answer.status, answer.text()), (202, ""), "{title}");
        read += 1;
        match request.get("batch") {
            Some(batch) => check(&server, batch, &title),
            // Entries that differ in the path alone have no batch: each sends one span.
            None => assert_eq!(server.traces()[0].spans.len(), 1, "{title}"),
        }
    }
    assert!(read >= 38, "{read}");
    assert_eq!(server.totals().undecodable, 0);
}

/// Checks that the server holds exactly the spans of `batch`.
fn check(server: &DevServer, batch: &Value, title: &str) {
    let mut traces: HashMap<_, _> = server
        .traces()
        .into_iter()
        .map(|trace| (trace.trace_id.to_bytes(), trace.spans.into_iter()))
        .collect();
    let process = &batch["process"];
    for span in list(&batch["spans"]) {
        let trace_id = id_of(span);
        let spans = traces.get_mut(&trace_id).expect(title);
        let received = spans.next().expect(title);
        assert_eq!(
            received.process.service_name,
            text(&process["serviceName"]),
            "{title}"
        );
        check_tags(&received.process.tags, &process["tags"], title);
        check_span(&received, span, title);
    }
    let left: usize = traces.values().map(ExactSizeIterator::len).sum();
    assert_eq!(left, 0, "{title}: more spans than were sent");
}

fn check_span(received: &ReceivedSpan, span: &Value, title: &str) {
    let number = |name: &str| span[name].as_i64().expect(title);
    let read = &received.span;
    assert_eq!(read.span_id.get() as i64, number("spanId"), "{title}");
    let parent = read.parent_id.map_or(0, |id| id.get() as i64);
    assert_eq!(parent, number("parentSpanId"), "{title}");
    assert_eq!(read.operation_name, text(&span["operationName"]), "{title}");
    assert_eq!(read.flags.bits(), number("flags") as u8, "{title}");
    assert_eq!(read.start.as_micros(), number("startTime"), "{title}");
    assert_eq!(
        read.duration.as_micros() as i64,
        number("duration"),
        "{title}"
    );
    check_tags(&read.tags, &span["tags"], title);
    let logs = list(&span["logs"]);
    assert_eq!(read.logs.len(), logs.len(), "{title}");
    for (read, log) in read.logs.iter().zip(logs) {
        assert_eq!(
            Some(read.timestamp.as_micros()),
            log["timestamp"].as_i64(),
            "{title}"
        );
        check_tags(&read.fields, &log["fields"], title);
    }
    let mut expected: Vec<_> = list(&span["references"])
        .iter()
        .map(|reference| {
            let kind = match reference["refType"].as_str() {
                Some("CHILD_OF") => ReferenceType::ChildOf,
                Some("FOLLOWS_FROM") => ReferenceType::FollowsFrom,
                other => panic!("{title}: {other:?}"),
            };
            (
                kind,
                id_of(reference),
                reference["spanId"].as_i64().expect(title),
            )
        })
        .collect();
    // As in a backend, a parent that no reference names becomes the first reference.
    if parent != 0
        && !expected
            .iter()
            .any(|(_, trace, id)| (*trace, *id) == (id_of(span), parent))
    {
        expected.insert(0, (ReferenceType::ChildOf, id_of(span), parent));
    }
    let references: Vec<_> = read
        .references
        .iter()
        .map(|known| {
            (
                known.kind,
                known.trace_id.to_bytes(),
                known.span_id.get() as i64,
            )
        })
        .collect();
    assert_eq!(references, expected, "{title}");
}

fn check_tags(read: &[Tag], expected: &Value, title: &str) {
    let expected = list(expected);
    assert_eq!(read.len(), expected.len(), "{title}");
    for (read, tag) in read.iter().zip(expected) {
        assert_eq!(read.key, text(&tag["key"]), "{title}");
        let title = format!("{title}, tag {}", read.key);
        match (&read.value, tag["vType"].as_str().expect(&title)) {
            (TagValue::String(value), "STRING") => {
                assert_eq!(*value, text(&tag["vStr"]), "{title}")
            }
            (TagValue::Bool(value), "BOOL") => assert_eq!(tag["vBool"], *value, "{title}"),
            (TagValue::Long(value), "LONG") => assert_eq!(tag["vLong"], *value, "{title}"),
            (TagValue::Double(value), "DOUBLE") => {
                let bits = format!("{:016x}", value.to_bits());
                match tag.get("vDouble_bits") {
                    Some(expected) => assert_eq!(*expected, bits, "{title}"),
                    None => assert_eq!(tag["vDouble"], *value, "{title}"),
                }
            }
            (TagValue::Binary(value), "BINARY") => {
                assert_eq!(*value, unhex(tag["vBinary"].as_str().unwrap()), "{title}");
            }
            (value, kind) => panic!("{title}: {kind} was read as {value:?}"),
        }
    }
}

/// Returns a list; an absent one is empty.
fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

/// Returns a text. One that was cut inside a character ends with U+FFFD.
fn text(value: &Value) -> String {
    match value.get("bytes_hex") {
        Some(hex) => String::from_utf8_lossy(&unhex(hex.as_str().unwrap())).into_owned(),
        None => value.as_str().unwrap().to_owned(),
    }
}

fn id_of(value: &Value) -> [u8; 16] {
    let half = |name: &str| value[name].as_i64().unwrap() as u64;
    let (high, low) = (half("traceIdHigh"), half("traceIdLow"));
    (u128::from(high) << 64 | u128::from(low)).to_be_bytes()
}
