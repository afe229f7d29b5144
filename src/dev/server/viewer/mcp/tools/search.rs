//! `search_traces`: the traces that fit, in a line each.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::dev::server::conditions::{Conditions, go_duration};
use crate::dev::server::state::ServerState;
use crate::dev::server::viewer::filter::Filter;
use crate::dev::server::viewer::mcp::allowance::Allowance;
use crate::dev::server::viewer::mcp::tools::long;
use crate::dev::server::viewer::mcp::tools::times::{Interval, rfc3339};
use crate::dev::server::viewer::summary::Summary;
use crate::dev::store::TraceStore;
use crate::view::Trace;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Arguments {
    service_name: String,
    span_name: Option<String>,
    start_time_min: Option<String>,
    start_time_max: Option<String>,
    attributes: Option<BTreeMap<String, String>>,
    with_errors: Option<bool>,
    duration_min: Option<String>,
    duration_max: Option<String>,
    search_depth: Option<i64>,
}

#[derive(Serialize)]
pub(super) struct Found {
    traces: Vec<TraceLine>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
}

#[derive(Serialize)]
struct TraceLine {
    trace_id: String,
    root_service: String,
    root_span_name: String,
    start_time: String,
    duration_us: i64,
    span_count: usize,
    service_count: usize,
    services: Vec<String>,
    has_errors: bool,
}

/// Finds traces, the newest first.
pub(super) fn traces(state: &ServerState, asked: Arguments) -> Result<Found, String> {
    if asked.service_name.is_empty() {
        return Err("service_name is required: get_services lists the names".to_owned());
    }
    let interval = Interval::new(
        ("start_time_min", asked.start_time_min.as_deref()),
        ("start_time_max", asked.start_time_max.as_deref()),
    )?;
    let duration = |name: &str, text: Option<&str>| {
        let text = text.map(str::trim).filter(|text| !text.is_empty());
        let problem = || format!("invalid {name}: a duration is like 1.5ms, 20ms or 2s");
        text.map(|text| go_duration(text).ok_or_else(problem))
            .transpose()
    };
    let conditions = Conditions {
        service: Some(asked.service_name),
        operation: asked.span_name.filter(|name| !name.is_empty()),
        tags: asked.attributes.unwrap_or_default().into_iter().collect(),
        min_duration: duration("duration_min", asked.duration_min.as_deref())?,
        max_duration: duration("duration_max", asked.duration_max.as_deref())?,
        start: interval.start,
        end: interval.end,
    };
    if let (Some(least), Some(most)) = (conditions.min_duration, conditions.max_duration)
        && most < least
    {
        return Err("duration_max must not be less than duration_min".to_owned());
    }
    let filter = Filter {
        conditions,
        errors: asked.with_errors.unwrap_or(false),
        limit: limit(asked.search_depth),
        ..Filter::default()
    };
    let found = filter.find(state.look(TraceStore::traces));
    let mut allowance = Allowance::new();
    let mut traces = Vec::new();
    for (summary, trace) in &found {
        if !allowance.take(LINE) {
            break;
        }
        traces.push(TraceLine::new(summary, trace, &mut allowance));
    }
    let error = allowance.note();
    Ok(Found { traces, error })
}

impl TraceLine {
    fn new(summary: &Summary, trace: &Trace, allowance: &mut Allowance) -> Self {
        let mut services = Vec::new();
        for (name, _) in &summary.services {
            if !allowance.take(4) {
                break;
            }
            services.push(allowance.text(name));
        }
        Self {
            trace_id: long(trace.trace_id),
            root_service: allowance.text(&summary.service),
            root_span_name: allowance.text(&summary.operation),
            start_time: rfc3339(summary.start),
            duration_us: summary.duration,
            span_count: summary.spans,
            service_count: summary.services.len(),
            services,
            has_errors: summary.errors > 0,
        }
    }
}

fn limit(asked: Option<i64>) -> usize {
    let asked = asked.and_then(|depth| usize::try_from(depth).ok());
    asked
        .filter(|&depth| depth > 0)
        .unwrap_or(DEFAULT_LIMIT)
        .min(MAX_LIMIT)
}

/// The numbers of traces in an answer; both are Jaeger's.
const DEFAULT_LIMIT: usize = 10;
const MAX_LIMIT: usize = 100;
/// The bytes of a line beside its texts, about.
const LINE: usize = 260;
