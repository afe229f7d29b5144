//! The answers to spans in OTLP: `ExportTraceServiceResponse`.

/// Returns the message in JSON, with the number of spans that are left out.
pub(crate) fn json(left_out: u64) -> String {
    match left_out {
        0 => r#"{"partialSuccess":{}}"#.to_owned(),
        _ => format!(
            r#"{{"partialSuccess":{{"rejectedSpans":"{left_out}","errorMessage":"{WHY}"}}}}"#
        ),
    }
}

/// Returns the message in protobuf. It is empty if all spans were taken.
pub(crate) fn protobuf(left_out: u64) -> Vec<u8> {
    if left_out == 0 {
        return Vec::new();
    }
    let mut partial = vec![REJECTED_SPANS];
    let mut rest = left_out;
    while rest >= 0x80 {
        partial.push(rest as u8 | 0x80);
        rest >>= 7;
    }
    partial.extend([rest as u8, ERROR_MESSAGE, WHY.len() as u8]);
    partial.extend(WHY.as_bytes());
    [&[PARTIAL_SUCCESS, partial.len() as u8], &*partial].concat()
}

/// The answer gives this reason for spans that are left out. With a number of ten bytes the message still has a length
/// of one byte.
const WHY: &str = "a span needs a trace id and a span id that are not zero";
/// The keys of fields: the number of the field, and how its value is written.
const PARTIAL_SUCCESS: u8 = 1 << 3 | 2;
const REJECTED_SPANS: u8 = 1 << 3;
const ERROR_MESSAGE: u8 = 2 << 3 | 2;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_number_of_spans_that_are_left_out_is_written() {
        assert_eq!(protobuf(0), b"");
        assert_eq!(json(0), r#"{"partialSuccess":{}}"#);
        for (left_out, varint) in [
            (1, &b"\x01"[..]),
            (300, b"\xac\x02"),
            (u64::MAX, b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"),
        ] {
            let (length, why) = (WHY.len() as u8, WHY.as_bytes());
            let partial = [b"\x08", varint, b"\x12", &[length], why].concat();
            let message = [&[0x0a, partial.len() as u8], &*partial].concat();
            assert_eq!(protobuf(left_out), message);
            assert!(partial.len() < 0x80, "its length has one byte");
        }
        let answer: serde_json::Value = serde_json::from_str(&json(7)).expect("JSON");
        assert_eq!(answer["partialSuccess"]["rejectedSpans"], "7");
        assert_eq!(answer["partialSuccess"]["errorMessage"], WHY);
    }
}
