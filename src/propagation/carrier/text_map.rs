use std::borrow::Borrow;
use std::collections::{BTreeMap, HashMap};
use std::hash::{BuildHasher, Hash};

use crate::propagation::carrier::{HeaderScan, HeaderSet};
use crate::propagation::{
    ExtractCarrier, InjectCarrier, Key, ReadFrom, TextMapReader, TextMapWriter, WriteTo,
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
    fn get_all(&self, key: &Key, visit: &mut dyn FnMut(&[u8])) {
        for (known, value) in self {
            let known = known.borrow();
            if known != key.as_str() && known.eq_ignore_ascii_case(key.as_str()) {
                visit(value.as_ref().as_bytes());
            }
        }
        if let Some(value) = self.get(key.as_str()) {
            visit(value.as_ref().as_bytes());
        }
    }

    fn for_each_prefix(&self, prefix: &str, visit: &mut dyn FnMut(&str, &[u8])) {
        visit_prefix(entries(self), prefix, visit);
    }

    fn scan(&self, set: &HeaderSet) -> HeaderScan<'_> {
        scan(entries(self), set)
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
    fn get_all(&self, key: &Key, visit: &mut dyn FnMut(&[u8])) {
        visit_key(entries(self), key, visit);
    }

    fn for_each_prefix(&self, prefix: &str, visit: &mut dyn FnMut(&str, &[u8])) {
        visit_prefix(entries(self), prefix, visit);
    }

    fn scan(&self, set: &HeaderSet) -> HeaderScan<'_> {
        scan(entries(self), set)
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
    fn get_all(&self, key: &Key, visit: &mut dyn FnMut(&[u8])) {
        self.as_slice().get_all(key, visit);
    }

    fn for_each_prefix(&self, prefix: &str, visit: &mut dyn FnMut(&str, &[u8])) {
        self.as_slice().for_each_prefix(prefix, visit);
    }

    fn scan(&self, set: &HeaderSet) -> HeaderScan<'_> {
        scan(pairs(self), set)
    }
}

impl<K: Borrow<str>, V: AsRef<str>, const N: usize> TextMapReader for [(K, V); N] {
    fn get_all(&self, key: &Key, visit: &mut dyn FnMut(&[u8])) {
        self.as_slice().get_all(key, visit);
    }

    fn for_each_prefix(&self, prefix: &str, visit: &mut dyn FnMut(&str, &[u8])) {
        self.as_slice().for_each_prefix(prefix, visit);
    }

    fn scan(&self, set: &HeaderSet) -> HeaderScan<'_> {
        scan(pairs(self), set)
    }
}

impl<K: Borrow<str>, V: AsRef<str>> TextMapReader for [(K, V)] {
    fn get_all(&self, key: &Key, visit: &mut dyn FnMut(&[u8])) {
        visit_key(pairs(self), key, visit);
    }

    fn for_each_prefix(&self, prefix: &str, visit: &mut dyn FnMut(&str, &[u8])) {
        visit_prefix(pairs(self), prefix, visit);
    }

    fn scan(&self, set: &HeaderSet) -> HeaderScan<'_> {
        scan(pairs(self), set)
    }
}

fn pairs<K: Borrow<str>, V: AsRef<str>>(list: &[(K, V)]) -> impl Iterator<Item = (&str, &str)> {
    list.iter()
        .map(|(key, value)| (key.borrow(), value.as_ref()))
}

fn entries<'m, K: Borrow<str> + 'm, V: AsRef<str> + 'm>(
    map: impl IntoIterator<Item = (&'m K, &'m V)>,
) -> impl Iterator<Item = (&'m str, &'m str)> {
    let items = map.into_iter();
    items.map(|(key, value)| (key.borrow(), value.as_ref()))
}

fn visit_key<'m>(
    items: impl IntoIterator<Item = (&'m str, &'m str)>,
    key: &Key,
    visit: &mut dyn FnMut(&[u8]),
) {
    for (known, value) in items {
        if known.eq_ignore_ascii_case(key.as_str()) {
            visit(value.as_bytes());
        }
    }
}

fn visit_prefix<'m>(
    items: impl IntoIterator<Item = (&'m str, &'m str)>,
    prefix: &str,
    visit: &mut dyn FnMut(&str, &[u8]),
) {
    for (key, value) in items {
        if let Some((start, rest)) = key.split_at_checked(prefix.len())
            && start.eq_ignore_ascii_case(prefix)
        {
            visit(rest, value.as_bytes());
        }
    }
}

fn scan<'m>(
    items: impl IntoIterator<Item = (&'m str, &'m str)>,
    set: &HeaderSet,
) -> HeaderScan<'m> {
    let items = items.into_iter();
    HeaderScan::of(items.map(|(key, value)| (key, value.as_bytes())), set)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set_twice(mut carrier: impl TextMapWriter + TextMapReader) -> Vec<String> {
        assert!(carrier.set("Other", "0"));
        assert!(carrier.set("A-Key", "1"));
        assert!(carrier.set("a-key", "2"));
        assert!(carrier.set("a-key", "3"));
        let mut values = Vec::new();
        let key = Key::new("A-KEY").expect("legal");
        carrier.get_all(&key, &mut |value| {
            values.push(String::from_utf8_lossy(value).into_owned());
        });
        carrier.for_each_prefix("a-", &mut |rest, _| values.push(rest.to_owned()));
        carrier.for_each_prefix("oth", &mut |rest, _| values.push(rest.to_owned()));
        values
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
        let mut values = Vec::new();
        map.get_all(&Key::new("k").expect("legal"), &mut |value| {
            values.push(value.to_vec());
        });
        assert_eq!(values, [b"K", b"k"]);
    }

    #[test]
    fn a_prefix_may_end_inside_a_character() {
        let map = BTreeMap::from([("é".to_owned(), String::new())]);
        map.for_each_prefix("e", &mut |_, _| panic!("no match"));
    }
}
