//! The list of all UDP sockets in `/proc/net/udp` and `/proc/net/udp6`, for when the kernel cannot be asked for one.

use std::fs;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use crate::reporter::sender::udp::socket_table::AgentSocket;

/// Returns the socket that reads datagrams to `agent`.
pub(super) fn look(agent: SocketAddr) -> io::Result<Option<AgentSocket>> {
    let agent = SocketAddr::new(agent.ip().to_canonical(), agent.port());
    let room = fs::read_to_string("/proc/sys/net/core/rmem_default")
        .ok()
        .and_then(|room| room.trim().parse().ok())
        .unwrap_or(DEFAULT_ROOM);
    // A list that changes while it is read may leave a socket out.
    for _ in 0..ATTEMPTS {
        let v4 = fs::read_to_string("/proc/net/udp")?;
        if agent.is_ipv4()
            && let Some(socket) = find(&v4, agent, room)
        {
            return Ok(Some(socket));
        }
        // A socket of version 6 may take datagrams of version 4. A machine may have no version 6.
        let v6 = fs::read_to_string("/proc/net/udp6").unwrap_or_default();
        if let Some(socket) = find(&v6, agent, room) {
            return Ok(Some(socket));
        }
    }
    Ok(None)
}

/// Returns the socket that is bound to the agent's address, or else to any address. Returns `None` if several are.
///
/// A connected socket is passed over, because it takes datagrams from its own peer only.
fn find(table: &str, agent: SocketAddr, room: u64) -> Option<AgentSocket> {
    let rows = || {
        table
            .lines()
            .skip(1)
            .filter_map(|line| Row::parse(line, room))
            .filter(|row| !row.is_connected)
    };
    let bound_to = |is_address: &dyn Fn(IpAddr) -> bool| {
        let mut rows = rows().filter(|row| {
            row.local.port() == agent.port() && is_address(row.local.ip().to_canonical())
        });
        // A list that changes while it is read may also have a socket twice.
        let first = rows.next()?;
        rows.all(|row| row.socket.id == first.socket.id)
            .then_some(first)
    };
    let found = bound_to(&|ip| ip == agent.ip()).or_else(|| bound_to(&|ip| ip.is_unspecified()));
    found.map(|row| row.socket)
}

struct Row {
    local: SocketAddr,
    is_connected: bool,
    socket: AgentSocket,
}

impl Row {
    /// Reads a line: `sl local_address rem_address st tx_queue:rx_queue tr:when retrnsmt uid timeout inode ref pointer
    /// drops`
    fn parse(line: &str, room: u64) -> Option<Self> {
        let mut fields = line.split_ascii_whitespace().skip(1);
        let local = address(fields.next()?)?;
        let is_connected = address(fields.next()?)?.port() != 0;
        let (_, unread) = fields.nth(1)?.split_once(':')?;
        let id = fields.nth(4)?.parse().ok()?;
        let dropped: u64 = fields.nth(2)?.parse().ok()?;
        let socket = AgentSocket {
            id,
            unread: u64::from_str_radix(unread, 16).ok()?,
            room,
            dropped: dropped as u32,
        };
        Some(Self {
            local,
            is_connected,
            socket,
        })
    }
}

/// Reads an address such as `0100007F:1AAF`: the words of the IP address as they lie in memory, the port as a number.
fn address(text: &str) -> Option<SocketAddr> {
    let (ip, port) = text.split_once(':')?;
    let word = |at: usize| {
        let digits = ip.get(8 * at..8 * at + 8)?;
        Some(u32::from_str_radix(digits, 16).ok()?.to_ne_bytes())
    };
    let ip: IpAddr = match ip.len() {
        8 => Ipv4Addr::from(word(0)?).into(),
        32 => {
            let mut bytes = [0; 16];
            for at in 0..4 {
                bytes[4 * at..4 * at + 4].copy_from_slice(&word(at)?);
            }
            Ipv6Addr::from(bytes).into()
        }
        _ => return None,
    };
    Some(SocketAddr::new(ip, u16::from_str_radix(port, 16).ok()?))
}

const ATTEMPTS: u32 = 3;
/// The size of a receive buffer by Linux's own default.
const DEFAULT_ROOM: u64 = 212_992;

#[cfg(test)]
mod tests {
    use super::*;

    const HEAD: &str = "   sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode ref pointer drops\n";

    fn row(local: &str, inode: u64) -> String {
        format!(
            " 1: {local} 00000000:0000 07 00000000:00004100 00:00000000 00000000  0 0 {inode} 2 0000000000000000 97\n"
        )
    }

    #[test]
    #[cfg(target_endian = "little")]
    fn a_socket_at_the_agents_address_is_found_before_one_at_any_address() {
        let table = [
            HEAD,
            &row("00000000:1AAF", 1),
            &row("0100007F:1AAF", 2),
            &row("0100007F:1AB0", 3),
            "  broken\n",
        ]
        .concat();
        let find = |agent: &str| find(&table, agent.parse().expect(agent), 1_000);
        let found = find("127.0.0.1:6831").expect("there");
        assert_eq!((found.id, found.unread, found.dropped), (2, 0x4100, 97));
        assert_eq!(find("127.0.0.2:6831").map(|it| it.id), Some(1));
        assert_eq!(find("127.0.0.1:6832").map(|it| it.id), Some(3));
        assert_eq!(find("127.0.0.2:6832"), None);
    }

    #[test]
    fn several_sockets_at_one_address_are_no_answer() {
        let table = [HEAD, &row("00000000:1AAF", 1), &row("00000000:1AAF", 2)].concat();
        let agent = "127.0.0.1:6831".parse().expect("one");
        assert_eq!(find(&table, agent, 1), None);
        let twice = [HEAD, &row("00000000:1AAF", 1), &row("00000000:1AAF", 1)].concat();
        assert_eq!(find(&twice, agent, 1).map(|it| it.id), Some(1));
    }

    #[test]
    #[cfg(target_endian = "little")]
    fn a_socket_that_is_connected_elsewhere_is_not_the_agents() {
        let other = row("0100007F:1AAF", 1).replace(" 00000000:0000", " 0100007F:9C40");
        let table = [HEAD, &other, &row("00000000:1AAF", 2)].concat();
        let agent = "127.0.0.1:6831".parse().expect("one");
        assert_eq!(find(&table, agent, 1).map(|it| it.id), Some(2));
    }
}
