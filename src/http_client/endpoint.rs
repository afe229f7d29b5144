use std::fmt;

#[cfg(feature = "_upload")]
use percent_encoding::percent_decode_str;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use ureq::http::Uri;

use crate::redact;

/// The URL of a server that the tracer asks, checked.
///
/// `Debug` and `Display` show no credentials and no values of the query.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Endpoint {
    /// Everything before the query. Has a path.
    base: String,
    /// The query as the user wrote it, without `?`.
    query: Option<String>,
    /// The base without credentials.
    shown: String,
}

impl Endpoint {
    /// Reads a URL such as `http://localhost:5778/sampling`. A query is kept, a fragment is not.
    ///
    /// # Errors
    ///
    /// See [`InvalidEndpoint`].
    pub(crate) fn parse(url: &str) -> Result<Self, InvalidEndpoint> {
        let url = url.trim();
        let uri: Uri = url.parse().map_err(|_| InvalidEndpoint::NotAUrl)?;
        if has_zone(url) {
            return Err(InvalidEndpoint::Zone);
        }
        let scheme = match uri.scheme_str() {
            Some("http") => "http",
            Some("https") if cfg!(feature = "tls") => "https",
            Some("https") => return Err(InvalidEndpoint::TlsMissing),
            Some(_) => return Err(InvalidEndpoint::UnknownScheme),
            None => return Err(InvalidEndpoint::NotAUrl),
        };
        let authority = uri.authority().ok_or(InvalidEndpoint::NotAUrl)?.as_str();
        let (user, host) = match authority.rsplit_once('@') {
            Some((user, host)) => (Some(user), host),
            None => (None, authority),
        };
        if !has_valid_port(host, uri.host().unwrap_or_default()) {
            return Err(InvalidEndpoint::NotAUrl);
        }
        if user.is_some() && !is_private(&uri) {
            return Err(InvalidEndpoint::ExposedCredentials);
        }
        let path = match uri.path() {
            "" => "/",
            path => path,
        };
        Ok(Self {
            base: format!("{scheme}://{authority}{path}"),
            query: uri.query().map(str::to_owned),
            shown: format!("{scheme}://{host}{path}"),
        })
    }

    fn with_query(&self, base: &str, pairs: &[(&str, &str)]) -> String {
        let own = self.query.as_deref().unwrap_or_default().split('&');
        let is_replaced = |kept: &str| {
            let name = kept.split('=').next().unwrap_or(kept);
            pairs.iter().any(|(other, _)| *other == name)
        };
        let own = own.filter(|kept| !kept.is_empty() && !is_replaced(kept));
        let mut url = base.to_owned();
        let mut separator = '?';
        let mut push = |pair: &str| {
            url.push(separator);
            url.push_str(pair);
            separator = '&';
        };
        own.for_each(&mut push);
        for (name, value) in pairs {
            push(&format!("{name}={}", utf8_percent_encode(value, RESERVED)));
        }
        url
    }
}

/// Parts for clients that ask.
#[cfg(feature = "remote-sampler")]
impl Endpoint {
    /// Returns the URL with more pairs in its query. The pairs are percent-encoded, and replace those of the same
    /// names.
    pub(crate) fn url_with(&self, pairs: &[(&str, &str)]) -> String {
        self.with_query(&self.base, pairs)
    }
}

/// Parts for clients that post.
#[cfg(feature = "_upload")]
impl Endpoint {
    /// Like [`parse`](Self::parse), but a URL without any path, not even `/`, gets this one.
    ///
    /// # Errors
    ///
    /// See [`InvalidEndpoint`].
    pub(crate) fn parse_with_path(url: &str, path: &str) -> Result<Self, InvalidEndpoint> {
        let url = url.trim();
        let authority = url.find("://").map_or(0, |scheme| scheme + 3);
        let end = url[authority..].find(['/', '?', '#']);
        let end = end.map_or(url.len(), |length| authority + length);
        let (server, rest) = url.split_at(end);
        if rest.starts_with('/') {
            return Self::parse(url);
        }
        Self::parse(&format!("{server}{path}{rest}"))
    }

    /// Returns the user name and the password of the URL, percent-decoded.
    pub(crate) fn credentials(&self) -> Option<(String, String)> {
        let uri = self.uri()?;
        let (userinfo, _) = uri.authority()?.as_str().rsplit_once('@')?;
        let (user, password) = userinfo.split_once(':').unwrap_or((userinfo, ""));
        let decoded = |part| percent_decode_str(part).decode_utf8_lossy().into_owned();
        Some((decoded(user), decoded(password)))
    }

    /// Returns whether requests are encrypted.
    pub(crate) fn is_encrypted(&self) -> bool {
        self.base.starts_with("https://")
    }

    /// Returns whether the server is on this host.
    pub(crate) fn is_on_this_host(&self) -> bool {
        let uri = self.uri();
        uri.is_some_and(|uri| is_loopback(uri.host().unwrap_or_default()))
    }

    /// Returns the port that the URL names.
    pub(crate) fn port(&self) -> Option<u16> {
        self.uri()?.port_u16()
    }

    fn uri(&self) -> Option<Uri> {
        self.base.parse().ok()
    }

    /// Returns the URL without credentials, and with this pair in its query unless the query has one of that name.
    pub(crate) fn bare_url_with(&self, pair: Option<(&str, &str)>) -> String {
        let own = self.query.as_deref().unwrap_or_default();
        let names = |kept: &str, name: &str| kept.split('=').next() == Some(name);
        let pair = pair.filter(|(name, _)| !own.split('&').any(|kept| names(kept, name)));
        self.with_query(&self.shown, pair.as_slice())
    }
}

impl fmt::Display for Endpoint {
    /// Writes the URL without credentials and query.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // A password with a `/` that is not encoded may have been read as a path.
        f.write_str(&redact::text(&self.shown))
    }
}

impl fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Endpoint({self})")
    }
}

/// Returns whether `authority`, a host with or without a port, has a port that exists.
fn has_valid_port(authority: &str, host: &str) -> bool {
    match authority.strip_prefix(host) {
        _ if host.is_empty() => false,
        Some("") => true,
        Some(port) => port
            .strip_prefix(':')
            .and_then(|port| port.parse::<u16>().ok())
            .is_some_and(|port| port > 0),
        None => false,
    }
}

/// Returns whether the host of a URL is an address of IP version 6 with a zone.
pub(crate) fn has_zone(url: &str) -> bool {
    let address = url.split_once("://").and_then(|(_, rest)| {
        let authority = rest.split(['/', '?', '#']).next()?;
        let (_, address) = authority.rsplit_once('[')?;
        address.split_once(']')
    });
    address.is_some_and(|(address, _)| address.contains('%'))
}

/// Returns whether a request is encrypted or stays on this host.
fn is_private(uri: &Uri) -> bool {
    uri.scheme_str() == Some("https") || is_loopback(uri.host().unwrap_or_default())
}

fn is_loopback(host: &str) -> bool {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    let is_loopback = |address: std::net::IpAddr| address.is_loopback();
    host.eq_ignore_ascii_case("localhost") || bare.parse().is_ok_and(is_loopback)
}

/// All but the characters that RFC 3986 calls unreserved.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

/// The error of a URL that the tracer cannot ask.
///
/// It does not repeat the URL, which may hold a password.
///
/// ```
/// # #[cfg(feature = "otlp")] {
/// use tracehound::reporter::sender::{InvalidEndpoint, OtlpSender};
///
/// let error_of = |endpoint| OtlpSender::new(endpoint).err();
/// assert_eq!(error_of("ftp://localhost:4318"), Some(InvalidEndpoint::UnknownScheme));
/// assert_eq!(error_of("localhost:4318"), Some(InvalidEndpoint::NotAUrl));
/// let exposed = error_of("http://me:secret@otel.example/v1/traces").expect("in the clear");
/// assert_eq!(exposed, InvalidEndpoint::ExposedCredentials);
/// assert!(!exposed.to_string().contains("secret"));
/// # }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum InvalidEndpoint {
    /// The text is not a URL with a scheme and a host, or its port does not exist.
    NotAUrl,
    /// The scheme is neither `http` nor `https`.
    UnknownScheme,
    /// The scheme is `https`, and this build is without the feature `tls`.
    TlsMissing,
    /// The text is not `grpc://host:port` or `grpcs://host:port`, for a server of gRPC.
    NotAGrpcEndpoint,
    /// The host has a zone, as in `http://[fe80::1%25eth0]:5778`, which the crates that make the requests cannot hold. Use
    /// a name or another address.
    Zone,
    /// The URL has a user name or a password, which `http` would send in the clear to another host. Use `https`.
    ExposedCredentials,
}

impl fmt::Display for InvalidEndpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotAUrl => "expected a URL such as http://localhost:5778",
            Self::UnknownScheme => "expected a URL that begins with http:// or https://",
            Self::TlsMissing => "https needs the feature `tls`",
            Self::NotAGrpcEndpoint => "expected a host and a port, such as grpc://localhost:5779",
            Self::Zone => return write!(f, "expected {NO_ZONE}"),
            Self::ExposedCredentials => {
                "http would send the user name and the password in the clear: use https"
            }
        })
    }
}

impl std::error::Error for InvalidEndpoint {}

/// The error for a host with a zone says that this was expected.
pub(crate) const NO_ZONE: &str =
    "a host name, or an address without a zone: a zone such as %25eth0 is not supported in a URL";

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(feature = "remote-sampler")]
    #[test]
    fn a_service_name_is_encoded_behind_the_query_of_the_user() {
        for (endpoint, service, expected) in [
            (
                "http://h:1/sampling",
                "shop",
                "http://h:1/sampling?service=shop",
            ),
            ("http://h:1", "shop", "http://h:1/?service=shop"),
            (
                "http://h/s?a=%20b&c",
                "x y",
                "http://h/s?a=%20b&c&service=x%20y",
            ),
            (
                "http://h/s?service=old&a=1#f",
                "n",
                "http://h/s?a=1&service=n",
            ),
            (
                "http://h/s?",
                "a/b?c#d&e=f+é",
                "http://h/s?service=a%2Fb%3Fc%23d%26e%3Df%2B%C3%A9",
            ),
            (
                "http://[::1]:5778/s",
                "-._~",
                "http://[::1]:5778/s?service=-._~",
            ),
        ] {
            let endpoint = Endpoint::parse(endpoint).expect("a URL");
            assert_eq!(endpoint.url_with(&[("service", service)]), expected);
        }
    }

    #[cfg(feature = "_upload")]
    #[test]
    fn only_a_url_without_a_path_gets_the_usual_one() {
        for (url, expected) in [
            ("http://h:1", "http://h:1/v1/traces"),
            (" http://h ", "http://h/v1/traces"),
            ("http://h?a=1#f", "http://h/v1/traces?a=1"),
            ("http://[::1]:1", "http://[::1]:1/v1/traces"),
            ("http://h:1/", "http://h:1/"),
            ("http://h/x?a=/", "http://h/x?a=/"),
        ] {
            let endpoint = Endpoint::parse_with_path(url, "/v1/traces").expect("a URL");
            assert_eq!(endpoint.bare_url_with(None), expected, "{url}");
        }
        for text in ["", "h:1", "http://", "://", "/x"] {
            let error = Endpoint::parse_with_path(text, "/v1/traces");
            assert_eq!(error, Err(InvalidEndpoint::NotAUrl), "{text}");
        }
    }

    #[cfg(feature = "_upload")]
    #[test]
    fn a_pair_is_added_to_the_query_unless_one_of_its_name_is_there() {
        for (url, expected) in [
            ("http://h/t", "http://h/t?format=x"),
            ("http://h/t?a=1", "http://h/t?a=1&format=x"),
            ("http://h/t?format=y&a", "http://h/t?format=y&a"),
            ("http://h/t?formats=y", "http://h/t?formats=y&format=x"),
        ] {
            let endpoint = Endpoint::parse(url).expect("a URL");
            assert_eq!(endpoint.bare_url_with(Some(("format", "x"))), expected);
        }
    }

    #[cfg(feature = "_upload")]
    #[test]
    fn credentials_are_decoded_and_leave_the_bare_url() {
        for (userinfo, expected) in [
            ("me:secret", ("me", "secret")),
            ("me", ("me", "")),
            ("m%40e:s%3Ae%25", ("m@e", "s:e%")),
            ("me:a:b", ("me", "a:b")),
        ] {
            let endpoint = Endpoint::parse(&format!("http://{userinfo}@localhost:1/s"));
            let endpoint = endpoint.expect("loopback");
            let (user, password) = endpoint.credentials().expect("some");
            assert_eq!((user.as_str(), password.as_str()), expected);
            assert_eq!(endpoint.bare_url_with(None), "http://localhost:1/s");
        }
        let endpoint = Endpoint::parse("http://localhost:1/s").expect("a URL");
        assert_eq!(endpoint.credentials(), None);
        assert_eq!(endpoint.port(), Some(1));
        assert!(endpoint.is_on_this_host() && !endpoint.is_encrypted());
        let other = Endpoint::parse("http://h").expect("a URL");
        assert!(!other.is_on_this_host() && !other.is_encrypted());
    }

    #[test]
    fn a_text_that_is_no_endpoint_is_refused() {
        for (text, expected) in [
            ("", InvalidEndpoint::NotAUrl),
            ("localhost:5778", InvalidEndpoint::NotAUrl),
            ("localhost", InvalidEndpoint::NotAUrl),
            ("/sampling", InvalidEndpoint::NotAUrl),
            ("http://", InvalidEndpoint::NotAUrl),
            ("http://:5778/", InvalidEndpoint::NotAUrl),
            ("http://h:70000/", InvalidEndpoint::NotAUrl),
            ("http://h:0/", InvalidEndpoint::NotAUrl),
            ("http://h:x/", InvalidEndpoint::NotAUrl),
            ("http://a b/", InvalidEndpoint::NotAUrl),
            ("ftp://h/", InvalidEndpoint::UnknownScheme),
            ("unix:///run/agent", InvalidEndpoint::NotAUrl),
            ("http://[fe80::7%25eth0]:5778/", InvalidEndpoint::Zone),
            ("http://[fe80::7%eth0]", InvalidEndpoint::Zone),
            ("http://a b/[::1%1]", InvalidEndpoint::NotAUrl),
            ("http://u:p@h/", InvalidEndpoint::ExposedCredentials),
            ("http://u:p@10.0.0.1/", InvalidEndpoint::ExposedCredentials),
        ] {
            assert_eq!(Endpoint::parse(text), Err(expected), "{text:?}");
        }
        let https = Endpoint::parse("https://u:p@h/s");
        match cfg!(feature = "tls") {
            true => assert!(https.is_ok()),
            false => assert_eq!(https, Err(InvalidEndpoint::TlsMissing)),
        }
    }

    #[test]
    fn a_password_that_is_read_as_a_path_is_not_shown() {
        let endpoint = Endpoint::parse("http://me:1/secret@localhost:4318/v1").expect("a URL");
        assert_eq!(endpoint.to_string(), "http://…@localhost:4318/v1");
    }

    #[cfg(feature = "remote-sampler")]
    #[test]
    fn no_secret_of_an_endpoint_is_shown() {
        for host in ["127.0.0.1", "localhost", "[::1]"] {
            let url = format!("http://me:secret@{host}:1/s?key=secret");
            let endpoint = Endpoint::parse(&url).expect("loopback");
            assert_eq!(endpoint.to_string(), format!("http://{host}:1/s"));
            assert!(!format!("{endpoint:?}").contains("secret"));
            assert!(endpoint.url_with(&[]).contains("me:secret@"));
        }
    }
}
