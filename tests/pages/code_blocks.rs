//! Every block of code on a page is compiled, or says which other language it is in.

use std::path::Path;

use crate::markdown::{Block, Page, pages};
use crate::sources::{between, file, files, root};

#[test]
fn every_block_of_rust_is_compiled() {
    let compiled = compiled_pages();
    assert!(compiled.len() > 10, "{compiled:?}");
    let recipes = files("interop/tests", ".rs");
    for page in pages() {
        for block in page.blocks().iter().filter(|block| is_rust(block)) {
            let place = format!("{}:{}", page.path, block.line);
            let is_ignored = block.words.iter().any(|word| word == "ignore");
            if is_ignored {
                let runs_elsewhere = recipes.iter().any(|(_, text)| *text == block.text);
                assert!(
                    runs_elsewhere,
                    "{place}: neither compiled nor a file of interop/tests"
                );
            } else {
                assert!(
                    compiled.contains(&page.path),
                    "{place}: no crate includes this page"
                );
            }
        }
    }
}

/// Returns whether rustdoc takes a block for Rust.
fn is_rust(block: &Block) -> bool {
    block.words.first().is_none_or(|word| word == "rust")
}

/// Returns the pages that crates include as documentation for their tests.
fn compiled_pages() -> Vec<String> {
    let crates = [
        "src/lib.rs",
        "interop/src/lib.rs",
        "opentelemetry/src/lib.rs",
    ];
    let mut pages = Vec::new();
    for path in crates {
        let text = file(path);
        let folder = Path::new(path).parent().expect("a folder");
        for rest in text.split("#[doc = include_str!(\"").skip(1) {
            let page = rest.split('"').next().expect("a path");
            pages.push(resolved(folder, page));
        }
    }
    pages
}

/// Returns a path from the root, without `..`.
fn resolved(folder: &Path, relative: &str) -> String {
    let mut parts: Vec<_> = folder.iter().map(|part| part.to_string_lossy()).collect();
    for part in relative.split('/') {
        match part {
            ".." => drop(parts.pop()),
            part => parts.push(part.into()),
        }
    }
    parts.join("/")
}

#[test]
fn every_other_block_names_its_language() {
    for page in pages() {
        for block in page.blocks() {
            let place = format!("{}:{}", page.path, block.line);
            let Some(language) = block.words.first() else {
                panic!("{place}: no language");
            };
            let is_known = LANGUAGES.contains(&language.as_str());
            assert!(is_known, "{place}: {language} is not on the list");
        }
    }
}

const LANGUAGES: [&str; 14] = [
    "rust", "text", "console", "sh", "toml", "yaml", "json", "js", "nginx", "ini", "promql",
    "python", "go", "diff",
];

#[test]
fn blocks_of_json_and_yaml_are_well_formed() {
    for (place, text) in blocks_in("json") {
        for document in documents(&text) {
            let read = serde_json::from_str::<serde_json::Value>(&document);
            assert!(read.is_ok(), "{place}: {read:?}");
        }
    }
    for (place, text) in blocks_in("yaml") {
        let read = serde_saphyr::from_str::<serde_json::Value>(&text);
        assert!(read.is_ok(), "{place}: {read:?}");
    }
}

/// Returns the places and the texts of all blocks in a language.
fn blocks_in(language: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    for page in pages() {
        for block in page.blocks() {
            if block.words.first().is_some_and(|word| word == language) {
                found.push((format!("{}:{}", page.path, block.line), block.text));
            }
        }
    }
    assert!(!found.is_empty(), "no block in {language}");
    found
}

/// Returns a text as one document, or its lines if each is one, as logs have them.
fn documents(text: &str) -> Vec<String> {
    match text
        .lines()
        .all(|line| line.starts_with('{') && line.ends_with('}'))
    {
        true => text.lines().map(str::to_owned).collect(),
        false => vec![text.to_owned()],
    }
}

#[test]
fn commands_name_examples_tests_and_features_that_exist() {
    let manifest = file("Cargo.toml");
    let features = between(&manifest, "\n[features]\n", "\n[");
    let mut count = 0;
    for page in pages() {
        let blocks = page.blocks();
        let prose = page.prose();
        let commands = blocks.iter().map(|block| block.text.as_str());
        for line in commands.chain([prose.as_str()]).flat_map(str::lines) {
            let is_ours = [
                "cargo run",
                "cargo test",
                "cargo add tracehound",
                "cargo install tracehound",
            ]
            .iter()
            .any(|command| line.contains(command));
            // Those of other crates of the workspace have other lists.
            if !is_ours || line.contains(" -p ") || line.contains("--manifest-path") {
                continue;
            }
            let words: Vec<_> = line.split([' ', '`', ',', ';', '.']).collect();
            for pair in words.windows(2) {
                let (option, name) = (pair[0], pair[1]);
                let is_there = match option {
                    "--features" => name.is_empty() || features.contains(&format!("\n{name} = ")),
                    "--example" => is_target("examples", name),
                    "--test" => is_target("tests", name),
                    _ => continue,
                };
                assert!(is_there, "{}: {option} {name}: {line}", page.path);
                count += 1;
            }
        }
    }
    assert!(count > 5, "only {count}");
}

/// Returns whether a file or a folder makes a target of Cargo with this name.
fn is_target(folder: &str, name: &str) -> bool {
    let at = root().join(folder);
    at.join(format!("{name}.rs")).exists() || at.join(name).join("main.rs").exists()
}

#[test]
fn blocks_of_text_have_no_code_of_ours() {
    // It would not be compiled. Code of other crates is shown so.
    for page in guide() {
        for block in page.blocks() {
            let is_text = block.words.first().is_some_and(|word| word == "text");
            let is_ours = block.text.contains("use tracehound::");
            let place = format!("{}:{}", page.path, block.line);
            assert!(!(is_text && is_ours), "{place}: compile it");
        }
    }
}

fn guide() -> impl Iterator<Item = Page> {
    pages()
        .into_iter()
        .filter(|page| page.path.starts_with("docs/guide/"))
}
