//! Spans while threads are torn down, in every order of their thread-locals.

use std::cell::RefCell;
use std::collections::HashMap;
use std::env;
use std::process::Command;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::Duration;

use tracehound::JaegerTracer;
use tracehound::metrics::Counter;
use tracehound::model::{display, field};
use tracehound::prelude::*;
use tracehound::scope::{active_span, with_active_span};

use crate::support::{LONG, builder, names, recording};

/// A value whose destructor traces.
struct Late {
    tracers: Vec<JaegerTracer>,
    open: Vec<Span>,
    /// Gets a message after the destructor has traced, before the handles are dropped.
    done: Option<Sender<()>>,
}

impl Drop for Late {
    fn drop(&mut self) {
        for (tracer, open) in self.tracers.iter().zip(&self.open) {
            let scope = open.activate();
            let child = tracer.build_span("late").tag("a", 1).start();
            child
                .set_tag("b", "text")
                .set_tag("c", display(&3))
                .set_tag_with("d", || 4)
                .log([field("event", "e"), field("n", display(&1))])
                .set_operation_name("late")
                .set_baggage_item("k", "v");
            let inner = child.activate();
            with_active_span(|span| {
                span.log_event("with");
            });
            let mut carrier = HashMap::<String, String>::new();
            tracer.inject(&child.context(), &mut carrier);
            assert!(carrier.contains_key("uber-trace-id"));
            let extracted = tracer.extract(&carrier).expect("our own");
            assert_eq!(
                extracted.and_then(|context| context.span_id()),
                child.context().span_id()
            );
            drop((scope, inner));
            assert!(active_span().is_noop());
            child.clone().finish();
            // The drop of the last handle finishes this one.
            drop(tracer.build_span("late").child_of(&child).start());
        }
        self.open.clear();
        if let Some(done) = self.done.take() {
            let _ = done.send(());
        }
    }
}

thread_local! {
    static FIRST: RefCell<Option<Late>> = const { RefCell::new(None) };
    static SECOND: RefCell<Option<Late>> = const { RefCell::new(None) };
    static THIRD: RefCell<Option<Late>> = const { RefCell::new(None) };
}

/// Something of a thread that is initialised by its first use.
#[derive(Clone, Copy, Debug)]
enum Use {
    /// The destructor of `FIRST`, `SECOND` or `THIRD`.
    Destructor(usize),
    /// A span that starts and finishes: thread queue and pool.
    Span,
    /// The stack of active spans.
    Scope,
}

/// Registers a destructor. Its work is set later.
fn touch(which: usize) {
    with_late(which, |_| ());
}

fn with_late<R>(which: usize, f: impl FnOnce(&mut Option<Late>) -> R) -> R {
    let key = [&FIRST, &SECOND, &THIRD][which];
    key.with(|slot| f(&mut slot.borrow_mut()))
}

fn all_orders(uses: &[Use]) -> Vec<Vec<Use>> {
    if uses.is_empty() {
        return vec![Vec::new()];
    }
    let mut orders = Vec::new();
    for n in 0..uses.len() {
        let mut rest = uses.to_vec();
        let first = rest.remove(n);
        for mut order in all_orders(&rest) {
            order.insert(0, first);
            orders.push(order);
        }
    }
    orders
}

pub(super) fn spans_work_in_every_order_of_a_threads_end() {
    let uses = [
        Use::Destructor(0),
        Use::Span,
        Use::Destructor(1),
        Use::Scope,
        Use::Destructor(2),
    ];
    // Platforms destroy thread-locals in either direction, and an unused one is first used during the teardown.
    let mut orders = all_orders(&uses);
    orders.push(vec![Use::Destructor(0)]);
    for order in orders {
        let ((a, spans_of_a), (b, spans_of_b)) = (recording(), recording());
        let tracers = vec![a.clone(), b.clone()];
        let on_thread = order.clone();
        let thread = thread::spawn(move || {
            for used in &on_thread {
                match used {
                    Use::Destructor(which) => touch(*which),
                    Use::Span => drop(
                        tracers
                            .iter()
                            .map(|t| t.start_span("s"))
                            .collect::<Vec<_>>(),
                    ),
                    Use::Scope => drop(tracers[0].start_span("s").activate()),
                }
            }
            for used in &on_thread {
                if let Use::Destructor(which) = used {
                    with_late(*which, |late| {
                        *late = Some(Late {
                            open: tracers.iter().map(|t| t.start_span("open")).collect(),
                            tracers: tracers.clone(),
                            done: None,
                        });
                    });
                }
            }
        });
        thread.join().expect("no panic");
        let late = order
            .iter()
            .filter(|used| matches!(used, Use::Destructor(_)));
        let late = late.count();
        for (tracer, spans) in [(&a, &spans_of_a), (&b, &spans_of_b)] {
            let names = names(spans);
            let count = |name| names.iter().filter(|known| *known == name).count();
            assert_eq!(count("late"), 2 * late, "{order:?}");
            assert_eq!(count("open"), late, "{order:?}");
            let report = tracer.flush(LONG);
            assert!(report.is_complete(), "{order:?}: {report}");
            assert_eq!(report.finished, names.len() as u64, "{order:?}");
            let metrics = tracer.metrics();
            assert_eq!(metrics.get(Counter::CallbackPanics), 0);
            assert_eq!(metrics.get(Counter::FinishedSpansSampled), report.finished);
            assert_eq!(metrics.get(Counter::StartedSpansSampled), report.finished);
        }
    }
}

/// The scene runs itself once more, as a process whose main thread ends with everything still in its thread-locals.
pub(super) fn spans_work_at_the_end_of_the_main_thread() {
    const INNER: &str = "--inner";
    let arguments: Vec<_> = env::args().collect();
    if arguments.last().is_none_or(|last| last != INNER) {
        let program = env::current_exe().expect("the path of this test");
        let scene = "spans_work_at_the_end_of_the_main_thread";
        let output = Command::new(program)
            .args(["--scene", scene, INNER])
            .output()
            .expect("it runs");
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{}: {said}", output.status);
        for line in ["Span reported", " - late ", " - open "] {
            assert!(said.contains(line), "{said}");
        }
        assert!(
            !said.contains("panicked") && !said.contains("fatal"),
            "{said}"
        );
        assert_eq!(said.matches(" - late ").count(), 6, "{said}");
        return;
    }
    let reporter = tracehound::reporter::LoggingReporter::new();
    let tracer = builder(reporter).build().expect("named");
    for which in 0..3 {
        touch(which);
        match which {
            0 => tracer.start_span("s").finish(),
            1 => drop(tracer.start_span("s").activate()),
            _ => {}
        }
        with_late(which, |late| {
            *late = Some(Late {
                open: vec![tracer.start_span("open")],
                tracers: vec![tracer.clone()],
                done: None,
            });
        });
    }
    // Each destructor has a handle. The last one closes the tracer, at the end of the main thread.
}

pub(super) fn spans_work_at_the_end_of_a_runtimes_threads() {
    let ((a, spans_of_a), (b, spans_of_b)) = (recording(), recording());
    let (done, ended) = channel();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .thread_keep_alive(Duration::from_millis(1))
        .build()
        .expect("a runtime");
    let count = 8;
    runtime.block_on(async {
        let mut tasks = Vec::new();
        for n in 0..count {
            let (tracers, done) = (vec![a.clone(), b.clone()], done.clone());
            let leave = move || {
                let late = Late {
                    open: tracers.iter().map(|t| t.start_span("open")).collect(),
                    tracers,
                    done: Some(done),
                };
                // A pool thread may hold a `Late` of an earlier task, which is dropped here.
                with_late(n % 3, |slot| slot.replace(late))
            };
            let task = tokio::task::spawn_blocking(move || drop(leave()));
            tasks.push(task);
        }
        for task in tasks {
            task.await.expect("no panic");
        }
    });
    drop(runtime);
    for _ in 0..count {
        ended.recv_timeout(LONG).expect("each thread has ended");
    }
    for (tracer, spans) in [(a, spans_of_a), (b, spans_of_b)] {
        let report = tracer.close(LONG);
        assert!(report.is_complete(), "{report}");
        let names = names(&spans);
        assert_eq!(names.len(), 3 * count, "{names:?}");
    }
}

pub(super) fn the_last_tracer_closes_when_its_thread_ends() {
    for uses_span_first in [true, false] {
        let (tracer, spans) = recording();
        let (done, ended): (_, Receiver<()>) = channel();
        let thread = thread::spawn(move || {
            if uses_span_first {
                tracer.start_span("s").finish();
            }
            touch(0);
            tracer.start_span("s").finish();
            with_late(0, |late| {
                *late = Some(Late {
                    open: vec![tracer.start_span("open")],
                    tracers: vec![tracer],
                    done: Some(done),
                });
            });
        });
        thread.join().expect("no panic");
        ended.recv_timeout(LONG).expect("done");
        // The thread has closed the tracer, which had a second for that and little to do.
        let names = names(&spans);
        let late = names.iter().filter(|name| *name == "late").count();
        assert_eq!(late, 2, "{names:?}");
    }
}
