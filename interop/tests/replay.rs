//! Datagrams and requests that published clients were recorded sending are sent again to real backends
//! and read back.
//!
//! Each client has its own backend, because the recordings repeat ids. The spans that are read are
//! compared as a whole with those that were sent, in any order.

mod vectors;

use std::{
    collections::{BTreeMap, BTreeSet},
    net::{Ipv4Addr, SocketAddr, UdpSocket},
};

use serde_json::Value as Json;
use tracehound_interop::{
    Backend, Endpoints, Error, Received, SentSpan, StoredSpan, Value, Version, Way,
};
use vectors::Vector;

#[test]
fn v1_shows_the_compact_recordings_as_they_were_sent() -> Result<(), Error> {
    replay(Version::V1, &COMPACT)
}

#[test]
fn v1_shows_the_binary_recordings_as_they_were_sent() -> Result<(), Error> {
    replay(Version::V1, &BINARY)
}

#[test]
fn v1_shows_the_recordings_over_http_as_they_were_sent() -> Result<(), Error> {
    replay(Version::V1, &HTTP)
}

#[test]
fn v2_shows_the_compact_recordings_as_they_were_sent() -> Result<(), Error> {
    replay(Version::V2, &COMPACT)
}

#[test]
fn v2_shows_the_binary_recordings_as_they_were_sent() -> Result<(), Error> {
    replay(Version::V2, &BINARY)
}

#[test]
fn v2_shows_the_recordings_over_http_as_they_were_sent() -> Result<(), Error> {
    replay(Version::V2, &HTTP)
}

/// A file of recordings.
struct Recording {
    file: &'static str,
    way: Way,
    to: fn(&Endpoints) -> SocketAddr,
    /// The entries with doubles that are infinite or not a number. A backend answers 500 for a trace
    /// with such a span, so they are sent last, and compared as far as the newer API shows them.
    unreadable: &'static [&'static str],
}

const COMPACT: Recording = Recording {
    file: "spans_compact.json",
    way: Way::Agent,
    to: |at| at.compact,
    unreadable: &["tags/doubles"],
};

const BINARY: Recording = Recording {
    file: "spans_binary.json",
    way: Way::Agent,
    to: |at| at.binary,
    unreadable: &["tags/doubles"],
};

const HTTP: Recording = Recording {
    file: "spans_http.json",
    way: Way::Thrift,
    to: |at| at.collector_http,
    unreadable: &[],
};

fn replay(version: Version, recording: &Recording) -> Result<(), Error> {
    let file = recording.file;
    let vectors = vectors::read(file)?;
    let producers: BTreeSet<&str> = vectors
        .iter()
        .map(|vector| vector.producer.as_str())
        .collect();
    assert!(
        producers.len() > 2,
        "{file} has the recordings of {producers:?} only"
    );
    for producer in producers {
        let Some(jaeger) = Backend::start_or_skip(version)? else {
            return Ok(());
        };
        let (unreadable, readable): (Vec<_>, Vec<_>) = vectors
            .iter()
            .filter(|vector| vector.producer == producer)
            .partition(|vector| vector.batch.is_unreadable());
        let mut sender = Sender::new(&jaeger, recording)?;
        sender.send(&readable)?;
        shows_as_sent(&jaeger, recording.way, producer, &readable)?;
        let names: Vec<&str> = unreadable
            .iter()
            .map(|vector| vector.name.as_str())
            .collect();
        assert_eq!(
            names, recording.unreadable,
            "{producer}: entries with doubles that JSON does not have"
        );
        sender.send(&unreadable)?;
        for vector in unreadable {
            shows_doubles(&jaeger, producer, &readable, &vector.batch.spans[0])?;
        }
    }
    Ok(())
}

struct Sender<'a> {
    jaeger: &'a Backend,
    way: Way,
    to: SocketAddr,
    socket: UdpSocket,
    spans: u64,
}

impl<'a> Sender<'a> {
    fn new(jaeger: &'a Backend, recording: &Recording) -> Result<Self, Error> {
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0));
        let socket = socket.map_err(|source| Error::Io {
            doing: "opening a socket".to_owned(),
            source,
        })?;
        Ok(Self {
            jaeger,
            way: recording.way,
            to: (recording.to)(jaeger.endpoints()),
            socket,
            spans: 0,
        })
    }

    /// Sends one message at a time, because a receive buffer may hold only a few of the large ones.
    fn send(&mut self, vectors: &[&Vector]) -> Result<(), Error> {
        for vector in vectors {
            let at = format!("{} of {}", vector.name, vector.producer);
            self.send_one(&vector.message, &at)?;
            self.spans += vector.batch.spans.len() as u64;
            let enough = |received: &Received| received.spans >= self.spans;
            let received = self.jaeger.received_by_when(self.way, enough)?;
            assert_eq!(received.spans, self.spans, "after {at}");
            assert_eq!(
                received.handler_errors.unwrap_or(0),
                0,
                "{received:?} after {at}"
            );
        }
        Ok(())
    }

    fn send_one(&self, message: &[u8], at: &str) -> Result<(), Error> {
        if self.way == Way::Agent {
            let sent = self.socket.send_to(message, self.to);
            return sent.map(drop).map_err(|source| Error::Io {
                doing: format!("sending {at}"),
                source,
            });
        }
        let status = self
            .jaeger
            .post(self.to, "/api/traces", "application/x-thrift", message)?;
        assert_eq!(status, 202, "{at}");
        Ok(())
    }
}

fn shows_as_sent(
    jaeger: &Backend,
    way: Way,
    producer: &str,
    sent: &[&Vector],
) -> Result<(), Error> {
    let route = way.to(jaeger.version());
    let mut traces: BTreeMap<u128, (Vec<&str>, Vec<StoredSpan>)> = BTreeMap::new();
    for vector in sent {
        for span in route.expected(&vector.batch).spans {
            let (names, spans) = traces.entry(span.trace_id).or_default();
            names.push(&vector.name);
            spans.push(span);
        }
    }
    let mut mismatches = Vec::new();
    for (trace_id, (names, expected)) in traces {
        let read = jaeger.trace(trace_id, expected.len())?;
        for mismatch in route.compare(&expected, &read.spans) {
            let name = mismatch.expected_index().map_or("no entry", |i| names[i]);
            mismatches.push(format!("{name}: {mismatch}"));
        }
    }
    assert!(
        mismatches.is_empty(),
        "{route}, {producer}:\n{}",
        mismatches.join("\n")
    );
    Ok(())
}

fn shows_doubles(
    jaeger: &Backend,
    producer: &str,
    before: &[&Vector],
    sent: &SentSpan,
) -> Result<(), Error> {
    let others = before.iter().flat_map(|vector| &vector.batch.spans);
    let others = others.filter(|span| span.trace_id == sent.trace_id).count();
    let answer = jaeger.trace(sent.trace_id, others + 1);
    let is_refused = |reason: &str| reason.contains("json: unsupported value");
    assert!(
        matches!(&answer, Err(Error::Http { reason, .. }) if is_refused(reason)),
        "{producer}: {answer:?}",
    );
    let trace = jaeger.trace_v3_now(sent.trace_id)?.unwrap_or(Json::Null);
    let spans: Vec<&Json> = list(&trace["result"]["resourceSpans"])
        .flat_map(|resource| list(&resource["scopeSpans"]))
        .flat_map(|scope| list(&scope["spans"]))
        .filter(|span| {
            sent.tags
                .iter()
                .all(|tag| attribute(span, &tag.key).is_some())
        })
        .collect();
    assert_eq!(
        spans.len(),
        1,
        "{producer}: spans with the doubles: {spans:#?}"
    );
    for tag in &sent.tags {
        let shown = attribute(spans[0], &tag.key).and_then(|value| double(&value["doubleValue"]));
        let Value::Double(sent) = tag.value else {
            continue;
        };
        let is_same = shown.is_some_and(|shown| shown == sent || (shown.is_nan() && sent.is_nan()));
        assert!(
            is_same,
            "{producer}: {} was sent as {sent}, read as {shown:?}",
            tag.key
        );
    }
    Ok(())
}

fn attribute<'a>(span: &'a Json, key: &str) -> Option<&'a Json> {
    list(&span["attributes"])
        .find(|it| it["key"] == key)
        .map(|it| &it["value"])
}

/// Infinities and NaN are text in OTLP's JSON.
fn double(json: &Json) -> Option<f64> {
    json.as_f64().or_else(|| json.as_str()?.parse().ok())
}

fn list(json: &Json) -> impl Iterator<Item = &Json> {
    json.as_array().into_iter().flatten()
}
