//! Loom models of the threads that share a span or a thread queue.
//!
//! Two threads run through every order of events. With three, the number of involuntary switches is bounded.
//!
//! ```text
//! RUSTFLAGS="--cfg tracehound_loom" cargo test --lib interleavings
//! ```

mod shared_state;

use std::collections::VecDeque;
use std::sync::Arc as StdArc;
use std::sync::atomic::{AtomicUsize, Ordering};

use loom::model::Builder;
use loom::thread;

use crate::clock::ManualClock;
use crate::metrics::Metrics;
use crate::model::{Flags, Recording, SpanId, TagNames, TagRef, TraceId};
use crate::record::counted_tracer::CountedTracer;
use crate::record::queue::thread_queue::chunk::Chunk;
use crate::record::queue::thread_queue::{Pushed, QueueWriter, ThreadQueue};
use crate::record::{
    Budget, FrameBytes, FrameHeader, Limits, Recorder, SlotLimit, SpanClock, SpanHandle, SpanQueue,
    SpanSlot,
};
use crate::sampler::Interests;

/// Starts a span. Returns a count of how often its slot has been freed.
fn start() -> (SpanHandle, StdArc<AtomicUsize>) {
    let (span, freed) = start_pooled();
    // A closed pool takes no slot, so this one is freed as soon as it is vacant.
    drop(span.slot().recorder.slots.close());
    (span, freed)
}

/// Like [`start`], but the slot may be used again.
fn start_pooled() -> (SpanHandle, StdArc<AtomicUsize>) {
    let freed = StdArc::new(AtomicUsize::new(0));
    let metrics = Metrics::default();
    let recorder = StdArc::new(Recorder::new(
        SpanClock::new(ManualClock::at_micros(1).into()),
        Limits::default(),
        StdArc::new(SpanQueue::new(Budget::new(1 << 20), metrics)),
        Interests::everything(),
        Recording::metadata(),
        TagNames::default(),
        SlotLimit::new(SlotLimit::DEFAULT),
    ));
    let tracer = StdArc::new(CountedTracer(freed.clone()));
    let mut slot = SpanSlot::allocate(tracer, recorder);
    slot.begin(Flags::SAMPLED, false, "s".into());
    (SpanHandle::new(slot), freed)
}

fn set_tag(span: &SpanHandle) -> bool {
    let Some(mut buffer) = span.slot().open() else {
        return false;
    };
    buffer.push_tag("k", TagRef::Long(1), &Limits::default());
    true
}

/// Finishes as `Span::finish` does. Returns the number of tags, or `None` if another thread has finished the span.
fn finish(mut span: SpanHandle) -> Option<u32> {
    span.release();
    let (_, mut buffer) = span.mark_finished()?;
    buffer.seal(&Limits::default());
    Some(buffer.tag_count())
}

/// Finishes by the fast path or the general way. Returns false if another thread has finished the span.
fn finish_now(span: SpanHandle) -> bool {
    match span.try_into_slot() {
        Ok(_) => true,
        Err(span) => finish(span).is_some(),
    }
}

fn freed_once(freed: &AtomicUsize) {
    assert_eq!(freed.load(Ordering::Relaxed), 1);
}

#[test]
fn one_of_two_finishers_wins() {
    loom::model(|| {
        let (span, freed) = start();
        let other = span.clone();
        let there = thread::spawn(move || finish(other));
        let here = finish(span);
        let there = there.join().expect("no panic");
        assert!(here.is_some() != there.is_some());
        freed_once(&freed);
    });
}

#[test]
fn one_of_two_finishers_that_try_the_fast_path_wins() {
    loom::model(|| {
        let (span, freed) = start();
        let other = span.clone();
        let there = thread::spawn(move || finish_now(other));
        let here = finish_now(span);
        let there = there.join().expect("no panic");
        assert!(here != there, "here {here}, there {there}");
        freed_once(&freed);
    });
}

#[test]
fn a_tag_is_either_in_the_span_or_came_too_late() {
    loom::model(|| {
        let (span, freed) = start();
        let handle = span.handle();
        let there = thread::spawn(move || set_tag(&handle));
        let tags = finish(span).expect("the only finisher");
        let was_set = there.join().expect("no panic");
        assert_eq!(tags, u32::from(was_set));
        freed_once(&freed);
    });
}

#[test]
fn a_clone_and_a_finish_leave_one_last_owner() {
    loom::model(|| {
        let (span, freed) = start();
        let mut other = span.clone();
        let there = thread::spawn(move || {
            let mut third = other.clone();
            u32::from(other.release()) + u32::from(third.release())
        });
        let mut span = span;
        let here = u32::from(span.release());
        drop(span);
        assert_eq!(here + there.join().expect("no panic"), 1);
        freed_once(&freed);
    });
}

#[test]
fn a_clone_made_during_the_finish_sets_its_tag_or_is_too_late() {
    loom::model(|| {
        let (span, freed) = start();
        let handle = span.handle();
        let there = thread::spawn(move || {
            let copy = handle.clone();
            drop(handle);
            set_tag(&copy)
        });
        let tags = finish(span).expect("the only finisher");
        let was_set = there.join().expect("no panic");
        assert_eq!(tags, u32::from(was_set));
        freed_once(&freed);
    });
}

#[test]
fn the_last_handle_returns_the_slot_on_either_thread() {
    loom::model(|| {
        let (span, freed) = start();
        let handle = span.handle();
        let there = thread::spawn(move || {
            set_tag(&handle);
            drop(handle);
        });
        set_tag(&span);
        drop(span);
        there.join().expect("no panic");
        freed_once(&freed);
    });
}

#[test]
fn three_threads_finish_and_clone_a_span_and_free_it_once() {
    let mut bounded = Builder::new();
    bounded.preemption_bound = Some(2);
    bounded.check(|| {
        let (span, freed) = start();
        let (other, handle) = (span.clone(), span.handle());
        let finisher = thread::spawn(move || finish(other));
        // Does not take the lock: two threads that spin on it would run forever in a model.
        let visitor = thread::spawn(move || {
            let copy = handle.clone();
            drop(handle);
            copy.slot().is_finished()
        });
        let here = finish(span);
        let there = finisher.join().expect("no panic");
        visitor.join().expect("no panic");
        assert!(here.is_some() != there.is_some());
        freed_once(&freed);
    });
}

/// Pushes as the fast path does.
fn push_fast(writer: &QueueWriter, n: u64) -> Pushed {
    let (header, bytes) = frame(n);
    let push = || writer.push_if_free(&header, header.end(), &bytes);
    if push() || writer.renew(bytes.frame_len()).is_some() && push() {
        return Pushed::Taken;
    }
    writer.push(&header, &bytes)
}

fn push(writer: &QueueWriter, n: u64) -> Pushed {
    let (header, bytes) = frame(n);
    writer.push(&header, &bytes)
}

fn frame(n: u64) -> (FrameHeader, FrameBytes<'static>) {
    let header = FrameHeader {
        flags: Flags::SAMPLED,
        ..FrameHeader::new(
            TraceId::new(0, 1).expect("not zero"),
            SpanId::new(n).expect("not zero"),
        )
    };
    let bytes = FrameBytes {
        operation_name: "name",
        ..FrameBytes::default()
    };
    (header, bytes)
}

fn drain(thread_queue: &ThreadQueue, ids: &mut Vec<u64>) {
    read(thread_queue, thread_queue.take(), ids);
}

fn read(thread_queue: &ThreadQueue, mut chunks: VecDeque<Chunk>, ids: &mut Vec<u64>) {
    while let Some(mut chunk) = chunks.pop_front() {
        ids.extend(chunk.frames().iter().map(|span| span.span_id().get()));
        thread_queue.recycle(chunk);
    }
    thread_queue.keep(chunks);
}

/// The frames of a thread: one fits into the small first chunk of a model, three into the next one.
const FRAMES: u64 = 3;

#[test]
fn frames_arrive_in_order_if_filled_chunks_are_taken_first() {
    loom::model(|| {
        let writer = QueueWriter::new(Budget::new(1 << 20));
        let thread_queue = writer.thread_queue().clone();
        let there = thread::spawn(move || {
            for n in 1..=FRAMES + 2 {
                assert_ne!(push_fast(&writer, n), Pushed::Closed);
            }
            writer.end();
        });
        let mut ids = Vec::new();
        read(&thread_queue, thread_queue.take_filled(), &mut ids);
        there.join().expect("no panic");
        read(&thread_queue, thread_queue.take_filled(), &mut ids);
        assert_eq!(thread_queue.waiting() + ids.len() as u64, FRAMES + 2);
        drain(&thread_queue, &mut ids);
        assert!(ids.iter().copied().eq(1..=FRAMES + 2), "{ids:?}");
        assert!(thread_queue.is_ended_and_empty());
    });
}

#[test]
fn frames_arrive_in_order_across_chunks() {
    loom::model(|| {
        let writer = QueueWriter::new(Budget::new(1 << 20));
        let thread_queue = writer.thread_queue().clone();
        let there = thread::spawn(move || {
            for n in 1..=FRAMES {
                assert_ne!(push_fast(&writer, n), Pushed::Closed);
            }
            writer.end();
        });
        let mut ids = Vec::new();
        drain(&thread_queue, &mut ids);
        let seen = thread_queue.pushed();
        assert!(
            ids.len() as u64 <= seen,
            "no more is handed over than was finished"
        );
        there.join().expect("no panic");
        drain(&thread_queue, &mut ids);
        assert_eq!(ids, (1..=FRAMES).collect::<Vec<_>>());
        assert!(thread_queue.is_ended_and_empty());
    });
}

#[test]
fn a_frame_pushed_during_the_close_is_taken_or_refused() {
    // Bounded, although there are two threads: each waits for the other, which adds orders without end.
    let mut bounded = Builder::new();
    bounded.preemption_bound = Some(4);
    bounded.check(|| {
        let writer = QueueWriter::new(Budget::new(1 << 20));
        let thread_queue = writer.thread_queue().clone();
        let there = thread::spawn(move || {
            (1..=FRAMES)
                .filter(|n| push_fast(&writer, *n) == Pushed::Closed)
                .count() as u64
        });
        thread_queue.close();
        let mut ids = Vec::new();
        // The last drain: no frame may arrive after it.
        drain(&thread_queue, &mut ids);
        let refused = there.join().expect("no panic");
        assert_eq!(ids.len() as u64, thread_queue.pushed());
        assert_eq!(ids.len() as u64 + refused, FRAMES);
    });
}

#[test]
fn two_queues_with_a_full_budget_lose_no_count() {
    let mut bounded = Builder::new();
    bounded.preemption_bound = Some(2);
    bounded.check(|| {
        let budget = Budget::new(256);
        let writers = [(); 2].map(|()| QueueWriter::new(budget.clone()));
        let thread_queues = writers
            .each_ref()
            .map(|writer| writer.thread_queue().clone());
        let threads = writers.map(|writer| {
            thread::spawn(move || {
                for n in 1..=3 {
                    push_fast(&writer, n);
                }
            })
        });
        let mut ids = Vec::new();
        thread_queues
            .iter()
            .for_each(|thread_queue| drain(thread_queue, &mut ids));
        for there in threads {
            there.join().expect("no panic");
        }
        thread_queues
            .iter()
            .for_each(|thread_queue| drain(thread_queue, &mut ids));
        let full: u64 = thread_queues
            .iter()
            .map(|thread_queue| thread_queue.full())
            .sum();
        assert_eq!(ids.len() as u64 + full, 6);
    });
}
