//! The recorded datagrams and requests of `tests/vectors/`, each with its decoded content.

use std::{fs, io, path::Path};

use serde_json::Value as Json;
use tracehound_interop::{Error, Log, Reference, ReferenceKind, SentBatch, SentSpan, Tag, Value};

/// A datagram that a published client sent, or the body of a request.
pub(crate) struct Vector {
    /// The entry's name, `tags/longs`.
    pub(crate) name: String,
    /// The client, with its version.
    pub(crate) producer: String,
    /// The bytes as they came from its socket.
    pub(crate) message: Vec<u8>,
    /// The batch in these bytes, decoded by another Thrift implementation.
    pub(crate) batch: SentBatch,
}

/// Returns the entries of `file`.
pub(crate) fn entries(file: &str) -> Result<Vec<Json>, Error> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../tests/vectors")
        .join(file);
    let text = fs::read_to_string(&path).map_err(|source| Error::Io {
        doing: format!("reading {}", path.display()),
        source,
    })?;
    let json: Json = serde_json::from_str(&text).map_err(|error| shape(file, &error))?;
    Ok(list(&json["entries"]).to_vec())
}

/// Returns every message in `file` that has spans, in its order.
pub(crate) fn read(file: &str) -> Result<Vec<Vector>, Error> {
    let mut vectors = Vec::new();
    for entry in entries(file)? {
        let name = text_of(&entry["name"])?;
        for (producer, result) in entry["results"].as_object().into_iter().flatten() {
            let packets = list(&result["packets"]).iter().map(|it| (it, "hex"));
            let requests = list(&result["requests"]).iter().map(|it| (it, "body_hex"));
            // Where only the path of a request varies there is no batch.
            let with_batch = packets
                .chain(requests)
                .filter(|(message, _)| message["batch"].is_object());
            for (message, hex) in with_batch {
                vectors.push(Vector {
                    name: name.clone(),
                    producer: producer.clone(),
                    message: bytes(&message[hex])?,
                    batch: batch(&message["batch"])?,
                });
            }
        }
    }
    Ok(vectors)
}

fn batch(json: &Json) -> Result<SentBatch, Error> {
    Ok(SentBatch {
        service: text_of(&json["process"]["serviceName"])?,
        process_tags: tags(&json["process"]["tags"])?,
        spans: list(&json["spans"])
            .iter()
            .map(span)
            .collect::<Result<_, _>>()?,
    })
}

fn span(json: &Json) -> Result<SentSpan, Error> {
    Ok(SentSpan {
        trace_id: trace_id(json)?,
        span_id: integer(&json["spanId"])? as u64,
        parent_span_id: integer(&json["parentSpanId"])? as u64,
        references: list(&json["references"])
            .iter()
            .map(reference)
            .collect::<Result<_, _>>()?,
        operation: text_of(&json["operationName"])?,
        flags: integer(&json["flags"])? as u32,
        start_us: integer(&json["startTime"])?,
        duration_us: integer(&json["duration"])?,
        tags: tags(&json["tags"])?,
        logs: list(&json["logs"])
            .iter()
            .map(log)
            .collect::<Result<_, _>>()?,
    })
}

fn reference(json: &Json) -> Result<Reference, Error> {
    let kind = match json["refType"].as_str() {
        Some("CHILD_OF") => ReferenceKind::ChildOf,
        Some("FOLLOWS_FROM") => ReferenceKind::FollowsFrom,
        _ => return Err(shape("refType", json)),
    };
    Ok(Reference {
        kind,
        trace_id: trace_id(json)?,
        span_id: integer(&json["spanId"])? as u64,
    })
}

fn log(json: &Json) -> Result<Log, Error> {
    Ok(Log {
        timestamp_us: integer(&json["timestamp"])?,
        fields: tags(&json["fields"])?,
    })
}

fn tags(json: &Json) -> Result<Vec<Tag>, Error> {
    list(json)
        .iter()
        .map(|json| {
            Ok(Tag {
                key: text_of(&json["key"])?,
                value: value(json)?,
            })
        })
        .collect()
}

/// Reads the field that `vType` names; some clients fill in all of them.
fn value(json: &Json) -> Result<Value, Error> {
    Ok(match json["vType"].as_str() {
        Some("STRING") => match &json["vStr"]["bytes_hex"] {
            Json::Null => Value::String(text_of(&json["vStr"])?),
            hex => Value::NotUtf8(bytes(hex)?),
        },
        Some("BOOL") => Value::Bool(
            json["vBool"]
                .as_bool()
                .ok_or_else(|| shape("vBool", json))?,
        ),
        Some("LONG") => Value::Long(integer(&json["vLong"])?),
        Some("DOUBLE") => Value::Double(f64::from_bits(
            u64::from_str_radix(&text_of(&json["vDouble_bits"])?, 16)
                .map_err(|error| shape("vDouble_bits", &error))?,
        )),
        Some("BINARY") => Value::Binary(bytes(&json["vBinary"])?),
        _ => return Err(shape("vType", json)),
    })
}

/// Each half is a signed number on the wire.
fn trace_id(json: &Json) -> Result<u128, Error> {
    let (high, low) = (
        integer(&json["traceIdHigh"])? as u64,
        integer(&json["traceIdLow"])? as u64,
    );
    Ok(u128::from(high) << 64 | u128::from(low))
}

/// Reads a list; a missing one is empty.
fn list(json: &Json) -> &[Json] {
    json.as_array().map_or(&[], Vec::as_slice)
}

fn integer(json: &Json) -> Result<i64, Error> {
    json.as_i64().ok_or_else(|| shape("an integer", json))
}

fn text_of(json: &Json) -> Result<String, Error> {
    json.as_str()
        .map(str::to_owned)
        .ok_or_else(|| shape("a text", json))
}

pub(crate) fn bytes(json: &Json) -> Result<Vec<u8>, Error> {
    let hex = json.as_str().unwrap_or("?").as_bytes();
    hex.chunks(2)
        .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok())
        .collect::<Option<_>>()
        .ok_or_else(|| shape("hex digits", json))
}

fn shape(at: &str, found: &impl ToString) -> Error {
    Error::Io {
        doing: format!("reading vectors: {at}"),
        source: io::Error::other(found.to_string()),
    }
}
