//! Puts the values of a file in the place of defaults.

use crate::config::Config;
use crate::config::error::ConfigProblem;
use crate::config::file::values::DurationText;
use crate::config::file::{
    ConfigFile, HeadersFile, ReporterFile, RestrictionsFile, SamplerFile, ThrottlerFile,
};
#[cfg(feature = "remote-sampler")]
use crate::config::policies::Policy;
use crate::config::sampler::{Names, SamplerChoice};
#[cfg(feature = "collector")]
use crate::config::sending::Collector;
use crate::config::setting::Setting;
use crate::config::{parse, propagation};
use crate::model::{Recording, Tag};
use crate::propagation::{HeaderNames, InvalidKey};
#[cfg(feature = "remote-sampler")]
use crate::reporter::sender::AgentAddress;

impl ConfigFile {
    /// Returns the settings of the file, with their problems, and the type of its sampler.
    pub(super) fn into_base(self) -> (Config, Option<String>) {
        let mut config = Config::default_values();
        let name = self.service_name.filter(|name| !name.trim().is_empty());
        set(&mut config.service_name, name, "service_name");
        set(&mut config.disabled, self.disabled, "disabled");
        set(
            &mut config.trace_id_128bit,
            self.trace_id_128bit,
            "trace_id_128bit",
        );
        set(&mut config.rpc_metrics, self.rpc_metrics, "rpc_metrics");
        if let Some(word) = self.recording {
            match Recording::from_word(word.trim()) {
                Some(recording) => set(&mut config.recording, Some(recording), "recording"),
                None => config.problems.push(ConfigProblem::invalid(
                    "recording",
                    &word,
                    "metadata, statements or everything",
                )),
            }
        }
        if let Some(word) = self.tag_names {
            match parse::tag_names(word.trim()) {
                Ok(names) => set(&mut config.tag_names, Some(names), "tag_names"),
                Err(expected) => {
                    let problem = ConfigProblem::invalid("tag_names", &word, expected);
                    config.problems.push(problem);
                }
            }
        }
        let key = "tag_value_bytes";
        let bytes = above_zero(self.tag_value_bytes, key, &mut config.problems);
        set(&mut config.tag_value_bytes, bytes, key);
        let logs = above_zero(self.logs, "logs", &mut config.problems);
        set(&mut config.logs, logs, "logs");
        for (key, value) in self.tags.map(|tags| tags.into_pairs()).unwrap_or_default() {
            let tag = Setting::of_file(Tag::new(key, value), "tags");
            if let Err(warning) = config.tags.set(tag) {
                config.warnings.push(warning);
            }
        }
        if let Some(words) = self.propagation {
            let formats: Result<Vec<_>, _> = words.iter().map(|word| word.trim().parse()).collect();
            match formats {
                Ok(formats) => set(&mut config.propagation, Some(formats), "propagation"),
                Err(_) => config.problems.push(ConfigProblem::invalid(
                    "propagation",
                    &words.join(","),
                    propagation::list_of_words(),
                )),
            }
        }
        if let Some(headers) = self.headers {
            match headers.names() {
                Ok(names) => config.header_names = Some(Setting::of_file(names, "headers")),
                Err((key, name)) => {
                    let expected = "the name of a header";
                    config
                        .problems
                        .push(ConfigProblem::invalid(key, &name, expected));
                }
            }
        }
        let sampler = self.sampler.unwrap_or_default();
        let sampler_type = sampler.kind.clone().filter(|kind| !kind.trim().is_empty());
        sampler.apply(&mut config);
        self.reporter.unwrap_or_default().apply(&mut config);
        if let Some(restrictions) = self.baggage_restrictions {
            restrictions.apply(&mut config);
        }
        if let Some(throttler) = self.throttler {
            throttler.apply(&mut config);
        }
        (config, sampler_type)
    }
}

impl SamplerFile {
    fn apply(self, config: &mut Config) {
        const NAMES: Names = Names {
            kind: "sampler.type",
            param: "sampler.param",
        };
        let kind = self
            .kind
            .as_deref()
            .map(str::trim)
            .filter(|kind| !kind.is_empty());
        let param = self.param.as_ref().map(|param| param.text());
        let param = param.filter(|param| !param.is_empty());
        if kind.is_some() || param.is_some() {
            match SamplerChoice::named(&NAMES, kind, param.as_deref()) {
                Ok(sampler) => {
                    let key = kind.map_or(NAMES.param, |_| NAMES.kind);
                    config.sampler = Setting::of_file(sampler, key);
                }
                Err(problem) => config.problems.push(problem),
            }
        }
        if self.operation_name_late_binding == Some(false) {
            config.warnings.push(ConfigProblem::no_effect(
                "sampler.operation_name_late_binding",
                "a renamed operation is always sampled by its new name",
            ));
        }
        self.apply_remote(config);
    }

    #[cfg(feature = "remote-sampler")]
    fn apply_remote(self, config: &mut Config) {
        let endpoint = self.endpoint.map(|endpoint| endpoint.0.trim().to_owned());
        if let Some(endpoint) = endpoint.filter(|endpoint| !endpoint.is_empty()) {
            match config
                .remote
                .set_endpoint_of_file(endpoint, "sampler.endpoint")
            {
                Ok(()) => {}
                Err(problem) => config.problems.push(problem),
            }
        }
        let remote = &mut config.remote;
        let interval = self.refresh_interval.and_then(DurationText::above_zero);
        set(
            &mut remote.refresh_interval,
            interval,
            "sampler.refresh_interval",
        );
        let operations = self.max_operations.filter(|operations| *operations > 0);
        set(
            &mut remote.max_operations,
            operations,
            "sampler.max_operations",
        );
        set(
            &mut remote.strategy_file,
            self.strategy_file.map(Some),
            "sampler.strategy_file",
        );
    }

    #[cfg(not(feature = "remote-sampler"))]
    fn apply_remote(self, config: &mut Config) {
        let keys = [
            ("sampler.endpoint", self.endpoint.is_some()),
            ("sampler.refresh_interval", self.refresh_interval.is_some()),
            ("sampler.max_operations", self.max_operations.is_some()),
            ("sampler.strategy_file", self.strategy_file.is_some()),
        ];
        refuse(
            keys,
            "the remote sampler, which the feature `remote-sampler` of this crate brings",
            config,
        );
    }
}

impl ReporterFile {
    fn apply(self, config: &mut Config) {
        set(&mut config.log_spans, self.log_spans, "reporter.log_spans");
        let spans = self.queue_size.filter(|spans| *spans > 0);
        set(
            &mut config.queue_size,
            spans.map(Some),
            "reporter.queue_size",
        );
        let interval = self.flush_interval.and_then(DurationText::above_zero);
        set(
            &mut config.flush_interval,
            interval,
            "reporter.flush_interval",
        );
        let rest = self.apply_collector(config);
        rest.apply_agent(config);
    }

    #[cfg(feature = "collector")]
    fn apply_collector(mut self, config: &mut Config) -> Self {
        let endpoint = trimmed(self.endpoint.take().map(|endpoint| endpoint.0));
        let has_endpoint = endpoint.is_some();
        let credentials = [self.user.take(), self.password.take()];
        let headers = self.http_headers.take().map(|headers| headers.0);
        let headers = headers.unwrap_or_default().into_iter().collect();
        let timeout = self.timeout.take().map(|timeout| {
            let expected = || ConfigProblem::invalid(TIMEOUT, "0", "a duration above zero");
            timeout.above_zero().ok_or_else(expected)
        });
        let timeout = timeout.transpose().unwrap_or_else(|problem| {
            config.problems.push(problem);
            None
        });
        let change = |collector: &mut Collector| {
            collector.set_of_file(endpoint, credentials, headers, timeout)
        };
        config.sending.set_collector_of_file(change, has_endpoint);
        self
    }

    #[cfg(not(feature = "collector"))]
    fn apply_collector(self, config: &mut Config) -> Self {
        let keys = [
            ("reporter.endpoint", self.endpoint.is_some()),
            ("reporter.user", self.user.is_some()),
            ("reporter.password", self.password.is_some()),
            ("reporter.http_headers", self.http_headers.is_some()),
            (TIMEOUT, self.timeout.is_some()),
        ];
        let asks_for =
            "sending to a collector over HTTP, which the feature `collector` of this crate brings";
        refuse(keys, asks_for, config);
        self
    }

    #[cfg(feature = "udp")]
    fn apply_agent(self, config: &mut Config) {
        use crate::config::agent::{self, Agent};
        use crate::config::parse::Expected;

        let Config {
            agent, problems, ..
        } = config;
        let mut read = |result: Result<(), Expected>, key, text: &str| {
            if let Err(expected) = result {
                problems.push(ConfigProblem::invalid(key, text, expected));
            }
        };
        if let Some(text) = trimmed(self.agent) {
            let key = "reporter.agent";
            read(agent.set_address_of_file(&text, key), key, &text);
        }
        let Agent {
            family,
            protocol,
            lookup_interval,
            ..
        } = agent;
        if let Some(text) = trimmed(self.agent_family) {
            let key = "reporter.agent_family";
            let value = agent::socket_type(&text);
            read(value.map(|value| set(family, Some(value), key)), key, &text);
        }
        if let Some(text) = trimmed(self.agent_protocol) {
            let key = "reporter.agent_protocol";
            let value = agent::protocol(&text);
            read(
                value.map(|value| set(protocol, Some(value), key)),
                key,
                &text,
            );
        }
        match self.disable_lookup {
            Some(true) => set(lookup_interval, Some(None), "reporter.disable_lookup"),
            _ => {
                let interval = self.lookup_interval.and_then(DurationText::above_zero);
                set(
                    lookup_interval,
                    interval.map(Some),
                    "reporter.lookup_interval",
                );
            }
        }
    }

    #[cfg(not(feature = "udp"))]
    fn apply_agent(self, config: &mut Config) {
        let keys = [
            ("reporter.agent", self.agent.is_some()),
            ("reporter.agent_family", self.agent_family.is_some()),
            ("reporter.agent_protocol", self.agent_protocol.is_some()),
            ("reporter.lookup_interval", self.lookup_interval.is_some()),
            ("reporter.disable_lookup", self.disable_lookup.is_some()),
        ];
        refuse(
            keys,
            "an agent, which the feature `udp` of this crate brings",
            config,
        );
    }
}

impl HeadersFile {
    /// Returns the names, or the key whose value is no header name, and that value.
    fn names(self) -> Result<HeaderNames, (&'static str, String)> {
        type Set = fn(HeaderNames, &str) -> Result<HeaderNames, InvalidKey>;
        let parts: [(&'static str, Option<String>, Set); 4] = [
            ("headers.trace_id", self.trace_id, HeaderNames::trace_id),
            (
                "headers.baggage_prefix",
                self.baggage_prefix,
                HeaderNames::baggage_prefix,
            ),
            ("headers.debug_id", self.debug_id, HeaderNames::debug_id),
            ("headers.baggage", self.baggage, HeaderNames::baggage),
        ];
        let mut names = HeaderNames::default();
        for (key, name, set) in parts {
            if let Some(name) = trimmed(name) {
                names = set(names, &name).map_err(|_| (key, name))?;
            }
        }
        Ok(names)
    }
}

impl RestrictionsFile {
    #[cfg(feature = "remote-sampler")]
    fn apply(self, config: &mut Config) {
        use crate::restrictions::{AllowedKeys, RemoteRestrictions};

        let url = agent_url(self.host_port, "baggageRestrictions");
        let restrictions =
            url.and_then(|url| RemoteRestrictions::new(&url).map_err(|_| NotAnAgent(url)));
        match restrictions {
            Ok(mut restrictions) => {
                if let Some(interval) = self.refresh_interval.and_then(DurationText::above_zero) {
                    restrictions = restrictions.refresh_interval(interval);
                }
                if self.deny_before_first_answer == Some(true) {
                    restrictions = restrictions.initial(AllowedKeys::new());
                }
                let policy = Policy::restrictions(restrictions).of_file("baggage_restrictions");
                config.policies.baggage_restrictions = Some(policy);
            }
            Err(NotAnAgent(value)) => config.problems.push(ConfigProblem::invalid(
                "baggage_restrictions.host_port",
                &value,
                HOST_AND_PORT,
            )),
        }
    }

    #[cfg(not(feature = "remote-sampler"))]
    fn apply(self, config: &mut Config) {
        let asks_for =
            "an agent's restrictions, which the feature `remote-sampler` of this crate brings";
        refuse([("baggage_restrictions", true)], asks_for, config);
    }
}

impl ThrottlerFile {
    #[cfg(feature = "remote-sampler")]
    fn apply(self, config: &mut Config) {
        use crate::throttler::RemoteThrottler;

        let url = agent_url(self.host_port, "credits");
        let throttler = url.and_then(|url| RemoteThrottler::new(&url).map_err(|_| NotAnAgent(url)));
        match throttler {
            Ok(mut throttler) => {
                if let Some(interval) = self.refresh_interval.and_then(DurationText::above_zero) {
                    throttler = throttler.refresh_interval(interval);
                }
                let policy = Policy::throttler(throttler).of_file("throttler");
                config.policies.throttler = Some(policy);
            }
            Err(NotAnAgent(value)) => config.problems.push(ConfigProblem::invalid(
                "throttler.host_port",
                &value,
                HOST_AND_PORT,
            )),
        }
        if self.synchronous_initialization == Some(true) {
            config.warnings.push(ConfigProblem::no_effect(
                "throttler.synchronous_initialization",
                "credits are asked for in the background",
            ));
        }
    }

    #[cfg(not(feature = "remote-sampler"))]
    fn apply(self, config: &mut Config) {
        let asks_for =
            "an agent's credits, which the feature `remote-sampler` of this crate brings";
        refuse([("throttler", true)], asks_for, config);
    }
}

const TIMEOUT: &str = "reporter.timeout";

/// Sets a value, if the file has it under this key.
fn set<T>(setting: &mut Setting<T>, value: Option<T>, key: &'static str) {
    if let Some(value) = value {
        *setting = Setting::of_file(value, key);
    }
}

/// Returns a number above zero. Another one is a problem.
fn above_zero(
    number: Option<usize>,
    key: &'static str,
    problems: &mut Vec<ConfigProblem>,
) -> Option<usize> {
    if number == Some(0) {
        problems.push(ConfigProblem::invalid(key, "0", "a whole number above 0"));
    }
    number.filter(|number| *number > 0)
}

/// Returns a text without white space around it. An empty one counts as unset.
fn trimmed(text: Option<String>) -> Option<String> {
    let text = text?.trim().to_owned();
    (!text.is_empty()).then_some(text)
}

/// Reports the keys that are set and ask for what this build does not have.
#[cfg(not(all(feature = "udp", feature = "remote-sampler", feature = "collector")))]
fn refuse<const N: usize>(
    keys: [(&'static str, bool); N],
    asks_for: &'static str,
    config: &mut Config,
) {
    let keys = keys.into_iter().filter(|(_, is_set)| *is_set);
    config
        .problems
        .extend(keys.map(|(key, _)| ConfigProblem::unsupported_key(key, asks_for)));
}

/// The value of a key that should be a host and a port.
#[cfg(feature = "remote-sampler")]
struct NotAnAgent(String);

/// Returns the URL of a page of an agent. The defaults are those of the Go client.
#[cfg(feature = "remote-sampler")]
fn agent_url(host_port: Option<String>, page: &str) -> Result<String, NotAnAgent> {
    let host_port = trimmed(host_port).unwrap_or_else(|| "localhost:5778".to_owned());
    match AgentAddress::parse(&host_port, 5778) {
        Ok(agent) => Ok(format!("http://{agent}/{page}")),
        Err(_) => Err(NotAnAgent(host_port)),
    }
}

#[cfg(feature = "remote-sampler")]
const HOST_AND_PORT: &str = "a host with or without a port";
