//! The counts of one call, which the owner of its span and the body of its request share.

use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering};

use crate::middleware::side::Side;
use crate::model::{field, tags};
use crate::span::Span;

/// The part that the body of the request has a hand in.
#[derive(Debug)]
pub(super) struct Shared {
    /// Does not keep the span open.
    pub(super) span: Span,
    pub(super) side: Side,
    pub(super) message_events: u64,
    pub(super) request: Direction,
    pub(super) response: Direction,
    /// Whether the body of the request was dropped when its client had gone.
    pub(super) is_reset: AtomicBool,
    /// Whether the owner of the span is being dropped before the end of the call.
    pub(super) is_dropping: AtomicBool,
    /// Whether the body of the request was dropped with the call while its stream was open.
    pub(super) is_open: AtomicBool,
}

/// The messages in one direction.
#[derive(Debug, Default)]
pub(super) struct Direction {
    pub(super) messages: AtomicU64,
    pub(super) marks: AtomicU8,
}

/// The bytes were seen.
pub(super) const SEEN: u8 = 1;
/// The bytes ended inside of a message.
pub(super) const CUT: u8 = 2;
/// There were bytes that are no message.
pub(super) const MALFORMED: u8 = 4;

/// The value of the `grpc.ended_by` tag.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum EndedBy {
    Client,
    Server,
    Deadline,
}

impl Shared {
    /// Counts a message with a payload of `bytes` bytes, and logs it if it is one of the first. Returns its number.
    pub(super) fn count(&self, direction: &Direction, bytes: u32) -> u64 {
        let number = direction.messages.fetch_add(1, Ordering::Relaxed) + 1;
        if number > self.message_events {
            return number;
        }
        let is_request = std::ptr::eq(direction, &self.request);
        let event = match (self.side, is_request) {
            (Side::Client, true) | (Side::Server, false) => "message_sent",
            _ => "message_received",
        };
        self.span.log([
            field(tags::EVENT, event),
            field("grpc.message_number", number),
            field("grpc.message_size", bytes),
        ]);
        number
    }

    /// Returns the party whose direction has this mark.
    pub(super) fn party_with(&self, mark: u8) -> Option<&'static str> {
        let client = self.request.has(mark).then_some(EndedBy::Client);
        let server = || self.response.has(mark).then_some(EndedBy::Server);
        client.or_else(server).map(EndedBy::as_str)
    }
}

impl Direction {
    pub(super) fn mark(&self, mark: u8) {
        self.marks.fetch_or(mark, Ordering::Relaxed);
    }

    pub(super) fn unmark(&self, mark: u8) {
        self.marks.fetch_and(!mark, Ordering::Relaxed);
    }

    pub(super) fn has(&self, mark: u8) -> bool {
        self.marks.load(Ordering::Relaxed) & mark != 0
    }
}

impl EndedBy {
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Client => "client",
            Self::Server => "server",
            Self::Deadline => "deadline",
        }
    }
}
