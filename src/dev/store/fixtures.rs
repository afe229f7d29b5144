//! Batches for tests.

use crate::decode::{ReceivedBatch, received};
use crate::model::{Process, Tag};
use crate::reporter::sender::BatchFormat;
use crate::thrift::{Batch, Span};

/// Returns a batch as it was received.
pub(crate) fn batch(service: &str, spans: impl IntoIterator<Item = Span>) -> ReceivedBatch {
    let batch = Batch {
        process: Process::new(service, vec![Tag::new("hostname", "here")]),
        spans: spans.into_iter().collect(),
        seq_no: None,
        stats: None,
    };
    received(BatchFormat::Compact, batch)
}
