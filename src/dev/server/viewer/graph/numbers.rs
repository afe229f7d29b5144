//! Rate, errors and durations of calls.

use crate::dev::server::viewer::picture::duration;

/// The durations of calls in microseconds, and how many have failed.
#[derive(Debug, Default)]
pub(super) struct Calls {
    pub(super) durations: Vec<i64>,
    pub(super) errors: usize,
}

/// Rate, errors and durations as text.
pub(super) struct Numbers {
    pub(super) count: usize,
    pub(super) rate: String,
    pub(super) errors: usize,
    pub(super) error_percent: String,
    pub(super) median: String,
    pub(super) p95: String,
    pub(super) longest: String,
}

impl Calls {
    /// Returns the numbers of calls within `seconds`.
    pub(super) fn numbers(&mut self, seconds: f64) -> Numbers {
        self.durations.sort_unstable();
        let count = self.durations.len();
        let at = |part: f64| {
            let place = (part * count as f64).ceil() as usize;
            let found = self.durations.get(place.saturating_sub(1));
            duration(found.copied().unwrap_or(0))
        };
        Numbers {
            count,
            rate: format!("{:.2}/s", count as f64 / seconds),
            errors: self.errors,
            error_percent: format!("{:.1} %", self.errors as f64 * 100.0 / count.max(1) as f64),
            median: at(0.5),
            p95: at(0.95),
            longest: at(1.0),
        }
    }
}
