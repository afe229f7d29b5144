//! Futures and tasks.

use std::time::Duration;

use opentelemetry::Context;
use opentelemetry::trace::{FutureExt as _, TraceContextExt as _, Tracer as _};
use tokio::task::yield_now;
use tracehound::InSpan as _;
use tracehound::prelude::*;
use tracehound::scope::active_context;
use tracehound_opentelemetry::current_context;

use crate::support::both;

#[tokio::test]
async fn futures_of_both_kinds_nest_in_each_other() {
    let both = both();
    let inner = async {
        yield_now().await;
        both.tracer.start_span("ours in library").finish();
        async {
            yield_now().await;
            drop(both.library.start("library in ours"));
        }
        .in_span(both.tracer.start_span("ours"))
        .await;
        drop(both.library.start("library again"));
    };
    let cx = Context::current_with_span(both.library.start("library"));
    inner.with_context(cx).await;
    assert_eq!(
        both.spans.tree(),
        "library\n  ours in library\n  ours\n    library in ours\n  library again"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn parents_are_exact_in_tasks_that_move_between_threads() {
    let both = both();
    let tasks: Vec<_> = (0..300)
        .map(|n| {
            let (tracer, library) = (both.tracer.clone(), both.library.clone());
            let cx = Context::new().with_span(library.start(format!("outer {n}")));
            let id = Some(cx.span().span_context().span_id().to_string());
            let parent = |span: &tracehound::Span| {
                let parent = span.context().parent_id();
                parent.map(|id| id.to_string())
            };
            let work = async move {
                for _ in 0..4 {
                    yield_now().await;
                    assert_eq!(Some(active_context().to_span_id()), id);
                    let ours = tracer.start_span("ours");
                    assert_eq!(parent(&ours), id);
                    let own = ours.context().to_span_id();
                    let inner = async {
                        yield_now().await;
                        assert_eq!(active_context().to_span_id(), own);
                        assert_eq!(parent(library.start("inner").span()), Some(own));
                    };
                    inner.in_span(ours).await;
                }
            };
            tokio::spawn(work.with_context(cx))
        })
        .collect();
    for task in tasks {
        let ended = tokio::time::timeout(Duration::from_secs(60), task).await;
        ended.expect("in time").expect("no panic");
    }
    assert_eq!(both.spans.spans().len(), 300 * (1 + 4 * 2));
}

#[tokio::test]
async fn a_future_with_the_context_of_ours_is_polled_under_it() {
    let both = both();
    let span = both.tracer.start_span("ours");
    let cx = span.in_scope(current_context);
    let other = both.tracer.start_span("other");
    let work = async {
        yield_now().await;
        drop(both.library.start("library"));
        both.tracer.start_span("child").finish();
    };
    // The thread that polls the future has another span active.
    work.with_context(cx).in_span(other).await;
    span.finish();
    assert_eq!(both.spans.tree(), "ours\n  library\n  child\nother");
}
