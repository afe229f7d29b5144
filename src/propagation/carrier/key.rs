use std::fmt;

/// A header name in lower case, checked once so that each use is cheap.
///
/// With the feature `http` it also holds the `http::HeaderName`.
///
/// ```
/// use tracehound::propagation::Key;
///
/// let key = Key::new("X-Request-Id")?;
/// assert_eq!(key.as_str(), "x-request-id");
/// assert!(Key::new("two words").is_err());
/// # Ok::<(), tracehound::propagation::InvalidKey>(())
/// ```
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Key {
    text: Box<str>,
    #[cfg(feature = "http")]
    header_name: http::HeaderName,
}

impl Key {
    /// Checks a header name and turns it into lower case.
    ///
    /// # Errors
    ///
    /// Fails if `name` is empty or holds a character that HTTP does not allow in a header name.
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

    /// Returns the key of a legal name in lower case.
    ///
    /// A static `HeaderName` has no reference count, so threads that inject share no cache line.
    pub(crate) fn from_static(name: &'static str) -> Self {
        Self {
            text: name.into(),
            #[cfg(feature = "http")]
            header_name: http::HeaderName::from_static(name),
        }
    }

    /// Returns the name in lower case.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Returns whether `name`, in any case, is this name.
    #[inline]
    pub(in crate::propagation) fn matches(&self, name: &str) -> bool {
        // Nearly all names come in lower case, and the lengths of most differ.
        name.len() == self.text.len()
            && (is_same(name.as_bytes(), self.text.as_bytes()) || self.matches_in_any_case(name))
    }

    #[cold]
    #[inline(never)]
    fn matches_in_any_case(&self, name: &str) -> bool {
        name.eq_ignore_ascii_case(&self.text)
    }

    /// Returns the rest of a name that begins with this one, in any case.
    #[inline]
    pub(in crate::propagation) fn rest_of<'n>(&self, name: &'n str) -> Option<&'n str> {
        let (start, rest) = name.split_at_checked(self.text.len())?;
        self.matches(start).then_some(rest)
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

/// The error of [`Key::new`]: a text is not a header name.
///
/// ```
/// use tracehound::propagation::Key;
///
/// let error = Key::new("two words").expect_err("a blank");
/// println!("{error}");
/// ```
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

/// Compares two texts of one length. One of 8 to 16 bytes, as most of our names are, is compared by its two ends, which
/// overlap: that saves a call.
#[inline]
fn is_same(this: &[u8], other: &[u8]) -> bool {
    if this.len() <= 16
        && let (Some(start), Some(end)) = (this.first_chunk::<8>(), this.last_chunk::<8>())
        && let (Some(other_start), Some(other_end)) = (other.first_chunk(), other.last_chunk())
    {
        start == other_start && end == other_end
    } else {
        this == other
    }
}

/// Returns whether a header name may hold `byte`: RFC 9110's `tchar`.
pub(crate) const fn is_token(byte: u8) -> bool {
    TOKENS[byte as usize]
}

const TOKENS: [bool; 256] = {
    let mut table = [false; 256];
    let mut byte = 0;
    while byte < 256 {
        table[byte] = is_tchar(byte as u8);
        byte += 1;
    }
    table
};

const fn is_tchar(byte: u8) -> bool {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_that_is_no_header_name_is_refused_by_name() {
        for text in ["", "two words", "a:b", "é", "a\n"] {
            let error = Key::new(text).expect_err(text).to_string();
            assert_eq!(error, format!("expected a header name, found {text:?}"));
        }
        for text in ["a", "X-Api_Key.1", "!#$%&'*+-.^_`|~"] {
            assert!(Key::new(text).is_ok(), "{text}");
        }
    }
}
