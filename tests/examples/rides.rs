//! The traces of the example `rides`.

use std::collections::HashMap;

use tracehound::model::TraceId;
use tracehound::reporter::OwnedSpan;
use tracehound::testkit::{MockAgent, SpanShape, assert_trace, span};

use crate::{run_with_arguments, sent_by_program, variables};

const CONNECTION: &str = "AcquireConnection";
const ROUTE: &str = "GET /routes/{from}/{to}";

#[test]
fn each_ride_is_one_trace_of_four_services() {
    let traces = traces(&[]);
    assert_eq!(traces.len(), 16, "four rides, as it is and with each fix");
    for trace in traces {
        assert_trace(&trace, ride());
    }
}

#[test]
fn rides_wait_for_what_is_not_mended() {
    let traces = traces(&[]);
    let [as_it_is, query, lock, pool] = [0, 4, 8, 12].map(|n| traces[n..n + 4].concat());
    assert_eq!(most_at_once(&as_it_is, "SELECT"), 1);
    assert_eq!(most_at_once(&query, "SELECT"), 1);
    for rides in [&as_it_is, &query, &lock] {
        assert!(most_at_once(rides, "compute_route") <= 2, "two workers");
    }
    assert!(!waited(&lock, CONNECTION) && !waited(&pool, ROUTE));
}

#[test]
fn a_fix_mends_what_it_names_and_nothing_else() {
    let statement = |rides: &[OwnedSpan]| {
        let select = named(rides, "SELECT").next().expect("a ride asks once");
        select.tag_text("db.statement").to_string()
    };
    let by_scan = "SELECT * FROM customers WHERE lower(name) = ?";
    let lock = traces(&["--fix", "lock"]).concat();
    assert_eq!(statement(&lock), by_scan);
    assert!(!waited(&lock, CONNECTION));
    assert!(most_at_once(&lock, "compute_route") <= 2, "two workers");

    let pool = traces(&["--fix", "pool", "--fix", "query"]).concat();
    assert_ne!(statement(&pool), by_scan);
    assert_eq!(most_at_once(&pool, "SELECT"), 1);
    assert!(!waited(&pool, ROUTE));

    let all = traces(&["--fix", "all"]).concat();
    assert!(!waited(&all, CONNECTION) && !waited(&all, ROUTE));
}

#[test]
fn served_rides_end_with_their_standard_input() {
    // It listens on Jaeger's ports if it can, so the agent is another one.
    let agent = MockAgent::start().expect("a port");
    let printed = run_with_arguments("rides", &["--serve"], &variables(&agent));
    assert!(
        printed.stdout.starts_with("Order rides: http://127.0.0.1:"),
        "{printed}"
    );
    assert!(
        printed.stdout.ends_with("\nspans: sent 0, dropped 0\n"),
        "{printed}"
    );
}

fn ride() -> SpanShape {
    let get = || span("HTTP GET").service("frontend");
    let find = "/driver.Drivers/FindNearest";
    let redis = |name| span(name).service("driver").tag("db.type", "redis");
    let routes = (0..4).map(|_| {
        let compute = span("compute_route").service("route");
        get().child(span(ROUTE).service("route").child(compute))
    });
    let customer = span("GET /customers/{name}")
        .service("customer")
        .child(span(CONNECTION).service("customer"))
        .child(span("SELECT").service("customer").has_tag("db.statement"))
        .in_order();
    let drivers = span(find)
        .service("driver")
        .event("retry")
        .child(redis("GEOSEARCH"))
        .children([redis("GET"), redis("GET").failed()])
        .children((0..3).map(|_| redis("GET")));
    let dispatch = span("From_rides").service("driver").follows_from();
    let dispatch = dispatch.child(redis("SET"));
    span("POST /rides/{customer}")
        .service("frontend")
        .child(get().child(customer))
        .child(span(find).service("frontend").child(drivers))
        .children(routes)
        .child(span("To_rides").service("frontend").child(dispatch))
}

/// Runs the example, and returns its traces in the order of their start.
fn traces(arguments: &[&str]) -> Vec<Vec<OwnedSpan>> {
    let agent = MockAgent::start().expect("a port");
    run_with_arguments("rides", arguments, &variables(&agent));
    let mut traces: HashMap<TraceId, Vec<OwnedSpan>> = HashMap::new();
    for span in sent_by_program(&agent) {
        traces.entry(span.trace_id).or_default().push(span);
    }
    let mut traces: Vec<_> = traces.into_values().collect();
    traces.sort_by_key(|trace| trace.iter().map(|span| span.start).min());
    traces
}

/// Returns the highest number of spans of a name that were open at one time.
fn most_at_once(spans: &[OwnedSpan], name: &str) -> usize {
    let named: Vec<_> = named(spans, name).collect();
    let open_at_start = |one: &OwnedSpan| {
        let is_open = |other: &&&OwnedSpan| {
            let is_earlier = other.start <= one.start;
            is_earlier && one.start.duration_since(other.start) < other.duration
        };
        named.iter().filter(is_open).count()
    };
    named
        .iter()
        .map(|span| open_at_start(span))
        .max()
        .unwrap_or(0)
}

/// Returns whether a span of a name waited for a pool.
fn waited(spans: &[OwnedSpan], name: &str) -> bool {
    let mut logs = named(spans, name).flat_map(|span| &span.logs);
    logs.any(|log| {
        log.fields
            .iter()
            .any(|field| field.value == "waiting".into())
    })
}

fn named<'s>(spans: &'s [OwnedSpan], name: &str) -> impl Iterator<Item = &'s OwnedSpan> {
    spans.iter().filter(move |span| span.operation_name == name)
}
