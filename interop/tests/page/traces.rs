//! Traces to show: an ordinary one, a hostile one, and large ones.

use std::{sync::Arc, time::Duration};

use tracehound::{
    model::{
        LogRecord, Process, ReferenceType, ReportedReference, SpanId, Tag, Timestamp, TraceId,
    },
    reporter::OwnedSpan,
    view::Trace,
};

const START: i64 = 1_700_000_000_000_000;

/// Texts that would do something if any of them got into a page as it is. Each would set `window.hit`.
pub(crate) const HOSTILE: [&str; 12] = [
    "<script>window.hit=1</script>",
    "</script><img src=x onerror=window.hit=1>",
    "\"><svg onload=window.hit=1>",
    "javascript:window.hit=1",
    "<!--",
    "<a href=javascript:window.hit=1 autofocus onfocus=window.hit=1>",
    "\u{202e}rtl\u{2066}",
    "\0\u{1}\u{1b}[31m",
    "\u{2028}\u{2029}",
    "' onmouseover='window.hit=1",
    "</title></style></noscript><script>window.hit=1</script>",
    "http://127.0.0.1:9/\"onclick=window.hit=1",
];

fn trace_id() -> TraceId {
    TraceId::new(0x0123_4567_89ab_cdef, 0x7f3c_0000_0000_a91e).expect("not zero")
}

/// Returns an id as long as random ones are.
fn id(n: u64) -> SpanId {
    SpanId::new(n.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1 << 62).expect("not zero")
}

fn process(name: &str) -> Arc<Process> {
    let tags = vec![
        Tag::new("hostname", "dev-box"),
        Tag::new("jaeger.version", "tracehound-0.1.0"),
    ];
    Arc::new(Process::new(name, tags))
}

/// Returns a span; its times are microseconds since the start of the trace.
fn span(
    n: u64,
    parent: u64,
    name: impl Into<String>,
    process: &Arc<Process>,
    at: (i64, i64),
) -> OwnedSpan {
    let mut span = OwnedSpan::new(trace_id(), id(n), name);
    span.start = Timestamp::from_micros(START + at.0);
    span.duration = Duration::from_micros(at.1.abs_diff(at.0));
    span.process = Some(process.clone());
    if parent != 0 {
        let reference = ReportedReference::new(ReferenceType::ChildOf, trace_id(), id(parent));
        span.references.push(reference);
    }
    span
}

/// A checkout: nine spans of four services, with an error, logs, and a span that only follows.
pub(crate) fn ordinary() -> Trace {
    let [shop, cart, pay, mail] = ["shop", "cart", "pay", "mail"].map(process);
    let mut spans = vec![
        span(1, 0, "checkout", &shop, (0, 182_400)),
        span(2, 1, "GET /cart", &shop, (1_000, 32_000)),
        span(3, 2, "GET /cart", &cart, (3_000, 30_200)),
        span(4, 3, "redis GET", &cart, (4_000, 9_000)),
        span(5, 3, "redis GET", &cart, (10_000, 19_000)),
        span(6, 1, "charge", &shop, (35_000, 175_900)),
        span(7, 6, "Charge/Do", &pay, (40_000, 160_100)),
        span(8, 7, "INSERT payments", &pay, (60_000, 150_000)),
        span(9, 1, "send mail", &mail, (170_000, 260_000)),
    ];
    spans[8].references[0].kind = ReferenceType::FollowsFrom;
    spans[6].tags = vec![
        Tag::new("error", true),
        Tag::new("http.url", "http://pay.example/do"),
        Tag::new("attempts", 3i64),
    ];
    for n in 0..3 {
        let at = Timestamp::from_micros(START + 50_000 + n * 10_000);
        let fields = vec![
            Tag::new("event", "error"),
            Tag::new("message", "card declined"),
        ];
        spans[6].logs.push(LogRecord::new(at, fields));
    }
    Trace::of(spans).remove(0)
}

/// A hostile text in every field that a client can fill with text, and times and parents that make no sense.
pub(crate) fn hostile() -> Trace {
    let tags: Vec<Tag> = HOSTILE.iter().map(|text| Tag::new(*text, *text)).collect();
    let spans = HOSTILE.iter().enumerate().map(|(n, text)| {
        let process = Arc::new(Process::new(*text, tags.clone()));
        let mut span = span(
            n as u64 + 1,
            n as u64,
            text.repeat(1 + n % 3 * 20),
            &process,
            (n as i64, 1_000),
        );
        span.tags = tags.clone();
        span.logs = vec![LogRecord::new(span.start, tags.clone())];
        span
    });
    let mut spans: Vec<OwnedSpan> = spans.collect();
    spans[4].duration = Duration::from_secs(u64::MAX / 2_000_000);
    spans[5].start = Timestamp::from_micros(i64::MIN);
    spans[6].references[0].span_id = id(999);
    // A circle.
    spans[0].references = spans[2].references.clone();
    Trace::of(spans).remove(0)
}

/// Makes a trace of this many spans of twelve services, with six tags each.
pub(crate) fn large(count: u64) -> Trace {
    let services: Vec<_> = (0..12).map(|n| process(&format!("service-{n}"))).collect();
    let spans = (1..=count).map(|n| {
        let (start, length) = (n as i64 * 20, 3_000 + count as i64 * 20 / n as i64);
        let name = format!("operation {}", n % 40);
        let process = &services[n as usize % 12];
        let mut span = span(n, n / 7, name, process, (start, start + length));
        span.tags = vec![
            Tag::new("span.kind", "server"),
            Tag::new("http.method", "GET"),
            Tag::new("http.url", format!("http://shop.example/users/{n}")),
            Tag::new("http.status_code", 200i64),
            Tag::new("component", "axum"),
            Tag::new("error", n % 50 == 0),
        ];
        span
    });
    Trace::of(spans).remove(0)
}
