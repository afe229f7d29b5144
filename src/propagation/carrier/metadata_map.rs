use http::HeaderMap;
use tonic::metadata::MetadataMap;

use crate::propagation::carrier::grpc_headers::{GrpcHeaders, scan_text};
use crate::propagation::{
    ExtractCarrier, HeaderScan, HeaderSet, InjectCarrier, Key, ReadFrom, TextMapReader,
    TextMapWriter, WriteTo,
};

impl InjectCarrier for MetadataMap {
    fn write(&mut self) -> WriteTo<'_> {
        WriteTo::HttpHeaders(self)
    }
}

impl ExtractCarrier for MetadataMap {
    fn read(&self) -> ReadFrom<'_> {
        ReadFrom::HttpHeaders(self)
    }
}

/// Setting a key also fails if it ends in `-bin`. Such keys are never removed.
impl TextMapWriter for MetadataMap {
    fn remove_where(&mut self, is_stale: &dyn Fn(&str) -> bool) {
        GrpcHeaders(headers_mut(self)).remove_where(is_stale);
    }

    fn remove_owned(&mut self, owned: &HeaderSet, except: &[&Key]) {
        GrpcHeaders(headers_mut(self)).remove_owned(owned, except);
    }

    fn replace(&mut self, owned: &HeaderSet, key: &Key, value: &[u8]) -> bool {
        GrpcHeaders(headers_mut(self)).replace(owned, key, value)
    }

    fn may_hold(&self, set: &HeaderSet) -> bool {
        headers(self).may_hold(set)
    }

    fn set(&mut self, key: &str, value: &str) -> bool {
        GrpcHeaders(headers_mut(self)).set(key, value)
    }

    fn set_key(&mut self, key: &Key, value: &[u8]) -> bool {
        GrpcHeaders(headers_mut(self)).set_key(key, value)
    }
}

/// Keys that end in `-bin` are skipped.
impl TextMapReader for MetadataMap {
    fn scan<'c>(&'c self, scan: &mut HeaderScan<'c, '_>) {
        scan_text(headers(self), scan);
    }
}

/// Returns the headers behind the metadata. They can refuse a key for which tonic's own `insert` would panic.
fn headers_mut(metadata: &mut MetadataMap) -> &mut HeaderMap {
    metadata.as_mut()
}

fn headers(metadata: &MetadataMap) -> &HeaderMap {
    metadata.as_ref()
}

#[cfg(test)]
mod tests {
    use tonic::metadata::MetadataValue;

    use super::*;

    #[test]
    fn a_carrier_skips_binary_keys() {
        let mut metadata = MetadataMap::new();
        assert!(!metadata.set("uberctx-a-bin", "v"));
        assert!(!metadata.set("uberctx-a-BIN", "v"));
        assert!(!metadata.set_key(&Key::new("a-bin").expect("legal"), b"v"));
        assert!(metadata.is_empty());

        metadata.insert_bin("uberctx-b-bin", MetadataValue::from_bytes(b"v"));
        assert!(metadata.set("uberctx-c", "v"));
        let binary = Key::new("uberctx-b-bin").expect("legal");
        let prefix = Key::new("uberctx-").expect("legal");
        let set = HeaderSet::new([binary], [prefix]);
        let seen: Vec<_> = metadata.find(&set).iter().map(|(name, _)| name).collect();
        assert_eq!(seen, ["uberctx-c"]);
    }
}
