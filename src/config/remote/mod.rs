//! The settings of the remote sampler.

mod endpoint;
mod otel;

use std::path::PathBuf;
use std::time::Duration;

use self::endpoint::fetcher;
pub(super) use self::otel::{OtelRemote, read_otel};
use crate::config::agent::Agent;
use crate::config::error::ConfigProblem;
use crate::config::explanation::{ExplainedSetting, quoted, row};
use crate::config::parse::{self, Expected};
use crate::config::setting::{Setting, Source};
use crate::config::variables::Variables;
use crate::redact;
use crate::reporter::sender::AgentAddress;
use crate::sampler::remote::RemoteSampler;
use crate::sampler::{ProbabilisticSampler, Sampler, SamplingRate};

/// The settings of the remote sampler.
#[derive(Debug)]
pub(super) struct Remote {
    /// The whole endpoint. `None` if it has to be made of the parts below.
    pub(super) endpoint: Setting<Option<String>>,
    /// Parts of an endpoint, as the Node client names them.
    host: Option<Setting<String>>,
    port: Option<Setting<u16>>,
    path: Option<Setting<String>>,
    pub(super) refresh_interval: Setting<Duration>,
    pub(super) max_operations: Setting<usize>,
    pub(super) strategy_file: Setting<Option<PathBuf>>,
}

/// The probability with which the remote sampler begins.
pub(super) type Initial = SamplingRate;

/// The type of the sampler if nothing names one.
pub(super) const DEFAULT_TYPE: &str = "remote";

/// The words about that sampler in the line at the start.
pub(super) const DEFAULT_HINT: &str =
    " (the default: one trace in 1000 until strategies come; JAEGER_SAMPLER_TYPE=const keeps all)";

/// Returns how the remote sampler begins.
pub(super) fn initial(
    _type_variable: &'static str,
    _kind: &str,
    rate: SamplingRate,
) -> Result<Initial, ConfigProblem> {
    Ok(rate)
}

/// Returns how the sampler begins if nothing is set.
pub(super) fn default_initial() -> Option<Initial> {
    Some(SamplingRate::DEFAULT)
}

impl Default for Remote {
    fn default() -> Self {
        Self {
            endpoint: Setting::default_value(None),
            host: None,
            port: None,
            path: None,
            refresh_interval: Setting::default_value(REFRESH_INTERVAL),
            max_operations: Setting::default_value(MAX_OPERATIONS),
            strategy_file: Setting::default_value(None),
        }
    }
}

impl Remote {
    /// Puts the values of variables in the place of these settings.
    pub(super) fn read(self, variables: &mut Variables<'_>, otel: OtelRemote) -> Self {
        let path = variables.first([("JAEGER_SAMPLER_SAMPLING_PATH", url_path)]);
        let endpoint = read_endpoint(variables, path.as_ref().map(|path| &*path.value));
        let interval = variables.first([("JAEGER_SAMPLER_REFRESH_INTERVAL", parse::duration)]);
        let host = variables.first([("JAEGER_SAMPLER_HOST", parse::host)]);
        let port = variables.first([("JAEGER_SAMPLER_PORT", parse::port)]);
        let has_parts = host.is_some() || port.is_some() || path.is_some();
        Self {
            endpoint: match endpoint.or(otel.endpoint) {
                Some(endpoint) => endpoint,
                None if has_parts => Setting::default_value(None),
                None => self.endpoint,
            },
            host,
            port,
            path,
            refresh_interval: self.refresh_interval.or(interval.or(otel.refresh_interval)),
            max_operations: self
                .max_operations
                .or(variables.first([("JAEGER_SAMPLER_MAX_OPERATIONS", parse::count)])),
            strategy_file: self.strategy_file,
        }
    }

    /// Takes the endpoint of a file.
    #[cfg(feature = "serde")]
    pub(super) fn set_endpoint_of_file(
        &mut self,
        endpoint: String,
        key: &'static str,
    ) -> Result<(), ConfigProblem> {
        fetcher(&endpoint).map_err(|refusal| refusal.problem(key, &endpoint))?;
        self.endpoint = Setting::of_file(Some(endpoint), key);
        Ok(())
    }

    /// Returns what the sampler is called in a table of settings.
    pub(super) fn description(initial: &Initial) -> String {
        format!("remote {}", initial.get())
    }

    pub(super) fn explain(&self, agent: &Agent) -> Vec<ExplainedSetting> {
        let endpoint = self.effective_endpoint(agent);
        vec![
            row("sampling_endpoint", &endpoint, |endpoint| {
                quoted(&redact::value(endpoint))
            }),
            row(
                "sampler_refresh_interval",
                &self.refresh_interval,
                |interval| format!("{interval:?}"),
            ),
            row(
                "sampler_max_operations",
                &self.max_operations,
                usize::to_string,
            ),
            row("strategy_file", &self.strategy_file, |file| match file {
                Some(path) => format!("{path:?}"),
                None => "none".to_owned(),
            }),
        ]
    }

    /// Returns the sampler, and its description for a line of text.
    pub(super) fn sampler(
        self,
        initial: Initial,
        agent: &Agent,
    ) -> Result<(Box<dyn Sampler>, String), ConfigProblem> {
        let endpoint = self.effective_endpoint(agent);
        let fetcher = fetcher(&endpoint.value).map_err(|refusal| {
            self.host_problem(agent).unwrap_or_else(|| {
                refusal.problem(endpoint.name("sampling_endpoint"), &endpoint.value)
            })
        })?;
        if self.refresh_interval.value.is_zero() {
            let name = self.refresh_interval.name("sampler_refresh_interval");
            return Err(ConfigProblem::invalid(name, "0", "a duration above zero"));
        }
        let mut sampler = RemoteSampler::new(fetcher)
            .initial(ProbabilisticSampler::new(initial))
            .refresh_interval(self.refresh_interval.value)
            .max_operations(self.max_operations.value);
        if let Some(path) = self.strategy_file.value {
            sampler = sampler.file(path);
        }
        let described = format!(
            "{} from {}",
            Self::description(&initial),
            redact::value(&endpoint.value)
        );
        Ok((Box::new(sampler), described))
    }

    /// Returns what is wrong with the host that is asked, if the endpoint has to be made of it and no URL can hold it.
    fn host_problem(&self, agent: &Agent) -> Option<ConfigProblem> {
        if self.endpoint.value.is_some() {
            return None;
        }
        let agent_host = agent.host_of_strategies();
        let host = self.host.as_ref().unwrap_or(&agent_host);
        fetcher(&format!("http://{}", bracketed(&host.value))).err()?;
        let name = host.name("agent_host");
        Some(ConfigProblem::invalid(name, &host.value, HOST_OF_URL))
    }

    /// Returns whether the host of the agent is asked for strategies, and this variable names it.
    pub(super) fn asks_agent(&self, agent: &Agent, variable: &'static str) -> bool {
        self.endpoint.value.is_none()
            && self.host.is_none()
            && agent.host_of_strategies().source == Source::Variable(variable)
    }

    /// Returns the endpoint that is set, or else one of the parts that are.
    fn effective_endpoint(&self, agent: &Agent) -> Setting<String> {
        if let Some(endpoint) = &self.endpoint.value {
            return Setting {
                value: endpoint.clone(),
                source: self.endpoint.source,
            };
        }
        let agent_host = agent.host_of_strategies();
        let host = self.host.as_ref().unwrap_or(&agent_host);
        let port = self.port.as_ref().map_or(PORT, |port| port.value);
        let path = self.path.as_ref().map_or(PATH, |path| &path.value);
        let sources = [
            self.host.as_ref().map(|host| host.source),
            self.port.as_ref().map(|port| port.source),
            self.path.as_ref().map(|path| path.source),
        ];
        Setting {
            value: format!("http://{}:{port}{path}", bracketed(&host.value)),
            source: sources
                .into_iter()
                .flatten()
                .next()
                .unwrap_or(agent_host.source),
        }
    }
}

/// Reads the endpoint, and whether this build can ask it.
fn read_endpoint(
    variables: &mut Variables<'_>,
    path: Option<&str>,
) -> Option<Setting<Option<String>>> {
    for name in [ENDPOINT, HOST_PORT] {
        let Some(text) = variables.get(name) else {
            continue;
        };
        let endpoint = match name {
            HOST_PORT if !text.contains("://") => match AgentAddress::parse(&text, PORT) {
                Ok(address) => format!("http://{address}{}", path.unwrap_or(PATH)),
                Err(_) => {
                    let expected = "a host with or without a port, or a URL";
                    variables.report(ConfigProblem::invalid(name, &text, expected));
                    return None;
                }
            },
            _ => text.clone(),
        };
        return match fetcher(&endpoint) {
            Ok(_) => Some(Setting::of_variable(Some(endpoint), name)),
            Err(refusal) => {
                variables.report(refusal.problem(name, &text));
                None
            }
        };
    }
    None
}

fn url_path(text: &str) -> Result<String, Expected> {
    let is_path = text.starts_with('/')
        && text
            .bytes()
            .all(|byte| byte.is_ascii_graphic() && byte != b'#');
    is_path
        .then(|| text.to_owned())
        .ok_or("a path such as /sampling")
}

fn bracketed(host: &str) -> String {
    match host.contains(':') {
        true => format!("[{host}]"),
        false => host.to_owned(),
    }
}

const ENDPOINT: &str = "JAEGER_SAMPLING_ENDPOINT";
const HOST_PORT: &str = "JAEGER_SAMPLER_MANAGER_HOST_PORT";
/// The remote sampler asks the host by HTTP. `xn--` begins the form of a name that has letters beyond ASCII.
const HOST_OF_URL: Expected =
    "a host that a URL can hold, such as jaeger or xn--jger-loa, to ask it for strategies";
const PORT: u16 = 5778;
/// The time between two polls, as in all Jaeger clients.
const REFRESH_INTERVAL: Duration = Duration::from_secs(60);
/// The number of operations, as in all Jaeger clients.
const MAX_OPERATIONS: usize = 2_000;
const PATH: &str = "/sampling";
