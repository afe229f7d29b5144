use super::*;
use crate::model::{Flags, SpanId, TraceId};

fn header(n: u64) -> FrameHeader {
    FrameHeader {
        flags: Flags::SAMPLED,
        ..FrameHeader::new(
            TraceId::new(0, 1).expect("not zero"),
            SpanId::new(n + 1).expect("not zero"),
        )
    }
}

fn bytes(operation_name: &str) -> FrameBytes<'_> {
    FrameBytes {
        operation_name,
        ..FrameBytes::default()
    }
}

fn push(thread_queue: &QueueWriter, n: u64, name: &str) -> Pushed {
    thread_queue.push(&header(n), &bytes(name))
}

fn drain(thread_queue: &ThreadQueue) -> Vec<u64> {
    read(thread_queue, thread_queue.take())
}

fn read(thread_queue: &ThreadQueue, mut chunks: VecDeque<Chunk>) -> Vec<u64> {
    let mut ids = Vec::new();
    while let Some(mut chunk) = chunks.pop_front() {
        ids.extend(chunk.frames().iter().map(|span| span.span_id().get() - 1));
        thread_queue.recycle(chunk);
    }
    thread_queue.keep(chunks);
    ids
}

#[test]
fn frames_come_out_in_order() {
    let thread_queue = QueueWriter::new(Budget::new(1 << 20));
    let frames = if cfg!(miri) { 100 } else { 1_000 };
    for round in 0..3 {
        for n in 0..frames {
            assert_ne!(
                push(&thread_queue, n, "name"),
                Pushed::Full,
                "round {round}"
            );
        }
        assert_eq!(thread_queue.thread_queue().waiting(), frames);
        assert_eq!(
            drain(thread_queue.thread_queue()),
            (0..frames).collect::<Vec<_>>()
        );
        assert_eq!(thread_queue.thread_queue().waiting(), 0);
    }
    assert_eq!(thread_queue.thread_queue().pushed(), 3 * frames);
}

#[test]
fn filled_chunks_are_taken_without_the_newest() {
    let thread_queue = QueueWriter::new(Budget::new(1 << 20));
    let name = "x".repeat(CHUNK / 2);
    assert!(thread_queue.thread_queue().take_filled().is_empty());
    push(&thread_queue, 0, "in the small chunk");
    assert!(!thread_queue.thread_queue().has_filled());
    assert!(thread_queue.thread_queue().take_filled().is_empty());
    for n in 1..4 {
        push(&thread_queue, n, &name);
    }
    assert!(thread_queue.thread_queue().has_filled());
    assert_eq!(
        read(
            thread_queue.thread_queue(),
            thread_queue.thread_queue().take_filled()
        ),
        [0, 1, 2]
    );
    assert_eq!(thread_queue.thread_queue().waiting(), 1);
    assert!(thread_queue.thread_queue().take_filled().is_empty());
    push(&thread_queue, 4, "behind the third");
    assert_eq!(drain(thread_queue.thread_queue()), [3, 4]);
    assert_eq!(thread_queue.thread_queue().waiting(), 0);
    for n in 5..7 {
        push(&thread_queue, n, &name);
    }
    thread_queue.thread_queue().close();
    assert_eq!(
        read(
            thread_queue.thread_queue(),
            thread_queue.thread_queue().take_filled()
        ),
        [5, 6]
    );
    assert_eq!(thread_queue.thread_queue().waiting(), 0);
}

#[test]
fn a_full_ring_drops_the_newest_and_gives_its_memory_back() {
    let budget = Budget::new(CHUNK);
    let thread_queue = QueueWriter::new(budget.clone());
    let name = "x".repeat(1_000);
    let mut taken = 0;
    while push(&thread_queue, taken, &name) != Pushed::Full {
        taken += 1;
    }
    // The small chunk and the budgeted one.
    let len = bytes(&name).frame_len();
    assert_eq!(taken as usize, SMALL_CHUNK / len + CHUNK / len);
    assert_eq!(
        (
            thread_queue.thread_queue().pushed(),
            thread_queue.thread_queue().full()
        ),
        (taken, 1)
    );
    assert_eq!(drain(thread_queue.thread_queue()).len() as u64, taken);
    assert_eq!(budget.used(), 0);
    assert_eq!(push(&thread_queue, 0, &name), Pushed::Taken);
}

#[test]
fn much_of_one_thread_wakes_the_worker_whatever_is_left() {
    let thread_queue = QueueWriter::new(Budget::new(1 << 30));
    let name = "x".repeat(CHUNK / 2);
    // One to a chunk: the small one is left out, and the newest is not full.
    let pushed: Vec<_> = (0..=MANY_CHUNKS as u64)
        .map(|n| push(&thread_queue, n, &name))
        .collect();
    let (last, before) = pushed.split_last().expect("some");
    assert_eq!(*last, Pushed::TakenMany);
    assert!(before.iter().all(|pushed| *pushed == Pushed::Taken));
    assert_eq!(drain(thread_queue.thread_queue()).len(), pushed.len());
    assert_eq!(push(&thread_queue, 0, &name), Pushed::Taken);
}

/// As spans that have everything at hand: the room that they find is told as the others' is.
fn push_quickly(thread_queue: &QueueWriter, n: u64, name: &str) -> Pushed {
    let (header, bytes) = (header(n), bytes(name));
    let push = || thread_queue.push_if_free(&header, header.end(), &bytes);
    if push() {
        return Pushed::Taken;
    }
    match thread_queue.renew(bytes.frame_len()) {
        Some(pushed) => {
            assert!(push());
            pushed
        }
        None => thread_queue.push(&header, &bytes),
    }
}

#[test]
fn the_quick_way_wakes_the_worker_when_the_others_do() {
    for (bytes, name_len) in [
        (CHUNK, 1_000),
        (2 * CHUNK, 1_000),
        (4 * CHUNK, 20_000),
        (1 << 30, CHUNK / 2),
        (4 * CHUNK, 3 * CHUNK / 2),
    ] {
        let name = "x".repeat(name_len);
        let fill = |push: fn(&QueueWriter, u64, &str) -> Pushed| {
            let thread_queue = QueueWriter::new(Budget::new(bytes));
            let pushed: Vec<_> = (0..2 * MANY_CHUNKS as u64)
                .map(|n| push(&thread_queue, n, &name))
                .collect();
            let ids = drain(thread_queue.thread_queue());
            assert!(ids.is_sorted() && thread_queue.thread_queue().waiting() == 0);
            (pushed, ids.len())
        };
        assert_eq!(fill(push_quickly), fill(push), "{bytes} {name_len}");
    }
}

#[test]
fn a_chunk_is_renewed_only_where_that_makes_room() {
    let thread_queue = QueueWriter::new(Budget::new(1 << 20));
    assert_eq!(
        thread_queue.renew(CHUNK + 1),
        None,
        "it needs one of its own"
    );
    assert_eq!(thread_queue.renew(100), Some(Pushed::Taken));
    assert_eq!(thread_queue.renew(100), None, "there is room");
    assert_eq!(thread_queue.renew(SMALL_CHUNK + 1), Some(Pushed::Taken));
    thread_queue.thread_queue().close();
    assert_eq!(thread_queue.renew(100), None);
}

#[test]
fn a_queue_is_used_again_after_a_look_that_finds_nothing() {
    let thread_queue = QueueWriter::new(Budget::new(1 << 20));
    for n in 0..2 {
        push(&thread_queue, n, &"x".repeat(CHUNK / 2));
    }
    drain(thread_queue.thread_queue());
    let capacity = thread_queue.thread_queue().queue().capacity();
    assert!(capacity > 0);
    drain(thread_queue.thread_queue());
    assert_eq!(thread_queue.thread_queue().queue().capacity(), capacity);
}

#[test]
fn a_thread_can_report_when_the_budget_is_used_up() {
    let thread_queue = QueueWriter::new(Budget::new(0));
    assert_eq!(push(&thread_queue, 0, "name"), Pushed::Taken);
    assert_eq!(push(&thread_queue, 1, &"x".repeat(5_000)), Pushed::Full);
}

#[test]
fn a_frame_larger_than_a_chunk_has_one_of_its_own() {
    let thread_queue = QueueWriter::new(Budget::new(1 << 20));
    let name = "x".repeat(CHUNK * 2);
    assert_ne!(push(&thread_queue, 0, &name), Pushed::Full);
    assert_eq!(drain(thread_queue.thread_queue()), [0]);
}

#[test]
fn a_closed_ring_takes_nothing() {
    let thread_queue = QueueWriter::new(Budget::new(1 << 20));
    thread_queue.thread_queue().close();
    assert_eq!(push(&thread_queue, 0, "name"), Pushed::Closed);
    assert_eq!(thread_queue.thread_queue().pushed(), 0);
}

#[test]
fn a_dropped_ring_gives_its_memory_back() {
    let budget = Budget::new(1 << 20);
    let thread_queue = QueueWriter::new(budget.clone());
    push(&thread_queue, 0, &"x".repeat(10_000));
    drop(thread_queue);
    assert_eq!(budget.used(), 0);
}

#[test]
fn what_is_taken_and_not_read_takes_no_more_than_the_budget() {
    let budget = Budget::new(4 * SMALL_CHUNK);
    let thread_queue = QueueWriter::new(budget.clone());
    let mut waiting = Vec::new();
    for n in 0.. {
        if push(&thread_queue, n, "s") == Pushed::Full {
            break;
        }
        waiting.push(thread_queue.thread_queue().take());
        assert!(waiting.len() <= MOST_SMALL_AWAY + 4);
    }
    assert_eq!(waiting.len(), MOST_SMALL_AWAY + 4);
    let ids = waiting
        .into_iter()
        .flat_map(|it| read(thread_queue.thread_queue(), it));
    assert!(ids.eq(0..MOST_SMALL_AWAY as u64 + 4));
    assert_eq!(budget.used(), 0);
    assert_eq!(push(&thread_queue, 9, "s"), Pushed::Taken);
    assert_eq!(budget.used(), 0, "as before");
}

#[test]
fn what_ended_threads_leave_takes_no_more_than_the_budget() {
    let budget = Budget::new(16 * 1024);
    let mut thread_queues = Vec::new();
    for n in 0..1_000 {
        let writer = QueueWriter::new(budget.clone());
        push(&writer, n, "first");
        push(&writer, n, "second");
        writer.end();
        thread_queues.push(writer.thread_queue().clone());
    }
    let count = |of: fn(&ThreadQueue) -> u64| {
        thread_queues
            .iter()
            .map(|thread_queue| of(thread_queue))
            .sum::<u64>()
    };
    assert_eq!(count(ThreadQueue::pushed) + count(ThreadQueue::full), 2_000);
    assert_eq!(count(ThreadQueue::pushed), count(ThreadQueue::waiting));
    assert!((10..100).contains(&count(ThreadQueue::pushed)));
    assert!(budget.used() <= 16 * 1024);
    let first = push(&QueueWriter::new(budget.clone()), 0, "of a thread");
    assert_eq!(first, Pushed::TakenMany, "nobody else wakes the worker");
    let lost = thread_queues
        .iter()
        .filter(|thread_queue| thread_queue.full() > 0);
    assert!(
        lost.clone()
            .all(|thread_queue| thread_queue.is_ended_and_empty())
    );
    let read: Vec<_> = thread_queues
        .iter()
        .flat_map(|thread_queue| drain(thread_queue))
        .collect();
    assert!(read.iter().enumerate().all(|(at, n)| at as u64 / 2 == *n));
    assert!(
        thread_queues
            .iter()
            .all(|thread_queue| thread_queue.is_ended_and_empty())
    );
    drop(thread_queues);
    assert_eq!(budget.used(), 0);
}
