use std::collections::HashMap;
use std::time::Duration;

use serde_json::Value;
use serde_json::value::RawValue;

use crate::decode::json::{Json, Members, plain, text, whole};
use crate::decode::parts::Parts;
use crate::decode::{Reason, ReceivedBatch};
use crate::model::{
    Flags, LogRecord, Process, ReferenceType, ReportedReference, SpanId, Tag, TagValue, Timestamp,
    TraceId, tags,
};
use crate::reporter::OwnedSpan;
use crate::reporter::sender::BatchFormat;

/// Reads a list of spans in the JSON of Zipkin's second version. Spans of one process are a batch.
///
/// Fields of Zipkin become tags as in Jaeger: the kind is the tag `span.kind`; the local endpoint is `net.host.ip` and
/// `net.host.port`; the remote one is `peer.service`, `net.peer.ip` and `net.peer.port`. An annotation is a log. A tag
/// that OpenTelemetry has for resources belongs to the process. All other values are text.
///
/// As in a Zipkin, a number may be text, a time below zero is none, and a parent is none if its id is zero or that of the
/// span. A span that cannot be read is left out.
///
/// # Errors
///
/// Fails if the text is no list, or if none of its spans can be read.
pub(crate) fn zipkin_list(bytes: &[u8]) -> Result<Vec<ReceivedBatch>, Reason> {
    let text = String::from_utf8_lossy(bytes);
    let Json::List(list) = Json::read(&text)? else {
        return Err("it is no list of spans".to_owned());
    };
    let mut parts = Parts::of_message();
    let mut batches = Vec::<(Process, Vec<OwnedSpan>)>::new();
    let mut places = HashMap::<(String, Vec<String>), usize>::new();
    let (mut left_out, mut why) = (0, String::new());
    for raw in list {
        let (span, service, tags) = match span_and_process(raw, &mut parts) {
            Ok(read) => read,
            Err(reason) => {
                left_out += 1;
                why = reason;
                continue;
            }
        };
        let texts = tags.iter().map(|tag| format!("{}={}", tag.key, tag.value));
        let key = (service, texts.collect());
        let next = batches.len();
        match places.get(&key).and_then(|&place| batches.get_mut(place)) {
            Some((_, spans)) => spans.push(span),
            None => {
                batches.push((Process::new(key.0.clone(), tags), vec![span]));
                places.insert(key, next);
            }
        }
    }
    let batch = |(process, spans)| ReceivedBatch::new(BatchFormat::ZipkinJson, process, spans);
    let mut batches: Vec<_> = batches.into_iter().map(batch).collect();
    match batches.first_mut() {
        Some(batch) => batch.left_out = left_out,
        None if left_out > 0 => return Err(why),
        None => {}
    }
    Ok(batches)
}

/// Reads a span, the name of its service, and the tags of its process.
fn span_and_process(
    raw: &RawValue,
    parts: &mut Parts,
) -> Result<(OwnedSpan, String, Vec<Tag>), Reason> {
    let Json::Object(json) = Json::of(raw)? else {
        return Err("a span is no object".to_owned());
    };
    let mut span = span(&json, parts)?;
    let local = object(&json, "localEndpoint")?;
    let mut service = local
        .and_then(|endpoint| text(&endpoint, "serviceName"))
        .unwrap_or_default();
    let is_of_process = |tag: &mut Tag| RESOURCE.split_ascii_whitespace().any(|it| it == tag.key);
    let mut tags: Vec<Tag> = span.tags.extract_if(.., is_of_process).collect();
    for tag in tags.extract_if(.., |tag| tag.key == "service.name") {
        service = tag.value.to_string();
    }
    Ok((span, service, tags))
}

fn span(json: &Members<'_>, parts: &mut Parts) -> Result<OwnedSpan, Reason> {
    parts.take()?;
    let trace_id: TraceId = id(json, "traceId")?.ok_or("a span has no traceId")?;
    let span_id: SpanId = id(json, "id")?.ok_or("a span has no id")?;
    let name = text(json, "name").unwrap_or_default();
    let mut span = OwnedSpan::new(trace_id, span_id, name);
    let is_none = |id: String| id.bytes().all(|digit| digit == b'0');
    if !text(json, "parentId").is_some_and(is_none) {
        span.parent_id = id(json, "parentId")?.filter(|&parent| parent != span_id);
    }
    if let Some(parent_id) = span.parent_id {
        let kind = ReferenceType::ChildOf;
        let parent = ReportedReference::new(kind, trace_id, parent_id);
        span.references.push(parent);
    }
    span.start = Timestamp::from_micros(micros(json, "timestamp")?);
    span.duration = Duration::from_micros(micros(json, "duration")?.unsigned_abs());
    if plain(json, "debug") == Some(Value::Bool(true)) {
        span.flags = Flags::SAMPLED.with(Flags::DEBUG);
    }
    let kind = text(json, "kind").map(|kind| kind.to_ascii_lowercase());
    let (mut is_error, mut status) = (false, None);
    for (key, raw) in object(json, "tags")?.into_iter().flatten() {
        parts.take()?;
        let value = match Json::of(raw)? {
            Json::Plain(Value::Null) => continue,
            Json::Plain(Value::String(text)) => text,
            // A number, for example.
            _ => raw.get().to_owned(),
        };
        match key.as_str() {
            tags::ERROR => is_error = true,
            "otel.status_code" => status = Some(value.clone()),
            _ => {}
        }
        match (key.as_str(), value.as_str()) {
            (tags::ERROR, "true") | ("otel.status_code", _) => {}
            (tags::SPAN_KIND, _) if kind.is_none() => {
                let internal = (value == "internal").then_some(value);
                span.tags
                    .extend(internal.map(|kind| Tag::new(tags::SPAN_KIND, kind)));
            }
            ("otel.library.name", _) => span.tags.push(Tag::new("otel.scope.name", value)),
            ("otel.library.version", _) => {
                span.tags.push(Tag::new("otel.scope.version", value));
            }
            _ => span.tags.push(Tag::new(key, value)),
        }
    }
    for (at, ip, port) in [
        ("localEndpoint", "net.host.ip", "net.host.port"),
        ("remoteEndpoint", "net.peer.ip", "net.peer.port"),
    ] {
        if let Some(endpoint) = object(json, at)? {
            let service = (at == "remoteEndpoint").then_some(tags::PEER_SERVICE);
            for tag in endpoint_tags(&endpoint, service, ip, port) {
                // A client may say the same in a tag, too.
                span.tags.retain(|said| said.key != tag.key);
                span.tags.push(tag);
            }
        }
    }
    span.tags
        .extend(kind.map(|kind| Tag::new(tags::SPAN_KIND, kind)));
    let code = match status.as_deref() {
        _ if is_error => Some("ERROR"),
        Some("STATUS_CODE_ERROR" | "Error") => Some("ERROR"),
        Some("STATUS_CODE_OK" | "Ok") => Some("OK"),
        _ => None,
    };
    span.tags
        .extend(code.map(|code| Tag::new("otel.status_code", code)));
    if code == Some("ERROR") {
        span.tags.push(Tag::new(tags::ERROR, true));
    }
    if let Some(Json::List(list)) = field(json, "annotations")? {
        for raw in list {
            span.logs.push(log(raw, parts)?);
        }
    }
    Ok(span)
}

/// Returns the tags of an endpoint. An address of version 6 is told rather than one of version 4.
fn endpoint_tags(
    endpoint: &Members<'_>,
    service: Option<&'static str>,
    ip: &'static str,
    port: &'static str,
) -> impl Iterator<Item = Tag> {
    let said = |name: &str| text(endpoint, name).filter(|text| !text.is_empty());
    let service = service.and_then(|key| Some(Tag::new(key, said("serviceName")?)));
    let address = said("ipv6").or_else(|| said("ipv4"));
    let number = plain(endpoint, "port").and_then(|number| whole(&number));
    let number = number.and_then(|(number, _)| u16::try_from(number).ok());
    let tags = [
        service,
        address.map(|address| Tag::new(ip, address)),
        number
            .filter(|&number| number > 0)
            .map(|number| Tag::new(port, i64::from(number))),
    ];
    tags.into_iter().flatten()
}

/// Reads an annotation. Its text is the JSON of the fields; or the name of an event, its fields and how many are
/// missing, `retry|{"n":2}|0`, as OpenTelemetry writes it; or the name alone.
fn log(annotation: &RawValue, parts: &mut Parts) -> Result<LogRecord, Reason> {
    parts.take()?;
    let Json::Object(annotation) = Json::of(annotation)? else {
        return Err("an annotation is no object".to_owned());
    };
    let text = text(&annotation, "value").unwrap_or_default();
    let (name, fields) = match Json::read(&text) {
        Ok(Json::Object(fields)) => (None, fields),
        _ => match event(&text) {
            Some((name, fields)) => (Some(name), fields),
            None => (Some(text.as_str()), Members::new()),
        },
    };
    let mut log = LogRecord::new(
        Timestamp::from_micros(micros(&annotation, "timestamp")?),
        Vec::new(),
    );
    log.fields
        .extend(name.map(|name| Tag::new(tags::EVENT, name.to_owned())));
    for (key, raw) in fields {
        parts.take()?;
        log.fields.push(Tag::new(key, tag_value(raw)?));
    }
    Ok(log)
}

/// Returns the name and the fields of an event of OpenTelemetry.
fn event(text: &str) -> Option<(&str, Members<'_>)> {
    let (name, rest) = text.split_once('|')?;
    let (fields, missing) = rest.rsplit_once('|')?;
    missing.parse::<u32>().ok()?;
    match Json::read(fields) {
        Ok(Json::Object(fields)) => Some((name, fields)),
        _ => None,
    }
}

fn tag_value(raw: &RawValue) -> Result<TagValue, Reason> {
    Ok(match Json::of(raw)? {
        Json::Plain(Value::String(text)) => text.into(),
        Json::Plain(Value::Bool(value)) => value.into(),
        Json::Plain(Value::Number(number)) => match (number.as_i64(), number.as_f64()) {
            (Some(long), _) => long.into(),
            (None, Some(double)) => double.into(),
            (None, None) => number.to_string().into(),
        },
        _ => raw.get().to_owned().into(),
    })
}

/// Returns a member. One that is null counts as absent.
fn field<'a>(json: &Members<'a>, key: &str) -> Result<Option<Json<'a>>, Reason> {
    let raw = json.get(key).filter(|raw| raw.get() != "null");
    raw.map(|raw| Json::of(raw)).transpose()
}

/// Returns a member that is an object.
fn object<'a>(json: &Members<'a>, key: &str) -> Result<Option<Members<'a>>, Reason> {
    Ok(match field(json, key)? {
        Some(Json::Object(members)) => Some(members),
        _ => None,
    })
}

fn id<T: std::str::FromStr>(json: &Members<'_>, key: &str) -> Result<Option<T>, Reason> {
    if field(json, key)?.is_none() {
        return Ok(None);
    }
    let id = text(json, key).and_then(|id| id.parse().ok());
    id.map(Some)
        .ok_or_else(|| format!("{key} is not an id in hex"))
}

/// Returns a number of microseconds; zero if it is absent or below zero.
fn micros(json: &Members<'_>, key: &str) -> Result<i64, Reason> {
    let number = match field(json, key)? {
        None => return Ok(0),
        Some(Json::Plain(value)) => whole(&value),
        Some(_) => None,
    };
    let micros = number.and_then(|(micros, _)| i64::try_from(micros.max(0)).ok());
    micros.ok_or_else(|| format!("{key} is not a number of microseconds"))
}

/// The attributes that OpenTelemetry has for resources, as Zipkin's exporters write them among the tags of a span.
const RESOURCE: &str = "
    aws.ecs.cluster.arn aws.ecs.container.arn aws.ecs.launchtype aws.ecs.task.arn aws.ecs.task.family
    aws.ecs.task.revision aws.eks.cluster.arn aws.log.group.arns aws.log.group.names aws.log.stream.arns
    aws.log.stream.names cloud.account.id cloud.availability_zone cloud.platform cloud.provider cloud.region
    container.id container.image.name container.image.tag container.name container.runtime deployment.environment
    device.id device.manufacturer device.model.identifier device.model.name faas.id faas.instance faas.name faas.version
    host.arch host.id host.image.id host.image.name host.image.version host.name host.type k8s.cluster.name
    k8s.container.name k8s.container.restart_count k8s.cronjob.name k8s.cronjob.uid k8s.daemonset.name k8s.daemonset.uid
    k8s.deployment.name k8s.deployment.uid k8s.job.name k8s.job.uid k8s.namespace.name k8s.node.name k8s.node.uid
    k8s.pod.name k8s.pod.uid k8s.replicaset.name k8s.replicaset.uid k8s.statefulset.name k8s.statefulset.uid
    opencensus.exporterversion opencensus.resourcetype opencensus.starttime os.description os.name os.type os.version
    process.command process.command_args process.command_line process.executable.name process.executable.path
    process.owner process.pid process.runtime.description process.runtime.name process.runtime.version
    service.instance.id service.name service.namespace service.version telemetry.auto.version telemetry.sdk.language
    telemetry.sdk.name telemetry.sdk.version webengine.description webengine.name webengine.version";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decode::parts::MAX_PARTS;

    fn span(members: &str) -> Result<OwnedSpan, Reason> {
        let list = format!(r#"[{{"traceId":"a","id":"b"{members}}}]"#);
        let mut batches = zipkin_list(list.as_bytes())?;
        Ok(batches.remove(0).spans.remove(0))
    }

    #[test]
    fn an_annotation_is_fields_an_event_or_an_event_with_fields() {
        let event = |name: &'static str| Tag::new(tags::EVENT, name);
        for (value, expected) in [
            ("retry", vec![event("retry")]),
            (r#"{"n":2}"#, vec![Tag::new("n", 2)]),
            (
                r#"retry|{"n":2,"why":"a|b","list":[1]}|0"#,
                vec![
                    event("retry"),
                    Tag::new("list", "[1]"),
                    Tag::new("n", 2),
                    Tag::new("why", "a|b"),
                ],
            ),
            ("a|b", vec![event("a|b")]),
            ("a|b|c", vec![event("a|b|c")]),
            (r#"a|{"n":2}|many"#, vec![event(r#"a|{"n":2}|many"#)]),
            ("a|{|0", vec![event("a|{|0")]),
        ] {
            let json = serde_json::json!([{"timestamp": 5, "value": value}]);
            let span = span(&format!(r#","annotations":{json}"#)).expect(value);
            let expected = LogRecord::new(Timestamp::from_micros(5), expected);
            assert_eq!(span.logs, [expected], "{value}");
        }
    }

    #[test]
    fn a_list_has_a_bounded_number_of_parts() {
        let annotations = |count| format!(r#","annotations":[{}{{}}]"#, "{},".repeat(count - 1));
        assert!(span(&annotations(1_000)).is_ok());
        assert!(span(&annotations(MAX_PARTS)).is_err());
    }

    #[test]
    fn times_are_read_as_a_zipkin_reads_them() {
        for (number, expected) in [
            (r#""1760533672685056""#, 1_760_533_672_685_056),
            ("1.530259357671e+15", 1_530_259_357_671_000),
            ("5.9", 5),
            ("0.5", 0),
            ("-1", 0),
            ("null", 0),
        ] {
            let json = format!(
                r#","duration":{number},"timestamp":{number},"annotations":[{{"timestamp":{number}}}]"#
            );
            let span = span(&json).expect(number);
            assert_eq!(span.start.as_micros(), expected, "{number}");
            assert_eq!(span.logs[0].timestamp.as_micros(), expected, "{number}");
            assert_eq!(span.duration.as_micros(), expected as u128, "{number}");
        }
        for number in [
            "18446744073709551615",
            "1e400",
            "1e30",
            r#""soon""#,
            r#""""#,
            "[]",
            "true",
        ] {
            for key in ["timestamp", "duration"] {
                let why = span(&format!(r#","{key}":{number}"#)).expect_err(number);
                assert!(why.contains(key) || why.contains("number"), "{why}");
            }
        }
    }

    #[test]
    fn a_parent_of_zero_is_none() {
        for parent in ["", "0", "0000000000000000", "b", "000000000000000B"] {
            let span = span(&format!(r#","parentId":"{parent}""#)).expect(parent);
            assert_eq!((span.parent_id, span.references.len()), (None, 0));
        }
        let child = span(r#","parentId":"a0""#).expect("a parent");
        assert_eq!(child.parent_id, SpanId::new(0xa0));
        for parent in [r#""x""#, "7", "{}", r#""00000000000000000a""#] {
            assert!(span(&format!(r#","parentId":{parent}"#)).is_err());
        }
    }

    #[test]
    fn values_that_are_not_text_become_text() {
        let json = r#","tags":{"code":200,"half":"\ud83d","none":null,"ok":true,"list":[1, 2]},
            "remoteEndpoint":{"port":"8080"}"#;
        let tags = span(json).expect("well-formed").tags;
        let expected = [
            Tag::new("code", "200"),
            Tag::new("half", "\u{fffd}"),
            Tag::new("list", "[1, 2]"),
            Tag::new("ok", "true"),
            Tag::new("net.peer.port", 8_080),
        ];
        assert_eq!(tags, expected);
    }

    #[test]
    fn a_span_that_cannot_be_read_is_left_out_of_the_list() {
        let (head, tail) = (
            br#"[{"traceId":"a","id":"1"},{"traceId":"a","id":"2","duration":"long"},7,{"traceId":"0","id":"3"},
            {"traceId":"a","id":"4","name":""#,
            br#""}]"#,
        );
        let list = [&head[..], b"\xff", tail].concat();
        let batches = zipkin_list(&list).expect("two can be read");
        assert_eq!((batches.len(), batches[0].left_out), (1, 3));
        assert_eq!(batches[0].spans.len(), 2);
        assert_eq!(batches[0].spans[1].operation_name, "\u{fffd}");
        let why = zipkin_list(br#"[{"traceId":"a","id":"2","duration":"long"}]"#);
        assert_eq!(
            why,
            Err("duration is not a number of microseconds".to_owned())
        );
        assert_eq!(zipkin_list(b"[]"), Ok(Vec::new()));
    }
}
