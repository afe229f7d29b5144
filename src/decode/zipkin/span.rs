use std::collections::BTreeMap;
#[cfg(feature = "dev")]
use std::net::IpAddr;
use std::time::Duration;

use serde_json::Value;
use serde_json::value::RawValue;

use crate::decode::Reason;
use crate::decode::json::{Json, Members};
use crate::decode::parts::Parts;
use crate::model::{
    Flags, LogRecord, ReferenceType, ReportedReference, SpanId, Tag, TagValue, Timestamp, TraceId,
    tags,
};
use crate::reporter::OwnedSpan;

/// A span in version 2 of Zipkin's model, whichever form it came in.
#[derive(Debug)]
pub(super) struct ZipkinSpan {
    pub(super) trace_id: TraceId,
    pub(super) span_id: SpanId,
    /// `None` if the id is absent, zero or that of the span.
    pub(super) parent_id: Option<SpanId>,
    pub(super) name: String,
    /// In lower case.
    pub(super) kind: Option<String>,
    pub(super) start: Timestamp,
    pub(super) duration: Duration,
    pub(super) is_debug: bool,
    pub(super) local: Endpoint,
    pub(super) remote: Endpoint,
    pub(super) tags: BTreeMap<String, TagValue>,
    /// The tags that belong to the process, beside those that have the name of a resource's.
    pub(super) process_tags: Vec<Tag>,
    /// Each is counted as a part already.
    pub(super) annotations: Vec<(Timestamp, String)>,
}

/// The network address of a side. An empty text is none.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Endpoint {
    pub(super) service: Option<String>,
    pub(super) ipv4: Option<String>,
    pub(super) ipv6: Option<String>,
    pub(super) port: Option<u16>,
}

impl ZipkinSpan {
    pub(super) fn new(trace_id: TraceId, span_id: SpanId) -> Self {
        Self {
            trace_id,
            span_id,
            parent_id: None,
            name: String::new(),
            kind: None,
            start: Timestamp::default(),
            duration: Duration::ZERO,
            is_debug: false,
            local: Endpoint::default(),
            remote: Endpoint::default(),
            tags: BTreeMap::new(),
            process_tags: Vec::new(),
            annotations: Vec::new(),
        }
    }

    /// Returns the span as Jaeger has it, the name of its service, and the tags of its process.
    ///
    /// Fields of Zipkin become tags: the kind is the tag `span.kind`; the local endpoint is `net.host.ip` and
    /// `net.host.port`; the remote one is `peer.service`, `net.peer.ip` and `net.peer.port`. An annotation is a log. A
    /// tag that OpenTelemetry has for resources belongs to the process.
    ///
    /// # Errors
    ///
    /// Fails if the message has too many parts.
    pub(super) fn converted(
        mut self,
        parts: &mut Parts,
    ) -> Result<(OwnedSpan, String, Vec<Tag>), Reason> {
        let mut span = OwnedSpan::new(self.trace_id, self.span_id, self.name);
        span.parent_id = self.parent_id;
        if let Some(parent_id) = self.parent_id {
            let kind = ReferenceType::ChildOf;
            let parent = ReportedReference::new(kind, self.trace_id, parent_id);
            span.references.push(parent);
        }
        (span.start, span.duration) = (self.start, self.duration);
        if self.is_debug {
            span.flags = Flags::SAMPLED.with(Flags::DEBUG);
        }
        let (mut is_error, mut status) = (false, None);
        for (key, value) in self.tags {
            match key.as_str() {
                tags::ERROR => {
                    is_error = true;
                    if matches!(value, TagValue::Bool(true)) || is_text(&value, "true") {
                        continue;
                    }
                }
                "otel.status_code" => {
                    status = Some(value.to_string());
                    continue;
                }
                tags::SPAN_KIND if self.kind.is_none() && !is_text(&value, "internal") => continue,
                _ => {}
            }
            let key = match key.as_str() {
                "otel.library.name" => "otel.scope.name".to_owned(),
                "otel.library.version" => "otel.scope.version".to_owned(),
                _ => key,
            };
            span.tags.push(Tag::new(key, value));
        }
        let service = self.local.service.take();
        let told = (self.local.tags("net.host.ip", "net.host.port"))
            .chain(self.remote.tags("net.peer.ip", "net.peer.port"));
        for tag in told {
            // A client may say the same in a tag, too.
            span.tags.retain(|said| said.key != tag.key);
            span.tags.push(tag);
        }
        let kind = self.kind.map(|kind| Tag::new(tags::SPAN_KIND, kind));
        span.tags.extend(kind);
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
        for (at, text) in self.annotations {
            span.logs.push(log(at, &text, parts)?);
        }
        let mut service = service.unwrap_or_default();
        let is_of_process =
            |tag: &mut Tag| RESOURCE.split_ascii_whitespace().any(|it| it == tag.key);
        let mut process_tags = self.process_tags;
        process_tags.extend(span.tags.extract_if(.., is_of_process));
        for tag in process_tags.extract_if(.., |tag| tag.key == "service.name") {
            service = tag.value.to_string();
        }
        Ok((span, service, process_tags))
    }
}

fn is_text(value: &TagValue, expected: &str) -> bool {
    matches!(value, TagValue::String(text) if text == expected)
}

impl Endpoint {
    /// Returns the tags of an endpoint. An address of version 6 is told rather than one of version 4.
    fn tags(self, ip: &'static str, port: &'static str) -> impl Iterator<Item = Tag> {
        let said = |text: Option<String>| text.filter(|text| !text.is_empty());
        let service = said(self.service).map(|name| Tag::new(tags::PEER_SERVICE, name));
        let address = said(self.ipv6).or_else(|| said(self.ipv4));
        let number = self.port.filter(|&number| number > 0);
        let tags = [
            service,
            address.map(|address| Tag::new(ip, address)),
            number.map(|number| Tag::new(port, i64::from(number))),
        ];
        tags.into_iter().flatten()
    }
}

/// Returns the text of an address of four or sixteen bytes; none if it has another number of them. The client in Go writes
/// those of version 4 as mapped ones of version 6.
#[cfg(feature = "dev")]
pub(super) fn address(bytes: &[u8]) -> Option<String> {
    let four = <[u8; 4]>::try_from(bytes).map(IpAddr::from);
    let sixteen = <[u8; 16]>::try_from(bytes).map(IpAddr::from);
    Some(four.or(sixteen).ok()?.to_canonical().to_string())
}

/// Reads an annotation. Its text is the JSON of the fields; or the name of an event, its fields and how many are
/// missing, `retry|{"n":2}|0`, as OpenTelemetry writes it; or the name alone.
fn log(at: Timestamp, text: &str, parts: &mut Parts) -> Result<LogRecord, Reason> {
    let (name, fields) = match Json::read(text) {
        Ok(Json::Object(fields)) => (None, fields),
        _ => match event(text) {
            Some((name, fields)) => (Some(name), fields),
            None => (Some(text), Members::new()),
        },
    };
    let mut log = LogRecord::new(at, Vec::new());
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
