//! Hides the secrets in the data of a program: JSON, the fields of a form, the `Debug` text of a value, XML.
//!
//! A secret is known by its name, such as `password` or `api_key`. The value after such a name is replaced by `…`, in
//! whatever notation it comes. A string that holds such a name is replaced as well. So a little too much is hidden at
//! times, and a text that is cut anywhere shows no secret that the whole text would not show.

use std::borrow::Cow;

use percent_encoding::percent_decode_str;

use crate::redact;

/// Hides the secrets of data, those of URLs included.
pub(crate) fn data(text: &str) -> Cow<'_, str> {
    if !may_hold_secret_name(text) {
        return redact::text(text);
    }
    let mut hider = Hider {
        rest: text,
        shown: String::with_capacity(text.len()),
    };
    hider.run();
    Cow::Owned(redact::text(&hider.shown).into_owned())
}

/// Whether a name says that its value is a secret: `password`, `X-Api-Key`, `accessToken`.
pub(crate) fn is_secret_name(name: &str) -> bool {
    let name = percent_decode_str(name).decode_utf8_lossy();
    let name = unescaped(&name);
    let letters = name.chars().filter(|c| c.is_alphanumeric());
    let letters: String = letters.flat_map(char::to_lowercase).collect();
    SECRET_NAMES.iter().any(|secret| letters.contains(secret))
}

/// Writes the parameters of a query with their values, except for those that are secrets.
///
/// A parameter without `=` is left out, because it may be a token and not a key.
#[cfg(any(feature = "tower", test))]
pub(crate) fn push_query(redacted: &mut String, query: &str) {
    let pairs = query.split('&').filter_map(|pair| pair.split_once('='));
    let mut separator = '?';
    for (key, value) in pairs.filter(|(key, _)| redact::is_key(key)) {
        redacted.push(separator);
        redacted.push_str(key);
        redacted.push('=');
        let decoded = percent_decode_str(value).decode_utf8_lossy();
        let is_shown = !is_secret_name(key) && data(&decoded) == decoded;
        redacted.push_str(if is_shown { value } else { "…" });
        separator = '&';
    }
}

/// Parts of the names of secrets, without what is no letter or digit.
const SECRET_NAMES: [&str; 16] = [
    "passw",
    "passphrase",
    "pwd",
    "secret",
    "token",
    "credential",
    "privatekey",
    "apikey",
    "accesskey",
    "authorization",
    "encryption",
    "cookie",
    "session",
    "signature",
    "bearer",
    "jwt",
];

/// Whether it takes a closer look to see that no name is a secret.
fn may_hold_secret_name(text: &str) -> bool {
    text.contains('%') || text.contains('\\') || is_secret_name(text)
}

/// Reads a text from its start and writes what may be shown.
struct Hider<'t> {
    rest: &'t str,
    shown: String,
}

impl<'t> Hider<'t> {
    fn run(&mut self) {
        while let Some(first) = self.rest.chars().next() {
            let is_secret = if first == '"' {
                self.string()
            } else if is_in_word(first) {
                let word = self.take(word_end(self.rest));
                self.shown.push_str(word);
                is_secret_name(word)
            } else {
                let other = self.take(first.len_utf8());
                self.shown.push_str(other);
                false
            };
            if is_secret {
                self.hide_value();
            }
        }
    }

    /// Copies a string. Returns whether it holds the name of a secret: then it is hidden unless it is only a name.
    fn string(&mut self) -> bool {
        let string = self.take(string_end(self.rest));
        let is_secret = is_secret_name(string);
        let is_name = string.len() <= LONGEST_NAME && !string.contains([' ', '=', ':', '&', ',']);
        if is_secret && !is_name {
            self.shown.push_str("\"…\"");
        } else {
            self.shown.push_str(string);
        }
        is_secret
    }

    /// Replaces the value after the name of a secret.
    fn hide_value(&mut self) {
        let is_between = |c: char| c.is_whitespace() || matches!(c, ':' | '=' | '>' | ',');
        let value = self.rest.find(|c| !is_between(c));
        let between = self.take(value.unwrap_or(self.rest.len()));
        self.shown.push_str(between);
        if !self.take(value_end(self.rest)).is_empty() {
            self.shown.push('…');
        }
    }

    fn take(&mut self, end: usize) -> &'t str {
        let (taken, rest) = self.rest.split_at(end);
        self.rest = rest;
        taken
    }
}

/// A longer string is no name of a field.
const LONGEST_NAME: usize = 64;

fn is_in_word(c: char) -> bool {
    c.is_alphanumeric() || matches!(c, '_' | '-' | '.' | '$' | '%' | '+')
}

fn word_end(text: &str) -> usize {
    text.find(|c| !is_in_word(c)).unwrap_or(text.len())
}

/// Returns the end of a string in quotes, which may be that of the text.
fn string_end(text: &str) -> usize {
    let mut is_escaped = true; // The first quote ends nothing.
    for (at, c) in text.char_indices() {
        match c {
            '"' if !is_escaped => return at + 1,
            '\\' if !is_escaped => is_escaped = true,
            _ => is_escaped = false,
        }
    }
    text.len()
}

/// Returns the end of a value: a word or a string, what is in brackets behind it, and more of them up to a separator.
fn value_end(text: &str) -> usize {
    let mut depth = 0_usize;
    let mut at = 0;
    while let Some(c) = text[at..].chars().next() {
        match c {
            '"' => {
                at += string_end(&text[at..]);
                continue;
            }
            '(' | '[' | '{' => depth += 1,
            ')' | ']' | '}' if depth == 0 => return at,
            ')' | ']' | '}' => depth -= 1,
            ',' | '&' | ';' | '\n' | '<' if depth == 0 => return at,
            _ => {}
        }
        at += c.len_utf8();
    }
    text.len()
}

/// Replaces `\u0070` and the like, by which JSON can write any name.
fn unescaped(text: &str) -> Cow<'_, str> {
    if !text.contains('\\') {
        return Cow::Borrowed(text);
    }
    let mut parts = text.split("\\u");
    let mut plain = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let digits = part.get(..4);
        let code = digits.and_then(|digits| u32::from_str_radix(digits, 16).ok());
        match code.and_then(char::from_u32) {
            Some(c) => {
                plain.push(c);
                plain.push_str(&part[4..]);
            }
            None => plain.push_str(part),
        }
    }
    Cow::Owned(plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_values_of_secrets_are_hidden_in_every_notation() {
        let rows = [
            ("{\"user\":\"ada\",\"id\":7}", "{\"user\":\"ada\",\"id\":7}"),
            (
                "{\"user\":\"ada\",\"password\":\"canary\",\"id\":7}",
                "{\"user\":\"ada\",\"password\":…,\"id\":7}",
            ),
            ("{\"password\" : \"ca\\\"nary\"}", "{\"password\" : …}"),
            (
                "{\"apiKey\":{\"a\":[\"canary\"]},\"b\":1}",
                "{\"apiKey\":…,\"b\":1}",
            ),
            ("{\"pass\\u0077ord\":\"canary\"}", "{\"pass\\u0077ord\":…}"),
            ("{\"note\":\"my password is canary\"}", "{\"note\":\"…\"}"),
            ("[\"password\",\"canary\",1]", "[\"password\",…,1]"),
            ("user=ada&password=canary&id=7", "user=ada&password=…&id=7"),
            ("pass%77ord=canary&id=7", "pass%77ord=…&id=7"),
            ("x_access_key=canary", "x_access_key=…"),
            (
                "Login { user: \"ada\", password: Some(\"canary\"), id: 7 }",
                "Login { user: \"ada\", password: …, id: 7 }",
            ),
            ("Password(\"canary\")", "Password…"),
            ("Secret { value: \"canary\" }", "Secret …"),
            ("<login password=\"canary\"/>", "<login password=…"),
            (
                "<a><password>canary</password><b>1</b></a>",
                "<a><password>…</password><b>1</b></a>",
            ),
            (
                "Authorization: Bearer canary\nx: y",
                "Authorization: …\nx: y",
            ),
            ("token canary", "token …"),
            ("{\"password\":\"canary", "{\"password\":…"),
            ("{\"password\":[\"canary\",{\"a\":", "{\"password\":…"),
            (
                "{\"url\":\"http://ada:canary@shop/\"}",
                "{\"url\":\"http://shop/\"}",
            ),
            ("password", "password"),
            ("", ""),
        ];
        for (given, shown) in rows {
            assert_eq!(data(given), shown, "{given}");
        }
    }

    #[test]
    fn no_cut_shows_a_secret() {
        let texts = [
            "{\"user\":\"ada\",\"password\":\"canary\",\"id\":7}",
            "Login { user: \"ada\", token: Some((\"canary\", 1)), id: 7 }",
            "a=1&api_key=canary&b=2",
        ];
        for text in texts {
            for end in 0..=text.len() {
                let shown = data(&text[..end]);
                assert!(!shown.contains("can"), "{shown}");
            }
        }
    }

    #[test]
    fn a_query_shows_the_values_that_are_no_secrets() {
        let rows = [
            ("id=7&q=a+b", "?id=7&q=a+b"),
            ("id=7&token=canary&x=1", "?id=7&token=…&x=1"),
            ("access%5Ftoken=canary", "?access%5Ftoken=…"),
            ("canary&id=7", "?id=7"),
            ("to=http%3A%2F%2Fu%3Acanary%40h", "?to=…"),
            ("to=http://h/?password=canary", "?to=…"),
            ("", ""),
        ];
        for (query, expected) in rows {
            let mut shown = String::new();
            push_query(&mut shown, query);
            assert_eq!(shown, expected, "{query}");
        }
    }

    #[test]
    fn a_long_text_of_brackets_is_read_in_time() {
        let text = "password:(".repeat(10_000);
        assert!(data(&text).len() < text.len());
        let text = "\"password\"\"".repeat(10_000);
        assert!(data(&text).len() <= 2 * text.len());
    }
}
