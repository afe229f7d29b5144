//! Datagrams that the kernel dropped because the agent did not read them in time.

use std::fs;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs};
use std::thread;
use std::time::{Duration, Instant};

use tracehound::config::Explanation;

use crate::options::DoctorOptions;
use crate::report::{Report, Verdict};

pub(super) fn check(report: &mut Report, options: &DoctorOptions, explanation: &Explanation) {
    let value = |name| explanation.get(name).map(|setting| setting.value());
    let (Some(host), Some(port)) = (value("agent_host"), value("agent_port")) else {
        report.line(
            Verdict::Skipped,
            "kernel",
            "spans go by request, which is answered",
        );
        return;
    };
    let host = host.trim_matches('"');
    let Ok(port) = port.parse::<u16>() else {
        return;
    };
    // The sender takes the first address.
    let addresses = (host, port).to_socket_addrs();
    let address = addresses.ok().and_then(|mut addresses| addresses.next());
    let Some(address) = address.filter(|address| address.ip().is_loopback()) else {
        let text =
            format!("the agent {host} is not on this host, whose kernel would tell of drops");
        report.line(Verdict::Skipped, "kernel", &text);
        return;
    };
    let (verdict, text) = match look_until_read(address, options.timeout) {
        Look::Untold => (
            Verdict::Skipped,
            "/proc/net/udp cannot be read, so nothing tells of drops".to_owned(),
        ),
        Look::NoSocket => (
            Verdict::Skipped,
            format!("no socket reads from {address} here"),
        ),
        Look::Socket(Socket { drops, .. }) if drops > 0 => (
            Verdict::Warning,
            format!(
                "{drops} datagrams to {address} were dropped since the agent started: its receive buffer is too \
                 small or it reads too slowly; send by request (JAEGER_ENDPOINT, OTEL_EXPORTER_OTLP_ENDPOINT)"
            ),
        ),
        Look::Socket(Socket { unread, .. }) if unread > 0 => (
            Verdict::Warning,
            format!(
                "{unread} bytes lie unread at {address}: the agent does not read, or too slowly; look if it hangs, \
                 or send by request (JAEGER_ENDPOINT, OTEL_EXPORTER_OTLP_ENDPOINT)"
            ),
        ),
        Look::Socket(_) => (
            Verdict::Good,
            format!("no datagram to {address} was dropped since the agent started"),
        ),
    };
    report.line(verdict, "kernel", &text);
}

/// The answer of the kernel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Look {
    /// The tables cannot be read.
    Untold,
    NoSocket,
    Socket(Socket),
}

/// The sockets at an address, in sum.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Socket {
    /// Bytes that wait for the reader.
    unread: u64,
    /// Datagrams.
    drops: u64,
}

impl Socket {
    fn and(self, other: Self) -> Self {
        Self {
            unread: self.unread.saturating_add(other.unread),
            drops: self.drops.saturating_add(other.drops),
        }
    }
}

/// Looks at the sockets of an address. Waits a while until they are read.
fn look_until_read(address: SocketAddr, timeout: Duration) -> Look {
    let deadline = Instant::now() + timeout;
    loop {
        let look = look(address);
        let is_read = !matches!(look, Look::Socket(socket) if socket.unread > 0);
        if is_read || Instant::now() >= deadline {
            return look;
        }
        thread::park_timeout(LOOK_AGAIN);
    }
}

fn look(address: SocketAddr) -> Look {
    let tables = ["/proc/net/udp", "/proc/net/udp6"];
    let texts = tables
        .iter()
        .filter_map(|path| fs::read_to_string(path).ok());
    let texts: Vec<_> = texts.collect();
    if texts.is_empty() {
        return Look::Untold;
    }
    let sockets = texts.iter().filter_map(|text| sockets_in(text, address));
    sockets
        .reduce(Socket::and)
        .map_or(Look::NoSocket, Look::Socket)
}

/// Returns the sum of the sockets that a table of the kernel has for an address, or for every address at its port.
fn sockets_in(table: &str, address: SocketAddr) -> Option<Socket> {
    let port = format!("{:04X}", address.port());
    let ips = match address.ip() {
        IpAddr::V4(ip) => vec![
            words(&ip.octets()),
            words(&ip.to_ipv6_mapped().octets()),
            words(&[0; 4]),
            words(&[0; 16]),
        ],
        IpAddr::V6(ip) => vec![words(&ip.octets()), words(&[0; 16])],
    };
    let rows = table.lines().skip(1).filter_map(|line| {
        let mut columns = line.split_whitespace().skip(1);
        let (ip, its_port) = columns.next()?.split_once(':')?;
        let (_, unread) = columns.nth(2)?.split_once(':')?;
        let socket = Socket {
            unread: u64::from_str_radix(unread, 16).ok()?,
            drops: columns.last()?.parse().ok()?,
        };
        (its_port == port && ips.iter().any(|known| known == ip)).then_some(socket)
    });
    rows.reduce(Socket::and)
}

/// Returns an IP address as the tables have it: as words of four bytes, of which each is a number in hex digits.
fn words(octets: &[u8]) -> String {
    let words = octets.chunks(4).map(|word| {
        let mut bytes = [0; 4];
        bytes.copy_from_slice(word);
        format!("{:08X}", u32::from_ne_bytes(bytes))
    });
    words.collect()
}

const LOOK_AGAIN: Duration = Duration::from_millis(20);

#[cfg(test)]
mod tests {
    use super::*;

    const NONE: &str = "00000000";
    const END: &str = "00:00000000 00000000 0 0 1 2 0";

    #[test]
    #[cfg(target_endian = "little")]
    fn the_sockets_that_read_from_an_address_are_added() {
        let table = format!(
            "  sl  local_address rem_address st tx_queue rx_queue tr tm->when uid inode drops\n\
            1: 0100007F:1AAF 00000000:0000 07 00000000:00000010 {END} 7\n\
            2: 00000000:1AAF 00000000:0000 07 00000000:00000001 {END} 5\n\
            3: 0200007F:1AAF 00000000:0000 07 00000000:00000000 {END} 9\n\
            4: {NONE}{NONE}{NONE}01000000:0035 {NONE}{NONE}{NONE}{NONE}:0000 07 {NONE}:{NONE} {END} 3\n"
        );
        let sockets = |text: &str| sockets_in(&table, text.parse().expect("an address"));
        let socket = |unread, drops| Some(Socket { unread, drops });
        assert_eq!(sockets("127.0.0.1:6831"), socket(17, 12));
        assert_eq!(sockets("127.0.0.3:6831"), socket(1, 5));
        assert_eq!(sockets("[::1]:53"), socket(0, 3));
        // Who listens at ::1 alone does not read what goes to 127.0.0.1.
        assert_eq!(sockets("127.0.0.1:53"), None);
        assert_eq!(sockets("127.0.0.1:1"), None);
        assert_eq!(
            sockets_in("", "127.0.0.1:1".parse().expect("an address")),
            None
        );
    }
}
