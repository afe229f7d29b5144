//! Replies of a receiver of OTLP to a batch: a pause is within its bounds and read as a slow and simple reader reads
//! it, the spans that were not taken are those that prost reads, and a line to the user is short and has no secret.

#![no_main]

use std::time::Duration;

use allocation_counter::measure;
use libfuzzer_sys::fuzz_target;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceResponse;
use prost::Message as _;
use tracehound::fuzzing::{ReplyRead, read_otlp_reply};

fuzz_target!(|input: &[u8]| {
    let mut parts = input.splitn(4, |byte| *byte == b'\n');
    let mut text = || std::str::from_utf8(parts.next().unwrap_or_default()).ok();
    let (status, retry_after, date) = (text(), text(), text());
    let Some(status) = status.and_then(|status| status.parse().ok()) else {
        return;
    };
    let body = parts.next().unwrap_or_default();
    for is_whole in [true, false] {
        let mut read = ReplyRead::default();
        let used = measure(|| read = read_otlp_reply(status, retry_after, date, body, is_whole));
        // The sender and its client take about 8 KiB.
        assert!(
            used.bytes_max <= 16 * input.len() as u64 + 65_536,
            "{used:?}"
        );
        check(&read, status, retry_after, date, body, is_whole);
    }
});

fn check(
    read: &ReplyRead,
    status: u16,
    retry_after: Option<&str>,
    date: Option<&str>,
    body: &[u8],
    is_whole: bool,
) {
    let reason = &read.reason;
    assert!(reason.chars().count() < 500, "{reason}");
    assert!(!reason.contains(char::is_control), "{reason:?}");
    assert_eq!(read.may_retry, matches!(status, 429 | 502..=504));
    let is_success = (200..300).contains(&status);
    assert_eq!(read.rejected.is_some(), is_success && is_whole);
    if read.may_retry {
        assert_eq!(read.pause, pause(retry_after, date, read.pause));
    } else {
        assert_eq!(read.pause, None);
    }
    if let (Some(rejected), Ok(response)) =
        (read.rejected, ExportTraceServiceResponse::decode(body))
    {
        let partial = response.partial_success.unwrap_or_default();
        // What prost skips and we do not read, a group, leaves the status.
        let expected = u64::try_from(partial.rejected_spans).unwrap_or(0);
        assert!(rejected == expected || rejected == 0, "{rejected}");
        if !has_group(body) {
            assert_eq!(rejected, expected);
        }
    }
}

/// Returns the pause that the headers ask for. A date without one of the reply counts from now, which is not known
/// here: then `read` needs to be within the bounds alone.
fn pause(
    retry_after: Option<&str>,
    date: Option<&str>,
    read: Option<Duration>,
) -> Option<Duration> {
    let bounds = Duration::from_secs(1)..=Duration::from_secs(300);
    let value = retry_after?.trim();
    if !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit()) {
        let value = value.trim_start_matches('0');
        let seconds = match value.len() {
            0..=3 => value.parse().unwrap_or(0),
            _ => 300,
        };
        return Some(Duration::from_secs(seconds).clamp(*bounds.start(), *bounds.end()));
    }
    let until = httpdate::parse_http_date(value).ok()?;
    match date.map(|date| httpdate::parse_http_date(date.trim())) {
        Some(Ok(date)) => {
            let pause = until.duration_since(date).unwrap_or_default();
            Some(pause.clamp(*bounds.start(), *bounds.end()))
        }
        _ => {
            assert!(read.is_some_and(|read| bounds.contains(&read)), "{read:?}");
            read
        }
    }
}

/// Whether a key of a group may stand in the bytes.
fn has_group(bytes: &[u8]) -> bool {
    bytes.iter().any(|byte| matches!(byte & 7, 3 | 4))
}
