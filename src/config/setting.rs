use std::fmt;

/// The origin of a setting's value.
///
/// ```
/// use tracehound::config::Source;
///
/// assert_eq!(Source::Variable("JAEGER_SERVICE_NAME").to_string(), "JAEGER_SERVICE_NAME");
/// assert_eq!(Source::Default.to_string(), "default");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Source {
    /// The default of the crate.
    Default,
    /// This variable, of the environment or of a lookup.
    Variable(&'static str),
    /// This key of a file, such as `sampler.param`: see `ConfigFile`, of the feature `serde`.
    File(&'static str),
    /// A call in the program's code.
    Code,
}

impl fmt::Display for Source {
    /// Writes `default`, `code`, the name of the variable, or `file: ` and the key.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::Variable(name) => f.write_str(name),
            Self::File(key) => write!(f, "file: {key}"),
            Self::Code => f.write_str("code"),
        }
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

    #[cfg(feature = "serde")]
    pub(super) fn of_file(value: T, key: &'static str) -> Self {
        Self {
            value,
            source: Source::File(key),
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

    /// Returns the name of the variable or the key that the value came from, else `setter`.
    pub(super) fn name(&self, setter: &'static str) -> &'static str {
        match self.source {
            Source::Variable(name) | Source::File(name) => name,
            Source::Default | Source::Code => setter,
        }
    }

    /// Returns `read` if it is set, else this setting.
    pub(super) fn or(self, read: Option<Self>) -> Self {
        read.unwrap_or(self)
    }
}
