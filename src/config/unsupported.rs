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
}

const BATCH_SIZE: &str = "a limit on the spans of a batch; here batches are limited in bytes, by \
                          `max_bytes` of a sender in the code";
const COUNTS: &str = "a limit on how many of them a span holds; here they are limited in bytes, \
                      by `Limits` in the code";

const UNSUPPORTED: [(&str, &str); 6] = [
    ("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", BATCH_SIZE),
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
