//! Lines about one of many subjects, such as a place in the program: each subject has ten silent seconds of its own.

use std::collections::HashMap;
use std::time::Duration;

/// The thing that a line is about.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Subject {
    /// A place in the program: a file and a line.
    Place(&'static str, u32),
    /// An operation whose place is not known.
    Operation(String),
    /// Any of those that are too many to be remembered.
    Other,
}

impl Subject {
    /// Returns the place, or else the operation by the first bytes of its name.
    pub(crate) fn of(place: Option<(&'static str, u32)>, operation_name: &str) -> Self {
        match place {
            Some((file, line)) => Self::Place(file, line),
            None => Self::Operation(operation_name.chars().take(MAX_NAME_CHARS).collect()),
        }
    }
}

/// The subjects that have had a line lately.
#[derive(Debug, Default)]
pub(super) struct Subjects {
    quiet: HashMap<(&'static str, Subject), Quiet>,
}

#[derive(Debug)]
struct Quiet {
    last_line: Duration,
    suppressed: u64,
}

impl Subjects {
    /// Returns how many lines were suppressed since the last one, if a line may be written now. Else counts it as
    /// suppressed. `now` is the time of the tracer's clock.
    pub(super) fn admit(
        &mut self,
        cause: &'static str,
        subject: Subject,
        now: Duration,
    ) -> Option<u64> {
        let mut key = (cause, subject);
        if !self.quiet.contains_key(&key) && self.quiet.len() >= MAX_SUBJECTS {
            self.quiet.retain(|_, quiet| quiet.is_quiet(now));
            if self.quiet.len() >= MAX_SUBJECTS {
                key.1 = Subject::Other;
            }
        }
        match self.quiet.get_mut(&key) {
            Some(quiet) if quiet.is_quiet(now) => {
                quiet.suppressed += 1;
                None
            }
            Some(quiet) => {
                quiet.last_line = now;
                Some(std::mem::take(&mut quiet.suppressed))
            }
            None => {
                let quiet = Quiet {
                    last_line: now,
                    suppressed: 0,
                };
                self.quiet.insert(key, quiet);
                Some(0)
            }
        }
    }
}

impl Quiet {
    fn is_quiet(&self, now: Duration) -> bool {
        // The clock may have gone back, and tracers that share their lines may have a clock each.
        now.abs_diff(self.last_line) < QUIET
    }
}

/// The time that a cause stays silent after a line about it.
pub(super) const QUIET: Duration = Duration::from_secs(10);

/// The number of subjects that are remembered at a time, beside one [`Subject::Other`] for each cause.
const MAX_SUBJECTS: usize = 1_000;

const MAX_NAME_CHARS: usize = 256;

#[cfg(test)]
mod tests {
    use super::*;

    fn named(name: &str) -> Subject {
        Subject::of(None, name)
    }

    #[test]
    fn each_subject_and_cause_has_ten_silent_seconds_of_its_own() {
        let mut subjects = Subjects::default();
        let rows = [
            ("slow", "a", 0, Some(0)),
            ("slow", "a", 9, None),
            ("slow", "b", 9, Some(0)),
            ("other", "a", 9, Some(0)),
            ("slow", "a", 10, Some(1)),
            ("slow", "a", 21, Some(0)),
            ("slow", "a", 15, None),
            ("slow", "a", 1, Some(1)),
        ];
        for (cause, name, seconds, expected) in rows {
            let admitted = subjects.admit(cause, named(name), Duration::from_secs(seconds));
            assert_eq!(admitted, expected, "{cause} {name} at {seconds} s");
        }
    }

    #[test]
    fn subjects_beyond_the_limit_share_their_silence() {
        let mut subjects = Subjects::default();
        for n in 0..MAX_SUBJECTS {
            let admitted = subjects.admit("slow", named(&n.to_string()), Duration::ZERO);
            assert_eq!(admitted, Some(0));
        }
        assert_eq!(subjects.admit("slow", named("x"), Duration::ZERO), Some(0));
        for n in 0..5_000 {
            let name = named(&format!("y{n}"));
            assert_eq!(subjects.admit("slow", name, Duration::ZERO), None);
        }
        assert!(subjects.quiet.len() <= MAX_SUBJECTS + 1);
        assert_eq!(subjects.admit("slow", named("z"), QUIET), Some(0));
        assert_eq!(subjects.quiet.len(), 1);
    }
}
