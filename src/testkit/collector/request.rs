use std::borrow::Cow;

use crate::decode::unpacked;

/// A request that a [`MockCollector`](crate::testkit::MockCollector) got.
///
/// ```
/// use std::io::{Read, Write};
/// use std::net::TcpStream;
/// use tracehound::testkit::MockCollector;
///
/// let collector = MockCollector::start()?;
/// let mut connection = TcpStream::connect(collector.address())?;
/// connection.write_all(b"GET /sampling?service=shop HTTP/1.1\r\nConnection: close\r\n\r\n")?;
/// connection.read_to_string(&mut String::new())?;
///
/// let request = &collector.requests()[0];
/// assert_eq!((request.method(), request.path()), ("GET", "/sampling"));
/// assert_eq!(request.target(), "/sampling?service=shop");
/// assert_eq!(request.header("connection"), Some("close"));
/// assert!(request.body().is_empty());
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ReceivedRequest {
    pub(super) method: String,
    pub(super) target: String,
    pub(super) headers: Vec<(String, String)>,
    pub(super) body: Vec<u8>,
}

impl ReceivedRequest {
    /// Returns the method, such as `POST`.
    pub fn method(&self) -> &str {
        &self.method
    }

    /// Returns the target as it came, with its query.
    pub fn target(&self) -> &str {
        &self.target
    }

    /// Returns the path, without the query.
    pub fn path(&self) -> &str {
        self.target.split('?').next().unwrap_or_default()
    }

    /// Returns the first header of this name, in any case of letters.
    pub fn header(&self, name: &str) -> Option<&str> {
        let is_it = |(known, _): &&(String, String)| known.eq_ignore_ascii_case(name);
        let header = self.headers.iter().find(is_it);
        header.map(|(_, value)| value.as_str())
    }

    /// Returns all headers, in their order.
    ///
    /// ```
    /// use tracehound::testkit::ReceivedRequest;
    ///
    /// fn has_secrets(request: &ReceivedRequest) -> bool {
    ///     request.headers().any(|(name, _)| name.eq_ignore_ascii_case("authorization"))
    /// }
    ///
    /// assert!(!has_secrets(&ReceivedRequest::default()));
    /// ```
    pub fn headers(&self) -> impl Iterator<Item = (&str, &str)> {
        let headers = self.headers.iter();
        headers.map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// Returns the body as it came: packed, if the client has packed it.
    pub fn body(&self) -> &[u8] {
        &self.body
    }

    /// Returns the body as the client had it before it was packed with gzip.
    ///
    /// # Errors
    ///
    /// Returns why it cannot be unpacked.
    pub(super) fn unpacked_body(&self) -> Result<Cow<'_, [u8]>, String> {
        let unpacked = unpacked(self.header("content-encoding"), &self.body, MAX_BODY);
        unpacked.map_err(|refusal| refusal.to_string())
    }

    pub(super) fn wants_close(&self) -> bool {
        self.header("connection")
            .is_some_and(|value| value.eq_ignore_ascii_case("close"))
    }

    /// Returns about how many bytes it takes.
    pub(super) fn size(&self) -> usize {
        let headers = self.headers.iter();
        let headers: usize = headers.map(|(name, value)| name.len() + value.len()).sum();
        size_of::<Self>() + self.target.len() + headers + self.body.len()
    }
}

/// The largest body, packed or not.
pub(super) const MAX_BODY: usize = 16 << 20;
