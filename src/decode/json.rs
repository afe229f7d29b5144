//! JSON that is read a level at a time.
//!
//! A tree of all that a text has would take up to a hundred times as much memory as the text.

use std::collections::BTreeMap;

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
    pub(super) fn read(text: &'a [u8]) -> Result<Self, Reason> {
        let raw: &RawValue = serde_json::from_slice(text).map_err(|error| error.to_string())?;
        Self::of(raw)
    }

    /// Reads the first level of a value.
    pub(super) fn of(raw: &'a RawValue) -> Result<Self, Reason> {
        let text = raw.get();
        let read = match text.as_bytes().first() {
            Some(b'{') => serde_json::from_str(text).map(Self::Object),
            Some(b'[') => serde_json::from_str(text).map(Self::List),
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_read_a_level_at_a_time() {
        let deep = format!("{{\"a\":{}{}}}", "[".repeat(100_000), "]".repeat(100_000));
        let Ok(Json::Object(members)) = Json::read(deep.as_bytes()) else {
            panic!("an object")
        };
        assert!(matches!(Json::of(members["a"]), Ok(Json::List(items)) if items.len() == 1));
        assert_eq!(text(&members, "a"), None);
        assert_eq!(Json::read(b" 7 ").expect("a number").kind(), "a number");
        assert!(Json::read(b"{\"a\":[}").is_err());
        assert!(Json::read(b"[\"\xff\"]").is_err());
        assert!(Json::read(b"[] []").is_err());
    }
}
