use std::{error, fmt, io, path::PathBuf};

use crate::Version;

/// A counterpart could not be built, started or queried.
///
/// `Debug` prints what `Display` does: the test runner prints it if a test returns the error, and
/// its log lines should be readable.
#[non_exhaustive]
pub enum Error {
    /// The machine has no `go` command and no binary is cached.
    NoGo,
    /// The machine has no `python3`, or it cannot install the Jaeger client.
    NoPython {
        /// The failed attempts, each with its error.
        reason: String,
    },
    /// The machine lacks a tool that builds or runs a program of another language.
    NoTools {
        /// The program.
        what: String,
        /// The command that does not succeed.
        tool: String,
    },
    /// An operation on a file, a lock or a process failed.
    Io {
        /// The operation, as a gerund: `opening /var/cache/x`.
        doing: String,
        /// The answer of the system.
        source: io::Error,
    },
    /// A step of a build failed.
    Build {
        /// The built program: `Jaeger v1.57.0`.
        what: String,
        /// The command, as typed.
        command: String,
        /// The end of its output.
        tail: String,
    },
    /// An example of the library cannot be built, or fails.
    Example {
        /// The name of the example.
        name: String,
        /// The reason, with the output of the example.
        reason: String,
    },
    /// A service of the crossdock cannot be started or ended.
    Service {
        /// The service.
        name: String,
        /// The reason.
        reason: String,
        /// The end of its log.
        tail: String,
    },
    /// A backend ended, or never became ready.
    Start {
        /// The backend.
        version: Version,
        /// The reason.
        reason: String,
        /// The log file, kept for reading.
        log: PathBuf,
        /// The end of that log.
        tail: String,
    },
    /// An HTTP exchange with a running backend failed.
    Http {
        /// The requested address.
        url: String,
        /// The reason.
        reason: String,
    },
    /// A deadline passed.
    Deadline {
        /// The expected event.
        wanted: String,
        /// The state at the last look.
        last: String,
    },
    /// An answer is not of the documented shape.
    Shape {
        /// The place in the answer, as a path: `data[0].spans[3].tags`.
        at: String,
        /// The value at that place.
        found: String,
    },
}

impl Error {
    /// Returns whether the machine lacks the tools for a program of another language. A test that needs the program is
    /// then skipped, unless [`REQUIRED`](crate::REQUIRED) is `1`.
    pub const fn is_missing_tools(&self) -> bool {
        matches!(
            self,
            Self::NoGo | Self::NoPython { .. } | Self::NoTools { .. }
        )
    }

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
            Self::NoTools { what, tool } => {
                write!(f, "no tools on this machine for {what}: `{tool}` fails")
            }
            Self::Io { doing, source } => write!(f, "{doing}: {source}"),
            Self::Build {
                what,
                command,
                tail,
            } => {
                write!(f, "building {what}: `{command}` failed:\n{tail}")
            }
            Self::Example { name, reason } => write!(f, "the example {name:?} {reason}"),
            Self::Service { name, reason, tail } => {
                write!(
                    f,
                    "the service {name:?} {reason}; the end of its log:\n{tail}"
                )
            }
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
