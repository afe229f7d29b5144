//! What a tracer says about itself: at most one line per cause in ten seconds, and one line when the trouble is over.
//!
//! The lines go to standard error, unless [`Diagnostics`] hand them to a handler or to a logging crate. On standard
//! error, several tracers of one process that report one problem share one line. Text from outside (header values,
//! tags) is never in a line as it came: a line holds at most an id, or a shortened and escaped piece.
//!
//! # How do I have the lines elsewhere?
//!
//! ```
//! use std::sync::mpsc;
//! use tracehound::diagnostics::Diagnostics;
//! use tracehound::prelude::*;
//!
//! let (sender, lines) = mpsc::channel();
//! let diagnostics = Diagnostics::with_handler(move |line| {
//!     let _ = sender.send(line.to_owned()); // into the log of the program
//! });
//! let tracer = JaegerTracer::builder("shop").diagnostics(diagnostics).build()?;
//! let headers = [("uber-trace-id", "no trace id")];
//! assert!(tracer.extract(&headers).is_err());
//! assert!(lines.recv().is_ok(), "a line about the header");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! [`Diagnostics::to_log`] and [`Diagnostics::to_tracing`] hand them to the crates `log` and `tracing`,
//! [`Diagnostics::silent`] to nobody.
//!
//! # How does a part of my own say something?
//!
//! A sampler, codec, reporter or sender takes the tracer's diagnostics from its [services](crate::services). It
//! [warns](Diagnostics::warn) of what is wrong, [tells](Diagnostics::recovered) when that is over, and
//! [says](Diagnostics::say) what happens once.

mod quiet;
mod subjects;
mod words;
mod written_lines;

use std::collections::HashMap;
use std::fmt;
#[cfg(unix)]
use std::fs::File;
use std::io::{self, Write as _};
use std::mem;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::clock::instant_now;
use crate::diagnostics::quiet::Quiet;
use crate::diagnostics::subjects::Subjects;
use crate::diagnostics::written_lines::written_lines;
use crate::panics::caught;
use crate::sync::PerProcess;
#[cfg(unix)]
use crate::sync::generation;

pub(crate) use subjects::Subject;
pub(crate) use words::{Quoted, Rounded, escaped};

/// The lines of a tracer, and the place that they go to.
///
/// Cheap to clone; clones share the memory of which lines were written. The default is standard error, with
/// `tracehound: ` before each line.
///
/// ```
/// use std::sync::mpsc;
/// use tracehound::JaegerTracer;
/// use tracehound::diagnostics::Diagnostics;
///
/// let (sender, lines) = mpsc::channel();
/// let diagnostics = Diagnostics::with_handler(move |line| {
///     let _ = sender.send(line.to_owned());
/// });
/// let tracer = JaegerTracer::builder("shop").diagnostics(diagnostics).build()?;
/// # drop(tracer);
/// # assert!(lines.try_recv().is_err());
/// # Ok::<(), tracehound::tracer::BuildError>(())
/// ```
#[derive(Clone)]
pub struct Diagnostics {
    inner: Arc<Inner>,
}

struct Inner {
    sink: Sink,
    causes: PerProcess<Mutex<Causes>>,
    subjects: PerProcess<Mutex<Subjects>>,
}

impl Drop for Inner {
    fn drop(&mut self) {
        // A handler is user code, and the last clone may go on any thread.
        let sink = mem::replace(&mut self.sink, Sink::Silent);
        caught(|| drop(sink));
    }
}

enum Sink {
    /// Standard error. Lines that another tracer of the process has written there are not repeated.
    Stderr,
    Handler(Handler),
    Silent,
}

type Handler = Box<dyn Fn(Urgency, &str) + Send + Sync>;

/// The level of a line in a log that has levels.
#[derive(Clone, Copy)]
enum Urgency {
    Info,
    Warning,
}

type Causes = HashMap<&'static str, Cause>;

#[derive(Default)]
struct Cause {
    quiet: Quiet,
    /// A warning was written, so a line must tell when the problem is over.
    open: bool,
}

impl Diagnostics {
    /// Returns diagnostics that hand every line to `handler` instead of standard error. A panic of the handler is
    /// ignored.
    ///
    /// The handler should own no clone of the tracer that it belongs to: such a tracer is never dropped, so its worker
    /// runs until [`JaegerTracer::close`](crate::JaegerTracer::close).
    pub fn with_handler(handler: impl Fn(&str) + Send + Sync + 'static) -> Self {
        Self::of(Sink::Handler(Box::new(move |_, line| handler(line))))
    }

    /// Returns diagnostics that write to the logger of the crate [`log`], with the target `tracehound`: warnings
    /// as `warn`, other lines as `info`. Without a logger they write nothing.
    ///
    /// The worker has no active span, so the lines are in no trace.
    ///
    /// ```
    /// use tracehound::JaegerTracer;
    /// use tracehound::diagnostics::Diagnostics;
    ///
    /// let tracer = JaegerTracer::builder("shop").diagnostics(Diagnostics::to_log()).build()?;
    /// # drop(tracer);
    /// # Ok::<(), tracehound::tracer::BuildError>(())
    /// ```
    #[cfg(feature = "log")]
    pub fn to_log() -> Self {
        Self::of(Sink::Handler(Box::new(|urgency, line| match urgency {
            Urgency::Info => log::info!(target: "tracehound", "{line}"),
            Urgency::Warning => log::warn!(target: "tracehound", "{line}"),
        })))
    }

    /// Returns diagnostics that write to the subscriber of the crate [`tracing`], with the target
    /// `tracehound`: warnings as `WARN`, other lines as `INFO`. While the program has no subscriber they write to standard
    /// error, so that the first lines are seen even if the tracer is built before the subscriber is set.
    ///
    /// The events are roots, so they are in no trace, even if a span is active on the thread.
    ///
    /// ```
    /// use tracehound::JaegerTracer;
    /// use tracehound::diagnostics::Diagnostics;
    ///
    /// let tracer = JaegerTracer::builder("shop").diagnostics(Diagnostics::to_tracing()).build()?;
    /// # drop(tracer);
    /// # Ok::<(), tracehound::tracer::BuildError>(())
    /// ```
    #[cfg(feature = "tracing")]
    pub fn to_tracing() -> Self {
        Self::of(Sink::Handler(Box::new(|urgency, line| match urgency {
            _ if !has_subscriber() => write_to_stderr(&format!("tracehound: {line}")),
            Urgency::Info => tracing::info!(target: "tracehound", parent: None, "{line}"),
            Urgency::Warning => tracing::warn!(target: "tracehound", parent: None, "{line}"),
        })))
    }

    /// Returns diagnostics that write nothing. Problems are still counted in
    /// [`Metrics`](crate::JaegerTracer::metrics).
    ///
    /// ```
    /// use tracehound::JaegerTracer;
    /// use tracehound::diagnostics::Diagnostics;
    ///
    /// let tracer = JaegerTracer::builder("shop").diagnostics(Diagnostics::silent()).build()?;
    /// # drop(tracer);
    /// # Ok::<(), tracehound::tracer::BuildError>(())
    /// ```
    pub fn silent() -> Self {
        Self::of(Sink::Silent)
    }

    fn of(sink: Sink) -> Self {
        Self {
            inner: Arc::new(Inner {
                sink,
                causes: PerProcess::new(Mutex::default()),
                subjects: PerProcess::new(Mutex::default()),
            }),
        }
    }

    /// Writes a line about something that happens once.
    pub fn say(&self, line: &str) {
        self.write(Urgency::Info, line);
    }

    /// Writes a line about something that is wrong, which the caller says only once.
    pub(crate) fn warn_once(&self, line: &str) {
        self.write(Urgency::Warning, line);
    }

    fn write(&self, urgency: Urgency, line: &str) {
        match &self.inner.sink {
            Sink::Stderr => write_to_stderr(&format!("tracehound: {line}")),
            Sink::Handler(handler) => {
                caught(|| handler(urgency, line));
            }
            Sink::Silent => {}
        }
    }

    /// Writes a line about something that is wrong, unless a line about this cause was written in the last ten seconds.
    ///
    /// `cause` is a short name, which is not shown. If you write a sampler, codec, reporter or sender, begin the name
    /// with that of your part, such as `my_sampler_poll`.
    ///
    /// ```
    /// use std::sync::{Arc, Mutex};
    /// use tracehound::diagnostics::Diagnostics;
    ///
    /// let lines = Arc::new(Mutex::new(Vec::new()));
    /// let sink = lines.clone();
    /// let diagnostics = Diagnostics::with_handler(move |line| {
    ///     sink.lock().expect("no panic").push(line.to_owned());
    /// });
    /// diagnostics.say("the files go to /var/lib/shop");
    /// for _ in 0..1_000 {
    ///     diagnostics.warn("file_sender_full", || "the disk is full".to_owned());
    /// }
    /// diagnostics.recovered("file_sender_full", || "the disk has room again".to_owned());
    /// let said = ["the files go to /var/lib/shop", "the disk is full", "the disk has room again"];
    /// assert_eq!(*lines.lock().expect("no panic"), said);
    /// ```
    pub fn warn(&self, cause: &'static str, line: impl FnOnce() -> String) {
        self.tell(cause, line);
    }

    /// Writes a line about a subject, unless a line about this cause and subject was written in the last ten seconds.
    /// `now` is the time of the tracer's clock.
    pub(crate) fn warn_about(
        &self,
        cause: &'static str,
        subject: Subject,
        now: Duration,
        line: impl FnOnce() -> String,
    ) {
        let admitted = {
            let subjects = self.inner.subjects.get(|_| Mutex::default());
            let mut subjects = subjects.lock().unwrap_or_else(PoisonError::into_inner);
            subjects.admit(cause, subject, now)
        };
        if let (Some(suppressed), false) = (admitted, matches!(self.inner.sink, Sink::Silent)) {
            self.write(Urgency::Warning, &with_count(line(), suppressed));
        }
    }

    /// Writes a line like [`warn`](Self::warn). Returns false if there was no line because of another one in the last
    /// ten seconds, so that a caller that warns once can try again later.
    pub(crate) fn tell(&self, cause: &'static str, line: impl FnOnce() -> String) -> bool {
        let suppressed = {
            let mut causes = self.causes();
            let state = causes.entry(cause).or_default();
            let Some(suppressed) = state.quiet.admit(instant_now(), 0) else {
                return false;
            };
            state.open = true;
            suppressed
        };
        match &self.inner.sink {
            Sink::Stderr => {
                let line = line();
                let suppressed = written_lines().warn(cause, &line, instant_now(), suppressed);
                if let Some(suppressed) = suppressed {
                    self.write(Urgency::Warning, &with_count(line, suppressed));
                }
            }
            Sink::Handler(_) => self.write(Urgency::Warning, &with_count(line(), suppressed)),
            Sink::Silent => {}
        }
        true
    }

    /// Lets every cause have a line again, as if ten seconds had passed.
    #[cfg(all(test, feature = "remote-sampler"))]
    pub(crate) fn end_quiet(&self) {
        for cause in self.causes().values_mut() {
            cause.quiet.last_line = None;
        }
    }

    /// Writes a line about the end of what was wrong, if there was a line about this cause.
    pub fn recovered(&self, cause: &'static str, line: impl FnOnce() -> String) {
        let was_open = {
            let mut causes = self.causes();
            causes
                .get_mut(cause)
                .is_some_and(|state| std::mem::take(&mut state.open))
        };
        if !was_open || matches!(self.inner.sink, Sink::Silent) {
            return;
        }
        let line = line();
        let is_news = match self.inner.sink {
            Sink::Stderr => written_lines().recovered(cause, &line),
            _ => true,
        };
        if is_news {
            self.say(&line);
        }
    }

    fn causes(&self) -> MutexGuard<'_, Causes> {
        let causes = self.inner.causes.get(|_| Mutex::default());
        causes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn with_count(line: String, suppressed: u64) -> String {
    match suppressed {
        0 => line,
        n => format!("{line} ({n} more since the last line)"),
    }
}

/// Returns whether this thread has a `tracing` subscriber, which receives events.
#[cfg(feature = "tracing")]
fn has_subscriber() -> bool {
    use tracing::subscriber::NoSubscriber;
    tracing::dispatcher::get_default(|dispatch| !dispatch.is::<NoSubscriber>())
}

/// Writes a line to standard error. Not by `eprintln!`, which panics when standard error is closed; in a forked child
/// not under the standard library's lock either, which may have been held at the fork.
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
    /// Returns diagnostics that write to standard error, with `tracehound: ` before each line.
    fn default() -> Self {
        Self::of(Sink::Stderr)
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
    fn a_line_about_a_subject_is_a_warning() {
        let (sender, urgencies) = std::sync::mpsc::channel();
        let diagnostics = Diagnostics::of(Sink::Handler(Box::new(move |urgency, _| {
            let _ = sender.send(urgency);
        })));
        let subject = Subject::of(None, "checkout");
        diagnostics.warn_about("open_span", subject, Duration::ZERO, String::new);
        assert!(matches!(urgencies.try_recv(), Ok(Urgency::Warning)));
    }

    #[test]
    fn a_handler_that_panics_harms_nobody() {
        let diagnostics = Diagnostics::with_handler(|_| panic!("handler"));
        diagnostics.say("line");
        diagnostics.warn("cause", || "line".to_owned());
    }
}
