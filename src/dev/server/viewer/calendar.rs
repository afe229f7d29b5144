//! The calendar: days since the epoch as dates, and back.

/// Returns year, month and day of a number of days since the epoch.
pub(super) fn date(days: i64) -> (i64, i64, i64) {
    // The calendar repeats after 400 years, which begin in March, so that a leap day ends its year.
    let days = days + FROM_MARCH_OF_0;
    let (era, day) = (
        days.div_euclid(DAYS_OF_400_YEARS),
        days.rem_euclid(DAYS_OF_400_YEARS),
    );
    let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let day = day - (153 * month + 2) / 5 + 1;
    let (month, later) = if month < 10 {
        (month + 3, 0)
    } else {
        (month - 9, 1)
    };
    (era * 400 + year + later, month, day)
}

/// Returns the days since the epoch; none if there is no such date.
pub(super) fn days(year: i64, month: i64, day: i64) -> Option<i64> {
    let (in_march, months) = if month > 2 {
        (year, month - 3)
    } else {
        (year - 1, month + 9)
    };
    let (era, year_of_era) = (in_march.div_euclid(400), in_march.rem_euclid(400));
    let day_of_year = (153 * months + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    let days = era * DAYS_OF_400_YEARS + day_of_era - FROM_MARCH_OF_0;
    (date(days) == (year, month, day)).then_some(days)
}

/// The microseconds of a day.
pub(super) const DAY: i64 = 86_400_000_000;
const DAYS_OF_400_YEARS: i64 = 146_097;
/// The days from the first of March of the year 0 to the epoch.
const FROM_MARCH_OF_0: i64 = 719_468;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_day_of_eight_centuries_has_its_date() {
        let mut expected = (1_600, 1, 1);
        for at in -135_140..157_055 {
            assert_eq!(date(at), expected);
            let (year, month, day) = expected;
            assert_eq!(days(year, month, day), Some(at));
            let is_leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
            let last = match month {
                2 if is_leap => 29,
                2 => 28,
                4 | 6 | 9 | 11 => 30,
                _ => 31,
            };
            expected = match (day == last, month) {
                (false, _) => (year, month, day + 1),
                (true, 12) => (year + 1, 1, 1),
                (true, _) => (year, month + 1, 1),
            };
        }
    }

    #[test]
    fn dates_that_no_calendar_has_are_refused() {
        for (year, month, day) in [
            (2023, 2, 29),
            (2023, 0, 1),
            (2023, 13, 1),
            (2023, 4, 31),
            (2023, 1, 0),
        ] {
            assert_eq!(days(year, month, day), None, "{year}-{month}-{day}");
        }
    }
}
