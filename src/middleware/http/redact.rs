//! The parts of headers and URLs that may be recorded.

use std::borrow::Cow;

use http::{HeaderName, HeaderValue, Uri};

use crate::redact;

/// Returns the text of a header with the secrets of URLs in it hidden, or `None` if the header must never be recorded.
///
/// These never are: `authorization`, `proxy-authorization`, `cookie`, `set-cookie`, `x-api-key`, names that end in
/// `-token` or `-secret`, the binary metadata of gRPC (`-bin`), and values that are marked as sensitive.
pub(super) fn header<'a>(name: &HeaderName, value: &'a HeaderValue) -> Option<Cow<'a, str>> {
    if value.is_sensitive() || is_secret(name) {
        return None;
    }
    Some(match String::from_utf8_lossy(value.as_bytes()) {
        Cow::Borrowed(text) => redact::text(text),
        Cow::Owned(text) => Cow::Owned(redact::text(&text).into_owned()),
    })
}

/// Whether every header of this name holds a secret, or bytes that are no text.
fn is_secret(name: &HeaderName) -> bool {
    let name = name.as_str();
    SECRET_HEADERS.contains(&name) || SECRET_ENDINGS.iter().any(|end| name.ends_with(end))
}

const SECRET_HEADERS: [&str; 5] = [
    "authorization",
    "proxy-authorization",
    "cookie",
    "set-cookie",
    "x-api-key",
];
const SECRET_ENDINGS: [&str; 3] = ["-token", "-secret", "-bin"];

/// Writes a URL without user name, password and the values of its parameters.
///
/// `user:pass@shop/cart;jsessionid=1?id=7&plain` becomes `shop/cart;jsessionid=?id=`. An authority that is not a host
/// and port is left out: a caller may write anything into a `Host` header.
pub(super) fn push_url(
    url: &mut String,
    scheme: Option<&str>,
    authority: Option<&str>,
    path: &str,
    query: Option<&str>,
) {
    let authority = authority.and_then(host_and_port);
    url.reserve(
        scheme.map_or(0, |scheme| scheme.len() + 3)
            + authority.map_or(0, str::len)
            + path.len()
            + query.map_or(0, |query| query.len() + 1),
    );
    if let Some(authority) = authority {
        if let Some(scheme) = scheme {
            url.push_str(scheme);
            url.push_str("://");
        }
        url.push_str(authority);
    }
    if redact::holds_no_secret(path) {
        url.push_str(path);
    } else {
        redact::push_path(url, &redact::text(path));
    }
    if let Some(query) = query {
        redact::push_query(url, query);
    }
}

/// Returns the host and the port of an authority, or `None` if it is not one.
fn host_and_port(authority: &str) -> Option<&str> {
    // Nearly no authority has user info, which a host cannot contain.
    if redact::is_host_and_port(authority) {
        return Some(authority);
    }
    let host = without_userinfo(authority);
    redact::is_host_and_port(host).then_some(host)
}

/// Like [`push_url`], but for a URI; `scheme` and `authority` stand in for those that it does not name.
pub(super) fn push_uri(url: &mut String, uri: &Uri, scheme: &str, authority: Option<&str>) {
    let authority = uri
        .authority()
        .map(http::uri::Authority::as_str)
        .or(authority);
    push_url(
        url,
        Some(uri.scheme_str().unwrap_or(scheme)),
        authority,
        // `OPTIONS *` asks the server as a whole.
        uri.path().trim_start_matches('*'),
        uri.query(),
    );
}

/// Like [`push_url`], but for the text of a URL. The fragment is left out.
#[cfg(any(feature = "reqwest", test))]
pub(super) fn push_url_text(url: &mut String, text: &str) {
    let text = text.split_once('#').map_or(text, |(text, _)| text);
    let (text, query) = match text.split_once('?') {
        Some((text, query)) => (text, Some(query)),
        None => (text, None),
    };
    match text.split_once("://") {
        Some((scheme, rest)) => {
            let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
            push_url(url, Some(scheme), Some(authority), path, query);
        }
        None => push_url(url, None, None, text, query),
    }
}

/// Returns host and port, without user name and password.
pub(super) fn without_userinfo(authority: &str) -> &str {
    authority
        .rsplit_once('@')
        .map_or(authority, |(_, host)| host)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_loses_user_info_and_values() {
        let rows = [
            ("http://shop/cart", "http://shop/cart"),
            (
                "http://user:pass@shop:80/cart?id=7&plain&q=a=b#top",
                "http://shop:80/cart?id=&q=",
            ),
            ("http://a@b@c/?=x", "http://c/?="),
            ("http://user:pass@shop", "http://shop"),
            ("http://shop?token=1", "http://shop?token="),
            ("/cart;jsessionid=1;x/7?a=1", "/cart;jsessionid=/7?a="),
            ("http://shop/?secret", "http://shop/"),
            ("http://shop/?a=http://b?c=d", "http://shop/?a="),
            ("", ""),
        ];
        for (given, seen) in rows {
            let mut url = String::new();
            push_url_text(&mut url, given);
            assert_eq!(url, seen, "{given}");
        }
    }

    #[test]
    fn the_host_header_stands_in_for_the_host_of_a_uri() {
        let rows = [
            ("/cart?id=7", Some("u:p@shop:80"), "http://shop:80/cart?id="),
            ("https://shop/cart", Some("other"), "https://shop/cart"),
            ("/cart", None, "/cart"),
            ("shop:443", Some("other"), "http://shop:443"),
            ("*", Some("shop"), "http://shop"),
            // Hosts that are no authority.
            ("/", Some("evil/../?token=abc&x"), "/"),
            ("/", Some("evil?token=abc"), "/"),
            ("/", Some("evil;token=abc:80"), "/"),
            ("/", Some("evil token"), "/"),
            ("/", Some("token:abc"), "/"),
            ("/", Some("[token]:80"), "/"),
            ("/", Some("u:p@[::1]:80"), "http://[::1]:80/"),
            ("/", Some(""), "/"),
            // Paths that hold a URL.
            ("/to/http://u:p@h/x", Some("gw"), "http://gw/to/http://h/x"),
            ("/to/http:/u:p@h/x", Some("gw"), "http://gw…@h/x"),
            (
                "/to/http%3a%2F%2fu%3Ap%40h",
                Some("gw"),
                "http://gw/to/http%3a%2F%2f…",
            ),
        ];
        for (given, host, seen) in rows {
            let given = given.parse::<Uri>().expect("a URI");
            let mut url = String::new();
            push_uri(&mut url, &given, "http", host);
            assert_eq!(url, seen, "{given}");
        }
    }

    #[test]
    fn secret_headers_are_not_recorded_even_on_request() {
        let rows = [
            ("authorization", false),
            ("proxy-authorization", false),
            ("cookie", false),
            ("set-cookie", false),
            ("x-api-key", false),
            ("x-csrf-token", false),
            ("client-secret", false),
            ("x-user-bin", false),
            ("x-request-id", true),
            ("token-bucket", true),
        ];
        for (name, is_seen) in rows {
            let name = HeaderName::from_static(name);
            let mut value = HeaderValue::from_static("v");
            assert_eq!(header(&name, &value).is_some(), is_seen, "{name}");
            value.set_sensitive(true);
            assert!(header(&name, &value).is_none(), "{name}");
        }
    }
}
