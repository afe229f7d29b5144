//! Random calls of the API, made twice: with tracehound, and with a model that only keeps lists. Both must report the
//! same fields.
//!
//! Two threads take turns, so every outcome is determined. `PROPTEST_CASES` sets the number of runs.

mod context;
mod decisions;
mod model;
mod outcome;
mod plain;
mod plan;
mod real;
mod rules;
mod span;
mod text;

use std::sync::Mutex;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::Duration;

use proptest::prelude::*;
use proptest::test_runner::Config;
use tracehound::metrics::{Counter, FlushReport};
use tracehound::reporter::OwnedSpan;
use tracehound::scope::Scope;

use self::outcome::Tracer;
use self::plan::{Action, Plan, plans};
use self::real::Seen;

/// The counters that the model keeps.
const COUNTERS: [Counter; 16] = [
    Counter::TracesStartedSampled,
    Counter::TracesStartedUnsampled,
    Counter::TracesStartedDelayed,
    Counter::TracesJoinedSampled,
    Counter::TracesJoinedUnsampled,
    Counter::StartedSpansSampled,
    Counter::StartedSpansUnsampled,
    Counter::StartedSpansDelayed,
    Counter::FinishedSpansSampled,
    Counter::FinishedSpansUnsampled,
    Counter::FinishedSpansDelayed,
    Counter::BaggageUpdatesOk,
    Counter::BaggageUpdatesErr,
    Counter::TruncatedValues,
    Counter::FinishedTwice,
    Counter::CallbackPanics,
];

fn runs() -> Config {
    Config {
        max_shrink_iters: 20_000,
        failure_persistence: None,
        ..Config::default()
    }
}

proptest! {
    #![proptest_config(runs())]

    #[test]
    fn random_calls_give_what_a_simple_model_gives(plan in plans(60)) {
        run(&plan);
    }
}

fn run(plan: &Plan) {
    let mut plain = plain::World::new(plan);
    let real = Mutex::new(real::World::new(plan));
    thread::scope(|threads| {
        let (ask, asked) = channel::<Action>();
        let (answer, answers) = channel();
        let real = &real;
        threads.spawn(move || work(real, &asked, answer));
        let mut scopes = Vec::new();
        let mut both = |is_elsewhere: bool, action: &Action| {
            let action = &plain.with_tracer(is_elsewhere, action);
            let seen = if is_elsewhere {
                ask.send(action.clone()).expect("the other thread lives");
                answers.recv().expect("the other thread has not panicked")
            } else {
                real.lock().expect("not poisoned").act(&mut scopes, action)
            };
            let drawn: &[u64] = match &seen {
                Seen::Started(drawn) => drawn,
                _ => &[],
            };
            plain.act(is_elsewhere, action, drawn);
            compare_sight(&mut plain, action, seen);
            plain.has_scopes(is_elsewhere)
        };
        for step in &plan.steps {
            both(step.is_elsewhere, &step.action);
        }
        while real.lock().expect("not poisoned").has_spans() {
            both(false, &Action::Drop(0));
        }
        for is_elsewhere in [false, true] {
            while both(is_elsewhere, &Action::CloseScope(0)) {}
        }
        drop(ask);
    });
    let real = real.into_inner().expect("not poisoned");
    for (n, (tracer, spans)) in real.tracers.iter().enumerate() {
        compare_report(&plain, n, &tracer.flush(Duration::from_secs(20)));
        compare_spans(&plain.model.tracers[n], &spans.spans());
        let metrics = tracer.metrics();
        for counter in COUNTERS {
            let expected = plain.model.tracers[n].counts.get(&counter).copied();
            assert_eq!(
                metrics.get(counter),
                expected.unwrap_or(0),
                "{counter} of tracer {n}"
            );
        }
    }
}

/// Runs the second thread: it carries out the actions that it receives, with scopes of its own.
fn work(real: &Mutex<real::World>, asked: &Receiver<Action>, answer: Sender<Seen>) {
    let mut scopes: Vec<Scope> = Vec::new();
    for action in asked {
        let seen = real.lock().expect("not poisoned").act(&mut scopes, &action);
        if answer.send(seen).is_err() {
            return;
        }
    }
}

/// Compares what a program can observe after a call.
fn compare_sight(plain: &mut plain::World, action: &Action, seen: Seen) {
    match seen {
        Seen::Nothing | Seen::Started(_) => {}
        Seen::Span {
            is_noop,
            is_recording,
            baggage,
        } => {
            let (Action::SetTag(n, ..)
            | Action::Log(n, ..)
            | Action::Rename(n, _)
            | Action::SetBaggage(n, ..)
            | Action::RemoveBaggage(n, _)) = action
            else {
                unreachable!("no span is looked at after {action:?}")
            };
            let span = plain.span(*n);
            assert_eq!(is_noop, span.is_none());
            let Some(span) = span else { return };
            assert_eq!(is_recording, plain.model.is_recording(span), "is_recording");
            let mut expected = plain.model.spans[span].context.baggage.clone();
            let mut items: Vec<_> = baggage
                .iter()
                .map(|(k, v)| (k.to_owned(), v.to_owned()))
                .collect();
            expected.sort();
            items.sort();
            assert_eq!(items, expected);
        }
        Seen::Context(context) => {
            let expected = plain.last_saved();
            let ids = context.trace_id().zip(context.span_id());
            let ids = ids.map(|(trace_id, span_id)| (trace_id, span_id, context.parent_id()));
            assert_eq!(ids, expected.ids);
            let items: Vec<_> = context
                .baggage()
                .iter()
                .map(|(k, v)| (k.to_owned(), v.to_owned()))
                .collect();
            assert_eq!(items, expected.baggage);
            if ids.is_some() {
                let flags = plain.model.flags(expected.state);
                assert_eq!(context.flags(), flags);
                assert_eq!(context.is_sampled(), flags.is_sampled());
                assert_eq!(
                    context.is_sampling_final(),
                    plain.model.is_final(expected.state)
                );
                assert_eq!(context.is_remote(), expected.is_remote);
            }
        }
        Seen::Report(report) => {
            let (Action::Flush(n) | Action::Close(n)) = action else {
                unreachable!("no report after {action:?}")
            };
            compare_report(plain, n % plain.model.tracers.len(), &report);
        }
    }
}

fn compare_report(plain: &plain::World, n: usize, report: &FlushReport) {
    let tracer = &plain.model.tracers[n];
    assert_eq!(report.sent, tracer.sent(), "sent by tracer {n}");
    assert_eq!(report.dropped, tracer.dropped, "lost by tracer {n}");
    assert_eq!(report.queued, 0);
    assert_eq!(report.finished, tracer.sent() + tracer.dropped.total());
}

/// Compares the reported spans. Those that one thread finished must be in order; the order between threads is free.
fn compare_spans(expected: &Tracer, spans: &[OwnedSpan]) {
    let mut spans = spans.to_vec();
    for span in &mut spans {
        assert_eq!(span.service_name(), "test");
        // The model knows no process.
        span.process = None;
    }
    let mut rest: Vec<&OwnedSpan> = spans.iter().collect();
    for (order, group) in &expected.sent {
        let mut from = 0;
        for span in group {
            let place = rest[from..].iter().position(|other| span == *other);
            let Some(place) = place else {
                panic!("{order:?}: not there, or out of order: {span:#?}\nwhat is left: {rest:#?}")
            };
            from += place;
            rest.remove(from);
        }
    }
    assert!(rest.is_empty(), "not expected: {rest:#?}");
}
