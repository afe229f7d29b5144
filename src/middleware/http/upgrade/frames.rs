//! Reads the headers of WebSocket frames (RFC 6455, section 5.2) as their bytes pass by in one direction.
//!
//! It allocates nothing, whatever lengths the headers announce, and keeps only the payload of a close frame, which has
//! 125 bytes at most.

/// An event that a reader has come across.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Seen<'a> {
    /// The first frame of a message has begun.
    MessageBegins {
        is_text: bool,
    },
    /// The last frame of a message has ended. `bytes` is the size of its payload as it passes by, perhaps compressed.
    MessageEnds {
        bytes: u64,
    },
    Ping,
    Pong,
    /// A close frame; one without a code is legal.
    Close {
        code: Option<u16>,
        reason: &'a [u8],
    },
    /// Bytes that are no frame. The reader looks at none of those that follow.
    Nonsense,
}

/// The reader of one direction.
#[derive(Debug)]
pub(super) struct Frames {
    state: State,
    /// The size so far of a message whose last frame has not come yet.
    message: Option<u64>,
}

#[derive(Debug)]
enum State {
    /// A header of which `have` bytes have come.
    Header {
        bytes: [u8; LONGEST_HEADER],
        have: usize,
    },
    /// A payload of which `left` bytes are to come.
    Payload {
        left: u64,
        then: Then,
    },
    Close(CloseFrame),
    Nonsense,
}

/// The meaning of the end of a payload.
#[derive(Clone, Copy, Debug)]
enum Then {
    NextFrame,
    MessageEnds,
    Ping,
    Pong,
}

#[derive(Debug)]
struct CloseFrame {
    payload: [u8; LONGEST_CONTROL_PAYLOAD],
    have: usize,
    length: usize,
    mask: [u8; 4],
}

/// Two bytes, eight of length, four of mask.
const LONGEST_HEADER: usize = 14;
const LONGEST_CONTROL_PAYLOAD: usize = 125;
/// The highest bit of a length must be zero.
const LONGEST_PAYLOAD: u64 = u64::MAX >> 1;

impl Frames {
    pub(super) fn new() -> Self {
        Self {
            state: State::NEXT_FRAME,
            message: None,
        }
    }

    /// Reads the next bytes and tells what they hold.
    pub(super) fn read(&mut self, mut bytes: &[u8], mut tell: impl FnMut(Seen<'_>)) {
        // A payload of no bytes ends without another byte.
        while !bytes.is_empty() {
            bytes = match &mut self.state {
                State::Header { .. } => self.read_header(bytes, &mut tell),
                State::Payload { .. } => self.read_payload(bytes, &mut tell),
                State::Close(_) => self.read_close(bytes, &mut tell),
                State::Nonsense => return,
            };
        }
    }

    fn read_header<'b>(&mut self, bytes: &'b [u8], tell: &mut impl FnMut(Seen<'_>)) -> &'b [u8] {
        let State::Header {
            bytes: header,
            have,
        } = &mut self.state
        else {
            return bytes;
        };
        let Some((first, rest)) = bytes.split_first() else {
            return bytes;
        };
        // The length of a header is in its second byte, so it is read byte by byte.
        header[*have] = *first;
        *have += 1;
        if *have < 2 || *have < header_length(header[1]) {
            return rest;
        }
        let header = Header::read(header);
        match self.begin(&header, tell) {
            Some(state) => self.state = state,
            None => {
                self.state = State::Nonsense;
                tell(Seen::Nonsense);
            }
        }
        self.read_payload(&[], tell);
        self.read_close(&[], tell);
        rest
    }

    /// Returns what follows a header, or `None` if the header is not legal.
    fn begin(&mut self, header: &Header, tell: &mut impl FnMut(Seen<'_>)) -> Option<State> {
        if header.length > LONGEST_PAYLOAD {
            return None;
        }
        let then = match header.opcode {
            CONTINUATION | TEXT | BINARY => {
                if header.opcode == CONTINUATION {
                    let bytes = self.message.as_mut()?;
                    *bytes = bytes.saturating_add(header.length);
                } else if self.message.is_some() {
                    return None;
                } else {
                    let is_text = header.opcode == TEXT;
                    tell(Seen::MessageBegins { is_text });
                    self.message = Some(header.length);
                }
                match header.is_final {
                    true => Then::MessageEnds,
                    false => Then::NextFrame,
                }
            }
            CLOSE | PING | PONG => {
                let length = usize::try_from(header.length).ok()?;
                if !header.is_final || length > LONGEST_CONTROL_PAYLOAD {
                    return None;
                }
                match header.opcode {
                    CLOSE => return Some(State::Close(CloseFrame::new(length, header.mask))),
                    PING => Then::Ping,
                    _ => Then::Pong,
                }
            }
            _ => return None,
        };
        Some(State::Payload {
            left: header.length,
            then,
        })
    }

    fn read_payload<'b>(&mut self, bytes: &'b [u8], tell: &mut impl FnMut(Seen<'_>)) -> &'b [u8] {
        let State::Payload { left, then } = &mut self.state else {
            return bytes;
        };
        let here = usize::try_from(*left).map_or(bytes.len(), |left| left.min(bytes.len()));
        *left -= here as u64;
        if *left == 0 {
            match *then {
                Then::NextFrame => {}
                Then::MessageEnds => {
                    if let Some(bytes) = self.message.take() {
                        tell(Seen::MessageEnds { bytes });
                    }
                }
                Then::Ping => tell(Seen::Ping),
                Then::Pong => tell(Seen::Pong),
            }
            self.state = State::NEXT_FRAME;
        }
        &bytes[here..]
    }

    fn read_close<'b>(&mut self, bytes: &'b [u8], tell: &mut impl FnMut(Seen<'_>)) -> &'b [u8] {
        let State::Close(frame) = &mut self.state else {
            return bytes;
        };
        let here = (frame.length - frame.have).min(bytes.len());
        for byte in &bytes[..here] {
            frame.payload[frame.have] = byte ^ frame.mask[frame.have % 4];
            frame.have += 1;
        }
        if frame.have == frame.length {
            match frame.payload[..frame.length].split_first_chunk() {
                Some((code, reason)) => tell(Seen::Close {
                    code: Some(u16::from_be_bytes(*code)),
                    reason,
                }),
                None => tell(Seen::Close {
                    code: None,
                    reason: &[],
                }),
            }
            self.state = State::NEXT_FRAME;
        }
        &bytes[here..]
    }
}

impl State {
    const NEXT_FRAME: Self = Self::Header {
        bytes: [0; LONGEST_HEADER],
        have: 0,
    };
}

impl CloseFrame {
    fn new(length: usize, mask: [u8; 4]) -> Self {
        Self {
            payload: [0; LONGEST_CONTROL_PAYLOAD],
            have: 0,
            length,
            mask,
        }
    }
}

/// A header that has come as a whole.
struct Header {
    is_final: bool,
    opcode: u8,
    length: u64,
    /// Zeros if the payload is not masked.
    mask: [u8; 4],
}

impl Header {
    fn read(bytes: &[u8; LONGEST_HEADER]) -> Self {
        let [first, second, rest @ ..] = bytes;
        let (length, rest) = match (second & 0x7f, rest.as_slice()) {
            (126, [a, b, rest @ ..]) => (u64::from(u16::from_be_bytes([*a, *b])), rest),
            (127, [a, b, c, d, e, f, g, h, rest @ ..]) => {
                let length = u64::from_be_bytes([*a, *b, *c, *d, *e, *f, *g, *h]);
                (length, rest)
            }
            (length, rest) => (u64::from(length), rest),
        };
        let mask = match (second & 0x80, rest) {
            (0x80, [a, b, c, d, ..]) => [*a, *b, *c, *d],
            _ => [0; 4],
        };
        Self {
            is_final: first & 0x80 != 0,
            opcode: first & 0x0f,
            length,
            mask,
        }
    }
}

/// Returns how many bytes a header has, given the second of them.
fn header_length(second: u8) -> usize {
    let length = match second & 0x7f {
        126 => 2,
        127 => 8,
        _ => 0,
    };
    let mask = if second & 0x80 != 0 { 4 } else { 0 };
    2 + length + mask
}

const CONTINUATION: u8 = 0;
const TEXT: u8 = 1;
const BINARY: u8 = 2;
const CLOSE: u8 = 8;
const PING: u8 = 9;
const PONG: u8 = 10;

#[cfg(test)]
mod tests;
