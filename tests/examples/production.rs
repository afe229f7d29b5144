//! The ledger of the example `production`.

use tracehound::testkit::{MockAgent, MockCollector};

use crate::{Printed, run_with_arguments, variables};

#[test]
fn production_loses_nothing_and_tells_strangers_nothing() {
    let printed = run(&[]);
    assert!(printed.stdout.starts_with("http://127.0.0.1:"), "{printed}");
    let orders = number(&printed, "orders: ");
    assert!(orders > 0, "{printed}");
    assert_eq!(number(&printed, "metrics: "), orders, "{printed}");
    let failed = number(&printed, &format!("orders: {orders} sent, "));
    assert!(failed > 0, "{printed}");
    let errors = number(&printed, &format!("metrics: {orders} orders, "));
    assert_eq!(errors, failed, "{printed}");

    let finished = number(&printed, "spans: finished ");
    let sent = format!("spans: finished {finished}, sent {finished}, dropped none, queued 0\n");
    assert!(printed.stdout.contains(&sent), "{printed}");
    assert!(printed.stdout.contains("\nnothing was lost\n"), "{printed}");
    assert_eq!(number(&printed, "Jaeger has "), finished, "{printed}");
    for nothing in [
        "open: ",
        "open: 0, without their trace: ",
        "trace headers at the partner: ",
        "traces with the number of a card: ",
    ] {
        assert_eq!(number(&printed, nothing), 0, "{nothing}{printed}");
    }
    // The lines of orders that failed have the ids of their traces.
    let line = printed
        .stderr
        .lines()
        .find(|line| line.contains("no order"));
    assert!(
        line.is_some_and(|line| line.contains("\"trace_id\":\"")),
        "{printed}"
    );
}

#[test]
fn production_sends_to_the_collector_that_the_environment_names() {
    let collector = MockCollector::start().expect("a port");
    let printed = run(&[
        ("OTEL_EXPORTER_OTLP_ENDPOINT", collector.url("")),
        ("JAEGER_SERVICE_NAME", "bazaar".to_owned()),
        ("JAEGER_SAMPLER_TYPE", "const".to_owned()),
        ("JAEGER_SAMPLER_PARAM", "1".to_owned()),
        ("JAEGER_TAGS", "region=${REGION:nowhere}".to_owned()),
        ("JAEGER_REPORTER_FLUSH_INTERVAL", "soon".to_owned()),
    ]);
    let warned = printed.stderr.contains("JAEGER_REPORTER_FLUSH_INTERVAL");
    assert!(warned, "the default counts, and a line says so: {printed}");
    assert!(printed.stdout.contains("\nnothing was lost\n"), "{printed}");
    let spans = collector.spans();
    assert_eq!(spans.len() as u64, number(&printed, "spans: finished "));
    let order = spans
        .iter()
        .find(|span| span.operation_name == "POST /orders/{customer}")
        .expect("an order");
    assert_eq!(order.service_name(), "bazaar");
    assert_eq!(order.parent_id, None, "strangers are not believed");
    assert!(!order.tag_text("http.header.x-request-id").is_empty());
    let text = format!("{spans:?}");
    assert!(text.contains("nowhere") && !text.contains("4111111111111111"));
}

#[test]
fn production_explains_its_argument() {
    let printed = run_with_arguments("production", &["--help"], &[]);
    assert!(
        printed.stdout.starts_with("usage: production [SECONDS]"),
        "{printed}"
    );
}

#[test]
fn production_names_what_it_loses() {
    let agent = MockAgent::start().expect("a port");
    agent.stop().expect("it stops");
    let printed = run(&variables(&agent));
    assert!(!printed.stdout.contains("nothing was lost"), "{printed}");
    let finished = number(&printed, "spans: finished ");
    let refused = format!("lost: {finished} as refused: ");
    assert!(printed.stdout.contains(&refused), "{printed}");
}

#[cfg(unix)]
#[test]
fn production_ends_as_well_at_sigterm() {
    use std::process::{Command, Stdio};

    use crate::{HOW_TO_BUILD, TIMEOUT, lines, program, terminate};

    let mut child = Command::new(program("production"))
        .arg("600")
        .env_clear()
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap_or_else(|error| panic!("{error}: {HOW_TO_BUILD}"));
    let lines = lines(child.stdout.take().expect("piped"));
    let line = || lines.recv_timeout(TIMEOUT).expect("another line in time");
    assert!(line().ends_with("/orders/ada"));
    assert!(line().ends_with("/metrics"));
    terminate(&child);
    assert!(child.wait().expect("it is our child").success());
    let rest: Vec<String> = lines.iter().collect();
    assert!(rest.contains(&"nothing was lost".to_owned()), "{rest:?}");
}

/// Runs the example for three seconds.
#[track_caller]
fn run(variables: &[(&str, String)]) -> Printed {
    run_with_arguments("production", &["3"], variables)
}

/// Returns the number that follows the first place with these words.
#[track_caller]
fn number(printed: &Printed, words: &str) -> u64 {
    let (_, rest) = printed
        .stdout
        .split_once(words)
        .unwrap_or_else(|| panic!("no {words:?}: {printed}"));
    let end = rest.find(|c: char| !c.is_ascii_digit());
    let digits = &rest[..end.unwrap_or(rest.len())];
    digits
        .parse()
        .unwrap_or_else(|_| panic!("no number after {words:?}: {printed}"))
}
