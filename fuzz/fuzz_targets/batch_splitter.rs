//! Spans of any size into packets of any limit, to a sender that does anything: no packet is too large, every packet
//! can be read, and no span is lost without being counted.

#![no_main]

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use arbitrary::{Arbitrary, Result, Unstructured};
use libfuzzer_sys::fuzz_target;
use tracehound::diagnostics::Diagnostics;
use tracehound::fuzzing::decode_datagram;
use tracehound::metrics::{Counter, DropCause};
use tracehound::model::{Process, tags};
use tracehound::reporter::sender::{
    AgentProtocol, Batch, BatchFormat, SendOutcome, SendResult, Sender,
};
use tracehound::reporter::{OwnedSpan, RemoteReporter, Reporter, Unsent, WorkerHandle};
use tracehound::services::Services;
use tracehound_fuzz::spans;

#[derive(Debug)]
struct Input {
    is_compact: bool,
    has_numbers: bool,
    max_bytes: usize,
    max_single_bytes: usize,
    answers: VecDeque<Answer>,
    /// Whether the reporter is flushed and resumed behind each span.
    turns: VecDeque<Turn>,
    process: Process,
    spans: Vec<OwnedSpan>,
}

/// What the sender does with a batch.
#[derive(Arbitrary, Clone, Copy, Debug)]
enum Answer {
    Send,
    /// Refuses it, and takes at most that share of its bytes, in 256ths, from now on.
    Refuse(u8),
    /// Reports that the receiver has no room: for 30 s if true, else for no time.
    Wait(bool),
    Lose,
    /// Reports this number of earlier spans as lost.
    LoseEarlier(u8),
}

#[derive(Arbitrary, Clone, Copy, Debug)]
enum Turn {
    Report,
    Flush,
    Resume,
}

impl<'a> Arbitrary<'a> for Input {
    fn arbitrary(u: &mut Unstructured<'a>) -> Result<Self> {
        let max_bytes = match u.arbitrary()? {
            true => u.int_in_range(0..=1_500)?,
            false => u.int_in_range(0..=65_000)?,
        };
        Ok(Self {
            is_compact: u.arbitrary()?,
            has_numbers: u.arbitrary()?,
            max_bytes,
            max_single_bytes: max_bytes + usize::from(u.arbitrary::<u8>()?) * 32,
            answers: few(u)?,
            turns: few(u)?,
            process: spans::process(u)?,
            spans: spans::spans(u, 40)?,
        })
    }
}

fn few<'a, T: Arbitrary<'a>>(u: &mut Unstructured<'a>) -> Result<VecDeque<T>> {
    let count = u.int_in_range(0..=12)?;
    (0..count).map(|_| u.arbitrary()).collect()
}

fuzz_target!(|input: Input| {
    let state = Arc::new(Mutex::new(State {
        protocol: match input.is_compact {
            true => AgentProtocol::Compact,
            false => AgentProtocol::Binary,
        },
        max_bytes: input.max_bytes,
        max_single_bytes: input.max_single_bytes,
        answers: input.answers.clone(),
        process: input.process.clone(),
        sent: Vec::new(),
        earlier: 0,
    }));
    let diagnostics = Diagnostics::silent();
    let worker = WorkerHandle::detached(
        Services::detached(input.process.clone()).with_diagnostics(diagnostics),
    );
    let reporter = RemoteReporter::new(Playing(state.clone()));
    let mut reporter = reporter.batch_numbers(input.has_numbers);
    reporter.attach(&worker);
    let mut turns = input.turns.clone();
    for (n, span) in input.spans.iter().enumerate() {
        span.view(|span| reporter.report(span));
        match turns.pop_front().unwrap_or(Turn::Report) {
            Turn::Report => {}
            Turn::Flush => check(&input, &state, reporter.flush(soon()), n + 1),
            Turn::Resume => reporter.resume(),
        }
    }
    check(&input, &state, reporter.flush(soon()), input.spans.len());
    // Nothing more is answered but that batches are taken.
    state.lock().expect("not poisoned").answers.clear();
    reporter.resume();
    let unsent = reporter.close(soon());
    assert_eq!(unsent.queued, 0);
    check(&input, &state, unsent, input.spans.len());

    let state = state.lock().expect("not poisoned");
    let is_degraded = |span: &&OwnedSpan| span.tag(tags::DEGRADED).is_some();
    let given = input.spans.iter().filter(is_degraded).count();
    let sent = state.sent.iter().filter(is_degraded).count();
    let counted = worker.metrics().get(Counter::DegradedSpans);
    // One that was made smaller may be lost all the same.
    assert!(sent as u64 <= counted + given as u64, "{sent} of {counted}");
});

fn soon() -> Instant {
    Instant::now() + Duration::from_secs(60)
}

/// All spans so far are sent, counted as lost or waiting, and those that arrived are some of the given, in order.
fn check(input: &Input, state: &Mutex<State>, unsent: Unsent, reported: usize) {
    let state = state.lock().expect("not poisoned");
    let accounted =
        state.sent.len() as u64 - state.earlier + unsent.dropped.total() + unsent.queued;
    assert_eq!(accounted, reported as u64, "{unsent:?}");
    let mut given = input.spans.iter();
    for sent in &state.sent {
        let is_sent = |given: &&OwnedSpan| {
            given.span_id == sent.span_id
                && given.trace_id == sent.trace_id
                && (given.operation_name == sent.operation_name
                    || sent.tag(tags::DEGRADED).is_some())
        };
        assert!(given.any(|given| is_sent(&given)), "{sent:?} was not given");
    }
}

struct State {
    protocol: AgentProtocol,
    max_bytes: usize,
    max_single_bytes: usize,
    answers: VecDeque<Answer>,
    process: Process,
    sent: Vec<OwnedSpan>,
    /// How many of the sent ones were lost later.
    earlier: u64,
}

/// Plays the part of a network and a receiver.
struct Playing(Arc<Mutex<State>>);

impl Sender for Playing {
    fn format(&self) -> BatchFormat {
        match self.0.lock().expect("not poisoned").protocol {
            AgentProtocol::Compact => BatchFormat::Compact,
            _ => BatchFormat::Binary,
        }
    }

    fn max_bytes(&self) -> usize {
        self.0.lock().expect("not poisoned").max_bytes
    }

    fn max_single_bytes(&self) -> usize {
        self.0.lock().expect("not poisoned").max_single_bytes
    }

    fn retry_after(&self) -> Duration {
        Duration::ZERO
    }

    fn send(&mut self, batch: &Batch<'_>, _deadline: Instant) -> SendOutcome {
        let mut state = self.0.lock().expect("not poisoned");
        let size = batch.bytes.len();
        let limit = match batch.span_count {
            1 => state.max_single_bytes.max(state.max_bytes),
            _ => state.max_bytes,
        };
        assert!(size <= limit, "{size} bytes in {limit}");
        let received = decode_datagram(state.protocol, batch.bytes);
        let received = received.unwrap_or_else(|error| panic!("it cannot be read: {error}"));
        assert_eq!(received.spans.len() as u64, batch.span_count);
        assert_eq!(received.process.service_name, state.process.service_name);

        match state.answers.pop_front().unwrap_or(Answer::Send) {
            Answer::Send => {
                state.sent.extend(received.spans);
                SendOutcome::default()
            }
            Answer::Refuse(share) => {
                let less = size * usize::from(share) / 256;
                state.max_bytes = state.max_bytes.min(less);
                state.max_single_bytes = state.max_single_bytes.min(less);
                SendOutcome::new(SendResult::TooLarge)
            }
            Answer::Wait(is_long) => {
                let pause = if is_long { 30 } else { 0 };
                let until = Instant::now() + Duration::from_secs(pause);
                SendOutcome::new(SendResult::Later(until))
            }
            Answer::Lose => SendOutcome::new(SendResult::Lost(DropCause::SendFailed)),
            Answer::LoseEarlier(spans) => {
                let left = state.sent.len() as u64 - state.earlier;
                let lost = u64::from(spans).min(left);
                state.earlier += lost;
                state.sent.extend(received.spans);
                SendOutcome::default().with_earlier_loss(DropCause::SendFailed, lost)
            }
        }
    }
}
