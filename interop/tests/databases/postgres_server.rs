//! A PostgreSQL on a socket of its own.

use std::{
    fs::{self, File},
    io,
    os::unix::fs::chown,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::Duration,
};

use rustix::process::{Pid, Signal, getuid, kill_process};
use tempfile::TempDir;
use tracehound_interop::{is_required, poll, skipped};

use crate::Result;

/// A PostgreSQL of the Debian package `postgresql`, with an empty database `postgres` and its superuser `app`. It is
/// ended when this value is dropped.
pub(crate) struct PostgresServer {
    child: Child,
    dir: TempDir,
}

impl PostgresServer {
    /// Starts a server. Returns `None` if there is no PostgreSQL on the machine and the test is skipped.
    pub(crate) fn start() -> Result<Option<Self>> {
        match Self::try_start() {
            Ok(server) => Ok(Some(server)),
            Err(Missing(what)) if is_required() => Err(what.into()),
            Err(Missing(what)) => {
                skipped(what);
                Ok(None)
            }
        }
    }

    fn try_start() -> std::result::Result<Self, Missing> {
        let programs = programs().ok_or_else(|| Missing("no PostgreSQL".to_owned()))?;
        let dir = tempfile::tempdir()?;
        let owner = Owner::of(dir.path())?;
        let data = dir.path().join("data");
        let log = dir.path().join("log");
        let made = owner
            .command(&programs.join("initdb"))
            .args(["--username=app", "--auth=trust", "--no-sync"])
            .args(["--encoding=UTF8", "--locale=C", "-D"])
            .arg(&data)
            .current_dir(dir.path())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(File::create(&log)?)
            .status()?;
        if !made.success() {
            return Err(Missing(format!("initdb: {}", fs::read_to_string(&log)?)));
        }
        let child = owner
            .command(&programs.join("postgres"))
            // No port: nobody else can connect.
            .args(["-c", "listen_addresses=", "-c", "fsync=off", "-k"])
            .arg(dir.path())
            .arg("-D")
            .arg(&data)
            .current_dir(dir.path())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(File::create(&log)?)
            .spawn()?;
        let server = Self { child, dir };
        // The socket is there before the server takes connections.
        let is_ready = || {
            let lines = fs::read_to_string(&log).unwrap_or_default();
            match lines.contains("ready to accept connections") {
                true => Ok(()),
                false => Err(Missing(format!("postgres: {lines}"))),
            }
        };
        let within = Duration::from_secs(60);
        poll(within, Duration::from_millis(20), is_ready)?;
        Ok(server)
    }

    /// Returns the folder of the socket, which drivers take for a host.
    pub(crate) fn folder(&self) -> &Path {
        self.dir.path()
    }

    /// Ends the server at once, with the statements that run.
    pub(crate) fn end(&mut self) {
        // The server then ends its processes, one for each connection.
        if let Some(pid) = Pid::from_raw(self.child.id() as i32) {
            let _ = kill_process(pid, Signal::QUIT);
        }
        let _ = self.child.wait();
    }
}

impl Drop for PostgresServer {
    fn drop(&mut self) {
        self.end();
    }
}

/// The reason why no server could be started.
struct Missing(String);

impl From<io::Error> for Missing {
    fn from(error: io::Error) -> Self {
        Self(format!("PostgreSQL: {error}"))
    }
}

/// Returns the folder of `initdb` and `postgres`. Debian has them outside of the search path.
fn programs() -> Option<PathBuf> {
    let versions = fs::read_dir("/usr/lib/postgresql").ok()?;
    let folders = versions.flatten().map(|version| version.path().join("bin"));
    let folders = folders.filter(|folder| folder.join("initdb").exists());
    folders.max()
}

/// The user as whom the programs run: they refuse to run as root.
enum Owner {
    Myself,
    Postgres,
}

impl Owner {
    /// Gives the folder to the user.
    fn of(folder: &Path) -> std::result::Result<Self, Missing> {
        if !getuid().is_root() {
            return Ok(Self::Myself);
        }
        let id = |option: &str| {
            let output = Command::new("id").args([option, "postgres"]).output()?;
            let text = String::from_utf8_lossy(&output.stdout).trim().to_owned();
            let id = text.parse::<u32>();
            id.map_err(|_| Missing("root needs the user postgres".to_owned()))
        };
        chown(folder, Some(id("-u")?), Some(id("-g")?))?;
        Ok(Self::Postgres)
    }

    fn command(&self, program: &Path) -> Command {
        match self {
            Self::Myself => Command::new(program),
            Self::Postgres => {
                // It becomes the program, so the child's id is that of the program.
                let mut command = Command::new("setpriv");
                command
                    .args(["--reuid=postgres", "--regid=postgres", "--init-groups"])
                    .arg(program);
                command
            }
        }
    }
}
