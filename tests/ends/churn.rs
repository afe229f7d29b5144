//! Many threads and many tracers with short lives.

use std::fs;
use std::thread;

use tracehound::JaegerTracer;
use tracehound::metrics::{Counter, DropCause};
use tracehound::model::field;
use tracehound::prelude::*;
use tracehound::reporter::NullReporter;

use crate::support::{LONG, builder, number};

/// Returns the resident memory of this process in KiB; `None` if the system does not tell.
fn resident_kib() -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("VmRSS:"))?;
    line.split_whitespace().nth(1)?.parse().ok()
}

/// Returns whether the memory has grown by less than that, or is not told.
fn is_flat(before: Option<u64>, most_kib: u64) -> bool {
    let now = before.zip(resident_kib());
    now.is_none_or(|(before, after)| after < before + most_kib)
}

fn assert_flat(what: &str, before: Option<u64>, most_kib: u64) {
    let (Some(before), Some(after)) = (before, resident_kib()) else {
        return;
    };
    println!("{what}: {before} KiB, then {after} KiB");
    assert!(
        after < before + most_kib,
        "{what}: from {before} to {after} KiB"
    );
}

pub(super) fn short_threads_leave_no_memory_behind() {
    let tracer = builder(NullReporter::new()).build().expect("named");
    let second = builder(NullReporter::new()).build().expect("named");
    let use_both = || {
        let span = tracer.start_span("s");
        span.set_tag("a", 1);
        let _scope = span.activate();
        second.start_span("s").finish();
    };
    let run = |threads: u64| {
        for n in 0..threads / 8 {
            thread::scope(|scope| {
                for _ in 0..8 {
                    let thread = thread::Builder::new().stack_size(64 * 1024);
                    thread.spawn_scoped(scope, use_both).expect("a thread");
                }
            });
            // Empties the queues, so that waiting spans do not count as leaked memory.
            if n % 100 == 0 {
                tracer.flush(LONG);
                second.flush(LONG);
            }
        }
    };
    run(8_000);
    let mut threads = 8_000;
    // A leak of 100 bytes per thread would be 9 MiB. The C library's heaps of threads grow by up to 12 MiB while the
    // machine is busy, but not each time.
    loop {
        let before = resident_kib();
        run(92_000);
        threads += 92_000;
        if is_flat(before, 8_192) || threads > 300_000 {
            assert_flat("after thousands of threads, and 92 000 more", before, 8_192);
            break;
        }
    }
    for tracer in [tracer, second] {
        let report = tracer.close(LONG);
        assert_eq!((report.finished, report.sent), (threads, threads));
        let finished = tracer.metrics().get(Counter::FinishedSpansSampled);
        assert_eq!(finished, threads);
    }
}

pub(super) fn short_lived_tracers_leave_no_memory_behind() {
    let run = |tracers| {
        for _ in 0..tracers {
            let tracer = builder(NullReporter::new()).build().expect("named");
            let open = tracer.start_span("open");
            thread::scope(|scope| {
                scope.spawn(|| tracer.start_span("s").finish());
            });
            tracer.start_span("s").finish();
            let report = tracer.close(LONG);
            assert_eq!((report.finished, report.sent), (2, 2), "{report}");
            drop(tracer);
            drop(open);
        }
    };
    run(200);
    let before = resident_kib();
    run(1_800);
    assert_flat("after 200 and 2 000 tracers", before, 2_048);
}

/// Returns how many spans the long scenes finish. `--spans 100000000` looks for the smallest leaks.
fn spans() -> u64 {
    number("--spans").unwrap_or(100_000) as u64
}

/// Finishes `spans` spans, and flushes now and then, so that waiting spans do not count as leaked memory.
fn finish_children(tracer: &JaegerTracer, spans: u64, start: impl Fn() -> Span) {
    for n in 0..spans {
        let span = start();
        span.set_tag("n", n).log([field("event", "step")]);
        span.finish();
        if n % 2_000 == 0 {
            tracer.flush(LONG);
        }
    }
}

pub(super) fn endless_children_of_a_long_root_leave_no_memory_behind() {
    let tracer = builder(NullReporter::new()).build().expect("named");
    let root = tracer.start_span("root");
    let run = |spans| {
        finish_children(&tracer, spans, || {
            tracer.build_span("child").child_of(&root).start()
        });
    };
    run(spans() / 4);
    let before = resident_kib();
    run(spans());
    assert_flat("children of one root", before, 1_024);
    root.finish();
    let report = tracer.close(LONG);
    assert!(report.is_complete(), "{report}");
    assert_eq!(report.finished, spans() / 4 + spans() + 1);
}

pub(super) fn endless_traces_leave_no_memory_behind() {
    let tracer = builder(NullReporter::new()).build().expect("named");
    let run = |spans| {
        finish_children(&tracer, spans, || {
            let root = tracer.start_span("root");
            let child = tracer.build_span("child").child_of(&root).start();
            child.set_baggage_item("k", "v");
            child
        });
    };
    run(spans() / 8);
    let before = resident_kib();
    run(spans() / 2);
    assert_flat("traces", before, 1_024);
    let report = tracer.close(LONG);
    assert!(report.is_complete(), "{report}");
    assert_eq!(report.finished, 2 * (spans() / 8 + spans() / 2));
}

/// `--open 10000000` spans at once are ten times the default limit, and `--bytes 10` gives each of them a short text.
pub(super) fn open_spans_beyond_the_limit_keep_no_tags() {
    let all = number("--open").unwrap_or(50_000);
    let most = all / 10;
    let builder = builder(NullReporter::new()).max_open_spans(most);
    let tracer = builder.build().expect("named");
    let text = "x".repeat(number("--bytes").unwrap_or(1_000));
    let mut open = Vec::with_capacity(all);
    let before = resident_kib();
    for n in 0..all {
        let span = tracer.start_span("open");
        span.set_tag("n", n).set_tag("text", &text);
        open.push(span);
    }
    // 216 bytes for each with the C library's own, and for those within the limit what they record: 192 bytes with short
    // tags. All of that would be ten times as much.
    let most_kib = (all * 240 + most * (256 + 3 * text.len())) as u64 / 1_024 + 2_048;
    assert_flat("open spans", before, most_kib);
    let recording = open.iter().filter(|span| span.is_recording()).count();
    assert_eq!(recording, most);
    drop(open);
    let report = tracer.close(LONG);
    let capped = report.dropped.get(DropCause::OpenCap);
    assert_eq!((report.finished, capped), (all as u64, (all - most) as u64));
}
