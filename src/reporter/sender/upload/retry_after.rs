//! The pause that a collector asks for.

use std::time::{Duration, SystemTime};

/// Reads the value of `Retry-After`: whole seconds, such as `120`, or a date, such as `Fri, 31 Dec 1999 23:59:59 GMT`.
///
/// A date is compared with the reply's own `Date`, so that clocks need not agree, and with `now` if the reply has none.
/// The pause is at least a second and at most five minutes. Returns `None` for a value that is neither.
pub(super) fn retry_after(value: &str, date: Option<&str>, now: SystemTime) -> Option<Duration> {
    let value = value.trim();
    let pause = if !value.is_empty() && value.bytes().all(|digit| digit.is_ascii_digit()) {
        // A number that is too large for the type is too large for the bound, too.
        Duration::from_secs(value.parse().unwrap_or(u64::MAX))
    } else {
        let until = httpdate::parse_http_date(value).ok()?;
        let date = date.and_then(|date| httpdate::parse_http_date(date.trim()).ok());
        until
            .duration_since(date.unwrap_or(now))
            .unwrap_or_default()
    };
    Some(pause.clamp(SHORTEST, LONGEST))
}

const SHORTEST: Duration = Duration::from_secs(1);

const LONGEST: Duration = Duration::from_secs(5 * 60);

#[cfg(test)]
mod tests {
    use super::*;

    fn seconds(value: &str, date: Option<&str>) -> Option<u64> {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_500_000_000);
        retry_after(value, date, now).map(|pause| pause.as_secs())
    }

    #[test]
    fn seconds_are_read_within_bounds() {
        for (value, expected) in [
            ("0", Some(1)),
            ("1", Some(1)),
            (" 120 ", Some(120)),
            ("007", Some(7)),
            ("300", Some(300)),
            ("301", Some(300)),
            ("99999999999999999999999999", Some(300)),
            ("-1", None),
            ("+1", None),
            ("1.5", None),
            ("1e300", None),
            ("nan", None),
            ("inf", None),
            ("soon", None),
            ("", None),
            ("1 s", None),
            ("١", None),
        ] {
            assert_eq!(seconds(value, None), expected, "{value:?}");
        }
    }

    #[test]
    fn a_date_is_read_in_each_of_its_forms() {
        // 2017-07-14 02:40:00 is 1500000000.
        for (value, expected) in [
            ("Fri, 14 Jul 2017 02:40:30 GMT", Some(30)),
            ("Friday, 14-Jul-17 02:41:00 GMT", Some(60)),
            ("Fri Jul 14 02:42:00 2017", Some(120)),
            ("Fri, 14 Jul 2017 02:39:00 GMT", Some(1)),
            ("Thu, 01 Jan 1970 00:00:00 GMT", Some(1)),
            ("Fri, 31 Dec 9999 23:59:59 GMT", Some(300)),
            ("Fri, 31 Dec 10000 23:59:59 GMT", None),
            ("Fri, 32 Jul 2017 02:40:30 GMT", None),
            ("Fri, 14 Jul 2017 02:40:30 CET", None),
        ] {
            assert_eq!(seconds(value, None), expected, "{value:?}");
        }
    }

    #[test]
    fn a_date_counts_from_the_date_of_the_reply() {
        let until = "Fri, 14 Jul 2017 02:40:30 GMT";
        for (date, expected) in [
            ("Fri, 14 Jul 2017 02:40:20 GMT", 10),
            ("Fri, 14 Jul 2017 02:40:40 GMT", 1),
            ("Thu, 01 Jan 1970 00:00:00 GMT", 300),
            ("rubbish", 30),
        ] {
            assert_eq!(seconds(until, Some(date)), Some(expected), "{date}");
        }
    }
}
