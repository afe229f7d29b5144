//! Requests to the embedded agent, and what each of its answers keeps to.

use std::net::IpAddr;

use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode, Uri};
use serde_json::Value;

/// Reads a request: a line with its method and target, a line for each header, a blank line, and the body.
///
/// Without a header `Host` it asks for `localhost`.
pub fn request(text: &[u8]) -> Option<Request<Vec<u8>>> {
    let mut rest = text;
    let mut line = || {
        let end = rest.iter().position(|&byte| byte == b'\n');
        let (line, after) = match end {
            Some(end) => (&rest[..end], &rest[end + 1..]),
            None => (rest, &rest[rest.len()..]),
        };
        rest = after;
        line
    };
    let first = line();
    let blank = first.iter().position(|&byte| byte == b' ')?;
    let mut request = Request::new(Vec::new());
    *request.method_mut() = Method::from_bytes(&first[..blank]).ok()?;
    *request.uri_mut() = Uri::try_from(&first[blank + 1..]).ok()?;
    loop {
        let header = line();
        if header.is_empty() {
            break;
        }
        let colon = header.iter().position(|&byte| byte == b':')?;
        let name = HeaderName::from_bytes(&header[..colon]).ok()?;
        let value = HeaderValue::from_bytes(header[colon + 1..].trim_ascii()).ok()?;
        request.headers_mut().append(name, value);
    }
    request.headers_mut().entry("host").or_insert(LOCALHOST);
    *request.body_mut() = rest.to_vec();
    Some(request)
}

/// Returns a request of a browser for a page.
pub fn get(target: &str) -> Request<Vec<u8>> {
    let mut request = Request::new(Vec::new());
    *request.uri_mut() = target.parse().expect("a path");
    request.headers_mut().insert("host", LOCALHOST);
    let html = HeaderValue::from_static("text/html");
    request.headers_mut().insert("accept", html);
    request
}

/// Panics if a request from elsewhere got an answer other than a refusal.
pub fn assert_local(uri: &Uri, headers: &HeaderMap, status: StatusCode) {
    if status == StatusCode::FORBIDDEN {
        return;
    }
    let authority = uri.authority().map(|authority| authority.as_str());
    assert!(authority.is_none_or(is_loopback), "{uri}");
    for host in headers.get_all("host") {
        assert!(host.to_str().is_ok_and(is_loopback), "{host:?}");
    }
    for origin in headers.get_all("origin") {
        let text = origin.to_str().ok().and_then(|text| text.split_once("://"));
        assert!(
            text.is_some_and(|(_, host)| is_loopback(host)),
            "{origin:?}"
        );
    }
}

/// Returns whether a host with an optional port is of the loopback interface. An origin may end in a path.
fn is_loopback(text: &str) -> bool {
    let host = text.split(['/', '?', '#']).next().unwrap_or_default();
    let host = host.rsplit('@').next().unwrap_or_default();
    let host = match host.strip_prefix('[').and_then(|host| host.split_once(']')) {
        Some((host, _)) => host,
        None => host.split(':').next().unwrap_or_default(),
    };
    let address = host.parse::<IpAddr>();
    host.eq_ignore_ascii_case("localhost") || address.is_ok_and(|address| address.is_loopback())
}

/// Panics unless an answer is as it says: data that no browser takes for something else, JSON that can be read, and
/// pages into which no text has brought an element or an attribute.
pub fn check(answer: &Response<Vec<u8>>) {
    let status = answer.status();
    if status == StatusCode::FORBIDDEN {
        return;
    }
    let header = |name| {
        answer
            .headers()
            .get(name)
            .and_then(|text| text.to_str().ok())
    };
    assert_eq!(header("x-content-type-options"), Some("nosniff"));
    assert_eq!(header("cache-control"), Some("no-store"));
    let policy = header("content-security-policy").expect("a policy");
    assert!(policy.contains("default-src 'none'"), "{policy}");
    let body = answer.body();
    match header("content-type").unwrap_or_default() {
        "application/json" => {
            let value = serde_json::from_slice::<Value>(body);
            assert!(value.is_ok(), "{:?}", String::from_utf8_lossy(body));
        }
        "text/html; charset=utf-8" => check_page(std::str::from_utf8(body).expect("UTF-8")),
        _ => {}
    }
}

/// Panics if a planted text has become a part of a page or a picture, or if the data of a page cannot be read.
pub fn check_page(page: &str) {
    for breakout in BREAKOUTS {
        let place = page.find(breakout);
        assert!(
            place.is_none(),
            "{:?}",
            place.and_then(|at| page.get(at.saturating_sub(80)..at + 80))
        );
    }
    let data = page.split_once("<script type=\"application/json\" id=\"data\">");
    if let Some((_, data)) = data {
        let (data, _) = data.split_once("</script>").expect("an end");
        let value = serde_json::from_str::<Value>(data);
        assert!(value.is_ok(), "{data}");
    }
}

/// Text that breaks out of an attribute, an element and a string of a script if it is not escaped.
pub const BREAKOUT: &str = "x'\"<canary>";
const BREAKOUTS: [&str; 3] = ["<canary", "x'\"", "canary>"];
const LOCALHOST: HeaderValue = HeaderValue::from_static("localhost");
