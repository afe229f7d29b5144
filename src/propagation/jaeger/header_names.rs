#[cfg(feature = "http")]
use std::hash::{Hash, Hasher};

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
    letters: FirstLetters,
    /// Whether [`FirstLetters::may_match`] finds all of them.
    #[cfg(feature = "http")]
    are_custom: bool,
}

/// For the first letters of all names, and for the second ones, a bit by the low five bits of the letter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub(in crate::propagation) struct FirstLetters([u32; 2]);

/// What a header is to us.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(in crate::propagation) enum HeaderKind {
    /// Nothing.
    Unrelated,
    /// The trace header, whatever else has that name.
    Trace,
    /// Any of the others, or several.
    Other,
}

const PREFIX: &str = "uberctx-";

impl Default for HeaderNames {
    fn default() -> Self {
        Self {
            trace_id: Key::from_static("uber-trace-id"),
            baggage_prefix: Key::from_static(PREFIX),
            debug_id: Key::from_static("jaeger-debug-id"),
            baggage: Key::from_static("jaeger-baggage"),
            letters: FirstLetters::default(),
            #[cfg(feature = "http")]
            are_custom: false,
        }
        .with_lookup()
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
        Ok(Self { trace_id, ..self }.with_lookup())
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
        .with_lookup())
    }

    /// The header with which a caller asks for a debug trace. Defaults to `jaeger-debug-id`.
    ///
    /// # Errors
    ///
    /// When `name` is not a header name.
    pub fn debug_id(self, name: &str) -> Result<Self, InvalidKey> {
        let debug_id = Key::new(name)?;
        Ok(Self { debug_id, ..self }.with_lookup())
    }

    /// The header with which a caller sets baggage by hand, as in `jaeger-baggage: user=42, cart=7`.
    /// Defaults to `jaeger-baggage`.
    ///
    /// # Errors
    ///
    /// When `name` is not a header name.
    pub fn baggage(self, name: &str) -> Result<Self, InvalidKey> {
        let baggage = Key::new(name)?;
        Ok(Self { baggage, ..self }.with_lookup())
    }

    pub(in crate::propagation) fn trace_id_key(&self) -> &Key {
        &self.trace_id
    }

    pub(in crate::propagation) fn prefix(&self) -> &str {
        self.baggage_prefix.as_str()
    }

    pub(in crate::propagation) fn debug_id_key(&self) -> &Key {
        &self.debug_id
    }

    pub(in crate::propagation) fn baggage_key(&self) -> &Key {
        &self.baggage
    }

    pub(in crate::propagation) fn letters(&self) -> FirstLetters {
        self.letters
    }

    /// What a header of that name, in any case, is to us.
    #[inline]
    pub(in crate::propagation) fn kind_of(&self, name: &str) -> HeaderKind {
        if is_same(name, self.trace_id.as_str()) {
            HeaderKind::Trace
        } else {
            self.kind_of_other(name)
        }
    }

    /// Whether a header of that name, in any case, must go before a context is written.
    pub(in crate::propagation) fn is_stale(&self, name: &str, keeps_trace: bool) -> bool {
        if self.letters.rule_out(name.as_bytes()) {
            return false;
        }
        match self.kind_of(name) {
            HeaderKind::Unrelated => false,
            HeaderKind::Trace => !keeps_trace,
            HeaderKind::Other => true,
        }
    }

    #[inline(never)]
    fn kind_of_other(&self, name: &str) -> HeaderKind {
        let is = |own: &Key| name.eq_ignore_ascii_case(own.as_str());
        if is(&self.trace_id) {
            HeaderKind::Trace
        } else if is(&self.debug_id) || is(&self.baggage) || begins_with(name, self.prefix()) {
            HeaderKind::Other
        } else {
            HeaderKind::Unrelated
        }
    }

    fn with_lookup(mut self) -> Self {
        let keys = [
            &self.trace_id,
            &self.baggage_prefix,
            &self.debug_id,
            &self.baggage,
        ];
        // After a prefix of one letter any other may come.
        let bit_at = |key: &Key, place| match key.as_str().as_bytes().get(place) {
            Some(letter) => bit_of(*letter),
            None => u32::MAX,
        };
        self.letters = FirstLetters(
            [0, 1].map(|place| keys.iter().fold(0, |bits, key| bits | bit_at(key, place))),
        );
        #[cfg(feature = "http")]
        {
            let is_found = |key: &Key| self.letters.may_match(key.header_name());
            // No name that http has a number for begins with this prefix.
            self.are_custom = self.prefix() == PREFIX && keys.into_iter().all(is_found);
        }
        self
    }

    /// Whether a header of that name may be something to us.
    #[cfg(feature = "http")]
    #[inline(always)]
    pub(in crate::propagation) fn may_match(&self, name: &http::HeaderName) -> bool {
        if self.are_custom {
            self.letters.may_match(name)
        } else {
            !self.letters.rule_out(name.as_str().as_bytes())
        }
    }

    /// Whether the prefix and `rest` are together one of the other three headers, and so no baggage item.
    pub(in crate::propagation) fn is_reserved(&self, rest: &str) -> bool {
        [&self.trace_id, &self.debug_id, &self.baggage]
            .into_iter()
            .filter_map(|key| key.as_str().strip_prefix(self.prefix()))
            .any(|own| own.eq_ignore_ascii_case(rest))
    }
}

impl FirstLetters {
    /// Whether a header of that name, in any case, is nothing to us for certain. Most differ from ours in the first
    /// letter, and nearly all of the others in the second.
    #[inline]
    pub(in crate::propagation) fn rule_out(self, name: &[u8]) -> bool {
        match name {
            [first, ..] if self.0[0] & bit_of(*first) == 0 => true,
            [_, second, ..] => self.0[1] & bit_of(*second) == 0,
            _ => false,
        }
    }

    /// Whether a header of that name may be something to us, as far as the name is hashed letter by letter. http hashes
    /// those that it has a number for, as most headers of a request, by the number: they are told from others without a
    /// look at any letter.
    #[cfg(feature = "http")]
    #[inline(always)]
    fn may_match(self, name: &http::HeaderName) -> bool {
        let mut look = HashProbe {
            letters: self,
            may_match: false,
        };
        name.hash(&mut look);
        look.may_match
    }
}

/// Looks at what a header name is hashed by.
#[cfg(feature = "http")]
struct HashProbe {
    letters: FirstLetters,
    may_match: bool,
}

#[cfg(feature = "http")]
impl Hasher for HashProbe {
    #[inline(always)]
    fn write(&mut self, letters: &[u8]) {
        self.may_match |= !self.letters.rule_out(letters);
    }

    /// Numbers are no letters.
    #[inline(always)]
    fn write_isize(&mut self, _: isize) {}

    fn finish(&self) -> u64 {
        u64::from(self.may_match)
    }
}

/// Compares names of the usual length, 8 to 16 bytes, without a call: by their first and their last eight.
#[inline(always)]
fn is_same(name: &str, own: &str) -> bool {
    let (name, own) = (name.as_bytes(), own.as_bytes());
    if name.len() != own.len() {
        return false;
    }
    if own.len() > 16 {
        return name == own;
    }
    match (name.first_chunk::<8>(), own.first_chunk::<8>()) {
        (Some(first), Some(own_first)) => {
            first == own_first && name.last_chunk::<8>() == own.last_chunk::<8>()
        }
        _ => name == own,
    }
}

/// In any case.
fn begins_with(name: &str, prefix: &str) -> bool {
    let start = name.as_bytes().get(..prefix.len());
    start.is_some_and(|start| start.eq_ignore_ascii_case(prefix.as_bytes()))
}

/// The same for both cases of a letter.
const fn bit_of(letter: u8) -> u32 {
    1 << (letter & 0x1f)
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
    fn names_are_the_same_if_all_their_bytes_are() {
        for len in 0..20 {
            let own = "n".repeat(len);
            assert!(is_same(&own, &own.clone()));
            assert!(!is_same(&own, &"n".repeat(len + 1)));
            for place in 0..len {
                let mut other = own.clone();
                other.replace_range(place..=place, "m");
                assert!(!is_same(&other, &own), "{other}");
            }
        }
    }

    #[test]
    fn a_prefix_of_the_other_headers_does_not_make_them_baggage() {
        let names = HeaderNames::default()
            .baggage_prefix("uber-")
            .expect("legal");
        assert!(names.is_reserved("Trace-Id"));
        assert!(!names.is_reserved("trace"));
        assert!(!HeaderNames::default().is_reserved("trace-id"));
    }
}
