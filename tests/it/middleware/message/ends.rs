//! Tests of the ends of a message's span: well, with an error, dropped, by a panic, late.

use std::future::{pending, ready};
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use tracehound::middleware::{ConsumerSpan, MessageBus, ProducerSpan};
use tracehound::propagation::MessageHeaders;
use tracehound::reporter::OwnedSpan;
use tracehound::scope::active_span;

use super::{Headers, bus, only};
use crate::middleware::ways::{Way, check, drive, work};
use crate::support::{events, log_field};

/// The span of either side.
enum Running {
    Sending(ProducerSpan),
    Handling(ConsumerSpan),
}

impl Running {
    fn poll<T>(&self, work: impl Future<Output = io::Result<T>>) -> Poll<io::Result<T>> {
        match self {
            Self::Sending(sending) => poll_once(sending.run(work)),
            Self::Handling(handling) => poll_once(handling.run(work)),
        }
    }

    fn run_blocking<T>(&self, work: impl FnOnce() -> io::Result<T>) -> io::Result<T> {
        match self {
            Self::Sending(sending) => sending.run_blocking(work),
            Self::Handling(handling) => handling.run_blocking(work),
        }
    }

    fn finish(self) {
        match self {
            Self::Sending(sending) => sending.finish(),
            Self::Handling(handling) => handling.finish(),
        }
    }
}

/// Polls a future once, without a runtime.
fn poll_once<F: Future>(future: F) -> Poll<F::Output> {
    pin!(future).poll(&mut Context::from_waker(Waker::noop()))
}

fn sending(bus: &MessageBus) -> ProducerSpan {
    bus.send("orders")
        .start(&mut MessageHeaders(&mut Headers::new()))
}

/// Runs `act` on both sides, and looks at the one span that each leaves.
fn each_side(act: impl Fn(Running), check: impl Fn(&OwnedSpan)) {
    let (bus, spans) = bus();
    act(Running::Sending(sending(&bus)));
    check(&only(&spans));
    let handling = bus.receive("orders").start(&[("a", "b")]);
    act(Running::Handling(handling));
    check(&only(&spans));
}

#[test]
fn work_that_succeeds_has_its_span_active_and_leaves_no_mark() {
    each_side(
        |running| {
            let done = running.poll(async {
                active_span().set_tag("inside", true);
                Ok(7)
            });
            assert!(matches!(done, Poll::Ready(Ok(7))));
            assert!(active_span().is_noop());
            running.finish();
        },
        |span| {
            assert_eq!(span.tag_text("inside"), "true");
            assert!(
                span.tag("error").is_none() && span.logs.is_empty(),
                "{span:?}"
            );
        },
    );
}

#[test]
fn an_error_marks_the_span_once_and_its_values_are_hidden() {
    let error = || io::Error::other("no order 'canary' in 'canary'");
    let check = |span: &OwnedSpan| {
        assert_eq!(span.tag_text("error"), "true");
        assert_eq!(events(span), ["error"]);
        let message = log_field(span, "error", "message");
        assert_eq!(message.as_deref(), Some("no order ?"));
        assert!(!format!("{span:?}").contains("canary"), "{span:?}");
    };
    each_side(
        |running| {
            let done = running.poll(ready(Err::<(), _>(error())));
            assert!(matches!(done, Poll::Ready(Err(_))));
        },
        check,
    );
    each_side(
        |running| {
            let done = running.run_blocking(|| Err::<(), _>(error()));
            assert!(done.is_err());
        },
        check,
    );
    let (bus, spans) = bus();
    sending(&bus).end(&Err::<(), _>(error()));
    check(&only(&spans));
    sending(&bus).end(&Ok::<_, io::Error>(()));
    assert!(only(&spans).logs.is_empty());
    sending(&bus).fail(&error());
    check(&only(&spans));
}

#[test]
fn a_timeout_of_the_client_is_told_by_its_kind() {
    each_side(
        |running| {
            let late = io::Error::new(io::ErrorKind::TimedOut, "too late");
            let done = running.poll(ready(Err::<(), _>(late)));
            assert!(done.is_ready());
        },
        |span| {
            let kind = log_field(span, "error", "error.kind");
            assert_eq!(kind.as_deref(), Some("timeout"));
        },
    );
}

#[test]
fn work_that_is_dropped_before_its_end_was_cancelled_once() {
    each_side(
        |running| assert!(running.poll(pending::<io::Result<()>>()).is_pending()),
        |span| {
            assert_eq!(events(span), ["cancelled"]);
            assert!(span.tag("error").is_none(), "{span:?}");
        },
    );
}

#[test]
fn a_message_that_is_never_sent_was_cancelled_and_one_that_is_not_handled_was_not() {
    let (bus, spans) = bus();
    drop(sending(&bus));
    assert_eq!(events(&only(&spans)), ["cancelled"]);
    let sent = sending(&bus);
    drop(sent.run(ready(Ok::<_, io::Error>(()))));
    drop(sent);
    assert_eq!(events(&only(&spans)), ["cancelled"]);
    // A receiver that only counts messages runs no handler.
    drop(bus.receive("orders").start(&[("a", "b")]));
    assert!(only(&spans).logs.is_empty());
}

#[test]
fn a_panic_marks_the_span_once() {
    let check = |span: &OwnedSpan| {
        assert_eq!(span.tag_text("error"), "true");
        assert_eq!(events(span), ["panic"]);
    };
    each_side(
        |running| {
            let work = async {
                assert!(active_span().is_noop(), "planned");
                Ok(())
            };
            let caught = catch_unwind(AssertUnwindSafe(|| running.poll(work)));
            assert!(caught.is_err());
        },
        check,
    );
    each_side(
        |running| {
            let work = || -> io::Result<()> { panic!("planned") };
            let caught = catch_unwind(AssertUnwindSafe(move || running.run_blocking(work)));
            assert!(caught.is_err());
        },
        check,
    );
}

#[test]
fn a_message_that_is_dropped_by_a_panic_was_not_cancelled() {
    let (bus, spans) = bus();
    let caught = catch_unwind(AssertUnwindSafe(|| {
        let _sending = sending(&bus);
        panic!("planned");
    }));
    assert!(caught.is_err());
    assert_eq!(events(&only(&spans)), ["panic"]);
}

#[test]
fn what_became_of_a_message_is_logged_once_the_broker_knows_it() {
    let (bus, spans) = bus();
    let handling = bus.receive("orders").start(&[("a", "b")]);
    let done = poll_once(handling.settle("ack", ready(Ok::<_, io::Error>(()))));
    assert!(done.is_ready());
    let error = io::Error::other("closed");
    let done = poll_once(handling.settle("nak", ready(Err::<(), _>(error))));
    assert!(done.is_ready());
    let done = poll_once(handling.settle("term", pending::<io::Result<()>>()));
    assert!(done.is_pending());
    handling.finish();
    assert_eq!(events(&only(&spans)), ["ack", "error", "cancelled"]);
}

#[test]
fn steps_of_a_handler_are_one_span_that_lasts_until_it_is_finished() {
    let (bus, spans) = bus();
    let handling = bus.receive("orders").start(&[("a", "b")]);
    for _ in 0..2 {
        assert!(poll_once(handling.run(ready(Ok::<_, io::Error>(())))).is_ready());
    }
    assert!(spans.spans().is_empty());
    handling.finish();
    assert!(only(&spans).logs.is_empty());
}

#[test]
pub(in crate::middleware) fn both_sides_end_in_each_way() {
    let ends = [
        (Way::Done, ""),
        (Way::Error, " error=true error"),
        (Way::Cancel, " cancelled"),
        (Way::Drop, " cancelled"),
        (Way::Panic, " error=true panic"),
        (Way::Timeout, " error=true timeout"),
    ];
    for (way, end) in ends {
        let (sent, handled) = (format!("producer{end}"), format!("consumer{end}"));
        check([(way, &*sent)], |way, tracer| {
            let sending = sending(&MessageBus::new(tracer.clone(), "kafka"));
            let _ = drive(way, sending.run(work(way)));
        });
        check([(way, &*handled)], |way, tracer| {
            let bus = MessageBus::new(tracer.clone(), "kafka");
            let handling = bus.receive("orders").start(&[("a", "b")]);
            let _ = drive(way, handling.run(work(way)));
        });
    }
}
