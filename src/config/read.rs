use std::time::Duration;

use crate::config::agent::Agent;
use crate::config::observing::Observing;
use crate::config::parse::{self, Expected};
use crate::config::policies::Policies;
use crate::config::remote::Remote;
use crate::config::sampler::SamplerChoice;
use crate::config::sending::{self, Sending};
use crate::config::setting::Setting;
use crate::config::tags::Tags;
use crate::config::variables::Variables;
use crate::config::{Config, embedded_agent, propagation, unsupported};
use crate::diagnostics::Diagnostics;
use crate::model::{Recording, TagNames};
use crate::propagation::Propagation;
use crate::record::SlotLimit;
use crate::span::Limits;

impl Config {
    /// Returns the defaults of all settings.
    pub(super) fn default_values() -> Self {
        let limits = Limits::default();
        Self {
            disabled: Setting::default_value(false),
            service_name: Setting::default_value(String::new()),
            dev: Setting::default_value(false),
            dev_strategies: Setting::default_value(None),
            sampler: Setting::default_value(SamplerChoice::default()),
            policies: Policies::default(),
            remote: Remote::default(),
            reporter: None,
            agent: Agent::default(),
            sending: Sending::default(),
            log_spans: Setting::default_value(false),
            queue_size: Setting::default_value(None),
            flush_interval: Setting::default_value(Duration::from_secs(1)),
            trace_id_128bit: Setting::default_value(false),
            propagation: Setting::default_value(Propagation::DEFAULT.to_vec()),
            header_names: None,
            tags: Tags::default(),
            limits: limits.clone(),
            tag_value_bytes: Setting::default_value(limits.tag_value_bytes),
            logs: Setting::default_value(limits.logs),
            recording: Setting::default_value(Recording::metadata()),
            tag_names: Setting::default_value(TagNames::default()),
            rpc_metrics: Setting::default_value(false),
            max_open_spans: Setting::default_value(SlotLimit::DEFAULT),
            open_span_limit: Setting::default_value(None),
            observing: Observing::default(),
            diagnostics: Diagnostics::default(),
            wrap_sampler: Vec::new(),
            customize: Vec::new(),
            problems: Vec::new(),
            warnings: Vec::new(),
        }
    }

    /// Puts the values of variables in the place of these settings. A parameter of a sampler without a type is one for
    /// `sampler_type`.
    pub(super) fn read(
        self,
        lookup: &dyn Fn(&str) -> Option<String>,
        sampler_type: Option<&str>,
    ) -> Self {
        let mut variables = Variables::new(lookup);
        let base = self;
        let mut tags = base.tags;
        let disabled = variables.first([
            ("JAEGER_DISABLED", parse::boolean),
            ("OTEL_SDK_DISABLED", parse::otel_boolean),
        ]);
        let service_name = variables.first([
            ("JAEGER_SERVICE_NAME", parse::text),
            ("OTEL_SERVICE_NAME", parse::text),
        ]);
        let service_name_of_resource = tags.read_otel(&mut variables);
        tags.read_jaeger(&mut variables);
        let (sampler, otel_remote) = SamplerChoice::read(&mut variables, sampler_type);
        let protocol = sending::way::read_jaeger_protocol(&mut variables);
        let agent = base.agent.read(&mut variables, protocol.as_ref());
        let sending = base.sending.read(&mut variables, &agent, protocol.as_ref());
        let mut config = Self {
            disabled: base.disabled.or(disabled),
            service_name: base
                .service_name
                .or(service_name.or(service_name_of_resource)),
            dev: base.dev.or(embedded_agent::read(&mut variables)),
            dev_strategies: base
                .dev_strategies
                .or(variables.first([(STRATEGIES_FILE, some_text)])),
            sampler: base.sampler.or(sampler),
            remote: base.remote.read(&mut variables, otel_remote),
            agent,
            sending,
            log_spans: base
                .log_spans
                .or(variables.first([("JAEGER_REPORTER_LOG_SPANS", parse::boolean)])),
            queue_size: base.queue_size.or(variables.first([
                ("JAEGER_REPORTER_MAX_QUEUE_SIZE", some_count),
                ("OTEL_BSP_MAX_QUEUE_SIZE", some_count),
            ])),
            flush_interval: base.flush_interval.or(variables.first([
                ("JAEGER_REPORTER_FLUSH_INTERVAL", parse::duration),
                ("OTEL_BSP_SCHEDULE_DELAY", parse::duration),
            ])),
            trace_id_128bit: base
                .trace_id_128bit
                .or(variables.first([("JAEGER_TRACEID_128BIT", parse::boolean)])),
            propagation: base.propagation.or(propagation::read(&mut variables)),
            tags,
            tag_value_bytes: base.tag_value_bytes.or(variables.first([
                ("OTEL_SPAN_ATTRIBUTE_VALUE_LENGTH_LIMIT", parse::count),
                ("OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT", parse::count),
            ])),
            logs: base
                .logs
                .or(variables.first([("OTEL_SPAN_EVENT_COUNT_LIMIT", parse::count)])),
            recording: base
                .recording
                .or(variables.first([("TRACEHOUND_RECORD", parse::recording)])),
            tag_names: base.tag_names.or(variables.first([
                ("TRACEHOUND_TAG_NAMES", parse::tag_names),
                ("OTEL_SEMCONV_STABILITY_OPT_IN", parse::otel_tag_names),
            ])),
            rpc_metrics: base
                .rpc_metrics
                .or(variables.first([("JAEGER_RPC_METRICS", parse::boolean)])),
            max_open_spans: base
                .max_open_spans
                .or(variables.first([("TRACEHOUND_MAX_OPEN_SPANS", parse::count)])),
            open_span_limit: base
                .open_span_limit
                .or(variables.first([("TRACEHOUND_OPEN_SPAN_LIMIT", some_duration)])),
            ..base
        };
        unsupported::check(&mut variables);
        let (problems, warnings) = variables.into_findings();
        config.problems.extend(problems);
        config.warnings.extend(warnings);
        config
    }
}

fn some_text(text: &str) -> Result<Option<String>, Expected> {
    Ok(Some(text.to_owned()))
}

fn some_count(text: &str) -> Result<Option<usize>, Expected> {
    parse::count(text).map(Some)
}

fn some_duration(text: &str) -> Result<Option<Duration>, Expected> {
    parse::duration(text).map(Some)
}

/// Passed on to the embedded agent, which reads it by itself in a program without a `Config`.
const STRATEGIES_FILE: &str = "TRACEHOUND_DEV_STRATEGIES_FILE";
