//! Files of the repository.

use std::fs;
use std::path::Path;

/// Returns the folder of the crate.
pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Returns a file by its path from the root.
pub(crate) fn file(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// Returns the files under a folder whose name ends so, with their paths from the root, in their order.
pub(crate) fn files(folder: &str, ending: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    collect(&root().join(folder), ending, &mut found);
    found.sort();
    found
}

fn collect(folder: &Path, ending: &str, found: &mut Vec<(String, String)>) {
    for entry in fs::read_dir(folder).unwrap_or_else(|error| panic!("{folder:?}: {error}")) {
        let path = entry.expect("an entry").path();
        let name = name(&path);
        if path.is_dir() {
            // What is built, and what other tools keep.
            let is_of_a_tool = name == "target" || name == "node_modules" || name == ".git";
            if !is_of_a_tool {
                collect(&path, ending, found);
            }
        } else if name.ends_with(ending) {
            let from_root = path.strip_prefix(root()).expect("a file of the crate");
            let from_root = from_root.display().to_string();
            let text = file(&from_root);
            found.push((from_root, text));
        }
    }
}

fn name(path: &Path) -> String {
    let name = path.file_name().unwrap_or_default();
    name.to_string_lossy().into_owned()
}

/// Returns the code without comments and without the tests at its end.
pub(crate) fn code_of(text: &str) -> String {
    // Not at `#[cfg(test)]`, which may stand before a module in a file of its own, at the top.
    let text = text.split("\nmod tests {").next().unwrap_or_default();
    let lines = text
        .lines()
        .filter(|line| !line.trim_start().starts_with("//"));
    lines.map(|line| format!("{line}\n")).collect()
}

/// Returns the text between two others; up to the end, if the second does not follow.
pub(crate) fn between<'a>(text: &'a str, start: &str, end: &str) -> &'a str {
    let (_, rest) = text.split_once(start).expect(start);
    rest.split_once(end).map_or(rest, |(found, _)| found)
}
