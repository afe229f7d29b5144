//! Operation names that are made once.
//!
//! A name that is not static costs each of its spans an allocation and the longer way to the end. A server has few names,
//! so those that it uses are kept as long as the process lives. Names that do not fit are made anew for each span.

use std::borrow::Cow;
use std::fmt;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::sync::PerProcess;

/// The names of HTTP requests with a route.
pub(crate) static ROUTES: KeptNames = KeptNames::new();

/// The names of remote methods.
pub(crate) static METHODS: KeptNames = KeptNames::new();

/// Names that live as long as the process.
pub(crate) struct KeptNames(PerProcess<NameSet>);

impl KeptNames {
    /// Bounds the memory, together with [`MAX_BYTES`](Self::MAX_BYTES): a proxy may see any number of names.
    const LIMIT: usize = 1_000;
    const MAX_BYTES: usize = 256;

    const fn new() -> Self {
        Self(PerProcess::of_first(NameSet::new()))
    }

    /// Returns the name that consists of `start` and `end`, for static memory if there is room.
    pub(crate) fn keep(&self, start: &str, end: &str) -> Cow<'static, str> {
        let names = self.0.get(|_| NameSet::new());
        match names.find(start, end) {
            Some(name) => name.clone(),
            None => Self::add(names, start, end),
        }
    }

    #[cold]
    fn add(names: &NameSet, start: &str, end: &str) -> Cow<'static, str> {
        let name = || [start, end].concat();
        let is_short = start.len() + end.len() <= Self::MAX_BYTES;
        let kept = is_short
            .then(|| names.add(start, end, Self::LIMIT, || Cow::Borrowed(name().leak())))
            .flatten();
        kept.cloned().unwrap_or_else(|| name().into())
    }
}

/// A set of names that only grows, and is read without a lock.
///
/// A name is given in two parts, always in the same ones.
pub(super) struct NameSet {
    /// The names, distributed by their hashes.
    lists: [OnceLock<Box<Node>>; LISTS],
    len: AtomicUsize,
}

struct Node {
    name: Cow<'static, str>,
    next: OnceLock<Box<Self>>,
}

const LISTS: usize = 64;

impl NameSet {
    pub(super) const fn new() -> Self {
        Self {
            lists: [const { OnceLock::new() }; LISTS],
            len: AtomicUsize::new(0),
        }
    }

    /// Returns a name of the set.
    pub(super) fn find(&self, start: &str, end: &str) -> Option<&Cow<'static, str>> {
        let mut place = self.list(start, end);
        while let Some(node) = place.get() {
            if node.is(start, end) {
                return Some(&node.name);
            }
            place = &node.next;
        }
        None
    }

    /// Adds a name that `make` returns, unless it is there. Returns `None` if there are `limit` others.
    pub(super) fn add(
        &self,
        start: &str,
        end: &str,
        limit: usize,
        make: impl Fn() -> Cow<'static, str>,
    ) -> Option<&Cow<'static, str>> {
        let mut place = self.list(start, end);
        loop {
            if place.get().is_none() && self.len.load(Ordering::Relaxed) >= limit {
                return None;
            }
            // Another thread may have put another name here meanwhile.
            let node = place.get_or_init(|| {
                self.len.fetch_add(1, Ordering::Relaxed);
                Box::new(Node {
                    name: make(),
                    next: OnceLock::new(),
                })
            });
            if node.is(start, end) {
                return Some(&node.name);
            }
            place = &node.next;
        }
    }

    /// Returns the list in which a name is.
    fn list(&self, start: &str, end: &str) -> &OnceLock<Box<Node>> {
        // The lengths, and the ends of the longer part, tell nearly all names of a program apart.
        let end = end.as_bytes();
        let word = |bytes: Option<&[u8; 8]>| bytes.map_or(0, |bytes| u64::from_le_bytes(*bytes));
        let ends = word(end.first_chunk()) ^ word(end.last_chunk()).rotate_left(29);
        let lens = (start.len() as u64) << 32 | end.len() as u64;
        let hash = (ends ^ lens).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        &self.lists[(hash >> 58) as usize % LISTS]
    }
}

impl Node {
    #[inline]
    fn is(&self, start: &str, end: &str) -> bool {
        let name = self.name.as_bytes();
        name.len() == start.len() + end.len()
            && name.ends_with(end.as_bytes())
            && name.starts_with(start.as_bytes())
    }
}

impl fmt::Debug for NameSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("NameSet")
    }
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;

    #[expect(clippy::ptr_arg, reason = "the question is whether it is borrowed")]
    fn is_static(name: &Cow<'static, str>) -> bool {
        matches!(name, Cow::Borrowed(_))
    }

    #[test]
    fn a_name_is_made_once() {
        let names = KeptNames::new();
        for route in ["", "/", "/users/{id}", "/orders/{id}"] {
            let made = names.keep("GET ", route);
            assert_eq!(made, format!("GET {route}"));
            assert!(is_static(&made));
            assert!(std::ptr::eq(&*made, &*names.keep("GET ", route)));
            assert_eq!(names.keep("POST ", route), format!("POST {route}"));
        }
    }

    #[test]
    fn names_without_room_are_made_anew() {
        let names = KeptNames::new();
        let kept = |n: usize| is_static(&names.keep("GET ", &format!("/{n}")));
        assert!((0..KeptNames::LIMIT).all(kept));
        assert!(!kept(KeptNames::LIMIT));
        assert!((0..KeptNames::LIMIT).all(kept), "those from before stay");
        let names = KeptNames::new();
        let long = "x".repeat(KeptNames::MAX_BYTES);
        assert!(is_static(&names.keep("", &long)));
        let made = names.keep("x", &long);
        assert!(!is_static(&made));
        assert_eq!(made.len(), KeptNames::MAX_BYTES + 1);
    }

    #[test]
    fn threads_that_add_at_once_add_each_name_once() {
        let names = NameSet::new();
        // Short names with one length share a list.
        let keys: Vec<_> = (0..50).map(|n| format!("/{n:02}")).collect();
        thread::scope(|scope| {
            for _ in 0..3 {
                scope.spawn(|| {
                    for key in &keys {
                        let name = names.add("", key, 50, || Cow::Owned(key.clone()));
                        assert_eq!(name.map(|name| &**name), Some(&**key));
                    }
                });
            }
        });
        assert!(keys.iter().all(|key| names.find("", key).is_some()));
        assert_eq!(names.len.load(Ordering::Relaxed), 50);
        assert!(names.find("", "/50").is_none());
        assert!(names.add("", "/50", 50, || "".into()).is_none());
    }
}
