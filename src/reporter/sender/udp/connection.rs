//! One socket, from its opening to the first reason to open another.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use crate::clock::after;
use crate::reporter::sender::udp::socket::Datagrams;
use crate::reporter::sender::udp::socket_table::SocketTable;
use crate::reporter::sender::udp::watch::Watch;

/// A socket that is connected to the agent.
pub(super) struct Connection {
    pub(super) socket: Box<dyn Datagrams>,
    /// Where the agent is on this host.
    pub(super) watch: Option<Watch>,
    /// What the path to it carries in one packet, with its headers.
    pub(super) path_mtu: Option<usize>,
    /// Spans of the last datagram, as long as a refusal may concern it.
    pub(super) unconfirmed: u64,
    /// The system has not been asked yet what became of a datagram of this socket, or it had bad news.
    pub(super) is_doubtful: bool,
    pub(super) no_room: NoRoom,
}

/// The system has had no room for datagrams since then.
#[derive(Default)]
pub(super) struct NoRoom {
    pub(super) since: Option<Instant>,
    wait: Duration,
}

impl Connection {
    pub(super) fn new(
        socket: Box<dyn Datagrams>,
        agent: SocketAddr,
        table: fn() -> Box<dyn SocketTable>,
    ) -> Self {
        let ours = socket.local_addr().ok();
        // What is sent to an address of this host goes out from that address.
        let ip = agent.ip().to_canonical();
        let ours = ours.filter(|ours| ip.is_loopback() || ours.ip().to_canonical() == ip);
        Self {
            watch: ours.map(|ours| Watch::new(table(), ours, agent)),
            path_mtu: socket.path_mtu(),
            socket,
            unconfirmed: 0,
            is_doubtful: true,
            no_room: NoRoom::default(),
        }
    }
}

impl NoRoom {
    /// Until when a datagram waits that the system has no room for; `None` if it has waited for too long.
    pub(super) fn wait(&mut self, now: Instant) -> Option<Instant> {
        let since = *self.since.get_or_insert(now);
        if now.saturating_duration_since(since) >= LONGEST_NO_ROOM {
            return None;
        }
        self.wait = (self.wait * 2).clamp(FIRST_WAIT, LONGEST_WAIT);
        Some(after(now, self.wait))
    }
}

/// While the system has no room.
const FIRST_WAIT: Duration = Duration::from_millis(1);
const LONGEST_WAIT: Duration = Duration::from_millis(64);
/// A datagram that has waited for so long is lost, and those behind it are tried once.
pub(super) const LONGEST_NO_ROOM: Duration = Duration::from_secs(5);
