use std::fmt;

/// Where the value of a setting came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Source {
    /// Nobody has set it.
    Default,
    /// This variable of the environment, or of the lookup in its place.
    Variable(&'static str),
    /// The program's code.
    Code,
}

impl fmt::Display for Source {
    /// `default`, `code` or the variable's name.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Default => "default",
            Self::Variable(name) => name,
            Self::Code => "code",
        })
    }
}

/// A value and where it came from.
#[derive(Clone, Debug)]
pub(super) struct Setting<T> {
    pub(super) value: T,
    pub(super) source: Source,
}

impl<T> Setting<T> {
    pub(super) fn default_value(value: T) -> Self {
        Self {
            value,
            source: Source::Default,
        }
    }

    pub(super) fn of_variable(value: T, name: &'static str) -> Self {
        Self {
            value,
            source: Source::Variable(name),
        }
    }

    pub(super) fn of_code(value: T) -> Self {
        Self {
            value,
            source: Source::Code,
        }
    }

    /// Returns the variable that the value came from, else `setter`.
    pub(super) fn name(&self, setter: &'static str) -> &'static str {
        match self.source {
            Source::Variable(name) => name,
            Source::Default | Source::Code => setter,
        }
    }

    /// Takes `read` in place of the default.
    pub(super) fn or(self, read: Option<Self>) -> Self {
        read.unwrap_or(self)
    }
}
