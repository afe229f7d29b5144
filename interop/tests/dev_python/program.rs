//! A Python program that makes spans on command.

use std::{
    collections::HashMap,
    io::{BufRead, BufReader, Write},
    path::Path,
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
    sync::mpsc::{self, Receiver},
    thread,
    time::Duration,
};

use serde_json::{Value as Json, json};
use tracehound::{
    dev::DevServer,
    model::{SpanId, TraceId},
};
use tracehound_interop::python_or_skip;

use crate::Result;

/// The program of `interop/python/traced.py`. It is killed when this value is dropped.
pub(crate) struct Program {
    child: Child,
    commands: Option<ChildStdin>,
    answers: Receiver<String>,
}

/// A span that the program made.
#[derive(Debug)]
pub(crate) struct PythonSpan {
    pub(crate) trace_id: TraceId,
    pub(crate) span_id: SpanId,
    pub(crate) parent_id: Option<SpanId>,
    pub(crate) flags: u64,
    pub(crate) baggage: HashMap<String, String>,
    pub(crate) headers: HashMap<String, String>,
}

impl Program {
    /// Starts the program, whose client sends to `server` with these further `settings`.
    /// Returns `None` if the test is skipped.
    pub(crate) fn start(server: &DevServer, settings: &Json) -> Result<Option<Self>> {
        let Some(python) = python_or_skip()? else {
            return Ok(None);
        };
        let mut config = json!({
            "sampler": {"type": "const", "param": 1},
            "local_agent": {
                "reporting_host": server.agent_address().ip().to_string(),
                "reporting_port": server.agent_address().port(),
                "sampling_port": server.sampling_address().port(),
            },
            "reporter_flush_interval": 0.05,
        });
        for (name, value) in settings.as_object().into_iter().flatten() {
            config[name] = value.clone();
        }
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("python/traced.py");
        let mut child = Command::new(python)
            .arg(script)
            .arg(json!({"service": SERVICE, "config": config}).to_string())
            // The client reads `JAEGER_*`, the interpreter `PYTHON*`.
            .env_clear()
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let commands = child.stdin.take();
        let stdout = child.stdout.take().ok_or("its output is piped")?;
        Ok(Some(Self {
            child,
            commands,
            answers: lines(stdout),
        }))
    }

    /// Lets the program make a span: `operation`, and optionally `headers` of its parent in a `format`
    /// (`http` or `text`), `tags`, `baggage` and `logs`.
    pub(crate) fn span(&mut self, command: &Json) -> Result<PythonSpan> {
        let commands = self.commands.as_mut().ok_or("it runs")?;
        writeln!(commands, "{command}")?;
        let answer = self.answers.recv_timeout(PATIENCE);
        let answer = answer.map_err(|error| format!("no answer to {command}: {error}"))?;
        let answer: Json = serde_json::from_str(&answer)?;
        let id = |name: &str| answer[name].as_str().unwrap_or_default();
        let texts = |name: &str| -> HashMap<String, String> {
            let members = answer[name].as_object().into_iter().flatten();
            let texts =
                members.filter_map(|(key, value)| Some((key.clone(), value.as_str()?.to_owned())));
            texts.collect()
        };
        let trace_id = u128::from_str_radix(id("trace_id"), 16)?;
        let trace_id = TraceId::new((trace_id >> 64) as u64, trace_id as u64);
        Ok(PythonSpan {
            trace_id: trace_id.ok_or("trace id 0")?,
            span_id: SpanId::new(u64::from_str_radix(id("span_id"), 16)?).ok_or("span id 0")?,
            parent_id: SpanId::new(u64::from_str_radix(id("parent_id"), 16)?),
            flags: answer["flags"].as_u64().ok_or("no flags")?,
            baggage: texts("baggage"),
            headers: texts("headers"),
        })
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // The threads of the client have nothing left to do that a test needs.
        self.commands = None;
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Sends each line through a channel, so that waiting for one can have a timeout.
fn lines(stdout: ChildStdout) -> Receiver<String> {
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || {
        for line in BufReader::new(stdout).lines().map_while(|line| line.ok()) {
            if sender.send(line).is_err() {
                return;
            }
        }
    });
    receiver
}

/// The service name of the program.
pub(crate) const SERVICE: &str = "python service";

/// The timeout of an answer. Before the first one the interpreter starts and imports the client.
const PATIENCE: Duration = Duration::from_secs(60);
