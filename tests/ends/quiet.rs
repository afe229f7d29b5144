//! The cost of tracing for a program that hardly traces.

use std::fs;
use std::thread;
use std::time::{Duration, Instant};

use tracehound::prelude::*;

use crate::support::recording;

/// Counts how often the worker goes to sleep. A polling worker would do so hundreds of times a second.
pub(super) fn a_program_that_hardly_traces_is_hardly_woken() {
    let (tracer, spans) = recording();
    tracer.start_span("first").finish();
    assert_eq!(spans.spans().len(), 1);
    for spans_a_second in [0, 5] {
        let (sleeps, cpu) = worker();
        let start = Instant::now();
        for n in 0..4 * spans_a_second {
            rest_until(start + Duration::from_secs(1) * n / spans_a_second);
            tracer.start_span("s").finish();
        }
        rest_until(start + Duration::from_secs(4));
        let (after, cpu_after) = worker();
        println!(
            "{spans_a_second} spans a second for 4 s: the worker slept {} times and ran for {:?}",
            after - sleeps,
            cpu_after - cpu
        );
        assert!(after - sleeps <= 24, "{} times in 4 s", after - sleeps);
    }
    tracer.close(Duration::from_secs(20));
}

/// Leaves the program idle, which is the work of this scene.
fn rest_until(end: Instant) {
    thread::sleep(end.saturating_duration_since(Instant::now()));
}

/// Returns how often the worker thread went to sleep, and for how long it ran.
fn worker() -> (u64, Duration) {
    let tasks = fs::read_dir("/proc/self/task").expect("Linux has it");
    let mut workers = tasks.filter_map(|task| {
        let path = task.expect("readable").path();
        let name = fs::read_to_string(path.join("comm")).ok()?;
        name.starts_with("tracehound-work").then_some(path)
    });
    let path = workers.next().expect("there is a worker");
    let status = fs::read_to_string(path.join("status")).expect("it runs");
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("voluntary_ctxt_switches:"));
    let sleeps = line
        .expect("Linux counts")
        .trim()
        .parse()
        .expect("a number");
    let schedstat = fs::read_to_string(path.join("schedstat")).unwrap_or_default();
    let nanos = schedstat
        .split(' ')
        .next()
        .and_then(|nanos| nanos.parse().ok());
    (sleeps, Duration::from_nanos(nanos.unwrap_or(0)))
}
