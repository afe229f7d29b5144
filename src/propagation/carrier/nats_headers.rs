use std::mem;

use async_nats::{HeaderMap, HeaderName, HeaderValue};

use crate::propagation::carrier::text_map::offer_lower_last;
use crate::propagation::{
    ExtractCarrier, HeaderScan, InjectCarrier, ReadFrom, TextMapReader, TextMapWriter, WriteTo,
};

impl InjectCarrier for HeaderMap {
    fn write(&mut self) -> WriteTo<'_> {
        WriteTo::TextMap(self)
    }
}

impl ExtractCarrier for HeaderMap {
    fn read(&self) -> ReadFrom<'_> {
        ReadFrom::TextMap(self)
    }
}

/// Setting a key fails if NATS allows no such name, or if the value holds a line break.
impl TextMapWriter for HeaderMap {
    fn set(&mut self, key: &str, value: &str) -> bool {
        let (Ok(name), Ok(value)) = (key.parse::<HeaderName>(), value.parse::<HeaderValue>())
        else {
            return false;
        };
        // Names that differ in case are names of their own for NATS.
        self.remove_where(&|known| known != key && known.eq_ignore_ascii_case(key));
        self.insert(name, value);
        true
    }

    fn remove_where(&mut self, is_stale: &dyn Fn(&str) -> bool) {
        if !self.iter().any(|(name, _)| is_stale(name.as_ref())) {
            return;
        }
        // The map has no method that removes.
        for (name, values) in mem::take(self).iter() {
            if !is_stale(name.as_ref()) {
                for value in values {
                    self.append(name.clone(), value.clone());
                }
            }
        }
    }
}

impl TextMapReader for HeaderMap {
    /// If several names differ in case alone, the one in lower case comes last.
    fn scan<'c>(&'c self, scan: &mut HeaderScan<'c, '_>) {
        let headers = self.iter().flat_map(|(name, values)| {
            let values = values.iter();
            values.map(move |value| (name.as_ref(), value.as_str()))
        });
        offer_lower_last(headers, scan);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_replaced_in_any_case_and_the_others_stay() {
        let mut headers = HeaderMap::new();
        headers.insert("Uber-Trace-Id", "old");
        headers.append("Nats-Msg-Id", "7");
        headers.append("Nats-Msg-Id", "8");
        assert!(TextMapWriter::set(&mut headers, "uber-trace-id", "new"));
        assert_eq!(headers.len(), 2);
        let value = headers.get("uber-trace-id").map(HeaderValue::as_str);
        assert_eq!(value, Some("new"));
        let ids = headers.get_all("Nats-Msg-Id").map(HeaderValue::as_str);
        assert!(ids.eq(["7", "8"]));

        headers.remove_where(&|name| name == "unknown");
        assert_eq!(headers.len(), 2);
        assert!(!TextMapWriter::set(&mut headers, "key", "a\r\nb"));
    }
}
