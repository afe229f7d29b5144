//! A program that prints a line when it is ready, and ends when its standard input does.

use std::{
    io::{BufRead, BufReader},
    process::{Child, Command, Stdio},
    time::Duration,
};

use tempfile::TempDir;
use tracehound_interop::{
    Backend,
    crossdock::{NATS_SERVER, Peer},
    poll,
};

use crate::Result;

/// A program that runs. It is killed when this value is dropped.
pub(crate) struct Program {
    child: Child,
    /// The first line that it printed.
    pub(crate) said: String,
}

impl Program {
    fn start(mut command: Command) -> Result<Self> {
        let child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let said = String::new();
        let mut program = Self { child, said };
        let stdout = program.child.stdout.take().ok_or("it is piped")?;
        // Ends with the program at the latest.
        BufReader::new(stdout).read_line(&mut program.said)?;
        match program.said.trim_end() {
            "" => Err("the program has ended before it was ready".into()),
            said => {
                program.said = said.to_owned();
                Ok(program)
            }
        }
    }

    /// Lets the program end by itself.
    pub(crate) fn end(mut self) -> Result {
        drop(self.child.stdin.take());
        let within = Duration::from_secs(30);
        let status = poll(within, Duration::from_millis(20), || {
            self.child.try_wait().ok().flatten().ok_or("it still runs")
        })?;
        match status.success() {
            true => Ok(()),
            false => Err(format!("ended with {status}").into()),
        }
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A NATS server with JetStream, empty at first.
pub(crate) struct NatsServer {
    program: Program,
    _dir: TempDir,
}

impl NatsServer {
    /// Starts a server. Returns `None` if the machine cannot build one and the test is skipped.
    pub(crate) fn start() -> Result<Option<Self>> {
        if !NATS_SERVER.is_there_or_skipped()? {
            return Ok(None);
        }
        let dir = tempfile::tempdir()?;
        let mut command = NATS_SERVER.command()?;
        command.arg(dir.path());
        let program = Program::start(command)?;
        Ok(Some(Self { program, _dir: dir }))
    }

    pub(crate) fn url(&self) -> String {
        format!("nats://127.0.0.1:{}", self.program.said)
    }
}

/// Starts a peer that passes messages on from one subject to another.
pub(crate) fn start_peer(
    peer: &Peer,
    server: &NatsServer,
    jaeger: &Backend,
    subjects: [&str; 2],
) -> Result<Program> {
    let endpoints = jaeger.endpoints();
    // The Node client speaks Thrift's binary protocol.
    let agent = match peer.name {
        "nats-node" => endpoints.binary,
        _ => endpoints.compact,
    };
    let mut command = peer.command()?;
    command.args([&server.url(), &agent.to_string(), peer.name]);
    command.args(subjects);
    Program::start(command)
}
