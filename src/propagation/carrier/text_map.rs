use std::borrow::Borrow;
use std::collections::{BTreeMap, HashMap};
use std::hash::{BuildHasher, Hash};

use crate::propagation::{
    ExtractCarrier, HeaderScan, InjectCarrier, ReadFrom, TextMapReader, TextMapWriter, WriteTo,
};

/// A wrapper that makes a text carrier one of HTTP headers: baggage values are percent-encoded.
///
/// A map without it is a text map, in which values stay as they are, because message headers need that. Wrap a
/// reference to the map if its entries become HTTP headers: there, a raw line break in a value would end the header.
///
/// ```
/// use std::collections::HashMap;
/// use tracehound::JaegerTracer;
/// use tracehound::prelude::*;
/// use tracehound::propagation::HttpHeaders;
/// use tracehound::reporter::NullReporter;
///
/// let tracer = JaegerTracer::builder("shop").reporter(NullReporter::new()).build()?;
/// let span = tracer.start_span("checkout");
/// span.set_baggage_item("user", "Zoë");
///
/// let mut headers = HashMap::new();
/// tracer.inject(&span.context(), &mut HttpHeaders(&mut headers));
/// assert_eq!(headers["uberctx-user"], "Zo%C3%AB");
///
/// let parent = tracer.extract(&HttpHeaders(&headers))?.expect("written above");
/// assert_eq!(parent.baggage().get("user"), Some("Zoë"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HttpHeaders<C>(pub C);

impl<C: TextMapWriter> InjectCarrier for HttpHeaders<C> {
    fn write(&mut self) -> WriteTo<'_> {
        WriteTo::HttpHeaders(&mut self.0)
    }
}

impl<C: TextMapReader> ExtractCarrier for HttpHeaders<C> {
    fn read(&self) -> ReadFrom<'_> {
        ReadFrom::HttpHeaders(&self.0)
    }
}

impl<S: BuildHasher> InjectCarrier for HashMap<String, String, S> {
    fn write(&mut self) -> WriteTo<'_> {
        WriteTo::TextMap(self)
    }
}

impl<K, V, S> ExtractCarrier for HashMap<K, V, S>
where
    K: Borrow<str> + Eq + Hash,
    V: AsRef<str>,
    S: BuildHasher,
{
    fn read(&self) -> ReadFrom<'_> {
        ReadFrom::TextMap(self)
    }
}

impl<S: BuildHasher> TextMapWriter for HashMap<String, String, S> {
    fn remove_where(&mut self, is_stale: &dyn Fn(&str) -> bool) {
        self.retain(|known, _| !is_stale(known));
    }

    fn set(&mut self, key: &str, value: &str) -> bool {
        self.retain(|known, _| known == key || !known.eq_ignore_ascii_case(key));
        self.insert(key.to_owned(), value.to_owned());
        true
    }
}

impl<K, V, S> TextMapReader for HashMap<K, V, S>
where
    K: Borrow<str> + Eq + Hash,
    V: AsRef<str>,
    S: BuildHasher,
{
    /// If several keys differ in case alone, the key in lower case comes last.
    fn scan<'c>(&'c self, scan: &mut HeaderScan<'c, '_>) {
        offer_lower_last(entries(self), scan);
    }
}

impl InjectCarrier for BTreeMap<String, String> {
    fn write(&mut self) -> WriteTo<'_> {
        WriteTo::TextMap(self)
    }
}

impl<K: Borrow<str> + Ord, V: AsRef<str>> ExtractCarrier for BTreeMap<K, V> {
    fn read(&self) -> ReadFrom<'_> {
        ReadFrom::TextMap(self)
    }
}

impl TextMapWriter for BTreeMap<String, String> {
    fn remove_where(&mut self, is_stale: &dyn Fn(&str) -> bool) {
        self.retain(|known, _| !is_stale(known));
    }

    fn set(&mut self, key: &str, value: &str) -> bool {
        self.retain(|known, _| known == key || !known.eq_ignore_ascii_case(key));
        self.insert(key.to_owned(), value.to_owned());
        true
    }
}

impl<K: Borrow<str> + Ord, V: AsRef<str>> TextMapReader for BTreeMap<K, V> {
    fn scan<'c>(&'c self, scan: &mut HeaderScan<'c, '_>) {
        offer(entries(self), scan);
    }
}

impl InjectCarrier for Vec<(String, String)> {
    fn write(&mut self) -> WriteTo<'_> {
        WriteTo::TextMap(self)
    }
}

impl<K: Borrow<str>, V: AsRef<str>> ExtractCarrier for Vec<(K, V)> {
    fn read(&self) -> ReadFrom<'_> {
        ReadFrom::TextMap(self)
    }
}

/// For example a list of literals.
impl<K: Borrow<str>, V: AsRef<str>, const N: usize> ExtractCarrier for [(K, V); N] {
    fn read(&self) -> ReadFrom<'_> {
        ReadFrom::TextMap(self)
    }
}

/// Pass a reference to the slice: `tracer.extract(&pairs)` with `pairs` a `&[(&str, &str)]`.
impl<K: Borrow<str>, V: AsRef<str>> ExtractCarrier for &[(K, V)] {
    fn read(&self) -> ReadFrom<'_> {
        ReadFrom::TextMap(self)
    }
}

impl TextMapWriter for Vec<(String, String)> {
    fn remove_where(&mut self, is_stale: &dyn Fn(&str) -> bool) {
        self.retain(|(known, _)| !is_stale(known));
    }

    fn set(&mut self, key: &str, value: &str) -> bool {
        self.retain(|(known, _)| !known.eq_ignore_ascii_case(key));
        self.push((key.to_owned(), value.to_owned()));
        true
    }
}

impl<K: Borrow<str>, V: AsRef<str>> TextMapReader for Vec<(K, V)> {
    fn scan<'c>(&'c self, scan: &mut HeaderScan<'c, '_>) {
        offer(pairs(self), scan);
    }
}

impl<K: Borrow<str>, V: AsRef<str>, const N: usize> TextMapReader for [(K, V); N] {
    fn scan<'c>(&'c self, scan: &mut HeaderScan<'c, '_>) {
        offer(pairs(self), scan);
    }
}

impl<K: Borrow<str>, V: AsRef<str>> TextMapReader for [(K, V)] {
    fn scan<'c>(&'c self, scan: &mut HeaderScan<'c, '_>) {
        offer(pairs(self), scan);
    }
}

fn pairs<K: Borrow<str>, V: AsRef<str>>(list: &[(K, V)]) -> impl Iterator<Item = (&str, &str)> {
    list.iter()
        .map(|(key, value)| (key.borrow(), value.as_ref()))
}

fn entries<'m, K: Borrow<str> + 'm, V: AsRef<str> + 'm>(
    map: impl IntoIterator<Item = (&'m K, &'m V), IntoIter: Clone>,
) -> impl Iterator<Item = (&'m str, &'m str)> + Clone {
    let items = map.into_iter();
    items.map(|(key, value)| (key.borrow(), value.as_ref()))
}

/// Offers the items of a map that has no order. If several keys differ in case alone, the key in lower case comes last.
pub(super) fn offer_lower_last<'c>(
    items: impl Iterator<Item = (&'c str, &'c str)> + Clone,
    scan: &mut HeaderScan<'c, '_>,
) {
    let is_lower = |key: &str| !key.bytes().any(|byte| byte.is_ascii_uppercase());
    for comes_last in [false, true] {
        for (key, value) in items.clone() {
            if !scan.set().rules_out(key) && is_lower(key) == comes_last {
                scan.offer(key, value.as_bytes());
            }
        }
    }
}

fn offer<'c>(items: impl Iterator<Item = (&'c str, &'c str)>, scan: &mut HeaderScan<'c, '_>) {
    for (key, value) in items {
        scan.offer(key, value.as_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    use crate::propagation::{HeaderSet, Key};

    fn key(name: &str) -> Key {
        Key::new(name).expect("legal")
    }

    fn set_twice(mut carrier: impl TextMapWriter + TextMapReader) -> Vec<String> {
        assert!(carrier.set("Other", "0"));
        assert!(carrier.set("A-Key", "1"));
        assert!(carrier.set("a-key", "2"));
        assert!(carrier.set("a-key", "3"));
        let (a, oth) = (key("a-"), key("oth"));
        let found = carrier.find(&HeaderSet::new([], [a.clone(), oth.clone()]));
        let a_key = key("A-KEY");
        let values = found.values(&a_key);
        let values = values.map(|value| String::from_utf8_lossy(value).into_owned());
        let rests = found.with_prefix(&a).chain(found.with_prefix(&oth));
        values
            .chain(rests.map(|(rest, _)| rest.to_owned()))
            .collect()
    }

    #[test]
    fn a_key_replaces_itself_in_any_case() {
        assert_eq!(set_twice(HashMap::new()), ["3", "key", "er"]);
        assert_eq!(set_twice(BTreeMap::new()), ["3", "key", "er"]);
        assert_eq!(set_twice(Vec::new()), ["3", "key", "er"]);
        let mut map = HashMap::new();
        assert_eq!(set_twice(&mut map), ["3", "key", "er"]);
    }

    #[test]
    fn the_lower_case_key_of_a_hash_map_comes_last() {
        let map: HashMap<_, _> = ["K", "k"]
            .map(|key| (key.to_owned(), key.to_owned()))
            .into();
        let found = map.find(&HeaderSet::new([key("k")], []));
        let values: Vec<_> = found.values(&key("k")).collect();
        assert_eq!(values, [b"K", b"k"]);
    }

    #[test]
    fn a_prefix_may_end_inside_a_character() {
        let map = BTreeMap::from([("é".to_owned(), String::new())]);
        assert!(map.find(&HeaderSet::new([], [key("e")])).is_empty());
    }
}
