//! Variables with any values: no panic, and no secret in an error or in a warning.

#![no_main]

use std::sync::{Arc, Mutex};

use arbitrary::Arbitrary;
use libfuzzer_sys::fuzz_target;
use tracehound::config::{Config, ConfigError};
use tracehound::diagnostics::Diagnostics;
use tracehound::sampler::ConstSampler;
use tracehound_fuzz::canary::{CANARY, Planted, assert_hidden};

type Input<'a> = Vec<(u8, Value<'a>)>;

#[derive(Arbitrary, Debug)]
enum Value<'a> {
    /// Any text, and a secret where the variable is one or holds a list of tags.
    Any(&'a str),
    /// A URL with a secret, or user info.
    Planted(Planted<'a>),
}

fuzz_target!(|input: Input<'_>| {
    let variables: Vec<(&str, String)> = input.iter().filter_map(variable).collect();
    let lookup = |name: &str| {
        let found = variables.iter().find(|(known, _)| *known == name);
        found.map(|(_, value)| value.clone())
    };
    match Config::from_lookup(lookup) {
        Ok(config) => {
            let _ = config.explain().to_string();
        }
        Err(error) => check(&variables, &error),
    }

    let lines = Arc::new(Mutex::new(Vec::new()));
    let sink = lines.clone();
    let diagnostics = Diagnostics::with_handler(move |line| {
        sink.lock().expect("not poisoned").push(line.to_owned());
    });
    match Config::from_lookup_lossy(lookup)
        .diagnostics(diagnostics)
        // The remote sampler would ask the hosts that the fuzzer makes up.
        .sampler(ConstSampler::new(true))
        .build()
    {
        Ok(tracer) => drop(tracer),
        Err(error) => check(&variables, &error),
    }
    // The line at the start says what the service is called.
    for line in lines.lock().expect("not poisoned").iter() {
        if line.starts_with("passed over") {
            assert_hidden(&format_args!("{variables:?}"), line);
        }
    }
});

fn check(variables: &[(&str, String)], error: &ConfigError) {
    let seen = format!(
        "{error} {error:?} {:?} {:?}",
        error.problems(),
        error.passed_over()
    );
    assert_hidden(&format_args!("{variables:?}"), &seen);
}

fn variable<'n>((name, value): &(u8, Value<'_>)) -> Option<(&'n str, String)> {
    let name = VARIABLES[usize::from(*name) % VARIABLES.len()];
    let is_secret = [
        "USER",
        "PASSWORD",
        "AUTH_TOKEN",
        "JAEGER_TAGS",
        "ATTRIBUTES",
        "HEADERS",
    ];
    let value = match value {
        Value::Any(text) if is_secret.iter().any(|end| name.ends_with(end)) => {
            format!("{text}{CANARY}")
        }
        Value::Any(text) if text.contains(CANARY) => return None,
        Value::Any(text) => (*text).to_owned(),
        Value::Planted(planted) => planted.text()?,
    };
    Some((name, value))
}

const VARIABLES: [&str; 78] = [
    "HOST",
    "JAEGER_AGENT_HOST",
    "JAEGER_AGENT_PORT",
    "JAEGER_AGENT_SOCKET_TYPE",
    "JAEGER_AUTH_TOKEN",
    "JAEGER_DISABLE",
    "JAEGER_DISABLED",
    "JAEGER_ENDPOINT",
    "JAEGER_PASSWORD",
    "JAEGER_PROPAGATION",
    "JAEGER_REPORTER_AGENT_HOST",
    "JAEGER_REPORTER_AGENT_PORT",
    "JAEGER_REPORTER_ATTEMPT_RECONNECTING_DISABLED",
    "JAEGER_REPORTER_ATTEMPT_RECONNECT_INTERVAL",
    "JAEGER_REPORTER_ENDPOINT",
    "JAEGER_REPORTER_FLUSH_INTERVAL",
    "JAEGER_REPORTER_LOG_SPANS",
    "JAEGER_REPORTER_MAX_QUEUE_SIZE",
    "JAEGER_REPORTER_PASSWORD",
    "JAEGER_REPORTER_TIMEOUT",
    "JAEGER_REPORTER_USER",
    "JAEGER_RPC_METRICS",
    "JAEGER_SAMPLER_HOST",
    "JAEGER_SAMPLER_MANAGER_HOST_PORT",
    "JAEGER_SAMPLER_MAX_OPERATIONS",
    "JAEGER_SAMPLER_PARAM",
    "JAEGER_SAMPLER_PORT",
    "JAEGER_SAMPLER_REFRESH_INTERVAL",
    "JAEGER_SAMPLER_SAMPLING_PATH",
    "JAEGER_SAMPLER_TYPE",
    "JAEGER_SAMPLING_ENDPOINT",
    "JAEGER_SERVICE_NAME",
    "JAEGER_TAGS",
    "JAEGER_TRACEID_128BIT",
    "JAEGER_TRACE_ID_128BIT",
    "JAEGER_USER",
    "OTEL_ATTRIBUTE_COUNT_LIMIT",
    "OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT",
    "OTEL_BSP_EXPORT_TIMEOUT",
    "OTEL_BSP_MAX_EXPORT_BATCH_SIZE",
    "OTEL_BSP_MAX_QUEUE_SIZE",
    "OTEL_BSP_SCHEDULE_DELAY",
    "OTEL_EXPORTER_JAEGER_AGENT_HOST",
    "OTEL_EXPORTER_JAEGER_AGENT_PORT",
    "OTEL_EXPORTER_JAEGER_ENDPOINT",
    "OTEL_EXPORTER_JAEGER_PASSWORD",
    "OTEL_EXPORTER_JAEGER_PROTOCOL",
    "OTEL_EXPORTER_JAEGER_TIMEOUT",
    "OTEL_EXPORTER_JAEGER_USER",
    "OTEL_EXPORTER_OTLP_CERTIFICATE",
    "OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE",
    "OTEL_EXPORTER_OTLP_CLIENT_KEY",
    "OTEL_EXPORTER_OTLP_COMPRESSION",
    "OTEL_EXPORTER_OTLP_ENDPOINT",
    "OTEL_EXPORTER_OTLP_HEADERS",
    "OTEL_EXPORTER_OTLP_INSECURE",
    "OTEL_EXPORTER_OTLP_PROTOCOL",
    "OTEL_EXPORTER_OTLP_TIMEOUT",
    "OTEL_EXPORTER_OTLP_TRACES_CERTIFICATE",
    "OTEL_EXPORTER_OTLP_TRACES_CLIENT_CERTIFICATE",
    "OTEL_EXPORTER_OTLP_TRACES_CLIENT_KEY",
    "OTEL_EXPORTER_OTLP_TRACES_COMPRESSION",
    "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT",
    "OTEL_EXPORTER_OTLP_TRACES_HEADERS",
    "OTEL_EXPORTER_OTLP_TRACES_INSECURE",
    "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL",
    "OTEL_EXPORTER_OTLP_TRACES_TIMEOUT",
    "OTEL_EXPORTER_ZIPKIN_ENDPOINT",
    "OTEL_EXPORTER_ZIPKIN_TIMEOUT",
    "OTEL_PROPAGATORS",
    "OTEL_RESOURCE_ATTRIBUTES",
    "OTEL_SDK_DISABLED",
    "OTEL_SERVICE_NAME",
    "OTEL_SPAN_ATTRIBUTE_VALUE_LENGTH_LIMIT",
    "OTEL_SPAN_EVENT_COUNT_LIMIT",
    "OTEL_TRACES_EXPORTER",
    "OTEL_TRACES_SAMPLER",
    "OTEL_TRACES_SAMPLER_ARG",
];
