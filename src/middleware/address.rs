/// Splits an address into the host and the port, if it has one: `db:5432`, `[::1]:80`, `::1`, `/run/db.sock`.
///
/// An IPv6 address loses its brackets.
pub(crate) fn host_and_port(address: &str) -> (&str, Option<u16>) {
    if let Some(rest) = address.strip_prefix('[')
        && let Some((host, port)) = rest.split_once(']')
    {
        return (
            host,
            port.strip_prefix(':').and_then(|port| port.parse().ok()),
        );
    }
    match address.split_once(':') {
        // An IPv6 address without brackets has several colons, and a path is no host.
        Some((host, port)) if !port.contains(':') && !address.starts_with('/') => {
            (host, port.parse().ok())
        }
        _ => (address, None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_split_into_host_and_port() {
        for (address, split) in [
            ("db:5432", ("db", Some(5432))),
            ("db", ("db", None)),
            ("db:", ("db", None)),
            ("db:99999", ("db", None)),
            ("[::1]:80", ("::1", Some(80))),
            ("[::1]", ("::1", None)),
            ("::1", ("::1", None)),
            ("/run/db.sock", ("/run/db.sock", None)),
            ("/run/db:1", ("/run/db:1", None)),
            ("", ("", None)),
        ] {
            assert_eq!(host_and_port(address), split, "{address}");
        }
    }
}
