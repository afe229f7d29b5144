//! The page of a trace: one document for the server and for a file.

pub(crate) mod data;
pub(crate) mod frame;

use std::fs;
use std::io;
use std::path::Path;

use askama::Template;
use serde::Serialize;

use crate::view::Trace;
use crate::view::json::{Envelope, TraceJson};
use crate::view::page::data::{TraceData, escaped};
use crate::view::page::frame::Frame;
use crate::view::tree::Tree;
use crate::view::waterfall::{Style, draw_tree};

/// The page with traces, of which it shows one at a time.
#[derive(Template)]
#[template(path = "trace.html")]
struct TracePage {
    frame: Frame,
    title: String,
    pictures: Vec<String>,
    /// JSON that may stand in a script element.
    data: String,
}

#[derive(Serialize)]
struct PageData<'a> {
    traces: Vec<TraceData<'a>>,
    /// Addresses and titles of other views of the trace.
    links: &'a [(String, &'static str)],
}

/// Returns the page of these traces.
pub(crate) fn page(traces: &[Trace], frame: Frame, links: &[(String, &'static str)]) -> String {
    let trees: Vec<Tree<'_>> = traces.iter().map(Tree::new).collect();
    let title = trees.first().and_then(Tree::root).map_or_else(
        || "no spans".to_owned(),
        |root| {
            let span = root.span;
            format!("{}: {}", span.service_name(), span.operation_name())
        },
    );
    let drawn = traces.iter().zip(&trees);
    let pictures = drawn.map(|(trace, tree)| draw_tree(trace, tree, &PICTURE));
    let drawn = traces.iter().zip(&trees);
    let data = PageData {
        traces: drawn
            .clone()
            .map(|(trace, tree)| TraceData::new(trace.trace_id, tree))
            .collect(),
        links,
    };
    render(&TracePage {
        frame,
        title,
        pictures: pictures.collect(),
        data: escaped(&data),
    })
}

/// Returns the text of a template, which fails only if a part of it does, and none of ours can.
pub(crate) fn render(page: &impl Template) -> String {
    page.render().unwrap_or_default()
}

impl Trace {
    /// Returns the page of the trace: one document, which needs no server and loads nothing.
    ///
    /// It is about 70 kB, and about 70 bytes more for each span and 10 for each tag, with each text once.
    ///
    /// ```
    /// use tracehound::model::{SpanId, TraceId};
    /// use tracehound::reporter::OwnedSpan;
    /// use tracehound::view::Trace;
    ///
    /// let (trace_id, span_id) = (TraceId::new(0, 1).expect("not 0"), SpanId::new(2).expect("not 0"));
    /// let traces = Trace::of([OwnedSpan::new(trace_id, span_id, "<script>alert(1)</script>")]);
    /// let page = traces[0].html();
    /// assert!(page.starts_with("<!doctype html>"));
    /// assert!(!page.contains("<script>alert"));
    /// ```
    pub fn html(&self) -> String {
        page(std::slice::from_ref(self), Frame::file(), &[])
    }

    /// Writes the page of the trace to a file, which a browser shows without a server.
    ///
    /// # Errors
    ///
    /// Fails if the file cannot be written.
    ///
    /// ```
    /// use tracehound::testkit::TestTracer;
    /// use tracehound::prelude::*;
    /// use tracehound::view::Trace;
    ///
    /// let tracer = TestTracer::new("shop");
    /// tracer.start_span("checkout").finish();
    /// let path = std::env::temp_dir().join(format!("tracehound-html-{}.html", std::process::id()));
    /// Trace::of(tracer.spans())[0].write_html(&path)?;
    /// assert!(std::fs::read_to_string(&path)?.contains("checkout"));
    /// # std::fs::remove_file(path)?;
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn write_html(&self, path: impl AsRef<Path>) -> io::Result<()> {
        fs::write(path, self.html())
    }

    /// Returns the trace in the JSON of Jaeger's query API, which Jaeger's user interface opens as a file. Spans that
    /// are still open are left out.
    ///
    /// ```
    /// use tracehound::model::{SpanId, TraceId};
    /// use tracehound::reporter::OwnedSpan;
    /// use tracehound::view::Trace;
    ///
    /// let (trace_id, span_id) = (TraceId::new(0, 1).expect("not 0"), SpanId::new(2).expect("not 0"));
    /// let traces = Trace::of([OwnedSpan::new(trace_id, span_id, "checkout")]);
    /// assert!(traces[0].json().contains(r#""operationName":"checkout""#));
    /// ```
    pub fn json(&self) -> String {
        let trace = self.clone().with_own_ids();
        serde_json::to_string(&Envelope::one(TraceJson::new(&trace))).unwrap_or_default()
    }

    /// Returns several traces in one document of the JSON of Jaeger's query API, which [`from_json`](Self::from_json)
    /// reads again.
    ///
    /// ```
    /// use tracehound::view::Trace;
    ///
    /// assert_eq!(Trace::from_json(&Trace::json_of(&[]))?.len(), 0);
    /// # Ok::<(), tracehound::view::InvalidTraceJson>(())
    /// ```
    pub fn json_of(traces: &[Self]) -> String {
        let traces: Vec<_> = traces.iter().cloned().map(Self::with_own_ids).collect();
        let traces = traces.iter().map(TraceJson::new).collect();
        serde_json::to_string(&Envelope::list(traces)).unwrap_or_default()
    }
}

/// The picture for browsers without scripts.
const PICTURE: Style = Style {
    bold: false,
    ..Style::terminal(120, false)
};
