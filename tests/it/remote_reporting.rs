//! A remote reporter over senders that fail: splitting, losses, the account, the lines to the user. No sockets.

mod in_flight;
mod limits;
mod losses;
mod pauses;

use std::panic::resume_unwind;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use tracehound::diagnostics::Diagnostics;
use tracehound::metrics::{Counter, DropCause, DropCounts};
use tracehound::model::{Process, ReferenceType, ReportedReference, Tag, TraceId, tags};
use tracehound::reporter::sender::{Batch, BatchFormat, SendOutcome, SendResult, Sender};
use tracehound::reporter::{RemoteReporter, Reporter, Unsent, WorkerHandle};
use tracehound::services::Services;

use crate::support::batches::{listening_worker, report, soon, span};
use crate::support::jaeger_thrift::{Message, decode};
use crate::support::until;

/// A sender that calls a test's function with each batch.
struct Scripted<F> {
    limit: Arc<Mutex<usize>>,
    retry_after: Duration,
    act: F,
}

impl<F: FnMut(&Batch<'_>) -> SendOutcome + Send> Scripted<F> {
    fn new(act: F) -> Self {
        Self {
            limit: Arc::new(Mutex::new(2_000)),
            retry_after: Duration::ZERO,
            act,
        }
    }
}

impl<F: FnMut(&Batch<'_>) -> SendOutcome + Send> Sender for Scripted<F> {
    fn format(&self) -> BatchFormat {
        BatchFormat::Compact
    }

    fn max_bytes(&self) -> usize {
        *self.limit.lock().unwrap()
    }

    fn send(&mut self, batch: &Batch<'_>, _: Instant) -> SendOutcome {
        (self.act)(batch)
    }

    fn retry_after(&self) -> Duration {
        self.retry_after
    }

    fn destination(&self) -> String {
        "agent.example:1".to_owned()
    }
}

fn read(batch: &Batch<'_>) -> Message {
    let message = decode(BatchFormat::Compact, batch.bytes).expect("a message of the IDL");
    assert_eq!(message.batch.spans.len() as u64, batch.span_count);
    message
}

fn lost(cause: DropCause) -> SendOutcome {
    SendOutcome::new(SendResult::Lost(cause))
}

#[test]
fn batches_tell_the_agent_their_numbers_and_the_losses() {
    let told = Arc::new(Mutex::new(Vec::new()));
    let sink = told.clone();
    let sender = Scripted::new(move |batch| {
        let message = read(batch);
        let (seq_no, stats) = (message.batch.seq_no.unwrap(), message.batch.stats.unwrap());
        sink.lock().unwrap().push((message.seqid, seq_no, stats));
        match seq_no {
            2 => lost(DropCause::SendFailed),
            3 => lost(DropCause::Refused),
            4 => SendOutcome::default().with_earlier_loss(DropCause::AgentKernelDrops, 1),
            _ => SendOutcome::default(),
        }
    });
    let mut reporter = RemoteReporter::new(sender);
    reporter.attach(&listening_worker().0);
    let mut too_large = span(9);
    let other = TraceId::new(1, 1).unwrap();
    let reference = ReportedReference::new(ReferenceType::ChildOf, other, too_large.span_id);
    too_large.references = vec![reference; 300];
    for round in 0..5 {
        if round == 3 {
            report(&mut reporter, std::slice::from_ref(&too_large));
        }
        report(&mut reporter, &[span(1), span(2)]);
        reporter.flush(soon());
    }
    let expected = [
        (1, 1, [0, 0, 0]),
        (2, 2, [0, 0, 0]),
        (3, 3, [0, 0, 2]),
        (4, 4, [0, 1, 4]),
        (5, 5, [0, 1, 5]),
    ];
    assert_eq!(*told.lock().unwrap(), expected);
}

#[test]
fn a_batch_that_is_too_large_for_the_system_is_split_and_arrives() {
    let mut spans: Vec<_> = (1..=40).map(span).collect();
    spans[20].tags = vec![Tag::new("sql", "x".repeat(1_500))];
    for learns in [true, false] {
        let arrived = Arc::new(Mutex::new(Vec::new()));
        let sink = arrived.clone();
        let limit = Arc::new(Mutex::new(65_000));
        let learnt = limit.clone();
        let mut sender = Scripted::new(move |batch| {
            if batch.bytes.len() > 1_200 {
                if learns {
                    let mut limit = learnt.lock().unwrap();
                    *limit = (*limit).min(batch.bytes.len() / 2).max(1_024);
                }
                return SendOutcome::new(SendResult::TooLarge);
            }
            let message = read(batch);
            sink.lock().unwrap().extend(message.batch.spans);
            SendOutcome::default()
        });
        sender.limit = limit;
        let (worker, lines) = listening_worker();
        let mut reporter = RemoteReporter::new(sender);
        reporter.attach(&worker);
        report(&mut reporter, &spans);
        let unsent = reporter.flush(soon());

        let arrived = arrived.lock().unwrap();
        let ids: Vec<_> = arrived.iter().map(|span| span.span_id as usize).collect();
        let lines = lines.lock().unwrap();
        assert!(
            lines[0].starts_with("the system refused a batch of "),
            "{lines:?}"
        );
        if learns {
            assert_eq!(ids, (1..=40).collect::<Vec<_>>());
            assert_eq!(unsent.dropped.total(), 0);
            assert_eq!(worker.metrics().get(Counter::DegradedSpans), 1);
            let marks = arrived[20]
                .tags
                .iter()
                .find(|tag| tag.key == tags::DEGRADED);
            assert!(marks.is_some(), "{:?}", arrived[20]);
        } else {
            // Without a lower limit the reporter cannot know how small the large span must be.
            assert_eq!(ids.len(), 39);
            assert_eq!(unsent.dropped.get(DropCause::TooLarge), 1);
            assert_eq!(unsent.dropped.total(), 1);
        }
        assert_eq!(unsent.queued, 0);
    }
}

#[test]
fn a_sender_that_panics_loses_its_batch_and_no_other() {
    let arrived = Arc::new(Mutex::new(0));
    let sink = arrived.clone();
    let mut calls = 0;
    let sender = Scripted::new(move |batch| {
        calls += 1;
        if calls == 2 {
            resume_unwind(Box::new("sender"));
        }
        *sink.lock().unwrap() += read(batch).batch.spans.len();
        SendOutcome::default()
    });
    let (worker, lines) = listening_worker();
    let mut reporter = RemoteReporter::new(sender);
    reporter.attach(&worker);
    let mut unsent = reporter.flush(soon());
    for count in [3, 4, 5] {
        report(&mut reporter, &(1..=count).map(span).collect::<Vec<_>>());
        unsent = reporter.flush(soon());
    }
    assert_eq!(unsent.dropped.get(DropCause::InternalError), 4);
    assert_eq!((unsent.dropped.total(), unsent.queued), (4, 0));
    assert_eq!(*arrived.lock().unwrap(), 8);
    assert_eq!(worker.metrics().get(Counter::CallbackPanics), 1);
    let expected = ["the sender of spans panicked; its batch is lost"];
    assert_eq!(*lines.lock().unwrap(), expected);
}

#[test]
fn a_loss_that_becomes_known_later_no_longer_counts_as_sent() {
    let mut calls = 0;
    let sender = Scripted::new(move |_| {
        calls += 1;
        match calls {
            2 => SendOutcome::default().with_earlier_loss(DropCause::Refused, 3),
            // More than was ever sent. The count of sent spans is the limit.
            3 => SendOutcome::default().with_earlier_loss(DropCause::Unknown, 1_000),
            _ => SendOutcome::default(),
        }
    });
    let mut reporter = RemoteReporter::new(sender);
    reporter.attach(&listening_worker().0);
    let dropped: Vec<_> = [3, 4, 5]
        .into_iter()
        .map(|count| {
            report(&mut reporter, &(1..=count).map(span).collect::<Vec<_>>());
            reporter.flush(soon()).dropped.to_string()
        })
        .collect();
    assert_eq!(dropped, ["none", "refused 3", "refused 3, unknown 4"]);
}

#[test]
fn a_flush_counts_a_loss_that_a_poll_behind_its_batch_reports() {
    struct ToldAfterwards(u64);
    impl Sender for ToldAfterwards {
        fn format(&self) -> BatchFormat {
            BatchFormat::Compact
        }

        fn max_bytes(&self) -> usize {
            2_000
        }

        fn send(&mut self, batch: &Batch<'_>, _: Instant) -> SendOutcome {
            self.0 = batch.span_count;
            SendOutcome::default()
        }

        fn poll(&mut self) -> SendOutcome {
            let spans = std::mem::take(&mut self.0);
            SendOutcome::default().with_earlier_loss(DropCause::Refused, spans)
        }
    }
    let mut reporter = RemoteReporter::new(ToldAfterwards(0));
    reporter.attach(&listening_worker().0);
    report(&mut reporter, &[span(1), span(2), span(3)]);
    let unsent = reporter.flush(soon());
    assert_eq!(unsent.dropped.get(DropCause::Refused), 3);
    assert_eq!(unsent.dropped.total(), 3);
}

#[test]
fn after_a_refusal_full_batches_are_dropped_untried_and_a_flush_tries() {
    let calls = Arc::new(Mutex::new(0_u64));
    let count = calls.clone();
    let mut sender = Scripted::new(move |_| {
        *count.lock().unwrap() += 1;
        lost(DropCause::Refused)
    });
    sender.retry_after = Duration::from_secs(3_600);
    let (worker, lines) = listening_worker();
    let mut reporter = RemoteReporter::new(sender);
    reporter.attach(&worker);
    let spans: Vec<_> = (1..=20_000).map(span).collect();
    report(&mut reporter, &spans);
    assert_eq!(*calls.lock().unwrap(), 1);
    let unsent = reporter.flush(soon());
    assert_eq!(*calls.lock().unwrap(), 2);
    assert_eq!(unsent.dropped.get(DropCause::Refused), 20_000);
    assert_eq!(unsent.dropped.total(), 20_000);
    let expected = ["spans do not reach agent.example:1: refused"];
    assert_eq!(*lines.lock().unwrap(), expected);
}

#[test]
fn one_line_says_that_spans_are_lost_and_one_that_they_arrive_again() {
    let mut calls = 0;
    let sender = Scripted::new(move |_| {
        calls += 1;
        match calls {
            // A batch that goes out between two refusals is no recovery, because its own refusal comes later.
            2 => SendOutcome::default(),
            3 => SendOutcome::default().with_earlier_loss(DropCause::Refused, 1),
            1..=4 => lost(DropCause::Refused),
            _ => SendOutcome::default(),
        }
    });
    let (worker, lines) = listening_worker();
    let mut reporter = RemoteReporter::new(sender);
    reporter.attach(&worker);
    for _ in 0..10 {
        report(&mut reporter, &[span(1)]);
        reporter.flush(soon());
    }
    let expected = [
        "spans do not reach agent.example:1: refused",
        "spans reach agent.example:1 again",
    ];
    assert_eq!(*lines.lock().unwrap(), expected);
}

#[test]
fn spans_left_at_the_deadline_count_as_queued_and_are_sent_later() {
    let sizes = Arc::new(Mutex::new(Vec::new()));
    let sink = sizes.clone();
    let sender = Scripted::new(move |batch| {
        sink.lock().unwrap().push(batch.span_count);
        SendOutcome::default()
    });
    let limit = sender.limit.clone();
    let mut reporter = RemoteReporter::new(sender);
    reporter.attach(&listening_worker().0);
    report(&mut reporter, &(1..=30).map(span).collect::<Vec<_>>());
    // The limit is halved before the packet is sent, and there is no time for a second one.
    *limit.lock().unwrap() = 1_000;
    let unsent = reporter.flush(Instant::now());
    let first = sizes.lock().unwrap()[0];
    assert!((10..30).contains(&first), "{first}");
    assert_eq!((unsent.queued, unsent.dropped.total()), (30 - first, 0));
    let unsent = reporter.close(soon());
    assert_eq!((unsent.queued, unsent.dropped.total()), (0, 0));
    assert_eq!(sizes.lock().unwrap().iter().sum::<u64>(), 30);
    report(&mut reporter, &[span(1)]);
    let unsent = reporter.close(soon());
    assert_eq!(unsent.dropped.get(DropCause::AfterShutdown), 1);
}

/// Marsaglia's xorshift: the same numbers in every run.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % bound
    }
}

/// The true fate of the spans that a fake system was given.
#[derive(Default)]
struct Truth {
    delivered: u64,
    lost: DropCounts,
}

/// Returns a sender that fails at random, and tells so at once, later, or by a panic.
fn faulty(seed: u64, truth: Arc<Mutex<Truth>>, limit: Arc<Mutex<usize>>) -> impl Sender {
    let mut random = Random(seed);
    let learnt = limit.clone();
    let mut sender = Scripted::new(move |batch: &Batch<'_>| {
        let mut truth = truth.lock().unwrap();
        let mut outcome = SendOutcome::default();
        if random.below(5) == 0 {
            let cause = DropCause::ALL[random.below(DropCause::ALL.len() as u64) as usize];
            let spans = random.below(truth.delivered + 1);
            truth.delivered -= spans;
            truth.lost.add(cause, spans);
            outcome = outcome.with_earlier_loss(cause, spans);
        }
        match random.below(10) {
            0..=4 => truth.delivered += batch.span_count,
            5 | 6 => {
                let cause = DropCause::ALL[random.below(DropCause::ALL.len() as u64) as usize];
                truth.lost.add(cause, batch.span_count);
                outcome.this = SendResult::Lost(cause);
            }
            7 | 8 => {
                let mut limit = learnt.lock().unwrap();
                if random.below(2) == 0 {
                    *limit = (*limit).min(batch.bytes.len()) * 3 / 4;
                }
                outcome.this = SendResult::TooLarge;
            }
            _ => {
                // The panic loses the news of earlier batches, so undo them.
                for (cause, spans) in outcome.earlier.iter() {
                    truth.delivered += spans;
                    let mut lost = DropCounts::default();
                    for (known, n) in truth.lost.iter() {
                        lost.add(known, if known == cause { n - spans } else { n });
                    }
                    truth.lost = lost;
                }
                truth.lost.add(DropCause::InternalError, batch.span_count);
                drop(truth);
                resume_unwind(Box::new("sender"));
            }
        }
        outcome
    });
    sender.limit = limit;
    sender
}

#[test]
fn the_account_balances_under_random_failures() {
    let mut large = span(1);
    large.tags = vec![Tag::new("sql", "x".repeat(900)); 2];
    for seed in 1..=10_000_u64 {
        let mut random = Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        let truth = Arc::new(Mutex::new(Truth::default()));
        let limit = Arc::new(Mutex::new(200 + random.below(1_500) as usize));
        let mut reporter = RemoteReporter::new(faulty(seed, truth.clone(), limit.clone()));
        reporter.attach(&WorkerHandle::detached(
            Services::detached(Process::new("shop", vec![]))
                .with_diagnostics(Diagnostics::with_handler(|_| {})),
        ));
        let mut taken = 0;
        for _ in 0..random.below(12) {
            for _ in 0..random.below(30) {
                match random.below(20) {
                    0 => large.view(|span| reporter.report(span)),
                    _ => span(1).view(|span| reporter.report(span)),
                }
                taken += 1;
            }
            if random.below(3) == 0 {
                *limit.lock().unwrap() = 100 + random.below(1_500) as usize;
            }
            let deadline = match random.below(2) {
                0 => soon(),
                _ => Instant::now(),
            };
            let unsent = reporter.flush(deadline);
            let truth = truth.lock().unwrap();
            let dropped = unsent.dropped.total();
            assert_eq!(
                truth.delivered + dropped + unsent.queued,
                taken,
                "seed {seed}: {unsent:?}"
            );
            for &cause in DropCause::ALL {
                let (counted, lost) = (unsent.dropped.get(cause), truth.lost.get(cause));
                if cause == DropCause::TooLarge {
                    assert!(counted >= lost, "seed {seed}: {cause}");
                } else {
                    assert_eq!(counted, lost, "seed {seed}: {cause}");
                }
            }
        }
        let unsent = reporter.close(soon());
        let truth = truth.lock().unwrap();
        assert_eq!(unsent.queued, 0, "seed {seed}");
        assert_eq!(
            truth.delivered + unsent.dropped.total(),
            taken,
            "seed {seed}"
        );
    }
}

#[test]
fn while_batches_are_refused_a_flush_probes_with_one_span() {
    let sizes = Arc::new(Mutex::new(Vec::new()));
    let is_there = Arc::new(Mutex::new(false));
    let (sink, answer) = (sizes.clone(), is_there.clone());
    let mut sender = Scripted::new(move |batch| {
        sink.lock().unwrap().push(batch.span_count);
        if *answer.lock().unwrap() {
            SendOutcome::default()
        } else {
            lost(DropCause::Refused)
        }
    });
    sender.retry_after = Duration::from_secs(3_600);
    let mut reporter = RemoteReporter::new(sender);
    reporter.attach(&listening_worker().0);
    let spans: Vec<_> = (1..=1_000).map(span).collect();
    report(&mut reporter, &spans);
    let first = sizes.lock().unwrap().len();
    assert_eq!(first, 1, "a refused batch ends the attempts");
    for flushes in 1..=3 {
        report(&mut reporter, &spans);
        let unsent = reporter.flush(soon());
        assert_eq!(unsent.queued, 0);
        let refused = unsent.dropped.get(DropCause::Refused);
        assert_eq!(refused, 1_000 * (flushes + 1), "{unsent:?}");
        let sizes = sizes.lock().unwrap();
        assert_eq!(sizes[first..], vec![1; flushes as usize]);
    }
    *is_there.lock().unwrap() = true;
    report(&mut reporter, &spans[..10]);
    let before = reporter.flush(soon()).dropped.total();
    let sizes = sizes.lock().unwrap().clone();
    assert_eq!(sizes[sizes.len() - 2..], [1, 9], "the probe, then the rest");
    assert_eq!(before, 4_000);
}
