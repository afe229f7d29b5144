//! The sockets of this host: what the kernel tells of the one that an agent reads from.

#[cfg(target_os = "linux")]
mod proc_net;
#[cfg(target_os = "linux")]
mod sock_diag;

use std::io;
use std::net::SocketAddr;

/// An agent's socket at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct AgentSocket {
    /// A number that no later socket at this address has.
    pub(super) id: u64,
    /// How much memory unread datagrams take, in bytes, as the kernel counts it.
    pub(super) unread: u64,
    /// How much memory they may take. The kernel drops a datagram that comes while more is taken.
    pub(super) room: u64,
    /// How many datagrams were dropped since the socket was opened. Wraps.
    pub(super) dropped: u32,
}

/// A way to look up an agent's socket.
pub(super) trait SocketTable: Send {
    /// Returns the socket that reads datagrams from `ours` to `agent`, or `None` if no socket does.
    ///
    /// # Errors
    ///
    /// Fails if the system does not tell.
    fn look(&mut self, ours: SocketAddr, agent: SocketAddr) -> io::Result<Option<AgentSocket>>;
}

/// Returns the table of the running system.
pub(super) fn system() -> Box<dyn SocketTable> {
    #[cfg(target_os = "linux")]
    return Box::new(Linux::default());
    #[cfg(not(target_os = "linux"))]
    return Box::new(Unknown);
}

/// The table of Linux: asks for the one socket, or reads the list of all if that is forbidden or impossible.
#[cfg(target_os = "linux")]
#[derive(Default)]
struct Linux {
    sock_diag: Option<sock_diag::SockDiag>,
    is_refused: bool,
    /// A socket was found before. A kernel without the module `udp_diag` finds none, whichever is asked for.
    has_found: bool,
}

#[cfg(target_os = "linux")]
impl SocketTable for Linux {
    fn look(&mut self, ours: SocketAddr, agent: SocketAddr) -> io::Result<Option<AgentSocket>> {
        if !self.is_refused {
            match self.ask(ours, agent) {
                Ok(None) if !self.has_found => {}
                Ok(found) => {
                    self.has_found = true;
                    return Ok(found);
                }
                Err(_) => self.is_refused = true,
            }
        }
        proc_net::look(agent)
    }
}

#[cfg(target_os = "linux")]
impl Linux {
    fn ask(&mut self, ours: SocketAddr, agent: SocketAddr) -> io::Result<Option<AgentSocket>> {
        let sock_diag = match &mut self.sock_diag {
            Some(sock_diag) => sock_diag,
            None => self.sock_diag.insert(sock_diag::SockDiag::open()?),
        };
        sock_diag.look(ours, agent)
    }
}

/// The table of a system that does not tell.
#[cfg(any(test, not(target_os = "linux")))]
pub(super) struct Unknown;

#[cfg(any(test, not(target_os = "linux")))]
impl SocketTable for Unknown {
    fn look(&mut self, _: SocketAddr, _: SocketAddr) -> io::Result<Option<AgentSocket>> {
        Err(io::ErrorKind::Unsupported.into())
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use std::net::UdpSocket;

    use super::*;

    type Look = fn(SocketAddr, SocketAddr) -> io::Result<Option<AgentSocket>>;

    const WAYS: [(&str, Look); 2] = [
        ("sock_diag", |ours, agent| {
            sock_diag::SockDiag::open()?.look(ours, agent)
        }),
        ("/proc/net", |_, agent| proc_net::look(agent)),
    ];

    /// Returns a socket that reads and one that is connected to it.
    fn pair(listen: &str, to: &str) -> io::Result<(UdpSocket, UdpSocket)> {
        let reader = UdpSocket::bind(listen)?;
        let agent = SocketAddr::new(to.parse().expect(to), reader.local_addr()?.port());
        let any = if agent.is_ipv4() {
            "127.0.0.1:0"
        } else {
            "[::1]:0"
        };
        let writer = UdpSocket::bind(any)?;
        writer.connect(agent)?;
        Ok((reader, writer))
    }

    #[test]
    fn the_kernel_tells_unread_bytes_and_drops_for_each_kind_of_address() {
        let rows = [
            ("127.0.0.1:0", "127.0.0.1"),
            ("0.0.0.0:0", "127.0.0.1"),
            ("127.9.9.9:0", "127.9.9.9"),
            ("[::1]:0", "::1"),
            ("[::]:0", "::1"),
            ("[::]:0", "127.0.0.1"),
        ];
        for (listen, to) in rows {
            let Ok((reader, writer)) = pair(listen, to) else {
                // A machine may have no version 6.
                assert!(listen.starts_with('['), "{listen}");
                continue;
            };
            let ours = writer.local_addr().expect("bound");
            let agent = writer.peer_addr().expect("connected");
            for (way, look) in WAYS {
                let at = format!("{way}: {listen} from {to}");
                let look = || look(ours, agent).expect(&at).expect(&at);
                let empty = look();
                assert_eq!(empty.unread, 0, "{at}");
                assert!(empty.room >= 2_048, "{at}: {empty:?}");
                let mut sent = 0_u32;
                while look().dropped == empty.dropped {
                    writer.send(&[0; 16_000]).expect("sent");
                    sent += 1;
                    assert!(sent < 10_000, "{at}");
                }
                let full = look();
                assert_eq!(full.id, empty.id, "{at}");
                assert_eq!(full.dropped, empty.dropped + 1, "{at}");
                let held = u64::from(sent - 1) * 16_000;
                assert!(
                    full.unread >= held && full.unread <= 2 * held,
                    "{at}: {full:?}"
                );
                let mut buffer = [0; 20_000];
                for _ in 1..sent {
                    reader.recv(&mut buffer).expect("received");
                }
                assert_eq!(look().unread, 0, "{at}");
            }
        }
    }

    #[test]
    fn proc_net_tells_of_the_socket_on_a_kernel_without_the_module() {
        let (_reader, writer) = pair("127.0.0.1:0", "127.0.0.1").expect("loopback");
        let (ours, agent) = (
            writer.local_addr().expect("bound"),
            writer.peer_addr().expect("connected"),
        );
        let mut table = Linux {
            sock_diag: Some(sock_diag::SockDiag::without_module()),
            ..Linux::default()
        };
        let found = table.look(ours, agent).expect("readable");
        assert!(found.is_some());
        assert_eq!(found, proc_net::look(agent).expect("readable"));
    }

    #[test]
    fn a_closed_socket_is_not_found_and_the_next_one_has_another_id() {
        let (reader, writer) = pair("127.0.0.1:0", "127.0.0.1").expect("loopback");
        let (ours, agent) = (
            writer.local_addr().expect("bound"),
            writer.peer_addr().expect("connected"),
        );
        for (way, look) in WAYS {
            let first = look(ours, agent).expect(way).expect(way);
            assert_eq!(look(ours, agent).expect(way), Some(first));
        }
        let before = WAYS.map(|(way, look)| look(ours, agent).expect(way).expect(way).id);
        drop(reader);
        for (way, look) in WAYS {
            assert_eq!(look(ours, agent).expect(way), None, "{way}");
        }
        // Another program may have taken the port in between.
        if let Ok(_again) = UdpSocket::bind(agent) {
            let after = WAYS.map(|(way, look)| look(ours, agent).expect(way).expect(way).id);
            assert!(before[0] != after[0] && before[1] != after[1]);
        }
    }
}
