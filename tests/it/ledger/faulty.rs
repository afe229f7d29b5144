//! A sender that does anything to its batches, and keeps an account of it.

use std::collections::{HashSet, VecDeque};
use std::panic::resume_unwind;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use tracehound::metrics::{DropCause, DropCounts};
use tracehound::reporter::sender::{Batch, BatchFormat, SendOutcome, SendResult, Sender};

use super::choices::Choices;

/// The sender. Clones share its account.
#[derive(Clone, Debug)]
pub(super) struct Faulty(Arc<Mutex<Account>>);

/// The fates of the batches that the sender was handed.
#[derive(Debug)]
pub(super) struct Account {
    choices: Choices,
    format: BatchFormat,
    max_bytes: usize,
    /// The reporter may not know the limit, because the sender panicked when it was asked.
    hides_limit: bool,
    retry_after: Duration,
    /// From now on every batch arrives.
    pub(super) is_healed: bool,
    /// Spans of batches that have arrived, without those that were taken back.
    pub(super) arrived: u64,
    /// Spans that the sender has told to be lost, or on whose batch it panicked.
    pub(super) lost: DropCounts,
    /// The sizes of batches that wait for an answer.
    in_flight: VecDeque<u64>,
    /// The spans whose batch the sender has taken or lost.
    pub(super) settled: HashSet<u64>,
    pub(super) faults: Vec<String>,
}

impl Faulty {
    pub(super) fn new(bytes: &[u8]) -> Self {
        let mut choices = Choices::new(bytes);
        let format = choices.of(&[
            BatchFormat::Compact,
            BatchFormat::Binary,
            BatchFormat::BinaryBatch,
        ]);
        Self(Arc::new(Mutex::new(Account {
            format,
            max_bytes: choices.of(&[1_400, 600, 4_000, 65_000]),
            retry_after: choices.of(&[Duration::ZERO, Duration::from_millis(1), HOUR]),
            choices,
            hides_limit: false,
            is_healed: false,
            arrived: 0,
            lost: DropCounts::default(),
            in_flight: VecDeque::new(),
            settled: HashSet::new(),
            faults: Vec::new(),
        })))
    }

    pub(super) fn account(&self) -> MutexGuard<'_, Account> {
        self.0.lock().expect("no panic under the lock")
    }

    fn panics(&self) -> bool {
        let mut account = self.account();
        !account.is_well() && account.choices.once_in(40)
    }
}

/// Panics without a word to the panic hook.
fn panic_quietly() -> ! {
    resume_unwind(Box::new("a fault of the schedule"))
}

impl Account {
    /// Returns how many spans wait for an answer.
    pub(super) fn in_flight(&self) -> u64 {
        self.in_flight.iter().sum()
    }

    /// Returns whether batches arrive, and answers come at once.
    fn is_well(&self) -> bool {
        self.is_healed || self.choices.is_used_up()
    }

    fn check(&mut self, batch: &Batch<'_>) {
        let spans = batch.spans().count() as u64;
        if spans != batch.span_count || spans == 0 {
            let count = batch.span_count;
            self.faults
                .push(format!("{spans} spans in a batch of {count}"));
        }
        let (size, limit) = (batch.bytes.len(), self.max_bytes);
        if size > limit && !self.hides_limit {
            self.faults.push(format!("{size} bytes where {limit} go"));
        }
    }

    /// Notes that the fate of a batch's spans is settled, or in flight.
    fn settle(&mut self, batch: &Batch<'_>) {
        for span in batch.spans() {
            let id = span.span_id().get();
            if !self.settled.insert(id) {
                self.faults.push(format!("span {id:x} came again"));
            }
        }
    }

    fn cause(&mut self) -> DropCause {
        self.choices.of(&[
            DropCause::Refused,
            DropCause::NoAddress,
            DropCause::SendFailed,
            DropCause::NetBuffer,
            DropCause::Rejected,
            DropCause::Unknown,
            DropCause::Backoff,
            DropCause::Tls,
        ])
    }

    /// Tells of some batches in flight, and takes back spans that had arrived.
    fn news(&mut self, mut outcome: SendOutcome) -> SendOutcome {
        let answers = match self.is_well() {
            true => self.in_flight.len(),
            false => self.choices.below(3).min(self.in_flight.len()),
        };
        for _ in 0..answers {
            let spans = self.in_flight.pop_front().unwrap_or(0);
            let lost = match self.choices.below(3) {
                _ if self.is_well() => 0,
                0 => 0,
                1 => spans,
                _ => self.choices.below(256) as u64 % (spans + 1),
            };
            self.arrived += spans - lost;
            outcome = outcome.with_arrival(spans - lost);
            if lost > 0 {
                let cause = self.cause();
                self.lost.add(cause, lost);
                outcome = outcome.with_failure(cause, lost);
            }
        }
        if !self.is_well() && self.choices.once_in(6) {
            let spans = (self.choices.below(8) as u64).min(self.arrived);
            let cause = self.cause();
            self.arrived -= spans;
            self.lost.add(cause, spans);
            outcome = outcome.with_earlier_loss(cause, spans);
        }
        outcome
    }

    fn answer(&mut self, batch: &Batch<'_>) -> SendOutcome {
        let choice = match self.is_well() {
            true => 0,
            false => self.choices.below(16),
        };
        let result = match choice {
            0..=5 => SendResult::Sent,
            6..=8 => SendResult::InFlight,
            9 | 10 => SendResult::Lost(self.cause()),
            11 => SendResult::TooLarge,
            12 => {
                self.max_bytes = (self.max_bytes / 2).max(300);
                SendResult::TooLarge
            }
            _ => {
                let micros = self.choices.of(&[0, 50, 300]);
                SendResult::Later(Instant::now() + Duration::from_micros(micros))
            }
        };
        // Spans that are taken back had arrived before this batch.
        let outcome = self.news(SendOutcome::new(result));
        let spans = batch.span_count;
        match result {
            SendResult::Sent => self.arrived += spans,
            SendResult::InFlight => self.in_flight.push_back(spans),
            SendResult::Lost(cause) => self.lost.add(cause, spans),
            _ => return outcome,
        }
        self.settle(batch);
        outcome
    }
}

impl Sender for Faulty {
    fn format(&self) -> BatchFormat {
        self.account().format
    }

    fn reads_spans(&self) -> bool {
        true
    }

    fn max_single_bytes(&self) -> usize {
        // The reporter asks for this first.
        self.account().hides_limit = false;
        self.max_bytes()
    }

    fn max_bytes(&self) -> usize {
        let panics = self.panics();
        let mut account = self.account();
        account.hides_limit |= panics;
        let max_bytes = account.max_bytes;
        drop(account);
        if panics {
            panic_quietly();
        }
        max_bytes
    }

    fn send(&mut self, batch: &Batch<'_>, _: Instant) -> SendOutcome {
        self.account().check(batch);
        if self.panics() {
            let mut account = self.account();
            account.lost.add(DropCause::InternalError, batch.span_count);
            account.settle(batch);
            drop(account);
            panic_quietly();
        }
        self.account().answer(batch)
    }

    fn poll(&mut self) -> SendOutcome {
        if self.panics() {
            panic_quietly();
        }
        self.account().news(SendOutcome::default())
    }

    fn retry_after(&self) -> Duration {
        self.account().retry_after
    }
}

const HOUR: Duration = Duration::from_secs(3_600);
