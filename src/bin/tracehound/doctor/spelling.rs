//! Variables whose names no setting has.

use tracehound::config::settings;

/// Returns a warning if a variable begins as those of settings do and is none.
pub(super) fn warning(name: &str, value: &str) -> Option<String> {
    if value.is_empty() || is_known(name) || is_service_link(name, value) {
        return None;
    }
    let is_own = name.starts_with("JAEGER_") || name.starts_with("TRACEHOUND_");
    let most = match is_own {
        true => MOST_LETTERS,
        false => MOST_LETTERS_OF_OTEL,
    };
    match nearest(name, most) {
        // Other parts of OpenTelemetry have variables that are no settings of ours.
        _ if !is_own && !name.starts_with("OTEL_") => None,
        _ if OF_LOGS.contains(&name) => None,
        Some(meant) => Some(format!("{name} is no setting; is {meant} meant?")),
        None => is_own.then(|| format!("{name} is no setting")),
    }
}

/// Returns whether a setting has this variable.
pub(super) fn is_known(name: &str) -> bool {
    variables().any(|known| known == name)
}

/// Returns whether Kubernetes sets such a variable for a service, or Docker for a link.
fn is_service_link(name: &str, value: &str) -> bool {
    let has_port_of_link = ["_TCP", "_UDP", "_SCTP"]
        .iter()
        .any(|protocol| name.contains(protocol));
    name.contains("_SERVICE_HOST")
        || name.contains("_SERVICE_PORT")
        || (name.contains("_PORT_") && has_port_of_link)
        || (name.ends_with("_PORT") && value.contains("://"))
}

/// Returns the setting whose name differs in the fewest letters, if these are at most `most`.
fn nearest(name: &str, most: usize) -> Option<&'static str> {
    let (letters, nearest) = variables()
        .map(|known| (distance(name, known), known))
        .min()?;
    (letters <= most).then_some(nearest)
}

/// Returns the variables of all settings.
fn variables() -> impl Iterator<Item = &'static str> {
    let of_settings = settings().iter().flat_map(|setting| setting.variables());
    of_settings.copied().chain([TRACES_DIR])
}

/// Returns how many letters must be added, left out or replaced to make one name of the other.
fn distance(one: &str, other: &str) -> usize {
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (at, letter) in one.bytes().enumerate() {
        let mut diagonal = row[0];
        row[0] = at + 1;
        for (column, expected) in other.bytes().enumerate() {
            let replaced = diagonal + usize::from(letter != expected);
            diagonal = row[column + 1];
            row[column + 1] = replaced.min(diagonal + 1).min(row[column] + 1);
        }
    }
    row[other.len()]
}

const MOST_LETTERS: usize = 4;
const MOST_LETTERS_OF_OTEL: usize = 2;
/// Variables of OpenTelemetry whose names are that near to a setting, and mean another one: `BLRP` for `BSP`.
const OF_LOGS: [&str; 3] = [
    "OTEL_BLRP_SCHEDULE_DELAY",
    "OTEL_BLRP_EXPORT_TIMEOUT",
    "OTEL_BLRP_MAX_QUEUE_SIZE",
];
/// Read by the helpers for tests.
const TRACES_DIR: &str = "TRACEHOUND_TRACES_DIR";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_setting_is_found_and_no_far_one() {
        for (name, expected) in [
            ("JAEGER_SAMPLE_TYPE", Some("JAEGER_SAMPLER_TYPE")),
            ("JAEGER_AGENT_HOSTS", Some("JAEGER_AGENT_HOST")),
            ("JAEGER_AGENT_PROT", Some("JAEGER_AGENT_PORT")),
            ("TRACEHOUND_RECORDS", Some("TRACEHOUND_RECORD")),
            ("JAEGER_COLOR_OF_THE_PAGE", None),
        ] {
            assert_eq!(nearest(name, MOST_LETTERS), expected, "{name}");
        }
        assert_eq!(distance("abc", ""), 3);
        assert_eq!(distance("", "ab"), 2);
        assert_eq!(distance("kitten", "sitting"), 3);
    }

    #[test]
    fn a_variable_of_opentelemetry_is_a_slip_only_if_it_is_near_to_a_setting() {
        for (name, meant) in [
            (
                "OTEL_EXPORTER_OLTP_ENDPOINT",
                Some("OTEL_EXPORTER_OTLP_ENDPOINT"),
            ),
            ("OTEL_SERVICENAME", Some("OTEL_SERVICE_NAME")),
            ("OTEL_TRACE_EXPORTER", Some("OTEL_TRACES_EXPORTER")),
            ("OTEL_LOGS_EXPORTER", None),
            ("OTEL_METRICS_EXPORTER", None),
            ("OTEL_BLRP_SCHEDULE_DELAY", None),
            ("OTEL_BLRP_MAX_QUEUE_SIZE", None),
            ("OTEL_BLRP_EXPORT_TIMEOUT", None),
            ("OTEL_BLRP_MAX_EXPORT_BATCH_SIZE", None),
            ("OTEL_METRIC_EXPORT_INTERVAL", None),
            ("OTEL_EXPORTER_OTLP_LOGS_ENDPOINT", None),
            ("OTEL_EXPORTER_OTLP_METRICS_HEADERS", None),
            ("OTEL_EXPORTER_PROMETHEUS_PORT", None),
            ("OTEL_LOGRECORD_ATTRIBUTE_COUNT_LIMIT", None),
            ("OTEL_LOGRECORD_ATTRIBUTE_VALUE_LENGTH_LIMIT", None),
            ("OTEL_EVENT_ATTRIBUTE_COUNT_LIMIT", None),
            ("OTEL_RUST_LOG", None),
            ("OTLP_ENDPOINT", None),
        ] {
            let expected = meant.map(|meant| format!("{name} is no setting; is {meant} meant?"));
            assert_eq!(warning(name, "x"), expected, "{name}");
        }
    }

    #[test]
    fn what_kubernetes_sets_for_services_is_no_slip() {
        for (name, value, expected) in [
            ("JAEGER_AGENT_SERVICE_HOST", "10.0.0.1", true),
            ("JAEGER_AGENT_SERVICE_PORT_COMPACT", "6831", true),
            ("JAEGER_AGENT_PORT_6831_UDP", "udp://10.0.0.1:6831", true),
            ("JAEGER_AGENT_PORT_6831_UDP_ADDR", "10.0.0.1", true),
            ("JAEGER_COLLECTOR_PORT", "tcp://10.0.0.1:14268", true),
            ("JAEGER_COLLECTOR_PORT", "14268", false),
            ("JAEGER_AGENT_HOSTS", "a", false),
        ] {
            assert_eq!(is_service_link(name, value), expected, "{name}={value}");
        }
    }
}
