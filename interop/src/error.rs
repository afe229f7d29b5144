use std::{error, fmt, io, path::PathBuf};

use crate::Version;

/// Why a counterpart could not be had, started or asked.
///
/// Its `Debug` is its `Display`: that is what the test runner prints when a test returns it, and a
/// log's lines are to be read.
#[non_exhaustive]
pub enum Error {
    /// The machine has no `go` command and no binary is cached.
    NoGo,
    /// The machine has no `python3`, or it cannot install the Jaeger client.
    NoPython {
        /// What was tried, and how it failed.
        reason: String,
    },
    /// A file, a lock or a process could not be handled.
    Io {
        /// What was being done, as a gerund: `opening /var/cache/x`.
        doing: String,
        /// What the system answered.
        source: io::Error,
    },
    /// A step of a build failed.
    Build {
        /// What was built: `Jaeger v1.57.0`.
        what: String,
        /// The command, as typed.
        command: String,
        /// The end of what it printed.
        tail: String,
    },
    /// An example of the library cannot be built, or does not end well.
    Example {
        /// Its name.
        name: String,
        /// What was wrong, with what it printed.
        reason: String,
    },
    /// The process ended, or never became ready.
    Start {
        /// Which backend.
        version: Version,
        /// What was seen.
        reason: String,
        /// The log file, kept for reading.
        log: PathBuf,
        /// The end of that log.
        tail: String,
    },
    /// An HTTP exchange with a running backend failed.
    Http {
        /// The address asked.
        url: String,
        /// What went wrong.
        reason: String,
    },
    /// What was waited for did not come.
    Deadline {
        /// What was waited for.
        wanted: String,
        /// What was there at the last look.
        last: String,
    },
    /// An answer is not of the documented shape.
    Shape {
        /// Where in the answer, as a path: `data[0].spans[3].tags`.
        at: String,
        /// What stands there.
        found: String,
    },
}

impl Error {
    pub(crate) fn io(doing: impl Into<String>) -> impl FnOnce(io::Error) -> Self {
        let doing = doing.into();
        move |source| Self::Io { doing, source }
    }

    pub(crate) const fn no_python(reason: String) -> Self {
        Self::NoPython { reason }
    }

    pub(crate) fn shape(at: impl Into<String>, found: &impl ToString) -> Self {
        Self::Shape {
            at: at.into(),
            found: found.to_string(),
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoGo => f.write_str("no `go` command on this machine to build a program with"),
            Self::NoPython { reason } => write!(f, "no Python with the Jaeger client: {reason}"),
            Self::Io { doing, source } => write!(f, "{doing}: {source}"),
            Self::Build {
                what,
                command,
                tail,
            } => {
                write!(f, "building {what}: `{command}` failed:\n{tail}")
            }
            Self::Example { name, reason } => write!(f, "the example {name:?} {reason}"),
            Self::Start {
                version,
                reason,
                log,
                tail,
            } => {
                write!(
                    f,
                    "starting {version}: {reason}; the end of {}:\n{tail}",
                    log.display()
                )
            }
            Self::Http { url, reason } => write!(f, "{url}: {reason}"),
            Self::Deadline { wanted, last } => write!(f, "waited for {wanted}; last seen: {last}"),
            Self::Shape { at, found } => write!(f, "{at}: not of the documented shape: {found}"),
        }
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl error::Error for Error {
    fn source(&self) -> Option<&(dyn error::Error + 'static)> {
        match self {
            Self::Io { source, .. } => Some(source),
            _ => None,
        }
    }
}
