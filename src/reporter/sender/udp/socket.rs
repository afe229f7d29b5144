//! Connected datagram sockets.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};

/// A connected socket that never blocks.
pub(super) trait DatagramSocket: Send {
    fn send(&self, bytes: &[u8]) -> io::Result<usize>;

    /// Takes the error that the system has kept about datagrams that were sent. It tells each error once.
    fn take_error(&self) -> Option<io::Error>;

    fn local_addr(&self) -> io::Result<SocketAddr>;

    /// Returns how many bytes, headers included, the path to the agent carries in one packet, if the system knows.
    fn path_mtu(&self) -> Option<usize>;
}

impl DatagramSocket for UdpSocket {
    fn send(&self, bytes: &[u8]) -> io::Result<usize> {
        Self::send(self, bytes)
    }

    fn take_error(&self) -> Option<io::Error> {
        Self::take_error(self).ok().flatten()
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        Self::local_addr(self)
    }

    #[cfg(target_os = "linux")]
    fn path_mtu(&self) -> Option<usize> {
        use rustix::net::sockopt::{ip_mtu, ipv6_mtu};
        let mtu = match Self::local_addr(self).ok()? {
            SocketAddr::V4(_) => ip_mtu(self),
            SocketAddr::V6(_) => ipv6_mtu(self),
        };
        mtu.ok()?.try_into().ok()
    }

    #[cfg(not(target_os = "linux"))]
    fn path_mtu(&self) -> Option<usize> {
        None
    }
}

/// A function that opens a socket to an agent.
pub(super) type Open = dyn FnMut(SocketAddr) -> io::Result<Box<dyn DatagramSocket>> + Send;

/// Opens a socket of the system to an agent.
pub(super) fn open(agent: SocketAddr) -> io::Result<Box<dyn DatagramSocket>> {
    let socket = UdpSocket::bind(local_for(agent))?;
    socket.connect(agent)?;
    socket.set_nonblocking(true)?;
    Ok(Box::new(socket))
}

/// Returns the address to bind to. On the loopback address, no other host can send to the socket.
fn local_for(agent: SocketAddr) -> SocketAddr {
    let local: IpAddr = match agent {
        SocketAddr::V4(agent) if agent.ip().is_loopback() => Ipv4Addr::LOCALHOST.into(),
        SocketAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
        SocketAddr::V6(agent) if agent.ip().is_loopback() => Ipv6Addr::LOCALHOST.into(),
        SocketAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
    };
    SocketAddr::new(local, 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_socket_is_bound_to_the_agents_family_and_to_loopback_for_an_agent_there() {
        let rows = [
            ("127.0.0.1:6831", "127.0.0.1:0"),
            ("127.1.2.3:6831", "127.0.0.1:0"),
            ("192.0.2.1:6831", "0.0.0.0:0"),
            ("[::1]:6831", "[::1]:0"),
            ("[2001:db8::1]:6831", "[::]:0"),
            ("[::ffff:127.0.0.1]:6831", "[::]:0"),
        ];
        for (agent, local) in rows {
            let agent = agent.parse().expect(agent);
            assert_eq!(local_for(agent).to_string(), local, "{agent}");
        }
    }
}
