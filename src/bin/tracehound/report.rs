//! Lines of checks, with their verdicts.

use std::env;
use std::io::{self, IsTerminal};

use crate::Outcome;
use crate::output::{say, shown};

/// The result of a check.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    Good,
    /// It may be meant so, or traces are lost under some conditions.
    Warning,
    /// Traces are lost.
    Failure,
    /// There was nothing to check.
    Skipped,
}

/// A printer of checks.
#[derive(Debug)]
pub(crate) struct Report {
    has_color: bool,
    failures: u32,
    warnings: u32,
}

impl Report {
    pub(crate) fn new() -> Self {
        let is_plain = env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        Self {
            has_color: io::stdout().is_terminal() && !is_plain,
            failures: 0,
            warnings: 0,
        }
    }

    /// Prints a check. Further lines of the text are indented.
    pub(crate) fn line(&mut self, verdict: Verdict, check: &str, text: &str) {
        let (word, color) = match verdict {
            Verdict::Good => ("ok", 32),
            Verdict::Warning => ("warn", 33),
            Verdict::Failure => ("fail", 31),
            Verdict::Skipped => ("skip", 2),
        };
        self.failures += u32::from(verdict == Verdict::Failure);
        self.warnings += u32::from(verdict == Verdict::Warning);
        let text = shown(text.trim_end()).replace('\n', &format!("\n{:17}", ""));
        if self.has_color {
            say!("\x1b[{color}m{word:4}\x1b[0m {check:11} {text}");
        } else {
            say!("{word:4} {check:11} {text}");
        }
    }

    /// Prints the sum.
    pub(crate) fn conclude(&self) -> Outcome {
        say!("{} failed, {} warned", self.failures, self.warnings);
        match self.failures {
            0 => Outcome::Good,
            _ => Outcome::Bad,
        }
    }
}
