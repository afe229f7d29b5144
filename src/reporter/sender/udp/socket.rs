//! Connected datagram sockets, and what their errors say of which datagram.

use std::io::{self, ErrorKind};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};

use crate::metrics::DropCause;

/// A connected socket that never blocks.
pub(super) trait Datagrams: Send {
    fn send(&self, bytes: &[u8]) -> io::Result<usize>;

    /// What the system has to say of datagrams that were sent. It says it once.
    fn take_error(&self) -> Option<io::Error>;

    fn local_addr(&self) -> io::Result<SocketAddr>;

    /// What the path to the agent carries in one packet, with its headers, as far as the system knows.
    fn path_mtu(&self) -> Option<usize>;
}

impl Datagrams for UdpSocket {
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

/// Opens a socket to an agent.
pub(super) type Open = dyn FnMut(SocketAddr) -> io::Result<Box<dyn Datagrams>> + Send;

pub(super) fn open(agent: SocketAddr) -> io::Result<Box<dyn Datagrams>> {
    let socket = UdpSocket::bind(local_for(agent))?;
    socket.connect(agent)?;
    socket.set_nonblocking(true)?;
    Ok(Box::new(socket))
}

/// Nobody else can send to a socket that is bound to the loopback address.
fn local_for(agent: SocketAddr) -> SocketAddr {
    let local: IpAddr = match agent {
        SocketAddr::V4(agent) if agent.ip().is_loopback() => Ipv4Addr::LOCALHOST.into(),
        SocketAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
        SocketAddr::V6(agent) if agent.ip().is_loopback() => Ipv6Addr::LOCALHOST.into(),
        SocketAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
    };
    SocketAddr::new(local, 0)
}

/// An error and what it means for a datagram.
pub(super) struct Failure {
    pub(super) cause: DropCause,
    pub(super) error: io::Error,
}

impl Failure {
    pub(super) fn new(cause: DropCause, error: io::Error) -> Self {
        Self { cause, error }
    }

    /// Of a datagram that is to be sent.
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

    /// Of a datagram that was sent: one that turns out too large for the path cannot be split any more.
    pub(super) fn afterwards(error: io::Error) -> Self {
        let mut failure = Self::from(error);
        if failure.cause == DropCause::TooLarge {
            failure.cause = DropCause::SendFailed;
        }
        failure
    }

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

/// `ENOBUFS`, likewise.
pub(super) const NO_BUFFERS: i32 = if cfg!(windows) {
    10_055
} else if cfg!(any(target_os = "linux", target_os = "android")) {
    105
} else {
    55
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_socket_is_bound_to_the_agents_family_and_on_loopback_where_the_agent_is() {
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
