use std::borrow::Cow;
use std::fmt;

use crate::bounded_text::formatted;

/// A tag of a span or of the process: a key and a typed value.
///
/// ```
/// use tracehound::model::{Tag, TagValue};
///
/// let tags = [Tag::new("zone", "eu-1"), Tag::new("replica", 3)];
/// let replica = tags.iter().find(|tag| tag.key == "replica").map(|tag| &tag.value);
/// assert_eq!(replica, Some(&TagValue::Long(3)));
/// ```
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Tag {
    /// The name, such as `http.method`.
    pub key: Cow<'static, str>,
    /// The value.
    pub value: TagValue,
}

impl Tag {
    /// Makes a tag from a key and a value.
    ///
    /// ```
    /// use tracehound::model::{Tag, TagValue};
    ///
    /// let tag = Tag::new("zone", "eu-1");
    /// assert_eq!(tag.value, TagValue::from("eu-1"));
    /// ```
    pub fn new(key: impl Into<Cow<'static, str>>, value: impl Into<TagValue>) -> Self {
        Self {
            key: key.into(),
            value: value.into(),
        }
    }
}

/// The value of a tag or of a log field: the five types of Jaeger's IDL.
///
/// ```
/// use tracehound::model::{TagRef, TagValue};
///
/// assert_eq!(TagValue::from("eu-1"), TagValue::String("eu-1".into()));
/// assert_eq!(TagValue::from(200_u16), TagValue::Long(200));
/// assert_eq!(TagValue::from(vec![0xca, 0xfe]), TagValue::Binary(vec![0xca, 0xfe]));
/// assert!(matches!(TagValue::Bool(true).as_ref(), TagRef::Bool(true)));
/// assert_eq!(TagValue::Double(0.5).to_string(), "0.5");
/// ```
#[derive(Clone, Debug, PartialEq)]
#[expect(clippy::exhaustive_enums, reason = "the wire fixes the five types")]
pub enum TagValue {
    /// Text.
    String(Cow<'static, str>),
    /// True or false.
    Bool(bool),
    /// A whole number.
    Long(i64),
    /// A floating point number.
    Double(f64),
    /// Bytes.
    Binary(Vec<u8>),
}

impl TagValue {
    /// Returns the value, borrowed.
    pub fn as_ref(&self) -> TagRef<'_> {
        match self {
            Self::String(text) => TagRef::String(text),
            Self::Bool(value) => TagRef::Bool(*value),
            Self::Long(value) => TagRef::Long(*value),
            Self::Double(value) => TagRef::Double(*value),
            Self::Binary(bytes) => TagRef::Binary(bytes),
        }
    }
}

impl fmt::Display for TagValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.as_ref().fmt(f)
    }
}

/// A borrowed value of a tag or log field, of any type that it can hold: what [`Span::set_tag`](crate::Span::set_tag)
/// and [`field`](crate::model::field) take.
///
/// `From` makes one of every integer and float type, `bool`, `&str`, `&String`, `&[u8]`, [`TagValue`] by reference, and
/// `Option` of these (`None` sets nothing). [`display`] makes one of anything else with a text form.
///
/// An unsigned number above `i64::MAX` is sent as its decimal text. NaN and the infinities are sent as the text `NaN`,
/// `+Inf` and `-Inf`, because a Jaeger backend cannot show a trace that holds them as numbers.
///
/// ```
/// use tracehound::model::{TagRef, TagValue, display};
///
/// let status = TagRef::from(200_u16);
/// assert!(matches!(status, TagRef::Long(200)));
/// assert_eq!(status.to_value(), Some(TagValue::Long(200)));
/// assert_eq!(TagRef::from(None::<&str>).to_value(), None);
/// assert_eq!(display(&'x').to_value(), Some(TagValue::from("x")));
/// ```
#[derive(Clone, Copy)]
#[non_exhaustive]
pub enum TagRef<'a> {
    /// No value: the tag is not set.
    Unset,
    /// Text.
    String(&'a str),
    /// True or false.
    Bool(bool),
    /// A whole number.
    Long(i64),
    /// A floating point number.
    Double(f64),
    /// Bytes.
    Binary(&'a [u8]),
    /// A whole number that may not fit into an `i64`.
    Unsigned(u64),
    /// Anything with a text form. It is formatted only if the span records.
    Display(&'a dyn fmt::Display),
}

/// Wraps anything with a text form as the value of a tag or field.
///
/// ```
/// use tracehound::prelude::*;
/// use tracehound::model::display;
///
/// let address: std::net::IpAddr = [127, 0, 0, 1].into();
/// tracehound::Span::noop().set_tag("peer.ipv4", display(&address));
/// ```
pub fn display<T: fmt::Display>(value: &T) -> TagRef<'_> {
    TagRef::Display(value)
}

impl TagRef<'_> {
    /// Returns the value as one of the five types that are sent, or `None` for [`TagRef::Unset`].
    pub fn to_value(self) -> Option<TagValue> {
        Some(match self {
            TagRef::Unset => return None,
            TagRef::String(text) => TagValue::String(Cow::Owned(text.to_owned())),
            TagRef::Bool(value) => TagValue::Bool(value),
            TagRef::Long(value) => TagValue::Long(value),
            TagRef::Double(value) if value.is_finite() => TagValue::Double(value),
            TagRef::Double(value) => TagValue::String(Cow::Borrowed(non_finite(value))),
            TagRef::Binary(bytes) => TagValue::Binary(bytes.to_vec()),
            TagRef::Unsigned(value) => match i64::try_from(value) {
                Ok(value) => TagValue::Long(value),
                Err(_) => TagValue::String(Cow::Owned(value.to_string())),
            },
            TagRef::Display(value) => TagValue::String(Cow::Owned(formatted(value))),
        })
    }
}

/// Returns the text that stands for a double which JSON cannot hold.
pub(crate) fn non_finite(value: f64) -> &'static str {
    if value.is_nan() {
        "NaN"
    } else if value > 0.0 {
        "+Inf"
    } else {
        "-Inf"
    }
}

impl fmt::Display for TagRef<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            TagRef::Unset => Ok(()),
            TagRef::String(text) => f.write_str(text),
            TagRef::Bool(value) => value.fmt(f),
            TagRef::Long(value) => value.fmt(f),
            TagRef::Double(value) if value.is_finite() => value.fmt(f),
            TagRef::Double(value) => f.write_str(non_finite(*value)),
            TagRef::Binary(bytes) => bytes.iter().try_for_each(|byte| write!(f, "{byte:02x}")),
            TagRef::Unsigned(value) => value.fmt(f),
            TagRef::Display(value) => value.fmt(f),
        }
    }
}

impl fmt::Debug for TagRef<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TagRef({self})")
    }
}

impl<'a> From<&'a str> for TagRef<'a> {
    fn from(text: &'a str) -> Self {
        Self::String(text)
    }
}

impl<'a> From<&'a String> for TagRef<'a> {
    fn from(text: &'a String) -> Self {
        Self::String(text)
    }
}

impl<'a> From<&'a Cow<'_, str>> for TagRef<'a> {
    fn from(text: &'a Cow<'_, str>) -> Self {
        Self::String(text)
    }
}

impl<'a> From<&'a [u8]> for TagRef<'a> {
    fn from(bytes: &'a [u8]) -> Self {
        Self::Binary(bytes)
    }
}

impl<'a> From<&'a Vec<u8>> for TagRef<'a> {
    fn from(bytes: &'a Vec<u8>) -> Self {
        Self::Binary(bytes)
    }
}

impl<'a> From<&'a TagValue> for TagRef<'a> {
    fn from(value: &'a TagValue) -> Self {
        value.as_ref()
    }
}

impl<'a, T: Into<Self>> From<Option<T>> for TagRef<'a> {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Unset, Into::into)
    }
}

impl From<&'static str> for TagValue {
    fn from(text: &'static str) -> Self {
        Self::String(Cow::Borrowed(text))
    }
}

impl From<String> for TagValue {
    fn from(text: String) -> Self {
        Self::String(Cow::Owned(text))
    }
}

impl From<Vec<u8>> for TagValue {
    fn from(bytes: Vec<u8>) -> Self {
        Self::Binary(bytes)
    }
}

macro_rules! from_numbers {
    ($($ty:ty => $ref_variant:ident as $as:ty, $value:expr;)*) => {$(
        impl From<$ty> for TagRef<'_> {
            fn from(value: $ty) -> Self {
                Self::$ref_variant(value as $as)
            }
        }
        impl From<$ty> for TagValue {
            fn from(value: $ty) -> Self {
                let convert: fn($ty) -> Self = $value;
                convert(value)
            }
        }
    )*};
}

from_numbers! {
    bool => Bool as bool, TagValue::Bool;
    i8 => Long as i64, |n| TagValue::Long(n.into());
    i16 => Long as i64, |n| TagValue::Long(n.into());
    i32 => Long as i64, |n| TagValue::Long(n.into());
    i64 => Long as i64, TagValue::Long;
    isize => Long as i64, |n| TagValue::Long(n as i64);
    u8 => Long as i64, |n| TagValue::Long(n.into());
    u16 => Long as i64, |n| TagValue::Long(n.into());
    u32 => Long as i64, |n| TagValue::Long(n.into());
    u64 => Unsigned as u64, unsigned;
    usize => Unsigned as u64, |n| unsigned(n as u64);
    f32 => Double as f64, |n| TagValue::Double(n.into());
    f64 => Double as f64, TagValue::Double;
}

fn unsigned(value: u64) -> TagValue {
    match i64::try_from(value) {
        Ok(value) => TagValue::Long(value),
        Err(_) => TagValue::String(Cow::Owned(value.to_string())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_that_jaeger_cannot_hold_become_text() {
        let rows: [(TagRef<'_>, TagValue); 6] = [
            (u64::MAX.into(), TagValue::from(u64::MAX.to_string())),
            (f64::NAN.into(), TagValue::from("NaN")),
            (f64::INFINITY.into(), TagValue::from("+Inf")),
            (f64::NEG_INFINITY.into(), TagValue::from("-Inf")),
            ((i64::MAX as u64).into(), TagValue::Long(i64::MAX)),
            (display(&'x'), TagValue::from("x")),
        ];
        for (given, sent) in rows {
            assert_eq!(given.to_value(), Some(sent), "{given:?}");
        }
        assert_eq!(TagRef::from(None::<i32>).to_value(), None);
    }
}
