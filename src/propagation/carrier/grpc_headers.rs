use std::ops::{Deref, DerefMut};

use http::HeaderMap;

use crate::propagation::carrier::header_map::{remove_owned_where, replace_where, scan_where};
use crate::propagation::{
    ExtractCarrier, HeaderScan, HeaderSet, InjectCarrier, Key, ReadFrom, TextMapReader,
    TextMapWriter, WriteTo,
};

/// The end of the keys whose values are base64, by gRPC's rule. Our values are never base64.
const BINARY: &str = "-bin";

/// The headers of a gRPC call as a carrier that skips keys that end in `-bin`: it neither reads nor writes nor removes
/// them.
pub(crate) struct GrpcHeaders<M>(pub(crate) M);

impl<M: DerefMut<Target = HeaderMap>> InjectCarrier for GrpcHeaders<M> {
    fn write(&mut self) -> WriteTo<'_> {
        WriteTo::HttpHeaders(self)
    }
}

impl<M: Deref<Target = HeaderMap>> ExtractCarrier for GrpcHeaders<M> {
    fn read(&self) -> ReadFrom<'_> {
        ReadFrom::HttpHeaders(self)
    }
}

impl<M: DerefMut<Target = HeaderMap>> TextMapWriter for GrpcHeaders<M> {
    fn remove_where(&mut self, is_stale: &dyn Fn(&str) -> bool) {
        self.0.remove_where(&|key| !is_binary(key) && is_stale(key));
    }

    fn remove_owned(&mut self, owned: &HeaderSet, except: &[&Key]) {
        remove_owned_where(&mut self.0, owned, except, is_text);
    }

    fn replace(&mut self, owned: &HeaderSet, key: &Key, value: &[u8]) -> bool {
        if is_binary(key.as_str()) {
            self.remove_owned(owned, &[]);
            return false;
        }
        replace_where(&mut self.0, owned, key, value, is_text)
    }

    fn may_hold(&self, set: &HeaderSet) -> bool {
        self.0.may_hold(set)
    }

    fn set(&mut self, key: &str, value: &str) -> bool {
        !is_binary(key) && self.0.set(key, value)
    }

    fn set_key(&mut self, key: &Key, value: &[u8]) -> bool {
        !is_binary(key.as_str()) && self.0.set_key(key, value)
    }
}

impl<M: Deref<Target = HeaderMap>> TextMapReader for GrpcHeaders<M> {
    fn scan<'c>(&'c self, scan: &mut HeaderScan<'c, '_>) {
        scan_text(&self.0, scan);
    }
}

/// Scans all headers but those with binary keys.
pub(super) fn scan_text<'c>(headers: &'c HeaderMap, scan: &mut HeaderScan<'c, '_>) {
    scan_where(headers, scan, is_text);
}

fn is_text(key: &str) -> bool {
    !is_binary(key)
}

fn is_binary(key: &str) -> bool {
    let end = key.len().saturating_sub(BINARY.len());
    key.as_bytes()[end..].eq_ignore_ascii_case(BINARY.as_bytes())
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[test]
    fn a_carrier_skips_binary_keys() {
        let mut headers = HeaderMap::new();
        let mut carrier = GrpcHeaders(&mut headers);
        assert!(!carrier.set("uberctx-a-bin", "v"));
        assert!(!carrier.set("uberctx-a-BIN", "v"));
        assert!(!carrier.set_key(&Key::new("a-bin").expect("legal"), b"v"));
        assert!(carrier.set("uberctx-c", "v"));
        assert_eq!(headers.len(), 1);

        headers.insert("uberctx-b-bin", HeaderValue::from_static("dg"));
        let binary = Key::new("uberctx-b-bin").expect("legal");
        let prefix = Key::new("uberctx-").expect("legal");
        let set = HeaderSet::new([binary], [prefix]);
        let carrier = GrpcHeaders(&headers);
        let seen: Vec<_> = carrier.find(&set).iter().map(|(name, _)| name).collect();
        assert_eq!(seen, ["uberctx-c"]);
    }

    #[test]
    fn a_carrier_keeps_binary_keys_that_look_like_those_of_a_codec() {
        let trace = Key::new("uber-trace-id").expect("legal");
        let prefix = Key::new("uberctx-").expect("legal");
        let set = HeaderSet::new([trace.clone()], [prefix]);
        let with_stale = || {
            let mut headers = HeaderMap::new();
            for name in ["uberctx-b-bin", "uberctx-stale", "uber-trace-id"] {
                headers.insert(name, HeaderValue::from_static("dg"));
            }
            headers
        };
        let names = |headers: HeaderMap| -> Vec<String> {
            headers.keys().map(|name| name.to_string()).collect()
        };

        let mut headers = with_stale();
        assert!(GrpcHeaders(&mut headers).replace(&set, &trace, b"1:2:0:1"));
        assert_eq!(headers["uber-trace-id"], "1:2:0:1");
        headers.remove("uber-trace-id");
        assert_eq!(names(headers), ["uberctx-b-bin"]);

        let mut headers = with_stale();
        assert!(!GrpcHeaders(&mut headers).replace(&set, &trace, b"\n"));
        assert_eq!(names(headers), ["uberctx-b-bin"]);

        let mut headers = with_stale();
        GrpcHeaders(&mut headers).remove_owned(&set, &[]);
        assert_eq!(names(headers), ["uberctx-b-bin"]);

        let mut headers = with_stale();
        GrpcHeaders(&mut headers).remove_where(&|key| key.starts_with("uber"));
        assert_eq!(names(headers), ["uberctx-b-bin"]);
    }
}
