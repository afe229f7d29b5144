//! The end of a session: its kind, and the side that began it.

use std::io;

/// A side of a connection: the program here, or the peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Party {
    /// This program.
    Local,
    /// The program, or the proxy, at the other end of this connection.
    Peer,
}

impl Party {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Local => "local",
            Self::Peer => "peer",
        }
    }
}

/// The way in which a session ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ending {
    /// In the way that the protocol has for it.
    Closed,
    /// The peer reset the connection (`ECONNRESET`).
    Reset,
    /// The peer no longer took what was written (`EPIPE`).
    BrokenPipe,
    /// The peer ended the stream of a WebSocket without a close frame.
    EndOfStream,
    /// The peer's host did not answer for too long (`ETIMEDOUT`).
    TimedOut,
    /// Reading or writing failed in another way.
    Error,
    /// The task of the session panicked.
    Panic,
    /// The task of the session was dropped before its end.
    Aborted,
    /// The program let go of the connection without closing it.
    Dropped,
}

impl Ending {
    pub(super) fn of_error(error: &io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::ConnectionReset | io::ErrorKind::ConnectionAborted => Self::Reset,
            io::ErrorKind::BrokenPipe => Self::BrokenPipe,
            // A TLS stream without its last word.
            io::ErrorKind::UnexpectedEof => Self::EndOfStream,
            io::ErrorKind::TimedOut => Self::TimedOut,
            _ => Self::Error,
        }
    }

    /// Returns who ended a session that nobody had begun to close, if that can be told.
    pub(super) fn party(self) -> Option<Party> {
        match self {
            Self::Reset | Self::BrokenPipe | Self::EndOfStream => Some(Party::Peer),
            Self::Panic | Self::Aborted | Self::Dropped => Some(Party::Local),
            Self::Closed | Self::TimedOut | Self::Error => None,
        }
    }

    pub(super) fn is_error(self) -> bool {
        !matches!(self, Self::Closed | Self::Aborted | Self::Dropped)
    }

    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::Reset => "reset",
            Self::BrokenPipe => "broken_pipe",
            Self::EndOfStream => "end_of_stream",
            Self::TimedOut => "timed_out",
            Self::Error => "error",
            Self::Panic => "panic",
            Self::Aborted => "aborted",
            Self::Dropped => "dropped",
        }
    }
}

/// Whether a close frame with this code reports a failure. A normal end (1000), going away (1001) and no code (1005) do
/// not; nor do codes from 3000 on, whose meaning only the program knows.
pub(super) fn is_error_code(code: u16) -> bool {
    !matches!(code, 1000 | 1001 | 1005 | 3000..)
}
