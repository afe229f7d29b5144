use std::collections::BTreeMap;
use std::fmt;

use serde::Deserialize;
use serde_json::Value;

use crate::model::TagValue;
use crate::sampler::{SamplerTags, TagMatchingSampler};

impl TagMatchingSampler {
    /// Reads the configuration that jaeger-client-go takes:
    ///
    /// ```text
    /// {"key":"tenant",
    ///  "matchers":[{"value":"acme","firehose":false}],
    ///  "values":{"acme-test":{"firehose":true}}}
    /// ```
    ///
    /// `matchers` and `values` may each be missing, and so may `firehose`, which is then false. If a value comes twice,
    /// the last one counts; `values`, whose values are texts, come after `matchers`. A number without fraction and
    /// exponent is a whole number; in Go it is a double, which no whole number equals.
    ///
    /// ```
    /// use tracehound::sampler::TagMatchingSampler;
    ///
    /// let json = br#"{"key":"tenant","matchers":[{"value":"acme"}],
    ///                 "values":{"test":{"firehose":true}}}"#;
    /// let sampler = TagMatchingSampler::from_json(json)?;
    /// assert_eq!(sampler, TagMatchingSampler::new("tenant").value("acme").firehose("test"));
    /// # Ok::<(), tracehound::sampler::TagMatchingError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// Fails if `json` is not JSON of this form, if the key is missing or empty, or if a value is not a text, a number
    /// or a truth value.
    pub fn from_json(json: &[u8]) -> Result<Self, TagMatchingError> {
        let config: Config = serde_json::from_slice(json).map_err(TagMatchingError::new)?;
        if config.key.is_empty() {
            return Err(TagMatchingError::new("the key is empty"));
        }
        let mut sampler = Self::new(config.key);
        for (place, matcher) in config.matchers.unwrap_or_default().into_iter().enumerate() {
            let value = tag_value(matcher.value).ok_or_else(|| {
                TagMatchingError::new(format!(
                    "matchers[{place}]: expected a text, a number or a truth value"
                ))
            })?;
            sampler = sampler.with(value, matcher.firehose);
        }
        for (value, options) in config.values.unwrap_or_default() {
            sampler = sampler.with(value.into(), options.firehose);
        }
        Ok(sampler)
    }

    fn with(self, value: TagValue, firehose: bool) -> Self {
        if firehose {
            self.matching(value, SamplerTags::firehose)
        } else {
            self.matching(value, |tags| tags)
        }
    }
}

#[derive(Deserialize)]
struct Config {
    key: String,
    matchers: Option<Vec<MatcherConfig>>,
    values: Option<BTreeMap<String, Options>>,
}

#[derive(Deserialize)]
struct MatcherConfig {
    value: Value,
    #[serde(default)]
    firehose: bool,
}

#[derive(Deserialize)]
struct Options {
    #[serde(default)]
    firehose: bool,
}

fn tag_value(value: Value) -> Option<TagValue> {
    Some(match value {
        Value::Bool(value) => value.into(),
        Value::String(text) => text.into(),
        Value::Number(number) => match (number.as_i64(), number.as_u64()) {
            (Some(value), _) => value.into(),
            (None, Some(value)) => value.into(),
            (None, None) => number.as_f64()?.into(),
        },
        Value::Null | Value::Array(_) | Value::Object(_) => return None,
    })
}

/// The error of [`TagMatchingSampler::from_json`]: the configuration is not of the form that it reads.
///
/// ```
/// use tracehound::sampler::TagMatchingSampler;
///
/// let error = TagMatchingSampler::from_json(b"{").expect_err("not JSON");
/// assert!(error.to_string().starts_with("tag-matching sampler: "));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TagMatchingError(String);

impl TagMatchingError {
    fn new(reason: impl fmt::Display) -> Self {
        Self(reason.to_string())
    }
}

impl fmt::Display for TagMatchingError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "tag-matching sampler: {}", self.0)
    }
}

impl std::error::Error for TagMatchingError {}
