//! The thread that looks for spans that are open too long.

use std::fs;
use std::time::Duration;

use tracehound::JaegerTracer;
use tracehound::prelude::*;
use tracehound::reporter::InMemoryReporter;
use tracehound::watch::OpenSpans;

use crate::support::{LONG, builder, until};

fn watched(open: &OpenSpans) -> JaegerTracer {
    let builder = builder(InMemoryReporter::new()).observer(open.clone());
    builder.build().expect("named")
}

/// Returns how many threads of this process have a name.
fn threads(name: &str) -> usize {
    let tasks = fs::read_dir("/proc/self/task").expect("of this process");
    let names = tasks.filter_map(|task| fs::read_to_string(task.ok()?.path().join("comm")).ok());
    names.filter(|it| name.starts_with(it.trim())).count()
}

pub(super) fn the_thread_of_the_watchdog_ends_with_its_tracer() {
    const NAME: &str = "tracehound-poller";
    let without = OpenSpans::new();
    let idle = watched(&without);
    idle.start_span("a").finish();
    assert_eq!(threads(NAME), 0);
    let open = OpenSpans::new().limit(Duration::from_secs(3_600));
    let tracer = watched(&open);
    until("the thread", || threads(NAME) == 1);
    // A span that is still open, and the list itself, do not keep it.
    let span = tracer.start_span("a");
    tracer.close(LONG);
    until("the end of the thread", || threads(NAME) == 0);
    drop(tracer);
    span.finish();
    let tracer = watched(&open);
    until("the thread", || threads(NAME) == 1);
    drop(tracer);
    until("the end of the thread", || threads(NAME) == 0);
}
