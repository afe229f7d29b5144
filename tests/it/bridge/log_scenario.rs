//! A line in each place where a program logs, whatever writes it.

use std::thread;

use tracehound::model::{Flags, SpanId, TraceId};
use tracehound::prelude::*;
use tracehound::sampler::ConstSampler;
use tracehound::scope::{activate_context, capture};
use tracehound::span::{SpanContext, TraceIds};

use crate::block_on::block_on;
use crate::support::{recording_builder, recording_tracer};

/// A message, and the ids that its line should have.
pub(crate) type Expected = (&'static str, TraceIds);

/// Logs a line in each place, and returns what the lines should be, in their order.
pub(crate) fn log_everywhere(log: impl Fn(&'static str) + Sync) -> Vec<Expected> {
    let none = TraceIds::default();
    let mut expected = Vec::new();
    let mut line = |message, ids: TraceIds| {
        log(message);
        expected.push((message, ids));
    };
    line("before", none);

    let (tracer, _) = recording_tracer();
    let request = tracer.start_active_span("request");
    let ids = request.trace_ids();
    line("in a span", ids);
    {
        let query = tracer.start_active_span("query");
        line("in a nested span", query.trace_ids());
    }
    line("in the outer span again", ids);

    let (builder, _) = recording_builder();
    let unsampled = builder.sampler(ConstSampler::new(false)).build().unwrap();
    let quiet = unsampled.build_span("quiet").ignore_active_span().start();
    quiet.in_scope(|| line("in an unsampled trace", quiet.trace_ids()));
    assert!(!quiet.trace_ids().is_empty());

    let long = TraceId::new(0xa, 0xb).expect("not zero");
    let caller = SpanContext::new(
        long,
        SpanId::new(0xc).expect("not zero"),
        None,
        Flags::SAMPLED,
    );
    {
        let _scope = activate_context(&caller);
        line("under a caller's context", caller.trace_ids());
    }

    let captured = capture();
    thread::scope(|threads| {
        let in_thread = || {
            log("on another thread");
            captured.run(|| log("on another thread, captured"));
        };
        threads.spawn(in_thread).join().expect("it ends");
    });
    expected.push(("on another thread", none));
    expected.push(("on another thread, captured", ids));

    let task = tracer.start_span("task");
    let task_ids = task.trace_ids();
    request.finish();
    let future = async {
        log("in a future");
        yield_once().await;
        log("in a future, after a pause");
    };
    block_on(future.in_span(task));
    expected.push(("in a future", task_ids));
    expected.push(("in a future, after a pause", task_ids));

    log("after");
    expected.push(("after", none));
    expected
}

async fn yield_once() {
    let mut is_second = false;
    std::future::poll_fn(|context| {
        if is_second {
            return std::task::Poll::Ready(());
        }
        is_second = true;
        context.waker().wake_by_ref();
        std::task::Poll::Pending
    })
    .await;
}
