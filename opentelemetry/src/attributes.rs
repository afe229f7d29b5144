//! Attributes as tags and log fields.

use std::fmt::{self, Write as _};

use opentelemetry::{Array, KeyValue, Value};
use tracehound::model::{TagRef, display};

/// The attributes of a span, an event or a link, as keys and values of tags.
pub(crate) struct Attributes<'a> {
    attributes: &'a [KeyValue],
    /// The values that are lists, in their order.
    lists: Vec<JsonList<'a>>,
}

impl<'a> Attributes<'a> {
    pub(crate) fn new(attributes: &'a [KeyValue]) -> Self {
        let list_of = |attribute: &'a KeyValue| match &attribute.value {
            Value::Array(list) => Some(JsonList(list)),
            _ => None,
        };
        Self {
            attributes,
            lists: attributes.iter().filter_map(list_of).collect(),
        }
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, TagRef<'_>)> {
        let mut lists = self.lists.iter();
        self.attributes.iter().map(move |attribute| {
            let value = match &attribute.value {
                Value::Bool(value) => TagRef::Bool(*value),
                Value::I64(value) => TagRef::Long(*value),
                Value::F64(value) => TagRef::Double(*value),
                Value::String(text) => TagRef::String(text.as_str()),
                Value::Array(_) => lists.next().map_or(TagRef::Unset, display),
                other => display(other),
            };
            (attribute.key.as_str(), value)
        })
    }
}

/// A list in JSON, the form in which a Jaeger backend keeps lists.
struct JsonList<'a>(&'a Array);

impl fmt::Display for JsonList<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Array::Bool(values) => write_list(f, values, |f, value| write!(f, "{value}")),
            Array::I64(values) => write_list(f, values, |f, value| write!(f, "{value}")),
            Array::F64(values) => write_list(f, values, |f, value| write_double(f, *value)),
            Array::String(values) => {
                write_list(f, values, |f, value| write_text(f, value.as_str()))
            }
            other => write!(f, "{other}"),
        }
    }
}

fn write_list<T>(
    f: &mut fmt::Formatter<'_>,
    values: &[T],
    write: impl Fn(&mut fmt::Formatter<'_>, &T) -> fmt::Result,
) -> fmt::Result {
    f.write_char('[')?;
    for (n, value) in values.iter().enumerate() {
        if n > 0 {
            f.write_char(',')?;
        }
        write(f, value)?;
    }
    f.write_char(']')
}

/// Writes a number, or as text what JSON has no number for.
fn write_double(f: &mut fmt::Formatter<'_>, value: f64) -> fmt::Result {
    if value.is_finite() {
        write!(f, "{value:?}")
    } else {
        write!(f, "\"{}\"", TagRef::Double(value))
    }
}

fn write_text(f: &mut fmt::Formatter<'_>, text: &str) -> fmt::Result {
    f.write_char('"')?;
    for letter in text.chars() {
        match letter {
            '"' => f.write_str("\\\"")?,
            '\\' => f.write_str("\\\\")?,
            '\n' => f.write_str("\\n")?,
            '\r' => f.write_str("\\r")?,
            '\t' => f.write_str("\\t")?,
            letter if u32::from(letter) < 0x20 => write!(f, "\\u{:04x}", u32::from(letter))?,
            letter => f.write_char(letter)?,
        }
    }
    f.write_char('"')
}

#[cfg(test)]
mod tests {
    use opentelemetry::StringValue;

    use super::*;

    #[test]
    fn values_keep_their_types_and_lists_become_json() {
        let texts: Vec<StringValue> = ["a\"b\\", "é\n\t\r\u{1}", ""].map(StringValue::from).into();
        let attributes = [
            KeyValue::new("bool", true),
            KeyValue::new("texts", Value::Array(texts.into())),
            KeyValue::new("long", -3),
            KeyValue::new("longs", Value::Array(vec![1, -2].into())),
            KeyValue::new("double", 0.5),
            KeyValue::new("doubles", Value::Array(vec![1.0, 1e300, f64::NAN].into())),
            KeyValue::new("bools", Value::Array(vec![true, false].into())),
            KeyValue::new("none", Value::Array(Array::I64(Vec::new()))),
            KeyValue::new("text", "x"),
        ];
        let tags = Attributes::new(&attributes);
        let shown: Vec<_> = tags
            .iter()
            .map(|(key, value)| format!("{key}={value}"))
            .collect();
        let expected = [
            "bool=true",
            r#"texts=["a\"b\\","é\n\t\r\u0001",""]"#,
            "long=-3",
            "longs=[1,-2]",
            "double=0.5",
            r#"doubles=[1.0,1e300,"NaN"]"#,
            "bools=[true,false]",
            "none=[]",
            "text=x",
        ];
        assert_eq!(shown, expected);
        let is_typed = |(key, value)| match key {
            "bool" => matches!(value, TagRef::Bool(true)),
            "long" => matches!(value, TagRef::Long(-3)),
            "double" => matches!(value, TagRef::Double(0.5)),
            "text" => matches!(value, TagRef::String("x")),
            _ => matches!(value, TagRef::Display(_)),
        };
        assert!(tags.iter().all(is_typed));
    }
}
