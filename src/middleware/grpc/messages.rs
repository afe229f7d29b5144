//! The messages of a call as they pass in one direction.

use crate::middleware::grpc::frames::{Frames, Framing, Seen};
use crate::middleware::grpc::shared::{Direction, MALFORMED, Shared};
use crate::middleware::message_spans::MessageSpans;

/// The reader of the messages in one direction, which gives a share of them spans.
#[derive(Debug)]
pub(super) struct Messages {
    frames: Frames,
    spans: Option<MessageSpans>,
}

impl Messages {
    pub(super) fn new(framing: Framing, spans: Option<MessageSpans>) -> Self {
        Self {
            frames: Frames::new(framing),
            spans,
        }
    }

    /// Reads the next bytes of a direction of the call. `trailers` gets those of gRPC-Web.
    pub(super) fn read(
        &mut self,
        bytes: &[u8],
        shared: &Shared,
        direction: &Direction,
        mut trailers: impl FnMut(&[u8]),
    ) {
        let spans = &mut self.spans;
        self.frames.read(bytes, |seen| match seen {
            Seen::MessageBegins => {
                if let Some(spans) = spans {
                    spans.begin(&shared.span);
                }
            }
            Seen::MessageEnds { bytes } => {
                let number = shared.count(direction, bytes);
                if let Some(spans) = spans {
                    spans
                        .end()
                        .set_tag("grpc.message_number", number)
                        .set_tag("grpc.message_size", bytes);
                }
            }
            Seen::Trailers(bytes) => trailers(bytes),
            Seen::Nonsense => direction.mark(MALFORMED),
        });
    }

    /// Whether a message has begun and not ended.
    pub(super) fn is_inside(&self) -> bool {
        self.frames.is_inside()
    }
}
