//! Proves every entry of the tables of expected differences by a span sent to the real backend.

mod encode;

use std::{
    collections::BTreeSet,
    error::Error,
    io::{Read as _, Write as _},
    net::{Ipv4Addr, TcpStream, UdpSocket},
};

use tracehound_interop::{
    Backend, Log, Reference, ReferenceKind, SentBatch, SentSpan, Tag, Value, Version, Way,
};

type Result = std::result::Result<(), Box<dyn Error>>;

#[test]
fn v1_differs_by_udp_exactly_as_its_table_says() -> Result {
    differs_as_its_table_says(Version::V1, Way::Agent)
}

#[test]
fn v1_differs_by_http_exactly_as_its_table_says() -> Result {
    differs_as_its_table_says(Version::V1, Way::Thrift)
}

#[test]
fn v2_differs_by_udp_exactly_as_its_table_says() -> Result {
    differs_as_its_table_says(Version::V2, Way::Agent)
}

#[test]
fn v2_differs_by_http_exactly_as_its_table_says() -> Result {
    differs_as_its_table_says(Version::V2, Way::Thrift)
}

#[test]
fn an_empty_binary_value_is_null_in_the_answer_of_both() -> Result {
    for version in [Version::V1, Version::V2] {
        let Some(jaeger) = Backend::start_or_skip(version)? else {
            return Ok(());
        };
        let batch = SentBatch {
            service: "empty".to_owned(),
            spans: vec![with_tags(vec![Tag::new("no bytes", Vec::new())])],
            ..SentBatch::default()
        };
        let batch = in_trace(&batch, 1);
        send(&jaeger, Protocol::Compact, &batch)?;
        jaeger.trace(1, 1)?;
        let mut stream = TcpStream::connect(jaeger.endpoints().query_http)?;
        stream.write_all(b"GET /api/traces/1?raw=true HTTP/1.0\r\n\r\n")?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        answer.retain(|c| !c.is_whitespace());
        let null = r#"{"key":"nobytes","type":"binary","value":null}"#;
        assert!(answer.contains(null), "{version}: {answer}");
    }
    Ok(())
}

fn differs_as_its_table_says(version: Version, way: Way) -> Result {
    let Some(jaeger) = Backend::start_or_skip(version)? else {
        return Ok(());
    };
    let route = way.to(version);
    // Both protocols by UDP carry every batch, each time in a trace of its own.
    let protocols: &[Protocol] = match way {
        Way::Agent => &[Protocol::Compact, Protocol::Binary],
        _ => &[Protocol::Http],
    };
    let mut shown = BTreeSet::new();
    let mut mismatches = Vec::new();
    let mut trace = 0;
    for (batch, protocol) in batches()
        .iter()
        .flat_map(|batch| protocols.iter().map(move |protocol| (batch, *protocol)))
    {
        trace += 1;
        let batch = in_trace(batch, trace);
        send(&jaeger, protocol, &batch)?;
        let expected = route.expected(&batch);
        let mut read = jaeger.trace(trace, expected.spans.len())?;
        shown.extend(read.spans.iter_mut().flat_map(|span| route.normalise(span)));
        mismatches.extend(route.compare(&expected.spans, &read.spans));
        shown.extend(expected.differences);
    }
    let mismatches: Vec<String> = mismatches.iter().map(ToString::to_string).collect();
    assert!(mismatches.is_empty(), "{route}:\n{}", mismatches.join("\n"));
    let table = route
        .differences()
        .iter()
        .map(|difference| difference.name)
        .collect();
    assert_eq!(
        shown, table,
        "{route}: the entries shown by some span, and the table"
    );
    Ok(())
}

#[derive(Clone, Copy)]
enum Protocol {
    Compact,
    Binary,
    Http,
}

fn send(jaeger: &Backend, protocol: Protocol, batch: &SentBatch) -> Result {
    let (datagram, to) = match protocol {
        Protocol::Compact => (encode::compact(batch)?, jaeger.compact_addr()),
        Protocol::Binary => (encode::binary(batch)?, jaeger.binary_addr()),
        Protocol::Http => {
            let at = jaeger.endpoints().collector_http;
            let body = encode::binary_batch(batch)?;
            let status = jaeger.post(at, "/api/traces", "application/x-thrift", &body)?;
            assert_eq!(status, 202);
            return Ok(());
        }
    };
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
    socket.send_to(&datagram, to)?;
    Ok(())
}

/// Returns batches that no published client was recorded sending, or that tell two rules apart.
fn batches() -> Vec<SentBatch> {
    vec![
        SentBatch {
            service: "tags".to_owned(),
            process_tags: vec![
                Tag::new("jaeger.version", "Rust-1"),
                Tag::new("hostname", "h"),
                Tag::new("z", 1),
                Tag::new("a", true),
                Tag::new("z", "again"),
                Tag::new("text", Value::NotUtf8(b"\xff\xfeab".to_vec())),
            ],
            spans: tag_lists().into_iter().map(with_tags).collect(),
        },
        SentBatch {
            service: "renamed already".to_owned(),
            process_tags: vec![
                Tag::new("host.name", "h"),
                Tag::new("hostname", "i"),
                Tag::new("opencensus.exporterversion", "x"),
                Tag::new("jaeger.version", "y"),
                Tag::new("service.name", "another name"),
            ],
            spans: vec![SentSpan::default()],
        },
        SentBatch {
            service: String::new(),
            process_tags: Vec::new(),
            spans: vec![SentSpan::default()],
        },
        SentBatch {
            service: "spans".to_owned(),
            process_tags: Vec::new(),
            spans: [flagged(), reference_lists(), vec![with_logs()], durations()].concat(),
        },
        SentBatch {
            service: "times".to_owned(),
            process_tags: Vec::new(),
            spans: [0, LATEST_US].map(at).into(),
        },
    ]
}

fn tag_lists() -> Vec<Vec<Tag>> {
    let kind = |kind: &str| Tag::new("span.kind", kind);
    let http = |code| Tag::new("http.status_code", code);
    let mut lists = vec![
        vec![Tag::new("b", 1), Tag::new("a", 2), Tag::new("b", "3")],
        vec![Tag::new(
            "text",
            Value::NotUtf8(vec![b'a', 0xc3, b'b', 0xff]),
        )],
        vec![
            Tag::new("empty", Vec::new()),
            Tag::new("", "no key"),
            Tag::new("no text", ""),
        ],
        vec![
            Tag::new("long", i64::MIN),
            Tag::new("largest exact", (1_i64 << 53) - 1),
        ],
        vec![
            Tag::new("minus zero", -0.0),
            Tag::new("tiny", f64::from_bits(1)),
            Tag::new("whole", 1e15),
        ],
        vec![
            Tag::new("error", true),
            Tag::new("http.status_message", "gone"),
        ],
        vec![
            Tag::new("error", true),
            Tag::new("otel.status_description", "gone"),
        ],
        vec![
            Tag::new("error", true),
            Tag::new("otel.status_code", "OK"),
            http(200),
        ],
        vec![Tag::new("error", false), http(500)],
        vec![Tag::new("error", "true")],
        vec![Tag::new("error", 1)],
        vec![
            Tag::new("otel.status_code", "ok"),
            Tag::new("otel.status_description", "fine"),
        ],
        vec![Tag::new("otel.status_code", "Error"), http(200)],
        vec![Tag::new("otel.status_code", "neither"), http(500)],
        vec![
            Tag::new("http.status_code", "503"),
            Tag::new("http.status_message", "busy"),
        ],
        vec![Tag::new("http.status_code", "many")],
        vec![Tag::new("http.status_code", 503.0)],
    ];
    lists.extend([99, 100, 200, 304, 398, 399, 404, 500, 599].map(|code| vec![http(code)]));
    lists.extend(["client", "server", "producer", "internal"].map(|it| vec![kind(it), http(404)]));
    lists.extend(["consumer", "server"].map(|it| vec![kind(it), http(500)]));
    lists.extend(["SERVER", "broker", ""].map(|it| vec![kind(it)]));
    lists.push(vec![Tag::new("span.kind", 1)]);
    let warnings = |value: Value| vec![Tag::new("@jaeger@warnings", value), Tag::new("a", 1)];
    lists.extend([
        warnings("made up".into()),
        warnings("".into()),
        warnings(true.into()),
        warnings((-7).into()),
        warnings(vec![0, 255].into()),
        warnings(Vec::new().into()),
        [warnings("first".into()), warnings("last".into())].concat(),
    ]);
    // Other places where Jaeger has keys of its own.
    lists.push(vec![
        Tag::new("@jaeger@format", "none"),
        Tag::new("@jaeger@hash", 1),
    ]);
    lists
}

fn with_tags(tags: Vec<Tag>) -> SentSpan {
    SentSpan {
        tags,
        ..SentSpan::default()
    }
}

fn flagged() -> Vec<SentSpan> {
    [0, 1, 3, 1 << 31]
        .map(|flags| SentSpan {
            flags,
            ..SentSpan::default()
        })
        .into()
}

/// Trace id 0 stands for the span's own trace.
fn reference_lists() -> Vec<SentSpan> {
    let child_of = |trace_id, span_id| Reference {
        kind: ReferenceKind::ChildOf,
        trace_id,
        span_id,
    };
    let follows = |trace_id, span_id| Reference {
        kind: ReferenceKind::FollowsFrom,
        trace_id,
        span_id,
    };
    const OTHER: u128 = (7 << 64) | 9;
    [
        (0xa, vec![]),
        (0xa, vec![child_of(0, 0xa)]),
        (0xa, vec![follows(0, 0xa)]),
        (0xa, vec![follows(0, 0xb), child_of(0, 0xa)]),
        (
            0xa,
            vec![child_of(0, 0xb), follows(0, 0xc), child_of(OTHER, 0xa)],
        ),
        (0xa, vec![follows(OTHER, 0xa)]),
        (0, vec![child_of(0, 0xb)]),
        (0, vec![follows(0, 0xb)]),
        (0, vec![follows(0, 0xb), child_of(0, 0xc), child_of(0, 0xd)]),
        (0, vec![child_of(OTHER, 0xb), follows(OTHER, 0xc)]),
    ]
    .map(|(parent_span_id, references)| SentSpan {
        parent_span_id,
        references,
        ..SentSpan::default()
    })
    .into()
}

fn with_logs() -> SentSpan {
    let log = |timestamp_us, fields| Log {
        timestamp_us,
        fields,
    };
    let logs = vec![
        log(
            2_000_000,
            vec![
                Tag::new("z", 1),
                Tag::new("event", "late"),
                Tag::new("a", 2),
            ],
        ),
        log(
            1_000_000,
            vec![Tag::new("event", "early"), Tag::new("event", "twice")],
        ),
        log(1_000_001, vec![Tag::new("event", 5)]),
        log(
            1_000_002,
            vec![
                Tag::new("event", ""),
                Tag::new("text", Value::NotUtf8(vec![0x80])),
            ],
        ),
        log(1_000_003, vec![]),
    ];
    SentSpan {
        logs,
        ..SentSpan::default()
    }
}

/// The latest time that the library sends: a microsecond of February 2116.
const LATEST_US: i64 = i64::MAX / 2 / 1_000;

/// Returns a span at that time, with logs at that time, at the first and at the last one.
fn at(start_us: i64) -> SentSpan {
    let logs = [start_us, 0, LATEST_US].map(|timestamp_us| Log {
        timestamp_us,
        fields: vec![Tag::new("event", "at")],
    });
    SentSpan {
        start_us,
        logs: logs.into(),
        ..SentSpan::default()
    }
}

fn durations() -> Vec<SentSpan> {
    [0, 1, 3_600_000_000]
        .map(|duration_us| SentSpan {
            duration_us,
            ..SentSpan::default()
        })
        .into()
}

/// Returns the batch as spans of that trace, with different ids and times.
fn in_trace(batch: &SentBatch, trace_id: u128) -> SentBatch {
    let mut batch = batch.clone();
    for (i, span) in batch.spans.iter_mut().enumerate() {
        span.trace_id = trace_id;
        span.span_id = 0x100 + i as u64;
        span.operation = format!("span {i}");
        if batch.service != "times" {
            span.start_us = 1_500_000_000_000_000;
        }
        if batch.service != "spans" {
            span.duration_us = 1_000;
        }
        for reference in &mut span.references {
            if reference.trace_id == 0 {
                reference.trace_id = trace_id;
            }
        }
    }
    batch
}
