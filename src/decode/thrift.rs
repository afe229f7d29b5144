use crate::decode::Reason;
use crate::decode::{ReceivedBatch, ReportedLosses};
use crate::reporter::from_wire;
use crate::reporter::sender::BatchFormat;
use crate::thrift::{Batch, Protocol, decode_body, decode_message};

/// Reads a datagram to an agent, in the protocol that its first byte tells.
#[cfg(feature = "testkit")]
pub(crate) fn datagram(bytes: &[u8]) -> Result<ReceivedBatch, Reason> {
    datagram_in(
        match bytes.first() {
            Some(&COMPACT) => Protocol::Compact,
            _ => Protocol::Binary,
        },
        bytes,
    )
}

/// Reads a datagram to an agent in this protocol.
pub(crate) fn datagram_in(protocol: Protocol, bytes: &[u8]) -> Result<ReceivedBatch, Reason> {
    let format = match protocol {
        Protocol::Compact => BatchFormat::Compact,
        Protocol::Binary => BatchFormat::Binary,
    };
    let message = decode_message(protocol, bytes).map_err(|error| error.to_string())?;
    Ok(received(format, message.batch))
}

/// Reads a request body to a collector.
pub(crate) fn thrift_body(bytes: &[u8]) -> Result<Vec<ReceivedBatch>, Reason> {
    let batch = decode_body(bytes).map_err(|error| error.to_string())?;
    Ok(vec![received(BatchFormat::BinaryBatch, batch)])
}

/// Converts a batch from the wire.
pub(crate) fn received(format: BatchFormat, batch: Batch) -> ReceivedBatch {
    let sent = batch.spans.len();
    let spans: Vec<_> = batch.spans.into_iter().filter_map(from_wire).collect();
    let left_out = sent - spans.len();
    let mut received = ReceivedBatch::new(format, batch.process, spans);
    received.left_out = left_out as u64;
    received.sequence_number = batch.seq_no;
    received.losses = batch.stats.map(|stats| ReportedLosses {
        full_queue: stats.full_queue_dropped_spans,
        too_large: stats.too_large_dropped_spans,
        failed_to_emit: stats.failed_to_emit_spans,
    });
    received
}

/// The first byte of a message in the compact protocol.
#[cfg(feature = "testkit")]
const COMPACT: u8 = 0x82;
