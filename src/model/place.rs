use std::fmt;
use std::panic::Location;

/// A line in the source of a program, such as the one that starts a span.
///
/// Its `Display` is `src/main.rs:12`.
///
/// ```
/// use std::panic::Location;
/// use tracehound::model::Place;
///
/// let here = Place::from(Location::caller());
/// assert!(here.line() > 0);
/// assert_eq!(here.to_string(), format!("{}:{}", here.file(), here.line()));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Place {
    file: &'static str,
    line: u32,
}

impl Place {
    /// Makes the place that another library tells of.
    #[cfg(feature = "tracing")]
    pub(crate) const fn new(file: &'static str, line: u32) -> Self {
        Self { file, line }
    }

    /// Returns the path of the file, as the compiler was given it.
    pub const fn file(self) -> &'static str {
        self.file
    }

    /// Returns the number of the line. The first one is 1.
    pub const fn line(self) -> u32 {
        self.line
    }
}

impl From<&'static Location<'static>> for Place {
    fn from(location: &'static Location<'static>) -> Self {
        Self {
            file: location.file(),
            line: location.line(),
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.file, self.line)
    }
}
