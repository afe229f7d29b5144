//! The pages of the viewer, as far as they can be looked at without a browser.

use std::sync::Arc;
use std::time::Duration;

use sha2::{Digest, Sha256};
use tracehound::dev::DevServer;
use tracehound::model::{
    LogRecord, Process, ReferenceType, ReportedReference, SpanId, Tag, Timestamp, TraceId,
};
use tracehound::prelude::*;
use tracehound::reporter::OwnedSpan;
use tracehound::view::Trace;

use super::{Answer, GOLDEN, GOLDEN_TRACE, PATIENCE, exchange, get, send, start, unhex};

/// Asks as a browser does.
pub(crate) fn browse(server: &DevServer, path: &str) -> Answer {
    let query = server.query_address();
    let accept = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8";
    let request = format!(
        "GET {path} HTTP/1.1\r\nHost: {query}\r\nAccept: {accept}\r\nConnection: close\r\n\r\n"
    );
    exchange(query, request.as_bytes())
}

/// Texts that would do something if any of them got into a page as it is.
pub(crate) const HOSTILE: [&str; 14] = [
    "<script>alert(1)</script>",
    "</script><img src=x onerror=alert(1)>",
    "\"><svg onload=alert(1)>",
    "javascript:alert(1)",
    "<!--",
    "]]>",
    "{{constructor.constructor('alert(1)')()}}",
    "\u{202e}rtl\u{2066}",
    "\0\u{1}\u{1b}[31m",
    "\u{2028}\u{2029}",
    "' onmouseover='alert(1)",
    "&lt;b&gt;&#60;i>",
    "</title></style></noscript><script>alert(2)</script>",
    "http://x/\"onclick=alert(1)",
];

fn id(n: u64) -> SpanId {
    SpanId::new(n).unwrap()
}

fn trace_id() -> TraceId {
    TraceId::new(0x0123_4567_89ab_cdef, 0x7f3c_0000_0000_a91e).unwrap()
}

/// A trace with a hostile text in every field that a client can fill with text.
fn hostile_trace() -> Trace {
    let tags: Vec<Tag> = HOSTILE.iter().map(|text| Tag::new(*text, *text)).collect();
    let process = Arc::new(Process::new(HOSTILE[12], tags.clone()));
    let spans = HOSTILE.iter().enumerate().map(|(n, text)| {
        let mut span = OwnedSpan::new(trace_id(), id(n as u64 + 1), *text);
        span.tags = tags.clone();
        span.logs = vec![LogRecord::new(span.start, tags.clone())];
        span.process = Some(process.clone());
        span
    });
    Trace::of(spans).remove(0)
}

/// Returns the content of the only element that starts with this tag.
pub(crate) fn element<'a>(page: &'a str, tag: &str, end: &str) -> &'a str {
    let mut parts = page.split(tag);
    let (_, rest) = (parts.next(), parts.next().expect(tag));
    assert_eq!(parts.next(), None, "{tag} twice");
    rest.split_once(end).expect(end).0
}

/// Checks that nothing in a page runs but what its policy names.
pub(crate) fn assert_sealed(page: &str, policy: &str) {
    let sealed = |text: &str| {
        use base64::Engine as _;
        let digest = Sha256::digest(text.as_bytes());
        let hash = base64::engine::general_purpose::STANDARD.encode(digest);
        assert!(policy.contains(&format!("'sha256-{hash}'")), "{policy}");
    };
    sealed(element(page, "<script>", "</script>"));
    sealed(element(page, "<style>", "</style>"));
    assert!(policy.starts_with("default-src 'none'; "), "{policy}");
    assert!(!policy.contains("unsafe"), "{policy}");
    let markup = without_content(page);
    for tag in markup.split('<').skip(1) {
        let tag = tag.split('>').next().unwrap();
        // Names stand at even places, values at odd ones: in values quotes are escaped.
        let parts: Vec<&str> = tag.split('"').collect();
        for (name, value) in parts.iter().step_by(2).zip(parts.iter().skip(1).step_by(2)) {
            let name = name.trim().to_ascii_lowercase();
            assert!(
                !name.starts_with("on") && !name.starts_with("style"),
                "{tag}"
            );
            if ["href=", "src=", "action="]
                .iter()
                .any(|end| name.ends_with(end))
            {
                assert!(value.starts_with(['/', '#']) || *value == "data:,", "{tag}");
                assert!(!value.starts_with("//"), "{tag}");
            }
        }
    }
}

/// Returns a page without the content of scripts and styles.
fn without_content(page: &str) -> String {
    let mut out = page.to_owned();
    for (tag, end) in [
        ("<script>", "</script>"),
        ("<style>", "</style>"),
        ("id=\"data\">", "</script>"),
    ] {
        if let Some((before, rest)) = out.clone().split_once(tag) {
            let (_, after) = rest.split_once(end).expect(end);
            out = format!("{before}{tag}{end}{after}");
        }
    }
    out
}

pub(crate) fn policy_of(answer: &Answer) -> String {
    let line = answer
        .head
        .lines()
        .find_map(|line| line.strip_prefix("content-security-policy: "));
    // Names of headers are compared without their case, but hashes have one.
    let policy = line.expect("a policy").to_owned();
    let meta = element(
        answer.text(),
        "http-equiv=\"Content-Security-Policy\" content=\"",
        "\"",
    );
    let meta = meta.replace("&#39;", "'");
    assert_eq!(
        policy,
        format!("{}; frame-ancestors 'none'", meta.to_ascii_lowercase())
    );
    meta
}

#[test]
fn a_browser_gets_a_page_that_runs_nothing_but_its_own_script() {
    let server = start();
    send(&server, server.agent_address(), &unhex(GOLDEN));
    let answer = browse(&server, &format!("/trace/{GOLDEN_TRACE}"));
    assert_eq!(answer.status, 200);
    assert!(
        answer
            .head
            .contains("content-type: text/html; charset=utf-8")
    );
    let page = answer.text();
    assert!(page.starts_with("<!doctype html>\n<html lang=\"en\">"));
    assert!(page.contains("<title>svc: GET /</title>"));
    assert_sealed(page, &policy_of(&answer));
    let file = server.trace(GOLDEN_TRACE.parse().unwrap()).unwrap().html();
    assert!(file.contains("form-action &#39;none&#39;"));
    assert!(!file.contains("connect-src"), "a file asks nobody");
    let text = get(
        server.query_address(),
        &format!("/trace/{GOLDEN_TRACE}?format=html"),
    );
    assert_eq!(text.text(), page);
}

#[test]
fn no_field_of_a_span_can_add_to_the_page() {
    let page = hostile_trace().html();
    let meta = element(
        &page,
        "http-equiv=\"Content-Security-Policy\" content=\"",
        "\"",
    );
    assert_sealed(&page, &meta.replace("&#39;", "'"));
    let markup = without_content(&page);
    let tags: Vec<&str> = markup
        .match_indices('<')
        .map(|(at, _)| {
            let rest = &markup[at + 1..];
            rest.split(|c: char| !c.is_ascii_alphanumeric() && !"!/".contains(c))
                .next()
                .unwrap()
        })
        .collect();
    let ours = [
        "!doctype",
        "html",
        "head",
        "meta",
        "title",
        "/title",
        "link",
        "style",
        "/style",
        "/head",
        "body",
        "a",
        "/a",
        "header",
        "strong",
        "/strong",
        "span",
        "/span",
        "/header",
        "main",
        "div",
        "/div",
        "noscript",
        "p",
        "/p",
        "pre",
        "/pre",
        "/noscript",
        "script",
        "/script",
        "/main",
        "/body",
        "/html",
    ];
    for tag in &tags {
        assert!(ours.contains(tag), "<{tag}");
    }
    let count = |tag| tags.iter().filter(|&&found| found == tag).count();
    assert_eq!((count("script"), count("style"), count("pre")), (2, 1, 1));
    // The script reads the texts back as they were.
    let data = element(&page, "id=\"data\">", "</script>");
    assert!(!data.contains(['<', '>', '&', '\u{2028}', '\u{2029}']));
    let data: serde_json::Value = serde_json::from_str(data).unwrap();
    let strings: Vec<&str> = data["traces"][0]["strings"]
        .as_array()
        .unwrap()
        .iter()
        .map(|s| s.as_str().unwrap())
        .collect();
    for text in HOSTILE {
        assert!(strings.contains(&text), "{text:?}");
    }
}

#[test]
fn a_page_of_a_thousand_spans_is_small() {
    let trace_id = trace_id();
    let processes: Vec<_> = (0..10)
        .map(|n| {
            let tags = vec![
                Tag::new("hostname", format!("host-{n}")),
                Tag::new("jaeger.version", "tracehound-0.1.0"),
            ];
            Arc::new(Process::new(format!("service-{n}"), tags))
        })
        .collect();
    let spans = (1..=1_000u64).map(|n| {
        // Ids as long as random ones are.
        let mixed = |n: u64| id(n.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1 << 62);
        let mut span = OwnedSpan::new(trace_id, mixed(n), format!("operation {}", n % 50));
        span.start = Timestamp::from_micros(1_700_000_000_000_000 + n as i64 * 137);
        span.duration = Duration::from_micros(90_000 / n + 40);
        span.process = Some(processes[n as usize % 10].clone());
        if n > 1 {
            let kind = ReferenceType::ChildOf;
            span.references
                .push(ReportedReference::new(kind, trace_id, mixed(n / 7 + 1)));
        }
        span.tags = vec![
            Tag::new("span.kind", "server"),
            Tag::new("http.method", "GET"),
            Tag::new("http.url", format!("http://shop.example/users/{n}")),
            Tag::new("http.status_code", 200i64),
            Tag::new("component", "axum"),
        ];
        if n % 5 == 0 {
            span.logs.push(LogRecord::new(
                span.start,
                vec![Tag::new("event", "cache miss"), Tag::new("key", "user")],
            ));
        }
        span
    });
    let page = Trace::of(spans).remove(0).html();
    assert!(page.len() <= 200_000, "{} bytes", page.len());
}

#[test]
fn a_request_of_another_origin_is_refused() {
    let server = start();
    for address in [
        server.query_address(),
        server.sampling_address(),
        server.collector_address(),
    ] {
        let status = |origin: &str| {
            let request = format!(
                "GET /nowhere HTTP/1.1\r\nHost: {address}\r\nOrigin: {origin}\r\nConnection: close\r\n\r\n"
            );
            exchange(address, request.as_bytes()).status
        };
        for origin in [
            &format!("http://{address}"),
            "http://localhost:3000",
            "https://127.0.0.1",
            "http://[::1]:9",
        ] {
            assert_eq!(status(origin), 404, "{origin}");
        }
        for origin in [
            "null",
            "http://evil.example",
            "http://localhost.evil.example",
            "http://127.0.0.1.evil.example",
            "localhost",
            "http://localhost@evil.example",
            "file://",
            "",
            "http://10.0.0.1",
        ] {
            assert_eq!(status(origin), 403, "{origin}");
        }
    }
}

#[test]
fn a_page_elsewhere_may_link_to_the_viewer_but_not_use_it() {
    let server = start();
    let address = server.query_address();
    let status = |site: &str, mode: &str, more: &str| {
        let request = format!(
            "GET /api/services HTTP/1.1\r\nHost: {address}\r\nSec-Fetch-Site: {site}\r\n\
             Sec-Fetch-Mode: {mode}\r\n{more}Connection: close\r\n\r\n"
        );
        exchange(address, request.as_bytes()).status
    };
    assert_eq!(status("cross-site", "no-cors", ""), 403);
    assert_eq!(status("cross-site", "navigate", ""), 200);
    let own = "Origin: http://localhost:3000\r\n";
    assert_eq!(status("cross-site", "cors", own), 200);
    let foreign = "Origin: http://evil.example\r\n";
    assert_eq!(status("cross-site", "navigate", foreign), 403);
    for site in ["same-origin", "same-site", "none"] {
        assert_eq!(status(site, "no-cors", ""), 200, "{site}");
    }
}

#[test]
fn a_page_is_written_to_a_file() {
    let server = start();
    let tracer = server.tracer("shop").unwrap();
    tracer.start_span("checkout").finish();
    tracer.flush(PATIENCE);
    let trace = server.traces().remove(0);
    let path = std::env::temp_dir().join(format!("tracehound-page-{}", std::process::id()));
    trace.write_html(&path).unwrap();
    assert_eq!(std::fs::read_to_string(&path).unwrap(), trace.html());
    std::fs::remove_file(&path).unwrap();
    let missing = path.join("nowhere");
    assert!(trace.write_html(missing).is_err());
    assert!(trace.json().contains("\"operationName\":\"checkout\""));
}
