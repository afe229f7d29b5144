use std::borrow::Cow;

use percent_encoding::percent_decode_str;

use crate::model::Tag;

use super::environment::Environment;
use super::error::ConfigProblem;
use super::setting::Setting;

/// The tags of the process, one a key, in the order in which the keys came.
#[derive(Debug, Default)]
pub(super) struct Tags(Vec<Setting<Tag>>);

impl Tags {
    /// Adds a tag, in place of one of the same key.
    pub(super) fn set(&mut self, tag: Setting<Tag>) {
        match self
            .0
            .iter_mut()
            .find(|known| known.value.key == tag.value.key)
        {
            Some(known) => *known = tag,
            None => self.0.push(tag),
        }
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Setting<Tag>> {
        self.0.iter()
    }

    pub(super) fn into_tags(self) -> Vec<Tag> {
        self.0.into_iter().map(|tag| tag.value).collect()
    }

    /// `JAEGER_TAGS`: `key=value` with commas between. The first `=` counts, both sides are trimmed, empty pieces
    /// are passed over, nothing is escaped.
    pub(super) fn read_jaeger(&mut self, env: &mut Environment<'_>) {
        let Some(text) = env.get(JAEGER_TAGS) else {
            return;
        };
        for piece in text
            .split(',')
            .map(str::trim_ascii)
            .filter(|piece| !piece.is_empty())
        {
            let pair = piece
                .split_once('=')
                .map(|(key, value)| (key.trim_ascii(), value.trim_ascii()));
            let Some((key, value)) = pair.filter(|(key, _)| !key.is_empty()) else {
                env.report(ConfigProblem::invalid(JAEGER_TAGS, piece, "key=value"));
                continue;
            };
            match expand(value, env) {
                Ok(value) => {
                    let tag = Tag::new(key.to_owned(), value.into_owned());
                    self.set(Setting::of_variable(tag, JAEGER_TAGS));
                }
                Err(expected) => env.report(ConfigProblem::invalid(JAEGER_TAGS, piece, expected)),
            }
        }
    }

    /// Adds what `OTEL_RESOURCE_ATTRIBUTES` says, and gives back the service name that it says.
    pub(super) fn read_otel(&mut self, env: &mut Environment<'_>) -> Option<Setting<String>> {
        let mut service_name = None;
        let attributes = env.first([(OTEL_RESOURCE_ATTRIBUTES, resource_attributes)])?;
        for (key, value) in attributes.value {
            if key == "service.name" {
                service_name = Some(value).filter(|name| !name.is_empty());
            } else {
                self.set(Setting::of_variable(
                    Tag::new(key, value),
                    OTEL_RESOURCE_ATTRIBUTES,
                ));
            }
        }
        service_name.map(|name| Setting::of_variable(name, OTEL_RESOURCE_ATTRIBUTES))
    }
}

/// A whole value `${NAME}` or `${NAME:default}` is that variable's value; the default holds where that is unset or
/// empty, and is all that stands after the first colon.
fn expand<'v>(value: &'v str, env: &Environment<'_>) -> Result<Cow<'v, str>, &'static str> {
    let inner = value
        .strip_prefix("${")
        .and_then(|value| value.strip_suffix('}'));
    let Some(inner) = inner else {
        return Ok(Cow::Borrowed(value));
    };
    let (name, default) = match inner.split_once(':') {
        Some((name, default)) => (name, Some(default)),
        None => (inner, None),
    };
    let name = name.trim_ascii();
    if name.is_empty() || name.contains(['=', '\0']) {
        return Err("the name of a variable between ${ and }");
    }
    match (env.get(name), default) {
        (Some(value), _) => Ok(Cow::Owned(value)),
        (None, Some(default)) => Ok(Cow::Borrowed(default)),
        (None, None) => {
            Err("a variable that is set, or a default after a colon as in ${NAME:default}")
        }
    }
}

/// `key=value` with commas between, both sides percent-decoded; all or nothing.
fn resource_attributes(text: &str) -> Result<Vec<(String, String)>, &'static str> {
    const EXPECTED: &str = "key=value, with commas between and percent-encoded as UTF-8";
    text.split(',')
        .map(str::trim_ascii)
        .filter(|piece| !piece.is_empty())
        .map(|piece| {
            let (key, value) = piece.split_once('=')?;
            let key = decode(key.trim_ascii())?;
            (!key.is_empty()).then_some((key, decode(value.trim_ascii())?))
        })
        .collect::<Option<_>>()
        .ok_or(EXPECTED)
}

/// `None` where a `%` is not followed by two hex digits, or the bytes are not UTF-8.
fn decode(text: &str) -> Option<String> {
    let is_escape = |rest: &str| {
        let digits = rest.as_bytes().get(..2);
        digits.is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit))
    };
    if !text.split('%').skip(1).all(is_escape) {
        return None;
    }
    percent_decode_str(text)
        .decode_utf8()
        .ok()
        .map(Cow::into_owned)
}

const JAEGER_TAGS: &str = "JAEGER_TAGS";
const OTEL_RESOURCE_ATTRIBUTES: &str = "OTEL_RESOURCE_ATTRIBUTES";
