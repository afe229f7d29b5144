//! Files import each other in one direction: no file reaches itself by imports.

use super::imports::{Import, circle, imports};
use super::sources;

fn owned(files: &[(&str, &str)]) -> Vec<(String, String)> {
    let files = files.iter();
    files
        .map(|(file, text)| ((*file).to_owned(), (*text).to_owned()))
        .collect()
}

fn ways(imports: &[Import]) -> Vec<(&str, &str)> {
    let ways = imports.iter();
    ways.map(|import| (import.from.as_str(), import.to.as_str()))
        .collect()
}

#[test]
fn no_files_import_each_other_in_a_circle() {
    let imports = imports(&sources());
    assert!(imports.len() > 300, "only {} imports found", imports.len());
    let circle = circle(&imports);
    assert!(circle.is_none(), "{circle:?}");
}

#[test]
fn a_circle_over_three_files_and_a_re_export_is_found() {
    let sources = owned(&[
        ("lib.rs", "pub use a::One;"),
        (
            "a/mod.rs",
            "mod one;\nmod two;\npub(crate) use one::One;\npub use two::{self, Two as Second};",
        ),
        ("a/one.rs", "use crate::a::Second;"),
        ("a/two.rs", "use crate::b::{c::Three, Four};"),
        ("b/mod.rs", "pub(crate) mod c;\npub struct Four;"),
        ("b/c.rs", "fn f() { crate::a::One::new(); }"),
    ]);
    let imports = imports(&sources);
    let expected = [
        ("a/one.rs", "a/two.rs"),
        ("a/two.rs", "b/c.rs"),
        ("a/two.rs", "b/mod.rs"),
        ("b/c.rs", "a/one.rs"),
    ];
    assert_eq!(ways(&imports), expected);
    assert_eq!(
        circle(&imports).expect("a circle"),
        ["a/one.rs", "a/two.rs", "b/c.rs"]
    );
}

#[test]
fn imports_of_tests_and_of_other_crates_are_left_out() {
    let sources = owned(&[
        (
            "a.rs",
            "use std::fmt;\nuse crate::b::B;\n#[cfg(test)]\nmod tests {\n    use super::*;\n    use crate::c::C;\n}",
        ),
        (
            "b.rs",
            "#[cfg(all(test, unix))]\nuse crate::a::A;\nuse super::c::C;",
        ),
        ("c.rs", "mod inner { use super::super::a; }"),
    ]);
    let imports = imports(&sources);
    let expected = [("a.rs", "b.rs"), ("b.rs", "c.rs"), ("c.rs", "a.rs")];
    assert_eq!(ways(&imports), expected);
    assert!(circle(&imports).is_some());
}
