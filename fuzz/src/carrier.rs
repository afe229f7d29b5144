//! A carrier without fast paths.

use tracehound::propagation::{ExtractCarrier, Key, ReadFrom, TextMapReader};

/// Headers in their order, of any bytes. It has only what the trait demands, so reading it takes the codec's slow path.
#[derive(Clone, Debug, Default)]
pub struct Plain {
    /// Names and values.
    pub headers: Vec<(String, Vec<u8>)>,
    /// Whether they are HTTP headers, whose baggage values are percent-encoded.
    pub is_http: bool,
}

impl ExtractCarrier for Plain {
    fn read(&self) -> ReadFrom<'_> {
        match self.is_http {
            true => ReadFrom::HttpHeaders(self),
            false => ReadFrom::TextMap(self),
        }
    }
}

impl TextMapReader for Plain {
    fn get_all(&self, key: &Key, visit: &mut dyn FnMut(&[u8])) {
        for (name, value) in &self.headers {
            if name.eq_ignore_ascii_case(key.as_str()) {
                visit(value);
            }
        }
    }

    fn for_each_prefix(&self, prefix: &str, visit: &mut dyn FnMut(&str, &[u8])) {
        for (name, value) in &self.headers {
            if let Some((start, rest)) = name.split_at_checked(prefix.len())
                && start.eq_ignore_ascii_case(prefix)
            {
                visit(rest, value);
            }
        }
    }
}
