//! A worker that gets next to no processor time.

use std::fs;
use std::io;
use std::mem;
use std::path::Path;
use std::sync::Barrier;
use std::thread;

use tracehound::metrics::DropCause;
use tracehound::prelude::*;
use tracehound::reporter::NullReporter;

use crate::support::{LONG, builder, until};

const THREADS: u64 = 4;
const SPANS: u64 = 50_000;

/// Leaves this process one processor, the first of those that it may use.
fn use_one_processor() {
    // SAFETY: a set of processors is plain bits, and the calls get its size.
    #[expect(unsafe_code, reason = "the standard library has no such call")]
    let result = unsafe {
        let size = size_of::<libc::cpu_set_t>();
        let mut set: libc::cpu_set_t = mem::zeroed();
        assert_eq!(libc::sched_getaffinity(0, size, &raw mut set), 0);
        let first = (0..8 * size).find(|it| libc::CPU_ISSET(*it, &set));
        libc::CPU_ZERO(&mut set);
        libc::CPU_SET(first.expect("one"), &mut set);
        libc::sched_setaffinity(0, size, &raw const set)
    };
    assert_eq!(result, 0, "{}", io::Error::last_os_error());
}

/// Lets a thread run only while no other one wants the processor.
fn starve(thread: libc::pid_t) {
    let parameter = libc::sched_param { sched_priority: 0 };
    // SAFETY: the pointer is to a local.
    #[expect(unsafe_code, reason = "the standard library has no such call")]
    let result =
        unsafe { libc::sched_setscheduler(thread, libc::SCHED_IDLE, &raw const parameter) };
    assert_eq!(result, 0, "{}", io::Error::last_os_error());
}

/// Returns the id of the worker's thread, once it has started.
fn worker() -> libc::pid_t {
    let mut found = None;
    until("a worker", || {
        let tasks = fs::read_dir("/proc/self/task").expect("Linux has it");
        found = tasks.filter_map(Result::ok).find_map(|task| {
            let name = fs::read_to_string(task.path().join("comm")).ok()?;
            let id = task.file_name().to_str()?.parse().ok()?;
            name.starts_with("tracehound-work").then_some(id)
        });
        found.is_some()
    });
    found.expect("found")
}

/// Returns a number of a status file of the system.
fn number(status: &Path, name: &str) -> u64 {
    let text = fs::read_to_string(status).expect("Linux has it");
    let line = text.lines().find_map(|line| line.strip_prefix(name));
    let word = line.and_then(|rest| rest.split_whitespace().next());
    word.and_then(|word| word.parse().ok()).expect("a number")
}

pub(super) fn a_starved_worker_stops_no_thread_and_every_lost_span_is_counted() {
    use_one_processor();
    let tracer = builder(NullReporter::new()).build().expect("named");
    starve(worker());
    let text = "x".repeat(500);
    let resident = || number(Path::new("/proc/self/status"), "VmRSS:");
    let before = resident();
    let barrier = Barrier::new(THREADS as usize);
    let waits: u64 = thread::scope(|scope| {
        let produce = || {
            barrier.wait();
            let status = Path::new("/proc/thread-self/status");
            let waits = || number(status, "voluntary_ctxt_switches:");
            let before = waits();
            for n in 0..SPANS {
                let span = tracer.start_span("s");
                span.set_tag("n", n).set_tag("text", &text);
            }
            waits() - before
        };
        let threads: Vec<_> = (0..THREADS).map(|_| scope.spawn(produce)).collect();
        threads
            .into_iter()
            .map(|it| it.join().expect("no panic"))
            .sum()
    });
    let grown = resident().saturating_sub(before);
    let report = tracer.close(LONG);
    println!("{report}; the threads waited {waits} times; {grown} KiB more");
    assert_eq!((report.finished, report.queued), (THREADS * SPANS, 0));
    let full = report.dropped.get(DropCause::QueueFull);
    assert!(full > 0, "the queue holds 8 MiB of 110 MB");
    assert_eq!(
        (report.dropped.total(), report.sent + full),
        (full, report.finished)
    );
    // A queue of 8 MiB, which the worker may have taken once more.
    assert!(grown < 32 * 1024, "{grown} KiB");
    // They wait for each other at most, where they take memory. A thread that waited for the worker would do so for
    // each span.
    assert!(waits < THREADS * SPANS / 100, "{waits} times");
}
