//! The headers in which proxies tell of the request that they have received: `x-forwarded-*` and `forwarded`.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};

use http::header::{FORWARDED, HeaderMap, HeaderName};

use crate::redact;

/// The facts about a request as the outermost trusted proxy has received it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Forwarded<'h> {
    pub(super) client: Option<IpAddr>,
    pub(super) scheme: Option<&'static str>,
    /// A host with or without a port.
    pub(super) host: Option<&'h str>,
}

impl<'h> Forwarded<'h> {
    /// Reads `x-forwarded-for`, `x-forwarded-proto` and `x-forwarded-host`.
    ///
    /// Each proxy adds the address of its caller at the end of `x-forwarded-for`, so the last one comes from the nearest
    /// proxy. `trusts` takes the number of hops to a proxy and its address, and tells whether to believe it.
    ///
    /// The other two have, as a rule, one value for the whole way, so their last value counts.
    pub(super) fn by_x_headers(
        headers: &'h HeaderMap,
        trusts: impl Fn(usize, IpAddr) -> bool,
    ) -> Self {
        let mut client = None;
        for (hop, address) in backwards(headers, &FOR).take(MOST_HOPS).enumerate() {
            let Some(address) = node(address) else { break };
            client = Some(address);
            if !trusts(hop + 1, address) {
                break;
            }
        }
        Self {
            client,
            scheme: backwards(headers, &PROTO).next().and_then(scheme),
            host: backwards(headers, &HOST).next().and_then(host),
        }
    }

    /// Reads `forwarded` (RFC 7239), in which each proxy adds an element with all that it knows.
    pub(super) fn by_standard(
        headers: &'h HeaderMap,
        trusts: impl Fn(usize, IpAddr) -> bool,
    ) -> Self {
        let mut seen = Self::default();
        let values = headers.get_all(FORWARDED).iter().rev();
        let elements = values.flat_map(|value| elements(value.as_bytes()));
        for (hop, element) in elements.take(MOST_HOPS).enumerate() {
            let Some(element) = element else { break };
            let client = element.client.or(seen.client);
            seen = Self { client, ..element };
            if !element.client.is_some_and(|client| trusts(hop + 1, client)) {
                break;
            }
        }
        seen
    }

    /// Reads an element of `forwarded`, or returns `None` if it is malformed.
    fn element(text: &'h str) -> Option<Self> {
        let mut seen = Self::default();
        for pair in split(text, b';')? {
            let pair = pair.trim();
            if pair.is_empty() {
                continue;
            }
            let (name, value) = pair.split_once('=')?;
            let value = unquoted(value)?;
            if name.eq_ignore_ascii_case("for") {
                seen.client = node(value);
            } else if name.eq_ignore_ascii_case("proto") {
                seen.scheme = scheme(value);
            } else if name.eq_ignore_ascii_case("host") {
                seen.host = host(value);
            }
        }
        Some(seen)
    }
}

/// Returns the items of a header that is a list, from the end. One that is no text is empty: the client may have
/// written it, and the proxy has added its own behind it.
fn backwards<'h>(headers: &'h HeaderMap, name: &HeaderName) -> impl Iterator<Item = &'h str> {
    let values = headers.get_all(name).iter().rev();
    values.flat_map(|value| {
        let items = value.as_bytes().rsplit(|byte| *byte == b',');
        items.map(|item| str::from_utf8(item).unwrap_or_default().trim())
    })
}

/// Returns the last [`MOST_HOPS`] elements of a value of `forwarded` or fewer, from the end. A malformed one is `None`.
///
/// The value is read from its end, where the nearest proxy has written: a quote that the client has left open must not
/// take the proxy's element away.
fn elements(value: &[u8]) -> Vec<Option<Forwarded<'_>>> {
    let element = |text| Forwarded::element(str::from_utf8(text).ok()?);
    let (mut elements, mut end, mut is_quoted) = (Vec::new(), value.len(), false);
    for (at, byte) in value.iter().enumerate().rev() {
        if *byte == b'"' {
            is_quoted = !is_quoted;
        } else if *byte == b',' && !is_quoted {
            elements.push(element(&value[at + 1..end]));
            end = at;
            if elements.len() == MOST_HOPS {
                return elements;
            }
        }
    }
    elements.push(element(&value[..end]));
    elements
}

/// Splits a text at a separator outside of quotes, into the last [`MOST_HOPS`] parts or fewer. Returns `None` if a quote
/// stays open.
fn split(text: &str, separator: u8) -> Option<Vec<&str>> {
    let (mut parts, mut start, mut is_quoted) = (Vec::new(), 0, false);
    for (at, byte) in text.bytes().enumerate() {
        if byte == b'"' {
            is_quoted = !is_quoted;
        } else if byte == separator && !is_quoted {
            if parts.len() == MOST_HOPS {
                parts.remove(0);
            }
            parts.push(&text[start..at]);
            start = at + 1;
        }
    }
    parts.push(&text[start..]);
    (!is_quoted).then_some(parts)
}

/// Returns a value without its quotes, or `None` if it has a quote elsewhere, or an escape, which no address and no host
/// needs.
fn unquoted(value: &str) -> Option<&str> {
    let inner = match value.strip_prefix('"') {
        Some(rest) => rest.strip_suffix('"')?,
        None => value,
    };
    (!inner.contains(['"', '\\'])).then_some(inner)
}

/// Reads an address with or without a port. Names such as `unknown` and `_hidden` are none.
fn node(text: &str) -> Option<IpAddr> {
    let bare = || {
        text.strip_prefix('[')?
            .strip_suffix(']')?
            .parse::<Ipv6Addr>()
            .ok()
    };
    let address = text.parse().ok();
    let address = address.or_else(|| {
        text.parse()
            .ok()
            .map(|with_port: SocketAddr| with_port.ip())
    });
    let address = address.or_else(|| bare().map(IpAddr::V6));
    address.map(|address| address.to_canonical())
}

fn scheme(text: &str) -> Option<&'static str> {
    let mut schemes = ["https", "http", "wss", "ws"].into_iter();
    schemes.find(|scheme| scheme.eq_ignore_ascii_case(text))
}

fn host(text: &str) -> Option<&str> {
    (text.len() <= LONGEST_HOST && redact::is_host_and_port(text)).then_some(text)
}

const FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
const HOST: HeaderName = HeaderName::from_static("x-forwarded-host");

/// The number of proxies that are looked at. Real ways are shorter.
const MOST_HOPS: usize = 16;

/// A name of DNS, and a port.
const LONGEST_HOST: usize = 255 + 6;

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn headers(rows: &[(&'static str, &str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in rows {
            let value = HeaderValue::from_bytes(value.as_bytes());
            headers.append(*name, value.expect("a value"));
        }
        headers
    }

    /// Reads headers behind proxies in 10.0.0.0/8.
    fn client(name: &'static str, value: &str) -> String {
        let headers = headers(&[(name, value)]);
        let trusts = |_, address: IpAddr| address.to_string().starts_with("10.");
        let seen = match name {
            "forwarded" => Forwarded::by_standard(&headers, trusts),
            _ => Forwarded::by_x_headers(&headers, trusts),
        };
        seen.client.map_or_else(String::new, |it| it.to_string())
    }

    #[test]
    fn the_client_is_the_last_address_that_is_no_trusted_proxy() {
        let many = ["10.0.0.1"; 40].join(",");
        let rows = [
            ("", ""),
            ("203.0.113.7", "203.0.113.7"),
            ("1.1.1.1, 203.0.113.7", "203.0.113.7"),
            ("1.1.1.1, 203.0.113.7, 10.0.0.2", "203.0.113.7"),
            ("10.0.0.9, 203.0.113.7,10.0.0.2 ,10.0.0.3", "203.0.113.7"),
            ("10.0.0.9, 10.0.0.2", "10.0.0.9"),
            ("garbage, 10.0.0.2", "10.0.0.2"),
            ("1.1.1.1, garbage", ""),
            ("1.1.1.1, unknown", ""),
            ("203.0.113.7:4711", "203.0.113.7"),
            ("2001:db8::7", "2001:db8::7"),
            ("[2001:db8::7]", "2001:db8::7"),
            ("[2001:db8::7]:80", "2001:db8::7"),
            ("::ffff:203.0.113.7", "203.0.113.7"),
            ("[203.0.113.7]", ""),
            ("203.0.113.7, ", ""),
            ("é, 203.0.113.7", "203.0.113.7"),
            ("203.0.113.7, é", ""),
            (&many, "10.0.0.1"),
        ];
        for (value, expected) in rows {
            assert_eq!(client("x-forwarded-for", value), expected, "{value}");
        }
    }

    #[test]
    fn the_standard_header_is_read_from_its_end() {
        let rows = [
            ("", ""),
            ("for=203.0.113.7", "203.0.113.7"),
            ("For=\"203.0.113.7:80\";Proto=https", "203.0.113.7"),
            ("for=\"[2001:db8::7]:80\"", "2001:db8::7"),
            ("for=1.1.1.1, for=203.0.113.7;by=10.0.0.1", "203.0.113.7"),
            ("for=203.0.113.7, for=10.0.0.2", "203.0.113.7"),
            ("for=203.0.113.7, for=_hidden", ""),
            ("for=_hidden, for=10.0.0.2", "10.0.0.2"),
            ("for=203.0.113.7;x=\",;\", for=10.0.0.2", "203.0.113.7"),
            ("for=203.0.113.7, for=\"10.0.0.2", ""),
            ("for=\"1.1.1.1, for=203.0.113.7", "203.0.113.7"),
            ("for=\"1.1.1.1, for=10.0.0.2", "10.0.0.2"),
            ("for=é, for=203.0.113.7", "203.0.113.7"),
            ("for=203.0.113.7, 10.0.0.2", ""),
            ("for=\"a\\\"b\", for=10.0.0.2", "10.0.0.2"),
            ("for=\"\\1.1.1.1\"", ""),
        ];
        for (value, expected) in rows {
            assert_eq!(client("forwarded", value), expected, "{value}");
        }
    }

    #[test]
    fn scheme_and_host_come_from_the_outermost_trusted_proxy() {
        let rows = headers(&[
            ("forwarded", "for=1.1.1.1;host=evil.example"),
            ("forwarded", "for=203.0.113.7;proto=HTTPS;host=shop.example"),
            ("forwarded", "for=10.0.0.2;proto=http;host=\"inner:80\""),
        ]);
        for (hops, scheme, host) in [(1, "http", "inner:80"), (2, "https", "shop.example")] {
            let seen = Forwarded::by_standard(&rows, |hop, _| hop < hops);
            assert_eq!(seen.scheme, Some(scheme), "{hops}");
            assert_eq!(seen.host, Some(host), "{hops}");
        }
    }

    #[test]
    fn a_scheme_or_a_host_that_is_none_is_not_read() {
        let long = "a".repeat(LONGEST_HOST + 1);
        let rows = [
            (
                "https",
                "shop.example:8443",
                Some("https"),
                Some("shop.example:8443"),
            ),
            ("http, wss", "evil, shop", Some("wss"), Some("shop")),
            ("javascript", "shop/path?token=1", None, None),
            ("", "", None, None),
            ("https://", "user:password@shop", None, None),
            ("ftp", &long, None, None),
        ];
        for (proto, host, scheme, expected) in rows {
            let headers = headers(&[("x-forwarded-proto", proto), ("x-forwarded-host", host)]);
            let seen = Forwarded::by_x_headers(&headers, |_, _| true);
            assert_eq!(
                (seen.scheme, seen.host),
                (scheme, expected),
                "{proto} {host}"
            );
        }
    }
}
