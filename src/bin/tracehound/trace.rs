//! `tracehound trace`.

use tracehound::model::TraceId;
use tracehound::view::Trace;

use crate::CommandResult;
use crate::address;
use crate::options::TraceOptions;
use crate::query::Query;
use crate::show::show;

/// Prints a trace of a query service.
pub(crate) fn run(options: &TraceOptions) -> CommandResult {
    let query = Query::new(&options.from);
    let trace = match &options.id {
        Some(id) => {
            let id: TraceId = id.parse().map_err(|_| format!("{id:?} is no trace id"))?;
            query.trace(&id.to_string())?
        }
        None => last(&query, options.service.as_deref())?,
    };
    let trace =
        trace.ok_or_else(|| format!("{} has no such trace", address::shown(&options.from)))?;
    show(&[trace], &options.show)
}

/// Returns the trace that started last.
fn last(query: &Query, service: Option<&str>) -> Result<Option<Trace>, String> {
    let services = match service {
        Some(service) => vec![service.to_owned()],
        None => query.services()?,
    };
    let mut last = None;
    for service in services {
        let traces = query.latest(&service)?;
        last = last.into_iter().chain(traces).max_by_key(start);
    }
    Ok(last)
}

fn start(trace: &Trace) -> i64 {
    let starts = trace.spans.iter().map(|span| span.span.start.as_micros());
    starts.min().unwrap_or(i64::MIN)
}
