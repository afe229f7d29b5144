//! A trace in one line: what a card of the search and a line of the live view say.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::dev::server::state::assert_unlocked;
use crate::view::Trace;
use crate::view::tree::{TreeSpan, spans};

/// A trace in one line.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Summary {
    #[serde(rename = "traceID")]
    pub(super) trace_id: String,
    /// The service of the root.
    pub(super) service: String,
    /// The operation of the root.
    pub(super) operation: String,
    /// Microseconds since the epoch.
    pub(super) start: i64,
    /// Microseconds.
    pub(super) duration: i64,
    pub(super) spans: usize,
    pub(super) errors: usize,
    pub(super) is_open: bool,
    /// The services with the numbers of their spans, sorted by name.
    pub(super) services: Vec<(String, usize)>,
}

impl Summary {
    pub(super) fn new(trace: &Trace) -> Self {
        assert_unlocked();
        let spans = spans(trace);
        let is_root = |span: &&TreeSpan<'_>| match span {
            TreeSpan::Received(span) => span.parent().is_none(),
            TreeSpan::Open(..) => true,
        };
        let first = |a: &&TreeSpan<'_>| a.start();
        let root = spans.iter().filter(is_root).min_by_key(first);
        let root = root.or_else(|| spans.iter().min_by_key(first));
        let start = spans.iter().map(|span| span.start()).min().unwrap_or(0);
        let end = spans.iter().filter_map(|span| span.end()).max();
        let mut services: BTreeMap<&str, usize> = BTreeMap::new();
        for span in &spans {
            *services.entry(span.service_name()).or_default() += 1;
        }
        let services = services.into_iter();
        Self {
            trace_id: trace.trace_id.to_string(),
            service: root.map_or("", |root| root.service_name()).to_owned(),
            operation: root.map_or("", |root| root.operation_name()).to_owned(),
            start,
            duration: end.unwrap_or(start).saturating_sub(start),
            spans: spans.len(),
            errors: spans.iter().filter(|span| span.is_error()).count(),
            is_open: !trace.open.is_empty(),
            services: services.map(|(name, n)| (name.to_owned(), n)).collect(),
        }
    }

    /// Returns the first digits of the trace id.
    pub(super) fn short_id(&self) -> &str {
        self.trace_id.get(..7).unwrap_or(&self.trace_id)
    }
}
