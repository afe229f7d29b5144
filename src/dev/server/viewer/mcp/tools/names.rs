//! `get_services`, `get_span_names` and `get_service_dependencies`: the names that other tools ask for.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use regex_lite::{Regex, RegexBuilder};
use serde::{Deserialize, Serialize};

use crate::bounded_text::beginning;
use crate::clock::{deadline_after, instant_now};
use crate::dev::server::conditions;
use crate::dev::server::query::dependencies::calls;
use crate::dev::server::state::ServerState;
use crate::dev::server::viewer::mcp::allowance::Allowance;
use crate::dev::server::viewer::mcp::tools::times::Interval;
use crate::dev::store::TraceStore;
use crate::model::tags;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ServicesArguments {
    pattern: Option<String>,
    limit: Option<i64>,
}

#[derive(Serialize)]
pub(super) struct Services {
    services: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
}

/// Lists services, sorted.
pub(super) fn services(state: &ServerState, asked: ServicesArguments) -> Result<Services, String> {
    let pattern = Pattern::new(asked.pattern.as_deref())?;
    let names = conditions::services(&state.look(TraceStore::traces));
    let mut allowance = Allowance::new();
    let mut services = Vec::new();
    for name in &names {
        if !pattern.fits(name)? {
            continue;
        }
        if services.len() == limit(asked.limit) || !allowance.take(ITEM) {
            break;
        }
        services.push(allowance.text(name));
    }
    let error = allowance.note();
    Ok(Services { services, error })
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SpanNamesArguments {
    service_name: String,
    pattern: Option<String>,
    span_kind: Option<String>,
    limit: Option<i64>,
}

#[derive(Serialize)]
pub(super) struct SpanNames {
    span_names: Vec<SpanName>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
}

#[derive(Serialize)]
struct SpanName {
    name: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    span_kind: String,
}

/// Lists the operations of a service with the kinds of their spans, sorted.
pub(super) fn span_names(
    state: &ServerState,
    asked: SpanNamesArguments,
) -> Result<SpanNames, String> {
    let pattern = Pattern::new(asked.pattern.as_deref())?;
    let kind = asked.span_kind.as_deref().filter(|kind| !kind.is_empty());
    let traces = state.look(TraceStore::traces);
    let mut found = BTreeSet::new();
    for span in traces.iter().flat_map(|trace| &trace.spans) {
        let name = (
            &*span.span.operation_name,
            span.span.tag_text(tags::SPAN_KIND),
        );
        let is_kind = kind.is_none_or(|kind| kind.eq_ignore_ascii_case(&name.1));
        if is_kind && span.service_name() == asked.service_name {
            found.insert(name);
        }
    }
    let mut allowance = Allowance::new();
    let mut span_names = Vec::new();
    for (name, kind) in found {
        if !pattern.fits(name)? {
            continue;
        }
        if span_names.len() == limit(asked.limit) || !allowance.take(ITEM) {
            break;
        }
        span_names.push(SpanName {
            name: allowance.text(name),
            span_kind: allowance.text(&kind),
        });
    }
    let error = allowance.note();
    Ok(SpanNames { span_names, error })
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct DependenciesArguments {
    start_time: Option<String>,
    end_time: Option<String>,
}

#[derive(Serialize)]
pub(super) struct Dependencies {
    dependencies: Vec<Dependency>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
}

#[derive(Serialize)]
struct Dependency {
    caller: String,
    callee: String,
    call_count: usize,
}

/// Lists which service calls which, and how often, in the traces that began within an interval.
pub(super) fn dependencies(
    state: &ServerState,
    asked: DependenciesArguments,
) -> Result<Dependencies, String> {
    let interval = Interval::new(
        ("start_time", asked.start_time.as_deref()),
        ("end_time", asked.end_time.as_deref()),
    )?;
    let traces = state.look(TraceStore::traces);
    let within = traces.iter().filter(|trace| interval.has(trace));
    let mut allowance = Allowance::new();
    let mut dependencies = Vec::new();
    for ((caller, callee), call_count) in calls(within) {
        if !allowance.take(ITEM) {
            break;
        }
        dependencies.push(Dependency {
            caller: allowance.text(&caller),
            callee: allowance.text(&callee),
            call_count,
        });
    }
    let error = allowance.note();
    Ok(Dependencies {
        dependencies,
        error,
    })
}

/// A regular expression that names must match somewhere, if there is one.
///
/// A slow expression would hold up all that comes to the server, so its size, the length of names and the whole time are
/// bounded.
struct Pattern {
    regex: Option<Regex>,
    deadline: Instant,
}

impl Pattern {
    fn new(text: Option<&str>) -> Result<Self, String> {
        Self::until(deadline_after(PATIENCE), text)
    }

    fn until(deadline: Instant, text: Option<&str>) -> Result<Self, String> {
        let text = text.filter(|text| !text.is_empty());
        let regex = text.map(|text| RegexBuilder::new(text).size_limit(MAX_PATTERN).build());
        let regex = regex
            .transpose()
            .map_err(|error| format!("invalid pattern: {error}"))?;
        Ok(Self { regex, deadline })
    }

    /// Returns whether a name matches, or why that is not found out.
    fn fits(&self, name: &str) -> Result<bool, String> {
        let Some(regex) = &self.regex else {
            return Ok(true);
        };
        if instant_now() >= self.deadline {
            return Err("the pattern takes too long: ask for a simpler one".to_owned());
        }
        Ok(regex.is_match(beginning(name, MAX_NAME)))
    }
}

/// Returns how many items were asked for.
fn limit(asked: Option<i64>) -> usize {
    let asked = asked.filter(|&limit| limit > 0);
    let asked = asked.map_or(DEFAULT_LIMIT, |limit| {
        usize::try_from(limit).unwrap_or(MAX_LIMIT)
    });
    asked.min(MAX_LIMIT)
}

const DEFAULT_LIMIT: usize = 100;
const MAX_LIMIT: usize = 1_000;
/// The bytes of an item beside its texts, about.
const ITEM: usize = 40;
/// The bytes of the largest compiled expression.
const MAX_PATTERN: usize = 16 << 10;
/// The bytes of a name that an expression is looked for in.
const MAX_NAME: usize = 1 << 10;
/// The time for which an expression is looked for in all names.
const PATIENCE: Duration = Duration::from_millis(500);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_is_looked_for_in_the_beginning_of_a_name_and_not_for_ever() {
        let fits = |text, name: &str| Pattern::new(Some(text)).expect("well-formed").fits(name);
        assert_eq!(fits("^GET .*cart$", "GET /cart"), Ok(true));
        assert_eq!(fits("PUT", "GET /cart"), Ok(false));
        let long = format!("{}é", "x".repeat(MAX_NAME - 1));
        assert_eq!(fits("^x+$", &long), Ok(true));
        let late = |text| Pattern::until(instant_now(), text).expect("well-formed");
        assert!(late(Some("a")).fits("a").is_err());
        assert_eq!(late(None).fits("a"), Ok(true));
        assert_eq!(late(Some("")).fits("a"), Ok(true));
        assert!(Pattern::new(Some("(")).is_err());
        assert!(
            Pattern::new(Some("(((a{99}){99}){99})")).is_err(),
            "too large"
        );
    }
}
