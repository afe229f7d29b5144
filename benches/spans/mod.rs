//! Finished spans to be reported: those of requests, and roots without tags.
//!
//! The spans of a request come in pairs, in the order in which they end: the client's without tags, then the server's
//! with six tags and a log.

use std::time::Duration;

use tracehound::model::{
    LogRecord, ReferenceType, ReportedReference, SpanId, Tag, Timestamp, TraceId,
};
use tracehound::reporter::{FinishedSpan, OwnedSpan};

/// Returns pairs of spans, each pair in a trace of its own.
pub(crate) fn requests() -> Vec<OwnedSpan> {
    (0..PAIRS).flat_map(request).collect()
}

/// Returns as many spans without tags and parents.
pub(crate) fn roots() -> Vec<OwnedSpan> {
    (0..2 * PAIRS).map(root).collect()
}

fn root(n: u64) -> OwnedSpan {
    let trace_id = TraceId::new(0, random(n)).expect("not zero");
    let span_id = SpanId::new(random(n)).expect("not zero");
    let mut span = OwnedSpan::new(trace_id, span_id, "get_account");
    span.start = Timestamp::from_micros(1_700_000_000_123_456);
    span
}

fn request(n: u64) -> [OwnedSpan; 2] {
    let mut server = root(n);
    server.trace_id = TraceId::new(random(n + PAIRS), random(n)).expect("not zero");
    server.parent_id = SpanId::new(random(n + 2 * PAIRS));
    let mut client = root(n + 3 * PAIRS);
    client.trace_id = server.trace_id;
    client.parent_id = Some(server.span_id);
    for span in [&mut server, &mut client] {
        let parent_id = span.parent_id.expect("set above");
        let reference = ReportedReference::new(ReferenceType::ChildOf, span.trace_id, parent_id);
        span.references.push(reference);
        span.duration = Duration::from_micros(1_500);
    }
    server.tags = vec![
        Tag::new("http.method", "GET"),
        Tag::new("component", "shop"),
        Tag::new("http.url", URL),
        Tag::new("user.id", "user-004711"),
        Tag::new("http.status_code", 200),
        Tag::new("http.response_size", 1_432),
    ];
    let fields = vec![Tag::new("event", "cache_miss"), Tag::new("bytes", 512)];
    server.logs = vec![LogRecord::new(server.start, fields)];
    [client, server]
}

/// The finaliser of `SplitMix64`.
fn random(n: u64) -> u64 {
    let n = n.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let n = (n ^ (n >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let n = (n ^ (n >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    n ^ (n >> 31)
}

/// Calls `use_them` with views of all spans at once.
pub(crate) fn with_views(
    spans: &[OwnedSpan],
    shown: &[FinishedSpan<'_>],
    use_them: &mut dyn FnMut(&[FinishedSpan<'_>]),
) {
    let Some((first, rest)) = spans.split_first() else {
        return use_them(shown);
    };
    first.view(|view| {
        let mut shown = shown.to_vec();
        shown.push(*view);
        with_views(rest, &shown, use_them);
    });
}

/// A path and its query.
pub(crate) const URL: &str = "/api/v2/orders/104711/items?limit=50";
const PAIRS: u64 = 16;
