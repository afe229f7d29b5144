use std::collections::{BTreeMap, HashMap};
use std::hash::BuildHasher;

use crate::propagation::glance::Glance;
use crate::propagation::{
    ExtractCarrier, HeaderNames, InjectCarrier, Key, ReadFrom, TextMapReader, TextMapWriter,
    WriteTo,
};

/// A text carrier that holds HTTP headers: baggage values are then percent-encoded.
///
/// A plain map is a text map, with values as they are, because that is what message headers need. Where its
/// entries become HTTP headers, wrap a reference to it; a raw line break in a value would end the header.
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

impl<S: BuildHasher> ExtractCarrier for HashMap<String, String, S> {
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

impl<S: BuildHasher> TextMapReader for HashMap<String, String, S> {
    /// Of keys that differ in case alone the one in lower case comes last.
    fn get_all(&self, key: &Key, visit: &mut dyn FnMut(&[u8])) {
        for (known, value) in self {
            if known != key.as_str() && known.eq_ignore_ascii_case(key.as_str()) {
                visit(value.as_bytes());
            }
        }
        if let Some(value) = self.get(key.as_str()) {
            visit(value.as_bytes());
        }
    }

    fn for_each_prefix(&self, prefix: &str, visit: &mut dyn FnMut(&str, &[u8])) {
        visit_prefix(self, prefix, visit);
    }

    fn glance(&self, names: &HeaderNames) -> Glance<'_> {
        glance(self, names)
    }
}

impl InjectCarrier for BTreeMap<String, String> {
    fn write(&mut self) -> WriteTo<'_> {
        WriteTo::TextMap(self)
    }
}

impl ExtractCarrier for BTreeMap<String, String> {
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

impl TextMapReader for BTreeMap<String, String> {
    fn get_all(&self, key: &Key, visit: &mut dyn FnMut(&[u8])) {
        visit_key(self, key, visit);
    }

    fn for_each_prefix(&self, prefix: &str, visit: &mut dyn FnMut(&str, &[u8])) {
        visit_prefix(self, prefix, visit);
    }

    fn glance(&self, names: &HeaderNames) -> Glance<'_> {
        glance(self, names)
    }
}

impl InjectCarrier for Vec<(String, String)> {
    fn write(&mut self) -> WriteTo<'_> {
        WriteTo::TextMap(self)
    }
}

impl ExtractCarrier for Vec<(String, String)> {
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

impl TextMapReader for Vec<(String, String)> {
    fn get_all(&self, key: &Key, visit: &mut dyn FnMut(&[u8])) {
        visit_key(pairs(self), key, visit);
    }

    fn for_each_prefix(&self, prefix: &str, visit: &mut dyn FnMut(&str, &[u8])) {
        visit_prefix(pairs(self), prefix, visit);
    }

    fn glance(&self, names: &HeaderNames) -> Glance<'_> {
        glance(pairs(self), names)
    }
}

fn pairs(list: &[(String, String)]) -> impl Iterator<Item = (&String, &String)> {
    list.iter().map(|(key, value)| (key, value))
}

fn visit_key<'m>(
    items: impl IntoIterator<Item = (&'m String, &'m String)>,
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
    items: impl IntoIterator<Item = (&'m String, &'m String)>,
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

fn glance<'m>(
    items: impl IntoIterator<Item = (&'m String, &'m String)>,
    names: &HeaderNames,
) -> Glance<'m> {
    let items = items.into_iter();
    Glance::at(
        items.map(|(key, value)| (key.as_str(), value.as_bytes())),
        names,
    )
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
