use std::borrow::Cow;
use std::collections::HashMap;

use crate::config::error::{ConfigProblem, InvalidItem};
use crate::config::parse::{self, Expected};
use crate::config::setting::Setting;
use crate::config::variables::Variables;
use crate::model::{Tag, tags};

/// The tags of the process, one for each key, in the order in which the keys came.
#[derive(Debug, Default)]
pub(super) struct Tags {
    tags: Vec<Setting<Tag>>,
    /// This maps each key to the index of its tag. A list from a variable may have thousands of keys.
    places: HashMap<Cow<'static, str>, usize>,
}

impl Tags {
    /// Adds a tag. It replaces one with an equal key.
    ///
    /// # Errors
    ///
    /// Fails if the tracer sets this tag itself.
    pub(super) fn set(&mut self, tag: Setting<Tag>) -> Result<(), ConfigProblem> {
        if tag.value.key == tags::JAEGER_VERSION {
            return Err(ConfigProblem::own_tag(
                tag.name("tag"),
                tags::JAEGER_VERSION,
            ));
        }
        let key = tag.value.key.clone();
        let place = *self.places.entry(key).or_insert(self.tags.len());
        match self.tags.get_mut(place) {
            Some(known) => *known = tag,
            None => self.tags.push(tag),
        }
        Ok(())
    }

    fn set_or_warn(&mut self, tag: Tag, name: &'static str, variables: &mut Variables<'_>) {
        if let Err(warning) = self.set(Setting::of_variable(tag, name)) {
            variables.warn(warning);
        }
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Setting<Tag>> {
        self.tags.iter()
    }

    pub(super) fn into_tags(self) -> Vec<Tag> {
        self.tags.into_iter().map(|tag| tag.value).collect()
    }

    /// Adds the tags of `JAEGER_TAGS`: `key=value`, separated by commas.
    ///
    /// The first `=` separates. Both sides are trimmed, empty items are ignored, and nothing is escaped.
    pub(super) fn read_jaeger(&mut self, variables: &mut Variables<'_>) {
        let Some(text) = variables.get(JAEGER_TAGS) else {
            return;
        };
        for (position, item) in items(&text) {
            match jaeger_tag(item, variables) {
                Ok(tag) => self.set_or_warn(tag, JAEGER_TAGS, variables),
                Err(expected) => {
                    let item = InvalidItem { position, expected };
                    variables.report(ConfigProblem::invalid_item(JAEGER_TAGS, item));
                }
            }
        }
    }

    /// Adds the tags of `OTEL_RESOURCE_ATTRIBUTES`, and returns its service name.
    pub(super) fn read_otel(&mut self, variables: &mut Variables<'_>) -> Option<Setting<String>> {
        let mut service_name = None;
        let text = variables.get(OTEL_RESOURCE_ATTRIBUTES)?;
        let attributes = match resource_attributes(&text) {
            Ok(attributes) => attributes,
            Err(item) => {
                variables.report(ConfigProblem::invalid_item(OTEL_RESOURCE_ATTRIBUTES, item));
                return None;
            }
        };
        for (key, value) in attributes {
            if key == "service.name" {
                service_name = Some(value).filter(|name| !name.is_empty());
            } else {
                self.set_or_warn(Tag::new(key, value), OTEL_RESOURCE_ATTRIBUTES, variables);
            }
        }
        service_name.map(|name| Setting::of_variable(name, OTEL_RESOURCE_ATTRIBUTES))
    }
}

/// Returns the items of a list separated by commas, with their positions from 1. Empty items count and are left out.
fn items(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let items = text.split(',').map(str::trim_ascii);
    (1..).zip(items).filter(|(_, item)| !item.is_empty())
}

fn jaeger_tag(item: &str, variables: &Variables<'_>) -> Result<Tag, Expected> {
    let (key, value) = item.split_once('=').ok_or("key=value")?;
    let key = key.trim_ascii();
    if key.is_empty() {
        return Err("key=value");
    }
    if key.contains("${") {
        return Err("a key without ${: only values are expanded");
    }
    let mut expanded = String::new();
    expand(
        value.trim_ascii(),
        variables,
        &mut expanded,
        DEEPEST_DEFAULT,
    )?;
    Ok(Tag::new(key.to_owned(), expanded))
}

/// Appends a value, with the values of variables in place of `${NAME}` and `${NAME:default}`.
///
/// The default is used if the variable is unset or empty. It reaches from the first colon to the matching brace and is
/// expanded as well; the value of a variable is not.
fn expand(
    mut value: &str,
    variables: &Variables<'_>,
    expanded: &mut String,
    depth: usize,
) -> Result<(), Expected> {
    while let Some((before, rest)) = value.split_once("${") {
        expanded.push_str(before);
        let (inner, after) = matching_brace(rest)
            .ok_or("${NAME} or ${NAME:default} with its closing brace, and no comma inside")?;
        let (name, default) = match inner.split_once(':') {
            Some((name, default)) => (name.trim_ascii(), Some(default)),
            None => (inner.trim_ascii(), None),
        };
        if name.is_empty() || name.contains(['=', '\0', '$', '{', '}']) {
            return Err("the name of a variable between ${ and }");
        }
        match (variables.any(name), default, depth) {
            (Some(value), _, _) => expanded.push_str(&value),
            (None, Some(default), 0) if default.contains("${") => {
                return Err("fewer defaults inside of each other");
            }
            (None, Some(default), _) => {
                expand(default, variables, expanded, depth.saturating_sub(1))?;
            }
            (None, None, _) => {
                return Err(
                    "a variable that is set, or a default after a colon as in ${NAME:default}",
                );
            }
        }
        value = after;
    }
    expanded.push_str(value);
    Ok(())
}

/// Splits a text that follows an open brace at the brace that closes it.
fn matching_brace(text: &str) -> Option<(&str, &str)> {
    let mut open = 1;
    for (at, brace) in text.match_indices(['{', '}']) {
        open = if brace == "{" { open + 1 } else { open - 1 };
        if open == 0 {
            return Some((&text[..at], &text[at + 1..]));
        }
    }
    None
}

/// Reads `key=value`, separated by commas and percent-encoded. One bad item makes the whole list bad.
fn resource_attributes(text: &str) -> Result<Vec<(String, String)>, InvalidItem> {
    let attribute = |item: &str| {
        let (key, value) = item.split_once('=')?;
        let key = parse::percent_decoded(key.trim_ascii())?;
        (!key.is_empty()).then_some((key, parse::percent_decoded(value.trim_ascii())?))
    };
    items(text)
        .map(|(position, item)| {
            attribute(item).ok_or(InvalidItem {
                position,
                expected: "key=value, with commas between and percent-encoded as UTF-8",
            })
        })
        .collect()
}

/// How deep defaults may be nested.
const DEEPEST_DEFAULT: usize = 16;
const JAEGER_TAGS: &str = "JAEGER_TAGS";
const OTEL_RESOURCE_ATTRIBUTES: &str = "OTEL_RESOURCE_ATTRIBUTES";
