//! What may be seen of a text in which URLs, user names and passwords may stand.
//!
//! [`text`] reads texts that nobody has parsed: errors, gRPC messages, headers, values of variables. It hides user
//! info, the values of queries, and fragments. Such a text does not say where a URL ends: a password may have blanks,
//! quotes and every separator in it. So one rule decides: where a text can be read in two ways, what is secret in
//! either of them is hidden, with `…` in its place.
//!
//! | text | seen |
//! |---|---|
//! | `pg://u:a#b@h/d` (`a#b` is no port, so `u` is no host) | `pg://h/d` |
//! | `http://shop/?email=me@x.org&x` (a well-formed URL) | `http://shop/?email=` |
//! | `http://u x@h/d` (user info `u x`, or a URL and an address) | `http://…@h/d` |
//! | `http://u?x@h/d` (user info `u?x`, or a query `x@h/d`) | `http://…` |
//! | `cannot reach u:p w@h` | `cannot reach …@h` |
//!
//! Two things cannot be told from ordinary text and stay: a lone `name@host`, which is also a mail address, and the
//! user info of a URL which is itself a well-formed URL with another one, or with a query of `key=value`, behind it.

mod opener;
#[cfg(test)]
mod tests;

use std::borrow::Cow;
use std::net::{IpAddr, Ipv6Addr};

use opener::{Opener, is_closing, is_opening};

/// Hides the secrets of a text.
pub(crate) fn text(text: &str) -> Cow<'_, str> {
    if !text.contains(['@', '?', '#', ';', '%']) {
        return Cow::Borrowed(text);
    }
    let mut seen = String::with_capacity(text.len());
    let urls = urls(text);
    let first = urls.first().map_or(text.len(), |url| url.scheme);
    push_prose(&mut seen, &text[..first]);
    for (n, url) in urls.iter().enumerate() {
        let end = urls.get(n + 1).map_or(text.len(), |next| next.scheme);
        seen.push_str(&text[url.scheme..url.body]);
        push_url(
            &mut seen,
            &text[url.body..end],
            Opener::before(&text[..url.scheme]),
        );
    }
    Cow::Owned(seen)
}

/// Hides the secrets of a text that is one value: all that stands before an `@` is user info. Where a query or a fragment
/// may begin there, the `@` may be a part of it, and what stands behind is hidden too.
pub(crate) fn value(value: &str) -> Cow<'_, str> {
    match value.rfind('@') {
        Some(at) if urls(value).is_empty() => match value[..at].contains(['?', '#']) {
            true => Cow::Borrowed("…"),
            false => text(&value[at..]).into_owned().into(),
        },
        _ => text(value),
    }
}

/// Whether a text is a host and perhaps a port, as it stands in a URL.
pub(crate) fn is_host_and_port(text: &str) -> bool {
    let (host, port) = match text.strip_prefix('[') {
        Some(rest) => match rest.split_once(']') {
            Some((host, port)) if is_v6(host) => ("v6", port),
            _ => return false,
        },
        None => text.split_at(text.find(':').unwrap_or(text.len())),
    };
    let is_name = |c: char| c.is_alphanumeric() || matches!(c, '.' | '-' | '_');
    let is_port = port.strip_prefix(':').map_or(port.is_empty(), |port| {
        port.len() <= 5 && port.bytes().all(|byte| byte.is_ascii_digit())
    });
    !host.is_empty() && host.chars().all(is_name) && is_port
}

/// Writes a path without the values of parameters such as `;jsessionid=1`, and without what is secret in a URL that it
/// holds.
pub(crate) fn push_path(seen: &mut String, path: &str) {
    for (n, segment) in path.split('/').enumerate() {
        if n > 0 {
            seen.push('/');
        }
        let mut parts = segment.split(';');
        push_encoded(seen, parts.next().unwrap_or_default());
        for part in parts {
            if let Some((key, _)) = part.split_once('=')
                && is_key(key)
            {
                seen.push(';');
                seen.push_str(key);
                seen.push('=');
            }
        }
    }
}

/// Writes the keys of a query, each with an `=`. A parameter without one is left out, because it may be a bare token
/// as well as a key.
pub(crate) fn push_query(seen: &mut String, query: &str) {
    let keys = query.split('&').filter_map(|pair| pair.split_once('='));
    let mut separator = '?';
    for (key, _) in keys.filter(|(key, _)| is_key(key)) {
        seen.push(separator);
        seen.push_str(key);
        seen.push('=');
        separator = '&';
    }
}

/// Where a URL stands in a text.
struct Url {
    /// Where its scheme begins.
    scheme: usize,
    /// What is behind the `://`.
    body: usize,
}

/// The URLs of a text. A later one counts if it begins a word and the one before it is well-formed: else it may be a
/// piece of that one's password.
fn urls(text: &str) -> Vec<Url> {
    let mut urls: Vec<Url> = Vec::new();
    let mut from = 0;
    while let Some((at, body)) = separator(text, from) {
        from = body;
        let scheme = text[..at]
            .rfind(|c: char| !(c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.')))
            .map_or(0, |other| other + char_len(&text[other..]));
        let is_start = match urls.last() {
            // `jdbc:pg://u:p@h` may as well be the user `jdbc`; behind a `?` a value begins.
            None => {
                let word = &text[word_start(&text[..scheme])..scheme];
                let has_user = word.match_indices(':').any(|(at, _)| {
                    // `"url":"http://h"`, in JSON.
                    !word[..at].ends_with(['"', '\''])
                });
                if has_user && text[body..].contains('@') {
                    return urls;
                }
                !word.contains('?')
            }
            Some(last) => {
                let before = &text[last.body.min(scheme)..scheme];
                let word = word_start(before);
                let begins_word = word > 0 && !before[word..].contains(char::is_alphanumeric);
                let is_user = before.trim_ascii_end().ends_with(':') && text[body..].contains('@');
                begins_word && authority(before).is_some() && !is_user
            }
        };
        if is_start {
            urls.push(Url { scheme, body });
        }
    }
    urls
}

/// The next `://`, or `:\/\/` as some write it in JSON: where it begins and ends.
fn separator(text: &str, from: usize) -> Option<(usize, usize)> {
    text[from..].match_indices(':').find_map(|(at, _)| {
        let slashes = &text[from + at + 1..];
        let first = slashes.trim_start_matches('\\').strip_prefix('/')?;
        let body = first.trim_start_matches('\\').strip_prefix('/')?;
        Some((from + at, text.len() - body.len()))
    })
}

/// Writes what may be seen of a URL and of the text behind it; `url` begins behind the `://`.
fn push_url(seen: &mut String, url: &str, opener: Option<Opener>) {
    let Some(at) = url.rfind('@') else {
        return push_tail(seen, url, opener);
    };
    let (before, after) = (&url[..at], &url[at + 1..]);
    let is_in_authority = !before.contains(ends_authority);
    if is_in_authority {
        return push_tail(seen, after, opener);
    }
    let query = before.find(['?', '#']);
    match authority(url) {
        Some(authority) if is_in_query(url, at, authority) => {
            let host = authority
                .rsplit_once('@')
                .map_or(0, |(user, _)| user.len() + 1);
            push_tail(seen, &url[host..], opener);
        }
        // No host and port stand there, so it is user info, unless there is a query all the same.
        None if !holds_pair(before) => {
            push_tail(seen, after, opener);
        }
        _ if query.is_some() => {
            seen.push('…');
            push_prose(seen, &after[query_end(after, opener)..]);
        }
        _ => {
            seen.push_str("…@");
            push_tail(seen, after, opener);
        }
    }
}

/// The authority of a well-formed URL, user info included; none where something else stands there.
fn authority(url: &str) -> Option<&str> {
    let all = &url[..url.find(ends_authority).unwrap_or(url.len())];
    [all, all.trim_end_matches(is_closing)]
        .into_iter()
        .find(|authority| {
            let (user, host) = authority.rsplit_once('@').unwrap_or(("", authority));
            let is_user = |c: char| c.is_ascii_alphanumeric() || "-._~!$&'()*+,;=:%".contains(c);
            user.chars().all(is_user) && is_host_and_port(host)
        })
}

/// Whether the `@` can only be in the value of a query, or behind it: a path and `?key=` stand before it. Where the authority has
/// user info too, that might go on to the last `@`, so its host must be one beyond doubt.
fn is_in_query(url: &str, at: usize, authority: &str) -> bool {
    let Some((path, query)) = url[authority.len()..at].split_once('?') else {
        return false;
    };
    let is_sure = authority.rsplit_once('@').is_none_or(|(_, host)| {
        let has_port = host
            .rsplit_once(':')
            .is_some_and(|(_, port)| !port.is_empty());
        has_port || host.parse::<IpAddr>().is_ok()
    });
    let is_path = path.starts_with('/') && !path.contains(['@', '#']);
    let is_path = is_path && !path.contains(char::is_whitespace);
    is_sure && is_path && begins_with_pair(query)
}

/// Whether a query that begins with `key=` stands anywhere in a text.
fn holds_pair(text: &str) -> bool {
    text.match_indices(['?', '#'])
        .any(|(at, _)| begins_with_pair(&text[at + 1..]))
}

/// Whether a query begins with `key=`.
fn begins_with_pair(query: &str) -> bool {
    query
        .split_once('=')
        .is_some_and(|(key, _)| !key.is_empty() && is_key(key))
}

/// Writes host, path and query of a URL without user info, and the text behind it.
fn push_tail(seen: &mut String, url: &str, opener: Option<Opener>) {
    let word = url.find(char::is_whitespace).unwrap_or(url.len());
    let Some(query) = url[..word].find(['?', '#']) else {
        push_path(seen, &url[..word]);
        return push_prose(seen, &url[word..]);
    };
    push_path(seen, &url[..query]);
    let rest = &url[query + 1..];
    let end = query_end(rest, opener);
    if url[query..].starts_with('?') {
        let query = &rest[..end];
        push_query(
            seen,
            query.split_once('#').map_or(query, |(query, _)| query),
        );
    }
    push_prose(seen, &rest[end..]);
}

/// Where a query ends: at the quote or bracket that the URL was opened with, else at the first blank. It goes on
/// behind a blank where there is more of a query, `&key=`.
fn query_end(query: &str, opener: Option<Opener>) -> usize {
    if let Some(end) = opener.and_then(|opener| opener.closes(query)) {
        return end;
    }
    let more = query.match_indices('&').rev().find(|(at, _)| {
        let pair = &query[at + 1..];
        begins_with_pair(&pair[..pair.find('&').unwrap_or(pair.len())])
    });
    let from = more.map_or(0, |(at, _)| at);
    let end = query[from..].find(char::is_whitespace);
    let end = end.map_or(query.len(), |end| from + end);
    query[..end].trim_end_matches(is_closing).len()
}

/// Writes a text without a URL in it. User info stands between a word with a colon inside and the last `@`.
fn push_prose(seen: &mut String, text: &str) {
    let user = text.rfind('@').and_then(|at| {
        let colon = text[..at].match_indices(':').find(|(colon, _)| {
            let next = text[colon + 1..].chars().next();
            next.is_some_and(|next| !next.is_whitespace())
        });
        let word = word_start(&text[..colon?.0]);
        let opening = text[word..].trim_start_matches(is_opening).len();
        Some(((text.len() - opening).min(at), at))
    });
    match user {
        Some((start, at)) => {
            let (user, after) = (&text[start..at], &text[at + 1..]);
            let opener = Opener::before(&text[..start]);
            push_words(seen, &text[..start]);
            if user.contains('?') {
                seen.push('…');
                push_words(seen, &after[query_end(after, opener)..]);
            } else {
                seen.push_str("…@");
                push_tail(seen, after, opener);
            }
        }
        None => push_words(seen, text),
    }
}

/// Writes words without the queries of those that are paths, such as `/cart?id=7`.
fn push_words(seen: &mut String, text: &str) {
    for word in text.split_inclusive(char::is_whitespace) {
        let Some((path, query)) = word.split_once('?') else {
            push_encoded(seen, word);
            continue;
        };
        let end = query.trim_end_matches(|c: char| c.is_whitespace() || is_closing(c));
        if end.contains('=') || (path.contains('/') && !end.is_empty()) {
            push_path(seen, path);
            push_query(seen, end);
            seen.push_str(&query[end.len()..]);
        } else {
            push_encoded(seen, word);
        }
    }
}

/// Writes a word without what stands behind a percent-encoded `://` in it, or between an encoded `:` and `@`.
fn push_encoded(seen: &mut String, word: &str) {
    let Some((colon, rest)) = find_encoded(word, "3a") else {
        return seen.push_str(word);
    };
    let end = word.trim_end_matches(|c: char| c.is_whitespace() || is_closing(c));
    let is_url = strip_encoded(rest, "2f").and_then(|rest| strip_encoded(rest, "2f"));
    if let Some(body) = is_url {
        seen.push_str(&word[..word.len() - body.len()]);
        seen.push('…');
        seen.push_str(&word[end.len()..]);
        return;
    }
    let mut after = None;
    let mut from = rest;
    while let Some((_, rest)) = find_encoded(from, "40") {
        (after, from) = (Some(rest), rest);
    }
    match after {
        Some(after) => {
            let start = word[..colon].rfind('/').map_or(0, |slash| slash + 1);
            seen.push_str(&word[..start]);
            seen.push('…');
            push_encoded(seen, after);
        }
        None => seen.push_str(word),
    }
}

/// The first escape of a byte, and what is behind it. The escape may itself be encoded: `%253A`.
fn find_encoded<'t>(text: &'t str, digits: &str) -> Option<(usize, &'t str)> {
    text.match_indices('%')
        .find_map(|(at, _)| Some((at, strip_encoded(&text[at..], digits)?)))
}

fn strip_encoded<'t>(text: &'t str, digits: &str) -> Option<&'t str> {
    let text = text.strip_prefix('%')?;
    let text = text.trim_start_matches("25");
    let (escape, rest) = text.split_at_checked(2)?;
    escape.eq_ignore_ascii_case(digits).then_some(rest)
}

fn ends_authority(c: char) -> bool {
    c.is_whitespace() || matches!(c, '/' | '?' | '#' | '\\')
}

/// Whether a key is one beyond doubt, with no value encoded in it.
fn is_key(key: &str) -> bool {
    let is_plain = |c: char| c.is_alphanumeric() || "-._~[]$*+%".contains(c);
    let hides = ["3a", "3d", "3f", "23", "26", "40", "2f"];
    key.chars().all(is_plain)
        && !hides
            .iter()
            .any(|digits| find_encoded(key, digits).is_some())
}

/// A zone, as in `fe80::1%eth0`, may follow.
fn is_v6(text: &str) -> bool {
    let address = text.split_once('%').map_or(text, |(address, _)| address);
    address.parse::<Ipv6Addr>().is_ok()
}

/// Where the last word of a text begins.
fn word_start(text: &str) -> usize {
    let blank = text.rfind(char::is_whitespace);
    blank.map_or(0, |blank| blank + char_len(&text[blank..]))
}

/// The length of the first character.
fn char_len(text: &str) -> usize {
    text.chars().next().map_or(0, char::len_utf8)
}
