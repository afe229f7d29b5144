use std::sync::mpsc::{Sender as Queue, channel};

use super::*;
use crate::diagnostics::Diagnostics;
use crate::model::{SpanId, Tag, TraceId};
use crate::reporter::OwnedSpan;
use crate::reporter::sender::Batch;

struct Seqids(Queue<Vec<u8>>);

impl Sender for Seqids {
    fn format(&self) -> BatchFormat {
        BatchFormat::Binary
    }

    fn max_bytes(&self) -> usize {
        1_000
    }

    fn send(&mut self, batch: &Batch<'_>, _: Instant) -> SendOutcome {
        self.0.send(batch.bytes[17..21].to_vec()).expect("received");
        SendOutcome::default()
    }
}

#[test]
fn sequence_ids_begin_again_after_the_largest_i32() {
    let (queue, seqids) = channel();
    let mut reporter = RemoteReporter::new(Seqids(queue));
    let trace_id = TraceId::new(0, 1).expect("not zero");
    let span = OwnedSpan::new(trace_id, SpanId::new(1).expect("not zero"), "x");
    let mut send = |seqid: Option<u32>| {
        reporter.seqid = seqid.unwrap_or(reporter.seqid);
        span.view(|span| reporter.report(span));
        reporter.flush(instant_now());
        seqids.recv().expect("sent")
    };
    assert_eq!(send(None), [0, 0, 0, 1]);
    assert_eq!(send(Some(i32::MAX as u32)), [0x7f, 0xff, 0xff, 0xff]);
    assert_eq!(send(None), [0, 0, 0, 0]);
}

/// Keeps the bytes of the batches that it takes, up to a size.
struct Limited(Queue<Vec<u8>>, usize);

impl Sender for Limited {
    fn format(&self) -> BatchFormat {
        BatchFormat::Compact
    }

    fn max_bytes(&self) -> usize {
        self.1
    }

    fn send(&mut self, batch: &Batch<'_>, _: Instant) -> SendOutcome {
        self.0.send(batch.bytes.to_vec()).expect("received");
        SendOutcome::default()
    }
}

#[test]
fn a_process_with_too_many_tags_is_made_smaller_and_its_spans_are_sent() {
    let text = "x".repeat(200);
    let mut all: Vec<_> = (0..1_000)
        .map(|n| Tag::new(format!("tag {n:03}"), text.clone()))
        .collect();
    all.push(Tag::new("zone", "eu-1"));
    let (said, lines) = channel();
    let diagnostics = Diagnostics::with_handler(move |line| said.send(line.to_owned()).unwrap());
    let services =
        Services::detached(Process::new("shop", all)).with_diagnostics(diagnostics.clone());
    let (queue, batches) = channel();
    let mut reporter = RemoteReporter::new(Limited(queue, 65_000));
    reporter.attach(&WorkerHandle::detached(services.clone()));
    let trace_id = TraceId::new(0, 1).expect("not zero");
    let span = OwnedSpan::new(trace_id, SpanId::new(1).expect("not zero"), "checkout");
    for _ in 0..3 {
        span.view(|span| reporter.report(span));
        let unsent = reporter.flush(instant_now());
        assert_eq!((unsent.dropped.total(), unsent.queued), (0, 0));
        let batch = batches.recv().expect("sent");
        let has = |text: &str| batch.windows(text.len()).any(|w| w == text.as_bytes());
        assert!(batch.len() < 33_000, "{}", batch.len());
        assert!(has("tag 000") && has("tag 100") && has("zone") && has("checkout"));
        assert!(has("tracehound.dropped_items") && !has("tag 200"));
    }
    let missing = services.metrics().get(Counter::DroppedItems);
    assert!((800..900).contains(&missing), "{missing}");
    let lines: Vec<_> = lines.try_iter().collect();
    let line = format!("{missing} of its tags, the largest, are left out");
    assert!(lines.len() == 1 && lines[0].contains(&line), "{lines:?}");
}

#[test]
fn a_process_that_leaves_an_eighth_of_a_batch_to_spans_is_sent_whole() {
    let all = (0..250).map(|n| Tag::new(format!("tag {n:03}"), "x".repeat(200)));
    let services = Services::detached(Process::new("shop", all.collect()));
    let (queue, batches) = channel();
    let mut reporter = RemoteReporter::new(Limited(queue, 65_000));
    reporter.attach(&WorkerHandle::detached(services.clone()));
    let trace_id = TraceId::new(0, 1).expect("not zero");
    let span = OwnedSpan::new(trace_id, SpanId::new(1).expect("not zero"), "checkout");
    span.view(|span| reporter.report(span));
    reporter.flush(instant_now());
    assert!(batches.recv().expect("sent").len() > 250 * 210);
    assert_eq!(services.metrics().get(Counter::DroppedItems), 0);
}
