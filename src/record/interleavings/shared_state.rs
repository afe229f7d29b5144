//! Loom models of the other state that a tracer's threads share: vacant slots, the list of thread queues, shared
//! decisions.

use std::sync::Arc as StdArc;

use loom::model::Builder;
use loom::thread;

use crate::metrics::Metrics;
use crate::model::Flags;
use crate::record::interleavings::{finish, freed_once, push, set_tag, start, start_pooled};
use crate::record::open::shared_decision::Hold;
use crate::record::thread::state::ThreadState;
use crate::record::{Budget, DecisionRef, SharedDecision, SpanHandle, SpanQueue};

#[test]
fn a_slot_that_another_thread_returns_is_used_again() {
    loom::model(|| {
        let (span, freed) = start_pooled();
        let recorder = span.slot().recorder.clone();
        let shared = &recorder.slots;
        let handle = span.handle();
        let there = thread::spawn(move || {
            set_tag(&handle);
            drop(handle);
        });
        assert!(finish(span).is_some());
        let mut pool = Vec::new();
        shared.take(&mut pool);
        if let Some(mut slot) = pool.pop() {
            slot.begin(Flags::SAMPLED, false, "again".into());
            let span = SpanHandle::new(slot);
            assert!(set_tag(&span));
            assert_eq!(finish(span), Some(1));
        }
        there.join().expect("no panic");
        // Slots in a pool keep their tracer.
        assert_eq!(shared.close().map(|slots| slots.len()), Some(1));
        freed_once(&freed);
    });
}

#[test]
fn the_queue_of_an_ended_thread_is_read_and_then_removed() {
    loom::model(|| {
        let queue = new_queue(1 << 20);
        let for_thread = queue.clone();
        let there = thread::spawn(move || trace(&for_thread, 2));
        let mut handed_over = drain_within_bounds(&queue, 0);
        assert_eq!(there.join().expect("no panic"), 2);
        handed_over = drain_within_bounds(&queue, handed_over);
        assert_eq!(handed_over, 2);
        assert_eq!(queue.thread_queue_count(), 0);
        assert_adds_up(&queue, handed_over, 2);
    });
}

#[test]
fn a_span_that_finishes_during_the_close_is_handed_over_or_dropped() {
    // Bounded, although there are two threads: each waits for the other, which adds orders without end.
    let mut bounded = Builder::new();
    bounded.preemption_bound = Some(3);
    bounded.check(|| {
        let queue = new_queue(1 << 20);
        let for_thread = queue.clone();
        let there = thread::spawn(move || trace(&for_thread, 1));
        queue.close();
        // The last drain: no span may arrive after it.
        let handed_over = drain_within_bounds(&queue, 0);
        let finished = there.join().expect("no panic");
        assert_adds_up(&queue, handed_over, finished);
        assert_eq!(queue.drain(|_| {}), 0);
        assert!(ThreadState::register(&queue).is_none());
    });
}

#[test]
fn threads_that_register_finish_and_end_lose_no_count() {
    let mut bounded = Builder::new();
    bounded.preemption_bound = Some(2);
    bounded.check(|| {
        // Less than two threads need.
        let queue = new_queue(256);
        let threads = [(); 2].map(|()| {
            let queue = queue.clone();
            thread::spawn(move || trace(&queue, 3))
        });
        let mut handed_over = drain_within_bounds(&queue, 0);
        let mut finished = 0;
        for there in threads {
            finished += there.join().expect("no panic");
        }
        handed_over = drain_within_bounds(&queue, handed_over);
        assert_eq!(finished, 6);
        assert_eq!(queue.thread_queue_count(), 0);
        assert_adds_up(&queue, handed_over, finished);
    });
}

#[test]
fn a_span_that_finishes_during_the_decision_is_sent_once() {
    loom::model(|| {
        let trace = undecided();
        let for_thread = trace.clone();
        let there = thread::spawn(move || match hold(&for_thread) {
            Hold::Held => 0,
            Hold::Decided(flags) => u64::from(flags.is_sampled()),
            Hold::NoRoom => unreachable!("there is room, and the local root is open"),
        });
        let held = trace.decide(Flags::SAMPLED).count;
        assert_eq!(held + there.join().expect("no panic"), 1);
    });
}

#[test]
fn a_span_of_a_trace_that_is_decided_and_ended_is_sent_or_dropped_once() {
    let mut bounded = Builder::new();
    bounded.preemption_bound = Some(3);
    bounded.check(|| {
        let trace = undecided();
        let for_thread = trace.clone();
        let finisher = thread::spawn(move || match hold(&for_thread) {
            Hold::Held => 0,
            Hold::Decided(_) | Hold::NoRoom => 1,
        });
        let for_thread = trace.clone();
        let decider = thread::spawn(move || for_thread.decide(Flags::SAMPLED).count);
        let lost = trace.end().unwrap_or(0);
        let sent = decider.join().expect("no panic");
        assert_eq!(lost + sent + finisher.join().expect("no panic"), 1);
        assert!(trace.is_final() && trace.flags().is_sampled());
    });
}

fn new_queue(budget: usize) -> StdArc<SpanQueue> {
    StdArc::new(SpanQueue::new(Budget::new(budget), Metrics::default()))
}

/// Does what a thread does: registers, finishes `spans` spans and ends. Returns how many it finished.
fn trace(queue: &SpanQueue, spans: u64) -> u64 {
    let Some(state) = ThreadState::register(queue) else {
        return 0;
    };
    for n in 1..=spans {
        queue.after_push(push(&state.writer, n));
    }
    spans
}

/// Drains the queue, and checks that no more spans were handed over and dropped than finished.
fn drain_within_bounds(queue: &SpanQueue, before: u64) -> u64 {
    let handed_over = before + queue.drain(|_| {});
    let (dropped, finished) = queue.totals();
    assert!(handed_over + dropped.total() <= finished);
    handed_over
}

fn assert_adds_up(queue: &SpanQueue, handed_over: u64, expected: u64) {
    let (dropped, finished) = queue.totals();
    assert_eq!(finished, expected);
    assert_eq!(handed_over + dropped.total(), finished);
}

/// Finishes a span of an undecided trace.
fn hold(trace: &SharedDecision) -> Hold {
    let (mut span, _) = start();
    let (slot, buffer) = span.mark_finished().expect("the only finisher");
    let end = buffer.end(Flags::default(), slot.duration_until(1));
    trace.hold(&slot.header.with_end(end), &buffer.bytes())
}

/// Returns the decision of a trace that has begun.
fn undecided() -> DecisionRef {
    let mut decision = SharedDecision::new(new_queue(1 << 20));
    decision.begin(Flags::default(), 0, false);
    DecisionRef::new(decision)
}
