use std::error::Error;
use std::fmt;
use std::net::{IpAddr, Ipv6Addr, SocketAddr, SocketAddrV6};
use std::str::FromStr;

use crate::redact;

/// The place where an agent listens: a name or an address, and a port.
///
/// It is read from `host:port`, `host`, `192.0.2.1:6831`, `[2001:db8::1]:6831`, `[2001:db8::1]` and `2001:db8::1`. An
/// address of IP version 6 without brackets has no port, and it may have a zone, as in `fe80::1%eth0`. The sender looks
/// a name up later.
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
    /// The name or address, without brackets.
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
    /// Fails if the host is missing, the brackets do not hold an IPv6 address, or the port is not a number from 1 to
    /// 65535.
    pub fn parse(text: &str, default_port: u16) -> Result<Self, AddressError> {
        let error = |expected| AddressError::new(text, expected);
        let read_port =
            |port: &str| Self::read_port(port).ok_or_else(|| error("a port from 1 to 65535"));
        if let Some(rest) = text.strip_prefix('[') {
            let (host, rest) = rest
                .split_once(']')
                .ok_or_else(|| error("a closing bracket"))?;
            let host =
                read_v6(host).ok_or_else(|| error("an IPv6 address between the brackets"))?;
            let port = match rest.strip_prefix(':') {
                Some(port) => read_port(port)?,
                None if rest.is_empty() => default_port,
                None => return Err(error("a colon and a port behind the bracket")),
            };
            return Ok(Self::new(host, port));
        }
        if let Some(host) = Self::read_host(text) {
            return Ok(Self::new(host, default_port));
        }
        let (host, port) = match text.split_once(':') {
            Some((host, port)) => (host, read_port(port)?),
            None => (text, default_port),
        };
        let host = Self::read_host(host).ok_or_else(|| error("a host name or address"))?;
        Ok(Self::new(host, port))
    }

    /// Joins a name or address, without brackets, and a port.
    pub fn new(host: impl Into<String>, port: u16) -> Self {
        Self {
            host: host.into(),
            port,
        }
    }

    /// Returns the name or address, without brackets.
    ///
    /// ```
    /// use tracehound::reporter::sender::AgentAddress;
    ///
    /// let agent: AgentAddress = "jaeger-agent".parse()?;
    /// assert_eq!((agent.host(), agent.port()), ("jaeger-agent", AgentAddress::COMPACT_PORT));
    /// let agent = AgentAddress::new("jaeger-agent", AgentAddress::BINARY_PORT);
    /// assert_eq!(agent.to_string(), "jaeger-agent:6832");
    /// # Ok::<(), tracehound::reporter::sender::AddressError>(())
    /// ```
    pub fn host(&self) -> &str {
        &self.host
    }

    /// Returns the port.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Reads a host without a port: letters, digits, `.`, `-` and `_`, or an IPv6 address, in brackets or not.
    pub(crate) fn read_host(text: &str) -> Option<String> {
        let bare = text
            .strip_prefix('[')
            .and_then(|text| text.strip_suffix(']'));
        if bare.is_some() || text.contains(':') {
            return read_v6(bare.unwrap_or(text));
        }
        is_name(text, ".-_").then(|| text.to_owned())
    }

    /// Reads a port: digits without a sign.
    pub(crate) fn read_port(text: &str) -> Option<u16> {
        // `u16::from_str` takes a sign.
        let digits = text.bytes().all(|byte| byte.is_ascii_digit());
        text.parse().ok().filter(|&port| digits && port != 0)
    }

    /// Returns the address, or `None` if the host is a name or has a zone with a name: these are looked up.
    #[cfg(feature = "udp")]
    pub(super) fn literal(&self) -> Option<SocketAddr> {
        let Self { host, port } = self;
        match host.parse::<IpAddr>() {
            Ok(ip) => Some(SocketAddr::new(ip, *port)),
            Err(_) => {
                let with_zone = format!("[{host}]:{port}").parse::<SocketAddrV6>();
                with_zone.ok().map(SocketAddr::V6)
            }
        }
    }
}

impl Default for AgentAddress {
    /// Returns `localhost:6831`, like the other Jaeger clients.
    fn default() -> Self {
        Self::new("localhost", Self::COMPACT_PORT)
    }
}

impl FromStr for AgentAddress {
    type Err = AddressError;

    /// Reads a host like [`AgentAddress::parse`], with the default port 6831.
    fn from_str(text: &str) -> Result<Self, AddressError> {
        Self::parse(text, Self::COMPACT_PORT)
    }
}

impl From<SocketAddr> for AgentAddress {
    fn from(address: SocketAddr) -> Self {
        let host = match address {
            SocketAddr::V6(address) if address.scope_id() != 0 => {
                format!("{}%{}", address.ip(), address.scope_id())
            }
            _ => address.ip().to_string(),
        };
        Self::new(host, address.port())
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

/// The error for a text that is not an [`AgentAddress`].
///
/// ```
/// use tracehound::reporter::sender::AgentAddress;
///
/// let error = "jaeger-agent:http".parse::<AgentAddress>().expect_err("not a number");
/// println!("{error}");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AddressError {
    found: String,
    expected: &'static str,
}

impl AddressError {
    fn new(found: &str, expected: &'static str) -> Self {
        Self {
            found: redact::value(found).into_owned(),
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

/// Reads an address of IP version 6, with or without a zone as in `fe80::1%eth0`. Returns its shortest form.
fn read_v6(text: &str) -> Option<String> {
    let (address, zone) = match text.split_once('%') {
        Some((address, zone)) => (address, Some(zone)),
        None => (text, None),
    };
    let address: Ipv6Addr = address.parse().ok()?;
    match zone {
        Some(zone) => is_name(zone, ".-_~").then(|| format!("{address}%{zone}")),
        None => Some(address.to_string()),
    }
}

/// Returns whether a text has no characters but letters, digits and `signs`.
fn is_name(text: &str, signs: &str) -> bool {
    let is_known = |c: char| c.is_alphanumeric() || signs.contains(c);
    !text.is_empty() && text.chars().all(is_known)
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
    fn an_error_names_the_text_and_what_was_expected() {
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
    fn an_error_holds_no_secret_of_a_url() {
        for text in [
            "udp://u:canary@agent:1/",
            "u:canary@agent:1",
            "canary@agent/?k=canary",
        ] {
            let error = text.parse::<AgentAddress>().expect_err(text);
            assert!(!format!("{error} {error:?}").contains("canary"), "{error}");
        }
    }

    #[test]
    fn a_socket_address_keeps_its_parts() {
        for text in ["127.0.0.1:7", "[::1]:7", "[fe80::1%1]:7"] {
            let address: SocketAddr = text.parse().expect(text);
            let agent = AgentAddress::from(address);
            assert_eq!(agent.to_string(), text);
            assert_eq!(agent.literal(), Some(address));
        }
        assert_eq!(AgentAddress::default().literal(), None);
    }
}
