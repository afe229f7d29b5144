use serde::Deserialize;

/// A span with its resource and scope, as the collector got it.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct OtlpSpan {
    /// The attributes of the process.
    pub resource: Vec<OtlpAttribute>,
    /// The name of the instrumentation.
    pub scope: String,
    /// The span's own fields.
    pub fields: OtlpFields,
}

/// The fields of a span.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
#[non_exhaustive]
pub struct OtlpFields {
    /// 32 hex digits.
    pub trace_id: String,
    /// 16 hex digits.
    pub span_id: String,
    /// The state of other vendors.
    pub trace_state: String,
    /// 16 hex digits; empty for a root.
    pub parent_span_id: String,
    /// The flags of W3C.
    pub flags: u32,
    /// The operation name.
    pub name: String,
    /// 0 if not set, else internal 1, server 2, client 3, producer 4, consumer 5.
    pub kind: u32,
    /// The start time, in nanoseconds since the epoch, in decimal digits.
    pub start_time_unix_nano: String,
    /// The end time.
    pub end_time_unix_nano: String,
    /// The attributes, in the order sent.
    pub attributes: Vec<OtlpAttribute>,
    /// The attributes that the sender has left out.
    pub dropped_attributes_count: u32,
    /// The events, in the order sent.
    pub events: Vec<OtlpEvent>,
    /// The events that the sender has left out.
    pub dropped_events_count: u32,
    /// The links, in the order sent.
    pub links: Vec<OtlpLink>,
    /// The links that the sender has left out.
    pub dropped_links_count: u32,
    /// The status.
    pub status: OtlpStatus,
}

/// A key with a value.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[non_exhaustive]
pub struct OtlpAttribute {
    /// The key.
    pub key: String,
    /// The value.
    pub value: OtlpValue,
}

/// A value, of which one member is set.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
#[non_exhaustive]
pub struct OtlpValue {
    /// A text.
    pub string_value: Option<String>,
    /// A truth value.
    pub bool_value: Option<bool>,
    /// An integer, in decimal digits.
    pub int_value: Option<String>,
    /// A double.
    pub double_value: Option<f64>,
    /// Bytes, in base64.
    pub bytes_value: Option<String>,
}

/// An event of a span.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
#[non_exhaustive]
pub struct OtlpEvent {
    /// The time, in nanoseconds since the epoch, in decimal digits.
    pub time_unix_nano: String,
    /// The name.
    pub name: String,
    /// The attributes, in the order sent.
    pub attributes: Vec<OtlpAttribute>,
    /// The attributes that the sender has left out.
    pub dropped_attributes_count: u32,
}

/// A link to another span.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
#[non_exhaustive]
pub struct OtlpLink {
    /// 32 hex digits.
    pub trace_id: String,
    /// 16 hex digits.
    pub span_id: String,
    /// The state of other vendors.
    pub trace_state: String,
    /// The attributes, in the order sent.
    pub attributes: Vec<OtlpAttribute>,
    /// The flags of W3C.
    pub flags: u32,
}

/// The status of a span.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[non_exhaustive]
pub struct OtlpStatus {
    /// The text.
    pub message: String,
    /// 0 if not set, 1 for success, 2 for an error.
    pub code: u32,
}

/// The content of a request.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub(super) struct Request {
    resource_spans: Vec<ResourceSpans>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
struct ResourceSpans {
    resource: Resource,
    scope_spans: Vec<ScopeSpans>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Resource {
    attributes: Vec<OtlpAttribute>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
struct ScopeSpans {
    scope: Scope,
    spans: Vec<OtlpFields>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Scope {
    name: String,
}

impl Request {
    pub(super) fn spans(self) -> impl Iterator<Item = OtlpSpan> {
        self.resource_spans.into_iter().flat_map(|of_resource| {
            let resource = of_resource.resource.attributes;
            of_resource
                .scope_spans
                .into_iter()
                .flat_map(move |of_scope| {
                    let (resource, scope) = (resource.clone(), of_scope.scope.name);
                    of_scope.spans.into_iter().map(move |fields| OtlpSpan {
                        resource: resource.clone(),
                        scope: scope.clone(),
                        fields,
                    })
                })
        })
    }
}
