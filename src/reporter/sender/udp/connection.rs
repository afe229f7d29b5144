//! One connection to an agent, from the opening of its socket to the first reason for another one.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use crate::clock::after;
use crate::reporter::sender::udp::socket::DatagramSocket;
use crate::reporter::sender::udp::socket_table::SocketTable;
use crate::reporter::sender::udp::watch::Watch;

/// A socket that is connected to the agent, and what is known of the datagrams that it has sent.
pub(super) struct Connection {
    pub(super) socket: Box<dyn DatagramSocket>,
    /// `None` if the agent is on another host.
    pub(super) watch: Option<Watch>,
    /// How many bytes, headers included, the path to the agent carries in one packet.
    pub(super) path_mtu: Option<usize>,
    /// The spans of the last datagram while a refusal may still concern it, else zero.
    pub(super) unconfirmed: u64,
    /// The system was not asked yet what became of a datagram of this socket, or it told of a loss.
    pub(super) is_doubtful: bool,
    /// A datagram was sent.
    pub(super) has_sent: bool,
    /// The socket cannot send any more.
    pub(super) is_broken: bool,
    pub(super) no_room: NoRoom,
}

/// A time in which the system has no room for datagrams.
#[derive(Default)]
pub(super) struct NoRoom {
    pub(super) since: Option<Instant>,
    wait: Duration,
}

impl Connection {
    pub(super) fn new(
        socket: Box<dyn DatagramSocket>,
        agent: SocketAddr,
        table: fn() -> Box<dyn SocketTable>,
    ) -> Self {
        let ours = socket.local_addr().ok();
        // A datagram to another address of this host goes out from that address.
        let ip = agent.ip().to_canonical();
        let ours = ours.filter(|ours| ip.is_loopback() || ours.ip().to_canonical() == ip);
        Self {
            watch: ours.map(|ours| Watch::new(table(), ours, agent)),
            path_mtu: socket.path_mtu(),
            socket,
            unconfirmed: 0,
            is_doubtful: true,
            has_sent: false,
            is_broken: false,
            no_room: NoRoom::default(),
        }
    }
}

impl NoRoom {
    /// Returns until when the datagram should wait, or `None` if it has waited for too long.
    pub(super) fn wait(&mut self, now: Instant) -> Option<Instant> {
        let since = *self.since.get_or_insert(now);
        if now.saturating_duration_since(since) >= LONGEST_NO_ROOM {
            return None;
        }
        self.wait = (self.wait * 2).clamp(FIRST_WAIT, LONGEST_WAIT);
        Some(after(now, self.wait))
    }
}

/// Bounds of the wait between two attempts.
const FIRST_WAIT: Duration = Duration::from_millis(1);
const LONGEST_WAIT: Duration = Duration::from_millis(64);
/// How long a datagram waits before it is lost. Those behind it are tried once each.
pub(super) const LONGEST_NO_ROOM: Duration = Duration::from_secs(5);
