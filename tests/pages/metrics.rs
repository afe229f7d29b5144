//! The lists of counters, metrics and causes of loss are complete.

use std::collections::BTreeSet;

use tracehound::JaegerTracer;
use tracehound::metrics::{Counter, DropCause, MetricsPage, TextFormat};
use tracehound::observer::RedMetrics;
use tracehound::prelude::*;
use tracehound::reporter::NullReporter;
use tracehound::watch::{OpenSpans, Orphans};

use crate::markdown::{Page, code_spans};
use crate::sources::{code_of, files};

fn listed(page: &str, heading: &str) -> BTreeSet<String> {
    let rows = Page::at(page).rows(heading);
    let names = rows.iter().flat_map(|row| code_spans(&row[0]));
    let names: Vec<_> = names.map(str::to_owned).collect();
    let unique: BTreeSet<_> = names.iter().cloned().collect();
    assert_eq!(
        unique.len(),
        names.len(),
        "{page}: a row of {heading} stands there twice"
    );
    unique
}

#[test]
fn the_guide_has_every_counter_and_no_other() {
    let counters: BTreeSet<_> = Counter::ALL.iter().map(Counter::to_string).collect();
    assert_eq!(listed("docs/guide/metrics.md", "counter"), counters);
}

#[test]
fn the_guide_has_every_cause_of_loss_and_no_other() {
    let causes: BTreeSet<_> = DropCause::ALL
        .iter()
        .map(|cause| cause.name().to_owned())
        .collect();
    assert_eq!(listed("docs/guide/missing-traces.md", "cause"), causes);
}

#[test]
fn the_guide_has_every_metric_of_a_page_and_no_other() -> Result<(), tracehound::tracer::BuildError>
{
    let red = RedMetrics::new();
    let open = OpenSpans::new().limit(std::time::Duration::ZERO);
    let orphans = Orphans::new().suspects(true);
    let tracer = JaegerTracer::builder("shop")
        .observer(red.clone())
        .observer(open.clone())
        .observer(orphans.clone())
        .reporter(NullReporter::new())
        .build()?;
    let other = tracer.build_span("other").new_trace().start();
    tracer
        .build_span("checkout")
        .new_trace()
        .start()
        .set_tag("error", true);
    drop(other);
    let sources = MetricsPage::new(TextFormat::Prometheus)
        .with(&tracer.metrics())
        .with(&red)
        .with(&open)
        .with(&orphans);
    let page = sources.finish();
    let found: BTreeSet<_> = page
        .lines()
        .filter_map(|line| line.strip_prefix("# TYPE "))
        .filter_map(|line| line.split(' ').next())
        .map(str::to_owned)
        .collect();
    let mut listed = listed("docs/guide/metrics.md", "metric");
    let counters = Counter::ALL.iter();
    listed.extend(counters.map(|counter| format!("jaeger_tracer_{}_total", counter.name())));
    assert_eq!(listed, found);
    Ok(())
}

#[test]
fn the_guide_has_every_metric_that_the_sources_name() {
    let listed = listed("docs/guide/metrics.md", "metric");
    for (path, text) in files("src", ".rs") {
        let code = code_of(&text);
        let literals = code.split('"').skip(1).step_by(2);
        for name in literals.filter(|literal| is_name(literal)) {
            let is_listed = listed
                .iter()
                .any(|metric| metric.trim_end_matches("_total") == name);
            assert!(is_listed, "{path}: {name} is not on the page of metrics");
        }
    }
}

/// Returns whether a literal is a metric of ours.
fn is_name(literal: &str) -> bool {
    let is_word = |c: char| c.is_ascii_lowercase() || c == '_';
    literal.len() > "tracehound_".len()
        && literal.starts_with("tracehound_")
        && literal.chars().all(is_word)
        && !["tracehound_fuzz", "tracehound_loom", "tracehound_macros"].contains(&literal)
}
