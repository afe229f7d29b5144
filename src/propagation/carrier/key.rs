use std::fmt;

/// The name of a header that is read or written often: lower-case text, and with the feature `http` the ready-made
/// `HeaderName`.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Key {
    text: Box<str>,
    #[cfg(feature = "http")]
    header_name: http::HeaderName,
}

impl Key {
    /// Lower-cases a header name.
    ///
    /// # Errors
    ///
    /// When `name` is empty or has characters that HTTP does not allow in a header name.
    pub fn new(name: &str) -> Result<Self, InvalidKey> {
        if name.is_empty() || !name.bytes().all(is_token) {
            return Err(InvalidKey {
                name: name.to_owned(),
            });
        }
        let text = name.to_ascii_lowercase();
        Ok(Self {
            #[cfg(feature = "http")]
            header_name: http::HeaderName::from_bytes(text.as_bytes()).map_err(|_| InvalidKey {
                name: name.to_owned(),
            })?,
            text: text.into(),
        })
    }

    /// A name of our own, which is legal and in lower case. Its `HeaderName` is cloned without counting references,
    /// so that threads that inject share no cache line.
    pub(crate) fn from_static(name: &'static str) -> Self {
        Self {
            text: name.into(),
            #[cfg(feature = "http")]
            header_name: http::HeaderName::from_static(name),
        }
    }

    /// The name in lower case.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    #[cfg(feature = "http")]
    pub(crate) fn header_name(&self) -> &http::HeaderName {
        &self.header_name
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Key({})", self.text)
    }
}

/// A text that is not a header name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InvalidKey {
    name: String,
}

impl fmt::Display for InvalidKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "expected a header name, found {:?}", self.name)
    }
}

impl std::error::Error for InvalidKey {}

/// RFC 9110's `tchar`.
pub(crate) const fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric()
        || matches!(
            byte,
            b'!' | b'#'
                | b'$'
                | b'%'
                | b'&'
                | b'\''
                | b'*'
                | b'+'
                | b'-'
                | b'.'
                | b'^'
                | b'_'
                | b'`'
                | b'|'
                | b'~'
        )
}
