use crate::model::{Tag, TagRef, Timestamp};

/// A key and a value of a log record: a [`Tag`] by another name.
///
/// ```
/// use tracehound::model::{LogField, TagValue};
///
/// let field = LogField::new("attempt", 2);
/// assert_eq!(field.value, TagValue::Long(2));
/// ```
pub type LogField = Tag;

/// A log record: something that happened at a point in time within a span.
///
/// ```
/// use tracehound::prelude::*;
/// use tracehound::reporter::InMemoryReporter;
/// use tracehound::sampler::ConstSampler;
///
/// let spans = InMemoryReporter::new();
/// let tracer = JaegerTracer::builder("shop")
///     .sampler(ConstSampler::new(true))
///     .reporter(spans.clone())
///     .build()?;
/// tracer.start_span("charge").log([("event", "retry"), ("reason", "timeout")]);
///
/// let record = &spans.spans()[0].logs[0];
/// assert!(record.timestamp.as_micros() > 0);
/// assert_eq!(record.fields[1].key, "reason");
/// # Ok::<(), tracehound::tracer::BuildError>(())
/// ```
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
    ///
    /// ```
    /// use tracehound::model::{LogField, LogRecord, Timestamp};
    ///
    /// let record = LogRecord::new(Timestamp::from_micros(0), vec![LogField::new("event", "retry")]);
    /// assert_eq!(record.fields.len(), 1);
    /// ```
    pub fn new(timestamp: Timestamp, fields: Vec<LogField>) -> Self {
        Self { timestamp, fields }
    }
}

/// A log field that borrows its key and value; made by [`field`].
///
/// ```
/// use tracehound::model::{TagRef, field};
///
/// let attempt = field("attempt", 2);
/// assert_eq!(attempt.key(), "attempt");
/// assert!(matches!(attempt.value(), TagRef::Long(2)));
/// ```
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
