//! The number of spans in a request to a collector, in Protobuf.

/// Returns the number of spans, or `None` if the request cannot be read.
pub fn spans(request: &[u8]) -> Option<u64> {
    count(request, &[RESOURCE_SPANS, SCOPE_SPANS, SPANS])
}

/// Returns how many messages are at the end of a path of field numbers.
fn count(mut message: &[u8], path: &[u64]) -> Option<u64> {
    let Some((wanted, path)) = path.split_first() else {
        return Some(1);
    };
    let mut found = 0;
    while !message.is_empty() {
        let key = varint(&mut message)?;
        let length = match key & 7 {
            0 => varint(&mut message).map(|_| 0)?,
            1 => 8,
            2 => varint(&mut message)?.try_into().ok()?,
            5 => 4,
            _ => return None,
        };
        let (value, rest) = message.split_at_checked(length)?;
        if key >> 3 == *wanted && key & 7 == 2 {
            found += count(value, path)?;
        }
        message = rest;
    }
    Some(found)
}

fn varint(message: &mut &[u8]) -> Option<u64> {
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        let (byte, rest) = message.split_first()?;
        *message = rest;
        value |= u64::from(byte & 0x7f) << shift;
        if *byte < 0x80 {
            return Some(value);
        }
    }
    None
}

const RESOURCE_SPANS: u64 = 1;
const SCOPE_SPANS: u64 = 2;
const SPANS: u64 = 2;

#[cfg(test)]
mod tests {
    use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
    use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span};
    use prost::Message;

    use super::spans;

    #[test]
    fn spans_are_counted_in_all_resources_and_scopes() {
        let span = Span {
            name: "GET /orders".to_owned(),
            start_time_unix_nano: 1,
            flags: 257,
            ..Span::default()
        };
        let scope = |count| ScopeSpans {
            spans: vec![span.clone(); count],
            schema_url: "x".to_owned(),
            ..ScopeSpans::default()
        };
        let resource = |counts: &[usize]| ResourceSpans {
            scope_spans: counts.iter().copied().map(scope).collect(),
            ..ResourceSpans::default()
        };
        let request = ExportTraceServiceRequest {
            resource_spans: vec![resource(&[3, 200]), resource(&[]), resource(&[5])],
        };
        let bytes = request.encode_to_vec();
        assert_eq!(spans(&bytes), Some(208));
        assert_eq!(spans(&bytes[..bytes.len() - 1]), None);
        assert_eq!(spans(&[]), Some(0));
    }
}
