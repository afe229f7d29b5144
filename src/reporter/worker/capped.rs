//! Lines to the user about spans that recorded nothing.

use crate::metrics::DropCause;
use crate::reporter::worker::options::WorkerOptions;

/// The spans that recorded nothing because too many were open, as of the last check.
#[derive(Debug, Default)]
pub(super) struct Capped {
    seen: u64,
}

impl Capped {
    /// Warns of such spans that have finished since the last check.
    pub(super) fn check(&mut self, options: &WorkerOptions) {
        let seen = options.queue.totals().0.get(DropCause::OpenCap);
        let lost = seen.saturating_sub(self.seen);
        self.seen = seen;
        if lost > 0 {
            let line = || format!("{lost} {LINE}");
            options
                .services
                .metrics()
                .note_loss(DropCause::OpenCap, line);
            options
                .services
                .diagnostics()
                .warn(DropCause::OpenCap.name(), line);
        }
    }
}

const LINE: &str = "spans recorded nothing, because too many were open when they started: find those that never \
     finish, or allow more (max_open_spans, TRACEHOUND_MAX_OPEN_SPANS)";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reporter::worker::fixtures::options;

    #[test]
    fn a_line_tells_how_many_spans_recorded_nothing() {
        let (options, lines) = options(0);
        let mut capped = Capped::default();
        capped.check(&options);
        options.queue.drop_spans(DropCause::OpenCap, 3);
        capped.check(&options);
        capped.check(&options);
        let lines = lines.lock().expect("not poisoned");
        assert_eq!(*lines, [format!("3 {LINE}")]);
    }
}
