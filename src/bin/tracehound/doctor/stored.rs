//! The trace that was sent, read back from the backend.

use std::thread;
use std::time::{Duration, Instant};

use tracehound::config::Explanation;
use ureq::http::Uri;

use crate::address;
use crate::doctor::sending::SPANS;
use crate::options::DoctorOptions;
use crate::query::Query;
use crate::report::{Report, Verdict};

/// Asks the query service for a trace: that of the command line, else the one that may stand beside the receiver.
pub(super) fn check(
    report: &mut Report,
    options: &DoctorOptions,
    explanation: &Explanation,
    trace_id: &str,
) {
    let later = format!("--read-back URL, or later: tracehound trace {trace_id} --from URL");
    let is_given = options.read_back.is_some();
    let url = options.read_back.clone().or_else(|| beside(explanation));
    let Some(url) = url else {
        let text = format!("not read back: no query service is known; {later}");
        return report.line(Verdict::Skipped, "stored", &text);
    };
    let shown = address::shown(&url);
    let (verdict, text) = match spans(&url, trace_id, options.timeout) {
        Ok(SPANS..) => (Verdict::Good, format!("{shown} has the trace")),
        Ok(found) => {
            let text = format!(
                "{shown} has {found} of the {SPANS} spans of trace {trace_id} after {:?}: they were sent, and are \
                 not stored there. Look at the port and its protocol, at the receiver's log, and at what lies between \
                 it and the storage; if that is slow, give --timeout more seconds",
                options.timeout
            );
            let verdict = match is_given {
                true => Verdict::Failure,
                // Another backend may be meant than the one that was found.
                false => Verdict::Warning,
            };
            (verdict, text)
        }
        Err(error) if is_given => (Verdict::Failure, format!("not read back: {error}")),
        Err(_) => {
            let text = format!("not read back: no query service answers at {shown}; {later}");
            (Verdict::Skipped, text)
        }
    };
    report.line(verdict, "stored", &text);
}

/// Returns how many spans of a trace are stored. Waits until all are.
fn spans(url: &str, trace_id: &str, timeout: Duration) -> Result<usize, String> {
    let query = Query::with_timeout(url, timeout);
    let deadline = Instant::now() + timeout;
    loop {
        let trace = query.trace(trace_id)?;
        let found = trace.map_or(0, |trace| trace.spans.len());
        if found >= SPANS || Instant::now() >= deadline {
            return Ok(found);
        }
        thread::park_timeout(LOOK_AGAIN);
    }
}

/// Returns the address that a query service has on the host of the receiver.
fn beside(explanation: &Explanation) -> Option<String> {
    let value = |name| explanation.get(name).map(|setting| setting.value());
    let host = match value("agent_host") {
        Some(host) => match host.trim_matches('"') {
            host if host.contains(':') => format!("[{host}]"),
            host => host.to_owned(),
        },
        None => {
            let url = ENDPOINTS.iter().find_map(|name| value(name))?;
            let url: Uri = url.trim_matches('"').parse().ok()?;
            // An https endpoint is mostly a hosted service, whose viewer has an address of its own.
            let is_near = url.scheme_str() == Some("http");
            is_near.then(|| url.host().map(str::to_owned))??
        }
    };
    Some(format!("http://{host}:{QUERY_PORT}"))
}

/// Settings that are URLs of receivers.
const ENDPOINTS: [&str; 3] = ["otlp_endpoint", "collector_endpoint", "zipkin_endpoint"];
const QUERY_PORT: u16 = 16686;
const LOOK_AGAIN: Duration = Duration::from_millis(50);

#[cfg(test)]
mod tests {
    use tracehound::Config;

    use super::*;

    #[test]
    fn a_query_service_is_looked_for_beside_the_receiver() {
        for (name, value, expected) in [
            ("JAEGER_AGENT_HOST", "jaeger", Some("http://jaeger:16686")),
            ("JAEGER_AGENT_HOST", "::1", Some("http://[::1]:16686")),
            (
                "OTEL_EXPORTER_OTLP_ENDPOINT",
                "http://a:4318",
                Some("http://a:16686"),
            ),
            (
                "JAEGER_ENDPOINT",
                "http://[::1]:14268/api/traces",
                Some("http://[::1]:16686"),
            ),
            ("OTEL_EXPORTER_OTLP_ENDPOINT", "https://vendor", None),
            ("OTEL_TRACES_EXPORTER", "none", None),
        ] {
            let variables = |asked: &str| (asked == name).then(|| value.to_owned());
            let config = Config::from_lookup(variables).expect("good variables");
            assert_eq!(
                beside(&config.explain()).as_deref(),
                expected,
                "{name}={value}"
            );
        }
    }
}
