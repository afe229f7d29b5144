//! `/`: the search, with a card for each trace that it finds.

use std::collections::BTreeSet;
use std::sync::Arc;

use askama::Template;
use axum::extract::{Query, State};
use axum::response::{IntoResponse, Response};
use http::HeaderMap;

use crate::dev::server::conditions::services;
use crate::dev::server::state::ServerState;
use crate::dev::server::viewer::answer::{html, parameter, wants_html};
use crate::dev::server::viewer::filter::Filter;
use crate::dev::server::viewer::list;
use crate::dev::server::viewer::picture::{color, duration, time};
use crate::dev::server::viewer::summary::Summary;
use crate::dev::store::TraceStore;
use crate::view::Trace;
use crate::view::page::frame::{Frame, View};
use crate::view::page::render;

/// The fields of the search as they were sent, the traces that it finds, and the same search as it goes on.
#[derive(Template)]
#[template(path = "search.html")]
struct SearchPage {
    frame: Frame,
    form: Form,
    problem: Option<String>,
    cards: Vec<Card>,
    plot: Vec<Dot>,
    /// The number of traces that the server holds.
    held: usize,
    first: String,
    last: String,
    longest: String,
}

/// The fields of a search as they stand in the form.
pub(super) struct Form {
    pub(super) services: Vec<String>,
    pub(super) operations: Vec<String>,
    parameters: Vec<(String, String)>,
}

impl Form {
    pub(super) fn new(traces: &[Trace], parameters: Vec<(String, String)>) -> Self {
        let service = parameter(&parameters, "service");
        Self {
            services: services(traces),
            operations: operations(traces, service),
            parameters,
        }
    }

    /// Returns the text of a field.
    pub(super) fn field(&self, name: &str) -> &str {
        parameter(&self.parameters, name).unwrap_or("")
    }

    /// Returns whether a choice is made.
    pub(super) fn is(&self, name: &str, value: &str) -> bool {
        self.field(name) == value
    }

    /// Returns the parameters as they stand in an address.
    pub(super) fn query(&self) -> String {
        let set = self
            .parameters
            .iter()
            .filter(|(_, value)| !value.trim().is_empty());
        let pairs = set.map(|(name, value)| format!("{}={}", encoded(name), encoded(value)));
        pairs.collect::<Vec<_>>().join("&")
    }
}

/// A trace that was found.
struct Card {
    trace: Summary,
    time: String,
    duration: String,
    /// The length of the duration, in per cent of the longest.
    percent: f64,
    /// The services with their colours and numbers of spans.
    services: Vec<(String, String, usize)>,
}

/// A trace in the plot of durations.
struct Dot {
    /// In per cent of the plot.
    x: f64,
    y: f64,
    /// In pixels.
    radius: f64,
    is_error: bool,
    href: String,
    title: String,
}

/// Answers with the page for a browser, and with a list for others.
pub(super) async fn show(
    State(state): State<Arc<ServerState>>,
    Query(parameters): Query<Vec<(String, String)>>,
    headers: HeaderMap,
) -> Response {
    if !wants_html(&headers) {
        return list(&state).into_response();
    }
    let frame = Frame::served(View::Search);
    let (filter, problem) = match Filter::new(&parameters, PAGE_LIMIT) {
        Ok(filter) => (filter, None),
        Err(problem) => (
            Filter {
                limit: 0,
                ..Filter::default()
            },
            Some(problem),
        ),
    };
    // Programs wait for the store when they start a trace, so nothing is looked through while it is locked.
    let traces = state.look(TraceStore::traces);
    let (form, held) = (Form::new(&traces, parameters), traces.len());
    let found = filter.find(traces).into_iter();
    let found: Vec<Summary> = found.map(|(summary, _)| summary).collect();
    let longest = found.iter().map(|trace| trace.duration).max().unwrap_or(0);
    let starts = || found.iter().map(|trace| trace.start);
    let (first, last) = (starts().min().unwrap_or(0), starts().max().unwrap_or(0));
    let page = SearchPage {
        frame,
        problem,
        plot: found
            .iter()
            .map(|trace| Dot::new(trace, (first, last), longest))
            .collect(),
        cards: found
            .into_iter()
            .map(|trace| Card::new(trace, longest, &form.services))
            .collect(),
        form,
        held,
        first: time(first),
        last: time(last),
        longest: duration(longest),
    };
    html(render(&page), frame)
}

impl Card {
    fn new(trace: Summary, longest: i64, all: &[String]) -> Self {
        let services = trace.services.iter().map(|(name, spans)| {
            let place = all.binary_search(name).unwrap_or(0);
            (name.clone(), color(place), *spans)
        });
        Self {
            time: time(trace.start),
            duration: duration(trace.duration),
            percent: part(trace.duration, longest) * 100.0,
            services: services.collect(),
            trace,
        }
    }
}

impl Dot {
    fn new(trace: &Summary, (first, last): (i64, i64), longest: i64) -> Self {
        let x = part(
            trace.start.saturating_sub(first),
            last.saturating_sub(first),
        );
        let title = format!(
            "{}: {}, {}, {} spans",
            trace.service,
            trace.operation,
            duration(trace.duration),
            trace.spans
        );
        Self {
            x: 2.0 + 96.0 * x,
            y: 92.0 - 84.0 * part(trace.duration, longest),
            radius: (3.0 + (trace.spans as f64).sqrt() / 4.0).min(12.0),
            is_error: trace.errors > 0,
            href: format!("/trace/{}", trace.trace_id),
            title,
        }
    }
}

/// Returns the part that a length is of a whole, from 0 to 1.
fn part(length: i64, whole: i64) -> f64 {
    (length as f64 / whole.max(1) as f64).clamp(0.0, 1.0)
}

/// Returns text as it may stand in the query of an address.
fn encoded(text: &str) -> String {
    percent_encoding::utf8_percent_encode(text, percent_encoding::NON_ALPHANUMERIC).to_string()
}

/// Returns the operations of a service, or of all, sorted.
fn operations(traces: &[Trace], service: Option<&str>) -> Vec<String> {
    let mut names = BTreeSet::new();
    for span in traces.iter().flat_map(|trace| &trace.spans) {
        let is_wanted = service.is_none_or(|service| span.service_name() == service);
        if is_wanted && names.len() < MAX_OPERATIONS {
            names.insert(span.span.operation_name.as_str());
        }
    }
    names.into_iter().map(str::to_owned).collect()
}

/// The number of traces on the page, unless a request says otherwise.
const PAGE_LIMIT: usize = 20;
const MAX_OPERATIONS: usize = 1_000;
