use std::fmt;

/// A tag of a span or a process, or a field of a log record: a key with a typed value.
#[derive(Clone, Debug, PartialEq)]
pub struct Tag {
    /// The key.
    pub key: String,
    /// The value.
    pub value: Value,
}

/// A value of a tag, with the types of Jaeger's Thrift.
///
/// Doubles are equal when their bits are.
#[derive(Clone)]
#[non_exhaustive]
pub enum Value {
    /// Text.
    String(String),
    /// A Thrift string whose bytes are not UTF-8.
    NotUtf8(Vec<u8>),
    /// A truth value.
    Bool(bool),
    /// A 64-bit integer.
    Long(i64),
    /// A double.
    Double(f64),
    /// Bytes.
    Binary(Vec<u8>),
}

impl Tag {
    /// Returns a tag of `key` and any value.
    ///
    /// ```
    /// use tracehound_interop::{Tag, Value};
    ///
    /// assert_eq!(Tag::new("n", 1).value, Value::Long(1));
    /// assert_eq!(Tag::new("s", "x").value, Value::String("x".into()));
    /// ```
    pub fn new(key: impl Into<String>, value: impl Into<Value>) -> Self {
        Self {
            key: key.into(),
            value: value.into(),
        }
    }
}

impl Value {
    /// Returns whether this is a double that is infinite or not a number: no query API can write
    /// it in JSON.
    pub const fn is_unreadable(&self) -> bool {
        matches!(self, Self::Double(value) if !value.is_finite())
    }
}

impl From<&str> for Value {
    fn from(value: &str) -> Self {
        Self::String(value.to_owned())
    }
}

impl From<String> for Value {
    fn from(value: String) -> Self {
        Self::String(value)
    }
}

impl From<bool> for Value {
    fn from(value: bool) -> Self {
        Self::Bool(value)
    }
}

impl From<i64> for Value {
    fn from(value: i64) -> Self {
        Self::Long(value)
    }
}

impl From<f64> for Value {
    fn from(value: f64) -> Self {
        Self::Double(value)
    }
}

impl From<Vec<u8>> for Value {
    fn from(value: Vec<u8>) -> Self {
        Self::Binary(value)
    }
}

impl PartialEq for Value {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::String(a), Self::String(b)) => a == b,
            (Self::NotUtf8(a), Self::NotUtf8(b)) => a == b,
            (Self::Bool(a), Self::Bool(b)) => a == b,
            (Self::Long(a), Self::Long(b)) => a == b,
            (Self::Double(a), Self::Double(b)) => a.to_bits() == b.to_bits(),
            (Self::Binary(a), Self::Binary(b)) => a == b,
            _ => false,
        }
    }
}

impl fmt::Debug for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::String(value) => write!(f, "{value:?}"),
            Self::NotUtf8(value) => write!(f, "b\"{}\" as text", value.escape_ascii()),
            Self::Bool(value) => write!(f, "{value}"),
            Self::Long(value) => write!(f, "{value}"),
            Self::Double(value) => write!(f, "{value:?} ({:016x})", value.to_bits()),
            Self::Binary(value) => write!(f, "b\"{}\"", value.escape_ascii()),
        }
    }
}

/// A log record of a span.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Log {
    /// Microseconds since the epoch.
    pub timestamp_us: i64,
    /// The fields.
    pub fields: Vec<Tag>,
}

/// A reference to a span that caused this one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reference {
    /// The kind of the reference.
    pub kind: ReferenceKind,
    /// The trace of the referenced span.
    pub trace_id: u128,
    /// The referenced span.
    pub span_id: u64,
}

/// The two kinds of [`Reference`] that Jaeger knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ReferenceKind {
    /// The parent waits for the child.
    ChildOf,
    /// The parent does not wait.
    FollowsFrom,
}
