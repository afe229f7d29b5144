//! The program `tracehound`: a Jaeger for one's own machine, and tools that tell why a trace is missing.

#![expect(
    clippy::disallowed_methods,
    reason = "the rule is that of the library, whose clocks and variables tests replace"
)]

mod address;
mod bench;
mod clock;
mod decode;
mod dev;
mod doctor;
mod file;
mod kept_traces;
mod open;
mod options;
mod output;
mod query;
mod replay;
mod report;
mod show;
mod target;
mod trace;

use std::error::Error;
use std::process::ExitCode;

use clap::Parser;

use crate::options::{Command, Options};

/// The end of a command that could do its work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outcome {
    Good,
    /// A check has failed, or something was lost. The output says what.
    Bad,
}

type CommandResult = Result<Outcome, Box<dyn Error>>;

fn main() -> ExitCode {
    let result = match Options::parse().command {
        Command::Dev(options) => dev::run(&options),
        Command::Doctor(options) => doctor::run(&options),
        Command::Decode(options) => decode::run(&options),
        Command::Trace(options) => trace::run(&options),
        Command::Open(options) => open::run(&options),
        Command::Replay(options) => replay::run(&options),
        Command::Bench(options) => bench::run(&options),
        Command::Completions { shell } => options::completions(shell),
    };
    match result {
        Ok(Outcome::Good) => ExitCode::SUCCESS,
        Ok(Outcome::Bad) => ExitCode::from(1),
        Err(error) => {
            output::complain(&error.to_string());
            ExitCode::from(2)
        }
    }
}
