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

/// Reads a list of spans in the JSON of Zipkin's second version. Spans of one process are a batch.
///
/// Fields of Zipkin become tags as in Jaeger: the kind is the tag `span.kind`; the local endpoint is `net.host.ip` and
/// `net.host.port`; the remote one is `peer.service`, `net.peer.ip` and `net.peer.port`. An annotation is a log. A tag
/// that OpenTelemetry has for resources belongs to the process. All other values are text.
pub(crate) fn zipkin_list(bytes: &[u8]) -> Result<Vec<ReceivedBatch>, Reason> {
    let list: Vec<Json> = serde_json::from_slice(bytes).map_err(|error| error.to_string())?;
    let mut batches = Vec::<(Process, Vec<OwnedSpan>)>::new();
    let mut places = HashMap::<(String, Vec<String>), usize>::new();
    for json in &list {
        let json = json.as_object().ok_or("a span is no object")?;
        let mut span = span(json)?;
        let mut service = field(json, "localEndpoint")
            .and_then(|endpoint| endpoint["serviceName"].as_str())
            .unwrap_or_default()
            .to_owned();
        let is_of_process =
            |tag: &mut Tag| RESOURCE.split_ascii_whitespace().any(|it| it == tag.key);
        let mut tags: Vec<Tag> = span.tags.extract_if(.., is_of_process).collect();
        for tag in tags.extract_if(.., |tag| tag.key == "service.name") {
            service = tag.value.to_string();
        }
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
    Ok(batches.into_iter().map(batch).collect())
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
    let kind = field(json, "kind").and_then(Json::as_str);
    let kind = kind.map(str::to_ascii_lowercase);
    let (mut is_error, mut status) = (false, None);
    let list = field(json, "tags").and_then(Json::as_object);
    for (key, value) in list.into_iter().flatten() {
        let value = value.as_str().ok_or("the value of a tag is no text")?;
        match key.as_str() {
            tags::ERROR => is_error = true,
            "otel.status_code" => status = Some(value),
            _ => {}
        }
        match (key.as_str(), value) {
            (tags::ERROR, "true") | ("otel.status_code", _) => {}
            (tags::SPAN_KIND, _) if kind.is_none() => {
                let internal = (value == "internal").then(|| value.to_owned());
                span.tags
                    .extend(internal.map(|kind| Tag::new(tags::SPAN_KIND, kind)));
            }
            ("otel.library.name", _) => span
                .tags
                .push(Tag::new("otel.scope.name", value.to_owned())),
            ("otel.library.version", _) => {
                span.tags
                    .push(Tag::new("otel.scope.version", value.to_owned()));
            }
            _ => span.tags.push(Tag::new(key.clone(), value.to_owned())),
        }
    }
    for (at, ip, port) in [
        ("localEndpoint", "net.host.ip", "net.host.port"),
        ("remoteEndpoint", "net.peer.ip", "net.peer.port"),
    ] {
        if let Some(endpoint) = field(json, at) {
            let service = (at == "remoteEndpoint").then_some(tags::PEER_SERVICE);
            for tag in endpoint_tags(endpoint, service, ip, port) {
                // A client may say the same in a tag, too.
                span.tags.retain(|said| said.key != tag.key);
                span.tags.push(tag);
            }
        }
    }
    span.tags
        .extend(kind.map(|kind| Tag::new(tags::SPAN_KIND, kind)));
    let code = match status {
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
    let list = field(json, "annotations").and_then(Json::as_array);
    span.logs.extend(list.into_iter().flatten().map(log));
    Ok(span)
}

/// Returns the tags of an endpoint. An address of version 6 is told rather than one of version 4.
fn endpoint_tags(
    endpoint: &Json,
    service: Option<&'static str>,
    ip: &'static str,
    port: &'static str,
) -> impl Iterator<Item = Tag> {
    let text = |name: &str| endpoint[name].as_str().filter(|text| !text.is_empty());
    let service = service.and_then(|key| Some(Tag::new(key, text("serviceName")?.to_owned())));
    let address = text("ipv6").or_else(|| text("ipv4"));
    let number = endpoint["port"].as_i64().filter(|&port| port > 0);
    let tags = [
        service,
        address.map(|address| Tag::new(ip, address.to_owned())),
        number.map(|number| Tag::new(port, number)),
    ];
    tags.into_iter().flatten()
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
