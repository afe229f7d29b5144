use std::fmt;
use std::net::IpAddr;

/// A range of IP addresses: an address and the number of its leading bits that count.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Network {
    address: IpAddr,
    prefix: u32,
}

impl Network {
    /// Reads `10.0.0.0/8` or, for one address, `10.0.0.7`. One of IPv4 within IPv6 is one of IPv4.
    pub(super) fn read(entry: &str) -> Result<Self, InvalidNetwork> {
        Self::parse(entry).ok_or_else(|| InvalidNetwork {
            entry: entry.to_owned(),
        })
    }

    fn parse(entry: &str) -> Option<Self> {
        let (address, prefix) = match entry.split_once('/') {
            Some((address, prefix)) => (address, Some(prefix)),
            None => (entry, None),
        };
        let address: IpAddr = address.parse().ok()?;
        let bits: u32 = if address.is_ipv4() { 32 } else { 128 };
        let prefix: u32 = match prefix {
            Some(prefix) if prefix.bytes().all(|byte| byte.is_ascii_digit()) => {
                prefix.parse().ok()?
            }
            Some(_) => return None,
            None => bits,
        };
        if prefix > bits {
            return None;
        }
        let canonical = address.to_canonical();
        let is_mapped = canonical.is_ipv4() && address.is_ipv6();
        Some(match is_mapped {
            true => Self {
                address: canonical,
                prefix: prefix.checked_sub(96)?,
            },
            false => Self { address, prefix },
        })
    }

    pub(super) fn contains(&self, address: IpAddr) -> bool {
        let differing = match (self.address, address.to_canonical()) {
            (IpAddr::V4(own), IpAddr::V4(other)) => {
                (own.to_bits() ^ other.to_bits()).leading_zeros()
            }
            (IpAddr::V6(own), IpAddr::V6(other)) => {
                (own.to_bits() ^ other.to_bits()).leading_zeros()
            }
            _ => return false,
        };
        differing >= self.prefix
    }
}

impl fmt::Debug for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.prefix)
    }
}

/// The error of [`TrustedProxies::networks`](crate::middleware::TrustedProxies::networks): an entry is no IP address
/// and no range of them.
///
/// ```
/// use tracehound::middleware::TrustedProxies;
///
/// let error = TrustedProxies::networks(["10.0.0.0/33"]).unwrap_err();
/// let text = r#"expected an IP address or a range such as 10.0.0.0/8: "10.0.0.0/33""#;
/// assert_eq!(error.to_string(), text);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InvalidNetwork {
    entry: String,
}

impl fmt::Display for InvalidNetwork {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "expected an IP address or a range such as 10.0.0.0/8: {:?}",
            self.entry
        )
    }
}

impl std::error::Error for InvalidNetwork {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_network_contains_the_addresses_with_its_leading_bits() {
        let rows = [
            ("10.0.0.0/8", "10.255.0.1", true),
            ("10.0.0.0/8", "11.0.0.0", false),
            ("10.0.0.0/8", "::ffff:10.1.2.3", true),
            ("10.0.0.7/8", "10.9.9.9", true),
            ("10.0.0.7", "10.0.0.7", true),
            ("10.0.0.7", "10.0.0.6", false),
            ("10.0.0.0/31", "10.0.0.1", true),
            ("10.0.0.0/31", "10.0.0.2", false),
            ("0.0.0.0/0", "203.0.113.7", true),
            ("0.0.0.0/0", "::1", false),
            ("::/0", "::1", true),
            ("::/0", "10.0.0.1", false),
            ("fd00::/8", "fdff::1", true),
            ("fd00::/8", "fe00::1", false),
            ("::1", "::1", true),
            ("::1", "::2", false),
            ("::ffff:10.0.0.0/104", "10.7.7.7", true),
            ("::ffff:10.0.0.0/104", "11.7.7.7", false),
        ];
        for (network, address, is_in) in rows {
            let network = Network::read(network).expect("a network");
            let address = address.parse().expect("an address");
            assert_eq!(network.contains(address), is_in, "{network:?} {address}");
        }
    }

    #[test]
    fn an_entry_that_is_no_network_is_refused() {
        let rows = [
            "",
            "10.0.0.0/",
            "10.0.0.0/33",
            "10.0.0.0/-1",
            "10.0.0.0/+8",
            "10.0.0/8",
            "::/129",
            "::ffff:10.0.0.0/95",
            "[::1]",
            "10.0.0.7:80",
            "internal.example",
            "10.0.0.0/8/8",
            "10.0.0.0/255.0.0.0",
        ];
        for entry in rows {
            assert!(Network::read(entry).is_err(), "{entry}");
        }
    }
}
