//! The time that a request waited between a proxy and the server, by the header `x-request-start` or another one.

use http::{HeaderMap, HeaderName};

use crate::span::Span;

/// Records how long a request has waited since the proxy took it, if a header tells so.
pub(super) fn record(span: &Span, headers: &HeaderMap, name: &HeaderName) {
    // The nearest proxy has written the last one.
    let Some(value) = headers.get_all(name).iter().next_back() else {
        return;
    };
    let Some(start) = value.to_str().ok().and_then(nanos) else {
        return;
    };
    let Some(slot) = span.slot() else { return };
    let clock = &slot.recorder.clock;
    let now = clock.anchor().saturating_add_unsigned(clock.now());
    if let Some(queued) = queued(start, now) {
        span.set_tag("http.queue_ms", queued);
    }
}

/// Returns the milliseconds between two times in nanoseconds since the epoch.
///
/// The clock of the proxy may be ahead of ours: then the time is zero. A time that is too long is an error of somebody.
fn queued(start: i128, now: i64) -> Option<u64> {
    let millis = (i128::from(now) - start) / 1_000_000;
    let millis = u64::try_from(millis).unwrap_or(0);
    (millis <= LONGEST).then_some(millis)
}

/// An hour. No proxy waits longer for a server.
const LONGEST: u64 = 3_600_000;

/// Reads a time as nanoseconds since the epoch.
///
/// Proxies write it as `t=1700000000.123` (nginx: `t=${msec}`), `1700000000123` (Heroku) or `t=1700000000123456`
/// (Apache: `t=%t`), and do not name the unit. Its number of digits tells it, for all times from 1973 to 5138.
fn nanos(text: &str) -> Option<i128> {
    let text = text.trim();
    let text = text.strip_prefix("t=").unwrap_or(text);
    let (whole, fraction) = match text.split_once('.') {
        Some((whole, fraction)) => (whole, fraction),
        None => (text, "0"),
    };
    let is_number = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    let lengths = (10..=19).contains(&whole.len()) && (1..=9).contains(&fraction.len());
    if !lengths || !is_number(whole) || !is_number(fraction) {
        return None;
    }
    let unit: i128 = match whole.len() {
        ..=11 => 1_000_000_000,
        12..=14 => 1_000_000,
        15..=17 => 1_000,
        _ => 1,
    };
    let parts: i128 = fraction.parse().ok()?;
    let scale = 10_i128.pow(fraction.len() as u32);
    Some(whole.parse::<i128>().ok()? * unit + parts * unit / scale)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_read_in_every_unit_that_proxies_write() {
        let rows = [
            ("t=1700000000.123", 1_700_000_000_123_000_000),
            ("1700000000", 1_700_000_000_000_000_000),
            (" t=1700000000.5 ", 1_700_000_000_500_000_000),
            ("1700000000123", 1_700_000_000_123_000_000),
            ("1700000000123.25", 1_700_000_000_123_250_000),
            ("t=1700000000123456", 1_700_000_000_123_456_000),
            ("1700000000123456789", 1_700_000_000_123_456_789),
        ];
        for (text, expected) in rows {
            assert_eq!(nanos(text), Some(expected), "{text}");
        }
    }

    #[test]
    fn a_text_that_is_no_time_is_not_read() {
        let rows = [
            "",
            "t=",
            "0",
            "-1700000000",
            "+1700000000",
            "1.7e9",
            "1700000000.",
            ".5",
            "1700000000.1.2",
            "1700000000s",
            "t=t=1700000000",
            "NaN",
            "17000000001234567890",
            "1700000000.1234567890",
            "١٧٠٠٠٠٠٠٠٠",
        ];
        for text in rows {
            assert_eq!(nanos(text), None, "{text}");
        }
    }

    #[test]
    fn a_wait_is_not_negative_and_not_longer_than_an_hour() {
        let second = 1_000_000_000;
        let rows = [
            (0, Some(0)),
            (second, Some(1_000)),
            (-second, Some(0)),
            (second / 2_000, Some(0)),
            (3_600 * second, Some(3_600_000)),
            (3_601 * second, None),
        ];
        for (wait, expected) in rows {
            let now = 1_700_000_000 * second;
            assert_eq!(queued(i128::from(now - wait), now), expected, "{wait}");
        }
        assert_eq!(queued(i128::from(i64::MAX) * 1_000, i64::MIN), Some(0));
        assert_eq!(queued(0, i64::MAX), None);
    }
}
