//! Variables of other clients for which this crate has no counterpart. They are never ignored silently.

use crate::config::error::ConfigProblem;
use crate::config::variables::Variables;

/// Reports every such variable that is set.
pub(super) fn check(variables: &mut Variables<'_>) {
    for (name, asks_for) in UNSUPPORTED {
        if let Some(value) = variables.get(name) {
            variables.report(ConfigProblem::unsupported(name, &value, asks_for));
        }
    }
    for (name, right_name) in MISNAMED {
        if variables.get(name).is_some() && variables.get(right_name).is_none() {
            variables.report(ConfigProblem::misnamed(name, right_name));
        }
    }
    if let Some(exporters) = variables.get("OTEL_TRACES_EXPORTER")
        && !exporters
            .split(',')
            .any(|name| name.trim_ascii().eq_ignore_ascii_case("jaeger"))
    {
        let asks_for = "another exporter than `jaeger`, the only one that this version has";
        variables.report(ConfigProblem::unsupported(
            "OTEL_TRACES_EXPORTER",
            &exporters,
            asks_for,
        ));
    }
}

const COLLECTOR: &str =
    "sending to a collector over HTTP, which comes with the feature `collector` of a later version";
const COUNTS: &str = "a limit on how many of them a span holds; here they are limited in bytes, \
                      by `Limits` in the code";

const UNSUPPORTED: [(&str, &str); 16] = [
    ("JAEGER_ENDPOINT", COLLECTOR),
    ("JAEGER_USER", COLLECTOR),
    ("JAEGER_PASSWORD", COLLECTOR),
    ("JAEGER_AUTH_TOKEN", COLLECTOR),
    ("JAEGER_REPORTER_TIMEOUT", COLLECTOR),
    ("OTEL_EXPORTER_JAEGER_ENDPOINT", COLLECTOR),
    ("OTEL_EXPORTER_JAEGER_USER", COLLECTOR),
    ("OTEL_EXPORTER_JAEGER_PASSWORD", COLLECTOR),
    ("OTEL_EXPORTER_JAEGER_TIMEOUT", COLLECTOR),
    ("OTEL_BSP_EXPORT_TIMEOUT", COLLECTOR),
    ("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", COLLECTOR),
    ("OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT", COUNTS),
    ("OTEL_ATTRIBUTE_COUNT_LIMIT", COUNTS),
    ("OTEL_SPAN_LINK_COUNT_LIMIT", COUNTS),
    ("OTEL_EVENT_ATTRIBUTE_COUNT_LIMIT", COUNTS),
    ("OTEL_LINK_ATTRIBUTE_COUNT_LIMIT", COUNTS),
];

/// Old names of the Node client, and a slip in the C++ client's documentation.
const MISNAMED: [(&str, &str); 7] = [
    ("JAEGER_DISABLE", "JAEGER_DISABLED"),
    ("JAEGER_REPORTER_AGENT_HOST", "JAEGER_AGENT_HOST"),
    ("JAEGER_REPORTER_AGENT_PORT", "JAEGER_AGENT_PORT"),
    ("JAEGER_REPORTER_ENDPOINT", "JAEGER_ENDPOINT"),
    ("JAEGER_REPORTER_USER", "JAEGER_USER"),
    ("JAEGER_REPORTER_PASSWORD", "JAEGER_PASSWORD"),
    ("JAEGER_TRACE_ID_128BIT", "JAEGER_TRACEID_128BIT"),
];
