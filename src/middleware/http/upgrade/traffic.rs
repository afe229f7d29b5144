use crate::middleware::http::upgrade::frames::{Frames, Seen};
use crate::middleware::message_spans::MessageSpans;
use crate::span::Span;

/// The traffic in one direction of a session.
#[derive(Debug)]
pub(super) struct Traffic {
    pub(super) bytes: u64,
    /// `None` if the protocol is not WebSocket.
    pub(super) frames: Option<FrameCounts>,
}

/// The frames of a WebSocket that have passed in one direction.
#[derive(Debug)]
pub(super) struct FrameCounts {
    reader: Frames,
    pub(super) messages: u64,
    pub(super) pings: u64,
    pub(super) pongs: u64,
    /// Whether bytes came that are no frame.
    pub(super) is_nonsense: bool,
    /// Whether a close frame has passed.
    pub(super) is_closed: bool,
    spans: MessageSpans,
}

/// A close frame that has just passed.
#[derive(Debug)]
pub(super) struct Goodbye {
    pub(super) code: Option<u16>,
    pub(super) reason: Vec<u8>,
    /// Whether messages, pings or pongs passed before it in the same bytes.
    pub(super) has_company: bool,
}

impl Traffic {
    pub(super) fn new(spans: Option<MessageSpans>) -> Self {
        Self {
            bytes: 0,
            frames: spans.map(|spans| FrameCounts {
                reader: Frames::new(),
                messages: 0,
                pings: 0,
                pongs: 0,
                is_nonsense: false,
                is_closed: false,
                spans,
            }),
        }
    }

    /// Counts bytes. Returns the first close frame that ends in them.
    pub(super) fn count(&mut self, session: &Span, bytes: &[u8]) -> Option<Goodbye> {
        self.bytes += bytes.len() as u64;
        let FrameCounts {
            reader,
            messages,
            pings,
            pongs,
            is_nonsense,
            is_closed,
            spans,
        } = self.frames.as_mut()?;
        let mut goodbye = None;
        let mut has_company = false;
        reader.read(bytes, |seen| {
            match seen {
                Seen::MessageBegins { is_text } => {
                    let opcode = if is_text { "text" } else { "binary" };
                    spans.begin(session).set_tag(OPCODE, opcode);
                }
                Seen::MessageEnds { bytes } => {
                    *messages += 1;
                    spans.end().set_tag(MESSAGE_SIZE, bytes);
                }
                Seen::Ping => *pings += 1,
                Seen::Pong => *pongs += 1,
                Seen::Close { code, reason } => {
                    if !std::mem::replace(is_closed, true) {
                        goodbye = Some(Goodbye {
                            code,
                            reason: reason.to_vec(),
                            has_company,
                        });
                    }
                }
                Seen::Nonsense => *is_nonsense = true,
            }
            has_company = true;
        });
        goodbye
    }

    pub(super) fn is_closed(&self) -> bool {
        self.frames.as_ref().is_some_and(|frames| frames.is_closed)
    }

    pub(super) fn is_nonsense(&self) -> bool {
        self.frames
            .as_ref()
            .is_some_and(|frames| frames.is_nonsense)
    }
}

const OPCODE: &str = "websocket.opcode";
const MESSAGE_SIZE: &str = "websocket.message_size";
