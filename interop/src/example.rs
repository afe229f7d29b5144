use std::{
    env,
    fs::{self, File},
    io,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::Duration,
};

use serde_json::Value as Json;
use tempfile::TempDir;

use crate::{Error, environment, log, poll};

/// An example program of the library, built with all its features, or of this crate.
///
/// ```no_run
/// use tracehound_interop::{Error, Example};
///
/// # fn main() -> Result<(), Error> {
/// let hello = Example::build("hello")?;
/// let printed = hello.run(&[("JAEGER_AGENT_PORT", "6831")])?;
/// assert!(printed.contains("Hello"));
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Example {
    name: String,
    program: PathBuf,
}

impl Example {
    /// Builds an example of the library with cargo; this takes a second if nothing has changed.
    ///
    /// # Errors
    ///
    /// [`Error::Example`] with the output of the compiler.
    pub fn build(name: &str) -> Result<Self, Error> {
        Self::cargo(name, &["--all-features", "--package", LIBRARY])
    }

    /// Builds an example of this crate with cargo, like [`build`](Self::build).
    ///
    /// # Errors
    ///
    /// [`Error::Example`] with the output of the compiler.
    pub fn build_own(name: &str, profile: Profile) -> Result<Self, Error> {
        let own = ["--package", env!("CARGO_PKG_NAME"), "--profile"];
        let profile = match profile {
            Profile::Debug => "dev",
            Profile::Release => "release",
        };
        Self::cargo(name, &[&own[..], &[profile]].concat())
    }

    /// Returns a command of the program, for runs that [`run`](Self::run) does not cover.
    pub fn path(&self) -> &Path {
        &self.program
    }

    fn cargo(name: &str, selection: &[&str]) -> Result<Self, Error> {
        let output = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
            .args(["build", "--quiet"])
            .args(selection)
            .args([
                "--example",
                name,
                "--message-format",
                "json-render-diagnostics",
            ])
            .current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join(".."))
            .stdin(Stdio::null())
            .output()
            .map_err(Error::io("running cargo"))?;
        let messages = String::from_utf8_lossy(&output.stdout);
        match messages.lines().find_map(|message| program(name, message)) {
            Some(program) if output.status.success() => Ok(Self {
                name: name.to_owned(),
                program,
            }),
            _ => Err(Error::Example {
                name: name.to_owned(),
                reason: format!(
                    "cannot be built:\n{}",
                    String::from_utf8_lossy(&output.stderr).trim()
                ),
            }),
        }
    }

    /// Runs the program to its end with `variables` in its environment and no others that could
    /// change what it does, and returns its output.
    ///
    /// # Errors
    ///
    /// [`Error::Example`] if it fails, or is killed because it has not ended after a minute.
    pub fn run(&self, variables: &[(&str, &str)]) -> Result<String, Error> {
        let mut command = Command::new(&self.program);
        command
            .env_clear()
            .envs(environment::passed_on())
            .envs(variables.iter().copied());
        run(command, PATIENCE).map_err(|reason| Error::Example {
            name: self.name.clone(),
            reason,
        })
    }
}

/// A build profile of cargo.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "cargo has these two")]
pub enum Profile {
    /// Without optimisation, like `cargo test`.
    Debug,
    /// With optimisation.
    Release,
}

/// Returns the output of the program; the reason if it does not succeed in time.
pub(crate) fn run(mut command: Command, patience: Duration) -> Result<String, String> {
    let mut start = || -> io::Result<(TempDir, Child)> {
        let dir = tempfile::tempdir()?;
        let child = command
            .stdin(Stdio::null())
            .stdout(File::create(dir.path().join(STDOUT))?)
            .stderr(File::create(dir.path().join(STDERR))?)
            .spawn()?;
        Ok((dir, child))
    };
    let (dir, mut child) = start().map_err(|error| format!("cannot be run: {error}"))?;
    let ended = poll(patience, POLL, || match child.try_wait() {
        Ok(Some(status)) => Ok(status),
        Ok(None) => Err(format!("still ran after {patience:?}")),
        Err(error) => Err(format!("cannot be waited for: {error}")),
    });
    // Killed if it still runs; it may have ended in between.
    let _ = child.kill();
    let _ = child.wait();
    let printed = fs::read(dir.path().join(STDOUT)).unwrap_or_default();
    let printed = String::from_utf8_lossy(&printed).into_owned();
    let ended = match ended {
        Ok(status) if status.success() => return Ok(printed),
        Ok(status) => format!("ended with {status}"),
        Err(reason) => reason,
    };
    let said = log::tail(&dir.path().join(STDERR));
    Err(format!("{ended}; it printed:\n{printed}\n{said}"))
}

/// Returns the program that a message of cargo names, if it is that of the example.
fn program(example: &str, message: &str) -> Option<PathBuf> {
    let message: Json = serde_json::from_str(message).ok()?;
    let target = &message["target"];
    let is_it = target["name"] == example && target["kind"] == serde_json::json!(["example"]);
    let program = message["executable"].as_str().filter(|_| is_it)?;
    Some(program.into())
}

const LIBRARY: &str = "tracehound";
const STDOUT: &str = "stdout";
const STDERR: &str = "stderr";
/// The time limit of a program.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);
const POLL: Duration = Duration::from_millis(20);

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str, patience: Duration) -> Result<String, String> {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        run(command, patience)
    }

    #[test]
    fn the_output_of_a_program_is_returned_if_it_succeeds() {
        let printed = shell("echo printed; echo said >&2", PATIENCE);
        assert_eq!(printed.as_deref(), Ok("printed\n"));
    }

    #[test]
    fn the_error_of_a_program_that_fails_has_its_output() {
        let failed = shell("echo printed; echo said >&2; exit 3", PATIENCE);
        let reason = failed.expect_err("it failed");
        for part in ["exit status: 3", "printed\n", "said"] {
            assert!(reason.contains(part), "{part:?} is not in {reason}");
        }
    }

    #[test]
    fn a_program_that_does_not_end_is_killed() {
        let failed = shell("echo printed; exec sleep 600", Duration::from_millis(50));
        let reason = failed.expect_err("it was killed");
        assert!(
            reason.starts_with("still ran after 50ms; it printed:"),
            "{reason}"
        );
    }

    #[test]
    fn only_the_program_of_the_example_is_taken_from_messages() {
        let message = |kind: &str, name: &str| {
            let message = serde_json::json!({
                "reason": "compiler-artifact", "target": {"kind": [kind], "name": name}, "executable": "/t/x",
            });
            message.to_string()
        };
        assert_eq!(
            program("hello", &message("example", "hello")),
            Some("/t/x".into())
        );
        for other in [
            message("test", "hello"),
            message("example", "other"),
            "{}".to_owned(),
        ] {
            assert_eq!(program("hello", &other), None, "{other}");
        }
    }
}
