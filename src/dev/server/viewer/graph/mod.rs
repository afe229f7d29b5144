//! `/graph`: which services call which, how often, how many calls fail, and how long they take.

mod labels;
mod layout;
mod numbers;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use askama::Template;
use axum::extract::State;
use axum::response::Response;

use crate::dev::server::state::ServerState;
use crate::dev::server::viewer::answer::html;
use crate::dev::server::viewer::graph::labels::keep_apart;
use crate::dev::server::viewer::graph::layout::{Arrow, Place, layout};
use crate::dev::server::viewer::graph::numbers::{Calls, Numbers};
use crate::dev::server::viewer::picture::color;
use crate::dev::store::TraceStore;
use crate::view::Trace;
use crate::view::page::frame::{Frame, View};
use crate::view::page::render;
use crate::view::tree::Tree;

#[derive(Template)]
#[template(path = "graph.html")]
struct GraphPage {
    frame: Frame,
    traces: usize,
    places: Vec<Place>,
    arrows: Vec<Arrow>,
    width: f64,
    height: f64,
    services: Vec<ServiceRow>,
    calls: Vec<CallRow>,
    /// Whether the picture or a table leaves something out.
    is_cut: bool,
}

/// A service in its table.
struct ServiceRow {
    name: String,
    color: String,
    numbers: Numbers,
}

/// Calls from one service to another in their table.
struct CallRow {
    from: String,
    to: String,
    numbers: Numbers,
}

/// The services of traces and the calls between them.
#[derive(Debug, Default)]
struct Graph {
    /// The requests that each service has got: its spans whose parents are of other services, or which have none.
    services: BTreeMap<String, Calls>,
    edges: BTreeMap<(String, String), Calls>,
    /// The time from the first start to the last end, in microseconds.
    first: Option<i64>,
    last: Option<i64>,
}

impl Graph {
    fn add(&mut self, trace: &Trace) {
        let tree = Tree::new(trace);
        self.first = Some(self.first.map_or(tree.start, |first| first.min(tree.start)));
        self.last = Some(self.last.map_or(tree.end, |last| last.max(tree.end)));
        for node in &tree.nodes {
            let service = node.span.service_name();
            let caller = node
                .parent
                .map(|parent| tree.nodes[parent].span.service_name());
            if caller == Some(service) {
                continue;
            }
            let duration = node.end.saturating_sub(node.start);
            let add = |calls: &mut Calls| {
                calls.durations.push(duration);
                calls.errors += usize::from(node.span.is_error());
            };
            add(self.services.entry(service.to_owned()).or_default());
            if let Some(caller) = caller {
                let edge = (caller.to_owned(), service.to_owned());
                add(self.edges.entry(edge).or_default());
            }
        }
    }

    /// Returns the seconds that the traces span, at least one.
    fn seconds(&self) -> f64 {
        let (first, last) = (self.first.unwrap_or(0), self.last.unwrap_or(0));
        (last.saturating_sub(first) as f64 / 1e6).max(1.0)
    }
}

impl<'a> FromIterator<&'a Trace> for Graph {
    fn from_iter<T: IntoIterator<Item = &'a Trace>>(traces: T) -> Self {
        let mut graph = Self::default();
        traces.into_iter().for_each(|trace| graph.add(trace));
        graph
    }
}

/// Returns the graph of all traces that the server holds.
fn graph(state: &ServerState) -> (Graph, usize) {
    let traces = state.look(TraceStore::traces);
    (traces.iter().collect(), traces.len())
}

pub(super) async fn show(State(state): State<Arc<ServerState>>) -> Response {
    let frame = Frame::served(View::Graph);
    let (mut graph, traces) = graph(&state);
    let seconds = graph.seconds();
    let names: Vec<&String> = graph.services.keys().collect();
    let is_cut =
        names.len() > MAX_ROWS || graph.edges.len() > MAX_ROWS || names.len() > layout::MAX_PLACES;
    let edges: BTreeSet<(usize, usize)> = graph
        .edges
        .keys()
        .filter_map(|(from, to)| {
            Some((
                names.binary_search(&from).ok()?,
                names.binary_search(&to).ok()?,
            ))
        })
        .collect();
    let labels = names.iter().map(|name| (*name).clone()).collect();
    let (mut places, mut arrows, width, height) = layout(labels, &edges);
    for place in &mut places {
        if let Some(calls) = graph.services.get_mut(&place.name) {
            place.set_numbers(&calls.numbers(seconds));
        }
    }
    for arrow in &mut arrows {
        if let Some(calls) = graph.edges.get_mut(&(arrow.from.clone(), arrow.to.clone())) {
            arrow.set_numbers(&calls.numbers(seconds));
        }
    }
    keep_apart(&places, &mut arrows, height);
    let services = graph.services.into_iter().enumerate().take(MAX_ROWS);
    let calls = graph.edges.into_iter().take(MAX_ROWS);
    let page = GraphPage {
        frame,
        traces,
        places,
        arrows,
        width,
        height,
        services: services
            .map(|(place, (name, mut calls))| ServiceRow {
                name,
                color: color(place),
                numbers: calls.numbers(seconds),
            })
            .collect(),
        calls: calls
            .map(|((from, to), mut calls)| CallRow {
                from,
                to,
                numbers: calls.numbers(seconds),
            })
            .collect(),
        is_cut,
    };
    html(render(&page), frame)
}

const MAX_ROWS: usize = 500;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::view::fixtures::{span, trace};

    #[test]
    fn calls_are_spans_below_spans_of_other_services() {
        let mut graph = Graph::default();
        graph.add(&trace([
            span("shop", "checkout", 1, 0, 2_000_000),
            span("shop", "prepare", 2, 0, 10).child_of(1),
            span("pay", "charge", 3, 10, 110)
                .child_of(2)
                .tag("error", true),
            span("pay", "charge", 4, 200, 500).child_of(1),
            span("lost", "orphan", 5, 0, 1).child_of(99),
        ]));
        let edges: Vec<_> = graph
            .edges
            .keys()
            .map(|(from, to)| format!("{from} {to}"))
            .collect();
        assert_eq!(edges, ["shop pay"]);
        let seconds = graph.seconds();
        assert_eq!(seconds, 2.0);
        let mut numbers = |service: &str| {
            let numbers = graph
                .services
                .get_mut(service)
                .expect(service)
                .numbers(seconds);
            let Numbers {
                count,
                rate,
                errors,
                error_percent,
                median,
                p95,
                longest,
            } = numbers;
            (
                count,
                rate,
                errors,
                error_percent,
                [median, p95, longest].join(" "),
            )
        };
        let text = str::to_owned;
        let pay = (
            2,
            text("1.00/s"),
            1,
            text("50.0 %"),
            text("100µs 300µs 300µs"),
        );
        assert_eq!(numbers("pay"), pay);
        assert_eq!(numbers("shop").0, 1);
        assert_eq!(numbers("lost").0, 1);
    }
}
