//! Text and colours of the pages that the server draws, like those of the script.

use std::time::Duration;

use crate::view::waterfall::duration_text;

/// Returns the colour of a service, by its place among the services.
pub(super) fn color(index: usize) -> String {
    let lightness = ["0.6", "0.54", "0.65"][index / 7 % 3];
    let hue = (250.0 + index as f64 * 137.5) % 360.0;
    format!("oklch({lightness} 0.13 {hue})")
}

/// Returns a duration in microseconds as text.
pub(super) fn duration(micros: i64) -> String {
    let micros = u64::try_from(micros).unwrap_or(0);
    duration_text(Duration::from_micros(micros), true)
}

/// Returns a time in microseconds since the epoch as text: `2023-11-14 22:13:20.000 UTC`.
pub(super) fn time(micros: i64) -> String {
    let (days, rest) = (micros.div_euclid(DAY), micros.rem_euclid(DAY));
    // The calendar repeats after 400 years, which begin in March, so that a leap day ends its year.
    let days = days + 719_468;
    let (era, day) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let day = day - (153 * month + 2) / 5 + 1;
    let (month, later) = if month < 10 {
        (month + 3, 0)
    } else {
        (month - 9, 1)
    };
    let year = era * 400 + year + later;
    let millis = rest / 1_000;
    let (hour, minute, second) = (
        millis / 3_600_000,
        millis / 60_000 % 60,
        millis / 1_000 % 60,
    );
    let millis = millis % 1_000;
    format!("{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02}.{millis:03} UTC")
}

/// The microseconds of a day.
const DAY: i64 = 86_400_000_000;

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
