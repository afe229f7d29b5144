//! The lists in the README and on the crate page are complete.

use std::fs;
use std::path::Path;

#[test]
fn every_feature_is_documented_and_part_of_full_unless_it_stands_apart() {
    let manifest = file("Cargo.toml");
    let section = between(&manifest, "\n[features]\n", "\n[");
    let features: Vec<_> = section
        .lines()
        .filter_map(|line| line.split_once(" = "))
        .map(|(name, _)| name)
        .filter(|name| !name.starts_with('_') && !["default", "full"].contains(name))
        .collect();
    assert!(features.contains(&"udp"), "{features:?}");
    let full = between(section, "\nfull = [", "]");
    let readme = file("README.md");
    let page = file("src/lib.rs");
    for feature in features {
        let is_in_full = full.contains(&format!("\"{feature}\""));
        // `nats` and `sqlx` need a newer Rust than the crate. `foreign-context` costs each span and is for crates on top.
        // `cli` is a program.
        let is_apart = ["testkit", "nats", "sqlx", "foreign-context", "cli"].contains(&feature);
        assert_eq!(is_in_full, !is_apart, "full: {feature}");
        for (name, text) in [("README.md", &readme), ("src/lib.rs", &page)] {
            let row = format!("| `{feature}` ");
            assert!(text.contains(&row), "{name} has no row for {feature}");
        }
    }
}

#[test]
fn the_readme_lists_the_variables_that_are_read() {
    let page = file("src/config/mod.rs");
    let read = variables(between(&page, "//! | variable |", "\n//!\n"));
    let readme = file("README.md");
    let listed = variables(between(&readme, "\n| variable |", "\n\n"));
    assert!(read.contains(&"JAEGER_SERVICE_NAME"), "{read:?}");
    assert_eq!(listed, read);
}

/// Returns the names in a text, sorted.
fn variables(text: &str) -> Vec<&str> {
    let mut names: Vec<_> = text
        .split(|c: char| !c.is_ascii_alphanumeric() && c != '_')
        .filter(|word| word.starts_with("JAEGER_"))
        .collect();
    names.sort_unstable();
    names.dedup();
    names
}

fn between<'a>(text: &'a str, start: &str, end: &str) -> &'a str {
    let (_, rest) = text.split_once(start).expect(start);
    rest.split_once(end).map_or(rest, |(found, _)| found)
}

fn file(path: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).expect(path)
}
