//! Variables whose names no setting has.

use tracehound::config::settings;

/// Returns a warning if a variable begins as those of settings do and is none.
pub(super) fn warning(name: &str, value: &str) -> Option<String> {
    let is_slip =
        !value.is_empty() && is_own(name) && !is_known(name) && !is_service_link(name, value);
    is_slip.then(|| match nearest(name) {
        Some(meant) => format!("{name} is no setting; is {meant} meant?"),
        None => format!("{name} is no setting"),
    })
}

fn is_own(name: &str) -> bool {
    name.starts_with("JAEGER_") || name.starts_with("TRACEHOUND_")
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

/// Returns the setting whose name differs in the fewest letters, if these are few.
fn nearest(name: &str) -> Option<&'static str> {
    let (letters, nearest) = variables()
        .map(|known| (distance(name, known), known))
        .min()?;
    (letters <= MOST_LETTERS).then_some(nearest)
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
            assert_eq!(nearest(name), expected, "{name}");
        }
        assert_eq!(distance("abc", ""), 3);
        assert_eq!(distance("", "ab"), 2);
        assert_eq!(distance("kitten", "sitting"), 3);
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
