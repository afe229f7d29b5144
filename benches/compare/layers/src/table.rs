//! The results as Markdown: what `RESULTS.md` holds.

use std::fmt::Write;

use crate::count::Added;
use crate::digits::number;
use crate::library::{Library, Mode, Side};
use crate::machine::machine;
use crate::note::{NOTES, marks};
use crate::served::{self, REQUESTS};

/// Renders all tables. `rounds` is the number of rounds, and `others` the share of the machine that other programs took
/// while requests were served, if it is known.
pub fn render(
    added: &[Added],
    served: &served::Results,
    rounds: usize,
    others: Option<f64>,
) -> String {
    let mut text = format!(
        "# What layers cost\n\nWhat each library's layer adds to a request: medians of {rounds} rounds. Machine: {}.\n\
        Made by `cargo run --release --manifest-path benches/compare/Cargo.toml -p layers`; \
        [`src/main.rs`](src/main.rs) tells what a request is, and what is measured.\n",
        machine()
    );
    for side in Side::ALL {
        let _ = write!(
            text,
            "\n## {}\n\nInstructions of the thread that answers; ns of all threads; allocations. \
            Multiples are of the time in the first row.\n\n\
            | | sampled | | unsampled | | off | |\n|---|--:|--:|--:|--:|--:|--:|\n",
            side.key()
        );
        for &library in side.libraries() {
            let _ = write!(text, "| {}{} |", library.title(), marks(side, library));
            for mode in Mode::ALL {
                let counts = find(added, side, library, mode);
                let ours = find(added, side, Library::Tracehound, mode);
                let multiple = if library == Library::Tracehound {
                    String::new()
                } else {
                    format!("{:.1} ×", counts.time / ours.time)
                };
                let _ = write!(
                    text,
                    " {}; {}; {:.1} | {multiple} |",
                    number(counts.instructions.max(0.0)),
                    number(counts.time.max(0.0)),
                    counts.allocations.max(0.0)
                );
            }
            text.push('\n');
        }
    }
    let _ = write!(
        text,
        "\n## A served request\n\nA kilobyte of JSON. Processor time of the server's process, by that of a server with a \
        layer that does nothing, which takes {:.0} µs a request: the median of {rounds} rounds of {REQUESTS} requests{}.\n\n\
        | | sampled | unsampled | off |\n|---|--:|--:|--:|\n",
        served.without,
        others.map_or_else(String::new, |share| format!(
            ", while other programs took {:.0} % of the machine",
            share * 100.0
        ))
    );
    for &library in Side::Axum.libraries() {
        let _ = write!(
            text,
            "| {}{} |",
            library.title(),
            marks(Side::Axum, library)
        );
        for mode in Mode::ALL {
            let is_it = |served: &&served::Served| served.library == library && served.mode == mode;
            let found = served.all.iter().find(is_it).expect("each was measured");
            let _ = write!(text, " {:+.1} % |", (found.ratio - 1.0) * 100.0);
        }
        text.push('\n');
    }
    text.push('\n');
    for (number, note) in (1..).zip(&NOTES) {
        let _ = writeln!(text, "{number}. {}", note.text);
    }
    text
}

fn find(added: &[Added], side: Side, library: Library, mode: Mode) -> crate::count::Counts {
    let is_it =
        |added: &&Added| added.side == side && added.library == library && added.mode == mode;
    added.iter().find(is_it).expect("each was counted").counts
}
