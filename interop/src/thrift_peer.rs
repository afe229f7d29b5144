use std::{
    fs::File,
    net::{SocketAddr, TcpStream},
    path::Path,
    process::{Child, Command, Stdio},
    time::Duration,
};

use tempfile::TempDir;

use crate::{
    Error,
    crossdock::{free_address, recipe::java},
    environment, log, python,
    ready::wait_until_ready,
};

/// A running server of Thrift in another language, whose handler calls back by a client.
///
/// The process is killed when this value is dropped.
#[derive(Debug)]
pub struct ThriftPeer {
    address: SocketAddr,
    child: Child,
    dir: TempDir,
}

/// A language with a program for [`ThriftPeer`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ThriftLanguage {
    /// Java over the published `opentracing-thrift` 0.1.3 and `jaeger-client` 1.0.0.
    Java,
    /// Python over Apache's `thrift`, the published `jaeger-client` 4.8.0, and a few lines between them.
    Python,
}

/// A protocol of Thrift.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ThriftProtocol {
    /// The strict binary protocol.
    Binary,
    /// The compact protocol.
    Compact,
}

impl ThriftLanguage {
    /// Returns the name of its service in Jaeger.
    pub const fn service(self) -> &'static str {
        match self {
            Self::Java => "thrift-java",
            Self::Python => "thrift-python",
        }
    }

    fn command(self) -> Result<Command, Error> {
        match self {
            Self::Java => java::THRIFT.command(),
            Self::Python => {
                let mut command = Command::new(python()?);
                let program = Path::new(env!("CARGO_MANIFEST_DIR")).join("python/thrift_peer.py");
                command.arg(program);
                Ok(command)
            }
        }
    }
}

impl ThriftPeer {
    /// Starts the program and waits until it accepts connections. It calls back to `back`, and sends its spans to
    /// `agent`.
    ///
    /// # Errors
    ///
    /// An error that [is about tools](Error::is_missing_tools) if the machine lacks the language; [`Error::Build`] if
    /// the program cannot be built; [`Error::Service`] if it ends on its own or is not ready within a minute.
    pub fn start(
        language: ThriftLanguage,
        protocol: ThriftProtocol,
        back: SocketAddr,
        agent: SocketAddr,
    ) -> Result<Self, Error> {
        let name = language.service();
        let starting = || format!("starting {name}");
        let address = free_address(None)?;
        let dir = tempfile::tempdir().map_err(Error::io(starting()))?;
        let out = File::create(dir.path().join(OUTPUT)).map_err(Error::io(starting()))?;
        let err = out.try_clone().map_err(Error::io(starting()))?;
        let protocol = match protocol {
            ThriftProtocol::Binary => "binary",
            ThriftProtocol::Compact => "compact",
        };
        let child = language
            .command()?
            .args(["--protocol", protocol])
            .args(["--listen", &address.to_string()])
            .args(["--back", &back.to_string()])
            .args(["--agent-compact", &agent.to_string()])
            .env_clear()
            .envs(environment::passed_on())
            .stdin(Stdio::null())
            .stdout(out)
            .stderr(err)
            .spawn()
            .map_err(Error::io(starting()))?;
        let mut peer = Self {
            address,
            child,
            dir,
        };
        let ready = wait_until_ready(
            &mut peer.child,
            Duration::from_secs(60),
            Duration::from_millis(50),
            || match TcpStream::connect(address) {
                Ok(_) => Ok(()),
                Err(error) => Err(error.to_string()),
            },
        );
        ready.map_err(|reason| Error::Service {
            name: name.to_owned(),
            reason,
            tail: peer.log(),
        })?;
        Ok(peer)
    }

    /// Starts the program, or says that the running test is skipped and returns `None` if the machine lacks a tool.
    ///
    /// # Errors
    ///
    /// Like [`start`](Self::start); an error about tools only if [`REQUIRED`](crate::REQUIRED) is `1`.
    pub fn start_or_skip(
        language: ThriftLanguage,
        protocol: ThriftProtocol,
        back: SocketAddr,
        agent: SocketAddr,
    ) -> Result<Option<Self>, Error> {
        match Self::start(language, protocol, back, agent) {
            Err(error) if error.is_missing_tools() && !environment::is_required() => {
                environment::skipped(error.to_string());
                Ok(None)
            }
            started => started.map(Some),
        }
    }

    /// Returns the address at which it listens.
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Returns the end of what it has written.
    pub fn log(&self) -> String {
        log::tail(&self.dir.path().join(OUTPUT))
    }
}

impl Drop for ThriftPeer {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

const OUTPUT: &str = "peer.log";
