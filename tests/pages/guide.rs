//! The guide is complete: its index has every page, and the crate compiles each.

use std::collections::BTreeSet;

use crate::markdown::{Page, pages};
use crate::sources::file;

/// Returns the names of the pages of the guide.
fn names() -> BTreeSet<String> {
    let pages = pages().into_iter();
    let names = pages.filter_map(|page| page.path.strip_prefix("docs/guide/").map(str::to_owned));
    names.filter(|name| name != "README.md").collect()
}

#[test]
fn the_index_of_the_guide_has_every_page_once() {
    let index = Page::at("docs/guide/README.md");
    let links = index.links();
    let listed: Vec<_> = links.iter().filter(|link| !link.contains('/')).collect();
    let unique: BTreeSet<_> = listed.iter().map(|link| (*link).clone()).collect();
    assert_eq!(unique.len(), listed.len(), "a page stands there twice");
    assert_eq!(unique, names());
}

#[test]
fn the_page_of_the_crate_names_every_page_of_the_guide() {
    let page = file("src/lib.rs");
    for name in names() {
        assert!(page.contains(&format!("(`{name}`)")), "src/lib.rs: {name}");
    }
}
