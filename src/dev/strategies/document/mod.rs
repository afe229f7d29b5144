//! The format of Jaeger's file of sampling strategies.

use std::collections::HashMap;
use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::Number;

use crate::sampler::SamplingRate;

/// The strategies of a file: one for each service that the file names, and one for all others.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Strategies {
    default: ServiceStrategy,
    services: HashMap<String, ServiceStrategy>,
}

impl Strategies {
    /// Returns strategies by which every service keeps every trace.
    pub(crate) fn keep_everything() -> Self {
        Self {
            default: ServiceStrategy::of(Base::Probabilistic(SamplingRate::ONE)),
            services: HashMap::new(),
        }
    }

    /// Reads a file. Also returns notes about entries that Jaeger would pass over, or take for something else.
    ///
    /// # Errors
    ///
    /// Fails if the text is no such file, or a number is out of range. Jaeger checks no numbers, and clients then
    /// refuse its answers.
    pub(crate) fn parse(text: &[u8]) -> Result<(Self, Notes), FileError> {
        // Jaeger takes `null` for a file without entries.
        let file: Option<File> = serde_json::from_slice(text).map_err(FileError::Json)?;
        let file = file.unwrap_or_default();
        let mut notes = Notes::default();
        let default = match file.default_strategy {
            Some(entry) => entry.strategy("default_strategy", &mut notes)?,
            None => ServiceStrategy::of(Base::DEFAULT),
        };
        let mut services = HashMap::new();
        for entry in file.service_strategies.unwrap_or_default() {
            let service = entry.service.clone().unwrap_or_default();
            let strategy = entry.strategy(&format!("service {}", shown(&service)), &mut notes)?;
            services.insert(service, strategy);
        }
        Ok((Self { default, services }, notes))
    }

    /// Returns how many services have a strategy of their own.
    pub(crate) fn services(&self) -> usize {
        self.services.len()
    }

    /// Returns the strategy of a service as an agent answers with it: JSON, with the type as text.
    ///
    /// The rules for what a service takes from the default strategy are those of Jaeger 2, and of Jaeger 1.57 with
    /// `--sampling.strategies.bugfix-5270`. The operations of the default strategy apply to every service that does not
    /// name them itself.
    pub(crate) fn answer(&self, service: &str) -> String {
        let own = self.services.get(service);
        let strategy = own.unwrap_or(&self.default);
        let operations = match (&strategy.operations, &self.default.operations) {
            (Some(operations), Some(shared)) if own.is_some() => {
                Some(operations.answer(operations.default, Some(shared)))
            }
            (Some(operations), _) => Some(operations.answer(operations.default, None)),
            (None, Some(shared)) => {
                let default = match strategy.base {
                    Base::Probabilistic(rate) => rate,
                    Base::RateLimiting(_) => shared.default,
                };
                Some(shared.answer(default, None))
            }
            (None, None) => None,
        };
        let answer = match strategy.base {
            Base::Probabilistic(rate) => Answer {
                strategy_type: "PROBABILISTIC",
                probabilistic_sampling: Some(Probability::of(rate)),
                rate_limiting_sampling: None,
                operation_sampling: operations,
            },
            Base::RateLimiting(limit) => Answer {
                strategy_type: "RATE_LIMITING",
                probabilistic_sampling: None,
                rate_limiting_sampling: Some(Limit {
                    max_traces_per_second: limit,
                }),
                operation_sampling: operations,
            },
        };
        serde_json::to_string(&answer).expect("numbers are finite and all keys are text")
    }
}

/// Returns an answer with a probability for each operation in a list, and one for all others.
pub(crate) fn per_operation_answer(
    default: f64,
    lower_bound: Number,
    list: &[(&str, f64)],
) -> String {
    let strategies = list
        .iter()
        .map(|&(operation, sampling_rate)| OperationProbability {
            operation,
            probabilistic_sampling: Probability { sampling_rate },
        });
    let answer = Answer {
        strategy_type: "PROBABILISTIC",
        probabilistic_sampling: None,
        rate_limiting_sampling: None,
        operation_sampling: Some(OperationSampling {
            default_sampling_probability: default,
            default_lower_bound_traces_per_second: lower_bound,
            per_operation_strategies: strategies.collect(),
            default_upper_bound_traces_per_second: 0,
        }),
    };
    serde_json::to_string(&answer).expect("numbers are finite and all keys are text")
}

/// The strategy of one service.
#[derive(Clone, Debug, PartialEq)]
struct ServiceStrategy {
    base: Base,
    operations: Option<Operations>,
}

impl ServiceStrategy {
    const fn of(base: Base) -> Self {
        Self {
            base,
            operations: None,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Base {
    Probabilistic(SamplingRate),
    /// Whole traces a second, because Jaeger's answers hold nothing else.
    RateLimiting(u32),
}

impl Base {
    /// The strategy of a service that a file says nothing about.
    const DEFAULT: Self = Self::Probabilistic(SamplingRate::DEFAULT);

    /// Reads `type` and `param`; `at` names their place in the file.
    fn read(
        kind: Option<&str>,
        param: Option<f64>,
        at: &str,
        notes: &mut Notes,
    ) -> Result<Self, FileError> {
        let param = param.unwrap_or(0.0);
        match kind {
            Some("probabilistic") => match SamplingRate::new(param) {
                Ok(rate) => Ok(Self::Probabilistic(rate)),
                Err(error) => Err(FileError::Number(format!("{at}: {error}"))),
            },
            Some("ratelimiting") if param >= 0.0 => {
                if param.fract() != 0.0 {
                    notes.add(|| {
                        format!("{at}: a limit is a whole number in Jaeger: {param} is cut")
                    });
                }
                Ok(Self::RateLimiting(param.min(MAX_LIMIT) as u32))
            }
            Some("ratelimiting") => Err(FileError::Number(format!(
                "{at}: expected a number of traces a second, 0 or more, found {param}"
            ))),
            _ => {
                notes.add(|| {
                    let kind = kind.map_or_else(
                        || "no type".to_owned(),
                        |kind| format!("type {}", shown(kind)),
                    );
                    let default = SamplingRate::DEFAULT.get();
                    format!("{at}: {kind}, so the probability is {default}")
                });
                Ok(Self::DEFAULT)
            }
        }
    }
}

/// The probabilities of a service's operations.
#[derive(Clone, Debug, PartialEq)]
struct Operations {
    /// That of operations without one of their own.
    default: SamplingRate,
    list: Vec<(String, SamplingRate)>,
}

impl Operations {
    /// Returns these operations for an answer, followed by those of `shared` that have other names.
    fn answer<'a>(
        &'a self,
        default: SamplingRate,
        shared: Option<&'a Self>,
    ) -> OperationSampling<'a> {
        let named: HashMap<&str, ()> = match shared {
            Some(_) => self
                .list
                .iter()
                .map(|(name, _)| (name.as_str(), ()))
                .collect(),
            None => HashMap::new(),
        };
        let shared = shared.map_or(&[][..], |shared| &shared.list);
        let shared = shared
            .iter()
            .filter(|(name, _)| !named.contains_key(name.as_str()));
        let list = self.list.iter().chain(shared);
        OperationSampling {
            default_sampling_probability: default.get(),
            default_lower_bound_traces_per_second: 0.into(),
            per_operation_strategies: list
                .map(|(operation, rate)| OperationProbability {
                    operation,
                    probabilistic_sampling: Probability::of(*rate),
                })
                .collect(),
            default_upper_bound_traces_per_second: 0,
        }
    }
}

/// Remarks on a file that can be used: the first few, and how many more there are.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Notes {
    first: Vec<String>,
    more: usize,
}

impl Notes {
    fn add(&mut self, note: impl FnOnce() -> String) {
        if self.first.len() < MAX_NOTES {
            self.first.push(note());
        } else {
            self.more += 1;
        }
    }
}

impl fmt::Display for Notes {
    /// Writes each note after `; `.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for note in &self.first {
            write!(f, "; {note}")?;
        }
        match self.more {
            0 => Ok(()),
            more => write!(f, "; and {more} more"),
        }
    }
}

/// The error of a file that cannot be used.
#[derive(Debug)]
pub(crate) enum FileError {
    /// It is no JSON, or not of this shape.
    Json(serde_json::Error),
    /// A number is out of range.
    Number(String),
}

impl fmt::Display for FileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Json(error) => error.fmt(f),
            Self::Number(problem) => f.write_str(problem),
        }
    }
}

#[derive(Debug, Default, Deserialize)]
struct File {
    default_strategy: Option<Entry>,
    service_strategies: Option<Vec<Entry>>,
}

#[derive(Debug, Deserialize)]
struct Entry {
    service: Option<String>,
    #[serde(rename = "type")]
    kind: Option<String>,
    param: Option<f64>,
    operation_strategies: Option<Vec<OperationEntry>>,
}

#[derive(Debug, Deserialize)]
struct OperationEntry {
    operation: Option<String>,
    #[serde(rename = "type")]
    kind: Option<String>,
    param: Option<f64>,
}

impl Entry {
    fn strategy(self, at: &str, notes: &mut Notes) -> Result<ServiceStrategy, FileError> {
        let base = Base::read(self.kind.as_deref(), self.param, at, notes)?;
        let entries = self.operation_strategies.unwrap_or_default();
        if entries.is_empty() {
            return Ok(ServiceStrategy::of(base));
        }
        let mut list = Vec::new();
        for entry in entries {
            let name = entry.operation.unwrap_or_default();
            let at = format!("{at}, operation {}", shown(&name));
            match Base::read(entry.kind.as_deref(), entry.param, &at, notes)? {
                Base::Probabilistic(rate) => list.push((name, rate)),
                Base::RateLimiting(_) => {
                    notes.add(|| {
                        format!("{at}: Jaeger limits no operations, so this is passed over")
                    });
                }
            }
        }
        let default = match base {
            Base::Probabilistic(rate) => rate,
            Base::RateLimiting(_) => SamplingRate::DEFAULT,
        };
        Ok(ServiceStrategy {
            base,
            operations: Some(Operations { default, list }),
        })
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Answer<'a> {
    strategy_type: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    probabilistic_sampling: Option<Probability>,
    #[serde(skip_serializing_if = "Option::is_none")]
    rate_limiting_sampling: Option<Limit>,
    #[serde(skip_serializing_if = "Option::is_none")]
    operation_sampling: Option<OperationSampling<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Probability {
    sampling_rate: f64,
}

impl Probability {
    const fn of(rate: SamplingRate) -> Self {
        Self {
            sampling_rate: rate.get(),
        }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Limit {
    max_traces_per_second: u32,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct OperationSampling<'a> {
    default_sampling_probability: f64,
    default_lower_bound_traces_per_second: Number,
    per_operation_strategies: Vec<OperationProbability<'a>>,
    default_upper_bound_traces_per_second: u32,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct OperationProbability<'a> {
    operation: &'a str,
    probabilistic_sampling: Probability,
}

/// Returns a name for a line of text: escaped, and cut if it is long.
fn shown(name: &str) -> String {
    match name.char_indices().nth(MAX_NAME) {
        Some((end, _)) => format!("{:?}...", name.get(..end).unwrap_or_default()),
        None => format!("{name:?}"),
    }
}

const MAX_NOTES: usize = 8;
const MAX_NAME: usize = 64;
/// Jaeger's answers hold the limit in a signed number of 32 bits.
const MAX_LIMIT: f64 = i32::MAX as f64;

#[cfg(test)]
mod tests;
