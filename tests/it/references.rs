//! The choice of the parent, and what a span takes over from its references.

mod late;
mod new_trace;
mod shared_rpc_span;

use tracehound::SpanContext;
use tracehound::metrics::Counter;
use tracehound::model::{Baggage, Flags, ReferenceType, ReportedReference, SpanId, TraceId};
use tracehound::prelude::*;
use tracehound::sampler::ConstSampler;
use tracehound::scope::activate_context;
use tracehound::span::Reference;

use crate::support::{counting_ids, recording_builder, recording_tracer};

fn context(trace: u64, span: u64) -> SpanContext {
    let ids = (
        TraceId::new(7, trace).expect("not 0"),
        SpanId::new(span).expect("not 0"),
    );
    SpanContext::new(ids.0, ids.1, None, Flags::SAMPLED)
}

fn reference(kind: ReferenceType, of: &SpanContext) -> ReportedReference {
    ReportedReference::new(
        kind,
        of.trace_id().expect("a trace"),
        of.span_id().expect("a span"),
    )
}

fn container(key: &str) -> SpanContext {
    SpanContext::default().with_baggage_item(key, "1")
}

#[test]
fn the_first_child_of_is_the_parent_in_any_position() {
    let (tracer, spans) = recording_tracer();
    let (a, b, c) = (context(1, 10), context(2, 20), context(3, 30));
    tracer
        .build_span("s")
        .follows_from(&a)
        .child_of(&b)
        .child_of(&c)
        .start()
        .finish();
    let span = &spans.spans()[0];
    assert_eq!(span.trace_id, b.trace_id().expect("a trace"));
    assert_eq!(span.parent_id, b.span_id());
    assert_eq!(
        span.references,
        [
            reference(ReferenceType::FollowsFrom, &a),
            reference(ReferenceType::ChildOf, &b),
            reference(ReferenceType::ChildOf, &c),
        ]
    );
}

#[test]
fn the_first_follows_from_is_the_parent_if_there_is_no_child_of() {
    let (tracer, spans) = recording_tracer();
    let (a, b) = (context(1, 10), context(2, 20));
    tracer
        .build_span("s")
        .follows_from(&a)
        .follows_from(&b)
        .start()
        .finish();
    let span = &spans.spans()[0];
    assert_eq!(span.parent_id, a.span_id());
    assert_eq!(span.references.len(), 2);
}

#[test]
fn a_context_without_a_trace_never_hides_one_that_has_one() {
    let (tracer, spans) = recording_tracer();
    let (a, debug) = (context(1, 10), SpanContext::default().with_debug_id("x"));
    tracer
        .build_span("s")
        .child_of(&container("k"))
        .child_of(&debug)
        .child_of(&a)
        .start()
        .finish();
    let span = &spans.spans()[0];
    assert_eq!(span.parent_id, a.span_id());
    assert_eq!(span.references, [reference(ReferenceType::ChildOf, &a)]);
    assert_eq!(span.flags, Flags::SAMPLED);
}

#[test]
fn baggage_of_the_parent_wins_and_other_references_add_missing_items() {
    let (tracer, _) = recording_tracer();
    let a = context(1, 10)
        .with_baggage_item("k", "a")
        .with_baggage_item("only", "a");
    let b = context(2, 20)
        .with_baggage_item("k", "b")
        .with_baggage_item("first", "b");
    let span = tracer.build_span("s").follows_from(&a).child_of(&b).start();
    let context = span.context();
    let items: Vec<_> = context.baggage().iter().collect();
    assert_eq!(items, [("k", "b"), ("first", "b"), ("only", "a")]);
}

#[test]
fn every_child_of_a_context_with_baggage_has_it() {
    let (tracer, _) = recording_tracer();
    // The thread's first span has no memory to reuse, and later ones take another path.
    for n in 1..4 {
        let caller = context(1, n).with_baggage_item("k", "v");
        let span = tracer.build_span("s").child_of(&caller).start();
        assert_eq!(span.baggage_item("k").as_deref(), Some("v"), "span {n}");
    }
}

#[test]
fn baggage_alone_begins_a_new_trace_that_keeps_it_and_asks_the_sampler() {
    for (is_sampled, flags) in [(true, 1), (false, 0)] {
        let (builder, _) = recording_builder();
        let tracer = builder
            .sampler(ConstSampler::new(is_sampled))
            .build()
            .expect("named");
        let span = tracer.build_span("s").child_of(&container("k")).start();
        assert_eq!(span.baggage_item("k").as_deref(), Some("1"));
        assert_eq!(span.context().flags().bits(), flags);
        assert_eq!(span.context().parent_id(), None);
    }
}

#[test]
fn a_debug_id_forces_a_new_trace_and_does_not_ask_the_sampler() {
    let (builder, spans) = recording_builder();
    let tracer = builder
        .sampler(ConstSampler::new(false))
        .build()
        .expect("named");
    let debug = container("k").with_debug_id("find-me");
    let span = tracer.build_span("s").child_of(&debug).start();
    assert_eq!(span.context().flags().bits(), 3);
    assert!(span.context().is_sampling_final());
    assert_eq!(span.baggage_item("k").as_deref(), Some("1"));
    let child = tracer.build_span("child").child_of(&span).start();
    assert_eq!(child.context().flags().bits(), 3);
    drop((child, span));
    let spans = spans.spans();
    assert_eq!(spans[1].tag_text("jaeger-debug-id"), "find-me");
    assert!(spans[1].tag("sampler.type").is_none());
    assert!(spans[0].tags.is_empty(), "the id stays on the root");
}

#[test]
fn a_debug_id_beside_a_trace_is_ignored() {
    let (tracer, spans) = recording_tracer();
    let parent = context(1, 10).with_debug_id("ignored");
    tracer.build_span("s").child_of(&parent).start().finish();
    let span = &spans.spans()[0];
    assert_eq!(span.flags, Flags::SAMPLED);
    assert!(span.tags.is_empty());
}

#[test]
fn the_active_span_is_the_parent_if_the_builder_names_none() {
    let (tracer, spans) = recording_tracer();
    let active = tracer.start_span("active");
    let _scope = active.activate();
    tracer.start_span("implicit").finish();
    tracer
        .build_span("null")
        .child_of(&None::<SpanContext>)
        .start()
        .finish();
    tracer
        .build_span("ignoring")
        .ignore_active_span()
        .start()
        .finish();
    let other = context(1, 10);
    tracer
        .build_span("explicit")
        .follows_from(&other)
        .start()
        .finish();
    let spans = spans.spans();
    let parents: Vec<_> = spans.iter().map(|span| span.parent_id).collect();
    let id = active.context().span_id();
    assert_eq!(parents, [id, id, None, other.span_id()]);
    let parent = active.context();
    assert_eq!(
        spans[0].references,
        [reference(ReferenceType::ChildOf, &parent)]
    );
}

#[test]
fn an_active_context_is_a_parent_too() {
    let (tracer, spans) = recording_tracer();
    let remote = context(1, 10).with_baggage_item("k", "v");
    let scope = activate_context(&remote);
    assert!(tracehound::scope::active_span().is_noop());
    let span = tracer.start_span("s");
    assert_eq!(span.baggage_item("k").as_deref(), Some("v"));
    drop(span);
    drop(scope);
    assert_eq!(spans.spans()[0].parent_id, remote.span_id());
}

#[test]
fn a_span_can_be_given_a_context_made_elsewhere() {
    let (builder, spans) = recording_builder();
    let tracer = builder
        .sampler(ConstSampler::new(false))
        .build()
        .expect("named");
    let parent = SpanId::new(5);
    let ids = (
        TraceId::new(0, 1).expect("not 0"),
        SpanId::new(2).expect("not 0"),
    );
    let own = SpanContext::new(ids.0, ids.1, parent, Flags::from_bits(9));
    let other = context(3, 30);
    let span = tracer
        .build_span("s")
        .context(own.clone())
        .child_of(&other)
        .start();
    assert_eq!(span.context(), own);
    span.finish();
    let span = &spans.spans()[0];
    assert_eq!(
        (span.trace_id, span.span_id, span.parent_id),
        (ids.0, ids.1, parent)
    );
    assert_eq!(span.references, [reference(ReferenceType::ChildOf, &other)]);
    assert_eq!(span.flags.bits(), 9);
    let empty = tracer
        .build_span("empty")
        .context(SpanContext::default())
        .start();
    assert!(
        empty.context().has_trace(),
        "an empty context changes nothing"
    );
}

#[test]
fn a_context_made_elsewhere_keeps_its_own_baggage() {
    let (tracer, spans) = recording_tracer();
    let active = tracer.start_span("active");
    active.set_baggage_item("theirs", "1");
    let _scope = active.activate();
    let own = context(1, 10).with_baggage_item("own", "1");
    let debug = SpanContext::default().with_debug_id("x");
    for references in [vec![], vec![Reference::child_of(&debug)]] {
        let mut builder = tracer.build_span("s").context(own.clone());
        for reference in references {
            builder = builder.reference(reference);
        }
        let span = builder.start();
        assert_eq!(span.context(), own);
        span.finish();
    }
    assert!(
        spans
            .spans()
            .iter()
            .all(|span| span.tag("jaeger-debug-id").is_none())
    );
}

#[test]
fn children_of_a_remote_parent_follow_its_decision() {
    for flags in [0, 1, 3, 9, 0x10] {
        let (builder, _) = recording_builder();
        let tracer = builder
            .sampler(ConstSampler::new(flags == 0))
            .build()
            .expect("named");
        let ids = (
            TraceId::new(0, 1).expect("not 0"),
            SpanId::new(2).expect("not 0"),
        );
        let parent = SpanContext::new(ids.0, ids.1, None, Flags::from_bits(flags));
        let span = tracer.build_span("s").child_of(&parent).start();
        assert_eq!(span.context().flags().bits(), flags);
        assert!(!span.context().is_remote());
    }
}

#[test]
fn a_deferred_parent_lets_the_local_sampler_decide() {
    for is_sampled in [true, false] {
        let (builder, spans) = recording_builder();
        let tracer = builder
            .sampler(ConstSampler::new(is_sampled))
            .build()
            .expect("named");
        let ids = (
            TraceId::new(0, 1).expect("not 0"),
            SpanId::new(2).expect("not 0"),
        );
        let parent =
            SpanContext::new(ids.0, ids.1, None, Flags::default()).with_deferred_sampling();
        assert!(!parent.is_sampling_final());
        let span = tracer.build_span("s").child_of(&parent).start();
        assert_eq!(span.context().is_sampled(), is_sampled);
        assert_eq!(span.context().trace_id(), parent.trace_id());
        drop(span);
        assert_eq!(spans.spans().len(), usize::from(is_sampled));
    }
}

#[test]
fn flags_that_are_set_end_a_deferral() {
    let deferred = context(1, 2).with_deferred_sampling();
    for (flags, keep) in [(Flags::SAMPLED, false), (Flags::default(), true)] {
        let decided = deferred.clone().with_flags(flags);
        assert!(decided.is_sampling_final());
        let (builder, _) = recording_builder();
        let sampler = ConstSampler::new(keep);
        let tracer = builder.sampler(sampler).build().expect("named");
        let span = tracer.build_span("s").child_of(&decided).start();
        assert_eq!(span.context().flags(), flags);
    }
}

#[test]
fn ids_have_63_bits_or_128_where_asked_for() {
    let (tracer, _) = recording_tracer();
    let root = tracer.start_span("s").context();
    let trace_id = root.trace_id().expect("a trace");
    assert_eq!(trace_id.high(), 0);
    assert_eq!(trace_id.low() >> 63, 0);
    assert_eq!(Some(trace_id.low()), root.span_id().map(SpanId::get));

    let (builder, _) = recording_builder();
    let tracer = builder
        .trace_id_128bit(true)
        .id_source(counting_ids())
        .build()
        .expect("named");
    let root = tracer.start_span("s").context();
    assert_eq!(root.to_trace_id(), "00000000000000020000000000000001");
    assert_eq!(root.to_span_id(), "0000000000000001");
}

#[test]
fn an_id_source_that_returns_zero_is_replaced() {
    let (builder, _) = recording_builder();
    let tracer = builder.id_source(|| 0).build().expect("named");
    assert!(tracer.start_span("s").context().has_trace());
}

#[test]
fn an_unsampled_trace_keeps_ids_and_baggage_and_nothing_else() {
    let (builder, spans) = recording_builder();
    let tracer = builder
        .sampler(ConstSampler::new(false))
        .build()
        .expect("named");
    let root = tracer.build_span("root").tag("a", 1).start();
    root.set_tag_with("b", || -> String { unreachable!("not sampled") });
    root.set_baggage_item("k", "v");
    let child = tracer.build_span("child").child_of(&root).start();
    assert_eq!(child.context().trace_id(), root.context().trace_id());
    assert_eq!(child.context().flags().bits(), 0);
    assert_eq!(child.baggage_item("k").as_deref(), Some("v"));
    drop((child, root));
    assert!(spans.spans().is_empty());
    let metrics = tracer.metrics();
    assert_eq!(metrics.get(Counter::FinishedSpansUnsampled), 2);
    assert_eq!(metrics.get(Counter::TracesStartedUnsampled), 1);
}

#[test]
fn a_late_priority_rescues_its_span_and_the_children() {
    let (builder, spans) = recording_builder();
    let tracer = builder
        .sampler(ConstSampler::new(false))
        .build()
        .expect("named");
    let root = tracer.build_span("root").tag("lost", 1).start();
    let early = tracer.build_span("early").child_of(&root).start();
    root.set_tag("sampling.priority", 1).set_tag("kept", 1);
    let late = tracer.build_span("late").child_of(&root).start();
    drop((early, late, root));
    let spans = spans.spans();
    let names: Vec<_> = spans
        .iter()
        .map(|span| span.operation_name.as_str())
        .collect();
    assert_eq!(names, ["late", "root"]);
    assert_eq!(spans[1].tag_text("kept"), "1");
    assert!(spans[1].tag("lost").is_none());
    assert_eq!(spans[1].tag_text("sampling.priority"), "1");
}

#[test]
fn a_child_rescued_by_a_priority_keeps_its_reference_at_any_time() {
    let (builder, spans) = recording_builder();
    let tracer = builder
        .sampler(ConstSampler::new(false))
        .build()
        .expect("named");
    let root = tracer.start_span("root");
    let child = || tracer.build_span("child").follows_from(&root);
    child().tag("sampling.priority", 1).start().finish();
    // The first spans of a thread find no vacant slot; later ones do.
    for _ in 0..3 {
        child().start().set_tag("sampling.priority", 1);
    }
    let spans = spans.spans();
    assert_eq!(spans.len(), 4);
    for span in spans {
        let [reference] = span.references[..] else {
            panic!("{:?}", span.references);
        };
        assert_eq!(reference.kind, ReferenceType::FollowsFrom);
        assert_eq!(Some(reference.span_id), root.context().span_id());
    }
}

#[test]
fn traces_are_counted_at_their_begin_and_when_they_are_joined() {
    let (tracer, _) = recording_tracer();
    let root = tracer.start_span("root");
    tracer
        .build_span("local child")
        .child_of(&root)
        .tag("span.kind", "server")
        .start()
        .finish();
    tracer
        .build_span("joined")
        .child_of(&context(1, 10))
        .tag("span.kind", "server")
        .start()
        .finish();
    tracer
        .build_span("not a server")
        .child_of(&context(1, 10))
        .start()
        .finish();
    let unsampled = SpanContext::new(
        TraceId::new(0, 9).expect("not 0"),
        SpanId::new(9).expect("not 0"),
        None,
        Flags::default(),
    );
    tracer
        .build_span("joined")
        .child_of(&unsampled)
        .tag("span.kind", "server")
        .start()
        .finish();
    let metrics = tracer.metrics();
    assert_eq!(metrics.get(Counter::TracesStartedSampled), 1);
    assert_eq!(metrics.get(Counter::TracesJoinedSampled), 1);
    assert_eq!(metrics.get(Counter::TracesJoinedUnsampled), 1);
    assert_eq!(metrics.get(Counter::StartedSpansSampled), 4);
    assert_eq!(metrics.get(Counter::StartedSpansUnsampled), 1);
}

#[test]
fn a_context_outlives_its_span_and_is_safe_when_empty() {
    let empty = SpanContext::default();
    assert!(!empty.is_sampled() && !empty.is_debug() && !empty.has_trace() && empty.is_empty());
    assert_eq!(
        (empty.to_trace_id(), empty.to_span_id(), empty.to_string()),
        Default::default()
    );
    assert_eq!(empty.flags(), Flags::default());
    assert_eq!(empty.baggage(), &Baggage::default());
}
