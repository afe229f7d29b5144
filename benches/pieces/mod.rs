//! Programs that do a piece of work many times, for `.ci/instructions`.

use std::env;

/// A name and a function that does the piece a number of times.
pub(crate) type Piece = (&'static str, fn(u64));

/// The number of times that a piece is done before the count begins.
pub(crate) const WARM_UP: u64 = 256;

/// Does what the arguments of the program ask for: see the page of each program.
pub(crate) fn main(pieces: &[Piece]) {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments[..] {
        ["--list"] => pieces.iter().for_each(|(name, _)| println!("{name}")),
        [name, times] if !name.starts_with('-') => {
            let piece = pieces.iter().find(|(known, _)| *known == name);
            let (_, piece) = piece.expect("one of --list");
            piece(times.parse().expect("a number of times"));
        }
        // `cargo bench` and `cargo test --bench` pass other arguments.
        _ => pieces.iter().for_each(|(_, piece)| piece(3)),
    }
}
