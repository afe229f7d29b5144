use std::time::Instant;

use crate::diagnostics::subjects::QUIET;

/// Lets one line through in ten seconds.
#[derive(Default)]
pub(super) struct Quiet {
    pub(super) last_line: Option<Instant>,
    suppressed: u64,
}

impl Quiet {
    /// Returns how many lines were suppressed, `more` included, if a line may be written now. Else counts it as
    /// suppressed.
    pub(super) fn admit(&mut self, now: Instant, more: u64) -> Option<u64> {
        if self.is_quiet(now) {
            self.suppressed += more + 1;
            return None;
        }
        self.last_line = Some(now);
        Some(std::mem::take(&mut self.suppressed) + more)
    }

    pub(super) fn is_quiet(&self, now: Instant) -> bool {
        self.last_line
            .is_some_and(|last| now.saturating_duration_since(last) < QUIET)
    }
}
