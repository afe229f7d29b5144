//! What a server believes of a caller's context.

use tracehound::model::{Flags, ReferenceType, TraceState};
use tracehound::prelude::*;
use tracehound::propagation::Trust;
use tracehound::reporter::OwnedSpan;
use tracehound::sampler::{ConstSampler, ProbabilisticSampler, SamplingRate};
use tracehound::{Span, SpanContext};

use crate::support::recording_builder;

/// A caller's headers: flags, a debug id in place of a trace, or a decision in place of one.
fn caller(kind: &str) -> SpanContext {
    let context = match kind {
        "debug id" => SpanContext::default().with_debug_id("find-me"),
        "decision" => SpanContext::without_trace(Flags::SAMPLED),
        "debug decision" => SpanContext::without_trace(Flags::from_bits(3)),
        "deferred" => trace(0).with_deferred_sampling(),
        flags => trace(flags.parse().expect("flags")),
    };
    context.with_baggage_item("user", "7")
}

fn trace(flags: u8) -> SpanContext {
    let (tracer, _) = recording_builder();
    let tracer = tracer.build().expect("named");
    let headers = [("uber-trace-id", format!("5b2b:6ad0:1:{flags:x}"))];
    let context = tracer.extract(&headers).expect("well formed");
    let state = TraceState::from_headers(["other=1"]).expect("well formed");
    context.expect("a trace").with_trace_state(state)
}

/// The trace id of [`caller`], if it has a trace.
const TRACE: &str = "0000000000005b2b";

/// Starts a span of a caller, under an active span, with a sampler that always or never samples.
fn serve(
    caller: &SpanContext,
    trust: Trust,
    samples: bool,
) -> (impl Fn() -> OwnedSpan + use<>, Span) {
    let (builder, spans) = recording_builder();
    let sampler = ConstSampler::new(samples);
    let tracer = builder.sampler(sampler).build().expect("named");
    let other = tracer.start_span("other");
    let _scope = other.activate();
    let span = tracer.build_span("serve").caller(caller, trust).start();
    assert_ne!(span.context().trace_id(), other.context().trace_id());
    let reported = move || {
        let _open = &tracer;
        let spans = spans.spans();
        let found = spans.iter().find(|span| span.operation_name == "serve");
        found.expect("a sampled span").clone()
    };
    (reported, span)
}

#[test]
fn each_part_of_a_context_is_believed_by_itself() {
    let ids = Trust::ids_only();
    let none = Trust::restart();
    // The caller, the trust, whether its trace goes on, and the flags if the own sampler says no and if it says yes.
    let rows = [
        ("0", Trust::full(), true, [0, 0]),
        ("1", Trust::full(), true, [1, 1]),
        ("3", Trust::full(), true, [3, 3]),
        ("9", Trust::full(), true, [9, 9]),
        ("deferred", Trust::full(), true, [0, 1]),
        ("debug id", Trust::full(), false, [3, 3]),
        ("decision", Trust::full(), false, [1, 1]),
        ("debug decision", Trust::full(), false, [3, 3]),
        ("0", ids, true, [0, 1]),
        ("1", ids, true, [0, 1]),
        ("3", ids, true, [0, 1]),
        ("9", ids, true, [0, 1]),
        ("deferred", ids, true, [0, 1]),
        ("debug id", ids, false, [0, 1]),
        ("decision", ids, false, [0, 1]),
        ("debug decision", ids, false, [0, 1]),
        ("0", none, false, [0, 1]),
        ("1", none, false, [0, 1]),
        ("3", none, false, [0, 1]),
        ("deferred", none, false, [0, 1]),
        ("debug id", none, false, [0, 1]),
        ("decision", none, false, [0, 1]),
        ("debug decision", none, false, [0, 1]),
        ("0", ids.sampling(true), true, [0, 0]),
        ("1", ids.sampling(true), true, [1, 1]),
        ("3", ids.sampling(true), true, [1, 1]),
        ("9", ids.sampling(true), true, [9, 9]),
        ("11", ids.sampling(true), true, [9, 9]),
        ("deferred", ids.sampling(true), true, [0, 1]),
        ("debug id", ids.sampling(true), false, [0, 1]),
        ("decision", ids.sampling(true), false, [1, 1]),
        ("debug decision", ids.sampling(true), false, [1, 1]),
        ("1", ids.debug(true), true, [0, 1]),
        ("2", ids.debug(true), true, [0, 1]),
        ("3", ids.debug(true), true, [3, 3]),
        ("11", ids.debug(true), true, [3, 3]),
        ("debug id", ids.debug(true), false, [3, 3]),
        ("decision", ids.debug(true), false, [0, 1]),
        ("debug decision", ids.debug(true), false, [3, 3]),
        ("0", none.sampling(true), false, [0, 0]),
        ("1", none.sampling(true), false, [1, 1]),
        ("3", none.sampling(true), false, [1, 1]),
        ("deferred", none.sampling(true), false, [0, 1]),
        ("1", none.debug(true), false, [0, 1]),
        ("3", none.debug(true), false, [3, 3]),
        ("debug id", none.debug(true), false, [3, 3]),
    ];
    for (kind, trust, goes_on, flags) in rows {
        for (samples, flags) in [false, true].into_iter().zip(flags) {
            for has_baggage in [false, true] {
                let trust = if trust == Trust::full() {
                    trust.baggage(has_baggage)
                } else if has_baggage {
                    trust.baggage(true)
                } else {
                    trust
                };
                let row = format!("{kind}, {trust:?}, sampler says {samples}");
                let caller = caller(kind);
                let (_reported, span) = serve(&caller, trust, samples);
                let own = span.context();
                assert_eq!(own.to_trace_id() == TRACE, goes_on, "{row}");
                let parent = goes_on.then(|| caller.span_id()).flatten();
                assert_eq!(own.parent_id(), parent, "{row}");
                assert_eq!(own.flags().bits(), flags, "{row}");
                let user = has_baggage.then_some("7");
                assert_eq!(own.baggage().get("user"), user, "{row}");
                let believes_state = trust == Trust::full().baggage(has_baggage)
                    || trust == ids.sampling(true).baggage(has_baggage);
                let has_state = caller.has_trace() && goes_on && believes_state;
                assert_eq!(own.trace_state().is_some(), has_state, "{row}");
            }
        }
    }
}

#[test]
fn a_restarted_trace_follows_from_the_callers_span() {
    let caller = caller("3");
    let (reported, span) = serve(&caller, Trust::restart(), true);
    span.finish();
    let span = reported();
    let [reference] = &span.references[..] else {
        panic!("one reference, not {:?}", span.references)
    };
    assert_eq!(reference.kind, ReferenceType::FollowsFrom);
    assert_eq!(Some(reference.trace_id), caller.trace_id());
    assert_eq!(Some(reference.span_id), caller.span_id());
}

#[test]
fn a_debug_id_that_is_not_believed_leaves_no_tag() {
    let rows = [
        (Trust::full(), true),
        (Trust::ids_only(), false),
        (Trust::restart(), false),
        (Trust::restart().debug(true), true),
    ];
    for (trust, is_believed) in rows {
        let (reported, span) = serve(&caller("debug id"), trust, true);
        span.finish();
        let tag = reported().tag_text("jaeger-debug-id").into_owned();
        assert_eq!(tag == "find-me", is_believed, "{trust:?}");
    }
}

#[test]
fn the_own_sampler_is_asked_once_and_named_on_the_span() {
    for trust in [Trust::ids_only(), Trust::restart()] {
        let (builder, spans) = recording_builder();
        let rate = SamplingRate::new(1.0).expect("a rate");
        let builder = builder.sampler(ProbabilisticSampler::new(rate));
        let tracer = builder.build().expect("named");
        let span = tracer
            .build_span("serve")
            .caller(&caller("0"), trust)
            .start();
        let child = tracer.build_span("child").child_of(&span).start();
        assert_eq!(child.context().flags().bits(), 1);
        drop((child, span));
        let spans = spans.spans();
        assert_eq!(spans[0].tag_text("sampler.type"), "");
        assert_eq!(spans[1].tag_text("sampler.type"), "probabilistic");
    }
}

#[test]
fn a_caller_without_a_context_starts_a_root_at_every_level() {
    for trust in [Trust::full(), Trust::ids_only(), Trust::restart()] {
        let (reported, span) = serve(&SpanContext::default(), trust, true);
        span.finish();
        let span = reported();
        assert_eq!((span.parent_id, span.references.len()), (None, 0));
    }
}

#[test]
fn an_applied_trust_cannot_be_undone_by_applying_another() {
    let believed = Trust::ids_only().apply(caller("3"));
    assert_eq!(believed.to_trace_id(), TRACE);
    assert!(!believed.is_sampling_final());
    let again = Trust::full().apply(believed);
    assert!(!again.is_debug() && again.baggage().is_empty() && again.trace_state().is_none());
    assert!(Trust::restart().apply(caller("3")).is_empty());
}
