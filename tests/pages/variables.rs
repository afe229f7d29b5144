//! The lists of variables are complete.

use std::collections::BTreeSet;

use tracehound::config::settings;

use crate::markdown::{Page, code_spans, pages};
use crate::sources::{between, file};

#[test]
fn the_guide_lists_the_variables_that_are_read_and_no_others() {
    let settings = settings();
    let read: BTreeSet<_> = settings
        .iter()
        .flat_map(|setting| setting.variables())
        .copied()
        .collect();
    assert!(read.contains("JAEGER_SERVICE_NAME"), "{read:?}");
    let page = Page::at("docs/guide/configuration.md");
    let rows = page.rows("variable");
    let listed: BTreeSet<_> = rows
        .iter()
        .flat_map(|row| [code_spans(&row[0]), code_spans(&row[3])])
        .flatten()
        .filter(|span| is_variable(span))
        .collect();
    assert_eq!(listed, read);
}

#[test]
fn the_page_of_the_module_lists_the_variables_that_are_read_and_no_others() {
    let page = file("src/config/mod.rs");
    let table = between(&page, "//! | variable |", "\n//!\n");
    let listed: BTreeSet<_> = code_spans(table).filter(|it| is_variable(it)).collect();
    let settings = settings();
    let read: BTreeSet<_> = settings
        .iter()
        .flat_map(|setting| setting.variables())
        .copied()
        .collect();
    assert_eq!(listed, read);
}

/// A list of words that is complete in the catalogue of settings, which its tests compare with the code, is complete
/// on the pages, too.
#[test]
fn pages_list_the_words_that_a_variable_takes() {
    let mut missing = Vec::new();
    let mut check = |path: &str, name: &str, text: &str, words: &[&str]| {
        let absent = words
            .iter()
            .filter(|word| !text.contains(&format!("`{word}`")));
        missing.extend(absent.map(|word| format!("{path}, at `{name}`: `{word}`")));
    };
    let pages = ["README.md", "docs/guide/configuration.md"];
    let rows = pages.map(|path| (path, Page::at(path).rows("variable")));
    for setting in settings() {
        // `none` is in no list.
        let words: Vec<&str> = code_spans(setting.value())
            .filter(|word| !word.contains('=') && *word != "none")
            .collect();
        let Some(name) = setting.variables().first().filter(|_| words.len() > 1) else {
            continue;
        };
        for (path, rows) in &rows {
            let is_own = |row: &&Vec<String>| code_spans(&row[0]).any(|span| span == *name);
            if let Some(row) = rows.iter().find(is_own) {
                check(path, name, &row[1], &words);
            }
        }
        if setting.name() == "sampler" {
            let module = file("src/config/mod.rs");
            let start = "//! # Which sampler do variables choose?";
            for (path, name, text) in [
                (
                    "src/config/mod.rs",
                    start,
                    between(&module, start, "//! # "),
                ),
                (
                    "docs/guide/sampling.md",
                    "you want",
                    &file("docs/guide/sampling.md"),
                ),
                (
                    "src/config/file/mod.rs",
                    "sampler",
                    &file("src/config/file/mod.rs"),
                ),
            ] {
                check(path, name, text, &words);
            }
        }
    }
    assert!(
        missing.is_empty(),
        "words that pages leave out: {missing:#?}"
    );
}

/// Returns whether a text is a name of ours, Jaeger's or OpenTelemetry's.
fn is_variable(text: &str) -> bool {
    let is_name = text
        .bytes()
        .all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_');
    let has_owner = ["JAEGER_", "OTEL_", "TRACEHOUND_"]
        .iter()
        .any(|owner| text.starts_with(owner));
    is_name && has_owner
}

#[test]
fn every_variable_that_a_page_names_is_read() {
    let settings = settings();
    let is_read = |name: &str| {
        let mut all = settings.iter().flat_map(|setting| setting.variables());
        all.any(|variable| *variable == name)
    };
    for page in pages() {
        // It also tells what was.
        if page.path == "CHANGELOG.md" {
            continue;
        }
        let prose = page.prose();
        let blocks = page.blocks();
        let texts = blocks.iter().map(|block| block.text.as_str());
        for text in texts.chain([prose.as_str()]) {
            let words = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
            for word in words.filter(|word| is_variable(word)) {
                // Parts of names stand for all that begin so: `OTEL_EXPORTER_OTLP_*`.
                assert!(
                    is_read(word) || word.ends_with('_') || NOT_OURS.contains(&word),
                    "{}: no variable is called {word}",
                    page.path
                );
            }
        }
    }
}

/// Variables of tests that pages name.
const NOT_OURS: [&str; 1] = ["TRACEHOUND_INTEROP_REQUIRED"];
