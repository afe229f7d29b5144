//! Connections to an agent: which address, and when to try again.

use std::io::ErrorKind;
use std::time::{Duration, Instant};

use crate::clock::{after, deadline_after, instant_now};
use crate::metrics::DropCause;
use crate::reporter::sender::AgentAddress;
use crate::reporter::sender::udp::addresses::Addresses;
use crate::reporter::sender::udp::connection::Connection;
use crate::reporter::sender::udp::failure::Failure;
use crate::reporter::sender::udp::socket::{Open, open};
use crate::reporter::sender::udp::socket_table::{self, SocketTable};

/// Opens connections to an agent, with longer and longer pauses while it cannot.
pub(super) struct Connector {
    pub(super) addresses: Addresses,
    pub(super) open: Box<Open>,
    pub(super) table: fn() -> Box<dyn SocketTable>,
    /// The reason why the last attempt has failed. `None` after a success.
    failure: Option<Failure>,
    /// The earliest time of the next attempt.
    pub(super) not_before: Option<Instant>,
    pub(super) pause: Duration,
    /// The earliest time at which a socket that cannot send is replaced once more.
    pub(super) replace_from: Option<Instant>,
}

impl Connector {
    pub(super) fn new(agent: AgentAddress) -> Self {
        Self {
            addresses: Addresses::new(agent),
            open: Box::new(open),
            table: socket_table::system,
            failure: None,
            not_before: None,
            pause: Duration::ZERO,
            replace_from: None,
        }
    }

    /// Opens a connection to the first address that has a route. May wait until `deadline` for the agent's name.
    pub(super) fn connect(&mut self, deadline: Instant) -> Result<Connection, DropCause> {
        let now = instant_now();
        if let (Some(not_before), Some(failure)) = (self.not_before, &self.failure)
            && now < not_before
        {
            return Err(failure.cause);
        }
        if let Err(failure) = self.addresses.resolve(now, deadline) {
            let is_under_way = failure.error.kind() == ErrorKind::TimedOut;
            self.failure = Some(failure);
            if !is_under_way {
                self.back_off();
            }
            return Err(DropCause::NoAddress);
        }
        for _ in 0..self.addresses.len() {
            let Some(agent) = self.addresses.current() else {
                break;
            };
            match (self.open)(agent) {
                Ok(socket) => {
                    self.failure = None;
                    self.not_before = None;
                    self.pause = Duration::ZERO;
                    return Ok(Connection::new(socket, agent, self.table));
                }
                Err(error) => {
                    self.failure = Some(Failure::new(DropCause::SendFailed, error));
                    self.addresses.turn_to_next();
                }
            }
        }
        self.back_off();
        Err(DropCause::SendFailed)
    }

    /// Returns whether a socket that cannot send may be replaced now: once a second, because another one may not help.
    pub(super) fn may_replace(&mut self) -> bool {
        let now = instant_now();
        let may = self.replace_from.is_none_or(|from| now >= from);
        if may {
            self.replace_from = Some(after(now, REPLACEMENT_PAUSE));
        }
        may
    }

    /// Returns why the last attempt has failed.
    pub(super) fn failure(&self) -> Option<&Failure> {
        self.failure.as_ref()
    }

    fn back_off(&mut self) {
        self.pause = (self.pause * 2).clamp(SHORTEST_PAUSE, LONGEST_PAUSE);
        self.not_before = Some(deadline_after(self.pause));
    }
}

/// Bounds of the pause between two attempts.
pub(super) const SHORTEST_PAUSE: Duration = Duration::from_millis(250);
const LONGEST_PAUSE: Duration = Duration::from_secs(8);
/// The shortest time between two replacements of a socket that cannot send.
const REPLACEMENT_PAUSE: Duration = Duration::from_secs(1);
