use std::{fs, path::Path};

/// Returns the last lines of a program's log, for a message; empty if there is no such file.
pub(crate) fn tail(path: &Path) -> String {
    let text = fs::read(path).unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(LINES)..].join("\n")
}

/// Returns whether a program's log contains `text`.
pub(crate) fn contains(path: &Path, text: &str) -> bool {
    let log = fs::read(path).unwrap_or_default();
    String::from_utf8_lossy(&log).contains(text)
}

const LINES: usize = 40;
