//! Forks while threads of the parent trace.

use std::collections::HashMap;
use std::env;
use std::io::{Read as _, Write as _};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use tracehound::JaegerTracer;
use tracehound::metrics::DropCause;
use tracehound::model::field;
use tracehound::prelude::*;
use tracehound::sampler::ConstSampler;

use crate::fork::Agent;
use crate::process::{fork, in_child};
use crate::support::{LONG, rubbish};

const CHILDREN: usize = 64;

/// Returns how many ids each child draws. `--ids 1000000` checks all that is promised.
fn ids_per_child() -> usize {
    let mut arguments = env::args().skip_while(|argument| argument != "--ids");
    let count = arguments.nth(1).and_then(|count| count.parse().ok());
    count.unwrap_or(10_000)
}

pub(super) fn ids_of_forked_children_never_repeat() {
    let per_child = ids_per_child();
    let tracer = JaegerTracer::builder("test")
        .sampler(ConstSampler::new(false))
        .build()
        .expect("named");
    let draw = || {
        let span = tracer.start_span("s");
        span.context().span_id().expect("a new span").get()
    };
    // Seeds the generator, so that every child inherits a seeded one.
    let mut ids = vec![draw()];
    ids.reserve_exact(CHILDREN * (per_child + 1) + 1);
    // All children start together, so only their seeds tell them apart.
    let children: Vec<_> = (0..CHILDREN)
        .map(|_| {
            fork(|output| {
                let mut bytes = Vec::with_capacity(8 * PORTION);
                for from in (0..per_child).step_by(PORTION) {
                    bytes.clear();
                    for _ in from..per_child.min(from + PORTION) {
                        bytes.extend_from_slice(&draw().to_le_bytes());
                    }
                    output.write_all(&bytes).expect("heard");
                }
            })
        })
        .collect();
    for mut child in children {
        ids.push(draw());
        let mut bytes = vec![0; 8 * PORTION];
        loop {
            let len = child.output().read(&mut bytes[..]).expect("a pipe");
            // A read may end in the middle of an id.
            let rest = len.next_multiple_of(8) - len;
            if len == 0 {
                break;
            }
            let cut = &mut bytes[len..len + rest];
            child.output().read_exact(cut).expect("whole ids");
            let words = bytes[..len + rest].as_chunks().0;
            ids.extend(words.iter().map(|word| u64::from_le_bytes(*word)));
        }
        child.wait();
    }
    assert_eq!(ids.len(), CHILDREN * (per_child + 1) + 1);
    let count = ids.len();
    ids.sort_unstable();
    ids.dedup();
    println!("{} of {count} ids differ", ids.len());
    assert_eq!(ids.len(), count);
}

/// How many ids a child writes at a time.
const PORTION: usize = 4_096;

pub(super) fn forked_children_never_wait_for_a_lock_of_the_parent() {
    let agent = Agent::start();
    let tracer = agent.tracer(Duration::from_millis(1));
    let shared = tracer.start_span("shared");
    shared.set_baggage_item("user", "42");
    let (stop, finished) = (AtomicBool::new(false), AtomicU64::new(0));
    thread::scope(|scope| {
        let _at_last = Stop(&stop);
        // Takes the locks that the children will inherit.
        for n in 0..2 {
            let (tracer, shared, stop, finished) = (&tracer, &shared, &stop, &finished);
            scope.spawn(move || {
                while !stop.load(Ordering::Relaxed) {
                    shared.set_tag(["a", "b"][n], 1);
                    shared.log([field("event", "busy")]);
                    shared.set_baggage_item("user", "43");
                    let span = tracer.build_span("s").child_of(shared).start();
                    span.set_tag("n", n);
                    span.finish();
                    finished.fetch_add(1, Ordering::Relaxed);
                    let _ = tracer.extract(&rubbish());
                }
            });
        }
        scope.spawn(|| {
            while !stop.load(Ordering::Relaxed) {
                tracer.flush(Duration::from_millis(1));
                thread::scope(|scope| {
                    scope.spawn(|| tracer.start_span("short").finish());
                });
                finished.fetch_add(1, Ordering::Relaxed);
            }
        });
        scope.spawn(|| {
            while !stop.load(Ordering::Relaxed) {
                let _ = (tracer.report(), format!("{:?}", tracer.metrics()));
            }
        });
        let _scope = shared.activate();
        for n in 0..CHILDREN {
            tracer.start_span("before").finish();
            finished.fetch_add(1, Ordering::Relaxed);
            in_child(|| child(&tracer, &shared, n));
        }
    });
    shared.finish();
    let report = tracer.close(LONG);
    assert_eq!(report.finished, finished.load(Ordering::Relaxed) + 1);
    assert_eq!(report.queued, 0, "{report}");
    assert_eq!(
        report.sent + report.dropped.total(),
        report.finished,
        "{report}"
    );
    assert_eq!(report.dropped.get(DropCause::Forked), 0, "{report}");
    println!("the parent, under {CHILDREN} forks: {report}");
}

/// Ends the threads when it is dropped, also by a panic.
struct Stop<'a>(&'a AtomicBool);

impl Drop for Stop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Uses everything that a thread of the parent may have been using at the fork.
fn child(tracer: &JaegerTracer, shared: &Span, n: usize) {
    let before = Instant::now();
    shared.set_tag("child", n);
    shared.log_event("child");
    shared
        .set_operation_name("renamed")
        .set_baggage_item("k", "v");
    let _ = shared.baggage_item("user");
    let context = shared.context();
    for _ in 0..10 {
        let span = tracer.start_span("in the child");
        assert_eq!(span.context().trace_id(), context.trace_id());
        span.set_tag("n", n);
        let mut carrier = HashMap::<String, String>::new();
        tracer.inject(&span.context(), &mut carrier);
        assert!(tracer.extract(&carrier).is_ok());
        span.finish();
    }
    assert!(tracer.extract(&rubbish()).is_err());
    shared.clone().finish();
    assert!(!shared.is_recording());
    // A lock that nobody releases is waited for without end; a busy machine is only slow.
    let report = tracer.flush(LONG);
    assert_eq!(report.sent, 10, "{report}");
    assert_eq!(report.finished, report.sent + report.dropped.total());
    assert_eq!(
        report.dropped.total(),
        report.dropped.get(DropCause::Forked),
        "{report}"
    );
    let report = tracer.close(LONG);
    assert_eq!((report.sent, report.queued), (10, 0), "{report}");
    assert!(before.elapsed() < LONG, "{:?}", before.elapsed());
}
