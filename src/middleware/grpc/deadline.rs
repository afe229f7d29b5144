use std::time::Duration;

use http::HeaderMap;

/// Returns the time that the caller gives a call: the header `grpc-timeout`, up to eight digits and a unit.
///
/// Other spellings are no timeout, as in tonic.
pub(crate) fn timeout(headers: &HeaderMap) -> Option<Duration> {
    let value = headers.get("grpc-timeout")?.as_bytes();
    let (unit, digits) = value.split_last()?;
    let is_number = (1..=8).contains(&digits.len()) && digits.iter().all(u8::is_ascii_digit);
    if !is_number {
        return None;
    }
    let number: u64 = str::from_utf8(digits).ok()?.parse().ok()?;
    Some(match unit {
        b'H' => Duration::from_secs(number * 3_600),
        b'M' => Duration::from_secs(number * 60),
        b'S' => Duration::from_secs(number),
        b'm' => Duration::from_millis(number),
        b'u' => Duration::from_micros(number),
        b'n' => Duration::from_nanos(number),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[test]
    fn a_timeout_has_up_to_eight_digits_and_a_unit() {
        let rows: &[(&[u8], Option<Duration>)] = &[
            (b"1H", Some(Duration::from_secs(3_600))),
            (b"2M", Some(Duration::from_secs(120))),
            (b"30S", Some(Duration::from_secs(30))),
            (b"250m", Some(Duration::from_millis(250))),
            (b"7u", Some(Duration::from_micros(7))),
            (b"99999999n", Some(Duration::from_nanos(99_999_999))),
            (b"99999999H", Some(Duration::from_secs(99_999_999 * 3_600))),
            (b"0m", Some(Duration::ZERO)),
            (b"100000000n", None),
            (b"m", None),
            (b"", None),
            (b"5", None),
            (b"-5m", None),
            (b"5x", None),
            (b" 5m", None),
            (b"1.5S", None),
            (b"\xff", None),
        ];
        for (value, expected) in rows {
            let mut headers = HeaderMap::new();
            let value = HeaderValue::from_bytes(value).expect("legal");
            headers.insert("grpc-timeout", value.clone());
            assert_eq!(timeout(&headers), *expected, "{value:?}");
        }
        assert_eq!(timeout(&HeaderMap::new()), None);
    }
}
