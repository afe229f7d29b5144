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
    let page = options.id.as_deref().and_then(of_page);
    let (from, id) = match page {
        Some((from, id)) => (from, Some(id)),
        None => (&*options.from, options.id.as_deref()),
    };
    let query = Query::new(from);
    let trace = match id {
        Some(id) => {
            let id: TraceId = id.parse().map_err(|_| format!("{id:?} is no trace id"))?;
            query.trace(&id.to_string())?
        }
        None => last(&query, options.service.as_deref())?,
    };
    let trace = trace.ok_or_else(|| format!("{} has no such trace", address::shown(from)))?;
    show(&[trace], &options.show)
}

/// Splits the address of the page of a trace, as a browser shows it, into that of the service and the id.
fn of_page(address: &str) -> Option<(&str, &str)> {
    let (service, rest) = address.split_once("/trace/")?;
    let id = rest.split(['/', '?', '#']).next()?;
    service.contains("://").then_some((service, id))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_address_of_a_page_tells_the_service_and_the_id() {
        for (address, expected) in [
            ("http://a:1/trace/7f3c", Some(("http://a:1", "7f3c"))),
            (
                "https://a/jaeger/trace/7f3c?uiFind=x#1",
                Some(("https://a/jaeger", "7f3c")),
            ),
            ("7f3c", None),
            ("a/trace/7f3c", None),
        ] {
            assert_eq!(of_page(address), expected, "{address}");
        }
    }
}
