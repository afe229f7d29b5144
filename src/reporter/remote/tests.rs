use std::sync::mpsc::{Sender as Queue, channel};

use super::*;
use crate::model::{SpanId, TraceId};
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
