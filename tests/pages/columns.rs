//! Code on the pages of the crate fits their column.

use crate::sources::files;

/// The number of characters of a line of code that a page of docs.rs shows; a longer line has to be scrolled.
const COLUMN: usize = 96;

/// The number of characters of such a line below a method, a field or a variant, which are indented.
const COLUMN_OF_METHODS: usize = 95;

/// Files whose pages no user sees.
const PRIVATE: [&str; 4] = [
    "src/record/",
    "src/sync/",
    "src/bin/",
    "src/tracer/signals.rs",
];

#[test]
fn code_on_the_pages_of_modules_fits_the_column() {
    let mut too_long = Vec::new();
    for (path, text) in files("src", ".rs") {
        if PRIVATE.iter().any(|private| path.starts_with(private)) {
            continue;
        }
        let mut is_code = false;
        for (number, line) in text.lines().enumerate() {
            let column = match line.starts_with(' ') {
                true => COLUMN_OF_METHODS,
                false => COLUMN,
            };
            let line = line.trim_start();
            let doc = line
                .strip_prefix("//!")
                .or_else(|| line.strip_prefix("///"));
            let Some(doc) = doc.map(|doc| doc.strip_prefix(' ').unwrap_or(doc)) else {
                is_code = false;
                continue;
            };
            if doc.starts_with("```") {
                is_code = !is_code;
            } else if is_code && !doc.starts_with("# ") && doc.chars().count() > column {
                too_long.push(format!("{path}:{}", number + 1));
            }
        }
    }
    assert!(too_long.is_empty(), "{}", too_long.join("\n"));
}
