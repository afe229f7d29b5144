use std::{collections::BTreeMap, net::IpAddr};

use serde::Deserialize;

/// A span in version 2 of Zipkin's model, as the server shows it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
#[non_exhaustive]
pub struct ZipkinSpan {
    /// 16 or 32 hex digits.
    pub trace_id: String,
    /// The parent's id, 16 hex digits; `None` for a root.
    pub parent_id: Option<String>,
    /// The span's id, 16 hex digits.
    pub id: String,
    /// `CLIENT`, `SERVER`, `PRODUCER` or `CONSUMER`.
    pub kind: Option<String>,
    /// The operation name.
    pub name: Option<String>,
    /// The start time, in microseconds since the epoch.
    pub timestamp: Option<u64>,
    /// The duration, in microseconds.
    pub duration: Option<u64>,
    /// The service that made the span.
    pub local_endpoint: Option<ZipkinEndpoint>,
    /// The service at the other end of a call.
    pub remote_endpoint: Option<ZipkinEndpoint>,
    /// The events, in the order shown.
    pub annotations: Vec<ZipkinAnnotation>,
    /// The tags.
    pub tags: BTreeMap<String, String>,
    /// Whether the trace must be kept.
    pub debug: bool,
    /// Whether the span has the id of the client's span.
    pub shared: bool,
}

/// A service and its address.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
#[non_exhaustive]
pub struct ZipkinEndpoint {
    /// The service's name.
    pub service_name: Option<String>,
    /// The address of version 4.
    pub ipv4: Option<IpAddr>,
    /// The address of version 6.
    pub ipv6: Option<IpAddr>,
    /// The port.
    pub port: Option<u16>,
}

/// An event of a span.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[non_exhaustive]
pub struct ZipkinAnnotation {
    /// The time, in microseconds since the epoch.
    pub timestamp: u64,
    /// The text.
    pub value: String,
}
