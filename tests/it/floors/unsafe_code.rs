//! The rooms that may contain `unsafe`.

use super::paths::tokens;
use super::sources;

/// The rooms of hand-made concurrency and of the memory of spans. All other code is safe.
const ROOMS: [&str; 2] = ["record/", "sync/"];

#[test]
fn unsafe_stands_in_record_and_sync_only() {
    let uses = unsafe_uses(&sources());
    let (inside, outside): (Vec<_>, Vec<_>) = uses
        .into_iter()
        .partition(|place| ROOMS.iter().any(|room| place.starts_with(room)));
    assert!(inside.len() > 50, "only {} found", inside.len());
    assert!(outside.is_empty(), "{}", outside.join("\n"));
}

#[test]
fn every_unsafe_block_says_why_it_is_sound() {
    for (file, text) in sources() {
        let lines: Vec<_> = text.lines().map(str::trim).collect();
        for (at, line) in lines
            .iter()
            .enumerate()
            .filter(|(_, line)| opens_a_block(line))
        {
            // The reason stands above the statement, which may begin some lines before.
            let before = lines[at.saturating_sub(8)..=at].iter();
            let has_reason = before.clone().any(|line| line.contains("SAFETY:"));
            assert!(has_reason, "{file}:{}: {line}", at + 1);
        }
    }
}

#[test]
fn a_seeded_use_is_found_and_words_in_comments_are_not() {
    let sources = [
        ("clock.rs", "fn f() { unsafe { g() } }"),
        ("model/id.rs", "// unsafe\nconst A: &str = \"unsafe\";"),
        ("span/x.rs", "#![expect(unsafe_code)]"),
    ]
    .map(|(file, text)| (file.to_owned(), text.to_owned()));
    assert_eq!(unsafe_uses(&sources), ["clock.rs:1"]);
}

fn opens_a_block(line: &str) -> bool {
    let code = line.split("//").next().unwrap_or_default();
    code.contains("unsafe {") || code.contains("unsafe impl")
}

fn unsafe_uses(sources: &[(String, String)]) -> Vec<String> {
    let uses = sources.iter().flat_map(|(file, text)| {
        let tokens = tokens(text).into_iter();
        let uses = tokens.filter(|token| token.text == "unsafe");
        uses.map(move |token| format!("{file}:{}", token.line))
    });
    uses.collect()
}
