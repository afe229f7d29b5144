//! The traces of a failed assertion, in files that a person opens.

use std::env;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::thread;

use crate::environment;
use crate::reporter::OwnedSpan;
use crate::view::Trace;
use crate::view::page::frame::Frame;
use crate::view::page::page;

/// Writes traces to files, and returns the lines that say where. Without a place for them the lines are empty.
pub(super) fn attach(spans: &[OwnedSpan]) -> String {
    let Some(directory) = directory().filter(|_| !spans.is_empty()) else {
        return String::new();
    };
    let mut traces = Trace::of(spans.iter().cloned());
    traces.truncate(MAX_TRACES);
    match write(&directory, &file_name(), &traces) {
        Ok((html, json)) => format!(
            "\nthe traces as a page: {}\nfor Jaeger's user interface: {}\n",
            html.display(),
            json.display()
        ),
        Err(error) => format!(
            "\nthe traces could not be written to {}: {error}\n",
            directory.display()
        ),
    }
}

fn write(directory: &Path, name: &str, traces: &[Trace]) -> io::Result<(PathBuf, PathBuf)> {
    fs::create_dir_all(directory)?;
    let file = |ending: &str| directory.join(format!("{name}.{ending}"));
    let (html, jaeger) = (file("html"), file("json"));
    fs::write(&html, page(traces, Frame::file(), &[]))?;
    fs::write(&jaeger, Trace::json_of(traces))?;
    Ok((html, jaeger))
}

/// Returns the directory for the files: the one that the environment names, else one in cargo's target directory. No
/// shared directory, in which another user could have put a link under the same name.
fn directory() -> Option<PathBuf> {
    match environment::variable(TRACES_DIR) {
        Some(off) if off.eq_ignore_ascii_case("off") => None,
        Some(path) if !path.is_empty() => Some(path.into()),
        _ => Some(target(&env::current_exe().ok()?)?.join("tracehound")),
    }
}

/// Returns the target directory of a test, which cargo builds as `target/debug/deps/name-0123456789abcdef`.
fn target(program: &Path) -> Option<&Path> {
    let deps = program.parent()?;
    let is_deps = deps.file_name()? == "deps";
    deps.parent()?.parent().filter(|_| is_deps)
}

/// Returns the name of the program and that of the thread, which is that of the test.
fn file_name() -> String {
    let program = env::current_exe().ok();
    let stem = program
        .as_deref()
        .and_then(|path| path.file_stem()?.to_str());
    let stem = stem.map_or("test", |stem| {
        stem.rsplit_once('-').map_or(stem, |(name, _)| name)
    });
    let thread = thread::current();
    safe(&format!("{stem}.{}", thread.name().unwrap_or("thread")))
}

/// Returns a name for a file: letters, digits and dots, of bounded length.
fn safe(name: &str) -> String {
    let name = name.replace("::", ".");
    let is_safe = |c: char| c.is_ascii_alphanumeric() || "._".contains(c);
    let characters = name.chars().take(MAX_NAME);
    characters
        .map(|c| if is_safe(c) { c } else { '-' })
        .collect()
}

/// The variable that names the directory for the traces of failed assertions.
const TRACES_DIR: &str = "TRACEHOUND_TRACES_DIR";
const MAX_TRACES: usize = 8;
/// File systems allow 255 bytes.
const MAX_NAME: usize = 200;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_target_directory_is_found_from_a_test_alone() {
        let of = |program| target(Path::new(program)).map(|path| path.display().to_string());
        let found = Some("/shop/target".to_owned());
        assert_eq!(of("/shop/target/debug/deps/it-0123"), found);
        assert_eq!(of("/shop/target/debug/shop"), None);
        assert_eq!(of("it"), None);
    }

    #[test]
    fn names_of_files_are_safe() {
        assert_eq!(
            safe("it.checkout::a_cart_is_paid"),
            "it.checkout.a_cart_is_paid"
        );
        assert_eq!(safe("../a b\0/é"), "..-a-b---");
        assert_eq!(safe(&"x".repeat(1_000)).len(), MAX_NAME);
    }
}
