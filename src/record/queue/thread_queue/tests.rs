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

fn push(writer: &QueueWriter, n: u64, name: &str) -> Pushed {
    writer.push(&header(n), &bytes(name))
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
fn take_returns_frames_in_the_order_of_their_push() {
    let writer = QueueWriter::new(Budget::new(1 << 20));
    let frames = if cfg!(miri) { 100 } else { 1_000 };
    for round in 0..3 {
        for n in 0..frames {
            assert_ne!(push(&writer, n, "name"), Pushed::Full, "round {round}");
        }
        assert_eq!(writer.thread_queue().waiting(), frames);
        assert_eq!(
            drain(writer.thread_queue()),
            (0..frames).collect::<Vec<_>>()
        );
        assert_eq!(writer.thread_queue().waiting(), 0);
    }
    assert_eq!(writer.thread_queue().pushed(), 3 * frames);
}

#[test]
fn take_filled_leaves_the_newest_chunk() {
    let writer = QueueWriter::new(Budget::new(1 << 20));
    let name = "x".repeat(CHUNK / 2);
    assert!(writer.thread_queue().take_filled().is_empty());
    push(&writer, 0, "in the small chunk");
    assert!(!writer.thread_queue().has_filled());
    assert!(writer.thread_queue().take_filled().is_empty());
    for n in 1..4 {
        push(&writer, n, &name);
    }
    assert!(writer.thread_queue().has_filled());
    assert_eq!(
        read(writer.thread_queue(), writer.thread_queue().take_filled()),
        [0, 1, 2]
    );
    assert_eq!(writer.thread_queue().waiting(), 1);
    assert!(writer.thread_queue().take_filled().is_empty());
    push(&writer, 4, "behind the third");
    assert_eq!(drain(writer.thread_queue()), [3, 4]);
    assert_eq!(writer.thread_queue().waiting(), 0);
    for n in 5..7 {
        push(&writer, n, &name);
    }
    writer.thread_queue().close();
    assert_eq!(
        read(writer.thread_queue(), writer.thread_queue().take_filled()),
        [5, 6]
    );
    assert_eq!(writer.thread_queue().waiting(), 0);
}

#[test]
fn a_full_queue_drops_the_newest_and_gives_its_memory_back() {
    let budget = Budget::new(CHUNK);
    let writer = QueueWriter::new(budget.clone());
    let name = "x".repeat(1_000);
    let mut taken = 0;
    while push(&writer, taken, &name) != Pushed::Full {
        taken += 1;
    }
    // One small chunk and one charged chunk.
    let len = bytes(&name).frame_len();
    assert_eq!(taken as usize, SMALL_CHUNK / len + CHUNK / len);
    assert_eq!(
        (writer.thread_queue().pushed(), writer.thread_queue().full()),
        (taken, 1)
    );
    assert_eq!(drain(writer.thread_queue()).len() as u64, taken);
    assert_eq!(budget.used(), 0);
    assert_eq!(push(&writer, 0, &name), Pushed::Taken);
}

#[test]
fn many_filled_chunks_wake_the_worker_whatever_the_budget() {
    let writer = QueueWriter::new(Budget::new(1 << 30));
    let name = "x".repeat(CHUNK / 2);
    // One frame to a chunk. The frames do not fit into a small chunk, and the newest chunk is not filled.
    let pushed: Vec<_> = (0..=MANY_CHUNKS as u64)
        .map(|n| push(&writer, n, &name))
        .collect();
    let (last, before) = pushed.split_last().expect("some");
    assert_eq!(*last, Pushed::TakenMany);
    assert!(before.iter().all(|pushed| *pushed == Pushed::Taken));
    assert_eq!(drain(writer.thread_queue()).len(), pushed.len());
    assert_eq!(push(&writer, 0, &name), Pushed::Taken);
}

/// Pushes as the fast path of finishing a span does.
fn push_by_fast_path(writer: &QueueWriter, n: u64, name: &str) -> Pushed {
    let (header, bytes) = (header(n), bytes(name));
    let push = || writer.push_if_free(&header, header.end(), &bytes);
    if push() {
        return Pushed::Taken;
    }
    match writer.renew(bytes.frame_len()) {
        Some(pushed) => {
            assert!(push());
            pushed
        }
        None => writer.push(&header, &bytes),
    }
}

#[test]
fn the_fast_path_wakes_the_worker_when_the_slow_path_does() {
    for (bytes, name_len) in [
        (CHUNK, 1_000),
        (2 * CHUNK, 1_000),
        (4 * CHUNK, 20_000),
        (1 << 30, CHUNK / 2),
        (4 * CHUNK, 3 * CHUNK / 2),
    ] {
        let name = "x".repeat(name_len);
        let fill = |push: fn(&QueueWriter, u64, &str) -> Pushed| {
            let writer = QueueWriter::new(Budget::new(bytes));
            let pushed: Vec<_> = (0..2 * MANY_CHUNKS as u64)
                .map(|n| push(&writer, n, &name))
                .collect();
            let ids = drain(writer.thread_queue());
            assert!(ids.is_sorted() && writer.thread_queue().waiting() == 0);
            (pushed, ids.len())
        };
        assert_eq!(fill(push_by_fast_path), fill(push), "{bytes} {name_len}");
    }
}

#[test]
fn renew_takes_a_chunk_only_if_that_makes_room() {
    let writer = QueueWriter::new(Budget::new(1 << 20));
    assert_eq!(
        writer.renew(CHUNK + 1),
        None,
        "a longer frame needs its own chunk"
    );
    assert_eq!(writer.renew(100), Some(Pushed::Taken));
    assert_eq!(writer.renew(100), None, "there is room");
    assert_eq!(writer.renew(SMALL_CHUNK + 1), Some(Pushed::Taken));
    writer.thread_queue().close();
    assert_eq!(writer.renew(100), None);
}

#[test]
fn an_empty_take_keeps_the_spare_list() {
    let writer = QueueWriter::new(Budget::new(1 << 20));
    for n in 0..2 {
        push(&writer, n, &"x".repeat(CHUNK / 2));
    }
    drain(writer.thread_queue());
    let capacity = writer.thread_queue().spare_list().capacity();
    assert!(capacity > 0);
    drain(writer.thread_queue());
    assert_eq!(writer.thread_queue().spare_list().capacity(), capacity);
}

#[test]
fn a_thread_can_report_with_an_exhausted_budget() {
    let writer = QueueWriter::new(Budget::new(0));
    assert_eq!(push(&writer, 0, "name"), Pushed::Taken);
    assert_eq!(push(&writer, 1, &"x".repeat(5_000)), Pushed::Full);
}

#[test]
fn a_frame_larger_than_a_chunk_gets_a_chunk_of_its_own() {
    let writer = QueueWriter::new(Budget::new(1 << 20));
    let name = "x".repeat(CHUNK * 2);
    assert_ne!(push(&writer, 0, &name), Pushed::Full);
    assert_eq!(drain(writer.thread_queue()), [0]);
}

#[test]
fn a_closed_queue_refuses_frames() {
    let writer = QueueWriter::new(Budget::new(1 << 20));
    writer.thread_queue().close();
    assert_eq!(push(&writer, 0, "name"), Pushed::Closed);
    assert_eq!(writer.thread_queue().pushed(), 0);
}

#[test]
fn a_dropped_queue_gives_its_memory_back() {
    let budget = Budget::new(1 << 20);
    let writer = QueueWriter::new(budget.clone());
    push(&writer, 0, &"x".repeat(10_000));
    drop(writer);
    assert_eq!(budget.used(), 0);
}

#[test]
fn unread_chunks_take_no_more_than_the_budget() {
    let budget = Budget::new(4 * SMALL_CHUNK);
    let writer = QueueWriter::new(budget.clone());
    let mut waiting = Vec::new();
    for n in 0.. {
        if push(&writer, n, "s") == Pushed::Full {
            break;
        }
        waiting.push(writer.thread_queue().take());
        assert!(waiting.len() <= MOST_UNBUDGETED_AWAY + 4);
    }
    assert_eq!(waiting.len(), MOST_UNBUDGETED_AWAY + 4);
    let ids = waiting
        .into_iter()
        .flat_map(|it| read(writer.thread_queue(), it));
    assert!(ids.eq(0..MOST_UNBUDGETED_AWAY as u64 + 4));
    assert_eq!(budget.used(), 0);
    assert_eq!(push(&writer, 9, "s"), Pushed::Taken);
    assert_eq!(budget.used(), 0, "as before");
}

#[test]
fn ended_threads_leave_no_more_than_the_budget() {
    let budget = Budget::new(16 * 1024);
    let threads = if cfg!(miri) { 100 } else { 1_000 };
    let mut thread_queues = Vec::new();
    for n in 0..threads {
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
    assert_eq!(
        count(ThreadQueue::pushed) + count(ThreadQueue::full),
        2 * threads
    );
    assert_eq!(count(ThreadQueue::pushed), count(ThreadQueue::waiting));
    assert!((10..100).contains(&count(ThreadQueue::pushed)));
    assert!(budget.used() <= 16 * 1024);
    let first = push(&QueueWriter::new(budget.clone()), 0, "of a thread");
    assert_eq!(first, Pushed::TakenMany, "a new thread wakes the worker");
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
