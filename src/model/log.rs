use crate::model::{Tag, TagRef, Timestamp};

/// One key and value of a log record: the same shape as a [`Tag`].
pub type LogField = Tag;

/// Something that happened at a point in time within a span.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct LogRecord {
    /// When.
    pub timestamp: Timestamp,
    /// What, in the order given; `event` by convention names it.
    pub fields: Vec<LogField>,
}

impl LogRecord {
    /// Joins a time and fields.
    pub fn new(timestamp: Timestamp, fields: Vec<LogField>) -> Self {
        Self { timestamp, fields }
    }
}

/// A log field that borrows its key and value; made by [`field`].
#[derive(Clone, Copy, Debug)]
pub struct FieldRef<'a> {
    pub(crate) key: &'a str,
    pub(crate) value: TagRef<'a>,
}

impl FieldRef<'_> {
    /// The name.
    pub fn key(&self) -> &str {
        self.key
    }

    /// The value.
    pub fn value(&self) -> TagRef<'_> {
        self.value
    }
}

/// Joins a key and a value of any type for [`Span::log`](crate::Span::log).
///
/// ```
/// use tracehound::Span;
/// use tracehound::model::field;
///
/// Span::noop().log([field("event", "retry"), field("attempt", 2)]);
/// ```
pub fn field<'a>(key: &'a str, value: impl Into<TagRef<'a>>) -> FieldRef<'a> {
    FieldRef {
        key,
        value: value.into(),
    }
}

impl<'a> From<&'a LogField> for FieldRef<'a> {
    fn from(field: &'a LogField) -> Self {
        Self {
            key: &field.key,
            value: field.value.as_ref(),
        }
    }
}

impl<'a, V: Into<TagRef<'a>>> From<(&'a str, V)> for FieldRef<'a> {
    fn from((key, value): (&'a str, V)) -> Self {
        Self {
            key,
            value: value.into(),
        }
    }
}
