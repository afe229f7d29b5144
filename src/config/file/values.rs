//! The kinds of values in a file.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::clock::nanos_with_units;
use crate::config::parse;
use crate::config::secret::Secret;
use crate::model::TagValue;
use crate::redact;

impl<'de> Deserialize<'de> for Secret {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        // No error repeats the value, as those of serde's own types do.
        match Scalar::deserialize(deserializer) {
            Ok(Scalar::Text(text)) => Ok(Self(text)),
            Ok(_) => Err(D::Error::custom("expected a text: put the value in quotes")),
            Err(_) => Err(D::Error::custom("expected a text")),
        }
    }
}

/// Names of headers and their secret values.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct SecretHeaders(pub(super) BTreeMap<String, Secret>);

impl<'de> Deserialize<'de> for SecretHeaders {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged, expecting = "expected a map of texts")]
        enum Map {
            Map(BTreeMap<String, Secret>),
        }

        let Map::Map(headers) = Map::deserialize(deserializer)?;
        Ok(Self(headers))
    }
}

/// A URL. Its user name, its password and the values of its query are not shown and not written.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub(super) struct Url(pub(super) String);

impl fmt::Debug for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", redact::value(&self.0))
    }
}

impl Serialize for Url {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&redact::value(&self.0))
    }
}

/// A duration as a text with a unit, or 0. Another bare number is refused: it would be nanoseconds in a file of the Go
/// client, and milliseconds in a variable of the others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct DurationText(Duration);

impl DurationText {
    /// Returns the duration, or `None` if it is 0, which stands for the default in a file of the Go client.
    pub(super) fn above_zero(self) -> Option<Duration> {
        (!self.0.is_zero()).then_some(self.0)
    }
}

impl<'de> Deserialize<'de> for DurationText {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = match Scalar::deserialize(deserializer)? {
            Scalar::Integer(0) => return Ok(Self(Duration::ZERO)),
            Scalar::Text(text) => text,
            _ => return Err(D::Error::custom(A_DURATION)),
        };
        match text.trim_ascii() {
            text if text == "0" || nanos_with_units(text) == Some(0) => Ok(Self(Duration::ZERO)),
            text if text.bytes().all(|byte| byte.is_ascii_digit()) => {
                Err(D::Error::custom(A_DURATION))
            }
            text => {
                let duration = parse::duration(text);
                duration.map(Self).map_err(|_| D::Error::custom(A_DURATION))
            }
        }
    }
}

impl Serialize for DurationText {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&format_args!("{:?}", self.0))
    }
}

const A_DURATION: &str = "expected a duration with a unit, such as 500ms or 1m30s";

/// A single value of any kind.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(untagged, expecting = "expected a text, a number or a boolean")]
pub(super) enum Scalar {
    Switch(bool),
    Integer(i64),
    /// An integer that `i64` cannot hold.
    Large(u64),
    Number(f64),
    Text(String),
}

impl Scalar {
    /// Returns the value as a variable would hold it.
    pub(super) fn text(&self) -> String {
        match self {
            Self::Switch(is_on) => is_on.to_string(),
            Self::Integer(number) => number.to_string(),
            Self::Large(number) => number.to_string(),
            Self::Number(number) => number.to_string(),
            Self::Text(text) => text.trim_ascii().to_owned(),
        }
    }

    fn into_tag_value(self) -> TagValue {
        match self {
            Self::Switch(is_on) => is_on.into(),
            Self::Integer(number) => number.into(),
            Self::Large(number) => number.to_string().into(),
            Self::Number(number) => number.into(),
            Self::Text(text) => text.into(),
        }
    }
}

/// Tags: a map, or the list of the Go client. A tag whose value is null is none.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(
    untagged,
    expecting = "expected tags as a map, or as a list of `key` and `value`"
)]
pub(super) enum TagTexts {
    Map(BTreeMap<String, Option<Scalar>>),
    List(Vec<TagText>),
}

/// A tag of a list.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct TagText {
    key: String,
    /// It may be null, but not left out.
    #[serde(deserialize_with = "Option::deserialize")]
    value: Option<Scalar>,
}

impl TagTexts {
    pub(super) fn into_pairs(self) -> Vec<(String, TagValue)> {
        let pairs: Vec<_> = match self {
            Self::Map(map) => map.into_iter().collect(),
            Self::List(list) => list.into_iter().map(|it| (it.key, it.value)).collect(),
        };
        let pairs = pairs.into_iter();
        pairs
            .filter_map(|(key, value)| Some((key, value?.into_tag_value())))
            .collect()
    }
}
