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
