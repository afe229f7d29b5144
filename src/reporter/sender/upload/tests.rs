use std::cell::Cell;
use std::collections::VecDeque;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::time::Instant;

use super::exchange::Answer;
use super::*;
use crate::metrics::DropCounts;

thread_local! {
    /// Whether this thread cannot start others.
    pub(super) static NO_THREADS: Cell<bool> = const { Cell::new(false) };
}

/// A step of a [`Script`]: the treatment of a request.
enum Act {
    Answer(Answer),
    Panic,
    /// Waits until the upload ends.
    Hang,
}

/// An exchange that acts by a list, and accepts all requests after its end. Tells the bodies.
#[derive(Clone)]
struct Script {
    acts: Arc<Mutex<VecDeque<Act>>>,
    bodies: Sender<Vec<u8>>,
    interrupt: (Sender<()>, Arc<Mutex<Receiver<()>>>),
}

impl Exchange for Script {
    fn exchange(&mut self, body: &[u8], _: u64, _: Instant) -> Answer {
        let act = self.acts.lock().expect("no panic").pop_front();
        // The test may not listen.
        let _ = self.bodies.send(body.to_vec());
        match act {
            None => Answer::Accepted,
            Some(Act::Answer(answer)) => answer,
            Some(Act::Panic) => panic!("by the script"),
            Some(Act::Hang) => {
                let interrupt = self.interrupt.1.lock().expect("no panic");
                interrupt.recv().expect("interrupted");
                lost(DropCause::Unknown)
            }
        }
    }

    fn renewed(&self) -> Box<dyn Exchange> {
        Box::new(self.clone())
    }

    fn interrupter(&self) -> Box<dyn Fn() + Send + Sync> {
        let interrupt = Mutex::new(self.interrupt.0.clone());
        Box::new(move || {
            // The thread may have ended.
            let _ = interrupt.lock().expect("no panic").send(());
        })
    }
}

fn uploading(acts: impl IntoIterator<Item = Act>) -> (Upload, Receiver<Vec<u8>>) {
    uploading_within(Duration::from_secs(30), acts)
}

fn uploading_within(
    timeout: Duration,
    acts: impl IntoIterator<Item = Act>,
) -> (Upload, Receiver<Vec<u8>>) {
    let (bodies, received) = channel();
    let (interrupt, interrupted) = channel();
    let script = Script {
        acts: Arc::new(Mutex::new(acts.into_iter().collect())),
        bodies,
        interrupt: (interrupt, Arc::new(Mutex::new(interrupted))),
    };
    let upload = Upload::new(Box::new(script), "there".to_owned(), timeout, 100_000);
    (upload, received)
}

fn lost(cause: DropCause) -> Answer {
    let reason = format!("because of {cause}");
    Answer::Lost { cause, reason }
}

fn retry(after: Option<u64>) -> Act {
    Act::Answer(Answer::Retry {
        after: after.map(Duration::from_secs),
        cause: DropCause::SendFailed,
        reason: "busy".to_owned(),
    })
}

/// Offers a batch of two spans until there is room.
fn send(upload: &mut Upload, body: &[u8]) -> SendOutcome {
    let mut news = SendOutcome::default();
    loop {
        let outcome = upload.send(&Batch::new(body, 2));
        news.arrived += outcome.arrived;
        news.failed.merge(&outcome.failed);
        match outcome.this {
            SendResult::Later(_) => std::thread::yield_now(),
            this => return SendOutcome { this, ..news },
        }
    }
}

/// Polls until the fates of so many spans are known.
fn fates(upload: &mut Upload, spans: u64) -> (u64, DropCounts) {
    let deadline = deadline_after(Duration::from_secs(30));
    let (mut arrived, mut failed) = (0, DropCounts::default());
    while arrived + failed.total() < spans {
        assert!(instant_now() < deadline, "{arrived} and {failed:?}");
        let news = upload.poll();
        arrived += news.arrived;
        failed.merge(&news.failed);
        std::thread::yield_now();
    }
    (arrived, failed)
}

/// Returns how one batch of two spans ends.
fn fate_after(acts: impl IntoIterator<Item = Act>) -> (Upload, u64, DropCounts, usize) {
    let (mut upload, bodies) = uploading(acts);
    assert_eq!(send(&mut upload, b"x").this, SendResult::InFlight);
    let (arrived, failed) = fates(&mut upload, 2);
    (upload, arrived, failed, bodies.try_iter().count())
}

fn counts(cause: DropCause, spans: u64) -> DropCounts {
    let mut counts = DropCounts::default();
    counts.add(cause, spans);
    counts
}

#[test]
fn an_accepted_batch_arrives() {
    let (_, arrived, failed, tries) = fate_after([]);
    assert_eq!((arrived, failed.total(), tries), (2, 0, 1));
}

#[test]
fn a_batch_is_tried_three_times_at_most() {
    let (_, arrived, _, tries) = fate_after([retry(None), retry(None)]);
    assert_eq!((arrived, tries), (2, 3));
    let (upload, _, failed, tries) = fate_after([retry(None), retry(None), retry(None)]);
    assert_eq!((failed, tries), (counts(DropCause::SendFailed, 2), 3));
    let line = upload.explain(DropCause::SendFailed);
    assert_eq!(line, "spans do not reach there: busy");
}

#[test]
fn a_loss_that_would_come_again_is_not_tried_again() {
    let (upload, _, failed, tries) = fate_after([Act::Answer(lost(DropCause::Rejected))]);
    assert_eq!((failed, tries), (counts(DropCause::Rejected, 2), 1));
    let line = upload.explain(DropCause::Rejected);
    assert_eq!(line, "spans do not reach there: because of rejected");
}

#[test]
fn a_collector_cannot_reject_more_spans_than_there_are() {
    for (rejected, expected) in [(0, 0), (1, 1), (2, 2), (u64::MAX, 2)] {
        let reason = String::new();
        let answer = Answer::Partial { rejected, reason };
        let (_, arrived, failed, _) = fate_after([Act::Answer(answer)]);
        assert_eq!(arrived, 2 - expected);
        assert_eq!(failed, counts(DropCause::Rejected, expected));
    }
}

#[test]
fn a_panic_loses_one_batch() {
    let (mut upload, _, failed, _) = fate_after([Act::Panic]);
    assert_eq!(failed, counts(DropCause::InternalError, 2));
    send(&mut upload, b"y");
    assert_eq!(fates(&mut upload, 2).0, 2);
}

#[test]
fn a_batch_that_was_too_large_halves_those_behind_it() {
    let reason = "it answered 413".to_owned();
    let (mut upload, bodies) = uploading([Act::Answer(Answer::TooLarge { reason })]);
    assert_eq!(upload.max_bytes(), 100_000);
    send(&mut upload, &[0; 60_000]);
    assert_eq!(fates(&mut upload, 2).1, counts(DropCause::TooLarge, 2));
    assert_eq!(upload.max_bytes(), 30_000);
    assert_eq!(bodies.recv().expect("one").len(), 60_000);
    let line = upload.explain(DropCause::TooLarge);
    assert!(line.ends_with("had 60000 bytes, and from now on batches have at most 30000"));
}

#[test]
fn one_batch_waits_behind_the_one_that_runs() {
    let (mut upload, bodies) = uploading([Act::Hang]);
    assert_eq!(send(&mut upload, b"1").this, SendResult::InFlight);
    assert_eq!(bodies.recv().expect("running"), b"1");
    assert_eq!(send(&mut upload, b"2").this, SendResult::InFlight);
    for _ in 0..3 {
        let third = upload.send(&Batch::new(b"3", 2));
        assert!(matches!(third.this, SendResult::Later(_)), "{third:?}");
    }
    assert!(bodies.try_recv().is_err());
    let line = upload.explain_wait().expect("a line");
    assert!(line.contains("more slowly than spans come"), "{line}");
    let later = deadline_after(Duration::from_secs(3));
    let line = upload.line_about_wait(later).expect("a line");
    let hangs = "there has taken a request and not answered it for 3 s; see whether it hangs";
    assert!(line.starts_with(hangs), "{line}");
    upload.exchange.interrupter()();
    fates(&mut upload, 4);
    assert_eq!(send(&mut upload, b"3").this, SendResult::InFlight);
    fates(&mut upload, 2);
    assert_eq!(upload.explain_wait(), None, "there was room");
}

#[test]
fn the_end_interrupts_the_request_and_sends_no_other() {
    let (mut upload, bodies) = uploading([Act::Hang]);
    send(&mut upload, b"1");
    bodies.recv().expect("running");
    send(&mut upload, b"2");
    drop(upload);
    // The script's last clone goes with the thread.
    assert_eq!(bodies.iter().count(), 0);
}

#[test]
fn a_request_that_outlasts_its_time_is_interrupted_and_the_next_ones_go_out() {
    let (mut upload, bodies) = uploading_within(Duration::from_millis(1), [Act::Hang]);
    send(&mut upload, b"1");
    assert_eq!(fates(&mut upload, 2).1, counts(DropCause::Unknown, 2));
    for body in [b"2", b"3"] {
        send(&mut upload, body);
        assert_eq!(fates(&mut upload, 2).0, 2);
    }
    assert_eq!(bodies.try_iter().count(), 3);
}

#[test]
fn the_end_does_not_wait_for_a_pause() {
    let (mut upload, bodies) = uploading([retry(Some(9))]);
    send(&mut upload, b"1");
    bodies.recv().expect("running");
    let start = instant_now();
    drop(upload);
    assert_eq!(bodies.iter().count(), 0);
    assert!(start.elapsed() < Duration::from_secs(5));
}

#[test]
fn a_short_pause_that_the_collector_asks_for_holds_every_batch() {
    let (mut upload, bodies) = uploading([retry(Some(1))]);
    let start = instant_now();
    send(&mut upload, b"1");
    bodies.recv().expect("running");
    let mut held = false;
    while !held {
        let outcome = upload.send(&Batch::new(b"2", 2));
        held = matches!(outcome.this, SendResult::Later(until) if until > start);
    }
    assert_eq!(bodies.recv().expect("tried again"), b"1");
    assert!(start.elapsed() >= Duration::from_secs(1));
}

#[test]
fn a_long_pause_that_the_collector_asks_for_loses_batches() {
    let (mut upload, _, failed, tries) = fate_after([retry(Some(60))]);
    assert_eq!((failed, tries), (counts(DropCause::Backoff, 2), 1));
    for _ in 0..2 {
        let outcome = send(&mut upload, b"2");
        assert_eq!(outcome.this, SendResult::Lost(DropCause::Backoff));
    }
    let line = upload.explain_wait().expect("a line");
    assert!(line.contains("has asked for a pause"), "{line}");
}

#[test]
fn a_batch_that_waits_when_a_long_pause_begins_is_lost() {
    let (mut upload, bodies) = uploading([Act::Hang]);
    send(&mut upload, b"1");
    bodies.recv().expect("running");
    send(&mut upload, b"2");
    upload
        .shared
        .hold_until(deadline_after(Duration::from_secs(60)));
    // Ends the first one.
    let interrupt = upload.exchange.interrupter();
    interrupt();
    let (_, failed) = fates(&mut upload, 4);
    let mut expected = counts(DropCause::Unknown, 2);
    expected.add(DropCause::Backoff, 2);
    assert_eq!(failed, expected);
    assert!(bodies.try_recv().is_err());
}

#[test]
fn a_thread_that_does_not_start_loses_a_batch_and_starts_with_a_later_one() {
    let (mut upload, bodies) = uploading([]);
    NO_THREADS.set(true);
    let outcome = upload.send(&Batch::new(b"1", 2));
    assert_eq!(outcome.this, SendResult::Lost(DropCause::NoWorker));
    assert!(upload.explain(DropCause::NoWorker).contains("no thread"));
    NO_THREADS.set(false);
    send(&mut upload, b"2");
    assert_eq!(fates(&mut upload, 2).0, 2);
    assert_eq!(bodies.try_iter().collect::<Vec<_>>(), [b"2"]);
}
