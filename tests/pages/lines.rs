//! The lines of the tracer that the guide explains are those that it writes.

use crate::markdown::{Page, code_spans};
use crate::sources::{code_of, files};

#[test]
fn every_line_that_the_guide_explains_is_one_of_the_tracer() {
    let sources: String = files("src", ".rs")
        .iter()
        .map(|(_, text)| joined(&code_of(text)))
        .collect();
    let page = Page::at("docs/guide/missing-traces.md");
    let rows = page.rows("line");
    assert!(rows.len() > 10, "only {} lines", rows.len());
    for row in rows {
        for line in code_spans(&row[0]) {
            // An ellipsis stands for what differs.
            for piece in line.split('…').map(str::trim).filter(|it| it.len() > 3) {
                assert!(
                    sources.contains(piece),
                    "no source has {piece:?} of {line:?}"
                );
            }
        }
    }
}

/// Returns code in which a literal of several lines is on one.
fn joined(code: &str) -> String {
    let mut joined = String::with_capacity(code.len());
    let mut rest = code;
    while let Some((before, after)) = rest.split_once("\\\n") {
        joined += before;
        rest = after.trim_start();
    }
    joined + rest
}
