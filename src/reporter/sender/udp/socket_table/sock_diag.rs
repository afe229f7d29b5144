//! Questions to the kernel about one socket, by `NETLINK_SOCK_DIAG`; see `sock_diag(7)`.
//!
//! An answer takes a few microseconds, however many sockets there are.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::os::fd::OwnedFd;

use rustix::io::Errno;
use rustix::net::{
    AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, netlink, recv, send, socket_with,
};

use crate::reporter::sender::udp::socket_table::AgentSocket;

/// A netlink socket for questions about other sockets.
pub(super) struct SockDiag {
    socket: OwnedFd,
    sequence: u32,
}

impl SockDiag {
    pub(super) fn open() -> io::Result<Self> {
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        let protocol = Some(netlink::SOCK_DIAG);
        let socket = socket_with(AddressFamily::NETLINK, SocketType::DGRAM, flags, protocol)?;
        Ok(Self {
            socket,
            sequence: 0,
        })
    }

    /// Asks for the socket that reads datagrams from `ours` to `agent`.
    pub(super) fn look(
        &mut self,
        ours: SocketAddr,
        agent: SocketAddr,
    ) -> io::Result<Option<AgentSocket>> {
        self.sequence = self.sequence.wrapping_add(1);
        let request = request(self.sequence, ours, agent);
        send(&self.socket, &request, SendFlags::empty())?;
        // The kernel has answered when `send` returns.
        let mut buffer = [0; 1_024];
        loop {
            let (len, _) = match recv(&self.socket, &mut buffer[..], RecvFlags::empty()) {
                Err(Errno::INTR) => continue,
                received => received?,
            };
            let answer = &buffer[..len];
            // Another number is the late answer to an earlier question.
            if word(answer, 8) == Some(self.sequence) {
                return read(answer);
            }
        }
    }
}

#[cfg(test)]
impl SockDiag {
    /// Returns a socket that answers the first question like a kernel without the module `udp_diag`.
    pub(super) fn without_module() -> Self {
        let (socket, kernel) = std::os::unix::net::UnixDatagram::pair().expect("a pair");
        let mut answer = [0; HEADER_BYTES + 4];
        answer[4..6].copy_from_slice(&NLMSG_ERROR.to_ne_bytes());
        answer[8..12].copy_from_slice(&1_u32.to_ne_bytes());
        answer[HEADER_BYTES..].copy_from_slice(&(-2_i32).to_ne_bytes());
        kernel.send(&answer).expect("sent");
        // The other end stays open, or the question could not be sent.
        std::mem::forget(kernel);
        Self {
            socket: socket.into(),
            sequence: 0,
        }
    }
}

/// Writes a `struct nlmsghdr` and a `struct inet_diag_req_v2`.
fn request(sequence: u32, ours: SocketAddr, agent: SocketAddr) -> [u8; REQUEST_BYTES] {
    let mut request = [0; REQUEST_BYTES];
    let mut at = 0;
    let mut put = |bytes: &[u8]| {
        request[at..at + bytes.len()].copy_from_slice(bytes);
        at += bytes.len();
    };
    put(&(REQUEST_BYTES as u32).to_ne_bytes());
    put(&SOCK_DIAG_BY_FAMILY.to_ne_bytes());
    put(&NLM_F_REQUEST.to_ne_bytes());
    put(&sequence.to_ne_bytes());
    put(&[0; 4]);

    let (ours_ip, agent_ip) = (ours.ip().to_canonical(), agent.ip().to_canonical());
    let family = if agent_ip.is_ipv4() {
        AF_INET
    } else {
        AF_INET6
    };
    put(&[family, IPPROTO_UDP, 1 << (INET_DIAG_SKMEMINFO - 1), 0]);
    put(&u32::MAX.to_ne_bytes());
    // For UDP the kernel looks up the receiver of a datagram, so the source is our side.
    put(&ours.port().to_be_bytes());
    put(&agent.port().to_be_bytes());
    put(&address(ours_ip));
    put(&address(agent_ip));
    put(&[0; 4]);
    put(&INET_DIAG_NOCOOKIE);
    request
}

/// Reads a `struct nlmsghdr` and the `struct inet_diag_msg` or the error behind it.
fn read(answer: &[u8]) -> io::Result<Option<AgentSocket>> {
    let kind = answer.get(4..6).and_then(|bytes| bytes.try_into().ok());
    if kind.map(u16::from_ne_bytes) == Some(NLMSG_ERROR) {
        let code = word(answer, HEADER_BYTES)
            .unwrap_or_default()
            .wrapping_neg();
        let error = io::Error::from_raw_os_error(code as i32);
        return match error.kind() {
            io::ErrorKind::NotFound => Ok(None),
            _ => Err(error),
        };
    }
    let cookie = answer
        .get(HEADER_BYTES + COOKIE_AT..)
        .and_then(<[u8]>::first_chunk);
    let memory = memory_info(answer);
    match (cookie, memory) {
        (Some(cookie), Some([unread, room, dropped])) => Ok(Some(AgentSocket {
            id: u64::from_ne_bytes(*cookie),
            unread: unread.into(),
            room: room.into(),
            dropped,
        })),
        _ => Err(io::ErrorKind::InvalidData.into()),
    }
}

/// Reads the attribute `INET_DIAG_SKMEMINFO`: `SK_MEMINFO_RMEM_ALLOC`, `SK_MEMINFO_RCVBUF` and `SK_MEMINFO_DROPS`.
fn memory_info(answer: &[u8]) -> Option<[u32; 3]> {
    let mut attributes = answer.get(HEADER_BYTES + MESSAGE_BYTES..)?;
    loop {
        let head = attributes.get(..4)?;
        let len = usize::from(u16::from_ne_bytes([head[0], head[1]]));
        let kind = u16::from_ne_bytes([head[2], head[3]]);
        if kind == u16::from(INET_DIAG_SKMEMINFO) {
            let words = attributes.get(4..len)?;
            return Some([word(words, 0)?, word(words, 4)?, word(words, 4 * 8)?]);
        }
        attributes = attributes.get(len.max(4).next_multiple_of(4)..)?;
    }
}

fn word(bytes: &[u8], at: usize) -> Option<u32> {
    let bytes = bytes.get(at..)?.first_chunk()?;
    Some(u32::from_ne_bytes(*bytes))
}

fn address(ip: IpAddr) -> [u8; 16] {
    match ip {
        IpAddr::V6(ip) => ip.octets(),
        IpAddr::V4(ip) => {
            let mut bytes = [0; 16];
            bytes[..4].copy_from_slice(&ip.octets());
            bytes
        }
    }
}

/// The sizes of `struct nlmsghdr` and of `struct inet_diag_msg`, and the place of the cookie in the latter.
const HEADER_BYTES: usize = 16;
const MESSAGE_BYTES: usize = 72;
const COOKIE_AT: usize = 44;
const REQUEST_BYTES: usize = HEADER_BYTES + 56;

// From `linux/netlink.h`, `linux/sock_diag.h`, `linux/inet_diag.h`, `linux/socket.h` and `linux/in.h`.
const NLM_F_REQUEST: u16 = 1;
const NLMSG_ERROR: u16 = 2;
const SOCK_DIAG_BY_FAMILY: u16 = 20;
const INET_DIAG_SKMEMINFO: u8 = 7;
const INET_DIAG_NOCOOKIE: [u8; 8] = [0xff; 8];
const AF_INET: u8 = 2;
const AF_INET6: u8 = 10;
const IPPROTO_UDP: u8 = 17;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_that_is_cut_short_is_an_error() {
        let reader = std::net::UdpSocket::bind("127.0.0.1:0").expect("loopback");
        let agent = reader.local_addr().expect("bound");
        let sock_diag = SockDiag::open().expect("allowed");
        send(
            &sock_diag.socket,
            &request(7, agent, agent),
            SendFlags::empty(),
        )
        .expect("sent");
        let mut buffer = [0; 1_024];
        let received = recv(&sock_diag.socket, &mut buffer[..], RecvFlags::empty());
        let answer = &buffer[..received.expect("answered").0];
        let whole = read(answer).expect("an answer").expect("a socket");
        assert!(
            whole.room > 0 && whole.unread == 0 && whole.dropped == 0,
            "{whole:?}"
        );
        for len in 0..answer.len() {
            let cut = read(&answer[..len]);
            assert!(
                cut.is_err() || cut.is_ok_and(|it| it == Some(whole)),
                "{len}"
            );
        }
        assert!(read(&[0xff; 200]).is_err());
        assert!(read(&[0; 200]).is_err());
    }
}
