//! Orphans in the tasks of a tokio runtime, whose hooks exist with this flag only:
//!
//! ```text
//! RUSTFLAGS="--cfg tokio_unstable" cargo test --no-default-features --features tokio --test tokio_tasks \
//!     --target-dir target/tokio
//! ```
#![cfg(tokio_unstable)]
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that fails says where"
)]

use std::sync::{Arc, Mutex};

use tokio::runtime::{Builder, Runtime};
use tokio::task::{self, JoinHandle, yield_now};
use tracehound::JaegerTracer;
use tracehound::diagnostics::Diagnostics;
use tracehound::prelude::*;
use tracehound::sampler::ConstSampler;
use tracehound::scope::capture;
use tracehound::watch::{Orphans, TaskHooks};

/// A tracer that looks for orphans, and its lines.
struct Watched {
    tracer: JaegerTracer,
    orphans: Orphans,
    lines: Arc<Mutex<Vec<String>>>,
}

impl Watched {
    fn new() -> Self {
        let (orphans, lines) = (Orphans::new(), Arc::new(Mutex::new(Vec::new())));
        let sink = lines.clone();
        let handler = move |line: &str| sink.lock().unwrap().push(line.to_owned());
        let tracer = JaegerTracer::builder("shop")
            .sampler(ConstSampler::new(false))
            .diagnostics(Diagnostics::with_handler(handler))
            .observer(orphans.clone())
            .build()
            .expect("named");
        Self {
            tracer,
            orphans,
            lines,
        }
    }

    fn on_one_thread(&self) -> Runtime {
        let mut builder = Builder::new_current_thread();
        self.orphans.watch(&mut builder).build().expect("a runtime")
    }

    fn on_threads(&self) -> Runtime {
        let mut builder = Builder::new_multi_thread();
        self.orphans
            .watch(builder.worker_threads(4))
            .build()
            .expect("a runtime")
    }

    /// Returns a future that starts a root before and after it has waited.
    fn roots(&self) -> impl Future<Output = ()> + Send + use<> {
        let tracer = self.tracer.clone();
        async move {
            tracer.start_span("charge").finish();
            yield_now().await;
            tracer.start_span("charge").finish();
        }
    }
}

#[test]
fn a_trace_that_is_lost_over_a_spawn_is_proven_with_its_place() {
    let watched = Watched::new();
    for runtime in [watched.on_one_thread(), watched.on_threads()] {
        let before = watched.orphans.proven();
        let line = runtime.block_on(async {
            let checkout = watched.tracer.start_active_span("checkout");
            let (task, line) = (tokio::spawn(watched.roots()), line!());
            // A scope that is held across an await is active for the tasks of a runtime on this thread.
            checkout.finish();
            task.await.expect("no panic");
            line
        });
        assert_eq!(watched.orphans.proven(), before + 2);
        let said = watched.lines.lock().unwrap();
        // Two spans start at places of their own. Those of the second runtime are of the same places.
        assert_eq!(said.len(), 2, "{said:?}");
        let spawn = format!(
            "its work was spawned at {}:{line} while \"checkout\" was active",
            file!()
        );
        assert!(said.iter().all(|line| line.contains(&spawn)), "{said:?}");
    }
}

#[test]
fn a_task_is_reported_only_if_something_was_lost() {
    let watched = Watched::new();
    type Spawn<'a> = &'a dyn Fn() -> JoinHandle<()>;
    let parent = watched.tracer.start_span("parent");
    let context = parent.context();
    let rows: [(&str, u64, Spawn<'_>); 7] = [
        ("nothing is active", 0, &|| tokio::spawn(watched.roots())),
        ("a span is active", 2, &|| {
            parent.in_scope(|| tokio::spawn(watched.roots()))
        }),
        ("the span is handed over", 0, &|| {
            parent.in_scope(|| tokio::spawn(watched.roots().in_active_span()))
        }),
        ("nothing is handed over on purpose", 0, &|| {
            let nothing = capture();
            parent.in_scope(|| tokio::spawn(nothing.wrap_future(watched.roots())))
        }),
        ("the task has a span of its own", 0, &|| {
            let span = watched.tracer.build_span("own").child_of(&context).start();
            parent.in_scope(|| tokio::spawn(watched.roots().in_span(span)))
        }),
        ("a task of a lost task", 2, &|| {
            let roots = watched.roots();
            parent.in_scope(|| {
                tokio::spawn(async move { tokio::spawn(roots).await.expect("no panic") })
            })
        }),
        ("a task after lost tasks", 0, &|| {
            tokio::spawn(watched.roots())
        }),
    ];
    for runtime in [watched.on_one_thread(), watched.on_threads()] {
        for (spawned, more, spawn) in &rows {
            let before = watched.orphans.proven();
            runtime.block_on(async { spawn().await.expect("no panic") });
            assert_eq!(watched.orphans.proven() - before, *more, "{spawned}");
        }
    }
}

#[test]
fn tasks_that_panic_are_aborted_or_left_behind_leave_no_mark() {
    let watched = Watched::new();
    let runtime = watched.on_one_thread();
    runtime.block_on(async {
        let checkout = watched.tracer.start_active_span("checkout");
        let panics = tokio::spawn(async { panic!("of the task") });
        let waits = tokio::spawn(std::future::pending::<()>());
        let local = tokio::spawn(watched.roots());
        checkout.finish();
        assert!(panics.await.is_err());
        waits.abort();
        assert!(waits.await.is_err());
        local.await.expect("no panic");
        assert_eq!(watched.orphans.proven(), 2);
        tokio::spawn(watched.roots()).await.expect("no panic");
        watched.tracer.start_span("of no task").finish();
        task::spawn_blocking(|| ()).await.expect("no panic");
    });
    drop(runtime);
    watched.tracer.start_span("of no runtime").finish();
    assert_eq!(watched.orphans.proven(), 2);
}

#[test]
fn hooks_of_the_programs_own_can_call_ours() {
    let watched = Watched::new();
    let hooks = TaskHooks::new();
    let [spawned, begins, ends, over] = [(); 4].map(|()| hooks.clone());
    let seen = Arc::new(Mutex::new(0));
    let count = seen.clone();
    let runtime = Builder::new_current_thread()
        .on_task_spawn(move |task| {
            *count.lock().unwrap() += 1;
            spawned.spawned(task);
        })
        .on_before_task_poll(move |task| begins.poll_begins(task))
        .on_after_task_poll(move |task| ends.poll_ends(task))
        .on_task_terminate(move |task| over.terminated(task))
        .build()
        .expect("a runtime");
    runtime.block_on(async {
        let checkout = watched.tracer.start_span("checkout");
        let task = checkout.in_scope(|| tokio::spawn(watched.roots()));
        task.await.expect("no panic");
    });
    assert_eq!((watched.orphans.proven(), *seen.lock().unwrap()), (2, 1));
}

#[test]
fn many_tasks_of_many_threads_are_counted_exactly() {
    let watched = Watched::new();
    let runtime = watched.on_threads();
    runtime.block_on(async {
        let tasks: Vec<_> = (0..2_000)
            .map(|n| match n % 2 {
                0 => {
                    let _checkout = watched.tracer.start_active_span("checkout");
                    tokio::spawn(watched.roots())
                }
                _ => tokio::spawn(watched.roots()),
            })
            .collect();
        for task in tasks {
            task.await.expect("no panic");
        }
    });
    assert_eq!(watched.orphans.proven(), 2_000);
    assert_eq!(watched.orphans.list().len(), 2);
}
