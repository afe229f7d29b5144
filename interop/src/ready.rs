use std::{process::Child, time::Duration};

use crate::poll;

/// Waits until `look` finds that a program is ready.
///
/// # Errors
///
/// Says why it is not: it has ended, or the last error of `look` when the time is over.
pub(crate) fn wait_until_ready(
    child: &mut Child,
    within: Duration,
    every: Duration,
    mut look: impl FnMut() -> Result<(), String>,
) -> Result<(), String> {
    let seen = poll(within, every, || match child.try_wait() {
        Ok(None) => look().map(Ok),
        Ok(Some(status)) => Ok(Err(format!("ended with {status}"))),
        Err(error) => Ok(Err(format!("cannot be waited for: {error}"))),
    });
    seen.and_then(|seen| seen)
}
