use std::fmt;

/// The origin of a setting's value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Source {
    /// The default of the crate.
    Default,
    /// This variable, of the environment or of a lookup.
    Variable(&'static str),
    /// A call in the program's code.
    Code,
}

impl fmt::Display for Source {
    /// Writes `default`, `code` or the name of the variable.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Default => "default",
            Self::Variable(name) => name,
            Self::Code => "code",
        })
    }
}

/// A value and its origin.
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

    pub(super) fn is_default(&self) -> bool {
        self.source == Source::Default
    }

    /// Returns the name of the variable that the value came from, else `setter`.
    pub(super) fn name(&self, setter: &'static str) -> &'static str {
        match self.source {
            Source::Variable(name) => name,
            Source::Default | Source::Code => setter,
        }
    }

    /// Returns `read` if it is set, else this setting.
    pub(super) fn or(self, read: Option<Self>) -> Self {
        read.unwrap_or(self)
    }
}
