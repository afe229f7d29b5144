//! Tables of variables and texts that are read, refused or passed over.

use super::sampler_tables::*;
use super::sending_tables::*;

/// Variables that are read.
pub(super) const ALL_READ: [&str; 13] = [
    READ,
    READ_OF_AGENT,
    READ_OF_DEV,
    READ_OF_SAMPLER,
    READ_OF_AGENT_AND_SAMPLER,
    READ_OF_GRPC,
    READ_OF_TLS,
    READ_OF_GRPC_AND_TLS,
    READ_OF_SENDER,
    READ_OF_COLLECTOR,
    READ_OF_COLLECTOR_BY_GRPC,
    READ_OF_OTLP,
    READ_OF_ZIPKIN,
];

/// Variables that are refused.
pub(super) const ALL_REFUSED: [&str; 9] = [
    REFUSED,
    REFUSED_OF_AGENT,
    REFUSED_OF_DEV,
    REFUSED_OF_SAMPLER,
    REFUSED_OF_COLLECTOR,
    REFUSED_OF_GRPC,
    UNSUPPORTED_OF_SAMPLER,
    UNSUPPORTED_OF_GRPC,
    UNSUPPORTED_OF_TLS,
];

/// Variables of OpenTelemetry that are passed over.
pub(super) const ALL_PASSED_OVER: [&str; 7] = [
    PASSED_OVER,
    PASSED_OVER_OF_SAMPLER,
    PASSED_OVER_OF_SENDER,
    PASSED_OVER_OF_GRPC,
    PASSED_OVER_OF_OTLP,
    PASSED_OVER_OF_ZIPKIN,
    UNSUPPORTED_OF_OTEL,
];

/// Returns the rows of tables: one a line, columns separated by ` | `, comments after `#`.
pub(super) fn rows<const N: usize>(tables: &[&'static str]) -> Vec<[&'static str; N]> {
    let lines = tables.iter().flat_map(|table| table.lines());
    let lines = lines.filter(|line| !line.is_empty() && !line.starts_with('#'));
    lines
        .map(|line| {
            line.split(" | ")
                .map(str::trim_ascii_end)
                .collect::<Vec<_>>()
                .try_into()
                .unwrap()
        })
        .collect()
}

/// Returns the first column of a table.
pub(super) fn variables(table: &'static str) -> impl Iterator<Item = &'static str> {
    let lines = table.lines().filter(|line| !line.starts_with('#'));
    lines
        .filter_map(|line| line.split(" | ").next())
        .filter(|name| !name.is_empty())
}

/// A variable, a text, and the setting and value that result.
const READ: &str = r#"
JAEGER_SERVICE_NAME | shop | service_name | "shop"
OTEL_SERVICE_NAME | shop | service_name | "shop"
OTEL_RESOURCE_ATTRIBUTES | service.name=my%20shop | service_name | "my shop"
JAEGER_DISABLED | true | disabled | true
JAEGER_DISABLED | 1 | disabled | true
JAEGER_DISABLED | F | disabled | false
OTEL_SDK_DISABLED | True | disabled | true
TRACEHOUND_DEV | no | dev | false
JAEGER_SAMPLER_TYPE | const | sampler | const 1
JAEGER_SAMPLER_TYPE | CONST | sampler | const 1
JAEGER_SAMPLER_TYPE | probabilistic | sampler | probabilistic 0.001
OTEL_TRACES_SAMPLER | always_on | sampler | const 1
OTEL_TRACES_SAMPLER | always_off | sampler | const 0
OTEL_TRACES_SAMPLER | traceidratio | sampler | probabilistic 1
OTEL_TRACES_SAMPLER | parentbased_always_on | sampler | const 1
OTEL_TRACES_SAMPLER | parentbased_always_off | sampler | const 0
OTEL_TRACES_SAMPLER | parentbased_traceidratio | sampler | probabilistic 1
JAEGER_REPORTER_LOG_SPANS | on | log_spans | true
# The Node client takes any text for true.
JAEGER_REPORTER_LOG_SPANS | false | log_spans | false
JAEGER_REPORTER_LOG_SPANS | 0 | log_spans | false
JAEGER_REPORTER_MAX_QUEUE_SIZE | 100 | queue_size | 100
OTEL_BSP_MAX_QUEUE_SIZE | 2048 | queue_size | 2048
JAEGER_REPORTER_FLUSH_INTERVAL | 500 | flush_interval | 500ms
JAEGER_REPORTER_FLUSH_INTERVAL | 500ms | flush_interval | 500ms
JAEGER_REPORTER_FLUSH_INTERVAL | 1m30s | flush_interval | 90s
OTEL_BSP_SCHEDULE_DELAY | 5000 | flush_interval | 5s
JAEGER_TRACEID_128BIT | true | trace_id_128bit | true
TRACEHOUND_RECORD | Statements | recording | statements
TRACEHOUND_RECORD | everything | recording | everything
TRACEHOUND_TAG_NAMES | OpenTelemetry | tag_names | opentelemetry
TRACEHOUND_TAG_NAMES | both | tag_names | both
OTEL_SEMCONV_STABILITY_OPT_IN | http, database | tag_names | opentelemetry
OTEL_SEMCONV_STABILITY_OPT_IN | http,database/dup,http/dup,messaging | tag_names | both
OTEL_SEMCONV_STABILITY_OPT_IN | messaging,httpx | tag_names | opentracing
JAEGER_RPC_METRICS | no | rpc_metrics | false
TRACEHOUND_MAX_OPEN_SPANS | 5000 | max_open_spans | 5000
TRACEHOUND_OPEN_SPAN_LIMIT | 30s | open_span_limit | 30s
TRACEHOUND_OPEN_SPAN_LIMIT | 1500 | open_span_limit | 1.5s
JAEGER_PROPAGATION | jaeger | propagation | jaeger
JAEGER_PROPAGATION | Jaeger , jaeger, | propagation | jaeger
JAEGER_PROPAGATION | B3, b3single | propagation | b3,b3single
JAEGER_PROPAGATION | b3multi | propagation | b3
JAEGER_PROPAGATION | w3c,tracecontext,baggage | propagation | w3c,tracecontext,baggage
JAEGER_PROPAGATION | None | propagation | none
OTEL_PROPAGATORS | jaeger | propagation | jaeger
OTEL_PROPAGATORS | b3,b3multi | propagation | b3single,b3
OTEL_PROPAGATORS | tracecontext,baggage | propagation | tracecontext,baggage
OTEL_PROPAGATORS | none | propagation | none
OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT | 4096 | tag_value_bytes | 4096
OTEL_SPAN_ATTRIBUTE_VALUE_LENGTH_LIMIT | 4096 | tag_value_bytes | 4096
OTEL_SPAN_EVENT_COUNT_LIMIT | 16 | logs | 16
JAEGER_TAGS | zone=eu-1 | tag zone | "eu-1"
OTEL_RESOURCE_ATTRIBUTES | zone=eu%2C1 | tag zone | "eu,1"
"#;

#[cfg(feature = "udp")]
const READ_OF_AGENT: &str = r#"
JAEGER_AGENT_HOST | jaeger | agent_host | "jaeger"
JAEGER_AGENT_HOST | [::1] | agent_host | "::1"
JAEGER_AGENT_HOST | ::1 | agent_host | "::1"
OTEL_EXPORTER_JAEGER_AGENT_HOST | 10.1.2.3 | agent_host | "10.1.2.3"
JAEGER_AGENT_PORT | 6832 | agent_port | 6832
OTEL_EXPORTER_JAEGER_AGENT_PORT | 7000 | agent_port | 7000
JAEGER_AGENT_SOCKET_TYPE | udp4 | agent_family | udp4
JAEGER_AGENT_SOCKET_TYPE | UDP6 | agent_family | udp6
OTEL_EXPORTER_JAEGER_PROTOCOL | udp/thrift.binary | agent_protocol | binary
OTEL_EXPORTER_JAEGER_PROTOCOL | udp/thrift.compact | agent_protocol | compact
JAEGER_REPORTER_ATTEMPT_RECONNECT_INTERVAL | 1m | agent_lookup_interval | 60s
JAEGER_REPORTER_ATTEMPT_RECONNECTING_DISABLED | true | agent_lookup_interval | never
JAEGER_REPORTER_ATTEMPT_RECONNECTING_DISABLED | false | agent_lookup_interval | 30s
"#;
#[cfg(not(feature = "udp"))]
const READ_OF_AGENT: &str = "";

#[cfg(feature = "dev")]
const READ_OF_DEV: &str = r#"
TRACEHOUND_DEV | 1 | dev | true
TRACEHOUND_DEV | TRUE | sampler | const 1
TRACEHOUND_DEV | on | reporter | embedded agent
TRACEHOUND_DEV | yes | flush_interval | 50ms
"#;
#[cfg(not(feature = "dev"))]
const READ_OF_DEV: &str = "";

/// A variable, a text that is refused, and a part of the message.
const REFUSED: &str = r#"
JAEGER_DISABLED | ture | true or false
JAEGER_DISABLED | 2 | true or false
TRACEHOUND_DEV | often | true or false
TRACEHOUND_RECORD | all | metadata, statements or everything
TRACEHOUND_TAG_NAMES | otel | opentracing, opentelemetry or both
JAEGER_SAMPLER_TYPE | all | const, probabilistic, ratelimiting or remote
JAEGER_SAMPLER_PARAM | 1.5 | a probability from 0 to 1
JAEGER_SAMPLER_PARAM | -0.1 | a probability from 0 to 1
JAEGER_SAMPLER_PARAM | NaN | a probability from 0 to 1
JAEGER_SAMPLER_PARAM | inf | a probability from 0 to 1
# The Java client reads it by the locale of the machine.
JAEGER_SAMPLER_PARAM | 0,5 | a probability from 0 to 1
JAEGER_SAMPLER_PARAM | half | a probability from 0 to 1
JAEGER_REPORTER_LOG_SPANS | maybe | true or false
JAEGER_REPORTER_MAX_QUEUE_SIZE | 0 | a whole number above 0
JAEGER_REPORTER_MAX_QUEUE_SIZE | -1 | a whole number above 0
JAEGER_REPORTER_MAX_QUEUE_SIZE | 1k | a whole number above 0
TRACEHOUND_MAX_OPEN_SPANS | 0 | a whole number above 0
JAEGER_REPORTER_FLUSH_INTERVAL | 0 | a duration above zero
JAEGER_REPORTER_FLUSH_INTERVAL | -5s | a duration above zero
JAEGER_REPORTER_FLUSH_INTERVAL | soon | a duration above zero
JAEGER_TRACEID_128BIT | 128 | true or false
JAEGER_PROPAGATION | no-format | none, or a list of
JAEGER_PROPAGATION | , | none, or a list of
JAEGER_PROPAGATION | jaeger,none | none, or a list of
JAEGER_TAGS | foo | key=value
JAEGER_TAGS | =foo | key=value
JAEGER_TAGS | = | key=value
JAEGER_TAGS | a=${ABSENT} | a variable that is set, or a default
JAEGER_TAGS | a=${} | the name of a variable
JAEGER_RPC_METRICS | perhaps | true or false
"#;

#[cfg(feature = "udp")]
const REFUSED_OF_AGENT: &str = r#"
JAEGER_AGENT_HOST | agent:6831 | a host name or an IP address
JAEGER_AGENT_HOST | udp://agent | a host name or an IP address
JAEGER_AGENT_PORT | 0 | a port from 1 to 65535
JAEGER_AGENT_PORT | 65536 | a port from 1 to 65535
JAEGER_AGENT_PORT | 6831/udp | a port from 1 to 65535
JAEGER_AGENT_SOCKET_TYPE | tcp | udp4 or udp6
JAEGER_REPORTER_ATTEMPT_RECONNECT_INTERVAL | 0 | a duration above zero
JAEGER_REPORTER_ATTEMPT_RECONNECTING_DISABLED | never | true or false
"#;
#[cfg(not(feature = "udp"))]
const REFUSED_OF_AGENT: &str = r#"
JAEGER_AGENT_HOST | agent | the feature `udp`
JAEGER_AGENT_PORT | 6831 | the feature `udp`
JAEGER_AGENT_SOCKET_TYPE | udp4 | the feature `udp`
JAEGER_REPORTER_ATTEMPT_RECONNECT_INTERVAL | 30s | the feature `udp`
JAEGER_REPORTER_ATTEMPT_RECONNECTING_DISABLED | true | the feature `udp`
"#;

#[cfg(feature = "dev")]
const REFUSED_OF_DEV: &str = "";
#[cfg(not(feature = "dev"))]
const REFUSED_OF_DEV: &str = r#"
TRACEHOUND_DEV | 1 | the feature `dev`
"#;

/// `OTEL_` variables with a text that has no effect.
const PASSED_OVER: &str = r#"
OTEL_SDK_DISABLED | yes
OTEL_SEMCONV_STABILITY_OPT_IN | http
OTEL_SEMCONV_STABILITY_OPT_IN | http/dup,database
OTEL_RESOURCE_ATTRIBUTES | zone
OTEL_RESOURCE_ATTRIBUTES | zone=%zz
OTEL_RESOURCE_ATTRIBUTES | zone=%f
OTEL_RESOURCE_ATTRIBUTES | zone=%ff
OTEL_RESOURCE_ATTRIBUTES | =x
OTEL_TRACES_SAMPLER | no-format
OTEL_PROPAGATORS | no-format
OTEL_PROPAGATORS | b3single
OTEL_PROPAGATORS | "tracecontext
OTEL_PROPAGATORS | ,
OTEL_BSP_SCHEDULE_DELAY | -1
OTEL_BSP_MAX_QUEUE_SIZE | 0
OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT | unlimited
OTEL_SPAN_ATTRIBUTE_VALUE_LENGTH_LIMIT | 0
OTEL_SPAN_EVENT_COUNT_LIMIT | 0
OTEL_EXPORTER_JAEGER_AGENT_HOST | http://agent
OTEL_EXPORTER_JAEGER_AGENT_PORT | 0
"#;

/// `OTEL_` variables without a counterpart, with a text that has no effect.
pub(super) const UNSUPPORTED_OF_OTEL: &str = r#"
OTEL_BSP_MAX_EXPORT_BATCH_SIZE | 512
OTEL_ATTRIBUTE_COUNT_LIMIT | 128
OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT | 128
OTEL_SPAN_LINK_COUNT_LIMIT | 128
OTEL_EVENT_ATTRIBUTE_COUNT_LIMIT | 128
OTEL_LINK_ATTRIBUTE_COUNT_LIMIT | 128
"#;

/// Names that other clients use, or used, for a variable.
pub(super) const MISNAMED: &str = r#"
JAEGER_DISABLE | JAEGER_DISABLED
JAEGER_REPORTER_ENDPOINT | JAEGER_ENDPOINT
JAEGER_REPORTER_USER | JAEGER_USER
JAEGER_REPORTER_PASSWORD | JAEGER_PASSWORD
JAEGER_REPORTER_AGENT_HOST | JAEGER_AGENT_HOST
JAEGER_REPORTER_AGENT_PORT | JAEGER_AGENT_PORT
JAEGER_TRACE_ID_128BIT | JAEGER_TRACEID_128BIT
"#;
