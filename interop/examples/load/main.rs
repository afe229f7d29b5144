//! A program under load, traced with default settings.
//!
//! It makes spans at an even rate, or all at once, closes the tracer within 10 s and prints one
//! line of JSON: how many spans it made, how fast, and the counts of the ledger. `go/load` is the
//! counterpart with the published Go client.
//!
//! Run: `cargo run -p tracehound-interop --example load -- -agent=127.0.0.1:6831 -rate=1000
//! -seconds=10 -bytes=600 -threads=1`; `-rate=0 -spans=5000` is a burst.

use std::{env, error::Error};

use tracehound_interop::Load;

mod produce;
mod spans;

fn main() -> Result<(), Box<dyn Error>> {
    let load = Load::parse(env::args().skip(1))?;
    println!("{}", produce::run(&load)?.to_json());
    Ok(())
}
