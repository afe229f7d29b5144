//! What the tracer says of itself: one line a cause every ten seconds, and one when it is over.
//!
//! The lines go to standard error unless a handler takes them. Nothing that came from outside (header values,
//! tags) is in them, except an id or a shortened, escaped piece.

use std::collections::HashMap;
use std::fmt;
#[cfg(unix)]
use std::fs::File;
use std::io::{self, Write as _};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::clock::instant_now;
use crate::panics::caught;
use crate::sync::PerProcess;
#[cfg(unix)]
use crate::sync::generation;

/// How long a cause stays silent after a line about it.
const QUIET: Duration = Duration::from_secs(10);

/// Writes the tracer's lines. Cheap to clone; clones share what has been said.
#[derive(Clone)]
pub struct Diagnostics {
    inner: Arc<Inner>,
}

struct Inner {
    handler: Box<dyn Fn(&str) + Send + Sync>,
    causes: PerProcess<Mutex<HashMap<&'static str, Cause>>>,
}

#[derive(Default)]
struct Cause {
    said: Option<Instant>,
    suppressed: u64,
    /// There has been a line that its end must follow.
    open: bool,
}

impl Diagnostics {
    /// Hands every line to `handler` instead of standard error. A panic of the handler is swallowed.
    pub fn with_handler(handler: impl Fn(&str) + Send + Sync + 'static) -> Self {
        Self {
            inner: Arc::new(Inner {
                handler: Box::new(handler),
                causes: PerProcess::new(Mutex::default()),
            }),
        }
    }

    /// Says something that happens once.
    pub(crate) fn say(&self, line: &str) {
        caught(|| (self.inner.handler)(line));
    }

    /// Says that something is wrong, unless a line about the same cause was written in the last ten seconds.
    pub(crate) fn warn(&self, cause: &'static str, line: impl FnOnce() -> String) {
        let suppressed = {
            let mut causes = self.causes();
            let state = causes.entry(cause).or_default();
            let now = instant_now();
            if state
                .said
                .is_some_and(|said| now.duration_since(said) < QUIET)
            {
                state.suppressed += 1;
                return;
            }
            state.said = Some(now);
            state.open = true;
            std::mem::take(&mut state.suppressed)
        };
        match suppressed {
            0 => self.say(&line()),
            n => self.say(&format!("{} ({n} more since the last line)", line())),
        }
    }

    /// Says that what was wrong is over, if a line had said that it was wrong.
    pub(crate) fn recovered(&self, cause: &'static str, line: impl FnOnce() -> String) {
        let was_open = {
            let mut causes = self.causes();
            causes
                .get_mut(cause)
                .is_some_and(|state| std::mem::take(&mut state.open))
        };
        if was_open {
            self.say(&line());
        }
    }

    fn causes(&self) -> MutexGuard<'_, HashMap<&'static str, Cause>> {
        let causes = self.inner.causes.get(|_| Mutex::default());
        causes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Writes a line to standard error. Not by `eprintln!`, which panics when standard error is closed; in a forked child not
/// under the standard library's lock either, which may have been held at the fork.
pub(crate) fn write_to_stderr(line: &str) {
    let line = format!("{line}\n");
    #[cfg(unix)]
    if generation() > 0 {
        use std::os::fd::AsFd as _;
        if let Ok(stderr) = io::stderr().as_fd().try_clone_to_owned() {
            let _ = File::from(stderr).write_all(line.as_bytes());
        }
        return;
    }
    let _ = io::stderr().write_all(line.as_bytes());
}

impl Default for Diagnostics {
    /// To standard error, each line led by `tracehound: `.
    fn default() -> Self {
        Self::with_handler(|line| write_to_stderr(&format!("tracehound: {line}")))
    }
}

impl fmt::Debug for Diagnostics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Diagnostics")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn recording() -> (Diagnostics, Arc<Mutex<Vec<String>>>) {
        let lines = Arc::new(Mutex::new(Vec::new()));
        let sink = lines.clone();
        let diagnostics = Diagnostics::with_handler(move |line| {
            sink.lock().expect("not poisoned").push(line.to_owned())
        });
        (diagnostics, lines)
    }

    #[test]
    fn a_cause_is_said_once_in_ten_seconds_and_its_end_once() {
        let (diagnostics, lines) = recording();
        for _ in 0..1_000 {
            diagnostics.warn("refused", || "nobody is listening".to_owned());
        }
        diagnostics.warn("other", || "something else".to_owned());
        diagnostics.recovered("refused", || "somebody is listening".to_owned());
        diagnostics.recovered("refused", || "somebody is listening".to_owned());
        diagnostics.warn("refused", || "nobody is listening".to_owned());
        diagnostics.recovered("refused", || "an end without a beginning".to_owned());
        let lines = lines.lock().expect("not poisoned");
        assert_eq!(
            *lines,
            [
                "nobody is listening",
                "something else",
                "somebody is listening"
            ]
        );
    }

    #[test]
    fn a_handler_that_panics_harms_nobody() {
        let diagnostics = Diagnostics::with_handler(|_| panic!("handler"));
        diagnostics.say("line");
        diagnostics.warn("cause", || "line".to_owned());
    }
}
