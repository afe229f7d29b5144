use std::sync::atomic::AtomicU32;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use crate::clock::ManualClock;
use crate::model::{Process, TagRef, TraceId};
use crate::sampler::{
    ConstSampler, Interests, KeepSampler, Notes, OperationStrategies, PerOperationSampler, Sampler,
    SamplingDecision, SamplingRate, SpanView,
};
use crate::services::Services;

/// A head that lists what it was asked, and gives one answer.
struct Head {
    asked: Arc<Mutex<Vec<String>>>,
    answer: SamplingDecision,
    interests: Interests,
}

impl Head {
    fn note(&self, question: &str, span: &SpanView<'_>) -> SamplingDecision {
        let of = if span.is_local_root { "root" } else { "child" };
        let mut asked = self.asked.lock().expect("no panic");
        asked.push(format!("{question} of {of}"));
        self.answer.clone()
    }
}

impl Sampler for Head {
    fn on_create_span(&self, span: &SpanView<'_>) -> SamplingDecision {
        self.note("start", span)
    }

    fn on_set_tag(&self, span: &SpanView<'_>, key: &str, _: TagRef<'_>) -> SamplingDecision {
        self.note(key, span)
    }

    fn on_finish_span(&self, span: &SpanView<'_>) -> SamplingDecision {
        self.note("end", span)
    }

    fn interests(&self) -> Interests {
        self.interests.clone()
    }

    fn close(&self) {
        self.asked.lock().expect("no panic").push("close".into());
    }
}

/// Returns a sampler as a tracer has it, at a clock that stands still.
fn attached(mut sampler: KeepSampler) -> KeepSampler {
    let services = Services::detached(Process::new("shop", vec![]));
    sampler.attach(&services.with_clock(ManualClock::default()));
    sampler
}

/// Returns a sampler of what a head that says no drops.
fn keep() -> KeepSampler {
    KeepSampler::new(ConstSampler::new(false))
}

fn span(notes: &AtomicU32, is_local_root: bool) -> SpanView<'_> {
    let id = TraceId::new(0, 1).expect("not zero");
    SpanView::new(id, "checkout", is_local_root).with_notes(Notes::in_word(notes))
}

/// Returns the `sampler.param` of a decision to keep the trace.
fn kept_for(decision: &SamplingDecision) -> Option<String> {
    match decision {
        SamplingDecision::Sample(tags) => Some(tags.param().to_string()),
        _ => None,
    }
}

/// Sets the tag `error` of a span to true.
fn fail(sampler: &KeepSampler, span: &SpanView<'_>) -> Option<String> {
    kept_for(&sampler.on_set_tag(span, "error", TagRef::Bool(true)))
}

/// Ends a span after a millisecond.
fn end(sampler: &KeepSampler, mut span: SpanView<'_>) -> Option<String> {
    span.duration = Some(Duration::from_millis(1));
    kept_for(&sampler.on_finish_span(&span))
}

#[test]
fn the_head_is_asked_what_it_wants_until_it_says_no() {
    let roots = Interests::nothing()
        .children()
        .tag("tenant")
        .finished_local_roots();
    let all = roots.clone().finishes();
    let start = ["start of root"];
    let open = [
        "start of root",
        "start of child",
        "tenant of child",
        "end of root",
    ];
    let open_to_all = [
        "start of root",
        "start of child",
        "tenant of child",
        "end of child",
        "end of root",
    ];
    for (answer, interests, expected) in [
        (SamplingDecision::Delay, roots, &open[..]),
        (SamplingDecision::Delay, all.clone(), &open_to_all),
        (SamplingDecision::Drop, all, &start),
    ] {
        let asked = Arc::default();
        let head = Head {
            asked: Arc::clone(&asked),
            answer,
            interests,
        };
        let sampler = attached(KeepSampler::new(head));
        let notes = AtomicU32::new(0);
        let (root, child) = (span(&notes, true), span(&notes, false));
        sampler.on_create_span(&root);
        sampler.on_create_span(&child);
        sampler.on_set_tag(&child, "tenant", TagRef::Long(1));
        sampler.on_set_tag(&child, "other", TagRef::Long(1));
        sampler.on_finish_span(&child);
        sampler.on_finish_span(&root);
        assert_eq!(*asked.lock().expect("no panic"), expected);
    }
}

#[test]
fn closing_closes_the_head() {
    let asked = Arc::default();
    let head = Head {
        asked: Arc::clone(&asked),
        answer: SamplingDecision::Drop,
        interests: Interests::nothing(),
    };
    Sampler::close(&KeepSampler::new(head));
    assert_eq!(*asked.lock().expect("no panic"), ["close"]);
}

#[test]
fn only_a_failure_keeps_a_trace_at_once() {
    for (failures, key, value, is_kept) in [
        (true, "error", true, true),
        (true, "error", false, false),
        (true, "other", true, false),
        (false, "error", true, false),
    ] {
        let sampler = attached(keep().failures(failures));
        let notes = AtomicU32::new(0);
        let decision = sampler.on_set_tag(&span(&notes, true), key, TagRef::Bool(value));
        let expected = is_kept.then(|| "error".to_owned());
        assert_eq!(kept_for(&decision), expected, "{failures} {key}={value}");
    }
}

#[test]
fn failures_and_other_reasons_have_limits_of_their_own() {
    let sampler = || attached(keep().slower_than(Duration::ZERO).limit(1.into()));
    let (slow, error) = (Some("slow".to_owned()), Some("error".to_owned()));

    let (others_first, notes) = (sampler(), AtomicU32::new(0));
    assert_eq!(end(&others_first, span(&notes, true)), slow);
    assert_eq!(fail(&others_first, &span(&notes, true)), error);

    let failures_first = sampler();
    let new_notes = || AtomicU32::new(0);
    assert_eq!(fail(&failures_first, &span(&new_notes(), true)), error);
    // A failure beyond the limit takes nothing from the others, also if it is slow.
    let notes = new_notes();
    assert_eq!(fail(&failures_first, &span(&notes, true)), None);
    assert_eq!(end(&failures_first, span(&notes, true)), None);
    assert_eq!(end(&failures_first, span(&new_notes(), true)), slow);
}

#[test]
fn the_head_says_what_is_constant_and_what_depends_on_the_name() {
    let everything = KeepSampler::new(ConstSampler::new(true)).constant_decision();
    assert_eq!(
        everything.as_ref().and_then(kept_for).as_deref(),
        Some("true")
    );
    assert!(keep().constant_decision().is_none(), "a no is weighed");

    let strategies = OperationStrategies::new(SamplingRate::ZERO, 0.into());
    let by_name = KeepSampler::new(PerOperationSampler::new(strategies));
    assert!(by_name.depends_on_operation_name());
    assert!(!keep().depends_on_operation_name());
}

#[test]
fn the_description_begins_with_that_of_the_head() {
    assert_eq!(keep().description(), "const 0, else keep what matters");
}
