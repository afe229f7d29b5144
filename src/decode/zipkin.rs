use std::collections::HashMap;
use std::time::Duration;

use serde_json::{Map, Value as Json};

use crate::decode::Reason;
use crate::decode::ReceivedBatch;
use crate::model::{
    Flags, LogRecord, Process, ReferenceType, ReportedReference, SpanId, Tag, TagValue, Timestamp,
    TraceId, tags,
};
use crate::reporter::OwnedSpan;
use crate::reporter::sender::BatchFormat;

/// Reads a list of spans in the JSON of Zipkin's second version. Spans of one service are a batch.
///
/// Fields of Zipkin become tags as in Jaeger: the kind is the tag `span.kind`, the remote endpoint is
/// `peer.service`, `peer.ipv4`, `peer.ipv6` and `peer.port`, and an annotation is a log. All other values are text.
pub(crate) fn zipkin_list(bytes: &[u8]) -> Result<Vec<ReceivedBatch>, Reason> {
    let list: Vec<Json> = serde_json::from_slice(bytes).map_err(|error| error.to_string())?;
    let mut services = Vec::<(&str, Vec<OwnedSpan>)>::new();
    let mut places = HashMap::new();
    for json in &list {
        let json = json.as_object().ok_or("a span is no object")?;
        let service = field(json, "localEndpoint")
            .and_then(|endpoint| endpoint["serviceName"].as_str())
            .unwrap_or_default();
        let span = span(json)?;
        let place = *places.entry(service).or_insert_with(|| {
            services.push((service, Vec::new()));
            services.len() - 1
        });
        services[place].1.push(span);
    }
    Ok(services
        .into_iter()
        .map(|(service, spans)| {
            let process = Process::new(service.to_owned(), Vec::new());
            ReceivedBatch::new(BatchFormat::ZipkinJson, process, spans)
        })
        .collect())
}

fn span(json: &Map<String, Json>) -> Result<OwnedSpan, Reason> {
    let trace_id: TraceId = id(json, "traceId")?.ok_or("a span has no traceId")?;
    let span_id: SpanId = id(json, "id")?.ok_or("a span has no id")?;
    let name = field(json, "name").and_then(Json::as_str);
    let mut span = OwnedSpan::new(trace_id, span_id, name.unwrap_or_default());
    span.parent_id = id(json, "parentId")?;
    if let Some(parent_id) = span.parent_id {
        let kind = ReferenceType::ChildOf;
        let parent = ReportedReference::new(kind, trace_id, parent_id);
        span.references.push(parent);
    }
    span.start = timestamp(field(json, "timestamp"));
    let duration = field(json, "duration").and_then(Json::as_u64);
    span.duration = Duration::from_micros(duration.unwrap_or_default());
    if field(json, "debug") == Some(&Json::Bool(true)) {
        span.flags = Flags::SAMPLED.with(Flags::DEBUG);
    }
    if let Some(kind) = field(json, "kind").and_then(Json::as_str) {
        let kind = kind.to_ascii_lowercase();
        span.tags.push(Tag::new(tags::SPAN_KIND, kind));
    }
    if let Some(endpoint) = field(json, "remoteEndpoint") {
        span.tags.extend(peer(endpoint));
    }
    let list = field(json, "tags").and_then(Json::as_object);
    for (key, value) in list.into_iter().flatten() {
        let value = value.as_str().ok_or("the value of a tag is no text")?;
        span.tags.push(Tag::new(key.clone(), value.to_owned()));
    }
    let list = field(json, "annotations").and_then(Json::as_array);
    span.logs.extend(list.into_iter().flatten().map(log));
    Ok(span)
}

fn peer(endpoint: &Json) -> impl Iterator<Item = Tag> {
    let texts = [
        (tags::PEER_SERVICE, "serviceName"),
        (tags::PEER_IPV4, "ipv4"),
        (tags::PEER_IPV6, "ipv6"),
    ];
    let texts = texts.into_iter().filter_map(|(key, name)| {
        let text = endpoint[name].as_str()?;
        Some(Tag::new(key, text.to_owned()))
    });
    let port = endpoint["port"].as_i64();
    texts.chain(port.map(|port| Tag::new(tags::PEER_PORT, port)))
}

/// Reads an annotation: the JSON of its fields, or the name of an event.
fn log(annotation: &Json) -> LogRecord {
    let text = annotation["value"].as_str().unwrap_or_default();
    let fields = match serde_json::from_str(text) {
        Ok(Json::Object(fields)) => fields
            .into_iter()
            .map(|(key, value)| Tag::new(key, tag_value(value)))
            .collect(),
        _ => vec![Tag::new(tags::EVENT, text.to_owned())],
    };
    LogRecord::new(timestamp(annotation.get("timestamp")), fields)
}

fn tag_value(json: Json) -> TagValue {
    match json {
        Json::String(text) => text.into(),
        Json::Bool(value) => value.into(),
        Json::Number(number) => match (number.as_i64(), number.as_f64()) {
            (Some(long), _) => long.into(),
            (None, Some(double)) => double.into(),
            (None, None) => number.to_string().into(),
        },
        other => other.to_string().into(),
    }
}

/// Returns a field. One that is null counts as absent.
fn field<'a>(json: &'a Map<String, Json>, key: &str) -> Option<&'a Json> {
    json.get(key).filter(|value| !value.is_null())
}

fn id<T: std::str::FromStr>(json: &Map<String, Json>, key: &str) -> Result<Option<T>, Reason> {
    let Some(id) = field(json, key) else {
        return Ok(None);
    };
    match id.as_str().map(str::parse) {
        Some(Ok(id)) => Ok(Some(id)),
        _ => Err(format!("{key} is not an id in hex: {id}")),
    }
}

fn timestamp(micros: Option<&Json>) -> Timestamp {
    Timestamp::from_micros(micros.and_then(Json::as_i64).unwrap_or_default())
}
