//! `/compare`: two traces side by side, span by span of one path of names.

use std::collections::HashMap;
use std::sync::Arc;

use askama::Template;
use axum::extract::{Query, State};
use axum::response::Response;

use crate::dev::server::state::ServerState;
use crate::dev::server::viewer::answer::{html, parameter};
use crate::dev::server::viewer::picture::{color, duration};
use crate::dev::server::viewer::summary::Summary;
use crate::view::Trace;
use crate::view::page::frame::{Frame, View};
use crate::view::page::render;
use crate::view::tree::Tree;

#[derive(Template)]
#[template(path = "compare.html")]
struct ComparePage {
    frame: Frame,
    a: Side,
    b: Side,
    rows: Vec<Row>,
    /// The number of further rows.
    more: usize,
    /// The newest traces, to choose from.
    choices: Vec<Summary>,
}

/// A trace of the two.
struct Side {
    /// The id as it was asked for.
    id: String,
    trace: Option<Summary>,
}

/// The spans of both traces that have the same names from the root down.
#[derive(Debug, PartialEq)]
struct Row {
    depth: usize,
    service: String,
    operation: String,
    color: String,
    a: Sum,
    b: Sum,
}

/// The number of spans on one side, and the microseconds that they took together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Sum {
    count: usize,
    errors: usize,
    time: i64,
}

impl ComparePage {
    fn sides(&self) -> [(&'static str, &Side); 2] {
        [("A", &self.a), ("B", &self.b)]
    }
}

impl Side {
    fn duration(&self) -> String {
        self.trace
            .as_ref()
            .map_or_else(String::new, |trace| duration(trace.duration))
    }
}

impl Row {
    /// Returns a word for how the second trace differs. Colour alone would not tell everyone.
    fn change(&self) -> &'static str {
        match (self.a.count, self.b.count) {
            (0, _) => "added",
            (_, 0) => "removed",
            (a, b) if a < b => "more",
            (a, b) if a > b => "fewer",
            _ => "same",
        }
    }

    fn indent(&self) -> String {
        "\u{2003}".repeat(self.depth.min(MAX_INDENT))
    }

    /// Returns the difference of the times with its sign.
    fn difference(&self) -> String {
        let difference = self.b.time.saturating_sub(self.a.time);
        match difference {
            0 => "0".to_owned(),
            1.. => format!("+{}", duration(difference)),
            _ => format!("−{}", duration(difference.saturating_neg())),
        }
    }
}

impl Sum {
    fn time(&self) -> String {
        match self.count {
            0 => "–".to_owned(),
            _ => duration(self.time),
        }
    }
}

/// Compares the traces that the parameters `a` and `b` name.
pub(super) async fn show(
    State(state): State<Arc<ServerState>>,
    Query(parameters): Query<Vec<(String, String)>>,
) -> Response {
    let frame = Frame::served(View::Compare);
    let id = |name| parameter(&parameters, name).unwrap_or("");
    let (traces, newest) = state.look(|store| {
        let find = |name| id(name).parse().ok().and_then(|id| store.trace(id));
        let newest = store.trace_ids().into_iter().rev().take(MAX_CHOICES);
        let newest: Vec<Trace> = newest.filter_map(|id| store.trace(id)).collect();
        ([find("a"), find("b")], newest)
    });
    let choices = newest.iter().map(Summary::new).collect();
    let side = |name, trace: &Option<Trace>| Side {
        id: id(name).to_owned(),
        trace: trace.as_ref().map(Summary::new),
    };
    let mut rows = match &traces {
        [Some(a), Some(b)] => compare(a, b),
        _ => Vec::new(),
    };
    let more = rows.len().saturating_sub(MAX_ROWS);
    rows.truncate(MAX_ROWS);
    let page = ComparePage {
        frame,
        a: side("a", &traces[0]),
        b: side("b", &traces[1]),
        rows,
        more,
        choices,
    };
    html(render(&page), frame)
}

/// Returns the rows of both traces, parents before children.
fn compare(a: &Trace, b: &Trace) -> Vec<Row> {
    let (a, b) = (Tree::new(a), Tree::new(b));
    let mut merged = Merged::default();
    merged.add(&a, |row| &mut row.a);
    merged.add(&b, |row| &mut row.b);
    merged.into_rows()
}

/// The rows while both traces are added.
#[derive(Default)]
struct Merged<'a> {
    rows: Vec<Row>,
    children: Vec<Vec<usize>>,
    roots: Vec<usize>,
    places: HashMap<(Option<usize>, &'a str, &'a str), usize>,
    /// The services in the order in which they appear.
    services: HashMap<&'a str, usize>,
}

impl<'a> Merged<'a> {
    fn add(&mut self, tree: &Tree<'a>, side: impl Fn(&mut Row) -> &mut Sum) {
        let mut row_of: Vec<usize> = Vec::with_capacity(tree.nodes.len());
        for node in &tree.nodes {
            let parent = node.parent.map(|parent| row_of[parent]);
            let (service, operation) = (node.span.service_name(), node.span.operation_name());
            let row = match self.places.get(&(parent, service, operation)) {
                Some(&row) => row,
                None => self.insert(parent, service, operation),
            };
            row_of.push(row);
            let sum = side(&mut self.rows[row]);
            sum.count += 1;
            sum.errors += usize::from(node.span.is_error());
            sum.time = sum.time.saturating_add(node.end.saturating_sub(node.start));
        }
    }

    fn insert(&mut self, parent: Option<usize>, service: &'a str, operation: &'a str) -> usize {
        let row = self.rows.len();
        let next = self.services.len();
        let color_index = *self.services.entry(service).or_insert(next);
        self.rows.push(Row {
            depth: parent.map_or(0, |parent| self.rows[parent].depth + 1),
            service: service.to_owned(),
            operation: operation.to_owned(),
            color: color(color_index),
            a: Sum::default(),
            b: Sum::default(),
        });
        self.children.push(Vec::new());
        match parent {
            Some(parent) => self.children[parent].push(row),
            None => self.roots.push(row),
        }
        self.places.insert((parent, service, operation), row);
        row
    }

    fn into_rows(self) -> Vec<Row> {
        let mut order = Vec::with_capacity(self.rows.len());
        let mut waiting: Vec<usize> = self.roots.into_iter().rev().collect();
        while let Some(row) = waiting.pop() {
            order.push(row);
            waiting.extend(self.children[row].iter().rev());
        }
        let mut rows: Vec<Option<Row>> = self.rows.into_iter().map(Some).collect();
        order
            .into_iter()
            .filter_map(|row| rows[row].take())
            .collect()
    }
}

const MAX_ROWS: usize = 1_000;
const MAX_CHOICES: usize = 100;
const MAX_INDENT: usize = 20;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::view::fixtures::{span, trace};

    #[test]
    fn spans_of_one_path_are_compared_and_the_others_are_added_or_removed() {
        let before = trace([
            span("shop", "checkout", 1, 0, 100),
            span("db", "read", 2, 10, 20).child_of(1),
            span("db", "read", 3, 30, 40).child_of(1),
            span("mail", "send", 4, 50, 60).child_of(1),
        ]);
        let after = trace([
            span("shop", "checkout", 1, 0, 80),
            span("db", "read", 2, 10, 25).child_of(1),
            span("cache", "get", 3, 30, 40).child_of(1),
            span("db", "read", 4, 31, 32).child_of(3),
        ]);
        let rows = compare(&before, &after);
        let seen: Vec<_> = rows
            .iter()
            .map(|row| {
                let counts = (row.a.count, row.b.count);
                (
                    row.depth,
                    row.operation.as_str(),
                    counts,
                    row.change(),
                    row.difference(),
                )
            })
            .collect();
        let expected = [
            (0, "checkout", (1, 1), "same", "−20µs"),
            (1, "read", (2, 1), "fewer", "−5µs"),
            (1, "send", (1, 0), "removed", "−10µs"),
            (1, "get", (0, 1), "added", "+10µs"),
            (2, "read", (0, 1), "added", "+1µs"),
        ];
        let expected = expected.map(|(depth, name, counts, change, difference)| {
            (depth, name, counts, change, difference.to_owned())
        });
        assert_eq!(seen, expected);
        assert_eq!(rows[3].a.time(), "–");
    }
}
