//! The fate of a batch, as a receiver of OTLP tells it.

use crate::reporter::sender::upload::exchange::Answer;
use crate::reporter::sender::upload::options::UploadOptions;
use crate::reporter::sender::upload::protobuf::{Malformed, Value, read_fields};

/// The content of an `ExportTraceServiceResponse`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in crate::reporter::sender) struct OtlpReply {
    /// The number of spans that the receiver did not take.
    pub(in crate::reporter::sender) rejected: u64,
    pub(in crate::reporter::sender) message: String,
}

impl OtlpReply {
    /// Reads the protobuf of a reply. A negative number of spans counts as zero, and unknown fields are skipped.
    ///
    /// Returns `None` for bytes that are not protobuf.
    pub(in crate::reporter::sender) fn read(bytes: &[u8]) -> Option<Self> {
        Self::try_read(bytes).ok()
    }

    fn try_read(bytes: &[u8]) -> Result<Self, Malformed> {
        let mut reply = Self::default();
        let mut parts = Ok(());
        read_fields(bytes, |number, value| {
            // Parts of one message that is there twice add up, by protobuf's rule.
            if let (1, Value::Bytes(partial_success)) = (number, value) {
                parts = parts.and_then(|()| reply.read_partial_success(partial_success));
            }
        })?;
        parts.map(|()| reply)
    }

    fn read_partial_success(&mut self, bytes: &[u8]) -> Result<(), Malformed> {
        read_fields(bytes, |number, value| match (number, value) {
            (1, Value::Varint(spans)) => self.rejected = u64::try_from(spans as i64).unwrap_or(0),
            (2, Value::Bytes(text)) => self.message = String::from_utf8_lossy(text).into_owned(),
            _ => {}
        })
    }
}

/// Returns what the reply to a batch that was taken, at least in part, says. Bytes that are no reply say no more.
pub(in crate::reporter::sender) fn answer_of_reply(
    bytes: &[u8],
    options: &UploadOptions,
) -> Answer {
    match OtlpReply::read(bytes) {
        Some(OtlpReply { rejected, message }) if rejected > 0 => Answer::Partial {
            rejected,
            reason: match options.quoted(&message).trim() {
                "" => "it did not take all spans of a batch".to_owned(),
                message => format!("it did not take all spans of a batch ({message})"),
            },
        },
        _ => Answer::Accepted,
    }
}

/// Returns the message of a `google.rpc.Status`, which OTLP puts into the body of an error.
pub(super) fn status_message(bytes: &[u8]) -> Option<String> {
    let mut message = None;
    read_fields(bytes, |number, value| {
        if let (2, Value::Bytes(text)) = (number, value) {
            message = Some(String::from_utf8_lossy(text).into_owned());
        }
    })
    .ok()?;
    message
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reply(rejected: u64, message: &str) -> Option<OtlpReply> {
        let message = message.to_owned();
        Some(OtlpReply { rejected, message })
    }

    #[test]
    fn a_reply_tells_the_spans_that_were_not_taken() {
        for (bytes, expected) in [
            (&b""[..], reply(0, "")),
            (b"\x0a\x00", reply(0, "")),
            (b"\x0a\x02\x08\x03", reply(3, "")),
            (b"\x0a\x08\x08\x03\x12\x04full", reply(3, "full")),
            (b"\x0a\x02\x08\x03\x0a\x06\x12\x04full", reply(3, "full")),
            (
                b"\x0a\x0b\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01",
                reply(0, ""),
            ),
            (b"\x0a\x04\x12\x02\xff\xfe", reply(0, "\u{fffd}\u{fffd}")),
            (b"\x12\x02hi\x0a\x02\x08\x01", reply(1, "")),
            (b"\x0a\x03\x08\x03", None),
            (b"\x0a\x01\x08", None),
            (b"{}", None),
        ] {
            assert_eq!(OtlpReply::read(bytes), expected, "{bytes:?}");
        }
    }

    #[test]
    fn a_status_tells_its_message() {
        assert_eq!(
            status_message(b"\x08\x03\x12\x03bad"),
            Some("bad".to_owned())
        );
        assert_eq!(status_message(b"\x08\x03"), None);
        assert_eq!(status_message(b"not found"), None);
    }
}
