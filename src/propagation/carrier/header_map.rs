use http::header::{Entry, InvalidHeaderValue};
use http::{HeaderMap, HeaderName, HeaderValue};

use crate::propagation::carrier::header_set::HeaderKind;
use crate::propagation::carrier::{HeaderScan, HeaderSet};
use crate::propagation::{
    ExtractCarrier, InjectCarrier, Key, ReadFrom, TextMapReader, TextMapWriter, WriteTo,
};

/// The number of headers that are searched for baggage. Servers usually accept fewer (hyper: 100 over HTTP/1).
const MAX_SCANNED: usize = 256;

/// The number of values that are walked over before a lookup by hash is cheaper. It saves 289 instructions a request.
const MAX_STEPS: usize = 12;

impl InjectCarrier for HeaderMap {
    fn write(&mut self) -> WriteTo<'_> {
        WriteTo::HttpHeaders(self)
    }
}

impl ExtractCarrier for HeaderMap {
    fn read(&self) -> ReadFrom<'_> {
        ReadFrom::HttpHeaders(self)
    }
}

/// Setting a header fails if the name or the value is illegal or the map is full.
impl TextMapWriter for HeaderMap {
    fn set(&mut self, key: &str, value: &str) -> bool {
        let (Ok(name), Ok(value)) = (
            HeaderName::from_bytes(key.as_bytes()),
            HeaderValue::from_str(value),
        ) else {
            return false;
        };
        // `insert` would panic on a full map.
        self.try_insert(name, value).is_ok()
    }

    fn remove_where(&mut self, is_stale: &dyn Fn(&str) -> bool) {
        if self.keys().any(|name| is_stale(name.as_str())) {
            remove(self, is_stale);
        }
    }

    fn remove_named(&mut self, set: &HeaderSet) {
        if self.keys().any(|name| set.may_match(name)) {
            remove(self, &|name| set.is_stale(name, false));
        }
    }

    fn set_trace(&mut self, set: &HeaderSet, value: &[u8]) -> bool {
        let Ok(value) = value_of(value) else {
            self.remove_named(set);
            return false;
        };
        // Nearly all requests hold at most our trace header. Most other names are ruled out without their text.
        let mut suspect = None;
        for (n, name) in self.keys().enumerate() {
            if set.may_match(name) {
                if suspect.is_some() {
                    return replace_all(self, set, value);
                }
                suspect = Some((n, name));
            }
        }
        match suspect {
            None => put(self, set.trace().header_name(), value),
            // If every key has one value, the value stands at the index of its key.
            Some((n, name))
                if n < MAX_STEPS
                    && self.len() == self.keys_len()
                    && matches!(set.kind_of(name.as_str()), HeaderKind::Trace) =>
            {
                match self.values_mut().nth(n) {
                    Some(place) => {
                        *place = value;
                        true
                    }
                    None => false,
                }
            }
            Some(_) => replace_all(self, set, value),
        }
    }

    fn set_key(&mut self, key: &Key, value: &str) -> bool {
        HeaderValue::from_str(value).is_ok_and(|value| put(self, key.header_name(), value))
    }
}

impl TextMapReader for HeaderMap {
    fn get_all(&self, key: &Key, visit: &mut dyn FnMut(&[u8])) {
        for value in Self::get_all(self, key.header_name()) {
            visit(value.as_bytes());
        }
    }

    /// Searches the first 256 headers.
    fn for_each_prefix(&self, prefix: &str, visit: &mut dyn FnMut(&str, &[u8])) {
        let first = prefix.as_bytes().first();
        for (name, value) in self.iter().take(MAX_SCANNED) {
            let name = name.as_str();
            // Most headers differ in the first letter, which saves the call that compares the rest.
            if (first.is_none() || name.as_bytes().first() == first)
                && let Some(rest) = name.strip_prefix(prefix)
            {
                visit(rest, value.as_bytes());
            }
        }
    }

    fn scan(&self, set: &HeaderSet) -> HeaderScan<'_> {
        if self.len() > MAX_SCANNED {
            return HeaderScan::Unknown;
        }
        let mut trace = None;
        // Walking over the keys walks over a slice. Walking over the items would ask each for further values.
        for (n, name) in self.keys().enumerate() {
            if !set.may_match(name) {
                continue;
            }
            match set.kind_of(name.as_str()) {
                HeaderKind::Unrelated => {}
                HeaderKind::Trace => trace = Some(n),
                HeaderKind::Other => return HeaderScan::Unknown,
            }
        }
        match trace {
            None => HeaderScan::Nothing,
            // As in `set_trace`: every key has one value.
            Some(n) if n < MAX_STEPS && self.len() == self.keys_len() => match self.values().nth(n)
            {
                Some(value) => HeaderScan::TraceOnly(value.as_bytes()),
                None => HeaderScan::Unknown,
            },
            Some(_) => {
                let mut values = Self::get_all(self, set.trace().header_name()).iter();
                match (values.next(), values.next()) {
                    (Some(value), None) => HeaderScan::TraceOnly(value.as_bytes()),
                    _ => HeaderScan::Unknown,
                }
            }
        }
    }
}

/// Returns the value of a trace header.
#[inline]
fn value_of(text: &[u8]) -> Result<HeaderValue, InvalidHeaderValue> {
    // http checks each byte of a value, and without a loop if the compiler knows the length. Nearly all trace headers
    // have one of these four: a trace id of 128 or 64 bits, a parent or none. That saves 42 instructions a request.
    match text.len() {
        68 => HeaderValue::from_bytes(&text[..68]),
        53 => HeaderValue::from_bytes(&text[..53]),
        52 => HeaderValue::from_bytes(&text[..52]),
        37 => HeaderValue::from_bytes(&text[..37]),
        _ => HeaderValue::from_bytes(text),
    }
}

#[cold]
#[inline(never)]
fn replace_all(headers: &mut HeaderMap, set: &HeaderSet, value: HeaderValue) -> bool {
    remove(headers, &|name| set.is_stale(name, true));
    put(headers, set.trace().header_name(), value)
}

#[cold]
fn remove(headers: &mut HeaderMap, is_stale: &dyn Fn(&str) -> bool) {
    let stale = headers.keys().filter(|name| is_stale(name.as_str()));
    let stale: Vec<_> = stale.cloned().collect();
    for name in stale {
        headers.remove(name);
    }
}

/// Replaces all values of `name`. (`insert` would panic on a full map, and return the old value.)
#[inline]
fn put(headers: &mut HeaderMap, name: &HeaderName, value: HeaderValue) -> bool {
    let has_extra_values = headers.len() > headers.keys_len();
    match headers.try_entry(name) {
        Ok(Entry::Occupied(mut entry)) => {
            if has_extra_values {
                entry.insert(value);
            } else {
                *entry.get_mut() = value;
            }
            true
        }
        Ok(Entry::Vacant(entry)) => entry.try_insert(value).is_ok(),
        Err(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn jaeger() -> HeaderSet {
        set("uber-trace-id", "uberctx-")
    }

    fn set(trace: &str, prefix: &str) -> HeaderSet {
        let key = |name| Key::new(name).expect("legal");
        let others = [key("jaeger-debug-id"), key("jaeger-baggage")];
        HeaderSet::new(key(trace), others, key(prefix))
    }

    #[test]
    fn setting_a_header_replaces_all_its_values() {
        let mut headers = HeaderMap::new();
        for value in ["1", "2"] {
            headers.append("uber-trace-id", HeaderValue::from_static(value));
        }
        let key = Key::new("Uber-Trace-Id").expect("legal");
        assert!(headers.set_key(&key, "3"));
        let values: Vec<_> = headers.get_all("uber-trace-id").iter().collect();
        assert_eq!(values, ["3"]);
        assert!(headers.set_key(&key, "4"));
        assert_eq!(headers["uber-trace-id"], "4");
        assert!(headers.set("UBER-trace-id", "4"));
        assert_eq!(headers.len(), 1);
        for value in ["a", "b"] {
            headers.append("via", HeaderValue::from_static(value));
        }
        for (value, before) in [("5", 1), ("6", 0)] {
            assert_eq!(headers.get_all("uber-trace-id").iter().count(), before);
            assert!(headers.set_key(&key, value));
            assert_eq!(headers["uber-trace-id"], value);
            assert_eq!(headers.len(), 3, "the values of another name stay");
            headers.remove("uber-trace-id");
        }
    }

    #[test]
    fn a_scan_finds_a_lone_trace_header_at_any_index() {
        let (set, value) = (jaeger(), HeaderValue::from_static("v"));
        for before in 0..2 * MAX_STEPS {
            let mut headers = HeaderMap::new();
            for n in 0..before {
                // Some have the first letters of our names.
                let name = format!("{}{n}", ["h", "ua", "uber-trace-i"][n % 3]);
                assert!(headers.set(&name, "v"));
            }
            headers.insert("accept", value.clone());
            assert!(matches!(headers.scan(&set), HeaderScan::Nothing));
            headers.insert("uber-trace-id", HeaderValue::from_static("the trace"));
            headers.insert("cookie", value.clone());
            let is_alone = |headers: &HeaderMap| {
                matches!(headers.scan(&set), HeaderScan::TraceOnly(b"the trace"))
            };
            assert!(is_alone(&headers), "{before}");
            headers.append("accept", value.clone());
            assert!(is_alone(&headers), "{before}, others twice");
            for other in [
                "uber-trace-id",
                "uberctx-a",
                "jaeger-debug-id",
                "jaeger-baggage",
            ] {
                let mut headers = headers.clone();
                headers.append(other, value.clone());
                assert!(matches!(headers.scan(&set), HeaderScan::Unknown), "{other}");
            }
        }
    }

    #[test]
    fn a_standard_header_may_be_configured_as_ours() {
        let set = self::set("viaduct", "uberctx-");
        let is_candidate = |name: &'static str| set.may_match(&HeaderName::from_static(name));
        assert!(!is_candidate("via"), "http knows it as another header");
        assert!(!is_candidate("host") && !is_candidate("x-request-id"));
        for name in ["viaduct", "vi", "uberctx-user", "jaeger-baggage"] {
            assert!(is_candidate(name), "{name}");
        }

        let headers: HeaderMap = [(http::header::VIA, HeaderValue::from_static("the trace"))]
            .into_iter()
            .collect();
        assert!(matches!(headers.scan(&set), HeaderScan::Nothing));
        let traced = self::set("via", "uberctx-");
        let scan = headers.scan(&traced);
        assert!(matches!(scan, HeaderScan::TraceOnly(b"the trace")));
        let prefixed = self::set("uber-trace-id", "v");
        assert!(matches!(headers.scan(&prefixed), HeaderScan::Unknown));
    }

    #[test]
    fn an_illegal_header_is_refused() {
        let mut headers = HeaderMap::new();
        for (key, value) in [
            ("a b", "v"),
            ("", "v"),
            ("é", "v"),
            ("k", "a\r\nb"),
            ("k", "\0"),
        ] {
            assert!(!headers.set(key, value), "{key:?}: {value:?}");
        }
        let key = Key::new("k").expect("legal");
        assert!(!headers.set_key(&key, "\n"));
        assert!(headers.is_empty());
    }

    #[test]
    fn a_full_map_refuses_and_does_not_panic() {
        let mut headers = HeaderMap::new();
        let mut names = (0..).map(|n| format!("h{n}"));
        let full = names.find(|name| !TextMapWriter::set(&mut headers, name, "v"));
        assert!(full.is_some());
        assert!(headers.len() >= 24_576, "{}", headers.len());
        let key = Key::new("uber-trace-id").expect("legal");
        assert!(!headers.set_key(&key, "v"));
    }
}
