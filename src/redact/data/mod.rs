//! Hides the secrets in the data of a program: JSON, the fields of a form, the `Debug` text of a value, XML.
//!
//! A secret is known by its name, such as `password` or `api_key`. The value after such a name is replaced by `…`, in
//! any notation. A string that holds such a name is replaced as well. Where the end of a value is a guess, the rest of
//! the line is hidden. So too much is hidden at times, and a text that is cut anywhere shows no secret that the whole
//! text would not show.
//!
//! A field `value` or `values` before the name is hidden, too, if the name is in the same object, tag or element, or is
//! itself a value of an object around that one, up to the next list. If the text is cut within one of these, the name
//! may have been cut off, so the field is hidden. Outside of brackets and elements, as in `value=7 name=password`, every
//! name behind it counts; and of a text that is cut before that name, the value is shown.

mod scopes;
#[cfg(test)]
mod tests;
mod words;

use std::borrow::Cow;

use percent_encoding::percent_decode_str;

use self::scopes::Scopes;
use self::words::{is_in_word, string_end, word_end};
use crate::redact;
use crate::redact::secret_names::is_secret_name;

/// Hides the secrets of data, those of URLs included.
pub(crate) fn data(text: &str) -> Cow<'_, str> {
    if !may_hold_secret(text) {
        return redact::text(text);
    }
    let mut hider = Hider {
        text,
        rest: text,
        shown: String::with_capacity(text.len()),
        scopes: None,
    };
    hider.run();
    Cow::Owned(redact::text(&hider.shown).into_owned())
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

/// Whether it takes a closer look to see that there is no secret.
fn may_hold_secret(text: &str) -> bool {
    text.contains('%')
        || text.contains('\\')
        || text.contains(KEY_BLOCK)
        || ["value", "Value", "VALUE"]
            .iter()
            .any(|name| text.contains(name))
        || is_secret_name(text)
}

/// Reads a text from its start and writes what may be shown.
struct Hider<'t> {
    text: &'t str,
    rest: &'t str,
    shown: String,
    /// The scopes of the text, once there was a key `value`.
    scopes: Option<Scopes>,
}

/// A text that has just been copied.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Name<'t> {
    /// It names no secret.
    Harmless,
    /// The name of a secret: a word.
    Word(&'t str),
    /// The name of a secret: a string in quotes.
    String,
}

impl<'t> Hider<'t> {
    fn run(&mut self) {
        while let Some(first) = self.rest.chars().next() {
            let name = if first == '"' {
                self.string()
            } else if self.rest.starts_with(KEY_BLOCK) {
                self.key_block()
            } else if is_in_word(first) {
                self.word()
            } else {
                let other = self.take(first.len_utf8());
                self.shown.push_str(other);
                Name::Harmless
            };
            if name != Name::Harmless {
                self.hide_value(name);
            }
        }
    }

    /// Copies a string, but hides one that holds more than the name of a secret.
    fn string(&mut self) -> Name<'t> {
        let string = self.take(string_end(self.rest, '"'));
        if !is_secret_name(string) {
            self.shown.push_str(string);
            return if is_value(string.trim_matches('"')) && self.is_named_later(false) {
                Name::String
            } else {
                Name::Harmless
            };
        }
        let is_name = is_plain_name(string.trim_matches('"'));
        self.shown.push_str(if is_name { string } else { "\"…\"" });
        Name::String
    }

    /// Copies a word, as `string` does. It may be the encoded form of a longer text.
    fn word(&mut self) -> Name<'t> {
        let word = self.take(word_end(self.rest));
        if !is_secret_name(word) {
            self.shown.push_str(word);
            let is_of_tag = self.is_name_of_tag(word);
            let is_hidden = is_value(word) && !self.is_end_tag() && self.is_named_later(is_of_tag);
            return if is_hidden {
                Name::Word(word)
            } else {
                Name::Harmless
            };
        }
        self.shown
            .push_str(if is_plain_name(word) { word } else { "…" });
        match self.is_end_tag() {
            true => Name::Harmless,
            false => Name::Word(word),
        }
    }

    /// Hides a private key in the form of PEM.
    fn key_block(&mut self) -> Name<'t> {
        let body = self.take(KEY_BLOCK.len());
        let is_private = self.rest.lines().next().unwrap_or_default();
        if !is_private.contains("PRIVATE") {
            self.shown.push_str(body);
            return Name::Harmless;
        }
        let end = self.rest.find(KEY_BLOCK_END);
        self.take(end.map_or(self.rest.len(), |end| end + KEY_BLOCK_END.len()));
        self.shown.push('…');
        Name::Harmless
    }

    /// Replaces the value after the name of a secret.
    fn hide_value(&mut self, name: Name<'t>) {
        if name == Name::String && self.is_part_of_form() {
            let end = self.rest.find("\n--").unwrap_or(self.rest.len());
            self.take(end);
            self.shown.push('…');
            return;
        }
        if let Name::Word(word) = name
            && self.is_name_of_tag(word)
            && !self.rest.trim_start().starts_with('>')
        {
            // The tag has attributes.
            let tag = tag_end(self.rest);
            let end = match self.rest[..tag].ends_with("/>") {
                true => tag,
                false => element_end(self.rest, word),
            };
            if !self.take(end).is_empty() {
                self.shown.push('…');
            }
            return;
        }
        let between = self.take(between_end(self.rest));
        self.shown.push_str(between);
        let end = self.value_end(name, between);
        if !self.take(end).is_empty() {
            self.shown.push('…');
        }
    }

    /// Whether a value follows that may belong to a name behind it: `"value":"…","name":"password"`.
    fn is_named_later(&mut self, is_name_of_tag: bool) -> bool {
        let between = &self.rest[..between_end(self.rest)];
        let text = self.text;
        (is_name_of_tag || between.contains([':', '=', '>']))
            && self
                .scopes
                .get_or_insert_with(|| Scopes::of(text))
                .name_later(text.len() - self.rest.len(), is_name_of_tag)
    }

    /// Returns the end of the value that the rest begins with.
    fn value_end(&self, name: Name<'t>, between: &str) -> usize {
        let is_element = between.contains('>');
        if let Some(tag) = self.rest.strip_prefix('<') {
            return match name {
                // An empty element.
                _ if is_element && tag.starts_with('/') => 0,
                Name::Word(word) if is_element => element_end(self.rest, word),
                _ => self.rest.len(),
            };
        }
        // `"name":"password","type":"text","value":"…"`
        let is_quoted = name == Name::String || between.starts_with(['"', '\'']);
        if is_quoted && between.contains(',') {
            return enclosed_end(self.rest, &[]);
        }
        match self.rest.chars().next() {
            Some(quote @ ('"' | '\'' | '`')) => {
                let mut end = string_end(self.rest, quote);
                // SQL and CSV write a quote within a string twice.
                while self.rest[end..].starts_with(quote) {
                    end += string_end(&self.rest[end..], quote);
                }
                end + enclosed_end(&self.rest[end..], &SEPARATORS)
            }
            _ if begins_with_group(self.rest) => enclosed_end(self.rest, &SEPARATORS),
            _ => match scalar_end(self.rest) {
                Some(end) => end,
                None => bare_end(self.rest, is_element),
            },
        }
    }

    /// Whether the text that has been written ends with the name of an end tag: `</password`.
    fn is_end_tag(&self) -> bool {
        let is_in_name = |c: char| is_in_word(c) || c == ':';
        // In this order: a long run of names is not walked back from each of them.
        self.rest.trim_start().starts_with('>')
            && self.shown.trim_end_matches(is_in_name).ends_with("</")
    }

    /// Whether the text that has been written ends with this name of a tag: `<password`, `<ns:password`.
    fn is_name_of_tag(&self, name: &str) -> bool {
        let before = self.shown.strip_suffix(name).unwrap_or_default();
        let prefix = before.strip_suffix(':');
        let before = prefix.map_or(before, |prefix| prefix.trim_end_matches(is_in_word));
        before.ends_with('<')
    }

    /// Whether the text that has been written ends with the name of a part of a form: `form-data; name="password"`.
    fn is_part_of_form(&self) -> bool {
        let before = self
            .shown
            .trim_end_matches(|c: char| c == '"' || is_in_word(c));
        let before = before.strip_suffix("name=").unwrap_or_default();
        before.trim_end().ends_with("form-data;")
    }

    fn take(&mut self, end: usize) -> &'t str {
        let (taken, rest) = self.rest.split_at(end);
        self.rest = rest;
        taken
    }
}

/// Whether a name is the key of a value whose name is another field.
fn is_value(name: &str) -> bool {
    ["value", "values"]
        .iter()
        .any(|value| name.eq_ignore_ascii_case(value))
}

const KEY_BLOCK: &str = "-----BEGIN";
const KEY_BLOCK_END: &str = "-----END";

/// Separators behind a value whose end is known.
const SEPARATORS: [char; 5] = [',', '&', ';', '\n', '<'];

/// A longer text is no name of a field.
const LONGEST_NAME: usize = 64;

/// Whether a text is a name and nothing else, plain or encoded.
fn is_plain_name(text: &str) -> bool {
    let decoded = percent_decode_str(text).decode_utf8_lossy();
    let plain = redact::secret_names::unescaped(&decoded);
    let is_in_name =
        |c: char| c.is_alphanumeric() || matches!(c, '_' | '-' | '.' | '$' | '[' | ']');
    text.len() <= LONGEST_NAME && plain.chars().all(is_in_name)
}

/// Returns the end of the signs between a name and its value: `: `, `=`, `'] => `.
fn between_end(text: &str) -> usize {
    let is_sign = |c: char| matches!(c, ':' | '=' | '>' | ',');
    // What the name is in ends here, if a sign follows.
    let after = text.trim_start_matches(['\'', '`', '[', ']', ')', '\\', '"']);
    let is_closed = after.trim_start().starts_with(is_sign);
    let after = if is_closed { after } else { text };
    let value = after.trim_start_matches(|c: char| c.is_whitespace() || is_sign(c));
    text.len() - value.len()
}

/// Whether a text begins with a group in brackets, perhaps with a word before it: `Some("…")`.
fn begins_with_group(text: &str) -> bool {
    let is_in_path = |c: char| c.is_alphanumeric() || matches!(c, '_' | ':');
    let after = text.trim_start_matches(is_in_path);
    after.starts_with(['(', '[', '{']) || after.starts_with(" {")
}

/// Returns the end of a number, or of a word that stands for no text, in a list or structure.
fn scalar_end(text: &str) -> Option<usize> {
    let end = text
        .find(|c: char| !c.is_ascii_alphanumeric())
        .filter(|end| text[*end..].trim_start().starts_with([',', '}', ']', ')']))?;
    let scalar = &text[..end];
    let is_number = scalar.bytes().all(|byte| byte.is_ascii_digit());
    let is_scalar = is_number || matches!(scalar, "true" | "false" | "null" | "None");
    is_scalar.then_some(end)
}

/// Returns the first of these separators outside of brackets and quotes, the bracket around the text, or its end.
fn enclosed_end(text: &str, separators: &[char]) -> usize {
    let mut depth = 0_usize;
    let mut at = 0;
    while let Some(c) = text[at..].chars().next() {
        match c {
            '"' => {
                at += string_end(&text[at..], '"');
                continue;
            }
            '(' | '[' | '{' => depth += 1,
            ')' | ']' | '}' if depth == 0 => return at,
            ')' | ']' | '}' => depth -= 1,
            c if depth == 0 && separators.contains(&c) => return at,
            _ => {}
        }
        at += c.len_utf8();
    }
    text.len()
}

/// Returns the end of a value without quotes or brackets, in which any sign may stand: that of its parameter, of its
/// element, or of its line and of further lines that are indented.
fn bare_end(text: &str, is_element: bool) -> usize {
    let ends = text.match_indices(['&', '\n', '<']);
    let mut ends = ends.filter(|(at, end)| {
        let rest = &text[at + 1..];
        match *end {
            "\n" => !rest.starts_with([' ', '\t']),
            "<" => is_element && rest.starts_with('/'),
            _ => begins_with_key(rest),
        }
    });
    ends.next().map_or(text.len(), |(at, _)| at)
}

/// Whether a text begins with the next parameter of a form: `id=`.
fn begins_with_key(text: &str) -> bool {
    let is_in_key = |c: char| is_in_word(c) || matches!(c, '[' | ']');
    let after = text.trim_start_matches(is_in_key);
    after.len() < text.len() && after.starts_with('=')
}

/// Returns the end of a tag of whose name the text is the rest.
fn tag_end(text: &str) -> usize {
    let mut quote = None;
    for (at, c) in text.char_indices() {
        match (quote, c) {
            (None, '>') => return at + 1,
            (None, '"' | '\'') => quote = Some(c),
            (Some(open), c) if open == c => quote = None,
            _ => {}
        }
    }
    text.len()
}

/// Returns the start of the end tag of an element, or the end of the text.
fn element_end(text: &str, name: &str) -> usize {
    let mut tags = text.match_indices("</").filter(|(at, _)| {
        let tag = &text[at + 2..];
        let tag = &tag[..tag.find('>').unwrap_or(tag.len())];
        let local = tag.rsplit(':').next().unwrap_or_default();
        local.trim_end() == name
    });
    tags.next().map_or(text.len(), |(at, _)| at)
}
