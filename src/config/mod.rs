//! Builds a tracer from `JAEGER_*` variables.
//!
//! [`Config::from_env`] reads the variables of the Go, Java, Node, Python and C++ clients. If one is not set, it reads
//! the `OTEL_*` variable for the same setting. Calls in the code win over both. [`Config::explain`] shows the outcome.
//! With the feature `serde`, settings may also stand in a file, over which variables win: see `ConfigFile`.
//!
//! ```no_run
//! let tracer = tracehound::Config::from_env()?.build()?;
//! # Ok::<(), tracehound::config::ConfigError>(())
//! ```
//!
//! A test hands it variables of its own, and so does a program that keeps its settings elsewhere:
//!
//! ```
//! use tracehound::Config;
//! use tracehound::reporter::NullReporter;
//!
//! let variables = |name: &str| match name {
//!     "JAEGER_SERVICE_NAME" => Some("shop".to_owned()),
//!     "JAEGER_SAMPLER_TYPE" => Some("const".to_owned()),
//!     _ => None,
//! };
//! let config = Config::from_lookup(variables)?.reporter(NullReporter::new()); // the code wins
//! println!("{}", config.explain()); // every setting, and where it comes from
//! let tracer = config.build()?;
//! assert_eq!(tracer.explain_sampling("checkout"), "const, keeps every trace");
//! # Ok::<(), tracehound::config::ConfigError>(())
//! ```
//!
//! # Which variables are read?
//!
//! Of the variables in one row, the first that is set counts. [`settings`] returns these settings for a manual or for
//! `--help`:
//!
//! | variable | value |
//! |---|---|
//! | `JAEGER_DISABLED`, `OTEL_SDK_DISABLED` | boolean; default false |
//! | `JAEGER_SERVICE_NAME`, `OTEL_SERVICE_NAME`, `OTEL_RESOURCE_ATTRIBUTES` | text; required |
//! | `TRACEHOUND_DEV` | boolean; default false |
//! | `TRACEHOUND_DEV_STRATEGIES_FILE` | path; default none: every trace |
//! | `JAEGER_SAMPLER_TYPE`, `OTEL_TRACES_SAMPLER` | `const`, `probabilistic`, `ratelimiting`, `remote`; default remote 0.001 |
//! | `JAEGER_SAMPLER_PARAM`, `OTEL_TRACES_SAMPLER_ARG` | number, by the sampler; default by the sampler |
//! | `JAEGER_SAMPLING_ENDPOINT`, `JAEGER_SAMPLER_MANAGER_HOST_PORT`, `OTEL_TRACES_SAMPLER_ARG`, `JAEGER_SAMPLER_HOST`, `JAEGER_SAMPLER_PORT`, `JAEGER_SAMPLER_SAMPLING_PATH` | URL; default `http://127.0.0.1:5778/sampling` |
//! | `JAEGER_SAMPLER_REFRESH_INTERVAL`, `OTEL_TRACES_SAMPLER_ARG` | duration; default 60s |
//! | `JAEGER_SAMPLER_MAX_OPERATIONS` | operations, above 0; default 2000 |
//! | `OTEL_TRACES_EXPORTER` | a list of `otlp`, `zipkin`, `jaeger`, `console`; or `none`; default agent |
//! | `JAEGER_AGENT_HOST`, `OTEL_EXPORTER_JAEGER_AGENT_HOST` | name or address; default localhost |
//! | `JAEGER_AGENT_PORT`, `OTEL_EXPORTER_JAEGER_AGENT_PORT` | 1 to 65535; default 6831 |
//! | `JAEGER_AGENT_SOCKET_TYPE` | `udp4`, `udp6`; default any |
//! | `OTEL_EXPORTER_JAEGER_PROTOCOL` | `udp/thrift.compact`, `udp/thrift.binary`; default compact |
//! | `JAEGER_REPORTER_ATTEMPT_RECONNECTING_DISABLED`, `JAEGER_REPORTER_ATTEMPT_RECONNECT_INTERVAL` | duration; boolean for never; default 30s |
//! | `JAEGER_ENDPOINT`, `OTEL_EXPORTER_JAEGER_ENDPOINT` | URL; default `http://localhost:14268/api/traces` |
//! | `OTEL_EXPORTER_JAEGER_PROTOCOL` | `http/thrift.binary`, `grpc`; default http/thrift.binary |
//! | `JAEGER_USER`, `OTEL_EXPORTER_JAEGER_USER` | text; default none |
//! | `JAEGER_PASSWORD`, `OTEL_EXPORTER_JAEGER_PASSWORD` | text; default none |
//! | `JAEGER_AUTH_TOKEN` | text; default none |
//! | `JAEGER_REPORTER_TIMEOUT`, `OTEL_EXPORTER_JAEGER_TIMEOUT`, `OTEL_BSP_EXPORT_TIMEOUT` | duration; default 5s |
//! | `OTEL_EXPORTER_OTLP_TRACES_ENDPOINT`, `OTEL_EXPORTER_OTLP_ENDPOINT` | URL; default `http://localhost:4318/v1/traces` |
//! | `OTEL_EXPORTER_OTLP_TRACES_PROTOCOL`, `OTEL_EXPORTER_OTLP_PROTOCOL` | `http/protobuf`, `grpc`; default http/protobuf |
//! | `OTEL_EXPORTER_OTLP_TRACES_INSECURE`, `OTEL_EXPORTER_OTLP_INSECURE` | boolean; default false |
//! | `OTEL_EXPORTER_OTLP_TRACES_HEADERS`, `OTEL_EXPORTER_OTLP_HEADERS` | `name=value,name=value`; default none |
//! | `OTEL_EXPORTER_OTLP_TRACES_TIMEOUT`, `OTEL_EXPORTER_OTLP_TIMEOUT`, `OTEL_BSP_EXPORT_TIMEOUT` | duration; default 5s |
//! | `OTEL_EXPORTER_OTLP_TRACES_COMPRESSION`, `OTEL_EXPORTER_OTLP_COMPRESSION` | `gzip`, `none`; default none |
//! | `OTEL_EXPORTER_OTLP_TRACES_CERTIFICATE`, `OTEL_EXPORTER_OTLP_CERTIFICATE` | path; default none |
//! | `OTEL_EXPORTER_OTLP_TRACES_CLIENT_CERTIFICATE`, `OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE` | path; default none |
//! | `OTEL_EXPORTER_OTLP_TRACES_CLIENT_KEY`, `OTEL_EXPORTER_OTLP_CLIENT_KEY` | path; default none |
//! | `OTEL_EXPORTER_ZIPKIN_ENDPOINT` | URL; default `http://localhost:9411/api/v2/spans` |
//! | `OTEL_EXPORTER_ZIPKIN_TIMEOUT`, `OTEL_BSP_EXPORT_TIMEOUT` | duration; default 5s |
//! | `JAEGER_REPORTER_LOG_SPANS` | boolean; default false |
//! | `JAEGER_REPORTER_MAX_QUEUE_SIZE`, `OTEL_BSP_MAX_QUEUE_SIZE` | spans, above 0; default 16384 |
//! | `JAEGER_REPORTER_FLUSH_INTERVAL`, `OTEL_BSP_SCHEDULE_DELAY` | duration; default 1s |
//! | `JAEGER_TRACEID_128BIT` | boolean; default false |
//! | `JAEGER_PROPAGATION`, `OTEL_PROPAGATORS` | a list of `jaeger`, `b3`, `b3single`, `w3c`, `tracecontext`, `baggage`; or `none`; default jaeger,w3c |
//! | `OTEL_SPAN_ATTRIBUTE_VALUE_LENGTH_LIMIT`, `OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT` | bytes, above 0; default 1024 |
//! | `OTEL_SPAN_EVENT_COUNT_LIMIT` | records, above 0; default 128 |
//! | `TRACEHOUND_RECORD` | `metadata`, `statements`, `everything`; default metadata |
//! | `TRACEHOUND_TAG_NAMES`, `OTEL_SEMCONV_STABILITY_OPT_IN` | `opentracing`, `opentelemetry`, `both`; default opentracing |
//! | `JAEGER_RPC_METRICS` | boolean; default false |
//! | `TRACEHOUND_MAX_OPEN_SPANS` | spans, above 0; default 1000000 |
//! | `TRACEHOUND_OPEN_SPAN_LIMIT` | duration; default none |
//! | `JAEGER_TAGS`, `OTEL_RESOURCE_ATTRIBUTES` | `key=value,key=a-${VAR}-${VAR:default}`; default none |
//!
//! `JAEGER_DISABLED` is read before all others: a disabled tracer never fails for them. In `OTEL_RESOURCE_ATTRIBUTES`,
//! `service.name` is the name of the service, and the rest are tags.
//!
//! # Which sampler do variables choose?
//!
//! The type of a sampler decides what its parameter means, and what counts without one. A build without the feature
//! `remote-sampler` begins with `probabilistic` in place of `remote`:
//!
//! | `JAEGER_SAMPLER_TYPE` | `JAEGER_SAMPLER_PARAM` | without it | `OTEL_TRACES_SAMPLER` |
//! |---|---|---|---|
//! | `const` | 0 for no trace, another number for all, or a boolean | 1 | `always_on`, `always_off` |
//! | `probabilistic` | a probability from 0 to 1 | 0.001 | `traceidratio`, where 1 is the default |
//! | `ratelimiting`, also `rate_limiting`, `rate-limiting` | traces a second, 0 or more | an error | |
//! | `remote` | the probability until strategies come | 0.001 | `jaeger_remote` |
//!
//! A type may be in any case. A parameter without a type is that of the default type. That is `remote` with the feature
//! `remote-sampler`, which is on by default, and `probabilistic` without it. The samplers of OpenTelemetry may begin
//! with `parentbased_`, which changes nothing: a child always follows its parent. If `JAEGER_SAMPLER_TYPE` or
//! `JAEGER_SAMPLER_PARAM` is set, `OTEL_TRACES_SAMPLER` and its parameter are not read.
//!
//! # Where do strategies come from?
//!
//! The remote sampler asks at the first of these that is set:
//!
//! | variable | example | asks |
//! |---|---|---|
//! | `JAEGER_SAMPLING_ENDPOINT` | `http://jaeger:5778/sampling` | this URL |
//! | `JAEGER_SAMPLER_MANAGER_HOST_PORT` (deprecated) | `jaeger:5778`, or a URL | `http://jaeger:5778/sampling`; the URL |
//! | `OTEL_TRACES_SAMPLER_ARG` | `endpoint=http://jaeger:14250` | `grpc://jaeger:14250` |
//! | `JAEGER_SAMPLER_HOST`, `JAEGER_SAMPLER_PORT` | `jaeger`, `5778` | `http://jaeger:5778/sampling` |
//! | `JAEGER_AGENT_HOST` | `jaeger` | `http://jaeger:5778/sampling` |
//!
//! If none is set, it asks `http://127.0.0.1:5778/sampling`. `JAEGER_SAMPLER_SAMPLING_PATH` takes the place of
//! `/sampling` where the URL is not written out.
//!
//! URLs begin with `http://` or `https://` for a server of HTTP, and with `grpc://` or `grpcs://` for one of gRPC,
//! which needs the feature `grpc`. Jaeger 2 serves HTTP on port 5778 and gRPC on 5779; of Jaeger 1, the agent serves
//! HTTP on 5778, and the collector gRPC on 14250. `https` and `grpcs` are encrypted, and need the feature `tls`.
//!
//! `OTEL_TRACES_SAMPLER_ARG` for `jaeger_remote` is a list such as
//! `endpoint=http://jaeger:14250,pollingIntervalMs=5000,initialSamplingRate=0.25`. As in OpenTelemetry, an endpoint
//! without a path is a server of gRPC, whatever its scheme is. An endpoint with a path, such as
//! `endpoint=http://jaeger:5778/sampling`, is a server of HTTP.
//!
//! # Where do spans go?
//!
//! The first of these that holds decides:
//!
//! | set is | spans go to |
//! |---|---|
//! | a [sender](Config::sender) or a [reporter](Config::reporter), in the code | it |
//! | `JAEGER_ENDPOINT` | this collector, by Thrift over HTTP; over gRPC if it begins with `grpc://` |
//! | `JAEGER_AGENT_HOST` or `JAEGER_AGENT_PORT` | this agent, over UDP |
//! | `OTEL_TRACES_EXPORTER` | all in its list; `jaeger` stands for what the variables of `OTEL_EXPORTER_JAEGER_` name |
//! | `OTEL_EXPORTER_OTLP_TRACES_ENDPOINT` or `OTEL_EXPORTER_OTLP_ENDPOINT` | this receiver of OTLP |
//! | `OTEL_EXPORTER_JAEGER_PROTOCOL` | an agent over UDP, or a collector over HTTP or gRPC |
//! | `OTEL_EXPORTER_JAEGER_ENDPOINT` | this collector, by Thrift over HTTP; over gRPC at port 14250 without a path |
//! | `OTEL_EXPORTER_JAEGER_AGENT_HOST` or `OTEL_EXPORTER_JAEGER_AGENT_PORT` | this agent, over UDP |
//! | `OTEL_EXPORTER_ZIPKIN_ENDPOINT` | this Zipkin, as JSON over HTTP |
//! | a collector, in a file | it |
//!
//! If none is set, spans go to the agent on this host. With `OTEL_TRACES_EXPORTER=none` they go nowhere, and with
//! `console` each is a line where the tracer writes its own.
//!
//! - A collector gets `JAEGER_USER` and `JAEGER_PASSWORD`, which are set together, or else `JAEGER_AUTH_TOKEN`.
//! - `grpc` needs the feature `grpc`, and `https` and `grpcs` the feature `tls`.
//! - The path `v1/traces` is added to `OTEL_EXPORTER_OTLP_ENDPOINT`; that for traces alone is used as it is. Headers
//!   and their values are percent-encoded. Over gRPC neither has a path. `http/json` counts as `http/protobuf`. Files
//!   hold PEM; one that cannot be read is a warning when the tracer is built.
//! - Credentials go over `http` to this host alone. Elsewhere they need `https`, or a sender in the code that allows
//!   it. A [`ConfigError`] says so for the variables of Jaeger; a header of `OTEL_EXPORTER_OTLP_HEADERS` is left out
//!   with a warning.
//!
//! # How are values read?
//!
//! Values are trimmed, and an empty value counts as unset. Booleans are `true`, `1`, `t`, `yes`, `on`, `false`,
//! `0`, `f`, `no` and `off` in any case. Durations are whole milliseconds, or numbers with units as in `1.5s` and
//! `1m30s`.
//!
//! In the values of `JAEGER_TAGS`, `${VAR}` stands for a variable and `${VAR:default}` for one that may be unset or
//! empty. Both may occur anywhere in a value, and more than once. A default may itself contain them, but no comma. An
//! error tells the position of a tag that cannot be read, and not its text, which may be a secret.
//!
//! If a `JAEGER_*` value cannot be read, or asks for something unsupported, the result is a [`ConfigError`], which
//! lists all such values. [`Config::from_env_lossy`] ignores them with a warning. An `OTEL_*` value is never more than
//! a warning, as the OpenTelemetry specification demands. Warnings are written when the tracer is built. If it cannot
//! be built, the error shows them.
//!
//! For a Service named `jaeger-agent`, Kubernetes sets `JAEGER_AGENT_PORT=udp://10.96.1.2:5775` in every container.
//! Such a value, in a variable whose name ends in `_PORT` or `_HOST`, counts as unset, with a warning.

#[cfg(feature = "udp")]
mod agent;
#[cfg(not(feature = "udp"))]
#[path = "no_agent.rs"]
mod agent;
#[cfg(feature = "udp")]
mod agent_setters;
mod assemble;
mod catalogue;
mod choices;
#[cfg(feature = "dev")]
mod embedded_agent;
#[cfg(not(feature = "dev"))]
#[path = "no_embedded_agent.rs"]
mod embedded_agent;
mod error;
mod explain;
mod explanation;
#[cfg(feature = "serde")]
mod file;
mod observing;
mod observing_setters;
mod parse;
mod policies;
mod policy_setters;
mod propagation;
mod read;
#[cfg(feature = "remote-sampler")]
mod remote;
#[cfg(not(feature = "remote-sampler"))]
#[path = "no_remote.rs"]
mod remote;
#[cfg(feature = "remote-sampler")]
mod remote_setters;
mod sampler;
#[cfg(any(feature = "collector", feature = "otlp", feature = "serde"))]
mod secret;
mod sending;
mod setters;
mod setting;
mod tags;
mod unsupported;
mod variables;

use std::fmt;
use std::time::Duration;

pub use catalogue::{SettingInfo, settings};
pub use error::{ConfigError, ConfigProblem};
pub use explanation::{ExplainedSetting, Explanation};
#[cfg(feature = "serde")]
pub use file::ConfigFile;
pub use setting::Source;

use crate::config::agent::Agent;
use crate::config::choices::{Customize, ReporterChoice, WrapSampler};
use crate::config::observing::Observing;
use crate::config::policies::Policies;
use crate::config::remote::Remote;
use crate::config::sampler::SamplerChoice;
use crate::config::sending::Sending;
use crate::config::setting::Setting;
use crate::config::tags::Tags;
use crate::diagnostics::Diagnostics;
use crate::environment;
use crate::model::{Recording, TagNames};
use crate::propagation::{HeaderNames, Propagation};
use crate::span::Limits;

/// The settings of a tracer: defaults, variables that replace them, and calls in the code that replace both.
///
/// ```
/// use tracehound::Config;
/// use tracehound::config::Source;
///
/// let config = Config::from_lookup(|name| match name {
///     "JAEGER_SERVICE_NAME" => Some("shop".into()),
///     "JAEGER_SAMPLER_TYPE" => Some("const".into()),
///     _ => None,
/// })?
/// .log_spans(true);
///
/// let explanation = config.explain();
/// let sampler = explanation.get("sampler").expect("always there");
/// assert_eq!(sampler.value(), "const 1");
/// assert_eq!(sampler.source(), Source::Variable("JAEGER_SAMPLER_TYPE"));
/// assert_eq!(explanation.get("log_spans").expect("always there").source(), Source::Code);
/// # Ok::<(), tracehound::config::ConfigError>(())
/// ```
#[must_use = "a configuration does nothing before `build`"]
pub struct Config {
    disabled: Setting<bool>,
    service_name: Setting<String>,
    dev: Setting<bool>,
    /// The embedded agent's file of sampling strategies; `None` to keep every trace.
    dev_strategies: Setting<Option<String>>,
    sampler: Setting<SamplerChoice>,
    policies: Policies,
    remote: Remote,
    reporter: Option<ReporterChoice>,
    agent: Agent,
    sending: Sending,
    log_spans: Setting<bool>,
    /// `None` for a share in the memory of all tracers.
    queue_size: Setting<Option<usize>>,
    flush_interval: Setting<Duration>,
    trace_id_128bit: Setting<bool>,
    propagation: Setting<Vec<Propagation>>,
    header_names: Option<Setting<HeaderNames>>,
    tags: Tags,
    limits: Limits,
    /// Two of the limits, which variables can set.
    tag_value_bytes: Setting<usize>,
    logs: Setting<usize>,
    recording: Setting<Recording>,
    tag_names: Setting<TagNames>,
    rpc_metrics: Setting<bool>,
    max_open_spans: Setting<usize>,
    open_span_limit: Setting<Option<Duration>>,
    observing: Observing,
    diagnostics: Diagnostics,
    wrap_sampler: Vec<WrapSampler>,
    customize: Vec<Customize>,
    /// Problems that were not reported because tracing was disabled.
    problems: Vec<ConfigProblem>,
    /// Reasons why variables are passed over.
    warnings: Vec<ConfigProblem>,
}

impl Config {
    /// Makes a configuration of the defaults, without reading the environment.
    pub fn new(service_name: impl Into<String>) -> Self {
        Self::default_values().service_name(service_name)
    }

    /// Reads the environment of the process.
    ///
    /// # Errors
    ///
    /// Fails if a `JAEGER_*` variable has a value that cannot be read, or that asks for something unsupported, and
    /// tracing is not disabled. A missing service name is an error only when the tracer is built, because the code may
    /// still set it.
    pub fn from_env() -> Result<Self, ConfigError> {
        Self::from_lookup(environment::variable)
    }

    /// Reads the environment like [`from_env`](Self::from_env), but ignores a bad variable with a warning.
    ///
    /// ```no_run
    /// let tracer = tracehound::Config::from_env_lossy().build()?;
    /// # Ok::<(), tracehound::config::ConfigError>(())
    /// ```
    pub fn from_env_lossy() -> Self {
        Self::from_lookup_lossy(environment::variable)
    }

    /// Reads variables by a function, so that tests need not change the environment.
    ///
    /// # Errors
    ///
    /// Fails like [`Config::from_env`].
    pub fn from_lookup(lookup: impl Fn(&str) -> Option<String>) -> Result<Self, ConfigError> {
        Self::default_values().read(&lookup, None).checked()
    }

    /// Reads variables like [`from_lookup`](Self::from_lookup), but ignores a bad variable with a warning.
    ///
    /// ```
    /// use tracehound::Config;
    ///
    /// let variables = |name: &str| match name {
    ///     "JAEGER_SERVICE_NAME" => Some("shop".to_owned()),
    ///     "JAEGER_TRACEID_128BIT" => Some("perhaps".to_owned()),
    ///     _ => None,
    /// };
    /// let explanation = Config::from_lookup_lossy(variables).explain();
    /// assert_eq!(explanation.get("trace_id_128bit").map(|it| it.value()), Some("false"));
    /// ```
    pub fn from_lookup_lossy(lookup: impl Fn(&str) -> Option<String>) -> Self {
        let mut config = Self::default_values().read(&lookup, None);
        let mut warnings = std::mem::take(&mut config.problems);
        warnings.append(&mut config.warnings);
        config.warnings = warnings;
        config
    }

    /// Returns the configuration, or the problems that count unless tracing is disabled.
    fn checked(mut self) -> Result<Self, ConfigError> {
        if self.disabled.value || self.problems.is_empty() {
            Ok(self)
        } else {
            let problems = std::mem::take(&mut self.problems);
            Err(ConfigError::new(problems, self.warnings))
        }
    }
}

impl fmt::Debug for Config {
    /// Writes the settings as [`Config::explain`] shows them.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut config = f.debug_struct("Config");
        for setting in self.explain().settings() {
            config.field(
                setting.name(),
                &format_args!("{} ({})", setting.value(), setting.source()),
            );
        }
        config.finish()
    }
}
