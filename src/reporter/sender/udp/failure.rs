//! Errors of the system, and what they mean for which datagram.

use std::io::{self, ErrorKind};

use crate::metrics::DropCause;

/// An error of the system and the cause of the loss that it stands for.
pub(super) struct Failure {
    pub(super) cause: DropCause,
    pub(super) error: io::Error,
}

impl Failure {
    pub(super) fn new(cause: DropCause, error: io::Error) -> Self {
        Self { cause, error }
    }

    /// Reads an error about the datagram that should be sent now.
    pub(super) fn from(error: io::Error) -> Self {
        let cause = match error.kind() {
            ErrorKind::ConnectionRefused | ErrorKind::ConnectionReset => DropCause::Refused,
            ErrorKind::WouldBlock => DropCause::NetBuffer,
            _ => match error.raw_os_error() {
                Some(MESSAGE_SIZE) => DropCause::TooLarge,
                Some(NO_BUFFERS) => DropCause::NetBuffer,
                _ => DropCause::SendFailed,
            },
        };
        Self { cause, error }
    }

    /// Reads an error about a datagram that was sent. If that was too large for the path, it is too late to split it.
    pub(super) fn afterwards(error: io::Error) -> Self {
        let mut failure = Self::from(error);
        if failure.cause == DropCause::TooLarge {
            failure.cause = DropCause::SendFailed;
        }
        failure
    }

    /// Returns whether the number of the socket is not that of a socket: code of the program has closed it, and may
    /// have opened a file of its own since.
    pub(super) fn is_closed_elsewhere(&self) -> bool {
        cfg!(unix) && matches!(self.error.raw_os_error(), Some(BAD_FILE | NOT_A_SOCKET))
    }

    /// Returns the reason for a line to the user.
    pub(super) fn reason(&self) -> String {
        match self.error.kind() {
            ErrorKind::ConnectionRefused => "connection refused".to_owned(),
            ErrorKind::TimedOut => "the look-up takes long".to_owned(),
            _ => self.error.to_string(),
        }
    }
}

/// `EMSGSIZE`, for which the standard library has no name.
pub(super) const MESSAGE_SIZE: i32 = if cfg!(windows) {
    10_040
} else if cfg!(any(target_os = "linux", target_os = "android")) {
    90
} else {
    40
};

/// `ENOBUFS`, for which the standard library has no name.
pub(super) const NO_BUFFERS: i32 = if cfg!(windows) {
    10_055
} else if cfg!(any(target_os = "linux", target_os = "android")) {
    105
} else {
    55
};

/// `EBADF`, for which the standard library has no name.
pub(super) const BAD_FILE: i32 = 9;

/// `ENOTSOCK`, for which the standard library has no name.
const NOT_A_SOCKET: i32 = if cfg!(any(target_os = "linux", target_os = "android")) {
    88
} else {
    38
};
