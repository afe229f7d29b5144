//! The time now, and that of another host.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Returns the microseconds since the Unix epoch.
pub(crate) fn now_micros() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    i64::try_from(since.unwrap_or_default().as_micros()).unwrap_or(i64::MAX)
}

/// Returns by how much two times differ.
pub(crate) fn difference(one: SystemTime, other: SystemTime) -> Duration {
    one.duration_since(other)
        .unwrap_or_else(|error| error.duration())
}
