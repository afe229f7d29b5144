//! A trace as a picture for documents: SVG that looks like the page, in light and dark.

use std::collections::HashMap;

use askama::Template;

use crate::view::Trace;
use crate::view::color::color;
use crate::view::page::render;
use crate::view::text::fit;
use crate::view::tree::{Link, Node, Tree, TreeSpan};
use crate::view::waterfall::{choose_rows, duration_text, micros};

impl Trace {
    /// Returns the trace as a picture in SVG, 960 pixels wide, which looks like the page: for documents, and for pages
    /// of other tools. Its text is text, and its colours follow the reader's choice of a light or a dark look.
    ///
    /// A row has the service, the operation and the time of a span. Of a large trace 40 spans are shown: errors first,
    /// then the critical path, then the first ones. Names that are too long are cut.
    ///
    /// ```
    /// use tracehound::model::{SpanId, TraceId};
    /// use tracehound::reporter::OwnedSpan;
    /// use tracehound::view::Trace;
    ///
    /// let (trace_id, span_id) = (TraceId::new(0, 1).expect("not 0"), SpanId::new(2).expect("not 0"));
    /// let traces = Trace::of([OwnedSpan::new(trace_id, span_id, "checkout")]);
    /// let svg = traces[0].svg();
    /// assert!(svg.starts_with("<svg ") && svg.contains("checkout"));
    /// ```
    pub fn svg(&self) -> String {
        render(&Picture::new(self, &Tree::new(self)))
    }
}

#[derive(Template)]
#[template(path = "trace.svg")]
struct Picture {
    title: String,
    /// The service and the operation of the root.
    name: String,
    /// The first digits of the trace id.
    id: String,
    facts: Vec<(&'static str, String)>,
    errors: Option<String>,
    services: Vec<Service>,
    ticks: Vec<Tick>,
    rows: Vec<Row>,
    /// The number of spans without a row.
    more: usize,
    /// The bottom of the last row.
    end: usize,
    height: usize,
}

/// A service with its colour, above the rows.
struct Service {
    x: usize,
    color: String,
    name: String,
}

/// A time on the axis.
struct Tick {
    x: usize,
    text: String,
}

/// A span. Lengths are pixels, and those with fractions are written with one digit after the point.
struct Row {
    y: usize,
    x: usize,
    color: String,
    is_error: bool,
    is_open: bool,
    /// The way in which the span hangs together with its parent, if it is an unusual one.
    mark: &'static str,
    service: String,
    operation: String,
    /// The left end and the width of the bar, of the stretches on the critical path, and the places of logs.
    bar: (String, String),
    critical: Vec<(String, String)>,
    logs: Vec<String>,
    label: String,
    label_x: String,
    label_class: &'static str,
    /// The left end and the width of what is under a label that stands on its bar.
    label_back: Option<(String, String)>,
}

impl Picture {
    // The template writes these.
    const WIDTH: usize = 960;
    const LEFT: usize = LEFT;
    const RIGHT: usize = RIGHT;
    const LANE: usize = LANE;

    fn new(trace: &Trace, tree: &Tree<'_>) -> Self {
        let mut places: HashMap<&str, usize> = HashMap::new();
        let mut names = Vec::new();
        for node in &tree.nodes {
            let service = node.span.service_name();
            places.entry(service).or_insert_with(|| {
                names.push(service);
                names.len() - 1
            });
        }
        let chosen = choose_rows(tree, ROWS);
        let rows = chosen.iter().enumerate().map(|(place, &index)| {
            let node = &tree.nodes[index];
            let service = places.get(node.span.service_name());
            Row::new(tree, node, place, service.copied().unwrap_or(0))
        });
        let rows: Vec<Row> = rows.collect();
        let root = tree.root();
        let service = root.map_or("", |root| root.span.service_name());
        let operation = root.map_or("", |root| root.span.operation_name());
        let name = fit(&format!("{service}: {operation}"), 70, true);
        let duration = duration_text(micros(tree.end.saturating_sub(tree.start)), true);
        let failed = tree
            .nodes
            .iter()
            .filter(|node| node.span.is_error())
            .count();
        let errors = match failed {
            0 => None,
            1 => Some("1 error".to_owned()),
            failed => Some(format!("{failed} errors")),
        };
        let (spans, more) = (tree.nodes.len(), tree.nodes.len() - rows.len());
        let end = TOP + rows.len() * ROW;
        Self {
            title: match &errors {
                Some(errors) => format!("{name}, {duration}, {spans} spans, {errors}"),
                None => format!("{name}, {duration}, {spans} spans"),
            },
            name,
            id: trace.trace_id.to_string().chars().take(7).collect(),
            facts: vec![
                ("Duration", duration),
                ("Services", names.len().to_string()),
                ("Depth", tree.depth().to_string()),
                ("Total Spans", spans.to_string()),
            ],
            errors,
            services: Service::all(&names),
            ticks: [0, 1, 2, 3, 4]
                .map(|quarter| Tick::new(tree, quarter))
                .into(),
            rows,
            more,
            end,
            height: end + if more > 0 { 32 } else { 12 },
        }
    }
}

impl Service {
    /// Returns the services that have room in a line.
    fn all(names: &[&str]) -> Vec<Self> {
        let mut x = LEFT;
        let mut services = Vec::new();
        for (place, name) in names.iter().enumerate() {
            let name = fit(name, 24, true);
            let width = 32 + name.chars().count() * 8;
            if x + width > RIGHT {
                break;
            }
            services.push(Self {
                x,
                color: color(place),
                name,
            });
            x += width;
        }
        services
    }
}

impl Tick {
    fn new(tree: &Tree<'_>, quarter: usize) -> Self {
        let whole = tree.end.saturating_sub(tree.start);
        let time = i64::try_from(i128::from(whole) * quarter as i128 / 4).unwrap_or(0);
        Self {
            x: LANE + (RIGHT - LANE) * quarter / 4,
            text: match time {
                0 => "0".to_owned(),
                time => duration_text(micros(time), true),
            },
        }
    }
}

impl Row {
    fn new(tree: &Tree<'_>, node: &Node<'_>, place: usize, service: usize) -> Self {
        let whole = tree.end.saturating_sub(tree.start).max(1) as f64;
        let lane = (RIGHT - LANE) as f64;
        let at = |time: i64| {
            let part = time.saturating_sub(tree.start) as f64 / whole;
            LANE as f64 + part.clamp(0.0, 1.0) * lane
        };
        let (left, right) = (at(node.start), at(node.end).max(at(node.start) + 2.0));
        let critical = node.critical.iter().rev().map(|&(from, to)| {
            let (from, to) = (at(from), at(to));
            (pixels(from), pixels(to - from))
        });
        let mut logs: Vec<String> = match node.span {
            TreeSpan::Received(span) => {
                let times = span.span.logs.iter().map(|log| log.timestamp.as_micros());
                times
                    .map(|time| pixels(at(time) - 1.0))
                    .take(MAX_LOGS)
                    .collect()
            }
            TreeSpan::Open(..) => Vec::new(),
        };
        logs.dedup();
        let is_error = node.span.is_error();
        let label = match node.span {
            TreeSpan::Received(span) => duration_text(span.span.duration, true),
            TreeSpan::Open(..) => "open".to_owned(),
        };
        let label = fit(&label, 30, true);
        // The label stands after the bar, before it, or on it, where there is room.
        let (label_x, label_class) = if right < LANE as f64 + lane * 0.85 {
            (right + 6.0, "s")
        } else if left > LANE as f64 + lane * 0.15 {
            (left - 6.0, "s end")
        } else {
            (right - 8.0, "end")
        };
        let label_back = (label_class == "end").then(|| {
            let width = (label.chars().count() * LETTER + 6) as f64;
            (pixels(label_x - width + 4.0), pixels(width))
        });
        let x = LEFT + node.depth.min(MAX_INDENTS) * INDENT;
        let columns = (LANE - 12 - x) / LETTER;
        let name = fit(node.span.service_name(), columns / 2, true);
        let used = name.chars().count() + if is_error { 3 } else { 0 };
        Self {
            y: TOP + place * ROW,
            x,
            color: color(service),
            is_error,
            is_open: node.span.is_open(),
            mark: match node.link {
                Link::Root | Link::ChildOf => "",
                Link::FollowsFrom => "→",
                Link::Orphan => "?",
            },
            operation: fit(
                node.span.operation_name(),
                columns.saturating_sub(used),
                true,
            ),
            service: name,
            bar: (pixels(left), pixels(right - left)),
            critical: critical.collect(),
            logs,
            label,
            label_x: pixels(label_x),
            label_class,
            label_back,
        }
    }

    fn text_x(&self) -> usize {
        self.x + if self.is_error { 31 } else { 15 }
    }
}

fn pixels(length: f64) -> String {
    format!("{length:.1}")
}

/// The ends of the rows, and where their bars begin.
const LEFT: usize = 16;
const RIGHT: usize = 944;
const LANE: usize = 370;
/// The top of the first row, and the height of each.
const TOP: usize = 109;
const ROW: usize = 27;
/// The width of a level of the tree. Below the last level names would have no room.
const INDENT: usize = 14;
const MAX_INDENTS: usize = 12;
/// The width of a letter, about.
const LETTER: usize = 8;
/// How many spans have a row, and how many logs of a span have a mark.
const ROWS: usize = 40;
const MAX_LOGS: usize = 200;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::view::fixtures::{open, span, trace};

    #[test]
    fn the_picture_of_the_readme_is_that_of_its_trace() {
        let json = include_str!("../../docs/pictures/order.json");
        let traces = Trace::from_json(json).expect("a trace");
        let drawn = traces[0].svg();
        let kept = include_str!("../../docs/pictures/order.svg");
        let how = "tracehound open docs/pictures/order.json --format svg > docs/pictures/order.svg";
        assert!(drawn == kept, "draw it again: {how}");
    }

    #[test]
    fn nothing_of_a_hostile_trace_is_more_than_text() {
        let hostile = "</text><script>alert(1)</script>\u{0}\u{1b}\u{202e}&<![CDATA[";
        let mut trace = trace([span("shop", hostile, 1, 0, 5)
            .tag("error", true)
            .log("message", hostile)]);
        let mut foreign = span("shop", hostile, 2, 1, 2).child_of(1).received();
        let process = crate::model::Process::new(hostile, Vec::new());
        std::sync::Arc::make_mut(&mut foreign).process = std::sync::Arc::new(process);
        trace.spans.push(foreign);
        let svg = trace.svg();
        assert!(
            !svg.contains("<script") && !svg.contains("<![CDATA["),
            "{svg}"
        );
        assert!(!svg.chars().any(|c| c.is_control() && c != '\n'), "{svg}");
        assert!(!svg.contains('\u{202e}'));
    }

    #[test]
    fn a_picture_of_any_trace_is_bounded() {
        let first = span("shop", "call", 1, 0, 10);
        let others =
            (2..=5_000).map(|n| span("shop", "call", n, 0, 10).child_of(n - 1).log("a", 1));
        let many = [first].into_iter().chain(others);
        let mut trace = trace(many);
        trace
            .spans
            .push(span("shop", "extreme", 6_000, 0, i64::MAX / 2_000_000).received());
        trace.open.push(open("shop", "root", 7_000, i64::MIN / 4));
        let svg = trace.svg();
        assert_eq!(svg.matches("<g ").count(), ROWS);
        assert!(svg.contains(" more spans</text>"));
        assert!(svg.len() < 60_000, "{} bytes", svg.len());
        assert!(!svg.contains("NaN") && !svg.contains("inf"));
        assert!(
            Trace {
                spans: Vec::new(),
                open: Vec::new(),
                ..trace
            }
            .svg()
            .ends_with("</svg>")
        );
    }
}
