#[cfg(feature = "http")]
use std::hash::{Hash, Hasher};

use crate::propagation::Key;

/// The headers that a codec reads and writes: names, and prefixes of names.
///
/// Names match in any case. [`JaegerTracer::propagated_headers`](crate::JaegerTracer::propagated_headers) returns those of
/// a tracer, for proxies and browsers that pass on only known headers.
///
/// ```
/// use tracehound::propagation::{Codec, JaegerCodec};
///
/// let codec = JaegerCodec::http_headers();
/// let names: Vec<&str> = codec.headers().names().collect();
/// assert_eq!(names, ["uber-trace-id", "jaeger-debug-id", "jaeger-baggage"]);
/// let prefixes: Vec<&str> = codec.headers().prefixes().collect();
/// assert_eq!(prefixes, ["uberctx-"]);
/// assert!(codec.headers().contains("Uberctx-User"));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeaderSet {
    names: Vec<Key>,
    prefixes: Vec<Key>,
    letters: FirstLetters,
    /// [`FirstLetters::may_match`] finds every header of the set.
    #[cfg(feature = "http")]
    is_hashed_as_text: bool,
}

/// The set without headers.
pub(crate) static NO_HEADERS: HeaderSet = HeaderSet {
    names: Vec::new(),
    prefixes: Vec::new(),
    letters: FirstLetters([0; 2]),
    #[cfg(feature = "http")]
    is_hashed_as_text: true,
};

impl HeaderSet {
    /// Makes a set of names and prefixes. One that occurs twice counts once.
    pub fn new(
        names: impl IntoIterator<Item = Key>,
        prefixes: impl IntoIterator<Item = Key>,
    ) -> Self {
        let (names, prefixes) = (distinct(names), distinct(prefixes));
        let letters = FirstLetters::of(&names, &prefixes);
        Self {
            #[cfg(feature = "http")]
            is_hashed_as_text: prefixes.iter().all(is_non_standard)
                && names.iter().all(|key| letters.may_match(key.header_name())),
            names,
            prefixes,
            letters,
        }
    }

    /// Returns the names, in lower case.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.names.iter().map(Key::as_str)
    }

    /// Returns the prefixes, in lower case.
    pub fn prefixes(&self) -> impl Iterator<Item = &str> {
        self.prefixes.iter().map(Key::as_str)
    }

    /// Returns whether a header of this name, in any case, is in the set.
    pub fn contains(&self, name: &str) -> bool {
        !self.rules_out(name) && (self.has_name(name) || self.has_prefix_of(name))
    }

    /// Returns whether a header may be in both sets.
    pub(in crate::propagation) fn overlaps(&self, other: &Self) -> bool {
        let share_start = |one: &Key, other: &Key| {
            one.rest_of(other.as_str()).is_some() || other.rest_of(one.as_str()).is_some()
        };
        let mut prefixes = self.prefixes.iter();
        self.names().any(|name| other.contains(name))
            || other.names().any(|name| self.contains(name))
            || prefixes.any(|one| other.prefixes.iter().any(|other| share_start(one, other)))
    }

    /// Returns the headers of all `sets`.
    pub(in crate::propagation) fn union<'s>(sets: impl Iterator<Item = &'s Self> + Clone) -> Self {
        Self::new(
            sets.clone().flat_map(|set| set.names.iter().cloned()),
            sets.flat_map(|set| set.prefixes.iter().cloned()),
        )
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

    #[inline]
    pub(super) fn has_name(&self, name: &str) -> bool {
        for key in &self.names {
            if key.matches(name) {
                return true;
            }
        }
        false
    }

    /// Returns the number of prefixes.
    #[inline]
    pub(super) fn prefix_count(&self) -> usize {
        self.prefixes.len()
    }

    #[inline]
    pub(super) fn has_prefix_of(&self, name: &str) -> bool {
        for prefix in &self.prefixes {
            if prefix.rest_of(name).is_some() {
                return true;
            }
        }
        false
    }
}

fn distinct(keys: impl IntoIterator<Item = Key>) -> Vec<Key> {
    let mut list = Vec::new();
    for key in keys {
        if !list.contains(&key) {
            list.push(key);
        }
    }
    list
}

/// Returns whether http surely knows no standard header with this prefix.
#[cfg(feature = "http")]
fn is_non_standard(prefix: &Key) -> bool {
    matches!(prefix.as_str(), "uberctx-" | "baggage-")
}

/// The first letters of all names in a set, and the second ones: one bit for the low five bits of each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct FirstLetters([u32; 2]);

impl FirstLetters {
    fn of(names: &[Key], prefixes: &[Key]) -> Self {
        // Any letter may follow a prefix of one letter.
        let bit_at = |key: &Key, place| match key.as_str().as_bytes().get(place) {
            Some(letter) => bit_of(*letter),
            None => u32::MAX,
        };
        Self([0, 1].map(|place| {
            let keys = names.iter().chain(prefixes);
            keys.fold(0, |bits, key| bits | bit_at(key, place))
        }))
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

/// Both cases of a letter have one bit.
const fn bit_of(letter: u8) -> u32 {
    1 << (letter & 0x1f)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(trace: &str) -> HeaderSet {
        let key = |name| Key::new(name).expect("legal");
        HeaderSet::new([key(trace), key("debug"), key("list")], [key("ctx-")])
    }

    #[test]
    fn a_set_contains_its_headers_in_any_case() {
        for trace in ["uber-trace-id", "t", "x-a-longer-trace-header"] {
            let set = set(trace);
            for (name, is_in_set) in [
                (trace, true),
                ("debug", true),
                ("list", true),
                ("ctx-", true),
                ("ctx-user", true),
                ("ctx", false),
                ("debugs", false),
                ("", false),
            ] {
                assert_eq!(set.contains(name), is_in_set, "{trace}: {name}");
                let name = name.to_uppercase();
                assert_eq!(set.contains(&name), is_in_set, "{trace}: {name}");
            }
        }
    }

    #[test]
    fn a_union_holds_each_header_once() {
        let (one, two) = (set("a"), set("b"));
        let union = HeaderSet::union([&one, &two].into_iter());
        let names: Vec<_> = union.names().collect();
        assert_eq!(names, ["a", "debug", "list", "b"]);
        assert_eq!(union.prefixes().count(), 1);
    }

    #[test]
    fn sets_overlap_if_a_header_may_be_in_both() {
        let keys = |text: &str| -> Vec<Key> {
            let names = text.split_whitespace();
            names.map(|name| Key::new(name).expect("legal")).collect()
        };
        let set = |(names, prefixes): (&str, &str)| HeaderSet::new(keys(names), keys(prefixes));
        for (one, other, overlap) in [
            (("a b", ""), ("c", ""), false),
            (("a b", ""), ("c b", ""), true),
            (("a", "p-"), ("b", "q-"), false),
            (("a", "p-"), ("b", "p-"), true),
            (("a", "p-"), ("b", "p-q-"), true),
            (("a", "p-"), ("p-b", ""), true),
            (("a", "p-"), ("p", ""), false),
            (("", ""), ("a", "p-"), false),
        ] {
            let (one, other) = (set(one), set(other));
            assert_eq!(one.overlaps(&other), overlap, "{one:?} {other:?}");
            assert_eq!(other.overlaps(&one), overlap, "{other:?} {one:?}");
        }
    }
}
