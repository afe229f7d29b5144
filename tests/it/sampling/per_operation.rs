//! Samplers with a lower bound, alone and by operation.

use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use tracehound::clock::ManualClock;
use tracehound::diagnostics::Diagnostics;
use tracehound::model::{Process, TraceId};
use tracehound::prelude::*;
use tracehound::sampler::{
    GuaranteedThroughputSampler, OperationStrategies, PerOperationSampler, Sampler,
    SamplingDecision, SamplingRate, SpanView, TracesPerSecond,
};
use tracehound::services::Services;

use super::{any_root, kept};
use crate::support::recording_builder;

/// An id that no probability below 1 keeps.
fn unlikely(operation_name: &str) -> SpanView<'_> {
    let id = TraceId::new(0, u64::MAX >> 1).unwrap();
    SpanView::new(id, operation_name, true)
}

/// An id that every probability above 0 keeps.
fn likely(operation_name: &str) -> SpanView<'_> {
    SpanView::new(TraceId::new(0, 1 << 63).unwrap(), operation_name, true)
}

fn strategies(rate: f64, lower_bound: f64) -> OperationStrategies {
    OperationStrategies::new(
        SamplingRate::new(rate).unwrap(),
        TracesPerSecond::new(lower_bound).unwrap(),
    )
}

/// Returns which sampler keeps the span, by `sampler.type`.
fn kind(sampler: &impl Sampler, span: &SpanView<'_>) -> Option<String> {
    kept(sampler, span).map(|tags| tags.kind().to_owned())
}

fn is_kept(sampler: &impl Sampler, span: &SpanView<'_>) -> bool {
    kept(sampler, span).is_some()
}

#[test]
fn a_lower_bound_of_zero_adds_nothing() {
    let clock = ManualClock::default();
    for rate in [0.0, 0.001] {
        let rate = SamplingRate::new(rate).unwrap();
        let alone = GuaranteedThroughputSampler::new(rate, TracesPerSecond::from(0));
        let alone = alone.clock(clock.clone());
        let listed = strategies(0.5, 0.0).operation("listed", rate);
        let by_operation = PerOperationSampler::new(listed).clock(clock.clone());
        for _ in 0..3 {
            assert!(!is_kept(&alone, &unlikely("any")));
            assert!(!is_kept(&by_operation, &unlikely("listed")));
            assert!(!is_kept(&by_operation, &unlikely("learned")));
            assert_eq!(is_kept(&alone, &likely("any")), rate > SamplingRate::ZERO);
            clock.advance(Duration::from_secs(3_600));
        }
    }
}

#[test]
fn a_trace_kept_by_probability_spends_a_credit_of_the_lower_bound() {
    let clock = ManualClock::default();
    let half = SamplingRate::new(0.5).unwrap();
    let sampler = GuaranteedThroughputSampler::new(half, TracesPerSecond::from(2));
    let sampler = sampler.clock(clock.clone());
    assert_eq!(kind(&sampler, &likely("a")).unwrap(), "probabilistic");
    assert_eq!(kind(&sampler, &unlikely("a")).unwrap(), "lowerbound");
    assert_eq!(kind(&sampler, &unlikely("a")), None);
    assert_eq!(kind(&sampler, &likely("a")).unwrap(), "probabilistic");
    clock.advance(Duration::from_millis(500));
    assert_eq!(kind(&sampler, &unlikely("a")).unwrap(), "lowerbound");
    assert_eq!(kind(&sampler, &unlikely("a")), None);
}

#[test]
fn an_emptied_bucket_stays_empty_through_a_thousand_identical_updates() {
    let same = || strategies(0.001, 1.0).operation("listed", SamplingRate::ZERO);
    let sampler = PerOperationSampler::new(same()).clock(ManualClock::default());
    for name in ["listed", "learned"] {
        assert!(is_kept(&sampler, &unlikely(name)));
    }
    for _ in 0..1_000 {
        sampler.update(same());
        for name in ["listed", "learned"] {
            assert!(!is_kept(&sampler, &unlikely(name)), "{name}");
        }
    }
    assert_eq!(sampler.strategies(), same());
}

#[test]
fn an_update_scales_buckets_with_the_lower_bound() {
    let clock = ManualClock::default();
    let sampler = PerOperationSampler::new(strategies(0.0, 10.0)).clock(clock.clone());
    for _ in 0..5 {
        assert!(is_kept(&sampler, &unlikely("half empty")));
    }
    for _ in 0..10 {
        assert!(is_kept(&sampler, &unlikely("empty")));
    }
    sampler.update(strategies(0.0, 4.0).operation("new", SamplingRate::ZERO));
    let count = |name| {
        (0..20)
            .filter(|_| is_kept(&sampler, &unlikely(name)))
            .count()
    };
    assert_eq!(
        (count("half empty"), count("empty"), count("new")),
        (2, 0, 4)
    );
    clock.advance(Duration::from_secs(1));
    assert_eq!(
        (count("half empty"), count("empty"), count("new")),
        (4, 4, 4)
    );
}

#[test]
fn an_operation_that_leaves_the_list_keeps_its_bucket_and_takes_the_defaults() {
    let listed = strategies(0.0, 1.0).operation("pay", SamplingRate::ONE);
    let sampler = PerOperationSampler::new(listed).clock(ManualClock::default());
    assert_eq!(kind(&sampler, &unlikely("pay")).unwrap(), "probabilistic");
    sampler.update(strategies(0.25, 1.0));
    assert_eq!(kind(&sampler, &unlikely("pay")), None);
    let tags = kept(&sampler, &likely("pay")).unwrap();
    assert_eq!((tags.kind(), tags.param()), ("probabilistic", &0.25.into()));
    sampler.update(strategies(0.0, 1.0).operation("pay", SamplingRate::ONE));
    assert_eq!(kind(&sampler, &unlikely("pay")).unwrap(), "probabilistic");
}

#[test]
fn listed_operations_come_before_learned_ones_and_the_rest_has_no_lower_bound() {
    let (sender, lines) = mpsc::channel();
    let diagnostics = Diagnostics::with_handler(move |line| sender.send(line.to_owned()).unwrap());
    let clock = ManualClock::default();
    let services = Services::detached(Process::new("shop", vec![]))
        .with_diagnostics(diagnostics)
        .with_clock(clock.clone());
    let mut sampler = PerOperationSampler::new(strategies(0.001, 1.0)).max_operations(3);
    sampler.attach(&services);
    for name in ["first", "second", "third"] {
        assert_eq!(kind(&sampler, &unlikely(name)).unwrap(), "lowerbound");
    }
    for _ in 0..3 {
        assert_eq!(kind(&sampler, &unlikely("fourth")), None);
        assert_eq!(kind(&sampler, &likely("fourth")).unwrap(), "probabilistic");
    }
    let two = strategies(0.001, 1.0)
        .operation("a", SamplingRate::ONE)
        .operation("b", SamplingRate::ONE);
    sampler.update(two.clone());
    clock.advance(Duration::from_secs(1));
    let kinds = |names: [&str; 3]| names.map(|name| kind(&sampler, &unlikely(name)));
    let probabilistic = || Some("probabilistic".to_owned());
    assert_eq!(
        kinds(["a", "b", "third"]),
        [probabilistic(), probabilistic(), None]
    );
    assert_eq!(
        kinds(["first", "second", "third"]),
        [Some("lowerbound".to_owned()), None, None]
    );
    assert!(lines.try_recv().is_err());

    let too_many = two
        .operation("a", SamplingRate::ZERO)
        .operation("c", SamplingRate::ONE)
        .operation("d", SamplingRate::ONE);
    sampler.update(too_many);
    assert_eq!(
        lines.try_recv().unwrap(),
        "per-operation sampling: 1 of 4 listed operations are beyond the limit of 3 and follow the default"
    );
    assert_eq!(
        kinds(["a", "b", "c"]),
        [None, probabilistic(), probabilistic()]
    );
    assert_eq!(kinds(["d", "first", "second"]), [None, None, None]);
}

#[test]
fn a_sampler_without_room_gives_every_operation_the_default() {
    let sampler = PerOperationSampler::new(strategies(0.5, 1.0)).max_operations(0);
    assert_eq!(kind(&sampler, &unlikely("a")), None);
    assert_eq!(kind(&sampler, &likely("a")).unwrap(), "probabilistic");
}

#[test]
fn a_hundred_thousand_names_take_the_place_of_two_thousand() {
    let sampler = PerOperationSampler::new(strategies(0.0, 1.0)).clock(ManualClock::default());
    let names: Vec<_> = (0..100_000).map(|n| format!("GET /item/{n}")).collect();
    let kept = names
        .iter()
        .filter(|name| is_kept(&sampler, &unlikely(name)));
    assert_eq!(kept.count(), 2_000);
}

#[test]
fn the_name_that_counts_is_the_one_before_the_first_child() {
    let listed = strategies(0.0, 0.0).operation("GET /pay", SamplingRate::ONE);
    let (builder, spans) = recording_builder();
    let tracer = builder
        .sampler(PerOperationSampler::new(listed))
        .build()
        .unwrap();
    let root = tracer.start_span("HTTP GET");
    root.set_tag("early", 1);
    root.set_operation_name("GET /pay");
    tracer.build_span("child").child_of(&root).start().finish();
    root.set_operation_name("GET /health");
    root.finish();
    let root = tracer.start_span("GET /pay");
    root.set_operation_name("GET /health");
    tracer.build_span("child").child_of(&root).start().finish();
    root.finish();
    let spans = spans.spans();
    let names: Vec<_> = spans.iter().map(|span| &*span.operation_name).collect();
    assert_eq!(names, ["child", "GET /health"]);
    assert_eq!(spans[1].tag_text("early"), "1");
}

#[test]
fn the_name_that_a_root_has_costs_no_second_credit() {
    let sampler = PerOperationSampler::new(strategies(0.0, 2.0)).clock(ManualClock::default());
    let (builder, spans) = recording_builder();
    let tracer = builder.sampler(sampler).build().unwrap();
    for _ in 0..3 {
        let root = tracer.start_span("pay");
        root.set_operation_name("pay".to_owned());
        root.finish();
    }
    assert_eq!(spans.spans().len(), 2);
}

#[test]
fn a_renamed_root_has_the_tags_of_its_last_decision_once() {
    let listed = strategies(0.0, 0.0)
        .operation("first", SamplingRate::ONE)
        .operation("last", SamplingRate::new(0.75).unwrap());
    let sampler = PerOperationSampler::new(listed);
    let (builder, spans) = recording_builder();
    let tracer = builder.id_source(|| 1).sampler(sampler).build().unwrap();
    let root = tracer.start_span("first");
    root.set_operation_name("last");
    root.finish();
    let spans = spans.spans();
    let tags = |key: &str| -> Vec<_> {
        let tags = spans[0].tags.iter().filter(|tag| tag.key == key);
        tags.map(|tag| tag.value.clone()).collect()
    };
    assert_eq!(tags("sampler.type"), ["probabilistic".into()]);
    assert_eq!(tags("sampler.param"), [0.75.into()]);
}

#[test]
fn threads_that_learn_at_once_keep_each_operation_once() {
    let sampler = PerOperationSampler::new(strategies(0.0, 1.0)).clock(ManualClock::default());
    let names: Vec<_> = (0..300).map(|n| format!("operation {n}")).collect();
    let kept = AtomicUsize::new(0);
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for name in &names {
                    kept.fetch_add(is_kept(&sampler, &unlikely(name)).into(), Ordering::Relaxed);
                }
            });
        }
    });
    assert_eq!(kept.into_inner(), 300);
}

/// Threads decide and learn while another one updates. No bucket gives more than it had.
#[test]
fn updates_while_threads_decide_neither_lose_nor_refill_a_bucket() {
    let lists = |n: usize| {
        let bound = if n.is_multiple_of(2) { 100.0 } else { 200.0 };
        let listed = strategies(0.0, bound).operation("always", SamplingRate::ONE);
        listed.operation(format!("other {}", n % 7), SamplingRate::ZERO)
    };
    let sampler = PerOperationSampler::new(lists(0)).clock(ManualClock::default());
    let is_over = AtomicBool::new(false);
    let kept = AtomicUsize::new(0);
    thread::scope(|scope| {
        for worker in 0..3 {
            let (sampler, is_over, kept) = (&sampler, &is_over, &kept);
            scope.spawn(move || {
                let mut round = 0;
                while !is_over.load(Ordering::Relaxed) {
                    assert!(is_kept(sampler, &unlikely("always")));
                    kept.fetch_add(
                        is_kept(sampler, &unlikely("shared")).into(),
                        Ordering::Relaxed,
                    );
                    let learned = format!("{worker} {}", round % 100);
                    is_kept(sampler, &unlikely(&learned));
                    round += 1;
                }
            });
        }
        for n in 1..=400 {
            sampler.update(lists(n));
        }
        is_over.store(true, Ordering::Relaxed);
    });
    // One full bucket of 100 at even times is one of 200 at odd ones, so a bucket gives 200 at most.
    let left = (0..300)
        .filter(|_| is_kept(&sampler, &unlikely("shared")))
        .count();
    let total = kept.into_inner() + left;
    assert!((100..=200).contains(&total), "{total}");
}

#[test]
fn ids_and_names_together_decide() {
    let listed = strategies(0.0, 0.0).operation("checkout", SamplingRate::new(0.5).unwrap());
    let sampler = PerOperationSampler::new(listed);
    assert!(is_kept(&sampler, &any_root()));
    let ids: HashSet<_> = (1..1_000_u64)
        .map(|n| n.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 1)
        .filter(|low| {
            let id = TraceId::new(0, *low).unwrap();
            is_kept(&sampler, &SpanView::new(id, "checkout", true))
        })
        .collect();
    assert!((450..550).contains(&ids.len()), "{}", ids.len());
    assert!(ids.iter().all(|low| *low <= 1 << 62));
}

#[test]
fn operations_that_are_listed_no_more_and_had_no_trace_leave_room_for_others() {
    let clock = ManualClock::default();
    let one_a_second = TracesPerSecond::from(1);
    let nothing = || OperationStrategies::new(SamplingRate::ZERO, one_a_second);
    let listed = (0..2_000).fold(nothing(), |list, n| {
        list.operation(format!("listed {n}"), SamplingRate::ZERO)
    });
    let sampler = PerOperationSampler::new(listed).clock(clock);
    let is_kept = |name: &str| {
        let id = TraceId::new(0, u64::MAX >> 1).expect("not zero");
        let root = SpanView::new(id, name, true);
        matches!(sampler.on_create_span(&root), SamplingDecision::Sample(_))
    };
    assert!(is_kept("listed 7"), "by the lower bound");
    sampler.update(nothing());
    assert!(!is_kept("listed 7"), "its bucket is as empty as before");
    assert!(is_kept("new"), "by the lower bound");
    assert!(is_kept("listed 8") && !is_kept("listed 8"));
}
