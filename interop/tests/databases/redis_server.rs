//! A Redis on a socket of its own.

use std::{
    os::unix::net::UnixStream,
    path::PathBuf,
    process::{Child, Command, Stdio},
    time::Duration,
};

use tempfile::TempDir;
use tracehound_interop::{is_required, poll, skipped};

use crate::Result;

/// A Redis of the Debian package `redis-server`, with an empty store in memory. It is killed when this value is
/// dropped.
pub(crate) struct RedisServer {
    child: Child,
    socket: PathBuf,
    _dir: TempDir,
}

impl RedisServer {
    /// Starts a server. Returns `None` if there is no Redis on the machine and the test is skipped.
    pub(crate) fn start() -> Result<Option<Self>> {
        let dir = tempfile::tempdir()?;
        let socket = dir.path().join("redis.sock");
        let started = Command::new("redis-server")
            // No port: nobody else can connect.
            .args([
                "--port",
                "0",
                "--save",
                "",
                "--appendonly",
                "no",
                "--unixsocket",
            ])
            .arg(&socket)
            .current_dir(dir.path())
            .stdout(Stdio::null())
            .stdin(Stdio::null())
            .spawn();
        let child = match started {
            Ok(child) => child,
            Err(error) if is_required() => return Err(format!("redis-server: {error}").into()),
            Err(error) => {
                skipped(format!("redis-server: {error}"));
                return Ok(None);
            }
        };
        let server = Self {
            child,
            socket,
            _dir: dir,
        };
        let within = Duration::from_secs(30);
        poll(within, Duration::from_millis(20), || {
            UnixStream::connect(&server.socket)
        })?;
        Ok(Some(server))
    }

    pub(crate) fn url(&self) -> String {
        format!("redis+unix://{}", self.socket.display())
    }
}

impl Drop for RedisServer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
