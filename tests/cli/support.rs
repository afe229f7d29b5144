//! Runs of the program, and a backend for them.

use std::process::{Command, Output, Stdio};
use std::time::Duration;

use tracehound::dev::{DevOptions, DevServer, Waterfall};
use tracehound::diagnostics::Diagnostics;

/// Returns the program with these arguments, in an environment of its own.
pub(crate) fn program(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tracehound"));
    command
        .args(arguments)
        .env_clear()
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

/// Runs the program to its end.
pub(crate) fn run(arguments: &[&str]) -> Ended {
    Ended::new(&program(arguments).output().expect("the program runs"))
}

/// The outcome of a run.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) code: Option<i32>,
    pub(crate) output: String,
    pub(crate) errors: String,
}

impl Ended {
    pub(crate) fn new(output: &Output) -> Self {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Self {
            code: output.status.code(),
            output: text(&output.stdout),
            errors: text(&output.stderr),
        }
    }

    /// Panics unless the output has a line with all these words.
    #[track_caller]
    pub(crate) fn assert_line(&self, words: &[&str]) {
        let has_words = |line: &str| words.iter().all(|word| line.contains(word));
        assert!(self.output.lines().any(has_words), "{words:?} in {self:#?}");
    }
}

/// Starts an embedded agent at free ports.
pub(crate) fn backend() -> DevServer {
    let options = DevOptions::new()
        .otlp_port(0)
        .otlp_grpc_port(0)
        .any_ports()
        .waterfall(Waterfall::Never)
        .diagnostics(Diagnostics::silent());
    DevServer::start(options).expect("a backend")
}

pub(crate) const PATIENCE: Duration = Duration::from_secs(20);
