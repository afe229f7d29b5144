//! Hides the secrets in a text that may hold URLs, user names and passwords.
//!
//! [`text`] reads free texts: errors, gRPC messages, headers, values of variables. It hides user info, the values of
//! queries, and fragments. The end of a URL in such a text is a guess, because a password may hold blanks, quotes and
//! every separator. So one rule decides: if a text can be read in two ways, everything that is secret in either reading
//! is hidden, and `…` replaces it.
//!
//! | text | redacted |
//! |---|---|
//! | `pg://u:a#b@h/d` (`a#b` is no port, so `u` is no host) | `pg://h/d` |
//! | `http://shop/?email=me@x.org&x` (a well-formed URL) | `http://shop/?email=` |
//! | `http://u x@h/d` (user info `u x`, or a URL and an address) | `http://…@h/d` |
//! | `http://u?x@h/d` (user info `u?x`, or a query `x@h/d`) | `http://…` |
//! | `cannot reach u:p w@h` | `cannot reach …@h` |
//!
//! Two things look like ordinary text and stay: a lone `name@host`, which may be a mail address; and user info that is
//! itself the start of a well-formed URL, if another URL or a query `key=value` follows.

pub(crate) mod data;
mod opener;
pub(crate) mod secret_names;
pub(crate) mod sql;
#[cfg(test)]
mod tests;

use std::borrow::Cow;
use std::net::{IpAddr, Ipv6Addr};

use opener::{Opener, char_len, is_closing, is_opening};

/// Hides the secrets of a text.
pub(crate) fn text(text: &str) -> Cow<'_, str> {
    if holds_no_secret(text) {
        return Cow::Borrowed(text);
    }
    let mut redacted = String::with_capacity(text.len());
    let urls = urls(text);
    let first = urls.first().map_or(text.len(), |url| url.scheme);
    push_prose(&mut redacted, &text[..first]);
    for (n, url) in urls.iter().enumerate() {
        let end = urls.get(n + 1).map_or(text.len(), |next| next.scheme);
        redacted.push_str(&text[url.scheme..url.body]);
        push_url(
            &mut redacted,
            &text[url.body..end],
            Opener::before(&text[..url.scheme]),
        );
    }
    Cow::Owned(redacted)
}

/// Whether a text is sure to have no secret in it, nor, as a path, a parameter.
pub(crate) fn holds_no_secret(text: &str) -> bool {
    !text
        .bytes()
        .any(|byte| matches!(byte, b'@' | b'?' | b'#' | b';' | b'%'))
}

/// Hides the secrets of a text that is one value: everything before an `@` is user info. If a query or a fragment may
/// begin before the `@`, the text after it is hidden too.
pub(crate) fn value(value: &str) -> Cow<'_, str> {
    match value.rfind('@') {
        Some(at) if urls(value).is_empty() => match value[..at].contains(['?', '#']) {
            true => Cow::Borrowed("…"),
            false => text(&value[at..]).into_owned().into(),
        },
        _ => text(value),
    }
}

/// Whether a text is a host, with or without a port, as in a URL.
pub(crate) fn is_host_and_port(text: &str) -> bool {
    let (host, port) = match text.strip_prefix('[') {
        Some(rest) => match rest.split_once(']') {
            Some((host, port)) if is_v6(host) => ("v6", port),
            _ => return false,
        },
        None => {
            // Nearly every host is of these bytes, and ends where they do.
            let ascii = text.bytes().position(|byte| !IN_HOST[usize::from(byte)]);
            let end = ascii.unwrap_or(text.len());
            let is_name = |c: char| c.is_alphanumeric() || matches!(c, '.' | '-' | '_');
            let more = match text.as_bytes().get(end) {
                None | Some(..128) => 0,
                Some(128..) => text[end..]
                    .find(|c| !is_name(c))
                    .unwrap_or(text.len() - end),
            };
            text.split_at(end + more)
        }
    };
    let is_port = port.strip_prefix(':').map_or(port.is_empty(), |port| {
        port.len() <= 5 && port.bytes().all(|byte| byte.is_ascii_digit())
    });
    !host.is_empty() && is_port
}

/// Whether an ASCII byte may stand in a host name.
static IN_HOST: [bool; 256] = letters_digits_and(b".-_");

/// Whether an ASCII byte may stand in a key that is certainly a key.
static IN_KEY: [bool; 256] = letters_digits_and(b"-._~[]$*+");

/// Marks the ASCII letters and digits, and `others`.
const fn letters_digits_and(others: &[u8]) -> [bool; 256] {
    let mut marks = [false; 256];
    let mut byte = 0;
    while byte < 128 {
        marks[byte] = (byte as u8).is_ascii_alphanumeric();
        byte += 1;
    }
    let mut n = 0;
    while n < others.len() {
        marks[others[n] as usize] = true;
        n += 1;
    }
    marks
}

/// Writes a path without the values of parameters such as `;jsessionid=1`, and without the secrets of a URL in it.
pub(crate) fn push_path(redacted: &mut String, path: &str) {
    for (n, segment) in path.split('/').enumerate() {
        if n > 0 {
            redacted.push('/');
        }
        let mut parts = segment.split(';');
        push_encoded(redacted, parts.next().unwrap_or_default());
        for part in parts {
            if let Some((key, _)) = part.split_once('=')
                && is_key(key)
            {
                redacted.push(';');
                redacted.push_str(key);
                redacted.push('=');
            }
        }
    }
}

/// Writes the keys of a query, each with an `=`. A parameter without `=` is left out, because it may be a token and not
/// a key.
pub(crate) fn push_query(redacted: &mut String, query: &str) {
    let mut separator = "?";
    let mut push = |key: &str| {
        if is_key(key) {
            redacted.push_str(separator);
            redacted.push_str(key);
            redacted.push('=');
            separator = "&";
        }
    };
    // Most queries are short: a loop over bytes is faster than searches.
    let (mut start, mut is_in_key) = (0, true);
    for (at, byte) in query.bytes().enumerate() {
        if byte == b'&' {
            (start, is_in_key) = (at + 1, true);
        } else if byte == b'=' && is_in_key {
            push(&query[start..at]);
            is_in_key = false;
        }
    }
}

/// The position of a URL in a text.
struct Url {
    /// The start of the scheme.
    scheme: usize,
    /// The position after the `://`.
    body: usize,
}

/// Finds the URLs of a text.
///
/// A later one counts only if it begins a word and the URL before it is well-formed. Otherwise it may be a part of the
/// other's password.
fn urls(text: &str) -> Vec<Url> {
    let mut urls: Vec<Url> = Vec::new();
    let mut from = 0;
    let mut word = Word::default();
    let last_at = text.rfind('@');
    while let Some((at, body)) = separator(text, from) {
        let scheme = text[from..at]
            .rfind(|c: char| !(c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.')))
            .map_or(from, |other| from + other + char_len(&text[from + other..]));
        from = body;
        word.read(text, scheme);
        let has_at_behind = last_at.is_some_and(|at| at >= body);
        let is_start = match urls.last() {
            // `jdbc:pg://u:p@h` may have a user `jdbc`; after a `?`, it is the value of a query.
            None if word.has_user && has_at_behind => return urls,
            None => !word.has_query,
            Some(last) => {
                let before = &text[last.body.min(scheme)..scheme];
                let begins_word = word.start > last.body && !word.has_letters;
                let is_user = before.trim_ascii_end().ends_with(':') && has_at_behind;
                begins_word && authority(before).is_some() && !is_user
            }
        };
        if is_start {
            urls.push(Url { scheme, body });
        }
    }
    urls
}

/// The word that ends where [`urls`] reads. Each character is read once, because a word may be a whole hostile text.
#[derive(Default)]
struct Word {
    start: usize,
    end: usize,
    /// There is a colon, but not right behind a quote: JSON has `"url":"http://h"`.
    has_user: bool,
    has_query: bool,
    has_letters: bool,
}

impl Word {
    /// Reads on up to `end`.
    fn read(&mut self, text: &str, end: usize) {
        for (at, c) in text[self.end..end].char_indices() {
            let at = self.end + at;
            if c.is_whitespace() {
                *self = Self {
                    start: at + c.len_utf8(),
                    end: self.end,
                    ..Self::default()
                };
                continue;
            }
            self.has_user |= c == ':' && !text[self.start..at].ends_with(['"', '\'']);
            self.has_query |= c == '?';
            self.has_letters |= c.is_alphanumeric();
        }
        self.end = end;
    }
}

/// Returns start and end of the next `://`, or of `:\/\/`, which JSON may have.
fn separator(text: &str, from: usize) -> Option<(usize, usize)> {
    text[from..].match_indices(':').find_map(|(at, _)| {
        let slashes = &text[from + at + 1..];
        let first = slashes.trim_start_matches('\\').strip_prefix('/')?;
        let body = first.trim_start_matches('\\').strip_prefix('/')?;
        Some((from + at, text.len() - body.len()))
    })
}

/// Writes a URL and the text after it without their secrets; `url` begins after the `://`.
fn push_url(redacted: &mut String, url: &str, opener: Option<Opener>) {
    let Some(at) = url.rfind('@') else {
        return push_tail(redacted, url, opener);
    };
    let (before, after) = (&url[..at], &url[at + 1..]);
    let is_in_authority = !before.contains(ends_authority);
    if is_in_authority {
        return push_tail(redacted, after, opener);
    }
    let query = before.find(['?', '#']);
    match authority(url) {
        Some(authority) if is_in_query(url, at, authority) => {
            let host = authority
                .rsplit_once('@')
                .map_or(0, |(user, _)| user.len() + 1);
            push_tail(redacted, &url[host..], opener);
        }
        // The authority is not a host and port, so it is user info, unless there is a query.
        None if !holds_pair(before) => {
            push_tail(redacted, after, opener);
        }
        _ if query.is_some() => {
            redacted.push('…');
            push_prose(redacted, &after[query_end(after, opener)..]);
        }
        _ => {
            redacted.push_str("…@");
            push_tail(redacted, after, opener);
        }
    }
}

/// Returns the authority of a well-formed URL, with its user info.
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

/// Whether the `@` must be in the value of a query or after it, because a path and `?key=` precede it.
///
/// If the authority has user info, the user info might extend to the last `@`. Then the host must be certain: it has a
/// port, or it is an address.
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
    // No key goes beyond the next of them.
    text.split(['?', '#']).skip(1).any(begins_with_pair)
}

/// Whether a query begins with `key=`.
fn begins_with_pair(query: &str) -> bool {
    query
        .split_once('=')
        .is_some_and(|(key, _)| !key.is_empty() && is_key(key))
}

/// Writes host, path and query of a URL without user info, and the text after it.
fn push_tail(redacted: &mut String, url: &str, opener: Option<Opener>) {
    let word = url.find(char::is_whitespace).unwrap_or(url.len());
    let Some(query) = url[..word].find(['?', '#']) else {
        push_path(redacted, &url[..word]);
        return push_prose(redacted, &url[word..]);
    };
    push_path(redacted, &url[..query]);
    let rest = &url[query + 1..];
    let end = query_end(rest, opener);
    if url[query..].starts_with('?') {
        let query = &rest[..end];
        push_query(
            redacted,
            query.split_once('#').map_or(query, |(query, _)| query),
        );
    }
    push_prose(redacted, &rest[end..]);
}

/// Returns the end of a query: the quote or bracket that closes the URL's opener, or else the first blank that has no
/// more of the query (`&key=`) after it.
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

/// Writes a text that has no URL. From a word with a colon inside to the last `@`, it is user info.
fn push_prose(redacted: &mut String, text: &str) {
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
            push_words(redacted, &text[..start]);
            if user.contains('?') {
                redacted.push('…');
                push_words(redacted, &after[query_end(after, opener)..]);
            } else {
                redacted.push_str("…@");
                push_tail(redacted, after, opener);
            }
        }
        None => push_words(redacted, text),
    }
}

/// Writes words. Paths such as `/cart?id=7` lose the values of their queries.
fn push_words(redacted: &mut String, text: &str) {
    for word in text.split_inclusive(char::is_whitespace) {
        let Some((path, query)) = word.split_once('?') else {
            push_encoded(redacted, word);
            continue;
        };
        let end = query.trim_end_matches(|c: char| c.is_whitespace() || is_closing(c));
        if end.contains('=') || (path.contains('/') && !end.is_empty()) {
            push_path(redacted, path);
            push_query(redacted, end);
            redacted.push_str(&query[end.len()..]);
        } else {
            push_encoded(redacted, word);
        }
    }
}

/// Writes a word without the part after a percent-encoded `://`, or between an encoded `:` and `@`.
fn push_encoded(redacted: &mut String, word: &str) {
    let Some((colon, rest)) = find_encoded(word, "3a") else {
        return redacted.push_str(word);
    };
    let end = word.trim_end_matches(|c: char| c.is_whitespace() || is_closing(c));
    let is_url = strip_encoded(rest, "2f").and_then(|rest| strip_encoded(rest, "2f"));
    if let Some(body) = is_url {
        redacted.push_str(&word[..word.len() - body.len()]);
        redacted.push('…');
        redacted.push_str(&word[end.len()..]);
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
            redacted.push_str(&word[..start]);
            redacted.push('…');
            push_encoded(redacted, after);
        }
        None => redacted.push_str(word),
    }
}

/// Finds the first escape of a byte, and the text after it. The escape may itself be encoded: `%253A`.
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

/// Whether a key is certainly a key, with no value encoded in it.
fn is_key(key: &str) -> bool {
    if key.bytes().all(|byte| IN_KEY[usize::from(byte)]) {
        return true;
    }
    let is_plain = |c: char| c.is_alphanumeric() || "-._~[]$*+%".contains(c);
    let hides = ["3a", "3d", "3f", "23", "26", "40", "2f"];
    key.chars().all(is_plain)
        && !hides
            .iter()
            .any(|digits| find_encoded(key, digits).is_some())
}

/// Whether a text is an IPv6 address, with or without a zone as in `fe80::1%eth0`.
fn is_v6(text: &str) -> bool {
    let address = text.split_once('%').map_or(text, |(address, _)| address);
    address.parse::<Ipv6Addr>().is_ok()
}

/// Returns the start of the last word.
fn word_start(text: &str) -> usize {
    let blank = text.rfind(char::is_whitespace);
    blank.map_or(0, |blank| blank + char_len(&text[blank..]))
}
