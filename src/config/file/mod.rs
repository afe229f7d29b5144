mod apply;
mod values;

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use self::values::{DurationText, Scalar, SecretHeaders, TagTexts, Url};
use crate::config::secret::Secret;
use crate::config::{Config, ConfigError};
use crate::environment;

/// The settings in a file, in any format of serde: YAML, TOML, JSON.
///
/// Variables win over it: see [`Config::from_env_over`].
///
/// ```
/// use tracehound::config::{Config, ConfigFile};
///
/// let file: ConfigFile = serde_json::from_str(
///     r#"{
///         "service_name": "shop",
///         "sampler": { "type": "probabilistic", "param": 0.25 },
///         "reporter": { "agent": "jaeger-agent:6831", "flush_interval": "500ms" },
///         "tags": { "zone": "eu-1" }
///     }"#,
/// )?;
/// let variables = |name: &str| (name == "JAEGER_SAMPLER_PARAM").then(|| "0.5".to_owned());
/// let explanation = Config::from_lookup_over(file, variables)?.explain();
///
/// let sampler = explanation.get("sampler").expect("always there");
/// assert_eq!(sampler.value(), "probabilistic 0.5");
/// assert_eq!(sampler.source().to_string(), "JAEGER_SAMPLER_PARAM");
/// let name = explanation.get("service_name").expect("always there");
/// assert_eq!(name.source().to_string(), "file: service_name");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Keys
///
/// A file of the Go client's `config.Configuration` is read as it is: its key is another name of ours. An unknown key
/// is an error that names it.
///
/// | key | in Go | value |
/// |---|---|---|
/// | `service_name` | `serviceName` | text |
/// | `disabled` | `disabled` | boolean |
/// | `trace_id_128bit` | `traceid_128bit` | boolean |
/// | `rpc_metrics` | `rpc_metrics` | boolean |
/// | `recording` | | `metadata`, `statements`, `everything` |
/// | `tag_names` | | `opentracing`, `opentelemetry`, `both` |
/// | `tags` | `tags` | a map, or a list of `key` and `value` |
/// | `propagation` | | a list of the words of `JAEGER_PROPAGATION`; `[]` for none |
/// | `tag_value_bytes`, `logs` | | whole numbers above 0: see [`Limits`](crate::span::Limits) |
/// | `sampler`: `type` | `type` | `const`, `probabilistic`, `ratelimiting`, `remote` |
/// | `sampler`: `param` | `param` | number or boolean |
/// | `sampler`: `endpoint` | `samplingServerURL` | URL |
/// | `sampler`: `refresh_interval` | `samplingRefreshInterval` | duration |
/// | `sampler`: `max_operations` | `maxOperations` | a whole number |
/// | `sampler`: `strategy_file` | | path |
/// | `sampler`: `operation_name_late_binding` | `operationNameLateBinding` | boolean; names always bind late here |
/// | `reporter`: `agent` | `localAgentHostPort` | host, with or without a port |
/// | `reporter`: `agent_family` | | `udp4`, `udp6` |
/// | `reporter`: `agent_protocol` | | `udp/thrift.compact`, `udp/thrift.binary` |
/// | `reporter`: `lookup_interval` | `attemptReconnectInterval` | duration |
/// | `reporter`: `disable_lookup` | `disableAttemptReconnecting` | boolean |
/// | `reporter`: `log_spans` | `logSpans` | boolean |
/// | `reporter`: `queue_size` | `queueSize` | a whole number |
/// | `reporter`: `flush_interval` | `bufferFlushInterval` | duration |
/// | `reporter`: `endpoint` | `collectorEndpoint` | URL |
/// | `reporter`: `user`, `password` | `user`, `password` | texts |
/// | `reporter`: `http_headers` | `http_headers` | a map of texts |
/// | `reporter`: `timeout` | | duration |
/// | `headers`: `trace_id` | `TraceContextHeaderName` | a name of [`HeaderNames`](crate::propagation::HeaderNames) |
/// | `headers`: `baggage_prefix` | `traceBaggageHeaderPrefix` | as above |
/// | `headers`: `debug_id` | `jaegerDebugHeader` | as above |
/// | `headers`: `baggage` | `jaegerBaggageHeader` | as above |
/// | `baggage_restrictions`: `host_port` | `hostPort` | host and port of an agent of one's own, by default `localhost:5778` |
/// | `baggage_restrictions`: `refresh_interval` | `refreshInterval` | duration |
/// | `baggage_restrictions`: `deny_before_first_answer` | `denyBaggageOnInitializationFailure` | boolean |
/// | `throttler`: `host_port` | `hostPort` | as above |
/// | `throttler`: `refresh_interval` | `refreshInterval` | duration |
/// | `throttler`: `synchronous_initialization` | `synchronousInitialization` | boolean; never synchronous here |
///
/// Durations are texts with a unit, as in `1m30s`. An empty text and a null count as unset. As in Go, a 0 stands for the
/// default of an interval, of `queue_size` and of `max_operations`, and is a value of `param`. Unlike in Go, a sampler
/// without `param` has the [default](crate::config#which-sampler-do-variables-choose) of its type and not 0.
///
/// # Secrets
///
/// `Debug` shows no user, password, header or user info of a URL, and serialising leaves them out.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct ConfigFile {
    #[serde(alias = "serviceName", skip_serializing_if = "Option::is_none")]
    service_name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    disabled: Option<bool>,
    #[serde(alias = "traceid_128bit", skip_serializing_if = "Option::is_none")]
    trace_id_128bit: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    rpc_metrics: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    recording: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tag_names: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tags: Option<TagTexts>,
    #[serde(skip_serializing_if = "Option::is_none")]
    propagation: Option<Vec<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tag_value_bytes: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    logs: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sampler: Option<SamplerFile>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reporter: Option<ReporterFile>,
    #[serde(skip_serializing_if = "Option::is_none")]
    headers: Option<HeadersFile>,
    #[serde(skip_serializing_if = "Option::is_none")]
    baggage_restrictions: Option<RestrictionsFile>,
    #[serde(skip_serializing_if = "Option::is_none")]
    throttler: Option<ThrottlerFile>,
}

#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
struct SamplerFile {
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    kind: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    param: Option<Scalar>,
    #[serde(alias = "samplingServerURL", skip_serializing_if = "Option::is_none")]
    endpoint: Option<Url>,
    #[serde(
        alias = "samplingRefreshInterval",
        skip_serializing_if = "Option::is_none"
    )]
    refresh_interval: Option<DurationText>,
    #[serde(alias = "maxOperations", skip_serializing_if = "Option::is_none")]
    max_operations: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    strategy_file: Option<PathBuf>,
    #[serde(
        alias = "operationNameLateBinding",
        skip_serializing_if = "Option::is_none"
    )]
    operation_name_late_binding: Option<bool>,
}

#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
struct ReporterFile {
    #[serde(alias = "localAgentHostPort", skip_serializing_if = "Option::is_none")]
    agent: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    agent_family: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    agent_protocol: Option<String>,
    #[serde(
        alias = "attemptReconnectInterval",
        // As Go's YAML names a field that has no name of its own there.
        alias = "attemptreconnectinterval",
        alias = "AttemptReconnectInterval",
        skip_serializing_if = "Option::is_none"
    )]
    lookup_interval: Option<DurationText>,
    #[serde(
        alias = "disableAttemptReconnecting",
        skip_serializing_if = "Option::is_none"
    )]
    disable_lookup: Option<bool>,
    #[serde(alias = "logSpans", skip_serializing_if = "Option::is_none")]
    log_spans: Option<bool>,
    #[serde(alias = "queueSize", skip_serializing_if = "Option::is_none")]
    queue_size: Option<usize>,
    #[serde(
        alias = "bufferFlushInterval",
        alias = "bufferflushinterval",
        alias = "BufferFlushInterval",
        skip_serializing_if = "Option::is_none"
    )]
    flush_interval: Option<DurationText>,
    #[serde(alias = "collectorEndpoint", skip_serializing_if = "Option::is_none")]
    endpoint: Option<Url>,
    #[serde(skip_serializing)]
    user: Option<Secret>,
    #[serde(skip_serializing)]
    password: Option<Secret>,
    #[serde(skip_serializing)]
    http_headers: Option<SecretHeaders>,
    #[serde(skip_serializing_if = "Option::is_none")]
    timeout: Option<DurationText>,
}

#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
struct HeadersFile {
    #[serde(
        alias = "TraceContextHeaderName",
        skip_serializing_if = "Option::is_none"
    )]
    trace_id: Option<String>,
    #[serde(
        alias = "traceBaggageHeaderPrefix",
        skip_serializing_if = "Option::is_none"
    )]
    baggage_prefix: Option<String>,
    #[serde(alias = "jaegerDebugHeader", skip_serializing_if = "Option::is_none")]
    debug_id: Option<String>,
    #[serde(alias = "jaegerBaggageHeader", skip_serializing_if = "Option::is_none")]
    baggage: Option<String>,
}

#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
struct RestrictionsFile {
    #[serde(alias = "hostPort", skip_serializing_if = "Option::is_none")]
    host_port: Option<String>,
    #[serde(alias = "refreshInterval", skip_serializing_if = "Option::is_none")]
    refresh_interval: Option<DurationText>,
    #[serde(
        alias = "denyBaggageOnInitializationFailure",
        skip_serializing_if = "Option::is_none"
    )]
    deny_before_first_answer: Option<bool>,
}

#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
struct ThrottlerFile {
    #[serde(alias = "hostPort", skip_serializing_if = "Option::is_none")]
    host_port: Option<String>,
    #[serde(alias = "refreshInterval", skip_serializing_if = "Option::is_none")]
    refresh_interval: Option<DurationText>,
    #[serde(
        alias = "synchronousInitialization",
        skip_serializing_if = "Option::is_none"
    )]
    synchronous_initialization: Option<bool>,
}

impl Config {
    /// Takes the settings of a file, with those of the environment in their place, which calls in the code then replace
    /// as well.
    ///
    /// A sampler of the environment replaces that of the file. A parameter alone, in `JAEGER_SAMPLER_PARAM`, is one for
    /// the type of the file.
    ///
    /// ```no_run
    /// use tracehound::config::{Config, ConfigFile};
    ///
    /// let text = std::fs::read_to_string("tracing.json")?;
    /// let file: ConfigFile = serde_json::from_str(&text)?;
    /// let tracer = Config::from_env_over(file)?.build()?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// Fails like [`Config::from_env`], and if a value of the file cannot be used; the problem is then named by its
    /// key, such as `sampler.param`.
    pub fn from_env_over(file: ConfigFile) -> Result<Self, ConfigError> {
        Self::from_lookup_over(file, environment::variable)
    }

    /// Takes the settings of a file like [`from_env_over`](Self::from_env_over), with variables that a function reads.
    ///
    /// # Errors
    ///
    /// Fails like [`Config::from_env_over`].
    ///
    /// ```
    /// use tracehound::config::{Config, ConfigFile};
    ///
    /// let text = r#"{ "service_name": "shop", "disabled": true }"#;
    /// let file: ConfigFile = serde_json::from_str(text)?;
    /// let no_variables = |_: &str| None;
    /// let tracer = Config::from_lookup_over(file, no_variables)?.build()?;
    /// assert!(tracer.process().is_none(), "it is off");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn from_lookup_over(
        file: ConfigFile,
        lookup: impl Fn(&str) -> Option<String>,
    ) -> Result<Self, ConfigError> {
        let (base, sampler_type) = file.into_base();
        base.read(&lookup, sampler_type.as_deref()).checked()
    }
}
