//! Messages in envelopes: the receiver's span follows from the sender's, through every kind of channel.

use std::sync::{Arc, Weak, mpsc};
use std::thread;
use std::time::Duration;

use tracehound::metrics::Counter;
use tracehound::model::ReferenceType;
use tracehound::prelude::*;
use tracehound::reporter::{FinishedSpan, InMemoryReporter, OwnedSpan, Reporter};
use tracehound::sampler::ConstSampler;
use tracehound::scope::{Traced, activate_context};
use tracehound::span::ToSpanContext;
use tracehound::{JaegerTracer, NoopTracer};

use super::active;
use crate::block_on::block_on;
use crate::support::{fixed_tracer, names, recording_tracer, until};

/// Passes envelopes through a channel, and returns those that come out.
type Channel = fn(Vec<Traced<u32>>) -> Vec<Traced<u32>>;

const CHANNELS: [(&str, Channel); 9] = [
    ("std mpsc", |sent| {
        let (to, from) = mpsc::channel();
        let sender = thread::spawn(move || {
            for message in sent {
                to.send(message).expect("open");
            }
        });
        let received = from.iter().collect();
        sender.join().expect("no panic");
        received
    }),
    ("std sync_channel", |sent| {
        let (to, from) = mpsc::sync_channel(0);
        thread::spawn(move || sent.into_iter().for_each(|m| to.send(m).expect("open")));
        from.iter().collect()
    }),
    ("tokio mpsc", |sent| {
        let (to, mut from) = tokio::sync::mpsc::channel(8);
        block_on(async move {
            for message in sent {
                to.send(message).await.expect("open");
            }
            drop(to);
            let mut received = Vec::new();
            while let Some(message) = from.recv().await {
                received.push(message);
            }
            received
        })
    }),
    ("tokio broadcast", |sent| {
        let (to, mut first) = tokio::sync::broadcast::channel(8);
        let mut second = to.subscribe();
        block_on(async move {
            for message in sent {
                to.send(message).expect("open");
            }
            let one = first.recv().await.expect("sent");
            second.recv().await.expect("sent");
            let two = second.recv().await.expect("sent");
            vec![one, two]
        })
    }),
    ("tokio oneshot", |sent| {
        let pass = |message| {
            let (to, from) = tokio::sync::oneshot::channel();
            to.send(message).expect("open");
            block_on(from).expect("sent")
        };
        sent.into_iter().map(pass).collect()
    }),
    ("crossbeam unbounded", |sent| {
        let (to, from) = crossbeam_channel::unbounded();
        for message in sent {
            to.send(message).expect("open");
        }
        drop(to);
        from.iter().collect()
    }),
    ("crossbeam without a buffer", |sent| {
        let (to, from) = crossbeam_channel::bounded(0);
        crossbeam_utils::thread::scope(|threads| {
            threads.spawn(|_| {
                let to = to;
                sent.into_iter().for_each(|m| to.send(m).expect("open"));
            });
            from.iter().collect()
        })
        .expect("no panic")
    }),
    ("crossbeam's select", |sent| {
        let (to, from) = crossbeam_channel::bounded(2);
        let (_never, silent) = crossbeam_channel::bounded::<Traced<u32>>(1);
        for message in sent {
            to.send(message).expect("open");
        }
        let next = || {
            crossbeam_channel::select! {
                recv(from) -> message => message,
                recv(silent) -> message => message,
            }
        };
        [next(), next()]
            .map(|message| message.expect("sent"))
            .into()
    }),
    ("a queue behind a lock", |sent| {
        let queue = std::sync::Mutex::new(std::collections::VecDeque::from(sent));
        let mut received = Vec::new();
        while let Some(message) = queue.lock().unwrap().pop_front() {
            received.push(message);
        }
        received
    }),
];

#[test]
fn a_receivers_span_follows_from_the_senders_through_every_channel() {
    for (name, channel) in CHANNELS {
        let (tracer, spans) = recording_tracer();
        let request = tracer.start_active_span("request");
        let sent = vec![Traced::new(1), Traced::new(2)];
        let request_id = request.context().span_id();
        let request = request.into_span();
        let received = channel(sent);
        request.finish();
        assert_eq!(received.len(), 2, "{name}");

        let receiver = tracer.start_active_span("receiver");
        for (n, message) in (1..).zip(received) {
            assert_eq!(*message.value(), n, "{name}");
            let (value, span) = message.receive(&tracer, format!("handle {n}"));
            assert_eq!(value, n, "{name}");
            assert_ne!(active(), span.context(), "{name}: it is not active yet");
            span.in_scope(|| tracer.start_span("inner").finish());
        }
        receiver.finish();
        let expected = "request\n  handle 1\n    inner\n  handle 2\n    inner\nreceiver";
        assert_eq!(spans.tree(), expected, "{name}");
        let handled = spans.find("handle 1").expect("finished");
        let [reference] = &handled.references[..] else {
            panic!("{name}: one reference")
        };
        assert_eq!(reference.kind, ReferenceType::FollowsFrom, "{name}");
        assert_eq!(Some(reference.span_id), request_id, "{name}");
        let waited: u64 = handled.tag_text("queue.wait_us").parse().expect("a number");
        assert!(waited < 60_000_000, "{name}: {waited}");
    }
}

fn handled(spans: &InMemoryReporter) -> OwnedSpan {
    spans.find("handle").expect("finished")
}

#[test]
fn the_time_in_the_queue_is_that_of_the_senders_clock() {
    let (tracer, spans, clock) = fixed_tracer();
    let request = tracer.start_active_span("request");
    let message = Traced::new(());
    request.finish();
    clock.advance(Duration::from_micros(2_500));
    assert_eq!(message.waited(), Some(Duration::from_micros(2_500)));
    let message = message.map(|()| "text").map(str::len);
    clock.advance(Duration::from_nanos(900));
    let (length, span) = message.receive(&tracer, "handle");
    span.finish();
    assert_eq!(length, 4);
    assert_eq!(handled(&spans).tag_text("queue.wait_us"), "2500");

    // A manual clock may go back.
    let request = tracer.start_active_span("request");
    let message = Traced::new(());
    request.finish();
    clock.set_micros(1);
    assert_eq!(message.waited(), Some(Duration::ZERO));
}

#[test]
fn a_message_without_a_context_starts_a_root_and_not_a_child_of_the_receiver() {
    let (tracer, spans) = recording_tracer();
    let message = Traced::new("text");
    assert_eq!(message.waited(), None);
    let receiver = tracer.start_active_span("receiver");
    let (_, span) = message.receive(&tracer, "handle");
    span.finish();
    receiver.finish();
    assert_eq!(spans.tree(), "receiver\nhandle");
    assert_eq!(handled(&spans).tag_text("queue.wait_us"), "");
    assert!(handled(&spans).references.is_empty());
}

#[test]
fn a_message_takes_along_a_context_of_another_process() {
    let (tracer, spans) = recording_tracer();
    let received = tracer.start_span("upstream").context();
    let message = {
        let _scope = activate_context(&received);
        Traced::new(())
    };
    assert_eq!(message.to_span_context(), received);
    assert_eq!(message.waited(), None);
    message.receive(&tracer, "handle").1.finish();
    assert_eq!(handled(&spans).parent_id, received.span_id());
}

#[test]
fn a_message_may_be_handled_as_part_of_the_senders_span_or_with_many_others() {
    let (tracer, spans) = recording_tracer();
    let request = tracer.start_active_span("request");
    let mut message = Traced::new(1);
    let others = [Traced::new(2), Traced::new(3)];
    let request = request.into_span();
    *message.value_mut() += 4;
    let (value, sender) = message.into_parts();
    sender.run(|| tracer.start_span(format!("part {value}")).finish());
    let batch = tracer.build_span("batch");
    let batch = others.iter().fold(batch, |batch, m| batch.follows_from(m));
    batch.start().finish();
    request.finish();
    assert_eq!(spans.tree(), "request\n  part 5\n  batch");
    assert_eq!(spans.find("batch").expect("finished").references.len(), 2);
}

#[test]
fn each_receiver_of_a_copy_has_a_span_of_its_own() {
    let (tracer, spans) = recording_tracer();
    let request = tracer.start_active_span("request");
    let message = Traced::new(String::from("text"));
    request.finish();
    for name in ["one", "two"] {
        message.clone().receive(&tracer, name).1.finish();
    }
    let (_, span) = message.receive(&NoopTracer, "off");
    assert!(span.is_noop());
    assert_eq!(spans.tree(), "request\n  one\n  two");
}

/// A reporter that says by its end that its tracer is gone.
struct Remembered(#[allow(dead_code, reason = "it is held")] Arc<()>);

impl Reporter for Remembered {
    fn report(&mut self, _: &FinishedSpan<'_>) {}
}

#[test]
fn a_channel_that_is_closed_with_envelopes_inside_leaks_nothing_and_marks_nothing() {
    let (tracer, spans) = recording_tracer();
    let (to, from) = mpsc::channel();
    let request = tracer.start_active_span("request");
    for n in 0..1_000 {
        to.send(Traced::new(n)).expect("open");
    }
    request.finish();
    assert_eq!(names(&spans), ["request"], "no message keeps it open");
    drop(from);
    assert!(to.send(Traced::new(0)).is_err());
    let [request] = &spans.spans()[..] else {
        panic!("one span")
    };
    assert!(request.logs.is_empty() && !request.is_error());
    assert_eq!(tracer.metrics().get(Counter::FinishedTwice), 0);

    let alive = Arc::new(());
    let is_alive: Weak<()> = Arc::downgrade(&alive);
    let tracer = JaegerTracer::builder("test")
        .sampler(ConstSampler::new(true))
        .reporter(Remembered(alive))
        .build()
        .expect("a tracer");
    let (to, from) = mpsc::channel();
    thread::spawn(move || {
        let request = tracer.start_active_span("request");
        for n in 0..1_000 {
            to.send(Traced::new(n)).expect("open");
        }
        request.finish();
        drop(tracer);
    })
    .join()
    .expect("no panic");
    drop(from);
    until("the tracer's end", || is_alive.upgrade().is_none());
}
