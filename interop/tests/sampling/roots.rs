//! The example `roots` in a process of its own.

use std::{
    collections::BTreeMap,
    process::{Child, Command, Stdio},
};

use serde::Deserialize;
use tracehound_interop::{Backend, Example, Profile};

use crate::Result;

/// The output of the program.
#[derive(Debug, Deserialize)]
pub(crate) struct Report {
    pub(crate) operations: BTreeMap<String, OperationReport>,
    /// Sampled spans, by the ledger.
    pub(crate) finished: u64,
    pub(crate) sent: u64,
}

#[derive(Debug, Deserialize)]
pub(crate) struct OperationReport {
    pub(crate) made: u64,
    /// By second since 1970.
    pub(crate) sampled: BTreeMap<u64, u64>,
}

impl OperationReport {
    /// Returns how many traces were sampled in all.
    pub(crate) fn all_sampled(&self) -> u64 {
        self.sampled.values().sum()
    }
}

/// A running program, which is killed if it is dropped.
pub(crate) struct Roots {
    child: Option<Child>,
}

impl Roots {
    /// Builds the program, if it is not built already.
    pub(crate) fn build() -> Result<Example> {
        Ok(Example::build_own("roots", Profile::Debug)?)
    }

    /// Starts the program with `variables`, and no others but those that name the backend's agent.
    pub(crate) fn start(
        program: &Example,
        jaeger: &Backend,
        variables: &[(&str, &str)],
        roots: &str,
        seconds: u64,
    ) -> Result<Self> {
        let agent = jaeger.compact_addr();
        let child = Command::new(program.path())
            .args([format!("-roots={roots}"), format!("-seconds={seconds}")])
            .env_clear()
            .env("JAEGER_AGENT_HOST", agent.ip().to_string())
            .env("JAEGER_AGENT_PORT", agent.port().to_string())
            .envs(variables.iter().copied())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()?;
        Ok(Self { child: Some(child) })
    }

    /// Waits until it ends by itself, and returns its report.
    pub(crate) fn report(mut self) -> Result<Report> {
        let child = self.child.take().ok_or("it has been waited for")?;
        // It ends when its time is over, and closes its tracer within a limit.
        let output = child.wait_with_output()?;
        if !output.status.success() {
            return Err(format!("the program ended with {}", output.status).into());
        }
        Ok(serde_json::from_slice(&output.stdout)?)
    }
}

impl Drop for Roots {
    fn drop(&mut self) {
        if let Some(child) = &mut self.child {
            // It may have ended already.
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}
