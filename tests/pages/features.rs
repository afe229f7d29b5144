//! The lists of features are complete.

use crate::sources::{between, file};

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
    for feature in &features {
        let is_in_full = full.contains(&format!("\"{feature}\""));
        // `nats` and `sqlx` need a newer Rust than the crate. `foreign-context` costs each span and is for crates on
        // top. `cli` is a program.
        let is_apart = ["testkit", "nats", "sqlx", "foreign-context", "cli"].contains(feature);
        assert_eq!(is_in_full, !is_apart, "full: {feature}");
        for (name, text) in [("README.md", &readme), ("src/lib.rs", &page)] {
            let row = format!("| `{feature}` ");
            assert!(text.contains(&row), "{name} has no row for {feature}");
        }
    }
    for (name, table) in [
        ("README.md", between(&readme, "\n| feature |", "\n\n")),
        ("src/lib.rs", between(&page, "\n//! | feature |", "\n//!\n")),
    ] {
        for row in table.lines().filter(|row| row.contains("| `")) {
            let feature = between(row, "| `", "`");
            let is_known = feature == "full" || features.contains(&feature);
            assert!(is_known, "{name} has a row for {feature}, which is none");
        }
    }
}
