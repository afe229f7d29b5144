//! Every name of a tag, of an event and of a log field stands in the guide, and nothing else does.

use std::collections::{BTreeMap, BTreeSet};

use crate::sources::{code_of, file, files};

/// The rooms that set tags and log fields.
const ROOMS: [&str; 7] = [
    "src/bridge",
    "src/middleware",
    "src/record",
    "src/scope",
    "src/span",
    "src/traced",
    "src/tracer",
];

/// Returns all names that stand in backticks in the tables of the guide.
fn documented() -> BTreeSet<String> {
    let guide = file("docs/guide/names.md");
    let (_, tables) = guide
        .split_once("\n## Tags with two names\n")
        .expect("tables");
    let rows = tables.lines().filter(|line| line.starts_with("| "));
    let columns = rows.flat_map(|row| row.split('|').skip(1).take(2).collect::<Vec<_>>());
    let texts = columns.flat_map(|column| column.split('`').skip(1).step_by(2).collect::<Vec<_>>());
    texts.map(str::to_owned).collect()
}

/// Returns the code of the rooms, without tests.
fn code() -> Vec<(String, String)> {
    let sources = ROOMS.into_iter().flat_map(|room| files(room, ".rs"));
    let tests = ["tests", "fixtures", "interleavings"];
    let sources = sources.filter(|(path, _)| !tests.iter().any(|word| path.contains(word)));
    let code: Vec<_> = sources.map(|(path, text)| (path, code_of(&text))).collect();
    assert!(code.len() > 150, "only {} files", code.len());
    code
}

/// Returns the names that the sources set, each with a file that does.
fn names_that_are_set() -> BTreeMap<String, String> {
    let code = code();
    let names_of = |module: &str| constants(&file(module));
    let (tags, otel_tags) = (
        names_of("src/model/tags.rs"),
        names_of("src/model/otel_tags.rs"),
    );
    let local: BTreeMap<_, _> = code.iter().flat_map(|(_, text)| constants(text)).collect();
    let mut found = BTreeMap::new();
    for (path, text) in &code {
        let is_otel = text.contains("otel_tags as tags");
        for (at, _) in text.match_indices("tags::") {
            let rest = &text[at + "tags::".len()..];
            let end =
                rest.find(|c: char| !(c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_'));
            let (constant, after) = rest.split_at(end.unwrap_or(rest.len()));
            let is_type = after.starts_with(char::is_alphanumeric);
            // The values of a tag are no names.
            let is_value = constant.starts_with("SPAN_KIND_") || constant == "OTHER";
            if constant.is_empty() || is_type || is_value {
                continue;
            }
            let list = match is_otel || text[..at].ends_with("otel_") {
                true => &otel_tags,
                false => &tags,
            };
            let name = list.get(constant);
            let name = name.unwrap_or_else(|| panic!("{path}: what is tags::{constant}?"));
            found.insert(name.clone(), path.clone());
        }
        for argument in first_arguments(text) {
            let name = match argument.strip_prefix('"') {
                Some(literal) => Some(literal.to_owned()),
                None => local.get(argument).cloned(),
            };
            if let Some(name) = name {
                found.insert(name, path.clone());
            }
        }
    }
    found
}

/// Returns the constants of text in a source, with their values.
fn constants(text: &str) -> BTreeMap<String, String> {
    let lines = text.split("const ").skip(1);
    lines
        .filter_map(|line| {
            let (name, rest) = line.split_once(": &str =")?;
            let value = rest.trim_start().strip_prefix('"')?;
            Some((name.to_owned(), value.split('"').next()?.to_owned()))
        })
        .collect()
}

/// Returns the first argument of each call that sets a tag or makes a log field: a path, or `"` and a literal.
fn first_arguments(text: &str) -> Vec<&str> {
    let mut arguments = Vec::new();
    for call in [
        "set_tag(",
        "set_tag_with(",
        ".tag(",
        "field(",
        "log_event(",
        "fields.push(",
        "fields.push_text(",
    ] {
        for (at, _) in text.match_indices(call) {
            // Not a field of `Debug`, nor a function whose name only ends so.
            let before = text[..at].chars().next_back();
            let is_method = matches!(call, "field(") && before == Some('.');
            if is_method || before.is_some_and(|c| c.is_alphanumeric() || c == '_') {
                continue;
            }
            let argument = text[at + call.len()..].trim_start();
            let (skipped, quote) = match argument.strip_prefix('"') {
                Some(_) => (1, '"'),
                None => (0, ','),
            };
            let end = argument[skipped..].find([quote, ')']);
            arguments.push(argument[..skipped + end.unwrap_or_default()].trim());
        }
    }
    arguments
}

#[test]
fn the_guide_has_every_name_that_is_set() {
    let documented = documented();
    let missing: Vec<_> = names_that_are_set()
        .into_iter()
        .filter(|(name, _)| !documented.contains(name))
        .collect();
    assert!(
        missing.is_empty(),
        "not in docs/guide/names.md: {missing:#?}"
    );
}

#[test]
fn each_name_in_the_guide_is_set_somewhere() {
    let set = names_that_are_set();
    let sources = code();
    let is_known = |name: &String| {
        // Names that are put together, and those in lists, stand in the sources all the same.
        let literal = name.split('{').next().unwrap_or_default();
        set.contains_key(name)
            || sources
                .iter()
                .any(|(_, text)| text.contains(&format!("\"{literal}")))
            || constants(&file("src/model/tags.rs"))
                .values()
                .any(|tag| tag == name)
    };
    let unknown: Vec<_> = documented()
        .into_iter()
        .filter(|name| !is_known(name))
        .collect();
    assert!(
        unknown.is_empty(),
        "only in docs/guide/names.md: {unknown:#?}"
    );
}
