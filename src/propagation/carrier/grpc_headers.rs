use std::ops::{Deref, DerefMut};

use http::HeaderMap;

use crate::propagation::carrier::{HeaderScan, HeaderSet};
use crate::propagation::{
    ExtractCarrier, InjectCarrier, Key, ReadFrom, TextMapReader, TextMapWriter, WriteTo,
};

/// The end of the keys whose values are base64, by gRPC's rule. Our values are never base64.
const BINARY: &str = "-bin";

/// The headers of a gRPC call as a carrier that skips keys that end in `-bin`.
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
        self.0.remove_where(is_stale);
    }

    fn remove_named(&mut self, set: &HeaderSet) {
        self.0.remove_named(set);
    }

    fn set_trace(&mut self, set: &HeaderSet, value: &[u8]) -> bool {
        if is_binary(set.trace().as_str()) {
            self.0.remove_named(set);
            return false;
        }
        self.0.set_trace(set, value)
    }

    fn set(&mut self, key: &str, value: &str) -> bool {
        !is_binary(key) && self.0.set(key, value)
    }

    fn set_key(&mut self, key: &Key, value: &str) -> bool {
        !is_binary(key.as_str()) && self.0.set_key(key, value)
    }
}

impl<M: Deref<Target = HeaderMap>> TextMapReader for GrpcHeaders<M> {
    fn get_all(&self, key: &Key, visit: &mut dyn FnMut(&[u8])) {
        if !is_binary(key.as_str()) {
            TextMapReader::get_all(&*self.0, key, visit);
        }
    }

    fn for_each_prefix(&self, prefix: &str, visit: &mut dyn FnMut(&str, &[u8])) {
        self.0.for_each_prefix(prefix, &mut |rest, value| {
            if !is_binary(rest) {
                visit(rest, value);
            }
        });
    }

    fn scan(&self, set: &HeaderSet) -> HeaderScan<'_> {
        scan(&self.0, set)
    }
}

/// Scans all headers. The result is unknown if the trace header is found under a binary key.
pub(super) fn scan<'h>(headers: &'h HeaderMap, set: &HeaderSet) -> HeaderScan<'h> {
    match headers.scan(set) {
        HeaderScan::TraceOnly(_) if is_binary(set.trace().as_str()) => HeaderScan::Unknown,
        found => found,
    }
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
        assert!(!carrier.set_key(&Key::new("a-bin").expect("legal"), "v"));
        assert!(carrier.set("uberctx-c", "v"));
        assert_eq!(headers.len(), 1);

        headers.insert("uberctx-b-bin", HeaderValue::from_static("dg"));
        let carrier = GrpcHeaders(&headers);
        let mut seen = Vec::new();
        carrier.for_each_prefix("uberctx-", &mut |rest, _| seen.push(rest.to_owned()));
        let key = Key::new("uberctx-b-bin").expect("legal");
        TextMapReader::get_all(&carrier, &key, &mut |_| panic!("not seen"));
        assert_eq!(seen, ["c"]);
    }
}
