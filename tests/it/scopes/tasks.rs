//! Tasks of tokio: each way to spawn carries the active span or starts a child, and nothing leaks into other tasks.

use std::future::{Future, pending};
use std::time::Duration;

use tokio::runtime::{Handle, Runtime};
use tokio::task::{JoinSet, LocalSet, yield_now};
use tracehound::metrics::Counter;
use tracehound::prelude::*;
use tracehound::scope::{Captured, active_context, capture, in_active_span, task};
use tracehound::{JaegerTracer, SpanContext};

use super::futures::runtime;
use super::{active, log_of};
use crate::support::{names, recording_tracer};

/// Starts a span at its first and at its last poll, which shows what is active.
async fn probe(tracer: JaegerTracer) {
    tracer.start_span("probe").finish();
    yield_now().await;
    tracer.start_span("probe").finish();
}

fn probe_at_once(tracer: &JaegerTracer) {
    tracer.start_span("probe").finish();
    tracer.start_span("probe").finish();
}

/// Spawns one probe by each way, and waits for it. `other` is another runtime.
async fn by_every_way(captured: &Captured, tracer: &JaegerTracer, other: &Runtime) {
    let work = || probe(tracer.clone());
    let block = || {
        let tracer = tracer.clone();
        move || probe_at_once(&tracer)
    };
    let mut tasks = vec![
        tokio::spawn(captured.wrap_future(work())),
        tokio::task::spawn_blocking(captured.wrap(block())),
        captured.on(&Handle::current()).spawn(work()),
        captured.on(&Handle::current()).spawn_blocking(block()),
        captured.on(other.handle()).spawn(work()),
        captured.on(other.handle()).spawn_blocking(block()),
    ];
    let mut set = JoinSet::new();
    let mut on_set = captured.on(&mut set);
    on_set.spawn(work());
    on_set.spawn_blocking(block());
    on_set.spawn_on(work(), other.handle());
    on_set.spawn_blocking_on(block(), other.handle());
    let local = LocalSet::new();
    captured.on(&mut set).spawn_local_on(work(), &local);
    tasks.push(captured.on(&local).spawn_local(work()));
    let inside = local.run_until(async {
        let mut set = JoinSet::new();
        captured.on(&mut set).spawn_local(work());
        set.join_all().await.len()
    });
    assert_eq!(inside.await, 1);
    local.await;
    for task in tasks {
        task.await.expect("no panic");
    }
    assert_eq!(set.join_all().await.len(), 5);
}

const WAYS: usize = 13;

/// Runs in a span, whose children are then counted.
fn expect_children(way: impl Fn(Captured, &JaegerTracer) -> Captured, child: &str) {
    let (tracer, spans) = recording_tracer();
    let (runtime, other) = (runtime(), runtime());
    let request = tracer.start_active_span("request");
    let captured = way(capture(), &tracer);
    let request = request.into_span();
    runtime.block_on(by_every_way(&captured, &tracer, &other));
    assert!(active_span().is_noop());
    request.finish();
    let expected = format!("request{}", child.repeat(WAYS));
    assert_eq!(spans.tree(), expected);
    assert_eq!(tracer.metrics().get(Counter::FinishedTwice), 0);
}

#[test]
fn a_task_carries_the_active_span_by_every_way_to_spawn() {
    expect_children(|captured, _| captured, "\n  probe\n  probe");
}

#[test]
fn a_task_has_a_child_of_its_own_by_every_way_to_spawn() {
    expect_children(
        |captured, tracer| captured.child(tracer.clone(), "task"),
        "\n  task\n    probe\n    probe",
    );
}

#[test]
fn the_functions_of_the_kit_and_of_tokio_with_wrapped_work_do_the_same() {
    let (tracer, spans) = recording_tracer();
    let work = || probe(tracer.clone());
    let block = || {
        let tracer = tracer.clone();
        move || probe_at_once(&tracer)
    };
    let request = tracer.start_span("request");
    let spawn_all = async {
        let mut set = JoinSet::new();
        set.spawn(work().in_active_span());
        set.spawn_blocking(in_active_span(block()));
        set.spawn_on(work().in_active_span(), &Handle::current());
        let tasks = [
            task::spawn(work()),
            task::spawn_blocking(block()),
            tokio::spawn(work().in_active_span()),
            Handle::current().spawn(work().in_active_span()),
            tokio::task::spawn_blocking(in_active_span(block())),
        ];
        for task in tasks {
            task.await.expect("no panic");
        }
        set.join_all().await;
        let local = LocalSet::new();
        let local_tasks = local.run_until(async {
            task::spawn_local(work()).await.expect("no panic");
            let task = tokio::task::spawn_local(work().in_active_span());
            task.await.expect("no panic");
        });
        local_tasks.await;
    };
    runtime().block_on(spawn_all.in_span(request));
    let expected = format!("request{}", "\n  probe\n  probe".repeat(10));
    assert_eq!(spans.tree(), expected);
}

#[test]
fn a_task_that_is_spawned_without_the_kit_has_no_span() {
    let (tracer, _) = recording_tracer();
    let spawn_all = async {
        let there = tokio::spawn(async { active() });
        assert!(there.await.expect("no panic").is_empty());
        let there = tokio::task::spawn_blocking(active);
        assert!(there.await.expect("no panic").is_empty());
    };
    runtime().block_on(spawn_all.in_span(tracer.start_span("request")));
}

/// Asserts in every poll that this context is active.
async fn sees(expected: SpanContext, polls: u32) {
    for _ in 0..polls {
        assert_eq!(active_context(), expected);
        yield_now().await;
    }
    assert_eq!(active_context(), expected);
}

fn branch(tracer: &JaegerTracer, name: &'static str, polls: u32) -> impl Future<Output = ()> {
    let span = tracer.start_span(name);
    sees(span.context(), polls).in_span(span)
}

#[test]
fn branches_and_timers_keep_their_spans_apart() {
    let (tracer, spans) = recording_tracer();
    let request = tracer.start_span("request");
    let context = request.context();
    let work = async {
        tokio::join!(
            branch(&tracer, "left", 5),
            sees(context.clone(), 7),
            branch(&tracer, "right", 9),
        );
        let joined = tokio::try_join!(
            async {
                sees(context.clone(), 2).await;
                Ok::<_, ()>(())
            },
            async {
                branch(&tracer, "tried", 3).await;
                Ok(())
            },
        );
        assert_eq!(joined, Ok(((), ())));
        tokio::select! {
            biased;
            () = branch(&tracer, "lost", 100) => unreachable!("the slower branch"),
            () = branch(&tracer, "won", 3) => sees(context.clone(), 1).await,
        }
        let limit = Duration::from_secs(60);
        let done = tokio::time::timeout(limit, branch(&tracer, "in time", 2)).await;
        assert_eq!(done, Ok(()));
        let mut ticks = tokio::time::interval(Duration::from_micros(1));
        for _ in 0..3 {
            ticks.tick().await;
            sees(context.clone(), 1).await;
        }
        let limit = Duration::from_micros(1);
        let late = pending::<()>().in_span(tracer.start_span("late"));
        assert!(tokio::time::timeout(limit, late).await.is_err());
        sees(context.clone(), 1).await;
    };
    runtime().block_on(work.in_span(request));
    let spans = spans.spans();
    assert_eq!(spans.len(), 8);
    for span in spans {
        let name = &span.operation_name;
        let is_request = name == "request";
        assert_eq!(span.parent_id.is_none(), is_request, "{name}");
        let is_cancelled = ["lost", "late"].contains(&name.as_str());
        let expected: &[&str] = if is_cancelled {
            &["event=cancelled"]
        } else {
            &[]
        };
        assert_eq!(log_of(&span), expected, "{name}");
    }
}

#[test]
fn what_blocks_on_a_runtime_keeps_its_active_span() {
    let (tracer, spans) = recording_tracer();
    let request = tracer.start_active_span("request");
    runtime().block_on(probe(tracer.clone()));
    request.finish();
    assert_eq!(spans.tree(), "request\n  probe\n  probe");
}

/// Polls as often as it is told to, with a span open over every poll.
async fn long(tracer: JaegerTracer, polls: u32) {
    let inner = tracer.start_span("inner");
    async {
        for _ in 0..polls {
            yield_now().await;
        }
    }
    .in_span(inner)
    .await;
}

#[test]
fn a_task_that_is_aborted_after_any_number_of_polls_ends_its_spans_once() {
    const POLLS: u32 = 8;
    for polls in 0..=POLLS + 1 {
        let (tracer, spans) = recording_tracer();
        let captured = {
            let _request = tracer.start_active_span("request");
            capture().child(tracer.clone(), "task")
        };
        let is_cancelled = block_on_one_thread(async {
            let task = tokio::spawn(captured.wrap_future(long(tracer.clone(), POLLS)));
            // The scheduler of one thread polls the task once for each yield.
            for _ in 0..polls {
                yield_now().await;
            }
            task.abort();
            task.await.is_err_and(|error| error.is_cancelled())
        });
        assert_eq!(is_cancelled, polls <= POLLS, "{polls} polls");
        let expected: &[&str] = match polls {
            0 => &["request"],
            _ => &["request", "inner", "task"],
        };
        assert_eq!(names(&spans), expected, "{polls} polls");
        for span in &spans.spans()[1..] {
            let expected: &[&str] = if is_cancelled {
                &["event=cancelled"]
            } else {
                &[]
            };
            assert_eq!(log_of(span), expected, "{polls} polls: {span:?}");
        }
        assert_eq!(tracer.metrics().get(Counter::FinishedTwice), 0);
        assert!(tracer.flush(Duration::from_secs(5)).is_complete());
    }
}

#[test]
fn parents_are_exact_in_a_thousand_tasks_with_children_of_their_own() {
    let (tracer, spans) = recording_tracer();
    let work = async {
        let mut set = JoinSet::new();
        for _ in 0..10 {
            let span = tracer.start_span("batch");
            let spawn = async {
                let item = capture().child(tracer.clone(), "item");
                for _ in 0..100 {
                    let tracer = tracer.clone();
                    item.on(&mut set).spawn(async move {
                        let item = active();
                        yield_now().await;
                        let step = capture().child(tracer.clone(), "step");
                        task::spawn(step.wrap_future(async move {
                            yield_now().await;
                            active().parent_id() == item.span_id()
                        }))
                        .await
                        .expect("no panic")
                    });
                }
            };
            spawn.in_span(span).await;
        }
        set.join_all().await
    };
    let results = runtime().block_on(work);
    assert_eq!(results, vec![true; 1_000]);
    let spans = spans.spans();
    assert_eq!(spans.len(), 2_010);
    let batches = spans.iter().filter(|span| span.operation_name == "batch");
    for batch in batches {
        let items = spans
            .iter()
            .filter(|span| span.parent_id == Some(batch.span_id));
        assert_eq!(items.count(), 100);
        let trace = spans.iter().filter(|span| span.trace_id == batch.trace_id);
        assert_eq!(trace.count(), 201);
    }
}

/// Drops spawned work before its end.
type Abandon = fn(&Captured, &JaegerTracer);

#[test]
fn tasks_that_are_dropped_with_what_holds_them_end_their_spans_once() {
    let ways: [(&str, Abandon); 6] = [
        ("JoinSet", |captured, tracer| {
            block_on_one_thread(async {
                let mut set = JoinSet::new();
                captured.on(&mut set).spawn(long(tracer.clone(), 1_000_000));
                yield_now().await;
                drop(set);
                // The aborted task is dropped when the runtime gets to it.
                yield_now().await;
            });
        }),
        ("JoinSet::abort_all", |captured, tracer| {
            block_on_one_thread(async {
                let mut set = JoinSet::new();
                captured.on(&mut set).spawn(long(tracer.clone(), 1_000_000));
                yield_now().await;
                set.abort_all();
                while let Some(result) = set.join_next().await {
                    assert!(result.is_err_and(|error| error.is_cancelled()));
                }
            });
        }),
        ("LocalSet", |captured, tracer| {
            let local = LocalSet::new();
            captured
                .on(&local)
                .spawn_local(long(tracer.clone(), 1_000_000));
            block_on_one_thread(local.run_until(yield_now()));
            drop(local);
        }),
        ("the runtime", |captured, tracer| {
            block_on_one_thread(async {
                tokio::spawn(captured.wrap_future(long(tracer.clone(), 1_000_000)));
                yield_now().await;
            });
        }),
        ("a timeout", |captured, tracer| {
            runtime().block_on(async {
                let limit = Duration::from_millis(1);
                let work = captured.wrap_future(async {
                    long(tracer.clone(), 1).await;
                    pending::<()>().await;
                });
                assert!(tokio::time::timeout(limit, work).await.is_err());
            });
        }),
        ("a select", |captured, tracer| {
            block_on_one_thread(async {
                tokio::select! {
                    biased;
                    () = captured.wrap_future(long(tracer.clone(), 1_000_000)) => unreachable!(),
                    () = yield_now() => {}
                }
            });
        }),
    ];
    for (name, way) in ways {
        let (tracer, spans) = recording_tracer();
        let captured = {
            let _request = tracer.start_active_span("request");
            capture().child(tracer.clone(), "task")
        };
        way(&captured, &tracer);
        assert_eq!(spans.tree(), "request\n  task\n    inner", "{name}");
        let task = spans.find("task").expect("in the tree");
        assert_eq!(log_of(&task), ["event=cancelled"], "{name}");
        assert_eq!(tracer.metrics().get(Counter::FinishedTwice), 0, "{name}");
        let report = tracer.flush(Duration::from_secs(5));
        assert!(report.is_complete() && report.finished == 3, "{name}");
    }
}

fn block_on_one_thread<T>(work: impl Future<Output = T>) -> T {
    let mut builder = tokio::runtime::Builder::new_current_thread();
    builder.build().expect("a runtime").block_on(work)
}
