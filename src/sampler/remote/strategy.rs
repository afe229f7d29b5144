use std::fmt;
use std::str;

use crate::sampler::remote::reply::{self, Reply};
use crate::sampler::{
    OperationStrategies, SamplingRate, SamplingRateError, TracesPerSecond, TracesPerSecondError,
};

/// A sampling strategy of one service, as a Jaeger backend states it.
///
/// ```
/// use tracehound::sampler::SamplingRate;
/// use tracehound::sampler::remote::Strategy;
///
/// let json = br#"{"strategyType":"PROBABILISTIC","probabilisticSampling":{"samplingRate":0.5}}"#;
/// let strategy = Strategy::from_json(json)?;
/// assert_eq!(strategy, Strategy::Probabilistic(SamplingRate::new(0.5)?));
/// assert_eq!(strategy.to_string(), "probabilistic 0.5");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Strategy {
    /// Keeps a share of the traces.
    Probabilistic(SamplingRate),
    /// Keeps a number of traces a second.
    RateLimiting(TracesPerSecond),
    /// Keeps a share of each operation's traces, and a number a second at least.
    PerOperation(OperationStrategies),
}

impl Strategy {
    /// The largest document that [`from_json`](Self::from_json) reads: 1 MiB. 2000 operations take about 300 kB.
    ///
    /// ```
    /// use tracehound::sampler::remote::{Strategy, StrategyError};
    ///
    /// let document = vec![b' '; Strategy::MAX_JSON_BYTES + 1];
    /// assert!(matches!(Strategy::from_json(&document), Err(StrategyError::TooLarge(_))));
    /// ```
    pub const MAX_JSON_BYTES: usize = 1 << 20;

    /// Reads a reply of a Jaeger backend, in any dialect: see [the module](super#what-may-a-reply-look-like).
    ///
    /// # Errors
    ///
    /// Fails on a document that is too large, is not JSON, names no strategy, has a member of another type, or has a
    /// number that is out of range, wherever it stands. Nothing of such a document is used.
    pub fn from_json(json: &[u8]) -> Result<Self, StrategyError> {
        if json.len() > Self::MAX_JSON_BYTES {
            return Err(StrategyError::TooLarge(json.len()));
        }
        let reply = reply::read(json).map_err(|error| StrategyError::Malformed {
            line: error.line(),
            column: error.column(),
        })?;
        Self::from_reply(reply)
    }

    /// Decides by the members alone, as the definition of the message advises: the type is not read.
    pub(super) fn from_reply(reply: Reply) -> Result<Self, StrategyError> {
        if let Some(sampling) = reply.operation_sampling {
            let mut strategies = OperationStrategies::new(
                rate("defaultSamplingProbability", sampling.default_rate)?,
                limit("defaultLowerBoundTracesPerSecond", sampling.lower_bound)?,
            );
            for operation in sampling.operations {
                let Some(probabilistic) = operation.probabilistic_sampling else {
                    continue;
                };
                let rate = rate("samplingRate", probabilistic.rate)?;
                if let Some(name) = operation.name.filter(|name| !name.is_empty()) {
                    strategies = strategies.operation(name, rate);
                }
            }
            Ok(Self::PerOperation(strategies))
        } else if let Some(sampling) = reply.probabilistic_sampling {
            Ok(Self::Probabilistic(rate("samplingRate", sampling.rate)?))
        } else if let Some(sampling) = reply.rate_limiting_sampling {
            let limit = limit("maxTracesPerSecond", sampling.limit)?;
            Ok(Self::RateLimiting(limit))
        } else {
            Err(StrategyError::NoStrategy)
        }
    }

    /// Returns whether both mean the same: the order of operations does not count, and of several with one name only
    /// the last one does.
    pub(super) fn is_same(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::PerOperation(this), Self::PerOperation(other)) => {
                this == other
                    || this.default_rate() == other.default_rate()
                        && this.default_lower_bound() == other.default_lower_bound()
                        && by_name(this) == by_name(other)
            }
            _ => self == other,
        }
    }
}

/// Returns the operations by name, the last one of each.
fn by_name(strategies: &OperationStrategies) -> Vec<(&str, SamplingRate)> {
    let mut operations: Vec<_> = strategies.operations().collect();
    operations.reverse();
    // Stable: of one name, the one that was added last comes first and stays.
    operations.sort_by_key(|(name, _)| *name);
    operations.dedup_by_key(|(name, _)| *name);
    operations
}

/// Checks a probability. One that a server has left out is 0.
fn rate(member: &'static str, rate: Option<f64>) -> Result<SamplingRate, StrategyError> {
    SamplingRate::new(rate.unwrap_or(0.0))
        .map_err(|error| StrategyError::InvalidRate(member, error))
}

/// Checks a number of traces. One that a server has left out is 0.
fn limit(member: &'static str, limit: Option<f64>) -> Result<TracesPerSecond, StrategyError> {
    TracesPerSecond::new(limit.unwrap_or(0.0))
        .map_err(|error| StrategyError::InvalidLimit(member, error))
}

impl fmt::Display for Strategy {
    /// Writes `probabilistic 0.5`, `ratelimiting 5` or `per operation, 2 listed, else probabilistic 0.001, lowerbound
    /// 0.1/s`, as the samplers describe themselves.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Probabilistic(rate) => write!(f, "probabilistic {}", rate.get()),
            Self::RateLimiting(limit) => write!(f, "ratelimiting {}", limit.get()),
            Self::PerOperation(strategies) => write!(
                f,
                "per operation, {} listed, else probabilistic {}, lowerbound {}/s",
                by_name(strategies).len(),
                strategies.default_rate().get(),
                strategies.default_lower_bound().get(),
            ),
        }
    }
}

/// The reason why a document is not a strategy.
///
/// ```
/// use tracehound::sampler::remote::{Strategy, StrategyError};
///
/// let json = br#"{"probabilisticSampling":{"samplingRate":7}}"#;
/// let error = Strategy::from_json(json).expect_err("above 1");
/// assert!(matches!(error, StrategyError::InvalidRate(..)));
/// assert!(error.to_string().ends_with("expected a probability from 0 to 1, found 7"));
/// assert_eq!(Strategy::from_json(b"{}"), Err(StrategyError::NoStrategy));
/// ```
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum StrategyError {
    /// The document has so many bytes, more than [`Strategy::MAX_JSON_BYTES`].
    TooLarge(usize),
    /// The document is not JSON, or a member has another type, at this line and column.
    Malformed {
        /// The line, from 1.
        line: usize,
        /// The column in bytes, from 1.
        column: usize,
    },
    /// The document has none of the members that state a strategy.
    NoStrategy,
    /// This member is not a probability.
    InvalidRate(&'static str, SamplingRateError),
    /// This member is not a number of traces a second.
    InvalidLimit(&'static str, TracesPerSecondError),
}

impl fmt::Display for StrategyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLarge(bytes) => write!(
                f,
                "the strategy has {bytes} bytes, more than {}",
                Strategy::MAX_JSON_BYTES
            ),
            Self::Malformed { line, column } => {
                write!(f, "not a strategy in JSON, at line {line}, column {column}")
            }
            Self::NoStrategy => f.write_str("the reply states no strategy"),
            Self::InvalidRate(member, error) => write!(f, "{member}: {error}"),
            Self::InvalidLimit(member, error) => write!(f, "{member}: {error}"),
        }
    }
}

impl std::error::Error for StrategyError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::InvalidRate(_, error) => Some(error),
            Self::InvalidLimit(_, error) => Some(error),
            Self::TooLarge(_) | Self::Malformed { .. } | Self::NoStrategy => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::error::Error;

    use super::*;
    use crate::sampler::remote::FetchError;

    fn read(json: &str) -> Result<String, StrategyError> {
        Strategy::from_json(json.as_bytes()).map(|strategy| strategy.to_string())
    }

    #[test]
    fn a_number_out_of_range_refuses_the_whole_document() {
        let rates = ["-0.1", "1.1", "5.0", "1e308", "-1e308"];
        for rate in rates {
            for json in [
                format!(r#"{{"probabilisticSampling":{{"samplingRate":{rate}}}}}"#),
                format!(r#"{{"operationSampling":{{"defaultSamplingProbability":{rate}}}}}"#),
                format!(
                    r#"{{"operationSampling":{{"perOperationStrategies":[
                        {{"operation":"a","probabilisticSampling":{{"samplingRate":0.5}}}},
                        {{"probabilisticSampling":{{"samplingRate":{rate}}}}}]}}}}"#
                ),
            ] {
                let error = read(&json).expect_err(&json);
                assert!(matches!(error, StrategyError::InvalidRate(..)), "{json}");
            }
        }
        for json in [
            r#"{"rateLimitingSampling":{"maxTracesPerSecond":-1}}"#,
            r#"{"operationSampling":{"defaultLowerBoundTracesPerSecond":-0.5}}"#,
        ] {
            let error = read(json).expect_err(json);
            assert!(matches!(error, StrategyError::InvalidLimit(..)), "{json}");
        }
    }

    #[test]
    fn a_refusal_says_why_and_has_the_number_out_of_range_as_its_cause() {
        let rate = "expected a probability from 0 to 1, found 2";
        let limit = "expected a number of traces a second, 0 or more, found -1";
        for (json, text, cause) in [
            (
                r#"{"probabilisticSampling":{"samplingRate":2}}"#,
                format!("samplingRate: {rate}"),
                Some(rate),
            ),
            (
                r#"{"rateLimitingSampling":{"maxTracesPerSecond":-1}}"#,
                format!("maxTracesPerSecond: {limit}"),
                Some(limit),
            ),
            ("{}", "the reply states no strategy".to_owned(), None),
            (
                "{",
                "not a strategy in JSON, at line 1, column 1".to_owned(),
                None,
            ),
        ] {
            let error = read(json).expect_err(json);
            let fetch = FetchError::from(error.clone());
            for error in [&error as &dyn Error, &fetch] {
                assert_eq!(error.to_string(), text);
                let source = error.source().map(ToString::to_string);
                assert_eq!(source.as_deref(), cause, "{json}");
            }
        }
    }

    #[test]
    fn a_document_that_is_malformed_is_refused_where_it_breaks() {
        for json in [
            "",
            " ",
            "x",
            "[]",
            "1",
            "\"PROBABILISTIC\"",
            "{",
            r#"{"probabilisticSampling":{"samplingRate":0.5}"#,
            r#"{"probabilisticSampling":{"samplingRate":0.5}}}"#,
            r#"{"probabilisticSampling":{"samplingRate":NaN}}"#,
            r#"{"probabilisticSampling":{"samplingRate":1e999}}"#,
            r#"{"probabilisticSampling":{"samplingRate":true}}"#,
            r#"{"probabilisticSampling":{"samplingRate":"0.5"}}"#,
            r#"{"probabilisticSampling":{"samplingRate":[0.5]}}"#,
            r#"{"probabilisticSampling":0.5}"#,
            r#"{"rateLimitingSampling":{"maxTracesPerSecond":Infinity}}"#,
            r#"{"operationSampling":{"perOperationStrategies":{}}}"#,
            r#"{"operationSampling":{"perOperationStrategies":[{"operation":1}]}}"#,
            "{\"operationSampling\":{\"perOperationStrategies\":[{\"operation\":\"\u{1}\"}]}}",
            r#"{"operationSampling":{"perOperationStrategies":[{"operation":"\ud800"}]}}"#,
        ] {
            let error = read(json).expect_err(json);
            assert!(
                matches!(error, StrategyError::Malformed { .. }),
                "{json}: {error}"
            );
        }
        let json =
            b"{\"operationSampling\":{\"perOperationStrategies\":[{\"operation\":\"\xff\"}]}}";
        let error = Strategy::from_json(json).expect_err("not UTF-8");
        assert!(
            matches!(error, StrategyError::Malformed { line: 1, .. }),
            "{error}"
        );
    }

    #[test]
    fn a_document_without_a_strategy_says_so() {
        for json in [
            "{}",
            "null",
            r#"{"strategyType":"PROBABILISTIC"}"#,
            r#"{"balances":[]}"#,
        ] {
            assert_eq!(read(json), Err(StrategyError::NoStrategy), "{json}");
        }
    }

    #[test]
    fn entries_without_a_name_or_a_rate_are_skipped() {
        let json =
            br#"{"operationSampling":{"defaultSamplingProbability":0.1,"perOperationStrategies":[
            null, {}, {"operation":"a"}, {"operation":"b","probabilisticSampling":null},
            {"operation":"","probabilisticSampling":{"samplingRate":1}},
            {"operation":null,"probabilisticSampling":{"samplingRate":1}},
            {"operation":"zero","probabilisticSampling":{}}]}}"#;
        let Ok(Strategy::PerOperation(strategies)) = Strategy::from_json(json) else {
            panic!("strategies by operation");
        };
        let operations: Vec<_> = strategies.operations().collect();
        assert_eq!(operations, [("zero", SamplingRate::ZERO)]);
    }

    #[test]
    fn depth_and_size_are_bounded() {
        let deep = |depth: usize| format!(r#"{{"x":{}{}}}"#, "[".repeat(depth), "]".repeat(depth));
        assert_eq!(read(&deep(400_000)), Err(StrategyError::NoStrategy));
        let in_place = format!(r#"{{"operationSampling":{}"#, "[".repeat(400_000));
        assert!(matches!(
            read(&in_place),
            Err(StrategyError::Malformed { .. })
        ));
        let large = " ".repeat(Strategy::MAX_JSON_BYTES + 1);
        assert_eq!(read(&large), Err(StrategyError::TooLarge(large.len())));
    }

    #[test]
    fn a_rate_is_the_very_number_that_was_sent() {
        // Numbers that a fast reader of decimals gets wrong in the last bit.
        for text in [
            "0.10000000149011612",
            "5.0000000000000001e-2",
            "0.3",
            "1.7976931348623157e-5",
        ] {
            let json = format!(r#"{{"probabilisticSampling":{{"samplingRate":{text}}}}}"#);
            let rate = SamplingRate::new(text.parse().expect("a number")).expect("a rate");
            assert_eq!(
                Strategy::from_json(json.as_bytes()),
                Ok(Strategy::Probabilistic(rate))
            );
        }
    }
}
