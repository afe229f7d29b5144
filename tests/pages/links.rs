//! Whatever a page refers to is there: files, headings, folders.

use std::path::{Component, Path, PathBuf};

use crate::markdown::{Page, pages};
use crate::sources::{files, root};

#[test]
fn every_relative_link_leads_to_a_file_and_a_heading() {
    let mut count = 0;
    for page in pages() {
        let anchors = page.anchors();
        for link in page.links() {
            if link.contains("://") || link.starts_with("mailto:") {
                continue;
            }
            count += 1;
            let place = format!("{}: {link}", page.path);
            let (target, anchor) = link.split_once('#').unwrap_or((link.as_str(), ""));
            if target.is_empty() {
                assert!(
                    anchors.iter().any(|it| it == anchor),
                    "{place}: no such heading"
                );
                continue;
            }
            let folder = Path::new(&page.path).parent().expect("a folder");
            let target = normal(&folder.join(target));
            assert!(root().join(&target).exists(), "{place}: no such file");
            if !anchor.is_empty() {
                let other = Page::at(&target.to_string_lossy());
                let has_anchor = other.anchors().iter().any(|it| it == anchor);
                assert!(has_anchor, "{place}: no such heading");
            }
        }
    }
    assert!(count > 50, "only {count} links");
}

/// Returns a path without `..`.
fn normal(path: &Path) -> PathBuf {
    let mut normal = PathBuf::new();
    for part in path.components() {
        match part {
            Component::ParentDir => drop(normal.pop()),
            part => normal.push(part),
        }
    }
    normal
}

#[test]
fn every_file_that_a_page_or_a_comment_names_is_there() {
    let pages = pages().into_iter().map(|page| {
        let prose = page.prose();
        (page.path, prose)
    });
    let mut texts: Vec<_> = pages.filter(|(path, _)| path != "CHANGELOG.md").collect();
    for (path, text) in files("src", ".rs") {
        let comments = text
            .lines()
            .filter(|line| line.trim_start().starts_with("//"));
        let comments: Vec<_> = comments.collect();
        texts.push((path, comments.join("\n")));
    }
    let (mut count, mut missing) = (0, Vec::new());
    for (path, text) in texts {
        let folder = Path::new(&path).parent().expect("a folder");
        for word in text.split(|c: char| !is_of_a_path(c)) {
            let word = word.trim_end_matches(['.', '/', '-']);
            let (first, rest) = word.split_once('/').unwrap_or((word, ""));
            let is_elsewhere = ELSEWHERE.iter().any(|other| word.starts_with(other));
            if !FOLDERS.contains(&first) || rest.is_empty() || is_elsewhere {
                continue;
            }
            count += 1;
            // A page may name files of the crate that it stands in, and an example without its ending.
            let candidates = [
                root().join(word),
                root().join(format!("{word}.rs")),
                root().join(folder).join(word),
            ];
            if !candidates.iter().any(|file| file.exists()) {
                missing.push(format!("{path}: there is no {word}"));
            }
        }
    }
    assert!(missing.is_empty(), "{missing:#?}");
    assert!(count > 100, "only {count} names");
}

fn is_of_a_path(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '/' | '_' | '-' | '.' | '@')
}

/// Files of readers in examples, and folders that tools make.
const ELSEWHERE: [&str; 5] = [
    "src/bin/stock.rs",
    "src/main.rs",
    "src/shop.rs",
    "fuzz/artifacts",
    "fuzz/corpus",
];

/// Folders at the root whose files pages name.
const FOLDERS: [&str; 10] = [
    ".ci",
    "benches",
    "docs",
    "examples",
    "fuzz",
    "interop",
    "macros",
    "opentelemetry",
    "src",
    "tests",
];
