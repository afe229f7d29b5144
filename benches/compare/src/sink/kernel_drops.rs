//! Datagrams that the kernel dropped because a socket's receive buffer was full.

use std::fs;
use std::net::SocketAddrV4;

/// The kernel's count for the UDP socket that is bound to `address`. `None` where the kernel does not tell.
pub fn kernel_drops(address: SocketAddrV4) -> Option<u64> {
    find(&fs::read_to_string("/proc/net/udp").ok()?, address)
}

/// The last column of the socket's line, such as
/// `77: 0100007F:1AA0 00000000:0000 07 00000000:00000000 00:00000000 00000000 0 0 4711 2 ffff8880 12`.
fn find(table: &str, address: SocketAddrV4) -> Option<u64> {
    // The address is printed as a number in memory order.
    let ip = u32::from_ne_bytes(address.ip().octets());
    let local = format!("{ip:08X}:{:04X}", address.port());
    let line = table
        .lines()
        .find(|line| line.split_whitespace().nth(1) == Some(&local))?;
    line.split_whitespace().last()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, SocketAddrV4};

    use super::find;

    #[test]
    #[cfg(target_endian = "little")]
    fn the_last_column_of_the_sockets_line_is_read() {
        let table = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode ref pointer drops\n\
            77: 0100007F:1AA1 00000000:0000 07 00000000:00000000 00:00000000 00000000 0 0 4711 2 ffff8880 3\n\
            78: 0100007F:1AA0 00000000:0000 07 00000000:00000000 00:00000000 00000000 0 0 4712 2 ffff8881 12\n";
        let drops = |port| find(table, SocketAddrV4::new(Ipv4Addr::LOCALHOST, port));
        assert_eq!(drops(0x1AA0), Some(12));
        assert_eq!(drops(0x1AA1), Some(3));
        assert_eq!(drops(0x1AA2), None);
    }
}
