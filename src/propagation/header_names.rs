use crate::propagation::{InvalidKey, Key};

/// The names of Jaeger's four headers.
///
/// Matched without regard to case, written in lower case.
///
/// | header | name |
/// |---|---|
/// | the trace | `uber-trace-id` |
/// | a baggage item | `uberctx-` and its key |
/// | the debug id | `jaeger-debug-id` |
/// | baggage in one header, by hand | `jaeger-baggage` |
///
/// ```
/// use tracehound::propagation::{HeaderNames, JaegerCodec};
///
/// let names = HeaderNames::default()
///     .trace_id("X-Shop-Trace")?
///     .baggage_prefix("X-Shop-Ctx-")?;
/// let codec = JaegerCodec::http_headers().header_names(names);
/// # Ok::<(), tracehound::propagation::InvalidKey>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeaderNames {
    trace_id: Key,
    baggage_prefix: Key,
    debug_id: Key,
    baggage: Key,
    /// A bit for the first letter of each, by the low five bits of the letter.
    initials: u32,
}

/// What a header is to us.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Role {
    /// Nothing.
    Foreign,
    /// The trace header and nothing else.
    Trace,
    /// Any of the others, or several.
    Other,
}

impl Default for HeaderNames {
    fn default() -> Self {
        Self {
            trace_id: Key::from_static("uber-trace-id"),
            baggage_prefix: Key::from_static("uberctx-"),
            debug_id: Key::from_static("jaeger-debug-id"),
            baggage: Key::from_static("jaeger-baggage"),
            initials: 0,
        }
        .with_initials()
    }
}

impl HeaderNames {
    /// The header with the trace. Defaults to `uber-trace-id`.
    ///
    /// # Errors
    ///
    /// When `name` is not a header name.
    pub fn trace_id(self, name: &str) -> Result<Self, InvalidKey> {
        let trace_id = Key::new(name)?;
        Ok(Self { trace_id, ..self }.with_initials())
    }

    /// What the headers with baggage items begin with. Defaults to `uberctx-`.
    ///
    /// # Errors
    ///
    /// When `prefix` is empty or no header name can begin so.
    pub fn baggage_prefix(self, prefix: &str) -> Result<Self, InvalidKey> {
        let baggage_prefix = Key::new(prefix)?;
        Ok(Self {
            baggage_prefix,
            ..self
        }
        .with_initials())
    }

    /// The header with which a caller asks for a debug trace. Defaults to `jaeger-debug-id`.
    ///
    /// # Errors
    ///
    /// When `name` is not a header name.
    pub fn debug_id(self, name: &str) -> Result<Self, InvalidKey> {
        let debug_id = Key::new(name)?;
        Ok(Self { debug_id, ..self }.with_initials())
    }

    /// The header with which a caller sets baggage by hand, as in `jaeger-baggage: user=42, cart=7`.
    /// Defaults to `jaeger-baggage`.
    ///
    /// # Errors
    ///
    /// When `name` is not a header name.
    pub fn baggage(self, name: &str) -> Result<Self, InvalidKey> {
        let baggage = Key::new(name)?;
        Ok(Self { baggage, ..self }.with_initials())
    }

    pub(super) fn trace_id_key(&self) -> &Key {
        &self.trace_id
    }

    pub(super) fn prefix(&self) -> &str {
        self.baggage_prefix.as_str()
    }

    pub(super) fn debug_id_key(&self) -> &Key {
        &self.debug_id
    }

    pub(super) fn baggage_key(&self) -> &Key {
        &self.baggage
    }

    /// What a header of that name, which is in lower case, is to us.
    #[inline]
    pub(super) fn role_of(&self, name: &str) -> Role {
        match name.as_bytes().first() {
            Some(first) if self.initials & bit_of(*first) != 0 => self.role_of_likely(name),
            _ => Role::Foreign,
        }
    }

    #[inline(never)]
    fn role_of_likely(&self, name: &str) -> Role {
        if name == self.debug_id.as_str() || name == self.baggage.as_str() {
            Role::Other
        } else if name == self.trace_id.as_str() {
            Role::Trace
        } else if begins_with(name, self.prefix()) {
            Role::Other
        } else {
            Role::Foreign
        }
    }

    fn with_initials(mut self) -> Self {
        let keys = [
            &self.trace_id,
            &self.baggage_prefix,
            &self.debug_id,
            &self.baggage,
        ];
        self.initials = keys
            .iter()
            .filter_map(|key| key.as_str().bytes().next())
            .fold(0, |initials, first| initials | bit_of(first));
        self
    }

    /// Whether the prefix and `rest` are together one of the other three headers, and so no baggage item.
    pub(super) fn are_taken_by(&self, rest: &str) -> bool {
        [&self.trace_id, &self.debug_id, &self.baggage]
            .into_iter()
            .filter_map(|key| key.as_str().strip_prefix(self.prefix()))
            .any(|own| own.eq_ignore_ascii_case(rest))
    }
}

/// Byte by byte: nearly all names differ in the second, and a call to compare would cost more.
fn begins_with(name: &str, prefix: &str) -> bool {
    name.len() >= prefix.len() && name.bytes().zip(prefix.bytes()).all(|(a, b)| a == b)
}

/// Most headers differ from ours in it.
const fn bit_of(first: u8) -> u32 {
    1 << (first & 0x1f)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_lower_cased_and_illegal_ones_refused() {
        let names = HeaderNames::default().trace_id("My-Trace").expect("legal");
        assert_eq!(names.trace_id_key().as_str(), "my-trace");
        for illegal in ["", "a b", "a:b", "é", "a\n", "a\0", "(a)"] {
            let names = HeaderNames::default;
            assert!(names().trace_id(illegal).is_err(), "{illegal:?}");
            assert!(names().baggage_prefix(illegal).is_err(), "{illegal:?}");
            assert!(names().debug_id(illegal).is_err(), "{illegal:?}");
            assert!(names().baggage(illegal).is_err(), "{illegal:?}");
        }
    }

    #[test]
    fn a_prefix_of_the_other_headers_does_not_make_them_baggage() {
        let names = HeaderNames::default()
            .baggage_prefix("uber-")
            .expect("legal");
        assert!(names.are_taken_by("Trace-Id"));
        assert!(!names.are_taken_by("trace"));
        assert!(!HeaderNames::default().are_taken_by("trace-id"));
    }
}
