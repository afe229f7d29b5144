use crate::model::{Tag, TagRef, Timestamp};

/// A key and a value of a log record: a [`Tag`] by another name.
pub type LogField = Tag;

/// A log record: something that happened at a point in time within a span.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct LogRecord {
    /// When it happened.
    pub timestamp: Timestamp,
    /// What happened, in the order in which the program gave it. By convention the field `event` names it.
    pub fields: Vec<LogField>,
}

impl LogRecord {
    /// Makes a record from a time and fields.
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
    /// Returns the name.
    pub fn key(&self) -> &str {
        self.key
    }

    /// Returns the value.
    pub fn value(&self) -> TagRef<'_> {
        self.value
    }
}

/// Makes a log field from a key and a value, for [`Span::log`](crate::Span::log).
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
