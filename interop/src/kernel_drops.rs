use std::{fs, net::SocketAddr};

use crate::Error;

/// Returns how many datagrams the kernel has dropped at the UDP socket bound to `address` on this
/// machine, since it was bound. The usual reason is a full receive buffer.
///
/// `None` if no such socket is bound, or the system does not count. Linux counts in
/// `/proc/net/udp` and `/proc/net/udp6`, for every socket of the network namespace.
///
/// # Errors
///
/// Fails if a table exists and cannot be read.
pub fn kernel_drops(address: SocketAddr) -> Result<Option<u64>, Error> {
    for table in ["/proc/net/udp", "/proc/net/udp6"] {
        match fs::read_to_string(table) {
            Ok(text) => {
                if let Some(drops) = drops(&text, address) {
                    return Ok(Some(drops));
                }
            }
            // A kernel without IPv6, or another system.
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            Err(error) => return Err(Error::io(format!("reading {table}"))(error)),
        }
    }
    Ok(None)
}

/// Reads the last column of the line with the local address: `0100007F:1AAF`, or a wildcard with the port.
///
/// Several sockets can share a port by `SO_REUSEPORT`; their drops are summed.
fn drops(table: &str, address: SocketAddr) -> Option<u64> {
    let port = format!("{:04X}", address.port());
    let lines = table.lines().skip(1).filter_map(|line| {
        let columns: Vec<&str> = line.split_whitespace().collect();
        let (local, local_port) = columns.get(1)?.split_once(':')?;
        let is_it = local_port == port && (is_wildcard(local) || is_same(local, address));
        columns.last()?.parse::<u64>().ok().filter(|_| is_it)
    });
    lines.reduce(|sum, drops| sum + drops)
}

fn is_wildcard(local: &str) -> bool {
    local.bytes().all(|digit| digit == b'0')
}

/// Reads an address, in words of the machine's order; an IPv4 address may be in an IPv6 socket.
fn is_same(local: &str, address: SocketAddr) -> bool {
    let hex = |bytes: &[u8]| -> String {
        bytes
            .chunks_exact(4)
            .filter_map(|word| word.try_into().ok())
            .map(|word| format!("{:08X}", u32::from_ne_bytes(word)))
            .collect()
    };
    match address {
        SocketAddr::V4(v4) => {
            local == hex(&v4.ip().octets()) || local == hex(&v4.ip().to_ipv6_mapped().octets())
        }
        SocketAddr::V6(v6) => local == hex(&v6.ip().octets()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(target_endian = "little")]
    #[test]
    fn the_last_column_of_the_line_with_the_address_counts() {
        let table = "\
  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode ref pointer drops
  19: 0100007F:1AAF 00000000:0000 07 00000000:00033400 00:00000000 00000000  1000        0 4711 2 0000000000000000 42
  20: 0200007F:1AAF 00000000:0000 07 00000000:00000000 00:00000000 00000000  1000        0 4712 2 0000000000000000 7
  21: 00000000:1AB0 00000000:0000 07 00000000:00000000 00:00000000 00000000  1000        0 4713 2 0000000000000000 3
  22: 00000000000000000000000001000000:1AB1 00000000000000000000000000000000:0000 07 00000000:00000000 00:00000000 00000000 1000 0 4714 2 0000000000000000 5
  23: 0000000000000000FFFF00000100007F:1AB2 00000000000000000000000000000000:0000 07 00000000:00000000 00:00000000 00000000 1000 0 4715 2 0000000000000000 6
";
        for (address, expected) in [
            ("127.0.0.1:6831", Some(42)),
            ("127.0.0.1:6832", Some(3)),
            ("[::1]:6833", Some(5)),
            ("127.0.0.1:6834", Some(6)),
            ("127.0.0.1:6835", None),
        ] {
            let found = drops(table, address.parse().expect("an address"));
            assert_eq!(found, expected, "{address}");
        }
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn an_unread_socket_drops_datagrams_beyond_its_buffer() -> Result<(), Error> {
        use std::net::UdpSocket;

        let io = || Error::io("sending datagrams");
        let receiver = UdpSocket::bind("127.0.0.1:0").map_err(io())?;
        let address = receiver.local_addr().map_err(io())?;
        assert_eq!(kernel_drops(address)?, Some(0));
        let sender = UdpSocket::bind("127.0.0.1:0").map_err(io())?;
        // Larger than any receive buffer of default size.
        for _ in 0..1_000 {
            sender.send_to(&[0; 60_000], address).map_err(io())?;
        }
        let dropped = kernel_drops(address)?;
        assert!(dropped.is_some_and(|n| n > 0 && n < 1_000), "{dropped:?}");
        drop(receiver);
        assert_eq!(kernel_drops(address)?, None);
        Ok(())
    }
}
