//! Text and colours of the pages that the server draws, like those of the script.

use std::time::Duration;

use crate::dev::server::viewer::calendar::{DAY, date};
pub(super) use crate::view::color::color;
use crate::view::waterfall::duration_text;

/// Returns a duration in microseconds as text.
pub(super) fn duration(micros: i64) -> String {
    let micros = u64::try_from(micros).unwrap_or(0);
    duration_text(Duration::from_micros(micros), true)
}

/// Returns a time in microseconds since the epoch as text: `2023-11-14 22:13:20.000 UTC`.
pub(super) fn time(micros: i64) -> String {
    let ((year, month, day), rest) = (date(micros.div_euclid(DAY)), micros.rem_euclid(DAY));
    let millis = rest / 1_000;
    let (hour, minute, second) = (
        millis / 3_600_000,
        millis / 60_000 % 60,
        millis / 1_000 % 60,
    );
    let millis = millis % 1_000;
    format!("{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02}.{millis:03} UTC")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_those_of_the_calendar() {
        for (seconds, text) in [
            (0, "1970-01-01 00:00:00.000 UTC"),
            (-1, "1969-12-31 23:59:59.000 UTC"),
            (951_782_400, "2000-02-29 00:00:00.000 UTC"),
            (951_868_800, "2000-03-01 00:00:00.000 UTC"),
            (1_700_000_000, "2023-11-14 22:13:20.000 UTC"),
            (4_107_542_399, "2100-02-28 23:59:59.000 UTC"),
            (4_107_542_400, "2100-03-01 00:00:00.000 UTC"),
        ] {
            assert_eq!(time(seconds * 1_000_000), text);
        }
        for extreme in [i64::MIN, i64::MAX] {
            assert!(time(extreme).ends_with(" UTC"));
        }
    }
}
