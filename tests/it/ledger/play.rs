//! Random calls of the API, and the account that must come out.

use std::thread;
use std::time::Duration;

use tracehound::JaegerTracer;
use tracehound::clock::ManualClock;
use tracehound::diagnostics::Diagnostics;
use tracehound::metrics::{Counter, DropCause, FlushReport};
use tracehound::model::field;
use tracehound::prelude::*;
use tracehound::reporter::RemoteReporter;
use tracehound::sampler::ConstSampler;
use tracehound::tracer::TracerBuilder;

use super::choices::Choices;
use super::faulty::Faulty;

/// A tracer with its faulty sender, and what must be true of it.
struct Game {
    choices: Choices,
    clock: ManualClock,
    tracer: JaegerTracer,
    sender: Faulty,
    open: Vec<Span>,
    /// Handles of spans that have finished.
    old: Vec<Span>,
    /// Sampled spans that have finished.
    finished: u64,
    /// Those of them that finished after the tracer was closed.
    late: u64,
    is_closed: bool,
    /// The close came before all spans were sent; some may wait in vain.
    was_hasty: bool,
}

/// Plays a schedule: `calls` are the calls of the program, `faults` those of the sender. `change` changes the tracer.
///
/// Returns how many spans have arrived, were lost or waited in vain.
///
/// # Panics
///
/// If the account of the spans is wrong at any time.
pub(super) fn play(
    calls: &[u8],
    faults: &[u8],
    change: impl FnOnce(TracerBuilder) -> TracerBuilder,
) -> FlushReport {
    let mut choices = Choices::new(calls);
    let clock = ManualClock::at_micros(1_500_000_000_000_000);
    let sender = Faulty::new(faults);
    let reporter = RemoteReporter::new(sender.clone()).batch_numbers(choices.once_in(2));
    let builder = JaegerTracer::builder("ledger")
        .sampler(ConstSampler::new(true))
        .diagnostics(Diagnostics::silent())
        .clock(clock.clone())
        .flush_interval(Duration::from_secs(3_600))
        .queue_size(choices.of(&[2_000, 16, 64]))
        .reporter(reporter);
    let mut game = Game {
        tracer: change(builder).build().expect("named"),
        choices,
        clock,
        sender,
        open: Vec::new(),
        old: Vec::new(),
        finished: 0,
        late: 0,
        is_closed: false,
        was_hasty: false,
    };
    while !game.choices.is_used_up() {
        game.step();
    }
    game.settle();
    game.close(LONG);
    for span in game.open.drain(..) {
        span.finish();
        game.finished += 1;
        game.late += 1;
    }
    game.check_settled(game.tracer.report());
    game.tracer.report()
}

impl Game {
    fn step(&mut self) {
        match self.choices.below(24) {
            0..=4 => self.start(),
            5..=8 => self.finish(),
            9 => self.tag(),
            10 => self.log(),
            11 => self.finish_again(),
            12 => self.drop_unsampled(),
            13..=15 => {
                let count = self.choices.of(&[1, 2, 3, 5, 8, 13, 21, 60]);
                burst(&self.tracer, count);
                self.count_finished(count as u64);
            }
            16 => {
                let (tracer, count) = (self.tracer.clone(), self.choices.below(8));
                let thread = thread::spawn(move || burst(&tracer, count));
                thread.join().expect("no panic");
                self.count_finished(count as u64);
            }
            17 => self.clock.advance(Duration::from_micros(500)),
            18 | 19 => {
                let timeout = self.choices.of(&[0, 0, 50, 2_000]);
                let report = self.tracer.flush(Duration::from_micros(timeout));
                self.check(report);
            }
            20 => self.check(self.tracer.report()),
            21 | 22 => self.settle(),
            _ => {
                if self.choices.once_in(6) {
                    let timeout = self.choices.of(&[0, 100, 20_000_000]);
                    self.close(Duration::from_micros(timeout));
                }
            }
        }
    }

    fn start(&mut self) {
        if self.open.len() >= 12 {
            return;
        }
        let mut builder = self.tracer.build_span("work");
        if !self.open.is_empty() && self.choices.once_in(2) {
            let parent = self.choices.below(self.open.len());
            builder = builder.child_of(&self.open[parent]);
        }
        self.open.push(builder.start());
    }

    fn finish(&mut self) {
        if self.open.is_empty() {
            return;
        }
        let span = self.open.swap_remove(self.choices.below(self.open.len()));
        match self.choices.below(3) {
            0 => span.finish(),
            1 => drop(span),
            _ => {
                let handle = span.clone();
                span.finish();
                self.old.push(handle);
            }
        }
        self.count_finished(1);
    }

    fn tag(&mut self) {
        let length = self.choices.of(&[3, 40, 400, 1_000]);
        if let Some(span) = self.open.last() {
            for key in ["a", "b", "c"] {
                span.set_tag(key, &*"x".repeat(length));
            }
        }
    }

    fn log(&mut self) {
        let count = self.choices.below(20);
        if let Some(span) = self.open.last() {
            for n in 0..count {
                span.log([field("event", "step"), field("n", n)]);
            }
        }
    }

    /// A second finish, and a tag behind the end, change nothing.
    fn finish_again(&mut self) {
        if let Some(span) = self.old.pop() {
            span.set_tag("late", true);
            span.finish();
        }
    }

    /// A span that is not kept is in no account.
    fn drop_unsampled(&mut self) {
        let span = self.tracer.start_span("unsampled");
        span.set_tag("sampling.priority", 0);
        span.finish();
    }

    fn count_finished(&mut self, spans: u64) {
        self.finished += spans;
        if self.is_closed {
            self.late += spans;
        }
    }

    /// Flushes while the sender is well. Afterwards the account is exact, and nothing waits.
    fn settle(&mut self) {
        self.sender.account().is_healed = true;
        let report = self.tracer.flush(LONG);
        if !self.is_closed {
            self.check_settled(report);
        }
        self.sender.account().is_healed = false;
    }

    fn close(&mut self, timeout: Duration) {
        self.was_hasty |= timeout < LONG && !self.is_closed;
        self.sender.account().is_healed = timeout >= LONG;
        let report = self.tracer.close(timeout);
        self.is_closed = true;
        self.check(report);
        // If the time was up, the worker goes on until it has closed the reporter.
        let report = self.tracer.close(LONG);
        self.check_settled(report);
    }

    /// Checks what holds at any time.
    fn check(&self, report: FlushReport) {
        let account = self.sender.account();
        assert_eq!(report.finished, self.finished, "{report}");
        assert_eq!(
            report.finished,
            report.sent + report.dropped.total() + report.queued,
            "{report}"
        );
        assert_eq!(account.faults, [""; 0], "{report}");
    }

    /// Checks what holds when the worker rests and nothing is in flight.
    fn check_settled(&self, report: FlushReport) {
        self.check(report);
        let account = self.sender.account();
        assert!(report.queued == 0 || self.was_hasty, "{report}");
        // After a close the sender gets no word in any more.
        let unheard = account.in_flight();
        assert!(unheard == 0 || self.is_closed, "{unheard} in flight");
        assert_eq!(report.sent, account.arrived, "{report}; {account:?}");
        for (cause, told) in account.lost.iter() {
            assert!(report.dropped.get(cause) >= told, "{report}; {account:?}");
        }
        // Every other span was lost on its way to the sender, or never went.
        let seen = account.settled.len() as u64;
        let told = account.lost.total() + unheard;
        assert_eq!(account.arrived + told, seen, "{report}; {account:?}");
        assert_eq!(
            report.dropped.total() + seen + report.queued,
            self.finished + told,
            "{report}; {account:?}"
        );
        let late = report.dropped.get(DropCause::AfterShutdown);
        assert!(late >= self.late, "{report}");
        let metrics = self.tracer.metrics();
        assert_eq!(metrics.get(Counter::FinishedSpansSampled), self.finished);
    }
}

fn burst(tracer: &JaegerTracer, count: usize) {
    for _ in 0..count {
        tracer.build_span("burst").tag("n", 1).start().finish();
    }
}

const LONG: Duration = Duration::from_secs(20);
