use std::fmt;

use crate::config::error::ConfigProblem;
use crate::config::parse::{self, Expected};
use crate::config::setting::Setting;
use crate::config::variables::Variables;
use crate::sampler::{
    ConstSampler, ProbabilisticSampler, RateLimitingSampler, Sampler, SamplingRate, TracesPerSecond,
};

/// A sampler, and its description for a line of text.
pub(super) struct SamplerChoice {
    pub(super) sampler: Box<dyn Sampler>,
    pub(super) description: String,
}

impl SamplerChoice {
    pub(super) fn new<S: Sampler + 'static>(sampler: S) -> Self {
        Self {
            description: sampler.description(),
            sampler: Box::new(sampler),
        }
    }

    /// Returns the sampler that the variables ask for. If a `JAEGER_SAMPLER_*` variable is set,
    /// `OTEL_TRACES_SAMPLER*` are not read: the two are never mixed.
    pub(super) fn read(variables: &mut Variables<'_>) -> Option<Setting<Self>> {
        let kind = variables.get(TYPE);
        let param = variables.get(PARAM);
        if kind.is_none() && param.is_none() {
            return otel(variables);
        }
        let source = if kind.is_some() { TYPE } else { PARAM };
        match jaeger(kind.as_deref().unwrap_or("probabilistic"), param.as_deref()) {
            Ok(choice) => Some(Setting::of_variable(choice, source)),
            Err(problem) => {
                variables.report(problem);
                None
            }
        }
    }
}

impl Default for SamplerChoice {
    /// Returns the default of Jaeger clients.
    fn default() -> Self {
        Self::new(ProbabilisticSampler::new(SamplingRate::DEFAULT))
    }
}

impl fmt::Debug for SamplerChoice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.description)
    }
}

fn jaeger(kind: &str, param: Option<&str>) -> Result<SamplerChoice, ConfigProblem> {
    let invalid = |expected| move |text: &str| ConfigProblem::invalid(PARAM, text, expected);
    match kind.to_ascii_lowercase().as_str() {
        "const" => {
            let keep = match param {
                Some(text) => switch(text).map_err(|expected| invalid(expected)(text))?,
                None => true,
            };
            Ok(SamplerChoice::new(ConstSampler::new(keep)))
        }
        "probabilistic" => {
            let rate = match param {
                Some(text) => probability(text).map_err(|expected| invalid(expected)(text))?,
                None => SamplingRate::DEFAULT,
            };
            Ok(SamplerChoice::new(ProbabilisticSampler::new(rate)))
        }
        "ratelimiting" | "rate_limiting" | "rate-limiting" => {
            let Some(text) = param else {
                return Err(ConfigProblem::missing(
                    PARAM,
                    "the rate limiting sampler needs it: how many traces a second to keep",
                ));
            };
            let rate = text
                .parse()
                .ok()
                .and_then(|rate| TracesPerSecond::new(rate).ok());
            rate.map(|rate| SamplerChoice::new(RateLimitingSampler::new(rate)))
                .ok_or_else(|| invalid("a number of traces a second, 0 or more")(text))
        }
        "remote" => Err(ConfigProblem::unsupported(
            TYPE,
            kind,
            "the remote sampler, which comes with the feature `remote-sampler` of a later version",
        )),
        _ => Err(ConfigProblem::invalid(
            TYPE,
            kind,
            "const, probabilistic or ratelimiting",
        )),
    }
}

/// Reads OpenTelemetry's variables. Child spans always follow their parent here, so `parentbased_` changes nothing.
fn otel(variables: &mut Variables<'_>) -> Option<Setting<SamplerChoice>> {
    let text = variables.get(OTEL_SAMPLER)?;
    let kind = text.to_ascii_lowercase();
    let choice = match kind.strip_prefix("parentbased_").unwrap_or(&kind) {
        "always_on" => SamplerChoice::new(ConstSampler::new(true)),
        "always_off" => SamplerChoice::new(ConstSampler::new(false)),
        "traceidratio" => {
            let rate = variables.first([(OTEL_SAMPLER_ARG, probability)]);
            let rate = rate.map_or(SamplingRate::ONE, |rate| rate.value);
            SamplerChoice::new(ProbabilisticSampler::new(rate))
        }
        "jaeger_remote" => {
            variables.report(ConfigProblem::unsupported(
                OTEL_SAMPLER,
                &text,
                "the remote sampler, which comes with the feature `remote-sampler` of a later version",
            ));
            return None;
        }
        _ => {
            let expected = "always_on, always_off or traceidratio, with or without parentbased_";
            variables.report(ConfigProblem::invalid(OTEL_SAMPLER, &text, expected));
            return None;
        }
    };
    Some(Setting::of_variable(choice, OTEL_SAMPLER))
}

/// Reads a boolean or a number. As in the Go client, every number but zero is true.
fn switch(text: &str) -> Result<bool, Expected> {
    parse::boolean(text).or_else(|_| {
        let number: Option<f64> = text.parse().ok().filter(|number: &f64| number.is_finite());
        number
            .map(|number| number != 0.0)
            .ok_or("0 or 1, or true or false")
    })
}

fn probability(text: &str) -> Result<SamplingRate, Expected> {
    let rate = text
        .parse()
        .ok()
        .and_then(|rate| SamplingRate::new(rate).ok());
    rate.ok_or("a probability from 0 to 1")
}

/// The description of the embedded agent's sampler.
pub(super) const EMBEDDED_SAMPLER: &str = "const 1";

const TYPE: &str = "JAEGER_SAMPLER_TYPE";
const PARAM: &str = "JAEGER_SAMPLER_PARAM";
const OTEL_SAMPLER: &str = "OTEL_TRACES_SAMPLER";
const OTEL_SAMPLER_ARG: &str = "OTEL_TRACES_SAMPLER_ARG";
