//! Futures and tasks: the span is active in every poll, and tells how the future ended.

use std::cell::RefCell;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker};

use tracehound::prelude::*;
use tracehound::scope::in_active_span;
use tracehound::{JaegerTracer, SpanContext};

use super::{active, log_of};
use crate::support::{names, recording_tracer};

/// A future that is pending `left` times, and notes the active context at each poll and when it is dropped.
struct Nosy<'a> {
    left: u32,
    seen: &'a RefCell<Vec<SpanContext>>,
}

impl Future for Nosy<'_> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<()> {
        self.seen.borrow_mut().push(active());
        if self.left == 0 {
            return Poll::Ready(());
        }
        self.left -= 1;
        Poll::Pending
    }
}

impl Drop for Nosy<'_> {
    fn drop(&mut self) {
        self.seen.borrow_mut().push(active());
    }
}

#[test]
fn an_instrumented_future_has_its_span_in_every_poll_and_in_drop() {
    let (tracer, spans) = recording_tracer();
    for polls in 0..4 {
        let seen = RefCell::new(Vec::new());
        let span = tracer.start_span("s");
        let context = span.context();
        let mut done = false;
        {
            let mut future = pin!(
                Nosy {
                    left: 2,
                    seen: &seen
                }
                .in_span(span)
            );
            for _ in 0..polls {
                done |= future
                    .as_mut()
                    .poll(&mut Context::from_waker(Waker::noop()))
                    .is_ready();
                assert!(active_span().is_noop());
            }
        }
        assert_eq!(done, polls == 3);
        assert_eq!(*seen.borrow(), vec![context; polls + 1], "{polls} polls");
        assert_eq!(
            spans.spans().len(),
            polls + 1,
            "the span ends with the future"
        );
    }
}

#[test]
fn a_future_that_is_done_releases_its_span_at_once() {
    let (tracer, spans) = recording_tracer();
    let mut future = Box::pin(async {}.in_span(tracer.start_span("s")));
    assert!(
        future
            .as_mut()
            .poll(&mut Context::from_waker(Waker::noop()))
            .is_ready()
    );
    assert_eq!(spans.spans().len(), 1);
    assert!(future.span().is_noop());
    assert!(
        future
            .as_mut()
            .poll(&mut Context::from_waker(Waker::noop()))
            .is_pending()
    );
}

pub(super) fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(4)
        .enable_time()
        .build()
        .expect("a runtime")
}

async fn nested(tracer: JaegerTracer, depth: u32) {
    let parent = active();
    let span = tracer.start_span("nested");
    assert_eq!(span.context().parent_id(), parent.span_id());
    let context = span.context();
    async {
        for _ in 0..3 {
            tokio::task::yield_now().await;
            assert_eq!(active(), context);
        }
        if depth > 0 {
            Box::pin(nested(tracer.clone(), depth - 1)).await;
            assert_eq!(active(), context);
        }
    }
    .in_span(span.downgrade())
    .await;
}

#[test]
fn parents_are_exact_in_a_thousand_tasks_that_move_between_threads() {
    let (tracer, spans) = recording_tracer();
    runtime().block_on(async {
        let mut tasks = tokio::task::JoinSet::new();
        for _ in 0..1_000 {
            let root = tracer.start_span("root");
            tasks.spawn(nested(tracer.clone(), 3).in_span(root));
        }
        while let Some(result) = tasks.join_next().await {
            result.expect("no panic");
        }
    });
    let spans = spans.spans();
    assert_eq!(spans.len(), 5_000);
    let mut traces = std::collections::HashMap::<_, u32>::new();
    for span in &spans {
        *traces.entry(span.trace_id).or_default() += 1;
    }
    assert!(traces.values().all(|count| *count == 5));
}

#[test]
fn branches_of_a_select_and_aborted_tasks_keep_their_spans_apart() {
    let (tracer, spans) = recording_tracer();
    runtime().block_on(async {
        let (left, right) = (tracer.start_span("left"), tracer.start_span("right"));
        let (in_left, in_right) = (left.context(), right.context());
        tokio::select! {
            () = async {
                assert_eq!(active(), in_left);
                std::future::pending::<()>().await;
            }.in_span(left) => unreachable!("never ready"),
            () = async {
                tokio::task::yield_now().await;
                assert_eq!(active(), in_right);
            }.in_span(right) => {}
        }
        assert!(active_span().is_noop());
        let aborted =
            tokio::spawn(std::future::pending::<()>().in_span(tracer.start_span("aborted")));
        tokio::task::yield_now().await;
        aborted.abort();
        assert!(aborted.await.expect_err("aborted").is_cancelled());
    });
    let mut names = names(&spans);
    names.sort();
    assert_eq!(names, ["aborted", "left", "right"]);
}

#[test]
fn a_spawned_task_has_the_span_that_was_active_and_does_not_own_it() {
    let (tracer, spans) = recording_tracer();
    let (release, wait) = tokio::sync::oneshot::channel::<()>();
    let runtime = runtime();
    let span = tracer.start_span("request");
    let context = span.context();
    let task = {
        let _scope = span.activate();
        let _in_runtime = runtime.enter();
        tokio::spawn(
            async move {
                wait.await.expect("released");
                active()
            }
            .in_active_span(),
        )
    };
    span.finish();
    assert_eq!(spans.spans().len(), 1, "the task keeps no request open");
    release.send(()).expect("the task waits");
    assert_eq!(runtime.block_on(task).expect("no panic"), context);
}

#[test]
fn context_goes_into_blocking_pools_and_local_sets() {
    let (tracer, _) = recording_tracer();
    let span = tracer.start_span("s");
    let context = span.context();
    runtime().block_on(
        async {
            let there = tokio::task::spawn_blocking(in_active_span(active))
                .await
                .expect("no panic");
            assert_eq!(there, context);
            let local = tokio::task::LocalSet::new();
            let there = local.run_until(async {
                tokio::task::spawn_local(async { active() }.in_active_span()).await
            });
            assert_eq!(there.await.expect("no panic"), context);
        }
        .in_span(span.clone()),
    );
}

#[test]
fn a_future_that_panics_marks_its_span_once_and_ends_the_one_that_it_owns() {
    let (tracer, spans) = recording_tracer();
    let caught = |future: &mut dyn FnMut() -> Pin<Box<dyn Future<Output = ()>>>| {
        let mut future = future();
        let poll = catch_unwind(AssertUnwindSafe(|| {
            let _ = future
                .as_mut()
                .poll(&mut Context::from_waker(Waker::noop()));
        }));
        assert!(poll.is_err());
        assert!(active_span().is_noop(), "no scope is left behind");
        future
    };
    let mut fails = || -> Pin<Box<dyn Future<Output = ()>>> {
        Box::pin(async { panic!("on purpose") }.in_span(tracer.start_span("owned")))
    };
    let kept = caught(&mut fails);
    assert_eq!(
        spans.spans().len(),
        1,
        "who catches it may keep what is left"
    );
    drop(kept);

    let lent = tracer.start_span("lent");
    let mut fails = || -> Pin<Box<dyn Future<Output = ()>>> {
        Box::pin(async { panic!("on purpose") }.in_span(lent.downgrade()))
    };
    drop(caught(&mut fails));
    assert_eq!(spans.spans().len(), 1, "its owner ends it");
    lent.finish();

    let mut fails = || -> Pin<Box<dyn Future<Output = ()>>> {
        let span = tracer.start_span("unwound");
        let tracer = tracer.clone();
        Box::pin(async move {
            let handle = span.downgrade();
            let work = async {
                let _inner = tracer.start_span("in its way");
                panic!("on purpose");
            };
            work.in_span(handle).await;
            drop(span);
        })
    };
    drop(caught(&mut fails));

    let spans = spans.spans();
    assert_eq!(spans.len(), 4);
    for span in &spans {
        let name = &span.operation_name;
        assert_eq!(span.tag_text("error"), "true", "{name}");
        assert_eq!(log_of(span), ["event=panic"], "{name}");
    }
}

#[test]
fn a_task_that_panics_marks_its_span() {
    let (tracer, spans) = recording_tracer();
    let span = tracer.start_span("task");
    let task = runtime().block_on(async {
        let work = async {
            tokio::task::yield_now().await;
            panic!("on purpose");
        };
        tokio::spawn(work.in_span(span)).await
    });
    assert!(task.is_err());
    let [span] = &spans.spans()[..] else {
        panic!("one span")
    };
    assert_eq!(span.tag_text("error"), "true");
    assert_eq!(log_of(span), ["event=panic"]);
}

#[test]
fn a_future_that_is_dropped_before_its_end_logs_cancelled() {
    let (tracer, spans) = recording_tracer();
    let forever = std::future::pending::<()>;
    runtime().block_on(async {
        let limit = std::time::Duration::from_millis(1);
        let work = forever().in_span(tracer.start_span("timeout"));
        assert!(tokio::time::timeout(limit, work).await.is_err());
        tokio::select! {
            biased;
            () = forever().in_span(tracer.start_span("select")) => unreachable!("never ready"),
            () = async {}.in_span(tracer.start_span("done")) => {}
        }
        let task = tokio::spawn(forever().in_span(tracer.start_span("abort")));
        tokio::task::yield_now().await;
        task.abort();
        assert!(task.await.is_err());
    });
    drop(forever().in_span(tracer.start_span("never polled")));
    let inside = tracer.start_span("ends with what is inside");
    let handle = inside.downgrade();
    drop(
        async move {
            let _owned = inside;
            forever().await;
        }
        .in_span(handle),
    );
    let request = tracer.start_span("request");
    let scope = request.activate();
    drop(forever().in_active_span());
    drop(scope);
    request.finish();

    for span in spans.spans() {
        let expected: &[&str] = match &*span.operation_name {
            "done" | "request" => &[],
            _ => &["event=cancelled"],
        };
        let name = &span.operation_name;
        assert_eq!(log_of(&span), expected, "{name}");
        assert_eq!(span.tag_text("error"), "", "{name}");
    }
    assert_eq!(spans.spans().len(), 7);
}

/// The methods of `tracing::Instrument`.
trait Instrument: Sized {
    fn instrument(self, _: ()) -> Self {
        self
    }
    fn in_current_span(self) -> Self {
        self
    }
}

impl<T> Instrument for T {}

#[test]
fn in_span_and_the_instrument_trait_of_tracing_can_be_in_scope_together() {
    let (tracer, spans) = recording_tracer();
    let work = async { active_span().log_event("work").is_recording() };
    let work = work.instrument(()).in_span(tracer.start_span("s"));
    let is_recorded = runtime().block_on(work.in_current_span().in_active_span());
    assert!(is_recorded);
    assert_eq!(log_of(&spans.spans()[0]), ["event=work"]);
}
