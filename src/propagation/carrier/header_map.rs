use http::header::InvalidHeaderValue;
use http::{HeaderMap, HeaderName, HeaderValue};

use crate::propagation::carrier::header_set::Place;
use crate::propagation::carrier::set_each;
use crate::propagation::{
    ExtractCarrier, HeaderScan, HeaderSet, InjectCarrier, Key, ReadFrom, TextMapReader,
    TextMapWriter, WriteTo,
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

    fn remove_owned(&mut self, owned: &HeaderSet, except: &[&Key]) {
        remove_owned_where(self, owned, except, |_| true);
    }

    fn replace(&mut self, owned: &HeaderSet, headers: &[(&Key, &[u8])]) -> bool {
        replace_where(self, owned, headers, |_| true)
    }

    fn may_hold(&self, set: &HeaderSet) -> bool {
        let mut names = self.keys();
        names.any(|name| set.may_match(name) && set.contains(name.as_str()))
    }

    fn set_key(&mut self, key: &Key, value: &[u8]) -> bool {
        // `insert` would panic on a full map.
        value_of(value).is_ok_and(|value| self.try_insert(key.header_name(), value).is_ok())
    }
}

/// A header beyond the first 256 is found only by its whole name.
impl TextMapReader for HeaderMap {
    fn scan<'c>(&'c self, scan: &mut HeaderScan<'c, '_>) {
        scan_where(self, scan, |_| true);
    }
}

/// Scans the headers whose names `is_carried` accepts.
#[inline]
pub(super) fn scan_where<'c>(
    headers: &'c HeaderMap,
    scan: &mut HeaderScan<'c, '_>,
    is_carried: impl Fn(&str) -> bool,
) {
    let set = scan.set();
    let has_one_value_each = headers.len() == headers.keys_len();
    let (mut values, mut steps) = (headers.values(), 0);
    let mut names = headers.keys().enumerate();
    // Most names are ruled out, in the short loop of `find`.
    while let Some((n, name)) = names.find(|(_, name)| set.may_match(name)) {
        let text = name.as_str();
        let Some(place) = set.place_of(text).filter(|_| is_carried(text)) else {
            continue;
        };
        if n >= MAX_SCANNED && place.is_prefix {
            continue;
        }
        // If every name has one value, the value stands at the index of its name.
        if has_one_value_each && n - steps < MAX_STEPS {
            if let Some(value) = values.nth(n - steps) {
                scan.push(place, text, value.as_bytes());
            }
            steps = n + 1;
        } else if has_one_value_each {
            if let Some(value) = headers.get(name) {
                scan.push(place, text, value.as_bytes());
            }
        } else {
            push_all(headers, name, place, scan);
        }
    }
}

/// Keeps all values of `name`.
#[cold]
fn push_all<'c>(
    headers: &'c HeaderMap,
    name: &'c HeaderName,
    place: Place,
    scan: &mut HeaderScan<'c, '_>,
) {
    for value in headers.get_all(name) {
        scan.push(place, name.as_str(), value.as_bytes());
    }
}

/// Like [`TextMapWriter::remove_owned`], but leaves headers alone whose names `is_carried` does not accept.
pub(super) fn remove_owned_where(
    headers: &mut HeaderMap,
    owned: &HeaderSet,
    except: &[&Key],
    is_carried: impl Fn(&str) -> bool,
) {
    let is_stale = |name: &str| {
        owned.contains(name) && is_carried(name) && !except.iter().any(|kept| kept.matches(name))
    };
    let mut names = headers.keys();
    // Most names are ruled out without their text.
    if names.any(|name| owned.may_match(name) && is_stale(name.as_str())) {
        remove(headers, &is_stale);
    }
}

/// Like [`TextMapWriter::replace`], but leaves headers alone whose names `is_carried` does not accept.
///
/// The headers of an earlier request are replaced in their places, in one pass.
#[inline]
pub(super) fn replace_where(
    map: &mut HeaderMap,
    owned: &HeaderSet,
    headers: &[(&Key, &[u8])],
    is_carried: impl Fn(&str) -> bool,
) -> bool {
    // A loop over names alone is short, and the headers of a new request hold none of ours.
    if !map.keys().any(|name| owned.may_match(name)) {
        return set_each(map, headers);
    }
    let has_one_value_each = map.len() == map.keys_len();
    let (mut replaced, mut is_stale) = (0, !has_one_value_each);
    for (name, place) in map.iter_mut() {
        if !owned.may_match(name) {
            continue;
        }
        let name = name.as_str();
        let header = headers.iter().find(|(key, _)| key.matches(name));
        match header.map(|(_, value)| value_of(value)) {
            Some(Ok(value)) => {
                *place = value;
                replaced += 1;
            }
            Some(Err(_)) => is_stale = true,
            None => is_stale |= owned.contains(name) && is_carried(name),
        }
    }
    if is_stale {
        remove_owned_where(map, owned, &[], is_carried);
    } else if replaced == headers.len() {
        return true;
    }
    set_each(map, headers)
}

/// Returns the value of a trace header.
#[inline]
fn value_of(text: &[u8]) -> Result<HeaderValue, InvalidHeaderValue> {
    // http checks each byte of a value, and without a loop if the compiler knows the length. Nearly all trace headers
    // have one of these lengths: of `traceparent`, and of `uber-trace-id` with a trace id of 128 or 64 bits, a parent or
    // none. That saves 42 instructions a request.
    match text.len() {
        55 => HeaderValue::from_bytes(&text[..55]),
        68 => HeaderValue::from_bytes(&text[..68]),
        53 => HeaderValue::from_bytes(&text[..53]),
        52 => HeaderValue::from_bytes(&text[..52]),
        37 => HeaderValue::from_bytes(&text[..37]),
        _ => HeaderValue::from_bytes(text),
    }
}

#[cold]
fn remove(headers: &mut HeaderMap, is_stale: &dyn Fn(&str) -> bool) {
    let stale = headers.keys().filter(|name| is_stale(name.as_str()));
    let stale: Vec<_> = stale.cloned().collect();
    for name in stale {
        headers.remove(name);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(name: &str) -> Key {
        Key::new(name).expect("legal")
    }

    fn jaeger() -> HeaderSet {
        set("uber-trace-id", "uberctx-")
    }

    fn set(trace: &str, prefix: &str) -> HeaderSet {
        let names = [trace, "jaeger-debug-id", "jaeger-baggage"];
        HeaderSet::new(names.map(key), [key(prefix)])
    }

    #[test]
    fn setting_a_header_replaces_all_its_values() {
        let mut headers = HeaderMap::new();
        for value in ["1", "2"] {
            headers.append("uber-trace-id", HeaderValue::from_static(value));
        }
        let key = key("Uber-Trace-Id");
        assert!(headers.set_key(&key, b"3"));
        let values: Vec<_> = headers.get_all("uber-trace-id").iter().collect();
        assert_eq!(values, ["3"]);
        assert!(headers.set_key(&key, b"4"));
        assert_eq!(headers["uber-trace-id"], "4");
        assert!(headers.set("UBER-trace-id", "4"));
        assert_eq!(headers.len(), 1);
        for value in ["a", "b"] {
            headers.append("via", HeaderValue::from_static(value));
        }
        for (value, before) in [("5", 1), ("6", 0)] {
            assert_eq!(headers.get_all("uber-trace-id").iter().count(), before);
            assert!(headers.set_key(&key, value.as_bytes()));
            assert_eq!(headers["uber-trace-id"], value);
            assert_eq!(headers.len(), 3, "the values of another name stay");
            headers.remove("uber-trace-id");
        }
    }

    #[test]
    fn a_scan_finds_headers_at_any_index() {
        let (set, value) = (jaeger(), HeaderValue::from_static("v"));
        for before in 0..3 * MAX_STEPS {
            let mut headers = HeaderMap::new();
            for n in 0..before {
                // Some have the first letters of our names.
                let name = format!("{}{n}", ["h", "ua", "uber-trace-i"][n % 3]);
                assert!(headers.set(&name, "v"));
            }
            headers.insert("accept", value.clone());
            assert!(headers.find(&set).is_empty());
            headers.insert("uber-trace-id", HeaderValue::from_static("the trace"));
            headers.insert("cookie", value.clone());
            let check = |headers: &HeaderMap, expected: &[(&str, &[u8])], say: &str| {
                let found: Vec<_> = headers.find(&set).iter().collect();
                assert_eq!(found, expected, "{before}{say}");
            };
            let trace: (&str, &[u8]) = ("uber-trace-id", b"the trace");
            check(&headers, &[trace], "");
            headers.append("accept", value.clone());
            check(&headers, &[trace], ", others twice");
            headers.append("uber-trace-id", value.clone());
            check(&headers, &[trace, ("uber-trace-id", b"v")], ", twice");
            headers.remove("accept");
            for other in ["uberctx-a", "jaeger-debug-id", "jaeger-baggage"] {
                let mut headers = headers.clone();
                headers.insert("uber-trace-id", HeaderValue::from_static("the trace"));
                headers.append(other, value.clone());
                check(&headers, &[trace, (other, b"v")], other);
            }
        }
    }

    #[test]
    fn a_prefix_is_looked_for_among_256_headers() {
        let mut headers = HeaderMap::new();
        headers.insert("uberctx-first", HeaderValue::from_static("v"));
        for n in 0..MAX_SCANNED {
            assert!(headers.set(&format!("h{n}"), "v"));
        }
        headers.insert("uber-trace-id", HeaderValue::from_static("1"));
        headers.append("uber-trace-id", HeaderValue::from_static("2"));
        headers.insert("uberctx-last", HeaderValue::from_static("v"));
        let found: Vec<_> = headers
            .find(&jaeger())
            .iter()
            .map(|(name, _)| name)
            .collect();
        assert_eq!(found, ["uberctx-first", "uber-trace-id", "uber-trace-id"]);
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
        assert!(headers.find(&set).is_empty());
        let found = |set: &HeaderSet| headers.find(set).only();
        let trace: Option<(&str, &[u8])> = Some(("via", b"the trace"));
        assert_eq!(found(&self::set("via", "uberctx-")), trace);
        assert_eq!(found(&self::set("uber-trace-id", "v")), trace);
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
        let key = key("k");
        assert!(!headers.set_key(&key, b"\n"));
        assert!(headers.is_empty());
    }

    #[test]
    fn a_full_map_refuses_and_does_not_panic() {
        let mut headers = HeaderMap::new();
        let mut names = (0..).map(|n| format!("h{n}"));
        let full = names.find(|name| !TextMapWriter::set(&mut headers, name, "v"));
        assert!(full.is_some());
        assert!(headers.len() >= 24_576, "{}", headers.len());
        let key = key("uber-trace-id");
        assert!(!headers.set_key(&key, b"v"));
    }
}
