//! Datagrams that the kernel dropped because the agent did not read them in time.

use std::fs;
use std::net::ToSocketAddrs;

use tracehound::config::Explanation;

use crate::report::{Report, Verdict};

pub(super) fn check(report: &mut Report, explanation: &Explanation) {
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
    let is_here = (host, port)
        .to_socket_addrs()
        .is_ok_and(|mut addresses| addresses.any(|address| address.ip().is_loopback()));
    if !is_here {
        let text =
            format!("the agent {host} is not on this host, whose kernel would tell of drops");
        report.line(Verdict::Skipped, "kernel", &text);
        return;
    }
    match drops(port) {
        None => {
            let text = format!("no socket of UDP port {port} is open here");
            report.line(Verdict::Skipped, "kernel", &text);
        }
        Some(0) => {
            let text = format!("no datagram to port {port} was dropped since the agent started");
            report.line(Verdict::Good, "kernel", &text);
        }
        Some(drops) => {
            let text = format!(
                "{drops} datagrams to port {port} were dropped since the agent started: its receive buffer is too \
                 small or it reads too slowly; send by request (JAEGER_ENDPOINT, OTEL_EXPORTER_OTLP_ENDPOINT)"
            );
            report.line(Verdict::Warning, "kernel", &text);
        }
    }
}

/// Returns the drops of the sockets at a port of this host.
fn drops(port: u16) -> Option<u64> {
    let tables = ["/proc/net/udp", "/proc/net/udp6"];
    let texts = tables
        .iter()
        .filter_map(|path| fs::read_to_string(path).ok());
    texts
        .filter_map(|text| drops_in(&text, port))
        .reduce(|a, b| a + b)
}

/// Returns the drops that a table of the kernel has for a port, which is written in hex digits.
fn drops_in(table: &str, port: u16) -> Option<u64> {
    let wanted = format!(":{port:04X}");
    let rows = table.lines().skip(1).filter_map(|line| {
        let mut columns = line.split_whitespace();
        let local = columns.nth(1)?;
        let drops = columns.last()?.parse::<u64>().ok()?;
        local.ends_with(&wanted).then_some(drops)
    });
    rows.reduce(|a, b| a + b)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_drops_of_all_sockets_at_a_port_are_added() {
        let table = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode ref pointer drops\n\
            1: 0100007F:1AAF 00000000:0000 07 00000000:00000000 00:00000000 00000000 0 0 1 2 0 7\n\
            2: 0200007F:1AAF 00000000:0000 07 00000000:00000000 00:00000000 00000000 0 0 1 2 0 5\n\
            3: 0100007F:0035 00000000:0000 07 00000000:00000000 00:00000000 00000000 0 0 1 2 0 9\n";
        assert_eq!(drops_in(table, 6831), Some(12));
        assert_eq!(drops_in(table, 53), Some(9));
        assert_eq!(drops_in(table, 1), None);
        assert_eq!(drops_in("", 1), None);
    }
}
