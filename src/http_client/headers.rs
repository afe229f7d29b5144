use std::fmt;

use ureq::http::header::{self, HeaderName};
use ureq::http::{HeaderMap, HeaderValue};

/// The headers that a user adds to requests, checked.
///
/// `Debug` shows names alone.
#[derive(Clone, Default)]
pub(crate) struct RequestHeaders {
    map: HeaderMap,
}

impl RequestHeaders {
    /// Sets a header. A later value replaces an earlier one of the same name.
    ///
    /// # Errors
    ///
    /// See [`InvalidHeader`]. `is_private` says whether nobody on the way can read the request.
    pub(crate) fn set(
        &mut self,
        name: &str,
        value: &str,
        is_private: bool,
    ) -> Result<(), InvalidHeader> {
        let name: HeaderName = name.parse().map_err(|_| InvalidHeader::Name)?;
        let mut value = HeaderValue::from_str(value).map_err(|_| InvalidHeader::Value)?;
        if RESERVED.contains(&name) {
            return Err(InvalidHeader::Reserved);
        }
        let is_secret = is_secret(name.as_str());
        if is_secret && !is_private {
            return Err(InvalidHeader::ExposedCredentials);
        }
        value.set_sensitive(is_secret);
        self.map.insert(name, value);
        Ok(())
    }

    /// Sets a header that the user has not set.
    pub(super) fn set_default(&mut self, name: HeaderName, value: &'static str) {
        self.map
            .entry(name)
            .or_insert(HeaderValue::from_static(value));
    }

    /// Returns whether one of them holds a secret.
    pub(crate) fn hold_secret(&self) -> bool {
        self.map.values().any(HeaderValue::is_sensitive)
    }

    /// Returns the names and the values.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&HeaderName, &HeaderValue)> {
        self.map.iter()
    }
}

impl fmt::Debug for RequestHeaders {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.map.keys()).finish()
    }
}

/// Returns whether a header of this lower-case name holds a secret.
fn is_secret(name: &str) -> bool {
    SECRET_NAMES.contains(&name) || SECRET_ENDINGS.iter().any(|ending| name.ends_with(ending))
}

/// Names that the request itself has.
const RESERVED: [HeaderName; 7] = [
    header::CONNECTION,
    header::CONTENT_ENCODING,
    header::CONTENT_LENGTH,
    header::CONTENT_TYPE,
    header::EXPECT,
    header::TRANSFER_ENCODING,
    header::UPGRADE,
];

/// Standard names, and those by which vendors take keys that no ending tells.
const SECRET_NAMES: [&str; 7] = [
    "authorization",
    "proxy-authorization",
    "cookie",
    "apikey",
    "uptrace-dsn",
    "x-honeycomb-team",
    "x-sentry-auth",
];

/// The endings of names such as `x-api-key`, `api-key`, `x-honeycomb-team-token` and `client-secret`.
const SECRET_ENDINGS: [&str; 4] = ["-key", "-token", "-secret", "-password"];

/// The error of a header that a request cannot carry.
///
/// It repeats neither the name nor the value, which may be a secret.
///
/// ```
/// # #[cfg(feature = "otlp")] {
/// use tracehound::reporter::sender::{InvalidHeader, OtlpSender};
///
/// let sender = || OtlpSender::new("http://localhost:4318").expect("a URL");
/// let error_of = |name, value| sender().header(name, value).err();
/// assert_eq!(error_of("x tenant", "acme"), Some(InvalidHeader::Name));
/// assert_eq!(error_of("x-tenant", "ac\nme"), Some(InvalidHeader::Value));
/// assert_eq!(error_of("content-length", "7"), Some(InvalidHeader::Reserved));
/// # }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum InvalidHeader {
    /// The name is not a token of HTTP: it is empty, or has a blank, a separator or a character beyond ASCII.
    Name,
    /// The value has a control character, such as a line break.
    Value,
    /// The request sets this header itself: `content-type`, `content-length` and other headers about the message.
    Reserved,
    /// The header holds a secret, which `http` would send in the clear to another host. Use `https`.
    ExposedCredentials,
}

impl fmt::Display for InvalidHeader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Name => "expected the name of a header, such as x-scope-orgid",
            Self::Value => "expected the value of a header, without line breaks",
            Self::Reserved => "the request sets this header itself",
            Self::ExposedCredentials => "http would send a secret in the clear: use https",
        })
    }
}

impl std::error::Error for InvalidHeader {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_that_a_request_cannot_carry_is_refused() {
        for (name, value, expected) in [
            ("", "x", InvalidHeader::Name),
            ("a b", "x", InvalidHeader::Name),
            ("é", "x", InvalidHeader::Name),
            ("a", "x\r\nb: c", InvalidHeader::Value),
            ("a", "\0", InvalidHeader::Value),
            ("Content-Length", "0", InvalidHeader::Reserved),
            ("transfer-encoding", "chunked", InvalidHeader::Reserved),
        ] {
            let mut headers = RequestHeaders::default();
            assert_eq!(headers.set(name, value, true), Err(expected), "{name:?}");
            assert_eq!(headers.iter().count(), 0);
        }
    }

    #[test]
    fn a_secret_goes_out_in_private_only_and_is_never_shown() {
        for name in [
            "Authorization",
            "cookie",
            "x-api-key",
            "api-key",
            "x-auth-token",
            "client-secret",
            "X-Honeycomb-Team",
        ] {
            let mut headers = RequestHeaders::default();
            let exposed = headers.set(name, "hunter2", false);
            assert_eq!(exposed, Err(InvalidHeader::ExposedCredentials), "{name}");
            headers.set(name, "hunter2", true).expect(name);
            assert!(!format!("{headers:?}").contains("hunter2"), "{name}");
            assert!(headers.iter().all(|(_, value)| value.is_sensitive()));
        }
        let mut headers = RequestHeaders::default();
        headers
            .set("X-Scope-OrgID", "a", false)
            .expect("not a secret");
        headers
            .set("x-scope-orgid", "b", false)
            .expect("not a secret");
        let values: Vec<_> = headers.iter().map(|(_, value)| value.clone()).collect();
        assert_eq!(values, ["b"]);
    }
}
