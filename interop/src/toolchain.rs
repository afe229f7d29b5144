use std::{
    ffi::OsString,
    fs::File,
    io,
    path::Path,
    process::{Command, Stdio},
};

use serde_json::Value;

use crate::{Error, log};

/// The `go` command of the machine, or a stand-in of a test.
#[derive(Clone, Debug)]
pub(crate) struct Toolchain {
    program: OsString,
    leading: Option<OsString>,
}

impl Toolchain {
    pub(crate) fn go() -> Self {
        Self {
            program: "go".into(),
            leading: None,
        }
    }

    /// Returns a stand-in: `sh script` with the arguments meant for `go`.
    #[cfg(test)]
    pub(crate) fn script(script: &Path) -> Self {
        Self {
            program: "sh".into(),
            leading: Some(script.into()),
        }
    }

    /// Returns whether the command exists and answers.
    pub(crate) fn is_there(&self) -> bool {
        self.command()
            .arg("version")
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()
            .is_ok_and(|status| status.success())
    }

    fn command(&self) -> Command {
        let mut command = Command::new(&self.program);
        command.args(&self.leading).stdin(Stdio::null());
        command
    }
}

/// The Go commands of one build. They run in its folder, and one log file there holds their output.
#[derive(Debug)]
pub(crate) struct Go<'a> {
    pub(crate) toolchain: &'a Toolchain,
    /// The name of the built program, for messages.
    pub(crate) what: &'a str,
    pub(crate) dir: &'a Path,
}

impl Go<'_> {
    pub(crate) fn run(&self, arguments: &[&str]) -> Result<(), Error> {
        let log = self.log()?;
        let out = log
            .try_clone()
            .map_err(Error::io("writing the build's log"))?;
        let status = self.command(arguments).stdout(out).stderr(log).status();
        if status.map_err(Self::starting)?.success() {
            Ok(())
        } else {
            Err(self.failed(arguments, None))
        }
    }

    /// Returns the folder into which `go mod download` put the source of `module`, `path@version`.
    pub(crate) fn download(&self, module: &str) -> Result<String, Error> {
        let arguments = ["mod", "download", "-json", module];
        let output = self.command(&arguments).stderr(self.log()?).output();
        let stdout = output.map_err(Self::starting)?.stdout;
        // A failed download answers in the same shape, with `Error` in place of `Dir`.
        let answer: Value = serde_json::from_slice(&stdout).unwrap_or(Value::Null);
        match answer["Dir"].as_str() {
            Some(dir) => Ok(dir.to_owned()),
            None => Err(self.failed(&arguments, answer["Error"].as_str())),
        }
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = self.toolchain.command();
        command
            .args(arguments)
            .current_dir(self.dir)
            .env("CGO_ENABLED", "0")
            .env("GOFLAGS", "-mod=mod")
            .env("GOWORK", "off");
        command
    }

    fn log(&self) -> Result<File, Error> {
        let path = self.dir.join(LOG);
        File::options()
            .create(true)
            .append(true)
            .open(&path)
            .map_err(Error::io(format!("opening {}", path.display())))
    }

    fn starting(source: io::Error) -> Error {
        Error::io("running `go`")(source)
    }

    fn failed(&self, arguments: &[&str], reason: Option<&str>) -> Error {
        let tail = reason.map_or_else(|| log::tail(&self.dir.join(LOG)), str::to_owned);
        let command = format!("go {}", arguments.join(" "));
        Error::Build {
            what: self.what.to_owned(),
            command,
            tail,
        }
    }
}

const LOG: &str = "go.log";
