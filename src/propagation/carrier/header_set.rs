#[cfg(feature = "http")]
use std::hash::{Hash, Hasher};

use crate::propagation::Key;

/// The headers that a codec reads and writes: names, and prefixes of names.
///
/// Names match in any case. [`JaegerTracer::propagated_headers`](crate::JaegerTracer::propagated_headers) returns those
/// of a tracer, for proxies and browsers that pass on only known headers.
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
    letters: FirstLetters([0; 3]),
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
        !self.rules_out(name) && self.place_of(name).is_some()
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

    /// Returns the place of a header in the set, or `None` if it is not in the set.
    // `always` saves 24 instructions a request.
    #[inline(always)]
    pub(super) fn place_of(&self, name: &str) -> Option<Place> {
        for (index, key) in self.names.iter().enumerate() {
            if key.matches(name) {
                let is_prefix = false;
                return Some(Place { index, is_prefix });
            }
        }
        for (n, prefix) in self.prefixes.iter().enumerate() {
            if prefix.rest_of(name).is_some() {
                let (index, is_prefix) = (self.names.len() + n, true);
                return Some(Place { index, is_prefix });
            }
        }
        None
    }

    /// Returns the number of prefixes.
    #[inline]
    pub(super) fn prefix_count(&self) -> usize {
        self.prefixes.len()
    }

    /// Returns the places here of all headers that `other` may have, too.
    pub(in crate::propagation) fn places_of(&self, other: &Self) -> Places {
        let mut places = Places::default();
        for (index, name) in self.names.iter().enumerate() {
            if other.contains(name.as_str()) {
                places.add(index);
            }
        }
        for (n, prefix) in self.prefixes.iter().enumerate() {
            let is_shared = |known: &Key| {
                known.rest_of(prefix.as_str()).is_some() || prefix.rest_of(known.as_str()).is_some()
            };
            if other.prefixes.iter().any(is_shared) {
                places.add(self.names.len() + n);
            }
        }
        places
    }
}

/// The place of a header in a [`HeaderSet`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    /// Among the names and, after them, the prefixes.
    pub(super) index: usize,
    pub(super) is_prefix: bool,
}

/// A set of places in a [`HeaderSet`]: one bit each. All places from the 64th on share the last bit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::propagation) struct Places(u64);

impl Places {
    #[inline]
    pub(super) fn add(&mut self, index: usize) {
        self.0 |= 1 << index.min(63);
    }

    #[inline]
    pub(in crate::propagation) fn overlap(self, other: Self) -> bool {
        self.0 & other.0 != 0
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

/// The first letters of all names in a set, the second ones and the third ones: one bit for the low five bits of each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct FirstLetters([u32; 3]);

impl FirstLetters {
    fn of(names: &[Key], prefixes: &[Key]) -> Self {
        let bit_at = |key: &Key, place| match key.as_str().as_bytes().get(place) {
            Some(letter) => bit_of(*letter),
            // Any letter may follow a prefix, and none a name.
            None if prefixes.contains(key) => u32::MAX,
            None => 0,
        };
        Self([0, 1, 2].map(|place| {
            let keys = names.iter().chain(prefixes);
            keys.fold(0, |bits, key| bits | bit_at(key, place))
        }))
    }

    /// Returns whether a header of this name, in any case, is certainly not in the set. Most headers of a request
    /// differ in the first letter, and nearly all others in the second or, beside `x-b3-traceid`, in the third.
    #[inline]
    fn rule_out(self, name: &[u8]) -> bool {
        match name {
            [first, ..] if self.0[0] & bit_of(*first) == 0 => true,
            [_, second, ..] if self.0[1] & bit_of(*second) == 0 => true,
            [_, _, third, ..] => self.0[2] & bit_of(*third) == 0,
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
    fn places_tell_which_headers_two_sets_may_share() {
        let set = |names: &[&str], prefixes: &[&str]| {
            let keys = |names: &[&str]| -> Vec<Key> {
                let keys = names.iter().map(|name| Key::new(name).expect("legal"));
                keys.collect()
            };
            HeaderSet::new(keys(names), keys(prefixes))
        };
        let many: Vec<String> = (0..70).map(|n| format!("n{n}")).collect();
        let many: Vec<&str> = many.iter().map(String::as_str).collect();
        for (one, other, name, is_shared) in [
            (set(&["a"], &["p-"]), set(&["b"], &[]), "a", false),
            (set(&["a"], &["p-"]), set(&["b"], &[]), "b", true),
            (set(&["a"], &["p-"]), set(&["b", "a"], &[]), "A", true),
            (set(&["p-x"], &[]), set(&[], &["p-"]), "p-x", true),
            (set(&["p-x"], &[]), set(&[], &["p-"]), "p-y", true),
            (set(&[], &["p-"]), set(&[], &["p-x"]), "p-xy", true),
            (set(&[], &["p-x"]), set(&[], &["p-"]), "p-xy", true),
            (set(&[], &["p-"]), set(&[], &["q-"]), "p-x", false),
            (set(&many, &[]), set(&["n69"], &[]), "n69", true),
            (set(&many, &[]), set(&["n2"], &[]), "n1", false),
        ] {
            let union = HeaderSet::union([&one, &other].into_iter());
            let mut found = Places::default();
            found.add(union.place_of(name).expect("in one of them").index);
            let overlaps = union.places_of(&other).overlap(found);
            assert_eq!(overlaps, is_shared, "{one:?}, {other:?}: {name}");
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
