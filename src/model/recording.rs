use std::fmt;

/// The level of detail in which spans show the data that a program passes to others.
///
/// | level | spans of middleware show |
/// |---|---|
/// | [`metadata`](Self::metadata), the default | names, addresses, statuses, counts; no data |
/// | [`statements`](Self::statements) | also statements of databases, with `?` for each literal |
/// | [`everything`](Self::everything) | also parameters, results, commands with their arguments; queries, headers and bodies of HTTP; metadata and messages of gRPC |
///
/// Each level includes the one before it. The [limits](crate::span::Limits) of the tracer hold on each, and so do the
/// rules about secrets: no user name and password of a URL is shown, no statement that names a password or a token, and
/// no value whose name says that it is one.
///
/// ```
/// use tracehound::JaegerTracer;
/// use tracehound::model::Recording;
///
/// let tracer = JaegerTracer::builder("shop").recording(Recording::statements()).build()?;
/// # drop(tracer);
/// # Ok::<(), tracehound::tracer::BuildError>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Recording {
    level: Level,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
enum Level {
    #[default]
    Metadata,
    Statements,
    Everything,
}

impl Recording {
    /// Returns the level without data: names, addresses, statuses and counts.
    pub const fn metadata() -> Self {
        Self {
            level: Level::Metadata,
        }
    }

    /// Returns the level with statements of databases, in which `?` replaces each literal.
    pub const fn statements() -> Self {
        Self {
            level: Level::Statements,
        }
    }

    /// Returns the level for test environments: statements with their literals, parameters, results, commands with
    /// their arguments, and what HTTP and gRPC carry.
    ///
    /// Spans then hold data of users. A tracer of this level says so in a line at its start.
    ///
    /// ```
    /// use tracehound::model::Recording;
    ///
    /// assert!(Recording::everything().is_everything());
    /// assert!(!Recording::default().is_everything());
    /// ```
    pub const fn everything() -> Self {
        Self {
            level: Level::Everything,
        }
    }

    /// Returns whether this is the level for test environments.
    pub const fn is_everything(self) -> bool {
        matches!(self.level, Level::Everything)
    }

    /// Returns whether statements are shown, at least without their literals.
    ///
    /// ```
    /// use tracehound::model::Recording;
    ///
    /// assert!(Recording::everything().includes_statements());
    /// assert!(!Recording::metadata().includes_statements());
    /// ```
    pub const fn includes_statements(self) -> bool {
        !matches!(self.level, Level::Metadata)
    }

    /// Returns the level of a word, which may be in any case.
    pub(crate) fn from_word(word: &str) -> Option<Self> {
        let levels = [Self::metadata(), Self::statements(), Self::everything()];
        let is_it = |level: &Self| level.word().eq_ignore_ascii_case(word);
        levels.into_iter().find(is_it)
    }

    const fn word(self) -> &'static str {
        match self.level {
            Level::Metadata => "metadata",
            Level::Statements => "statements",
            Level::Everything => "everything",
        }
    }
}

impl fmt::Display for Recording {
    /// Writes `metadata`, `statements` or `everything`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}
