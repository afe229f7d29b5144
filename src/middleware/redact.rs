//! What may be seen of headers, URLs and error texts.

use std::borrow::Cow;

use http::{HeaderName, HeaderValue, Uri};

/// The text of a header that somebody has asked to see; none where it must never be seen.
///
/// Never: `authorization`, `proxy-authorization`, `cookie`, `set-cookie`, `x-api-key`, names that end in `-token` or
/// `-secret`, and every value that is marked as sensitive.
pub(super) fn header<'a>(name: &HeaderName, value: &'a HeaderValue) -> Option<Cow<'a, str>> {
    let is_hidden = value.is_sensitive() || is_secret(name);
    (!is_hidden).then(|| String::from_utf8_lossy(value.as_bytes()))
}

/// Whether a header of this name holds a secret, whatever its value.
pub(super) fn is_secret(name: &HeaderName) -> bool {
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
const SECRET_ENDINGS: [&str; 2] = ["-token", "-secret"];

/// A URL from its parts, without user name and password and without the values of its parameters.
///
/// `user:pass@shop/cart;jsessionid=1?id=7&plain` becomes `shop/cart;jsessionid=?id=`. Keys stay; a parameter
/// without `=` is left out, because it may be a bare token as well as a key.
pub(super) fn url(
    scheme: Option<&str>,
    authority: Option<&str>,
    path: &str,
    query: Option<&str>,
) -> String {
    let authority = authority.map(without_userinfo);
    let mut url = String::with_capacity(
        scheme.map_or(0, |scheme| scheme.len() + 3) + authority.map_or(0, str::len) + path.len(),
    );
    if let Some(authority) = authority {
        if let Some(scheme) = scheme {
            url.push_str(scheme);
            url.push_str("://");
        }
        url.push_str(authority);
    }
    push_path(&mut url, path);
    let mut separator = '?';
    for key in query.into_iter().flat_map(keys) {
        url.push(separator);
        url.push_str(key);
        url.push('=');
        separator = '&';
    }
    url
}

/// The same for a URI; `scheme` and `authority` stand in for those that it does not name.
pub(super) fn uri(uri: &Uri, scheme: &str, authority: Option<&str>) -> String {
    let authority = uri
        .authority()
        .map(http::uri::Authority::as_str)
        .or(authority);
    url(
        Some(uri.scheme_str().unwrap_or(scheme)),
        authority,
        // `OPTIONS *` asks the server as a whole.
        uri.path().trim_start_matches('*'),
        uri.query(),
    )
}

/// The same for the text of a URL; its fragment goes too.
pub(super) fn url_text(text: &str) -> String {
    let text = text.split_once('#').map_or(text, |(text, _)| text);
    let (text, query) = match text.split_once('?') {
        Some((text, query)) => (text, Some(query)),
        None => (text, None),
    };
    match text.split_once("://") {
        Some((scheme, rest)) => {
            let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
            url(Some(scheme), Some(authority), path, query)
        }
        None => url(None, None, text, query),
    }
}

/// The text of an error, with every URL in it made fit to be seen: clients like to quote the one they called.
pub(super) fn message(text: &str) -> Cow<'_, str> {
    if !text.contains("://") {
        return Cow::Borrowed(text);
    }
    let mut message = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find("://") {
        let start = rest[..at]
            .rfind(|c: char| !(c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.')))
            .map_or(0, |at| {
                at + rest[at..].chars().next().map_or(1, char::len_utf8)
            });
        let end = rest[at..]
            .find(|c: char| c.is_whitespace() || matches!(c, '"' | '<' | '>'))
            .map_or(rest.len(), |end| at + end);
        let url = rest[start..end].trim_end_matches([')', ']', '}', '.', ',', ';', ':', '\'', '`']);
        message.push_str(&rest[..start]);
        message.push_str(&url_text(url));
        message.push_str(&rest[start + url.len()..end]);
        rest = &rest[end..];
    }
    message.push_str(rest);
    Cow::Owned(message)
}

/// The host and port, without user name and password.
pub(super) fn without_userinfo(authority: &str) -> &str {
    authority
        .rsplit_once('@')
        .map_or(authority, |(_, host)| host)
}

/// A path, without the values of parameters such as `;jsessionid=1`.
fn push_path(url: &mut String, path: &str) {
    for (n, segment) in path.split('/').enumerate() {
        if n > 0 {
            url.push('/');
        }
        let mut parts = segment.split(';');
        url.extend(parts.next());
        for part in parts {
            if let Some((key, _)) = part.split_once('=') {
                url.push(';');
                url.push_str(key);
                url.push('=');
            }
        }
    }
}

fn keys(query: &str) -> impl Iterator<Item = &str> {
    query
        .split('&')
        .filter_map(|parameter| Some(parameter.split_once('=')?.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_keeps_no_userinfo_and_no_values() {
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
            assert_eq!(url_text(given), seen, "{given}");
        }
    }

    #[test]
    fn a_uri_without_a_host_is_given_the_one_it_was_sent_to() {
        let rows = [
            ("/cart?id=7", Some("u:p@shop:80"), "http://shop:80/cart?id="),
            ("https://shop/cart", Some("other"), "https://shop/cart"),
            ("/cart", None, "/cart"),
            ("shop:443", Some("other"), "http://shop:443"),
            ("*", Some("shop"), "http://shop"),
        ];
        for (given, host, seen) in rows {
            let given = given.parse::<Uri>().expect("a URI");
            assert_eq!(uri(&given, "http", host), seen, "{given}");
        }
    }

    #[test]
    fn urls_in_the_text_of_an_error_are_redacted() {
        let rows = [
            ("connection refused", "connection refused"),
            (
                "error sending request for url (http://u:p@127.0.0.1:1/x?token=a)b)",
                "error sending request for url (http://127.0.0.1:1/x?token=)",
            ),
            (
                "é: https://shop/?a=1: refused, see https://docs/#x.",
                "é: https://shop/?a=: refused, see https://docs/.",
            ),
            ("\u{2192}http://u:p@s/", "\u{2192}http://s/"),
            ("://", "://"),
            (
                "from http://a@b to \"x+y.z://c@d?e=f\"",
                "from http://b to \"x+y.z://d?e=\"",
            ),
        ];
        for (given, seen) in rows {
            assert_eq!(message(given), seen, "{given}");
        }
    }

    #[test]
    fn secret_headers_are_not_seen_even_if_asked_for() {
        let rows = [
            ("authorization", false),
            ("proxy-authorization", false),
            ("cookie", false),
            ("set-cookie", false),
            ("x-api-key", false),
            ("x-csrf-token", false),
            ("client-secret", false),
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
