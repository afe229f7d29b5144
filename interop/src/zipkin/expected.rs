use std::net::IpAddr;

use crate::{
    SentBatch, SentSpan, Value, ZipkinAnnotation, ZipkinEndpoint, ZipkinSpan,
    zipkin::text::{annotation, text},
};

impl ZipkinSpan {
    /// Returns what the server should show of a span that the library sent to it.
    ///
    /// The server makes the names of spans and services lower case, and a set of the annotations.
    pub fn expected(batch: &SentBatch, sent: &SentSpan) -> Self {
        let find = |key: &str| {
            let tag = sent.tags.iter().find(|tag| tag.key == key);
            tag.map(|tag| &tag.value)
        };
        let kind = find("span.kind").map(text).map(|kind| kind.to_uppercase());
        const KINDS: [&str; 4] = ["CLIENT", "SERVER", "PRODUCER", "CONSUMER"];
        let kind = kind.filter(|kind| KINDS.contains(&kind.as_str()));
        let mut annotations: Vec<_> = sent
            .logs
            .iter()
            .map(|log| ZipkinAnnotation {
                timestamp: log.timestamp_us as u64,
                value: annotation(log),
            })
            .collect();
        annotations.sort();
        annotations.dedup();
        let mut local = ZipkinEndpoint {
            service_name: named(&batch.service),
            ..ZipkinEndpoint::default()
        };
        let is_root = sent.parent_span_id == 0 && sent.references.is_empty();
        let has_process_tags = is_root || kind.as_deref() == Some("SERVER");
        let mut tags = Vec::new();
        for tag in &sent.tags {
            let text = text(&tag.value);
            match tag.key.as_str() {
                "span.kind" if kind.is_some() => {}
                "error" if text == "false" => {}
                _ => tags.push((tag.key.clone(), text)),
            }
        }
        for tag in &batch.process_tags {
            if tag.key == "ip" {
                local.set_ip(&tag.value);
            } else if has_process_tags {
                tags.push((format!("tracer.{}", tag.key), text(&tag.value)));
            }
        }
        let mut remote = ZipkinEndpoint::default();
        let mut name = find("peer.service");
        if matches!(kind.as_deref(), Some("CLIENT" | "PRODUCER")) {
            name = name.or_else(|| find("peer.hostname"));
            name = name.or_else(|| find("peer.address"));
        }
        remote.service_name = name.and_then(|name| named(&text(name)));
        for address in [find("peer.ipv4"), find("peer.ipv6")].into_iter().flatten() {
            remote.set_ip(address);
        }
        remote.port = find("peer.port").and_then(|port| text(port).parse().ok());
        let digits = if sent.trace_id >> 64 == 0 { 16 } else { 32 };
        Self {
            trace_id: format!("{:0digits$x}", sent.trace_id),
            parent_id: (sent.parent_span_id != 0).then(|| format!("{:016x}", sent.parent_span_id)),
            id: format!("{:016x}", sent.span_id),
            kind,
            name: named(&sent.operation),
            timestamp: Some(sent.start_us as u64),
            duration: Some(sent.duration_us as u64),
            local_endpoint: Some(local),
            remote_endpoint: Some(remote).filter(|it| *it != ZipkinEndpoint::default()),
            annotations,
            tags: tags.into_iter().collect(),
            debug: sent.flags & DEBUG != 0,
            shared: false,
        }
    }
}

impl ZipkinEndpoint {
    fn set_ip(&mut self, value: &Value) {
        if let Value::String(text) = value
            && let Ok(address) = text.parse()
        {
            match address {
                IpAddr::V4(_) => self.ipv4 = Some(address),
                IpAddr::V6(_) => self.ipv6 = Some(address),
            }
        }
    }
}

/// Returns the name as the server shows it; an empty one is none.
fn named(name: &str) -> Option<String> {
    Some(name.to_lowercase()).filter(|name| !name.is_empty())
}

const DEBUG: u32 = 2;
