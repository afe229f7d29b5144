use std::fmt;

use crate::config::error::ConfigProblem;
use crate::config::parse::{self, Expected};
use crate::config::remote::{self, Initial, OtelRemote, Remote};
use crate::config::setting::Setting;
use crate::config::variables::Variables;
use crate::sampler::{
    ConstSampler, ProbabilisticSampler, RateLimitingSampler, Sampler, SamplingRate, TracesPerSecond,
};

/// A sampler, or how to make it.
pub(super) enum SamplerChoice {
    Made {
        sampler: Box<dyn Sampler>,
        /// The name of the sampler in a line of text.
        description: String,
    },
    /// The remote sampler. Its other settings are complete only when the tracer is built.
    Remote(Initial),
}

/// The names of a sampler's type and parameter in the source that they came from.
pub(super) struct Names {
    pub(super) kind: &'static str,
    pub(super) param: &'static str,
}

impl SamplerChoice {
    pub(super) fn new<S: Sampler + 'static>(sampler: S) -> Self {
        Self::Made {
            description: sampler.description(),
            sampler: Box::new(sampler),
        }
    }

    /// Returns the sampler that the variables ask for, and what they say about the remote one. If a
    /// `JAEGER_SAMPLER_TYPE` or `JAEGER_SAMPLER_PARAM` is set, `OTEL_TRACES_SAMPLER*` are not read: the two are never
    /// mixed.
    ///
    /// A parameter without a type is one for `default_type`, which is that of a file.
    pub(super) fn read(
        variables: &mut Variables<'_>,
        default_type: Option<&str>,
    ) -> (Option<Setting<Self>>, OtelRemote) {
        let kind = variables.get(TYPE);
        let param = variables.get(PARAM);
        if kind.is_none() && param.is_none() {
            return otel(variables);
        }
        let source = if kind.is_some() { TYPE } else { PARAM };
        let kind = kind.as_deref().or(default_type);
        match Self::named(&VARIABLES, kind, param.as_deref()) {
            Ok(choice) => (
                Some(Setting::of_variable(choice, source)),
                OtelRemote::default(),
            ),
            Err(problem) => {
                variables.report(problem);
                (None, OtelRemote::default())
            }
        }
    }

    /// Returns the sampler of this type, which is the default without one, with this parameter.
    pub(super) fn named(
        names: &Names,
        kind: Option<&str>,
        param: Option<&str>,
    ) -> Result<Self, ConfigProblem> {
        jaeger(names, kind.unwrap_or(remote::DEFAULT_TYPE), param)
    }

    /// Returns the description for a table of settings.
    pub(super) fn description(&self) -> String {
        match self {
            Self::Made { description, .. } => description.clone(),
            Self::Remote(initial) => Remote::description(initial),
        }
    }
}

impl Default for SamplerChoice {
    /// Returns the default of Jaeger clients, the remote sampler. Without it, returns what that one begins with.
    fn default() -> Self {
        match remote::default_initial() {
            Some(initial) => Self::Remote(initial),
            None => Self::new(ProbabilisticSampler::new(SamplingRate::DEFAULT)),
        }
    }
}

impl fmt::Debug for SamplerChoice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.description())
    }
}

fn jaeger(names: &Names, kind: &str, param: Option<&str>) -> Result<SamplerChoice, ConfigProblem> {
    let name = names.param;
    let invalid = |expected| move |text: &str| ConfigProblem::invalid(name, text, expected);
    let probability = || match param {
        Some(text) => parse::probability(text).map_err(|expected| invalid(expected)(text)),
        None => Ok(SamplingRate::DEFAULT),
    };
    match kind.to_ascii_lowercase().as_str() {
        "const" => {
            let keep = match param {
                Some(text) => switch(text).map_err(|expected| invalid(expected)(text))?,
                None => true,
            };
            Ok(SamplerChoice::new(ConstSampler::new(keep)))
        }
        "probabilistic" => Ok(SamplerChoice::new(
            ProbabilisticSampler::new(probability()?),
        )),
        "ratelimiting" | "rate_limiting" | "rate-limiting" => {
            let Some(text) = param else {
                return Err(ConfigProblem::missing(
                    name,
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
        "remote" => remote::initial(names.kind, kind, probability()?).map(SamplerChoice::Remote),
        _ => Err(ConfigProblem::invalid(
            names.kind,
            kind,
            "const, probabilistic, ratelimiting or remote",
        )),
    }
}

/// Reads OpenTelemetry's variables. Child spans always follow their parent here, so `parentbased_` changes nothing.
fn otel(variables: &mut Variables<'_>) -> (Option<Setting<SamplerChoice>>, OtelRemote) {
    let mut otel = OtelRemote::default();
    let Some(text) = variables.get(OTEL_SAMPLER) else {
        return (None, otel);
    };
    let kind = text.to_ascii_lowercase();
    let choice = match kind.strip_prefix("parentbased_").unwrap_or(&kind) {
        "always_on" => Ok(SamplerChoice::new(ConstSampler::new(true))),
        "always_off" => Ok(SamplerChoice::new(ConstSampler::new(false))),
        "traceidratio" => {
            let rate = variables.first([(OTEL_SAMPLER_ARG, parse::probability)]);
            let rate = rate.map_or(SamplingRate::ONE, |rate| rate.value);
            Ok(SamplerChoice::new(ProbabilisticSampler::new(rate)))
        }
        "jaeger_remote" => {
            let initial = remote::initial(OTEL_SAMPLER, &text, SamplingRate::DEFAULT);
            initial.map(|mut initial| {
                otel = remote::read_otel(OTEL_SAMPLER_ARG, &mut initial, variables);
                SamplerChoice::Remote(initial)
            })
        }
        _ => Err(ConfigProblem::invalid(
            OTEL_SAMPLER,
            &text,
            "always_on, always_off, traceidratio or jaeger_remote, with or without parentbased_",
        )),
    };
    match choice {
        Ok(choice) => (Some(Setting::of_variable(choice, OTEL_SAMPLER)), otel),
        Err(problem) => {
            variables.report(problem);
            (None, otel)
        }
    }
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

const TYPE: &str = "JAEGER_SAMPLER_TYPE";
const PARAM: &str = "JAEGER_SAMPLER_PARAM";
const VARIABLES: Names = Names {
    kind: TYPE,
    param: PARAM,
};
const OTEL_SAMPLER: &str = "OTEL_TRACES_SAMPLER";
const OTEL_SAMPLER_ARG: &str = "OTEL_TRACES_SAMPLER_ARG";
