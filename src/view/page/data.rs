//! The data of a page: traces in a form that is smaller than Jaeger's JSON, with each text once.
//!
//! `script/trace.js` reads it.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Serialize;

use crate::model::{LogRecord, Process, ReferenceType, SpanId, Tag, TagValue, TraceId, non_finite};
use crate::reporter::OwnedSpan;
use crate::view::ReceivedSpan;
use crate::view::json::MAX_SAFE_INTEGER;
use crate::view::tree::{Link, Node, Tree, TreeSpan};

/// A trace. Its spans are arrays, in the order of the rows.
#[derive(Debug, Serialize)]
pub(crate) struct TraceData<'a> {
    id: String,
    /// Microseconds since the epoch. All other times are relative to it.
    start: i64,
    duration: i64,
    /// Names of services, as indices of texts, in the order in which they appear.
    services: Vec<usize>,
    /// Each with its service, as an index of `services`, and its tags.
    processes: Vec<(usize, Vec<Cell>)>,
    spans: Vec<Vec<Cell>>,
    strings: Vec<Cow<'a, str>>,
}

/// A value in an array.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(untagged)]
enum Cell {
    Number(i64),
    Double(f64),
    Text(String),
    List(Vec<Self>),
}

impl From<usize> for Cell {
    fn from(index: usize) -> Self {
        Self::Number(index as i64)
    }
}

impl<'a> TraceData<'a> {
    pub(crate) fn new(trace_id: TraceId, tree: &Tree<'a>) -> Self {
        let mut writer = Writer {
            trace_id,
            start: tree.start,
            rows: HashMap::new(),
            services: Vec::new(),
            service_places: HashMap::new(),
            processes: Vec::new(),
            process_places: HashMap::new(),
            strings: Vec::new(),
            string_places: HashMap::new(),
        };
        for (row, node) in tree.nodes.iter().enumerate() {
            writer.rows.entry(node.span.span_id()).or_insert(row);
        }
        let spans = tree.nodes.iter().map(|node| writer.span(node)).collect();
        Self {
            id: trace_id.to_string(),
            start: tree.start,
            duration: tree.end.saturating_sub(tree.start),
            services: writer.services,
            processes: writer.processes,
            spans,
            strings: writer.strings,
        }
    }
}

/// The tables of a trace, while its spans are written.
struct Writer<'a> {
    trace_id: TraceId,
    start: i64,
    rows: HashMap<SpanId, usize>,
    services: Vec<usize>,
    /// The place of a service in `services`, by its text.
    service_places: HashMap<usize, usize>,
    processes: Vec<(usize, Vec<Cell>)>,
    process_places: HashMap<ProcessKey<'a>, usize>,
    strings: Vec<Cow<'a, str>>,
    string_places: HashMap<Cow<'a, str>, usize>,
}

/// The facts by which two processes are one.
#[derive(PartialEq, Eq, Hash)]
enum ProcessKey<'a> {
    /// By address: spans with equal processes share one.
    Received(*const Process),
    /// An open span is known by its service alone.
    Open(&'a str),
}

impl<'a> Writer<'a> {
    fn text(&mut self, text: impl Into<Cow<'a, str>>) -> usize {
        let text = text.into();
        if let Some(&place) = self.string_places.get(&text) {
            return place;
        }
        self.strings.push(text.clone());
        self.string_places.insert(text, self.strings.len() - 1);
        self.strings.len() - 1
    }

    fn service(&mut self, name: &'a str) -> usize {
        let name = self.text(name);
        *self.service_places.entry(name).or_insert_with(|| {
            self.services.push(name);
            self.services.len() - 1
        })
    }

    fn process(&mut self, span: TreeSpan<'a>) -> usize {
        let (key, tags): (_, &'a [Tag]) = match span {
            TreeSpan::Received(ReceivedSpan { process, .. }) => {
                (ProcessKey::Received(Arc::as_ptr(process)), &process.tags)
            }
            TreeSpan::Open(open, _) => (ProcessKey::Open(&open.service_name), &[]),
        };
        if let Some(&place) = self.process_places.get(&key) {
            return place;
        }
        let process = (self.service(span.service_name()), self.tags(tags));
        self.processes.push(process);
        self.process_places.insert(key, self.processes.len() - 1);
        self.processes.len() - 1
    }

    /// Returns id, parent, link, name, process, start, duration (-1 if open), flags, error, and then tags, logs,
    /// references and critical path, without those at the end that are empty.
    fn span(&mut self, node: &Node<'a>) -> Vec<Cell> {
        let link = match node.link {
            Link::Root => 0,
            Link::ChildOf => 1,
            Link::FollowsFrom => 2,
            Link::Orphan => 3,
        };
        let received: Option<&'a OwnedSpan> = match node.span {
            TreeSpan::Received(span) => Some(&span.span),
            TreeSpan::Open(..) => None,
        };
        let duration = match received {
            Some(_) => node.end.saturating_sub(node.start),
            None => -1,
        };
        let flags = received.map_or(0, |span| span.flags.bits());
        let mut row = vec![
            Cell::Text(node.span.span_id().to_string()),
            Cell::Number(node.parent.map_or(-1, |parent| parent as i64)),
            Cell::Number(link),
            self.text(node.span.operation_name()).into(),
            self.process(node.span).into(),
            self.time(node.start),
            Cell::Number(duration),
            Cell::Number(flags.into()),
            Cell::Number(node.span.is_error().into()),
        ];
        if let Some(span) = received {
            row.push(Cell::List(self.tags(&span.tags)));
            row.push(Cell::List(
                span.logs.iter().map(|log| self.log(log)).collect(),
            ));
            row.push(self.references(span));
            let critical = node.critical.iter().rev();
            let critical = critical.flat_map(|&(from, to)| [self.time(from), self.time(to)]);
            row.push(Cell::List(critical.collect()));
        }
        while matches!(row.last(), Some(Cell::List(list)) if list.is_empty()) {
            row.pop();
        }
        row
    }

    fn time(&self, micros: i64) -> Cell {
        Cell::Number(micros.saturating_sub(self.start))
    }

    fn log(&mut self, log: &'a LogRecord) -> Cell {
        let fields = Cell::List(self.tags(&log.fields));
        Cell::List(vec![self.time(log.timestamp.as_micros()), fields])
    }

    /// Returns the kind of each reference (1 for `ChildOf`), and the row of its span, or the span id, to which the trace
    /// id of another trace is added.
    fn references(&self, span: &OwnedSpan) -> Cell {
        let references = span.references.iter().map(|reference| {
            let is_here = reference.trace_id == self.trace_id;
            let mut cells = vec![Cell::Number(
                (reference.kind == ReferenceType::ChildOf).into(),
            )];
            match self.rows.get(&reference.span_id).filter(|_| is_here) {
                Some(&row) => cells.push(row.into()),
                None => cells.push(Cell::Text(reference.span_id.to_string())),
            }
            if !is_here {
                cells.push(Cell::Text(reference.trace_id.to_string()));
            }
            Cell::List(cells)
        });
        Cell::List(references.collect())
    }

    /// Returns two cells for each tag: its key times 8, plus its type; and its value, or the place of its text.
    fn tags(&mut self, tags: &'a [Tag]) -> Vec<Cell> {
        let mut cells = Vec::with_capacity(2 * tags.len());
        for tag in tags {
            let (kind, value) = match &tag.value {
                TagValue::String(text) => (0, self.text(text.as_ref()).into()),
                TagValue::Bool(value) => (1, Cell::Number((*value).into())),
                TagValue::Long(value) if value.unsigned_abs() > MAX_SAFE_INTEGER => {
                    (2, Cell::Text(value.to_string()))
                }
                TagValue::Long(value) => (2, Cell::Number(*value)),
                TagValue::Double(value) if value.is_finite() => (3, Cell::Double(*value)),
                TagValue::Double(value) => (0, self.text(non_finite(*value)).into()),
                TagValue::Binary(bytes) => (4, self.text(STANDARD.encode(bytes)).into()),
            };
            cells.push(Cell::Number(self.text(tag.key.as_ref()) as i64 * 8 + kind));
            cells.push(value);
        }
        cells
    }
}

/// Returns JSON that may stand in a script element of a page: no text of it can end the element.
pub(crate) fn escaped(value: &impl Serialize) -> String {
    let json = serde_json::to_string(value).unwrap_or_default();
    let mut out = String::with_capacity(json.len());
    // Outside of its strings JSON has none of these characters.
    for character in json.chars() {
        match character {
            '<' => out.push_str("\\u003c"),
            '>' => out.push_str("\\u003e"),
            '&' => out.push_str("\\u0026"),
            '\u{2028}' => out.push_str("\\u2028"),
            '\u{2029}' => out.push_str("\\u2029"),
            other => out.push(other),
        }
    }
    out
}
