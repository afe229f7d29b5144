#[cfg(feature = "http")]
use std::hash::{Hash, Hasher};

use crate::propagation::Key;

/// The headers of one format: the trace header, others by name, and all headers with a prefix.
///
/// No program can name this type, so none can call or override a method of a carrier that takes one. Such methods may
/// change with any release.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeaderSet {
    trace: Key,
    others: [Key; 2],
    prefix: Key,
    letters: FirstLetters,
    /// The trace header is [`USUAL_TRACE_HEADER`].
    has_usual_trace: bool,
    /// [`FirstLetters::may_match`] finds every header of the set.
    #[cfg(feature = "http")]
    is_hashed_as_text: bool,
}

/// The relation of a header to a [`HeaderSet`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum HeaderKind {
    /// It is not in the set.
    Unrelated,
    /// It is the trace header, whatever else in the set has the same name.
    Trace,
    /// It is in the set and not the trace header.
    Other,
}

impl HeaderSet {
    pub(in crate::propagation) fn new(trace: Key, others: [Key; 2], prefix: Key) -> Self {
        let letters = FirstLetters::of([&trace, &others[0], &others[1], &prefix]);
        Self {
            #[cfg(feature = "http")]
            is_hashed_as_text: prefix.as_str() == NON_STANDARD_PREFIX
                && [&trace, &others[0], &others[1]]
                    .iter()
                    .all(|key| letters.may_match(key.header_name())),
            has_usual_trace: trace.as_str() == USUAL_TRACE_HEADER,
            trace,
            others,
            prefix,
            letters,
        }
    }

    pub(in crate::propagation) fn trace(&self) -> &Key {
        &self.trace
    }

    /// Returns whether a header of this name, in any case, must be removed before a context is written.
    pub(super) fn is_stale(&self, name: &str, keeps_trace: bool) -> bool {
        if self.rules_out(name) {
            return false;
        }
        match self.kind_of(name) {
            HeaderKind::Unrelated => false,
            HeaderKind::Trace => !keeps_trace,
            HeaderKind::Other => true,
        }
    }

    /// Returns whether a header of this name, in any case, is certainly not in the set.
    #[inline]
    pub(super) fn rules_out(&self, name: &str) -> bool {
        self.letters.rule_out(name.as_bytes())
    }

    /// Returns false if a header of this name is certainly not in the set.
    #[cfg(feature = "http")]
    #[inline]
    pub(super) fn may_match(&self, name: &http::HeaderName) -> bool {
        if self.is_hashed_as_text {
            self.letters.may_match(name)
        } else {
            !self.rules_out(name.as_str())
        }
    }

    /// Returns what a header of this name, in any case, is to the set.
    #[inline]
    pub(super) fn kind_of(&self, name: &str) -> HeaderKind {
        // A name of a known length is compared in place, without a call.
        let is_trace = if self.has_usual_trace {
            name == USUAL_TRACE_HEADER
        } else {
            name == self.trace.as_str()
        };
        if is_trace {
            HeaderKind::Trace
        } else {
            self.kind_in_any_case(name)
        }
    }

    #[inline(never)]
    fn kind_in_any_case(&self, name: &str) -> HeaderKind {
        let is = |own: &Key| name.eq_ignore_ascii_case(own.as_str());
        if is(&self.trace) {
            HeaderKind::Trace
        } else if self.others.iter().any(is) || begins_with(name, self.prefix.as_str()) {
            HeaderKind::Other
        } else {
            HeaderKind::Unrelated
        }
    }
}

/// The trace header of nearly all programs.
const USUAL_TRACE_HEADER: &str = "uber-trace-id";

/// A prefix with which no name begins that http knows as a standard header.
#[cfg(feature = "http")]
const NON_STANDARD_PREFIX: &str = "uberctx-";

/// The first letters of all names in a set, and the second ones: one bit for the low five bits of each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct FirstLetters([u32; 2]);

impl FirstLetters {
    fn of(keys: [&Key; 4]) -> Self {
        // Any letter may follow a prefix of one letter.
        let bit_at = |key: &Key, place| match key.as_str().as_bytes().get(place) {
            Some(letter) => bit_of(*letter),
            None => u32::MAX,
        };
        Self([0, 1].map(|place| keys.iter().fold(0, |bits, key| bits | bit_at(key, place))))
    }

    /// Returns whether a header of this name, in any case, is certainly not in the set. Most headers of a request
    /// differ in the first letter, and nearly all others in the second.
    #[inline]
    fn rule_out(self, name: &[u8]) -> bool {
        match name {
            [first, ..] if self.0[0] & bit_of(*first) == 0 => true,
            [_, second, ..] => self.0[1] & bit_of(*second) == 0,
            _ => false,
        }
    }

    /// Returns whether `name` is hashed as text that is not ruled out.
    ///
    /// http hashes most names of a request by a number, because it knows them as standard headers. So those are told
    /// apart without finding their text, which saves 168 instructions a request. If http hashed names in another way,
    /// the names of the set would not be found here when the set is made, and their text would be used.
    #[cfg(feature = "http")]
    #[inline]
    fn may_match(self, name: &http::HeaderName) -> bool {
        let mut probe = HashProbe {
            letters: self,
            may_match: false,
        };
        name.hash(&mut probe);
        probe.may_match
    }
}

/// A hasher that looks at the bytes that it should hash.
#[cfg(feature = "http")]
struct HashProbe {
    letters: FirstLetters,
    may_match: bool,
}

#[cfg(feature = "http")]
impl Hasher for HashProbe {
    #[inline]
    fn write(&mut self, text: &[u8]) {
        self.may_match |= !self.letters.rule_out(text);
    }

    /// A number stands for a standard header.
    #[inline]
    fn write_isize(&mut self, _: isize) {}

    fn finish(&self) -> u64 {
        u64::from(self.may_match)
    }
}

fn begins_with(name: &str, prefix: &str) -> bool {
    let start = name.as_bytes().get(..prefix.len());
    start.is_some_and(|start| start.eq_ignore_ascii_case(prefix.as_bytes()))
}

/// Both cases of a letter have one bit.
const fn bit_of(letter: u8) -> u32 {
    1 << (letter & 0x1f)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(trace: &str) -> HeaderSet {
        let key = |name| Key::new(name).expect("legal");
        HeaderSet::new(key(trace), [key("debug"), key("list")], key("ctx-"))
    }

    #[test]
    fn the_kind_of_a_header_does_not_depend_on_its_case() {
        for trace in ["uber-trace-id", "t", "x-a-longer-trace-header"] {
            let set = set(trace);
            for (name, kind) in [
                (trace, HeaderKind::Trace),
                ("debug", HeaderKind::Other),
                ("list", HeaderKind::Other),
                ("ctx-", HeaderKind::Other),
                ("ctx-user", HeaderKind::Other),
                ("ctx", HeaderKind::Unrelated),
                ("debugs", HeaderKind::Unrelated),
                ("", HeaderKind::Unrelated),
            ] {
                assert_eq!(set.kind_of(name), kind, "{trace}: {name}");
                let name = name.to_uppercase();
                assert_eq!(set.kind_of(&name), kind, "{trace}: {name}");
            }
        }
    }
}
