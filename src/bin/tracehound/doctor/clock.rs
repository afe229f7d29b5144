//! The clock of this host, beside that of the backend.

use std::time::{Duration, SystemTime};

use tracehound::config::Explanation;

use crate::clock::difference;
use crate::options::DoctorOptions;
use crate::query::agent;
use crate::report::{Report, Verdict};

pub(super) fn check(report: &mut Report, options: &DoctorOptions, explanation: &Explanation) {
    let now = SystemTime::now();
    let Ok(since) = now.duration_since(SystemTime::UNIX_EPOCH) else {
        report.line(Verdict::Failure, "clock", "it stands before 1970");
        return;
    };
    if since < RELEASED {
        let text = "it stands before this program was written: traces are stored out of reach";
        report.line(Verdict::Failure, "clock", text);
        return;
    }
    let url = URLS.iter().find_map(|name| explanation.get(name));
    let url = url.map(|setting| setting.value().trim_matches('"'));
    let Some(url) = url.filter(|url| !options.offline && url.starts_with("http")) else {
        report.line(
            Verdict::Skipped,
            "clock",
            "no backend over HTTP to compare it with",
        );
        return;
    };
    match date_of(url, options.timeout) {
        None => report.line(Verdict::Skipped, "clock", &format!("{url} tells no time")),
        Some(theirs) => {
            let ours = SystemTime::now();
            let difference = difference(ours, theirs);
            let seconds = difference.as_secs();
            // The other clock tells whole seconds, and the answer takes time.
            let (verdict, text) = match difference < Duration::from_secs(3) {
                true => (Verdict::Good, format!("{seconds} s beside that of {url}")),
                false => {
                    let direction = match ours < theirs {
                        true => "behind",
                        false => "ahead of",
                    };
                    let text = format!(
                        "this host is {seconds} s {direction} {url}, and its spans are looked for at another time: \
                         set the clock of both by NTP"
                    );
                    (Verdict::Warning, text)
                }
            };
            report.line(verdict, "clock", &text);
        }
    }
}

/// Asks a server for the time, by any request.
fn date_of(url: &str, timeout: Duration) -> Option<SystemTime> {
    let response = agent(timeout).get(url).call().ok()?;
    let date = response.headers().get("date")?.to_str().ok()?;
    httpdate::parse_http_date(date).ok()
}

/// Settings that are URLs of servers.
const URLS: [&str; 4] = [
    "otlp_endpoint",
    "collector_endpoint",
    "zipkin_endpoint",
    "sampling_endpoint",
];
/// The first of January 2026.
const RELEASED: Duration = Duration::from_secs(1_767_225_600);
