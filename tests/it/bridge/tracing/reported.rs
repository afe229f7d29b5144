//! Faults that users of other layers, and of `tracing` itself, have reported. Each has the number of a report.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, mpsc};
use std::thread;
use std::time::Duration;

use tracehound::bridge::{SetParentError, TracingLayer, TracingSpanExt};
use tracehound::diagnostics::Diagnostics;
use tracehound::model::{Flags, SpanId, TraceId};
use tracehound::prelude::*;
use tracehound::scope::{active_context, in_active_span};
use tracehound::span::SpanContext;
use tracing::{
    Dispatch, Instrument, Level, Span, debug_span, error, event, field, info, info_span,
    instrument, trace_span,
};
use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::layer::Layered;
use tracing_subscriber::prelude::*;
use tracing_subscriber::registry::{LookupSpan, Registry};
use tracing_subscriber::{Layer, reload};

use super::{subscriber, tree_of};
use crate::block_on::block_on;
use crate::support::{log_texts, names, recording_builder, recording_tracer, texts};

/// A value that locks the data of its span while it is formatted, as a captured trace of spans does.
struct LooksAtSpans(Span);

impl fmt::Debug for LooksAtSpans {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = self.0.with_subscriber(|(id, dispatch)| {
            let registry = dispatch.downcast_ref::<Registry>().expect("there is one");
            let span = registry.span(id).expect("it is open");
            let scope = span.scope().map(|span| {
                drop(span.extensions_mut());
                span.name()
            });
            scope.collect::<Vec<_>>().join(" < ")
        });
        self.0.set_tag("formatted", true);
        f.write_str(&names.unwrap_or_default())
    }
}

// tracing#763, tracing#1565, tracing-opentelemetry#59
#[test]
fn a_value_may_lock_the_data_of_the_span_that_records_it() {
    let (dispatch, _, spans) = subscriber();
    tracing::dispatcher::with_default(&dispatch, || {
        let outer = info_span!("outer");
        let _in_outer = outer.enter();
        let inner =
            info_span!("inner", at_start = ?LooksAtSpans(outer.clone()), late = field::Empty);
        let _in_inner = inner.enter();
        inner.record("late", field::debug(LooksAtSpans(inner.clone())));
        info!(value = ?LooksAtSpans(inner.clone()), "early");
        let _ = active_context();
        info!(value = ?LooksAtSpans(inner.clone()), "late");
    });
    let inner = spans.find("inner").expect("it has ended");
    assert_eq!(
        texts(&inner.tags),
        ["at_start=outer", "formatted=true", "late=inner < outer"]
    );
    for log in &inner.logs {
        assert_eq!(
            log_texts(log).pop().expect("a field"),
            "value=inner < outer"
        );
    }
}

// tracing-opentelemetry#14, tracing-opentelemetry#86
#[test]
fn a_cause_that_is_closed_or_filtered_out_is_no_reference() {
    let (tracer, spans) = recording_tracer();
    let everything = tracing_subscriber::fmt::layer().with_writer(std::io::sink);
    let subscriber = tracing_subscriber::registry()
        .with(everything)
        .with(TracingLayer::new(tracer).with_filter(LevelFilter::INFO));
    tracing::subscriber::with_default(subscriber, || {
        let closed = info_span!("closed").id();
        let filtered = trace_span!("filtered out");
        let span = info_span!("a");
        span.follows_from(closed);
        span.follows_from(&filtered);
        filtered.follows_from(&span);
        filtered.record("no such field", 1);
        let _in_filtered = filtered.enter();
        info_span!(parent: &filtered, "below").in_scope(|| info!("in a root"));
    });
    let roots = spans.spans();
    assert_eq!(names(&spans), ["closed", "below", "a"]);
    for root in &roots {
        assert!(root.references.is_empty() && root.parent_id.is_none());
    }
    assert_eq!(spans.find("below").expect("it has ended").logs.len(), 1);
}

// tracing#3514: a guard that is held across an `.await` and dropped by another thread
#[test]
fn spans_that_are_left_on_another_thread_leave_nothing_behind() {
    let (builder, spans) = recording_builder();
    let tracer = builder.max_open_spans(16).build().expect("named");
    let layer = TracingLayer::new(tracer.clone());
    let dispatch = Dispatch::new(tracing_subscriber::registry().with(layer));
    tracing::dispatcher::with_default(&dispatch, || {
        for _ in 0..1_000 {
            let span = info_span!(parent: None, "a");
            dispatch.enter(&span.id().expect("enabled"));
            tracer.start_span("b").finish();
            thread::scope(|threads| {
                threads.spawn(|| {
                    dispatch.exit(&span.id().expect("enabled"));
                    drop(span);
                });
            });
        }
        assert!(active_span().is_noop());
    });
    assert_eq!(spans.take().len(), 2_000);
}

// tracing#1186: a span that is entered on one thread and left on another
#[test]
fn a_span_that_is_left_elsewhere_is_active_here_until_its_end() {
    let (dispatch, tracer, spans) = subscriber();
    let span = tracing::dispatcher::with_default(&dispatch, || info_span!("a"));
    let id = span.id().expect("enabled");
    dispatch.enter(&id);
    thread::scope(|threads| {
        threads.spawn(|| dispatch.exit(&id));
    });
    tracer.start_span("b").finish();
    drop(span);
    tracer.start_span("c").finish();
    // Left too often, and after its end.
    dispatch.exit(&id);
    assert_eq!(spans.tree(), "a\n  b\nc");
}

// tracing#1656, tracing#2870, tracing#898: a span that is left while another subscriber is the default
#[test]
fn spans_of_two_subscribers_may_be_left_in_any_order() {
    let (first, tracer, spans) = subscriber();
    let second = Dispatch::new(tracing_subscriber::registry().with(TracingLayer::new(tracer)));
    let outer = tracing::dispatcher::set_default(&first);
    let one = info_span!("one").entered();
    let inner = tracing::dispatcher::set_default(&second);
    let two = info_span!("two").entered();
    drop(one);
    info!("in two");
    drop(two);
    drop(inner);
    info_span!("three").in_scope(|| {});
    drop(outer);
    assert_eq!(spans.tree(), "one\n  two\nthree");
    assert_eq!(spans.find("two").expect("it has ended").logs.len(), 1);
}

// tracing#3223, tracing#1328: a pool whose threads have another subscriber, or none
#[test]
fn a_span_may_be_entered_where_its_subscriber_is_not_the_default() {
    use tracing::instrument::WithSubscriber as _;

    let (dispatch, tracer, spans) = subscriber();
    let (other, _, others) = subscriber();
    let work = async {
        let span = info_span!("resolve");
        let here = &tracer;
        let blocking = move || {
            let _in_span = span.enter();
            info!("nowhere: this thread has no subscriber");
            here.start_span("lookup").finish();
            tracing::dispatcher::with_default(&other, || {
                info_span!("theirs").in_scope(|| info!("there"));
            });
        };
        thread::scope(|threads| threads.spawn(blocking).join()).expect("no panic");
    };
    block_on(work.with_subscriber(dispatch));
    assert_eq!(spans.tree(), "resolve\n  lookup");
    let resolve = spans.find("resolve").expect("it has ended");
    let theirs = others.find("theirs").expect("it has ended");
    assert_eq!(theirs.parent_id, Some(resolve.span_id));
    assert_eq!(theirs.logs.len(), 1);
}

// tracing#495, tracing#511: spans that are dropped before their children
#[test]
fn spans_that_close_by_their_children_end_after_them() {
    let (dispatch, _, spans) = subscriber();
    tracing::dispatcher::with_default(&dispatch, || {
        let one = info_span!("one");
        let two = one.in_scope(|| info_span!("two"));
        let three = two.in_scope(|| info_span!("three"));
        drop(one);
        drop(two);
        assert!(spans.spans().is_empty(), "a child keeps its parents open");
        drop(three);
    });
    assert_eq!(names(&spans), ["three", "two", "one"]);
    assert_eq!(spans.tree(), "one\n  two\n    three");
}

// tracing#2704, tracing#2448, tracing-tree#93: `tracing` in the arguments of its own macros
#[test]
fn arguments_may_trace() {
    #[instrument]
    fn inner() -> i32 {
        info!("in an argument");
        7
    }
    let tree = tree_of(|_| {
        let span = info_span!(
            "outer",
            first = inner(),
            second = info_span!("b").in_scope(inner)
        );
        span.in_scope(|| info!(n = inner(), "{}", inner()));
        span.record("first", inner());
    });
    assert_eq!(tree, "inner\nb\n  inner\ninner\nouter\n  inner\n  inner");
}

// tracing#2520, tracing-opentelemetry#121, tracing#1564
#[test]
fn the_parent_of_a_request_counts_until_the_context_is_asked_for() {
    let context = |id| {
        let ids = TraceId::new(0, id).zip(SpanId::new(id)).expect("not zero");
        SpanContext::new(ids.0, ids.1, None, Flags::SAMPLED)
    };
    let (tracer, spans) = recording_tracer();
    let (layer, _handle) = reload::Layer::new(TracingLayer::new(tracer));
    let layer = layer.with_filter(LevelFilter::INFO);
    tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), || {
        let span = info_span!("a");
        assert_eq!(span.set_parent(&context(1)), Ok(()));
        assert_eq!(span.set_parent(&context(2)), Ok(()));
        // An empty context is what a request without headers has.
        assert_eq!(span.set_parent(&SpanContext::default()), Ok(()));
        let own = span.span_context();
        assert_eq!(span.set_parent(&context(3)), Err(SetParentError::Started));
        assert_eq!(span.span_context(), own, "asking changes nothing");
        assert_eq!(own.trace_id(), context(2).trace_id());
    });
    assert_eq!(spans.spans()[0].parent_id, context(2).span_id());
}

// tracing-opentelemetry#240, tracing#3104, tracing-opentelemetry#267
#[test]
fn late_names_kinds_and_numbers_are_what_they_say() {
    for starts in [false, true] {
        let (dispatch, _, spans) = subscriber();
        tracing::dispatcher::with_default(&dispatch, || {
            let span = info_span!(
                "a",
                otel.name = field::Empty,
                otel.kind = field::Empty,
                status = None::<u16>,
                size = field::Empty,
            );
            span.record("otel.name", "first");
            if starts {
                let _ = span.span_context();
            }
            span.record("otel.name", "GET /x");
            span.record("otel.kind", "client");
            span.record("status", 404_u16);
            span.record("size", usize::MAX);
            span.record("no such field", 1);
        });
        let span = &spans.spans()[0];
        assert_eq!(span.operation_name, "GET /x");
        let expected = [
            "span.kind=client",
            "status=404",
            "size=18446744073709551615",
        ];
        assert_eq!(texts(&span.tags), expected);
        assert!(matches!(
            span.tag("status"),
            Some(tracehound::model::TagRef::Long(404))
        ));
    }
}

// tracing#2295, tracing#1458, opentelemetry-rust#1571
#[test]
fn events_and_spans_of_either_api_go_where_they_are_told() {
    let (dispatch, tracer, spans) = subscriber();
    tracing::dispatcher::with_default(&dispatch, || {
        let outer = info_span!("outer");
        let inner = outer.in_scope(|| info_span!("inner"));
        let _in_outer = outer.enter();
        error!(parent: &inner, "failed");
        event!(parent: inner.id(), Level::INFO, "by its id");
        let query = async { tracer.start_span("query").finish() };
        block_on(query.instrument(inner.clone()));
        let detached = in_active_span(|| tracer.start_span("detached").finish());
        thread::scope(|threads| threads.spawn(detached).join()).expect("no panic");
    });
    assert_eq!(spans.tree(), "outer\n  inner !\n    query\n  detached");
    assert_eq!(spans.find("inner").expect("it has ended").logs.len(), 2);
    assert!(spans.find("outer").expect("it has ended").logs.is_empty());
}

type BoxedLayer = Box<dyn Layer<Registry> + Send + Sync>;

// tracing#1618, tracing#1629, tracing-opentelemetry#257
#[test]
fn a_layer_works_in_every_container() {
    type Wrap = fn(TracingLayer) -> Dispatch;
    fn of<L: Layer<Registry> + Send + Sync>(layer: L) -> Dispatch {
        let subscriber: Layered<L, Registry> = tracing_subscriber::registry().with(layer);
        subscriber.into()
    }
    let containers: [(&str, Wrap); 7] = [
        ("an option", |layer| of(Some(layer))),
        ("a box", |layer| of(Box::new(layer) as BoxedLayer)),
        ("a list", |layer| {
            let other: BoxedLayer = Box::new(LevelFilter::TRACE);
            of(vec![other, Box::new(layer)])
        }),
        ("a filter in a filter", |layer| {
            of(layer
                .with_filter(LevelFilter::DEBUG)
                .with_filter(LevelFilter::INFO))
        }),
        ("after another one", |layer| {
            of(LevelFilter::INFO.and_then(layer))
        }),
        ("before another one", |layer| {
            let lines = tracing_subscriber::fmt::layer().with_writer(std::io::sink);
            of(layer.and_then(lines.with_filter(LevelFilter::OFF)))
        }),
        ("on top of a subscriber for lines", |layer| {
            let lines = tracing_subscriber::fmt().with_writer(std::io::sink);
            lines.finish().with(layer).into()
        }),
    ];
    for (name, wrap) in containers {
        let (tracer, spans) = recording_tracer();
        let dispatch = wrap(TracingLayer::new(tracer.clone()));
        tracing::dispatcher::with_default(&dispatch, || {
            let span = info_span!("a");
            let parent = tracer.start_span("parent");
            assert_eq!(span.set_parent(&parent), Ok(()), "{name}");
            drop(parent);
            span.in_scope(|| {
                info!("seen");
                debug_span!("maybe").in_scope(|| tracer.start_span("b").finish());
            });
        });
        let tree = spans
            .tree()
            .replace("      b", "    b")
            .replace("    maybe\n", "");
        assert_eq!(tree, "parent\n  a\n    b", "{name}");
        assert_eq!(
            spans.find("a").expect("it has ended").logs.len(),
            1,
            "{name}"
        );
    }
}

// tracing#2333, tracing#1743, tracing#1527: the root is still open when the program says that it is done
#[test]
fn a_root_that_is_open_at_the_close_is_told_of() {
    let lines = Arc::<Mutex<Vec<String>>>::default();
    let kept = lines.clone();
    let (builder, spans) = recording_builder();
    let diagnostics = Diagnostics::with_handler(move |line| {
        kept.lock().expect("no panic").push(line.to_owned());
    });
    let tracer = builder.diagnostics(diagnostics).build().expect("named");
    let subscriber = tracing_subscriber::registry().with(TracingLayer::new(tracer.clone()));
    tracing::subscriber::with_default(subscriber, || {
        let root = info_span!("root").entered();
        info_span!("child").in_scope(|| {});
        let report = tracer.close(Duration::from_secs(5));
        assert!(report.is_complete(), "{report}");
        drop(root);
    });
    assert_eq!(names(&spans), ["child"]);
    let lines = lines.lock().expect("no panic").join("\n");
    assert!(lines.contains("while 1 of its spans were open"), "{lines}");
}

// fastrace#122: the program panics
#[test]
fn spans_that_a_panic_leaves_are_reported_and_marked() {
    let (dispatch, _, spans) = subscriber();
    let result = catch_unwind(AssertUnwindSafe(|| {
        tracing::dispatcher::with_default(&dispatch, || {
            let _main = info_span!("main").entered();
            let _work = info_span!("work").entered();
            panic!("as planned");
        });
    }));
    assert!(result.is_err());
    assert_eq!(spans.tree(), "main !\n  work !");
}

// tracing-opentelemetry#116, tracing-opentelemetry#123
#[test]
fn a_span_that_is_kept_lasts_until_its_last_handle() {
    let (dispatch, tracer, spans) = subscriber();
    let (keep, kept) = mpsc::channel::<Span>();
    tracing::dispatcher::with_default(&dispatch, || {
        let span = info_span!("task");
        let again = span.clone().entered();
        let outer = span.clone().entered();
        drop(again);
        tracer.start_span("inside").finish();
        keep.send(outer.exit()).expect("open");
        drop(span);
        assert!(active_span().is_noop());
    });
    assert_eq!(names(&spans), ["inside"]);
    thread::spawn(move || drop(kept.recv()))
        .join()
        .expect("no panic");
    assert_eq!(spans.tree(), "task\n  inside");
}
