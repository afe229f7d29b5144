//! Spans in packets: sizes, splitting, what is lost and how it is counted. No sockets.

use std::cell::Cell;
use std::panic::resume_unwind;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::{RngSeed, TestRunner};
use tracehound::diagnostics::Diagnostics;
use tracehound::metrics::{Counter, DropCause, DropCounts};
use tracehound::model::{
    LogRecord, Process, ReferenceType, SpanId, SpanReference, Tag, TagValue, Timestamp, TraceId,
    tags,
};
use tracehound::reporter::sender::{Batch, BatchFormat, SendOutcome, SendResult, Sender};
use tracehound::reporter::{OwnedSpan, RemoteReporter, Reporter, WorkerHandle};

use crate::support::batches::{Capture, report_all, soon, span, wire_process, wire_span};
use crate::support::jaeger_thrift::{Message, decode};

const FORMATS: [BatchFormat; 2] = [BatchFormat::Compact, BatchFormat::Binary];

fn process() -> Process {
    Process::new("shop", vec![Tag::new("zone", "eu-1"), Tag::new("n", 7)])
}

fn report(reporter: &mut RemoteReporter, spans: &[OwnedSpan]) {
    for span in spans {
        span.view(|span| reporter.report(span));
    }
}

/// A worker whose lines are kept.
fn worker() -> (WorkerHandle, Arc<Mutex<Vec<String>>>) {
    let lines = Arc::new(Mutex::new(Vec::new()));
    let sink = lines.clone();
    let diagnostics = Diagnostics::to(move |line| sink.lock().unwrap().push(line.to_owned()));
    let worker = WorkerHandle::detached_with(process(), diagnostics);
    (worker, lines)
}

fn any_text(most: usize) -> impl Strategy<Value = String> {
    vec(any::<char>(), 0..most).prop_map(|chars| chars.into_iter().collect())
}

fn any_value() -> impl Strategy<Value = TagValue> {
    prop_oneof![
        4 => any_text(20).prop_map(TagValue::from),
        1 => (any_text(4), 50..700_usize).prop_map(|(text, n)| TagValue::from(text.repeat(n))),
        1 => any::<bool>().prop_map(TagValue::Bool),
        2 => any::<i64>().prop_map(TagValue::Long),
        2 => any::<f64>().prop_map(TagValue::Double),
        1 => vec(any::<u8>(), 0..200).prop_map(TagValue::Binary),
    ]
}

fn any_tag() -> impl Strategy<Value = Tag> {
    let key = prop_oneof![
        any_text(10),
        Just(tags::HTTP_URL.to_owned()),
        Just(tags::ERROR.to_owned()),
    ];
    (key, any_value()).prop_map(|(key, value)| Tag::new(key, value))
}

fn any_ids() -> impl Strategy<Value = (TraceId, SpanId)> {
    (any::<u64>(), any::<u64>(), 1..=u64::MAX).prop_map(|(high, low, span_id)| {
        let trace_id = TraceId::new(high, low).unwrap_or(TraceId::new(0, 1).unwrap());
        (trace_id, SpanId::new(span_id).unwrap())
    })
}

prop_compose! {
    fn any_span()(
        (trace_id, span_id) in any_ids(),
        parent_id in any::<u64>(),
        name in any_text(40),
        start in any::<i64>(),
        micros in 1..i64::MAX as u64,
        tags in vec(any_tag(), 0..20),
        logs in vec((any::<i64>(), vec(any_tag(), 0..17)), 0..4),
        references in vec((any::<bool>(), any_ids()), 0..3),
    ) -> OwnedSpan {
        let mut span = OwnedSpan::new(trace_id, span_id, name);
        span.parent_id = SpanId::new(parent_id);
        span.start = Timestamp::from_micros(start);
        span.duration = Duration::from_micros(micros);
        span.tags = tags;
        for (at, fields) in logs {
            span.logs.push(LogRecord::new(Timestamp::from_micros(at), fields));
        }
        for (is_child, (trace_id, span_id)) in references {
            let kind = if is_child { ReferenceType::ChildOf } else { ReferenceType::FollowsFrom };
            span.references.push(SpanReference::new(kind, trace_id, span_id));
        }
        span
    }
}

fn runner(cases: u32) -> TestRunner {
    TestRunner::new(ProptestConfig {
        cases,
        rng_seed: RngSeed::Fixed(0x7261_6365),
        failure_persistence: None,
        ..ProptestConfig::default()
    })
}

#[test]
fn packets_are_within_their_limit_and_hold_the_input_less_what_is_counted() {
    let input = (
        vec(any_span(), 1..30),
        prop_oneof![150..1_500_usize, 1_000..20_000_usize],
        prop_oneof![Just(0), 0..4_000_usize],
        any::<bool>(),
        any::<bool>(),
    );
    let met = Cell::new([0, 0]);
    let check =
        |(spans, max_bytes, more, is_compact, has_numbers): (Vec<OwnedSpan>, _, _, bool, _)| {
            let format = if is_compact {
                BatchFormat::Compact
            } else {
                BatchFormat::Binary
            };
            let mut capture = Capture::new(format, max_bytes);
            capture.max_single_bytes = max_bytes + more;
            let (worker, _) = worker();
            let mut reporter = RemoteReporter::new(capture.clone()).batch_numbers(has_numbers);
            reporter.attach(&worker);
            report(&mut reporter, &spans);
            let unsent = reporter.flush(soon());

            let mut given = spans.iter();
            let mut degraded = 0;
            for (bytes, message) in capture.messages().iter().zip(capture.decoded()) {
                let limit = if message.batch.spans.len() == 1 {
                    max_bytes + more
                } else {
                    max_bytes
                };
                prop_assert!(bytes.len() <= limit, "{} bytes in {limit}", bytes.len());
                prop_assert_eq!(message.empty_lists, 0);
                prop_assert_eq!(&message.batch.process, &wire_process(&process()));
                for sent in message.batch.spans {
                    // Those that were lost in between are skipped, and counted below.
                    let given = given
                        .by_ref()
                        .find(|given| given.span_id.get() as i64 == sent.span_id);
                    let mut expected = wire_span(given.expect("in the order of the input"));
                    if sent.tags.iter().any(|tag| tag.key == tags::DEGRADED) {
                        degraded += 1;
                        prop_assert_eq!(&sent.references, &expected.references);
                        prop_assert!(sent.logs.len() <= expected.logs.len());
                        (expected.operation_name, expected.tags, expected.logs) = (
                            sent.operation_name.clone(),
                            sent.tags.clone(),
                            sent.logs.clone(),
                        );
                    }
                    prop_assert_eq!(sent, expected);
                }
            }
            let sent: usize = capture
                .decoded()
                .iter()
                .map(|message| message.batch.spans.len())
                .sum();
            let too_large = unsent.dropped.get(DropCause::TooLarge);
            prop_assert_eq!(sent as u64 + too_large, spans.len() as u64);
            prop_assert_eq!((unsent.dropped.total(), unsent.queued), (too_large, 0));
            prop_assert_eq!(worker.metrics().get(Counter::DegradedSpans), degraded);
            let [all_degraded, all_too_large] = met.get();
            met.set([all_degraded + degraded, all_too_large + too_large]);
            Ok(())
        };
    runner(96).run(&input, check).unwrap();
    let [degraded, too_large] = met.take();
    assert!(
        degraded > 100 && too_large > 100,
        "{degraded} and {too_large} were met"
    );
}

#[test]
fn a_packet_of_exactly_the_limit_is_sent_and_one_of_a_byte_more_is_not() {
    for format in FORMATS {
        for count in [1, 2, 13, 14, 15, 16, 127, 128, 129, 300] {
            let spans: Vec<_> = (1..=count).map(span).collect();
            let whole = Capture::new(format, 65_000);
            report_all(&mut RemoteReporter::new(whole.clone()), process(), &spans);
            let size = whole.messages()[0].len();
            assert_eq!(whole.messages().len(), 1);

            let counts = |limit: usize| {
                let capture = Capture::new(format, limit);
                let mut reporter = RemoteReporter::new(capture.clone());
                reporter.attach(&WorkerHandle::detached(process()));
                report(&mut reporter, &spans);
                let at_once = capture.messages().len();
                let unsent = reporter.flush(soon());
                let messages = capture.decoded();
                let counts: Vec<_> = messages.iter().map(|m| m.batch.spans.len()).collect();
                assert!(capture.messages().iter().all(|bytes| bytes.len() <= limit));
                (at_once, counts, unsent.dropped.total())
            };
            let count = count as usize;
            assert_eq!(counts(size), (1, vec![count], 0), "{format:?}");
            assert_eq!(counts(size + 1), (0, vec![count], 0), "{format:?}");
            let less = match count {
                1 => (0, vec![], 1),
                _ => (1, vec![count - 1, 1], 0),
            };
            assert_eq!(counts(size - 1), less, "{format:?}");
        }
    }
}

#[test]
fn a_single_span_beyond_the_packing_size_has_a_packet_of_its_own() {
    for format in FORMATS {
        let mut capture = Capture::new(format, 500);
        capture.max_single_bytes = 4_000;
        let mut large = span(2);
        large.tags = vec![Tag::new("sql", "x".repeat(3_000))];
        let spans = [span(1), large.clone(), span(3)];
        let mut reporter = RemoteReporter::new(capture.clone());
        reporter.attach(&WorkerHandle::detached(process()));
        report(&mut reporter, &spans);
        assert_eq!(capture.messages().len(), 2, "the large one does not wait");
        let unsent = reporter.flush(soon());
        assert_eq!(unsent.dropped.total(), 0);
        let sent: Vec<_> = capture
            .decoded()
            .into_iter()
            .map(|m| m.batch.spans)
            .collect();
        let expected = spans.each_ref().map(|span| vec![wire_span(span)]);
        assert_eq!(sent, expected);
    }
}

/// Does with each batch what a test says.
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
fn the_agent_is_told_of_batches_and_losses() {
    let told = Arc::new(Mutex::new(Vec::new()));
    let sink = told.clone();
    let sender = Scripted::new(move |batch| {
        let message = read(batch);
        let (seq_no, stats) = (message.batch.seq_no.unwrap(), message.batch.stats.unwrap());
        sink.lock().unwrap().push((message.seqid, seq_no, stats));
        match seq_no {
            2 => lost(DropCause::SendFailed),
            3 => lost(DropCause::Refused),
            _ => SendOutcome::default(),
        }
    });
    let mut reporter = RemoteReporter::new(sender);
    reporter.attach(&worker().0);
    let mut too_large = span(9);
    let other = TraceId::new(1, 1).unwrap();
    let reference = SpanReference::new(ReferenceType::ChildOf, other, too_large.span_id);
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
        (5, 5, [0, 1, 4]),
    ];
    assert_eq!(*told.lock().unwrap(), expected);
}

#[test]
fn a_batch_that_the_system_finds_too_large_is_split_and_arrives() {
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
        let (worker, lines) = worker();
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
            // Without a limit to go by the large span cannot be made to fit.
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
    let (worker, lines) = worker();
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
fn a_loss_that_becomes_known_later_is_taken_from_what_was_sent() {
    let mut calls = 0;
    let sender = Scripted::new(move |_| {
        calls += 1;
        match calls {
            2 => SendOutcome::default().with_earlier_loss(DropCause::Refused, 3),
            // More than was ever sent: no more than that is lost.
            3 => SendOutcome::default().with_earlier_loss(DropCause::Unknown, 1_000),
            _ => SendOutcome::default(),
        }
    });
    let mut reporter = RemoteReporter::new(sender);
    reporter.attach(&worker().0);
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
fn full_batches_are_given_up_for_a_while_after_a_refusal_and_a_flush_tries() {
    let calls = Arc::new(Mutex::new(0_u64));
    let count = calls.clone();
    let mut sender = Scripted::new(move |_| {
        *count.lock().unwrap() += 1;
        lost(DropCause::Refused)
    });
    sender.retry_after = Duration::from_secs(3_600);
    let (worker, lines) = worker();
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
            // One that goes out between two refusals is no recovery: its own refusal comes later.
            2 => SendOutcome::default(),
            3 => SendOutcome::default().with_earlier_loss(DropCause::Refused, 1),
            1..=4 => lost(DropCause::Refused),
            _ => SendOutcome::default(),
        }
    });
    let (worker, lines) = worker();
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
fn what_the_deadline_leaves_is_queued_and_sent_later() {
    let sizes = Arc::new(Mutex::new(Vec::new()));
    let sink = sizes.clone();
    let sender = Scripted::new(move |batch| {
        sink.lock().unwrap().push(batch.span_count);
        SendOutcome::default()
    });
    let limit = sender.limit.clone();
    let mut reporter = RemoteReporter::new(sender);
    reporter.attach(&worker().0);
    report(&mut reporter, &(1..=30).map(span).collect::<Vec<_>>());
    // Half of the room is gone before the packet is sent, and no time is left for a second one.
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

/// What a fake system knows of the spans that it was given.
#[derive(Default)]
struct Truth {
    delivered: u64,
    lost: DropCounts,
}

/// Fails at random, and says so at once, later, or by a panic.
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
                // What it had to say of earlier batches is not heard.
                if let Some((cause, spans)) = outcome.earlier {
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
fn the_ledger_balances_whatever_fails() {
    let mut large = span(1);
    large.tags = vec![Tag::new("sql", "x".repeat(900)); 2];
    for seed in 1..=10_000_u64 {
        let mut random = Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        let truth = Arc::new(Mutex::new(Truth::default()));
        let limit = Arc::new(Mutex::new(200 + random.below(1_500) as usize));
        let mut reporter = RemoteReporter::new(faulty(seed, truth.clone(), limit.clone()));
        reporter.attach(&WorkerHandle::detached_with(
            Process::new("shop", vec![]),
            Diagnostics::to(|_| {}),
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
            for cause in DropCause::ALL {
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
