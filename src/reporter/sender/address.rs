use std::error::Error;
use std::fmt;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::str::FromStr;

/// Where an agent listens: a name or an address, and a port.
///
/// Reads `host:port`, `host`, `192.0.2.1:6831`, `[2001:db8::1]:6831`, `[2001:db8::1]` and `2001:db8::1` (an
/// address of version 6 without brackets has no port). A name is resolved later, by the sender.
///
/// ```
/// use tracehound::reporter::sender::AgentAddress;
///
/// let agent: AgentAddress = "jaeger-agent".parse()?;
/// assert_eq!(agent.to_string(), "jaeger-agent:6831");
/// let agent = AgentAddress::parse("::1", 6832)?;
/// assert_eq!(agent.to_string(), "[::1]:6832");
/// assert!("jaeger-agent:http".parse::<AgentAddress>().is_err());
/// # Ok::<(), tracehound::reporter::sender::AddressError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct AgentAddress {
    /// Without brackets.
    host: String,
    port: u16,
}

impl AgentAddress {
    /// The port on which agents take the compact protocol.
    pub const COMPACT_PORT: u16 = 6831;
    /// The port on which agents take the binary protocol.
    pub const BINARY_PORT: u16 = 6832;

    /// Reads a host with or without a port.
    ///
    /// # Errors
    ///
    /// When the host is missing, an address in brackets is none, or the port is not a number from 1 to 65535.
    pub fn parse(text: &str, default_port: u16) -> Result<Self, AddressError> {
        let error = |expected| AddressError::new(text, expected);
        if let Some(rest) = text.strip_prefix('[') {
            let (host, rest) = rest
                .split_once(']')
                .ok_or_else(|| error("a closing bracket"))?;
            if !is_v6(host) {
                return Err(error("an IPv6 address between the brackets"));
            }
            let port = match rest.strip_prefix(':') {
                Some(port) => parse_port(port).ok_or_else(|| error("a port from 1 to 65535"))?,
                None if rest.is_empty() => default_port,
                None => return Err(error("a colon and a port behind the bracket")),
            };
            return Ok(Self::new(host, port));
        }
        if is_v6(text) {
            return Ok(Self::new(text, default_port));
        }
        let (host, port) = match text.split_once(':') {
            Some((host, port)) => (
                host,
                parse_port(port).ok_or_else(|| error("a port from 1 to 65535"))?,
            ),
            None => (text, default_port),
        };
        if host.is_empty() || host.contains(|c: char| c.is_whitespace() || "[]/@".contains(c)) {
            return Err(error("a host name or address"));
        }
        Ok(Self::new(host, port))
    }

    /// Joins a name or address, without brackets, and a port.
    pub fn new(host: impl Into<String>, port: u16) -> Self {
        Self {
            host: host.into(),
            port,
        }
    }

    /// The name or address, without brackets.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The port.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The address, where it is not a name.
    pub(super) fn literal(&self) -> Option<SocketAddr> {
        let ip: IpAddr = self.host.parse().ok()?;
        Some(SocketAddr::new(ip, self.port))
    }
}

impl Default for AgentAddress {
    /// `localhost:6831`, as in the other Jaeger clients.
    fn default() -> Self {
        Self::new("localhost", Self::COMPACT_PORT)
    }
}

impl FromStr for AgentAddress {
    type Err = AddressError;

    /// As [`AgentAddress::parse`], with port 6831 where there is none.
    fn from_str(text: &str) -> Result<Self, AddressError> {
        Self::parse(text, Self::COMPACT_PORT)
    }
}

impl From<SocketAddr> for AgentAddress {
    fn from(address: SocketAddr) -> Self {
        Self::new(address.ip().to_string(), address.port())
    }
}

impl fmt::Display for AgentAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { host, port } = self;
        if host.contains(':') {
            write!(f, "[{host}]:{port}")
        } else {
            write!(f, "{host}:{port}")
        }
    }
}

/// A text that is no [`AgentAddress`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AddressError {
    found: String,
    expected: &'static str,
}

impl AddressError {
    fn new(found: &str, expected: &'static str) -> Self {
        Self {
            found: found.to_owned(),
            expected,
        }
    }
}

impl fmt::Display for AddressError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { found, expected } = self;
        write!(f, "expected {expected}, found {found:?}")
    }
}

impl Error for AddressError {}

/// A zone, as in `fe80::1%eth0`, may follow.
fn is_v6(text: &str) -> bool {
    let address = text.split_once('%').map_or(text, |(address, _)| address);
    address.parse::<Ipv6Addr>().is_ok()
}

/// `u16::from_str` takes a sign.
fn parse_port(text: &str) -> Option<u16> {
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|&port| digits && port != 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_are_read_with_and_without_brackets_and_ports() {
        let rows = [
            ("localhost", "localhost", 6831),
            ("localhost:1", "localhost", 1),
            ("agent.example:65535", "agent.example", 65535),
            ("192.0.2.1", "192.0.2.1", 6831),
            ("192.0.2.1:6832", "192.0.2.1", 6832),
            ("::1", "::1", 6831),
            ("2001:db8::1:6831", "2001:db8::1:6831", 6831),
            ("[::1]", "::1", 6831),
            ("[::1]:6832", "::1", 6832),
            ("[fe80::1%eth0]:7", "fe80::1%eth0", 7),
            ("fe80::1%eth0", "fe80::1%eth0", 6831),
        ];
        for (text, host, port) in rows {
            let address: AgentAddress = text.parse().expect(text);
            assert_eq!((address.host(), address.port()), (host, port), "{text}");
            let printed = address.to_string();
            assert_eq!(printed.parse(), Ok(address), "{printed}");
        }
    }

    #[test]
    fn what_is_no_address_is_named_with_what_was_expected() {
        let rows = [
            ("", "a host name or address"),
            (":6831", "a host name or address"),
            ("a b:1", "a host name or address"),
            ("[localhost]:1", "an IPv6 address between the brackets"),
            ("[::1", "a closing bracket"),
            ("[::1]6831", "a colon and a port behind the bracket"),
            ("[::1]:", "a port from 1 to 65535"),
            ("agent:", "a port from 1 to 65535"),
            ("agent:0", "a port from 1 to 65535"),
            ("agent:+1", "a port from 1 to 65535"),
            ("agent:65536", "a port from 1 to 65535"),
            ("agent:http", "a port from 1 to 65535"),
            ("a:b:1", "a port from 1 to 65535"),
            ("udp://agent", "a port from 1 to 65535"),
        ];
        for (text, expected) in rows {
            let error = text.parse::<AgentAddress>().expect_err(text);
            assert_eq!(
                error.to_string(),
                format!("expected {expected}, found {text:?}")
            );
        }
    }

    #[test]
    fn a_socket_address_keeps_its_parts() {
        for text in ["127.0.0.1:7", "[::1]:7"] {
            let address: SocketAddr = text.parse().expect(text);
            let agent = AgentAddress::from(address);
            assert_eq!(agent.to_string(), text);
            assert_eq!(agent.literal(), Some(address));
        }
        assert_eq!(AgentAddress::default().literal(), None);
    }
}
