//! Floors inside a room: its wings import from each other in one direction, as the rooms of the crate do.

use super::imports::imports;
use super::sources;

/// A room with its wings and single files, from the ground up.
type Room = (&'static str, &'static [&'static [&'static str]]);

const ROOMS: [Room; 1] = [(
    "record",
    &[
        &["span_clock", "pool", "wire"],
        &["queue"],
        &["open"],
        &["thread"],
        &["handle"],
        &["decide"],
        &["ending"],
        &["finish"],
    ],
)];

#[test]
fn wings_import_from_lower_wings_only() {
    let violations = violations(&sources());
    assert!(violations.is_empty(), "{}", violations.join("\n"));
}

#[test]
fn an_import_from_a_higher_wing_is_found() {
    let rows = [
        (
            "record/wire/tags.rs",
            "use crate::record::queue::frame::Frame;",
            Some("queue"),
        ),
        (
            "record/open/slot.rs",
            "use crate::record::SpanHandle;",
            Some("handle"),
        ),
        (
            "record/queue/frame.rs",
            "use super::super::open::Slot;",
            Some("open"),
        ),
        (
            "record/thread/state.rs",
            "use crate::record::open::Slot;",
            None,
        ),
        (
            "record/pool.rs",
            "use crate::record::span_clock::SpanClock;",
            Some("span_clock"),
        ),
        (
            "record/attic.rs",
            "use crate::record::pool::Pool;",
            Some("attic"),
        ),
    ];
    for (file, text, expected) in rows {
        let mut sources: Vec<_> = [
            (
                "record/mod.rs",
                "mod handle;\npub(crate) use handle::SpanHandle;",
            ),
            ("record/handle.rs", ""),
            ("record/open/mod.rs", ""),
            ("record/queue/frame.rs", ""),
            ("record/pool.rs", ""),
            ("record/span_clock.rs", ""),
        ]
        .map(|(file, text)| (file.to_owned(), text.to_owned()))
        .into();
        sources.retain(|(known, _)| known != file);
        sources.push((file.to_owned(), text.to_owned()));
        let violations = violations(&sources);
        match expected {
            None => assert!(violations.is_empty(), "{file}: {violations:?}"),
            Some(wing) => assert!(
                violations.len() == 1 && violations[0].contains(&format!("`{wing}`")),
                "{file}: {violations:?}"
            ),
        }
    }
}

/// Returns one line for every import inside a room that leads sideways or up.
fn violations(sources: &[(String, String)]) -> Vec<String> {
    let mut found = Vec::new();
    for import in imports(sources) {
        for (room, floors) in ROOMS {
            let (Some(from), Some(to)) = (wing(room, &import.from), wing(room, &import.to)) else {
                continue;
            };
            let floor = |wing: &str| floors.iter().position(|wings| wings.contains(&wing));
            let line = format!("{}:{}", import.from, import.line);
            match (floor(from), floor(to)) {
                _ if from == to => {}
                (Some(own), Some(other)) if other < own => {}
                (Some(_), Some(_)) => found.push(format!("{line}: must not know `{to}`")),
                (None, _) => found.push(format!("{line}: `{from}` is on no floor of {room}")),
                (_, None) => found.push(format!("{line}: `{to}` is on no floor of {room}")),
            }
        }
    }
    found
}

/// Returns the wing or single file of `room` that `file` belongs to; `None` elsewhere and for `mod.rs` of the room.
fn wing<'a>(room: &str, file: &'a str) -> Option<&'a str> {
    let inside = file.strip_prefix(room)?.strip_prefix('/')?;
    let wing = inside.split('/').next()?.trim_end_matches(".rs");
    (wing != "mod").then_some(wing)
}
