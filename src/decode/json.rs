//! JSON that is read a level at a time.
//!
//! A tree of all that a text has would take up to a hundred times as much memory as the text.

use std::collections::BTreeMap;
use std::fmt;

use serde::Deserializer as _;
use serde::de::Visitor;
use serde_json::Value;
use serde_json::value::RawValue;

use crate::decode::Reason;

/// A value whose members and items are not read yet.
#[derive(Debug)]
pub(super) enum Json<'a> {
    Object(Members<'a>),
    List(Vec<&'a RawValue>),
    /// A value that is no object and no list.
    Plain(Value),
}

/// The members of an object by their names.
pub(super) type Members<'a> = BTreeMap<String, &'a RawValue>;

impl<'a> Json<'a> {
    /// Reads a whole text.
    pub(super) fn read(text: &'a str) -> Result<Self, Reason> {
        let raw: &RawValue = serde_json::from_str(text).map_err(|error| error.to_string())?;
        Self::of(raw)
    }

    /// Reads the first level of a value.
    pub(super) fn of(raw: &'a RawValue) -> Result<Self, Reason> {
        let text = raw.get();
        let read = match text.as_bytes().first() {
            Some(b'{') => serde_json::from_str(text).map(Self::Object),
            Some(b'[') => serde_json::from_str(text).map(Self::List),
            Some(b'"') => serde_json::from_str(text)
                .or_else(|_| with_lone_surrogates(text))
                .map(|text| Self::Plain(Value::String(text))),
            _ => serde_json::from_str(text).map(Self::Plain),
        };
        read.map_err(|error| error.to_string())
    }

    /// Returns the kind of the value in words.
    #[cfg(any(feature = "dev", test))]
    pub(super) fn kind(&self) -> &'static str {
        match self {
            Self::Object(_) => "an object",
            Self::List(_) => "a list",
            Self::Plain(Value::Null) => "null",
            Self::Plain(Value::Bool(_)) => "a truth value",
            Self::Plain(Value::Number(_)) => "a number",
            Self::Plain(_) => "text",
        }
    }
}

/// Returns a member that is no object and no list. One that is null counts as absent.
pub(super) fn plain(members: &Members<'_>, name: &str) -> Option<Value> {
    match Json::of(members.get(name)?) {
        Ok(Json::Plain(value)) if !value.is_null() => Some(value),
        _ => None,
    }
}

/// Returns a member that is text.
pub(super) fn text(members: &Members<'_>, name: &str) -> Option<String> {
    match plain(members, name)? {
        Value::String(text) => Some(text),
        _ => None,
    }
}

/// Returns a number, rounded down, and whether it was whole. Clients also write numbers as text, and large ones with an
/// exponent.
pub(super) fn whole(value: &Value) -> Option<(i128, bool)> {
    let (whole, double) = match value {
        Value::Number(number) => (number.as_i128(), number.as_f64()),
        Value::String(text) => (text.parse().ok(), text.parse().ok()),
        _ => return None,
    };
    let rounded = |double: f64| (double.floor() as i128, double.fract() == 0.0);
    // The conversion would make the nearest number of all others.
    let double = double.filter(|double| double.abs() < i128::MAX as f64);
    whole
        .map(|whole| (whole, true))
        .or_else(|| double.map(rounded))
}

/// Reads text with an escape for half a character, as programs in JavaScript write it once they have cut text. Each of
/// them becomes U+FFFD.
fn with_lone_surrogates(text: &str) -> Result<String, serde_json::Error> {
    struct Halves;
    impl Visitor<'_> for Halves {
        type Value = String;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("text")
        }

        fn visit_bytes<E>(self, bytes: &[u8]) -> Result<String, E> {
            let mut text = String::new();
            for chunk in bytes.utf8_chunks() {
                text.push_str(chunk.valid());
                // Half a character has three bytes, and each of them is invalid by itself.
                text.extend((chunk.invalid() == [0xed]).then_some(char::REPLACEMENT_CHARACTER));
            }
            Ok(text)
        }
    }
    serde_json::Deserializer::from_str(text).deserialize_bytes(Halves)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_read_a_level_at_a_time() {
        let deep = format!("{{\"a\":{}{}}}", "[".repeat(100_000), "]".repeat(100_000));
        let Ok(Json::Object(members)) = Json::read(&deep) else {
            panic!("an object")
        };
        assert!(matches!(Json::of(members["a"]), Ok(Json::List(items)) if items.len() == 1));
        assert_eq!(text(&members, "a"), None);
        assert_eq!(Json::read(" 7 ").expect("a number").kind(), "a number");
        assert!(Json::read("{\"a\":[}").is_err());
        assert!(Json::read("[] []").is_err());
    }

    #[test]
    fn half_a_character_is_replaced() {
        for (json, expected) in [
            (r#""a\ud83d""#, "a\u{fffd}"),
            (r#""\ude00b""#, "\u{fffd}b"),
            (r#""\ud83dé\n\ud83d\ude00""#, "\u{fffd}é\n😀"),
            (r#""\ud83d\ud83d""#, "\u{fffd}\u{fffd}"),
        ] {
            let Ok(Json::Plain(Value::String(read))) = Json::read(json) else {
                panic!("{json}")
            };
            assert_eq!(read, expected, "{json}");
        }
        assert!(Json::read(r#""\ud8""#).is_err());
    }

    #[test]
    fn numbers_are_read_out_of_text_and_out_of_fractions() {
        for (json, expected) in [
            ("5", Some((5, true))),
            (r#""5""#, Some((5, true))),
            ("1.58266276796031e+15", Some((1_582_662_767_960_310, true))),
            (r#""1.5e3""#, Some((1_500, true))),
            ("2.9", Some((2, false))),
            ("-0.5", Some((-1, false))),
            ("18446744073709551615", Some((u64::MAX.into(), true))),
            (
                r#""1e38""#,
                Some((99_999_999_999_999_997_748_809_823_456_034_029_568, true)),
            ),
            (r#""-1e39""#, None),
            (r#""-inf""#, None),
            (r#""five""#, None),
            (r#""NaN""#, None),
            (r#""""#, None),
            ("true", None),
        ] {
            let Ok(Json::Plain(value)) = Json::read(json) else {
                panic!("{json}")
            };
            assert_eq!(whole(&value), expected, "{json}");
        }
    }
}
