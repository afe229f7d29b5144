use http::HeaderMap;
use tonic::metadata::MetadataMap;

use crate::propagation::carrier::grpc_headers::{GrpcHeaders, scan};
use crate::propagation::carrier::{HeaderScan, Internal};
use crate::propagation::{
    ExtractCarrier, HeaderNames, InjectCarrier, Key, ReadFrom, TextMapReader, TextMapWriter,
    WriteTo,
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

/// False besides for keys that end in `-bin`.
impl TextMapWriter for MetadataMap {
    fn remove_where(&mut self, is_stale: &dyn Fn(&str) -> bool) {
        headers_mut(self).remove_where(is_stale);
    }

    fn remove_named(&mut self, names: &HeaderNames, internal: Internal) {
        headers_mut(self).remove_named(names, internal);
    }

    fn set_trace(&mut self, names: &HeaderNames, value: &[u8], internal: Internal) -> bool {
        GrpcHeaders(headers_mut(self)).set_trace(names, value, internal)
    }

    fn set(&mut self, key: &str, value: &str) -> bool {
        GrpcHeaders(headers_mut(self)).set(key, value)
    }

    fn set_key(&mut self, key: &Key, value: &str) -> bool {
        GrpcHeaders(headers_mut(self)).set_key(key, value)
    }
}

/// Keys that end in `-bin` are not seen.
impl TextMapReader for MetadataMap {
    fn get_all(&self, key: &Key, visit: &mut dyn FnMut(&[u8])) {
        GrpcHeaders(headers(self)).get_all(key, visit);
    }

    fn for_each_prefix(&self, prefix: &str, visit: &mut dyn FnMut(&str, &[u8])) {
        GrpcHeaders(headers(self)).for_each_prefix(prefix, visit);
    }

    fn scan(&self, names: &HeaderNames, internal: Internal) -> HeaderScan<'_> {
        scan(headers(self), names, internal)
    }
}

/// The headers that the metadata are made of: they can refuse where tonic's own `insert` would panic.
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
    fn binary_keys_are_neither_written_nor_read() {
        let mut metadata = MetadataMap::new();
        assert!(!metadata.set("uberctx-a-bin", "v"));
        assert!(!metadata.set("uberctx-a-BIN", "v"));
        assert!(!metadata.set_key(&Key::new("a-bin").expect("legal"), "v"));
        assert!(metadata.is_empty());

        metadata.insert_bin("uberctx-b-bin", MetadataValue::from_bytes(b"v"));
        assert!(metadata.set("uberctx-c", "v"));
        let mut seen = Vec::new();
        metadata.for_each_prefix("uberctx-", &mut |rest, _| seen.push(rest.to_owned()));
        let key = Key::new("uberctx-b-bin").expect("legal");
        TextMapReader::get_all(&metadata, &key, &mut |_| panic!("not seen"));
        assert_eq!(seen, ["c"]);
    }
}
