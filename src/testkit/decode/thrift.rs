use crate::reporter::from_wire;
use crate::reporter::sender::BatchFormat;
use crate::testkit::decode::Reason;
use crate::testkit::{ReceivedBatch, ReportedLosses};
use crate::thrift::{Batch, Protocol, decode_body, decode_message};

/// Reads a datagram to an agent, in the protocol that its first byte tells.
pub(crate) fn datagram(bytes: &[u8]) -> Result<ReceivedBatch, Reason> {
    let (protocol, format) = match bytes.first() {
        Some(&COMPACT) => (Protocol::Compact, BatchFormat::Compact),
        _ => (Protocol::Binary, BatchFormat::Binary),
    };
    let message = decode_message(protocol, bytes).map_err(|error| error.to_string())?;
    Ok(received(format, message.batch))
}

/// Reads a request body to a collector.
pub(crate) fn thrift_body(bytes: &[u8]) -> Result<Vec<ReceivedBatch>, Reason> {
    let batch = decode_body(bytes).map_err(|error| error.to_string())?;
    Ok(vec![received(BatchFormat::BinaryBatch, batch)])
}

fn received(format: BatchFormat, batch: Batch) -> ReceivedBatch {
    let spans = batch.spans.into_iter().filter_map(from_wire).collect();
    let mut received = ReceivedBatch::new(format, batch.process, spans);
    received.sequence_number = batch.seq_no;
    received.losses = batch.stats.map(|stats| ReportedLosses {
        full_queue: stats.full_queue_dropped_spans,
        too_large: stats.too_large_dropped_spans,
        failed_to_emit: stats.failed_to_emit_spans,
    });
    received
}

/// The first byte of a message in the compact protocol.
const COMPACT: u8 = 0x82;
