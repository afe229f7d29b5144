//! Times as arguments and results have them: RFC 3339, or relative to now.

use crate::clock::system_time_now;
use crate::dev::server::conditions::go_duration;
use crate::dev::server::viewer::calendar::{DAY, date, days};
use crate::model::Timestamp;
use crate::view::Trace;

/// The first and the last microsecond since the epoch in which a trace may have begun.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Interval {
    pub(super) start: Option<i64>,
    pub(super) end: Option<i64>,
}

impl Interval {
    /// Reads the two ends, each with the name of its argument. Without one, all earlier or later traces are in it.
    pub(super) fn new(
        (start_name, start): (&str, Option<&str>),
        (end_name, end): (&str, Option<&str>),
    ) -> Result<Self, String> {
        let now = Timestamp::from(system_time_now()).as_micros();
        let read = |name: &str, text: Option<&str>| {
            let text = text.map(str::trim).filter(|text| !text.is_empty());
            let read = |text| {
                let problem =
                    || format!("invalid {name}: a time is like 2026-01-31T12:00:00Z, -30m or now");
                time(text, now).ok_or_else(problem)
            };
            text.map(read).transpose()
        };
        let (start, end) = (read(start_name, start)?, read(end_name, end)?);
        match (start, end) {
            (Some(start), Some(end)) if end < start => {
                Err(format!("{end_name} must be after {start_name}"))
            }
            _ => Ok(Self { start, end }),
        }
    }

    /// Returns whether a trace began in it.
    pub(super) fn has(&self, trace: &Trace) -> bool {
        let starts = trace.spans.iter().map(|span| span.span.start.as_micros());
        let start = starts.min().unwrap_or(0);
        self.start.is_none_or(|first| start >= first) && self.end.is_none_or(|last| start <= last)
    }
}

/// Returns microseconds since the epoch as RFC 3339.
pub(super) fn rfc3339(micros: i64) -> String {
    let ((year, month, day), rest) = (date(micros.div_euclid(DAY)), micros.rem_euclid(DAY));
    let (seconds, micros) = (rest / 1_000_000, rest % 1_000_000);
    let (hour, minute, second) = (seconds / 3_600, seconds / 60 % 60, seconds % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{micros:06}Z")
}

/// Reads `now`, `-1h30m`, or RFC 3339, as microseconds since the epoch.
fn time(text: &str, now: i64) -> Option<i64> {
    if text == "now" {
        return Some(now);
    }
    if let Some(ago) = text.strip_prefix('-').filter(|ago| !ago.is_empty()) {
        let ago = i64::try_from(go_duration(ago)?.as_micros()).ok()?;
        return Some(now.saturating_sub(ago));
    }
    moment(text)
}

/// Reads RFC 3339: `2026-01-31T12:00:00.5+01:00`.
pub(crate) fn moment(text: &str) -> Option<i64> {
    let (day, rest) = (text.get(..10)?, text.get(11..)?);
    if !matches!(text.as_bytes().get(10), Some(b'T' | b't' | b' ')) {
        return None;
    }
    let [year, month, day] = numbers(day, "-", [4, 2, 2])?;
    let (clock, rest) = (rest.get(..8)?, rest.get(8..)?);
    let [hour, minute, second] = numbers(clock, ":", [2, 2, 2])?;
    let zone_at = rest.find(['Z', 'z', '+', '-'])?;
    let (fraction, zone) = rest.split_at(zone_at);
    let micros = match fraction.strip_prefix('.') {
        None if fraction.is_empty() => 0,
        Some(digits)
            if !digits.is_empty() && digits.bytes().all(|digit| digit.is_ascii_digit()) =>
        {
            format!("{digits:0<6}").get(..6)?.parse().ok()?
        }
        _ => return None,
    };
    let offset = match zone.split_at(1) {
        ("Z" | "z", "") => 0,
        (sign, offset) => {
            let [hours, minutes] = numbers(offset, ":", [2, 2])?;
            if hours > 23 || minutes > 59 {
                return None;
            }
            (hours * 60 + minutes) * if sign == "-" { -1 } else { 1 }
        }
    };
    let days = days(year, month, day)?;
    if hour > 23 || minute > 59 || second > 60 {
        return None;
    }
    let seconds = hour * 3_600 + (minute - offset) * 60 + second;
    Some(days * DAY + seconds * 1_000_000 + micros)
}

/// Reads numbers with the given counts of digits, and nothing else.
fn numbers<const N: usize>(text: &str, between: &str, digits: [usize; N]) -> Option<[i64; N]> {
    let mut parts = text.split(between);
    let mut numbers = [0; N];
    for (number, digits) in numbers.iter_mut().zip(digits) {
        let part = parts.next()?;
        if part.len() != digits || !part.bytes().all(|digit| digit.is_ascii_digit()) {
            return None;
        }
        *number = part.parse().ok()?;
    }
    parts.next().is_none().then_some(numbers)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const NOW: i64 = 1_700_000_000_000_000;

    #[test]
    fn times_are_read_as_they_are_written() {
        for (text, expected) in [
            ("now", Some(NOW)),
            ("-1h", Some(NOW - 3_600_000_000)),
            ("-1m30s", Some(NOW - 90_000_000)),
            ("2023-11-14T22:13:20Z", Some(NOW)),
            ("2023-11-14T23:13:20+01:00", Some(NOW)),
            ("2023-11-14t20:43:20.5-01:30", Some(NOW + 500_000)),
            ("2023-11-14 22:13:20.0000019z", Some(NOW + 1)),
            ("2016-12-31T23:59:60Z", Some(1_483_228_800_000_000)),
            ("0000-01-01T00:00:00Z", Some(-62_167_219_200_000_000)),
            ("", None),
            ("-", None),
            ("-1", None),
            ("1h", None),
            ("2023-11-14", None),
            ("2023-11-14T22:13:20", None),
            ("2023-11-14T22:13:20.Z", None),
            ("2023-11-14T22:13:20,5Z", None),
            ("2023-02-29T22:13:20Z", None),
            ("2023-11-14T24:00:00Z", None),
            ("2023-11-14T22:13:20+1:00", None),
            ("2023-11-14T22:13:20+24:00", None),
            ("2023-11-14T22:13:20Zulu", None),
            ("+023-11-14T22:13:20Z", None),
            ("２023-11-14T22:13:20Z", None),
        ] {
            assert_eq!(time(text, NOW), expected, "{text}");
        }
    }

    #[test]
    fn the_end_of_an_interval_is_not_before_its_start() {
        let interval = |start, end| Interval::new(("from", Some(start)), ("to", Some(end)));
        assert_eq!(interval(" ", ""), Ok(Interval::default()));
        assert!(interval("-1h", "now").is_ok());
        assert_eq!(
            interval("now", "-1h"),
            Err("to must be after from".to_owned())
        );
        let problem = interval("yesterday", "now").expect_err("no time");
        assert!(problem.starts_with("invalid from"), "{problem}");
    }

    proptest! {
        #[test]
        fn a_time_that_is_written_is_read_back(micros in -62_167_219_200_000_000i64..253_402_300_800_000_000) {
            prop_assert_eq!(moment(&rfc3339(micros)), Some(micros));
        }

        #[test]
        fn any_text_is_read_or_refused(text in any::<String>(), digits in "[0-9TZ:+.-]{0,40}") {
            let _ = (time(&text, NOW), time(&digits, NOW));
        }
    }
}
