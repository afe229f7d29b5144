//! Zipkin's JSON, read by `serde_json`.

use serde_json::{Map, Value as Json, json};
use tracehound::model::{LogRecord, Process, Tag, TagValue, tags};
use tracehound::reporter::OwnedSpan;
use tracehound::reporter::sender::BatchFormat;

use super::{bare_span, for_each_batch, id, message, process, rich_span, sent, text};

fn decode(bytes: &[u8]) -> Vec<Json> {
    let list: Json = serde_json::from_slice(bytes).expect("JSON");
    list.as_array().expect("a list").clone()
}

fn decode_one(span: &OwnedSpan) -> Json {
    let spans = std::slice::from_ref(span);
    decode(&message(BatchFormat::ZipkinJson, process(), spans)).remove(0)
}

pub(super) fn span_ids(bytes: &[u8]) -> Vec<u64> {
    let id = |span: &Json| u64::from_str_radix(span["id"].as_str().unwrap(), 16).unwrap();
    decode(bytes).iter().map(id).collect()
}

#[test]
fn spans_arrive_as_the_mapping_says() {
    for_each_batch(|process, spans| {
        let read = decode(&message(BatchFormat::ZipkinJson, process.clone(), spans));
        assert_eq!(read.len(), spans.len());
        for (read, span) in read.iter().zip(spans) {
            assert_eq!(*read, expected(process, span), "{span:?}");
        }
    });
}

fn expected(process: &Process, span: &OwnedSpan) -> Json {
    let mut json = Map::new();
    let mut set = |key: &str, value: Json| json.insert(key.to_owned(), value);
    set("traceId", span.trace_id.to_string().into());
    set("id", span.span_id.to_string().into());
    if let Some(parent_id) = span.parent_id.filter(|id| *id != span.span_id) {
        set("parentId", parent_id.to_string().into());
    }
    set("name", span.operation_name.clone().into());
    if span.start.as_micros() > 0 {
        set("timestamp", span.start.as_micros().into());
    }
    set("duration", (span.duration.as_micros() as u64).into());
    set("localEndpoint", local_endpoint(process));
    let kind = text(span, tags::SPAN_KIND)
        .filter(|kind| ["client", "server", "producer", "consumer"].contains(kind));
    if let Some(kind) = kind {
        set("kind", kind.to_uppercase().into());
    }
    let remote = remote_endpoint(span, kind);
    if !remote.is_empty() {
        set("remoteEndpoint", remote.into());
    }
    let tags = expected_tags(process, span, kind);
    if !tags.is_empty() {
        set("tags", tags.into());
    }
    if !span.logs.is_empty() {
        set("annotations", span.logs.iter().map(annotation).collect());
    }
    if span.flags.is_debug() {
        set("debug", true.into());
    }
    json.into()
}

fn local_endpoint(process: &Process) -> Json {
    let mut endpoint = json!({ "serviceName": process.service_name });
    if let Some(ip) = ip_tag(process) {
        let key = if ip.contains(':') { "ipv6" } else { "ipv4" };
        endpoint[key] = ip.into();
    }
    endpoint
}

fn ip_tag(process: &Process) -> Option<String> {
    let tag = process.tags.iter().find(|tag| tag.key == tags::IP)?;
    let ip: std::net::IpAddr = tag.value.to_string().parse().ok()?;
    Some(ip.to_string())
}

fn remote_endpoint(span: &OwnedSpan, kind: Option<&str>) -> Map<String, Json> {
    let mut endpoint = Map::new();
    let is_caller = matches!(kind, Some("client" | "producer"));
    let fallback = || text(span, tags::PEER_HOSTNAME).or_else(|| text(span, tags::PEER_ADDRESS));
    let name = text(span, tags::PEER_SERVICE).or_else(|| fallback().filter(|_| is_caller));
    if let Some(name) = name {
        endpoint.insert("serviceName".to_owned(), name.into());
    }
    let ips = span.tags.iter().filter_map(|tag| {
        let is_ip = tag.key == tags::PEER_IPV4 || tag.key == tags::PEER_IPV6;
        let is_text = matches!(tag.value, TagValue::String(_));
        (is_ip && is_text).then(|| tag.value.to_string())
    });
    for ip in ips {
        match ip.parse() {
            Ok(std::net::IpAddr::V4(_)) => endpoint.insert("ipv4".to_owned(), ip.into()),
            Ok(std::net::IpAddr::V6(_)) => endpoint.insert("ipv6".to_owned(), ip.into()),
            Err(_) => None,
        };
    }
    let port = span.tags.iter().find(|tag| tag.key == tags::PEER_PORT);
    if let Some(port) = port.and_then(|tag| tag.value.to_string().parse::<u16>().ok()) {
        endpoint.insert("port".to_owned(), port.into());
    }
    endpoint
}

fn expected_tags(process: &Process, span: &OwnedSpan, kind: Option<&str>) -> Map<String, Json> {
    let mut all = Map::new();
    for tag in &span.tags {
        let is_told = tag.key == tags::SPAN_KIND && kind.is_some();
        let is_success = tag.key == tags::ERROR && tag.value.to_string() == "false";
        if !is_told && !is_success {
            all.insert(tag.key.to_string(), tag.value.to_string().into());
        }
    }
    let is_root = span.parent_id.is_none() && span.references.is_empty();
    if is_root || kind == Some("server") {
        for tag in &process.tags {
            if tag.key != tags::IP || ip_tag(process).is_none() {
                all.insert(format!("tracer.{}", tag.key), tag.value.to_string().into());
            }
        }
    }
    all
}

fn annotation(log: &LogRecord) -> Json {
    let value = match &log.fields[..] {
        [
            Tag {
                key,
                value: TagValue::String(event),
                ..
            },
        ] if key == "event" => event.to_string(),
        fields => {
            let items: Vec<_> = fields
                .iter()
                .map(|field| format!("{}:{}", Json::from(&*field.key), field_json(&field.value)))
                .collect();
            format!("{{{}}}", items.join(","))
        }
    };
    json!({ "timestamp": log.timestamp.as_micros(), "value": value })
}

fn field_json(value: &TagValue) -> String {
    match sent(value) {
        TagValue::Bool(_) | TagValue::Long(_) | TagValue::Double(_) => value.to_string(),
        text => Json::from(text.to_string()).to_string(),
    }
}

#[test]
fn a_span_has_the_form_that_zipkin_documents() {
    let read = decode_one(&rich_span());
    assert_eq!(
        read,
        json!({
            "traceId": "0102030405060708ffffffffffffffff",
            "id": "1112131415161718",
            "parentId": "0000000000000005",
            "name": "GET /é\n\"\\\u{1}",
            "timestamp": 1_700_000_000_000_000_u64,
            "duration": 1_500,
            "localEndpoint": { "serviceName": "shop \"1\"", "ipv4": "10.1.2.3" },
            "kind": "CLIENT",
            "remoteEndpoint": { "serviceName": "db", "ipv4": "10.0.0.9", "port": 5432 },
            "tags": {
                "s": "v",
                "d": "0.5",
                "b": "true",
                "l": "-3",
                "y": "007f",
                "error": "true",
                "otel.status_description": "refused",
                "w3c.tracestate": "ot=th:8",
                "sampler.type": "const",
                "peer.service": "db",
                "peer.ipv4": "10.0.0.9",
                "peer.port": "5432",
            },
            "annotations": [
                { "timestamp": 1_700_000_000_000_001_u64, "value": "sent" },
                {
                    "timestamp": 1_700_000_000_000_002_u64,
                    "value": r#"{"event":"retry","attempt":2,"why":"\"busy\""}"#,
                },
                { "timestamp": 1_700_000_000_000_003_u64, "value": "{}" },
            ],
            "debug": true,
        })
    );
}

#[test]
fn a_span_without_a_parent_carries_the_tags_of_the_process() {
    let read = decode_one(&bare_span());
    assert_eq!(
        read,
        json!({
            "traceId": "0000000000000001",
            "id": "0000000000000001",
            "name": "",
            "duration": 1,
            "localEndpoint": { "serviceName": "shop \"1\"", "ipv4": "10.1.2.3" },
            "tags": {
                "tracer.zone": "eu-1",
                "tracer.n": "NaN",
                "tracer.cores": "8",
                "tracer.hostname": "host-1",
                "tracer.jaeger.version": "Rust-0.1.0",
                "tracer.client-uuid": "4f1b2c3d",
            },
        })
    );
}

#[test]
fn a_span_that_did_not_fail_has_no_tag_error() {
    let mut span = bare_span();
    span.parent_id = Some(id(2));
    for value in [TagValue::Bool(false), TagValue::from("false")] {
        span.tags = vec![Tag::new(tags::ERROR, value)];
        assert_eq!(decode_one(&span).get("tags"), None);
    }
}

#[test]
fn the_remote_endpoint_is_known_by_the_names_of_opentelemetry() {
    for (kind, expected) in [
        (
            "client",
            json!({ "serviceName": "db", "ipv4": "10.0.0.9", "port": 5432 }),
        ),
        ("server", json!({ "ipv4": "10.0.0.9" })),
    ] {
        let mut span = rich_span();
        span.tags = vec![
            Tag::new("span.kind", kind),
            Tag::new("network.peer.address", "10.0.0.9"),
            Tag::new("server.address", "db"),
            Tag::new("server.port", 5432),
        ];
        assert_eq!(decode_one(&span)["remoteEndpoint"], expected, "{kind}");
    }
}
