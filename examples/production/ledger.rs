//! The account of a service that has ended.

use std::time::Duration;

use tracehound::metrics::FlushReport;
use tracehound::model::SpanKind;

use crate::load::{Asked, CARD};
use crate::shop::Leaks;
use crate::stand_in::StandIn;
use crate::traced::Traced;

pub(crate) fn print(
    traced: &Traced,
    report: &FlushReport,
    asked: &Asked,
    leaks: &Leaks,
    stand_in: Option<&StandIn>,
) {
    println!("orders: {} sent, {} failed", asked.orders, asked.failed);
    let red = traced
        .red
        .get("POST /orders/{customer}", Some(SpanKind::Server));
    if let Some(red) = red {
        println!("metrics: {} orders, {} errors", red.count(), red.errors);
    }
    println!(
        "{}",
        traced.tracer.explain_sampling("POST /orders/{customer}")
    );

    println!("spans: {report}");
    for loss in traced.tracer.metrics().losses() {
        let reason = loss.last.map_or_else(String::new, |last| last.reason);
        println!("lost: {} as {}: {reason}", loss.spans, loss.cause);
    }
    if report.sent == report.finished {
        println!("nothing was lost");
    }
    println!(
        "open: {}, without their trace: {}",
        traced.open.len(),
        traced.orphans.proven() + traced.orphans.suspected()
    );
    println!("trace headers at the partner: {}", leaks.trace_headers);
    if let Some(stand_in) = stand_in {
        stand_in.server.wait_until_read(Duration::from_secs(5));
        println!("Jaeger has {} spans", stand_in.server.totals().received);
        let traces = stand_in.server.traces();
        let tells = traces
            .iter()
            .filter(|trace| format!("{trace:?}").contains(CARD));
        println!("traces with the number of a card: {}", tells.count());
    }
}
