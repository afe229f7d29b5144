//! The floors of the crate: a room imports from lower floors only, and rooms on one floor do not know each other. A
//! room is a module directly under `src/`. `lib.rs` is the roof and may import everything.

mod circles;
mod imports;
mod paths;
mod unsafe_code;
mod wings;

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};

use paths::{crate_paths, re_exports};

/// Every room, from the ground up.
const FLOORS: [&[&str]; 12] = [
    &[
        "clock",
        "sync",
        "panics",
        "redact",
        "bounded_text",
        "environment",
        "diagnostics",
    ],
    &["model", "metrics"],
    &["thrift", "poller", "http_client"],
    &["services"],
    &["sampler", "agent_poll"],
    &["record", "throttler", "restrictions"],
    &["span"],
    &["scope", "propagation", "reporter", "observer"],
    &["watch", "decode", "view"],
    &["tracer"],
    &["config", "middleware", "bridge", "traced", "dev", "testkit"],
    // `fuzzing` is not in ordinary builds.
    &["prelude", "fuzzing"],
];

/// Pairs of rooms on one floor: the first may import from the second, but not the other way round.
const STEPS: [(&str, &str); 5] = [
    // An exemplar of a histogram names a trace.
    ("metrics", "model"),
    // A cause stays silent for ten seconds after a line, so lines need the time.
    ("diagnostics", "clock"),
    // The causes with a line are kept per process, like all data behind a lock.
    ("diagnostics", "sync"),
    // Lines may go to user code.
    ("diagnostics", "panics"),
    // A variable starts the embedded agent instead of sending to a real one.
    ("config", "dev"),
];

#[test]
fn every_room_imports_from_lower_floors_only() {
    let sources = sources();
    assert!(sources.len() > 20, "only {} files found", sources.len());
    let violations = violations(&sources);
    assert!(violations.is_empty(), "{}", violations.join("\n"));
}

#[test]
fn an_import_from_above_is_found_in_every_file() {
    let (roof, rooms): (Vec<_>, Vec<_>) = sources()
        .into_iter()
        .partition(|(file, _)| file == "lib.rs");
    for (file, mut text) in rooms {
        if file == "prelude.rs" {
            continue;
        }
        text.push_str("\nuse crate::prelude::Tracer;\n");
        let violations = violations(&[roof[0].clone(), (file.clone(), text)]);
        assert_eq!(violations.len(), 1, "{file}: {violations:?}");
        assert!(violations[0].starts_with(&file), "{file}: {violations:?}");
    }
}

#[test]
fn a_seeded_violation_is_told_from_allowed_imports() {
    let rows = [
        // Imports from a higher floor, a sibling, the same room and a lower floor.
        (
            "reporter/x.rs",
            "use crate::tracer::Tracer;",
            Some("tracer"),
        ),
        ("reporter/x.rs", "use crate::scope::Scope;", Some("scope")),
        ("reporter/x.rs", "use crate::reporter::Reporter;", None),
        ("reporter/x.rs", "use crate::{model::Tag, clock};", None),
        ("poller/x.rs", "use crate::thrift::X;", Some("thrift")),
        ("reporter/x.rs", "pub use crate::record::Logs;", None),
        // An allowed import within a floor, and its reverse.
        ("diagnostics.rs", "use crate::clock::Clock;", None),
        (
            "clock.rs",
            "use crate::diagnostics::Diagnostics;",
            Some("diagnostics"),
        ),
        // Every spelling of an import.
        (
            "record/x.rs",
            "use crate::{\n    model::{Tag, tags},\n    span::{Span, self},\n};",
            Some("span"),
        ),
        (
            "span.rs",
            "fn f() { crate::config::Config::x() }",
            Some("config"),
        ),
        (
            "model/x.rs",
            "macro_rules! m { () => { $crate::span::Span } }",
            Some("span"),
        ),
        ("span/x.rs", "use super::super::tracer::X;", Some("tracer")),
        ("span/x.rs", "use super::Span;", None),
        ("span/mod.rs", "use super::scope::X;", Some("scope")),
        (
            "clock.rs",
            "mod inner { use super::super::model; }",
            Some("model"),
        ),
        ("span/x.rs", "use crate::JaegerTracer;", Some("tracer")),
        ("tracer/x.rs", "use crate::SpanContext;", None),
        ("config/x.rs", "use crate::*;", Some("*")),
        ("config/x.rs", "use crate::Nobody;", Some("Nobody")),
        ("attic/x.rs", "", Some("attic")),
        // Tests may import from siblings, but not from above.
        (
            "reporter/x.rs",
            "#[cfg(test)]\nmod tests { fn f() {} use crate::scope::Scope; }",
            None,
        ),
        (
            "reporter/x.rs",
            "#[cfg(test)]\nmod tests { use crate::tracer::Tracer; }",
            Some("tracer"),
        ),
        (
            "reporter/x.rs",
            "#[cfg(test)]\nmod tests {}\nuse crate::scope::Scope;",
            Some("scope"),
        ),
        // Text that only looks like an import.
        ("clock.rs", "/// [`x`](crate::span::Span)", None),
        (
            "clock.rs",
            "/* /* */ crate::span */ pub(crate) fn f() {}",
            None,
        ),
        (
            "clock.rs",
            r###"const A: (&str, &str, char) = ("\"crate::span", r#""crate::span"#, '"');"###,
            None,
        ),
        ("clock.rs", "fn f<'a>(x: &'a str) {}", None),
    ];
    let roof = "pub use span::{Span, SpanContext};\npub use tracer::JaegerTracer;";
    for (file, text, expected) in rows {
        let sources = [("lib.rs", roof), (file, text)].map(|(f, t)| (f.to_owned(), t.to_owned()));
        let violations = violations(&sources);
        match expected {
            None => assert!(violations.is_empty(), "{file}: {text}: {violations:?}"),
            Some(room) => assert!(
                violations.len() == 1 && violations[0].contains(&format!("`{room}`")),
                "{file}: {text}: {violations:?}"
            ),
        }
    }
}

#[test]
fn every_room_has_one_place() {
    let mut rooms = FLOORS.concat();
    rooms.sort_unstable();
    let all = rooms.len();
    rooms.dedup();
    assert_eq!(rooms.len(), all);
    for (from, to) in STEPS {
        assert_eq!(floor(from), floor(to), "{from} → {to} is no step");
    }
}

/// Returns one line for every import that leads sideways or up.
fn violations(sources: &[(String, String)]) -> Vec<String> {
    let roof: HashMap<_, _> = sources
        .iter()
        .filter(|(file, _)| file == "lib.rs")
        .flat_map(|(_, text)| re_exports(text))
        // A macro of another crate may have the name of a room.
        .filter(|(_, room)| floor(room).is_some())
        .collect();
    let mut found = Vec::new();
    for (file, text) in sources.iter().filter(|(file, _)| file != "lib.rs") {
        let room = file.split('/').next().unwrap_or(file);
        let room = room.trim_end_matches(".rs");
        let Some(own) = floor(room) else {
            found.push(format!("{file}: `{room}` is on no floor"));
            continue;
        };
        for path in crate_paths(file, text) {
            let other = roof.get(&path.name).unwrap_or(&path.name);
            let is_allowed = floor(other).is_some_and(|floor| {
                let is_sibling = floor == own && path.is_in_tests;
                let is_step = STEPS.contains(&(room, other.as_str()));
                other == room || floor < own || is_sibling || is_step
            });
            if !is_allowed {
                let line = path.line;
                found.push(match floor(other) {
                    Some(floor) => format!(
                        "{file}:{line}: `{room}` is on floor {own} and must not know `{other}` on floor {floor}"
                    ),
                    None => format!("{file}:{line}: `{other}` is no room"),
                });
            }
        }
    }
    found
}

fn floor(room: &str) -> Option<usize> {
    FLOORS.iter().position(|rooms| rooms.contains(&room))
}

/// Returns every source file of the library: its path under `src/`, with `/` on all systems, and its text.
fn sources() -> Vec<(String, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut sources: Vec<_> = files(&root)
        .into_iter()
        .map(|file| {
            let text = fs::read_to_string(&file).unwrap();
            let file = file.strip_prefix(&root).unwrap();
            let parts: Vec<_> = file.iter().map(|part| part.to_str().unwrap()).collect();
            (parts.join("/"), text)
        })
        // Programs, which are crates of their own.
        .filter(|(file, _)| !file.starts_with("bin/"))
        .collect();
    sources.sort();
    sources
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap();
    let paths = entries.map(|entry| entry.unwrap().path());
    paths
        .flat_map(|path| match path.is_dir() {
            true => files(&path),
            false => vec![path],
        })
        .filter(|path| path.extension().is_some_and(|extension| extension == "rs"))
        .collect()
}
