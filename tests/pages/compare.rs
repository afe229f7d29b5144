//! The comparison with other crates is about the versions that were measured.

use crate::sources::{between, file};

#[test]
fn the_comparison_names_the_versions_that_are_measured() {
    let lock = file("benches/compare/Cargo.lock");
    let page = file("COMPARE.md");
    let table = between(&page, "\n| crate | version |\n|---|---|\n", "\n\n");
    let rows: Vec<_> = table
        .lines()
        .filter_map(|row| row.trim_matches(['|', ' ']).split_once(" | "))
        .collect();
    assert!(rows.iter().any(|(name, _)| *name == "fastrace"), "{rows:?}");
    for (name, version) in rows {
        let package = format!("\nname = \"{name}\"\nversion = \"{version}\"\n");
        assert!(lock.contains(&package), "not measured: {name} {version}");
    }
}
