//! A carrier without fast paths.

use tracehound::propagation::{ExtractCarrier, HeaderScan, ReadFrom, TextMapReader};

/// Headers in their order, of any bytes. It has only what the trait demands.
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
    fn scan<'c>(&'c self, scan: &mut HeaderScan<'c, '_>) {
        for (name, value) in &self.headers {
            scan.offer(name, value);
        }
    }
}
