//! Reads the prefixes of gRPC messages as their bytes pass by in one direction.
//!
//! Each message has a prefix of five bytes: flags, and the length of what follows (`PROTOCOL-HTTP2.md` of gRPC,
//! "Length-Prefixed-Message"). In gRPC-Web a flag marks the trailers, which are part of the body
//! (`PROTOCOL-WEB.md`), and `application/grpc-web-text` has all of it in base64.

mod base64;
#[cfg(test)]
mod tests;

use self::base64::Base64;

/// An event that a reader has come across.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Seen<'a> {
    /// The last byte of the prefix of a message.
    MessageBegins,
    /// The last byte of a message, whose payload has `bytes` bytes on the wire, perhaps compressed.
    MessageEnds { bytes: u32 },
    /// The trailers of gRPC-Web, or the start of long ones.
    Trailers(&'a [u8]),
    /// Bytes that are no message. The reader looks at none of those that follow.
    Nonsense,
}

/// The framing of a body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Framing {
    Grpc,
    /// `application/grpc-web`
    Web,
    /// `application/grpc-web-text`
    WebText,
}

/// The reader of one direction. It keeps a prefix and the trailers of gRPC-Web, and nothing else of the bytes.
#[derive(Debug)]
pub(crate) struct Frames {
    state: State,
    is_web: bool,
    text: Option<Base64>,
}

#[derive(Debug)]
enum State {
    /// A prefix of which `have` bytes have come.
    Prefix {
        bytes: [u8; PREFIX],
        have: usize,
    },
    /// A message of `length` bytes, of which `left` are to come.
    Message {
        left: u32,
        length: u32,
    },
    Trailers {
        left: u32,
        kept: Vec<u8>,
    },
    /// The trailers have passed. Nothing may follow.
    Over,
    Nonsense,
}

/// The bytes before each message.
const PREFIX: usize = 5;
const COMPRESSED: u8 = 1;
const TRAILERS: u8 = 0x80;
/// Trailers are read up to here.
const LONGEST_TRAILERS: usize = 8 * 1_024;

impl Frames {
    pub(crate) fn new(framing: Framing) -> Self {
        Self {
            state: State::NEXT,
            is_web: framing != Framing::Grpc,
            text: (framing == Framing::WebText).then(Base64::default),
        }
    }

    /// Reads the next bytes and tells what ends in them.
    pub(crate) fn read(&mut self, bytes: &[u8], mut tell: impl FnMut(Seen<'_>)) {
        let Some(mut text) = self.text.take() else {
            return self.read_binary(bytes, &mut tell);
        };
        let is_base64 = text.decode(bytes, |bytes| self.read_binary(bytes, &mut tell));
        self.text = Some(text);
        if !is_base64 {
            self.give_up(&mut tell);
        }
    }

    /// Whether a message has begun and not ended.
    pub(crate) fn is_inside(&self) -> bool {
        match &self.state {
            State::Prefix { have, .. } => *have > 0,
            State::Message { .. } | State::Trailers { .. } => true,
            State::Over | State::Nonsense => false,
        }
    }

    fn read_binary(&mut self, mut bytes: &[u8], tell: &mut impl FnMut(Seen<'_>)) {
        while !bytes.is_empty() {
            bytes = match &mut self.state {
                State::Prefix { .. } => self.read_prefix(bytes, tell),
                State::Message { .. } => self.read_message(bytes, tell),
                State::Trailers { .. } => self.read_trailers(bytes, tell),
                State::Over => return self.give_up(tell),
                State::Nonsense => return,
            };
        }
    }

    fn read_prefix<'b>(&mut self, bytes: &'b [u8], tell: &mut impl FnMut(Seen<'_>)) -> &'b [u8] {
        let State::Prefix {
            bytes: prefix,
            have,
        } = &mut self.state
        else {
            return bytes;
        };
        let here = (PREFIX - *have).min(bytes.len());
        let (now, rest) = bytes.split_at(here);
        prefix[*have..*have + here].copy_from_slice(now);
        *have += here;
        if *have < PREFIX {
            return rest;
        }
        let [flags, a, b, c, d] = *prefix;
        let length = u32::from_be_bytes([a, b, c, d]);
        let is_trailers = self.is_web && flags & TRAILERS != 0;
        if flags & !(COMPRESSED | if self.is_web { TRAILERS } else { 0 }) != 0 {
            self.give_up(tell);
        } else if is_trailers {
            self.state = State::Trailers {
                left: length,
                kept: Vec::new(),
            };
            self.read_trailers(&[], tell);
        } else {
            let left = length;
            self.state = State::Message { left, length };
            tell(Seen::MessageBegins);
            self.read_message(&[], tell);
        }
        rest
    }

    fn read_message<'b>(&mut self, bytes: &'b [u8], tell: &mut impl FnMut(Seen<'_>)) -> &'b [u8] {
        let State::Message { left, length } = &mut self.state else {
            return bytes;
        };
        let (now, rest) = split(bytes, *left);
        // Not more than `left`, which is a `u32`.
        *left -= now.len() as u32;
        if *left == 0 {
            let bytes = *length;
            self.state = State::NEXT;
            tell(Seen::MessageEnds { bytes });
        }
        rest
    }

    fn read_trailers<'b>(&mut self, bytes: &'b [u8], tell: &mut impl FnMut(Seen<'_>)) -> &'b [u8] {
        let State::Trailers { left, kept } = &mut self.state else {
            return bytes;
        };
        let (now, rest) = split(bytes, *left);
        *left -= now.len() as u32;
        let room = LONGEST_TRAILERS - kept.len();
        kept.extend_from_slice(&now[..now.len().min(room)]);
        if *left == 0 {
            tell(Seen::Trailers(kept));
            self.state = State::Over;
        }
        rest
    }

    #[cold]
    fn give_up(&mut self, tell: &mut impl FnMut(Seen<'_>)) {
        if !matches!(self.state, State::Nonsense) {
            self.state = State::Nonsense;
            tell(Seen::Nonsense);
        }
    }
}

impl State {
    const NEXT: Self = Self::Prefix {
        bytes: [0; PREFIX],
        have: 0,
    };
}

/// Splits off at most `left` bytes.
fn split(bytes: &[u8], left: u32) -> (&[u8], &[u8]) {
    let here = usize::try_from(left).map_or(bytes.len(), |left| left.min(bytes.len()));
    bytes.split_at(here)
}
