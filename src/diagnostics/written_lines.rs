use std::collections::{BTreeMap, HashMap};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use crate::diagnostics::quiet::Quiet;
use crate::sync::PerProcess;

/// The lines that the tracers of this process have written to standard error, so that one problem makes one line and
/// not one for each tracer.
pub(super) struct WrittenLines {
    causes: BTreeMap<&'static str, LinesOfCause>,
}

/// A line names its destination, so lines about two destinations differ.
#[derive(Default)]
struct LinesOfCause {
    warnings: HashMap<String, Quiet>,
    /// The lines since the last warning that told of an end.
    ends: Vec<String>,
}

/// How many different lines are remembered for one cause. Further ones are written each time.
const MAX_LINES: usize = 64;

impl WrittenLines {
    const fn new() -> Self {
        Self {
            causes: BTreeMap::new(),
        }
    }

    /// Returns how many lines were suppressed if the process has not said this in the last ten seconds.
    pub(super) fn warn(
        &mut self,
        cause: &'static str,
        line: &str,
        now: Instant,
        more: u64,
    ) -> Option<u64> {
        let lines = self.causes.entry(cause).or_default();
        if !lines.warnings.contains_key(line) && lines.warnings.len() >= MAX_LINES {
            lines.warnings.retain(|_, quiet| quiet.is_quiet(now));
        }
        let suppressed = match lines.warnings.get_mut(line) {
            Some(quiet) => quiet.admit(now, more)?,
            None => {
                if lines.warnings.len() < MAX_LINES {
                    let mut quiet = Quiet::default();
                    quiet.admit(now, 0);
                    lines.warnings.insert(line.to_owned(), quiet);
                }
                more
            }
        };
        lines.ends.clear();
        Some(suppressed)
    }

    /// Returns whether no tracer has written this line since the last warning of the cause.
    pub(super) fn recovered(&mut self, cause: &'static str, line: &str) -> bool {
        let ends = &mut self.causes.entry(cause).or_default().ends;
        if ends.iter().any(|end| end == line) {
            return false;
        }
        if ends.len() < MAX_LINES {
            ends.push(line.to_owned());
        }
        true
    }
}

/// Returns the lines of this process.
pub(super) fn written_lines() -> MutexGuard<'static, WrittenLines> {
    static WRITTEN: PerProcess<Mutex<WrittenLines>> =
        PerProcess::of_first(Mutex::new(WrittenLines::new()));
    let lines = WRITTEN.get(|_| Mutex::new(WrittenLines::new()));
    lines.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::clock::instant_now;
    use crate::diagnostics::subjects::QUIET;

    #[test]
    fn tracers_of_a_process_say_the_same_thing_once() {
        let mut lines = WrittenLines::new();
        let now = instant_now();
        let mut refused = |to: &str, after: u64, more| {
            lines.warn("refused", to, now + Duration::from_secs(after), more)
        };
        assert_eq!(refused("a", 0, 0), Some(0));
        for _ in 0..399 {
            assert_eq!(refused("a", 1, 0), None);
        }
        assert_eq!(refused("b", 1, 0), Some(0), "another destination");
        assert_eq!(refused("a", 11, 2), Some(401));
        assert_eq!(refused("a", 12, 2), None);
        assert_eq!(refused("a", 22, 0), Some(3));
    }

    #[test]
    fn the_end_of_a_trouble_is_said_once_after_each_warning() {
        let mut lines = WrittenLines::new();
        let now = instant_now();
        lines.warn("refused", "a", now, 0);
        lines.warn("refused", "b", now, 0);
        assert!(lines.recovered("refused", "a again"));
        assert!(lines.recovered("refused", "b again"));
        assert!(!lines.recovered("refused", "a again"));
        assert_eq!(lines.warn("refused", "a", now + QUIET, 0), Some(0));
        assert!(lines.recovered("refused", "a again"));
    }

    #[test]
    fn lines_without_number_take_no_memory_without_bound() {
        let mut lines = WrittenLines::new();
        let now = instant_now();
        for n in 0..1_000 {
            assert_eq!(lines.warn("queue_full", &n.to_string(), now, 0), Some(0));
            lines.recovered("queue_full", &n.to_string());
        }
        assert_eq!(lines.causes["queue_full"].warnings.len(), MAX_LINES);
        lines.warn("queue_full", "later", now + QUIET, 0);
        assert_eq!(lines.causes["queue_full"].warnings.len(), 1);
    }
}
