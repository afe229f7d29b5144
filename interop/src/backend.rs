use std::{
    fs::File,
    io,
    net::SocketAddr,
    path::{Path, PathBuf},
    process::{Child, Stdio},
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::Duration,
};

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use crate::{
    Endpoints, Error, Metrics, Version, binary, environment,
    http::{Answer, Client},
    launch::{self, Kind, Room, Sampling},
    lock::Lock,
    log, poll,
};

/// A running Jaeger backend with an empty store in memory, on free ports of 127.0.0.1.
///
/// The process ends when this value is dropped: by SIGTERM, and by SIGKILL if it has not ended after
/// 10 s. If the test panicked or waited in vain, standard error gets the version, the addresses and
/// the end of the backend's log, and the folder with that log is kept.
///
/// Keep the value in a local variable of the test: a `static` is never dropped, and the process
/// would outlive the tests.
///
/// ```no_run
/// use tracehound_interop::{Backend, Error, Version};
///
/// # fn main() -> Result<(), Error> {
/// let jaeger = Backend::start(Version::V1)?;
/// // Send spans to jaeger.compact_addr() or jaeger.binary_addr(), then:
/// let trace = jaeger.trace(0x5af7_183f_b1d4_cf5f, 1)?;
/// assert_eq!(trace.spans[0].operation, "checkout");
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Backend {
    kind: Kind,
    endpoints: Endpoints,
    program: PathBuf,
    child: Child,
    dir: TempDir,
    http: Client,
    is_suspect: AtomicBool,
}

impl Backend {
    /// Starts Jaeger v1.57.0. See [`start`](Self::start).
    pub fn v1() -> Result<Self, Error> {
        Self::start(Version::V1)
    }

    /// Starts Jaeger v2.13.0. See [`start`](Self::start).
    pub fn v2() -> Result<Self, Error> {
        Self::start(Version::V2)
    }

    /// Builds the backend if the cache does not have it, starts it and waits until it takes spans.
    ///
    /// A start is retried with other ports if another program took one of them in between.
    ///
    /// # Errors
    ///
    /// [`Error::NoGo`] and [`Error::Build`] as from [`binary()`]; [`Error::Start`] if the process
    /// ends on its own or is not ready within 30 s.
    pub fn start(version: Version) -> Result<Self, Error> {
        Self::start_with(Kind {
            version,
            room: Room::Usual,
            sampling: Sampling::File,
        })
    }

    /// Like [`start`](Self::start), with room for every span of a heavy load.
    ///
    /// # Errors
    ///
    /// Like [`start`](Self::start).
    pub fn start_for_load(version: Version) -> Result<Self, Error> {
        Self::start_with(Kind {
            version,
            room: Room::Load,
            sampling: Sampling::File,
        })
    }

    fn start_with(kind: Kind) -> Result<Self, Error> {
        let program = binary(kind.version)?;
        // Held until the ports are taken: two starts at once could pick the same ones, and each would
        // find the other's backend healthy.
        let _lock = Lock::acquire(&environment::cache_dir()?.join("start.lock"))?;
        let mut attempts = 1;
        loop {
            match Self::start_once(kind, &program, Endpoints::pick()?)?.ready() {
                Ok(backend) => return Ok(backend),
                Err(Unready::PortLost(_)) if attempts < START_ATTEMPTS => attempts += 1,
                Err(Unready::PortLost(error) | Unready::Failed(error)) => return Err(error),
            }
        }
    }

    /// Starts the backend, or says that the running test is skipped and returns `None`.
    ///
    /// A test is skipped if there is no cached binary and no `go` to build it.
    ///
    /// # Errors
    ///
    /// Like [`start`](Self::start); [`Error::NoGo`] only if [`REQUIRED`](crate::REQUIRED) is `1`.
    ///
    /// ```no_run
    /// use tracehound_interop::{Backend, Error, Version};
    ///
    /// fn spans_arrive() -> Result<(), Error> {
    ///     let Some(jaeger) = Backend::start_or_skip(Version::V2)? else { return Ok(()) };
    ///     assert!(jaeger.services()?.is_empty());
    ///     Ok(())
    /// }
    /// ```
    pub fn start_or_skip(version: Version) -> Result<Option<Self>, Error> {
        Self::or_skip(version, Self::start(version))
    }

    /// Like [`start_or_skip`](Self::start_or_skip), with room for every span of a heavy load.
    ///
    /// # Errors
    ///
    /// Like [`start_or_skip`](Self::start_or_skip).
    pub fn start_for_load_or_skip(version: Version) -> Result<Option<Self>, Error> {
        Self::or_skip(version, Self::start_for_load(version))
    }

    /// Starts Jaeger v1.57.0, which adapts its sampling strategies to the traces that it gets: 20 traces a second of
    /// each operation, beginning with one in ten. Else like [`start_or_skip`](Self::start_or_skip).
    ///
    /// # Errors
    ///
    /// Like [`start_or_skip`](Self::start_or_skip).
    pub fn start_adaptive_or_skip() -> Result<Option<Self>, Error> {
        let version = Version::V1;
        let started = Self::start_with(Kind {
            version,
            room: Room::Load,
            sampling: Sampling::Adaptive,
        });
        Self::or_skip(version, started)
    }

    fn or_skip(version: Version, started: Result<Self, Error>) -> Result<Option<Self>, Error> {
        match started {
            Err(error @ Error::NoGo) if !environment::is_required() => {
                environment::skipped(format!("{version}: {error}"));
                Ok(None)
            }
            started => started.map(Some),
        }
    }

    /// Returns the version of this Jaeger.
    pub const fn version(&self) -> Version {
        self.kind.version
    }

    /// Returns the address at which the agent takes Thrift compact by UDP.
    pub const fn compact_addr(&self) -> SocketAddr {
        self.endpoints.compact
    }

    /// Returns the address at which the agent takes Thrift binary by UDP.
    pub const fn binary_addr(&self) -> SocketAddr {
        self.endpoints.binary
    }

    /// Returns all addresses.
    pub const fn endpoints(&self) -> &Endpoints {
        &self.endpoints
    }

    /// Returns the id of the process, for messages. Only this value may end the process.
    pub fn process_id(&self) -> u32 {
        self.child.id()
    }

    /// Kills the process by SIGKILL. The spans that it has read and not stored are lost, and so is
    /// its store.
    ///
    /// Its ports are free afterwards; [`restart`](Self::restart) takes them again.
    ///
    /// # Errors
    ///
    /// Fails if the process cannot be ended or waited for.
    pub fn kill(&mut self) -> Result<(), Error> {
        let ended = self.child.kill().and_then(|()| self.child.wait());
        ended.map(drop).map_err(Error::io("killing a backend"))
    }

    /// Starts the backend again at the same addresses, after [`kill`](Self::kill), with an empty
    /// store and counters at 0, and waits until it takes spans.
    ///
    /// The log begins anew. The port for spans can be open before this returns.
    ///
    /// # Errors
    ///
    /// Like [`start`](Self::start); [`Error::Start`] also if another program has taken a port.
    pub fn restart(&mut self) -> Result<(), Error> {
        let _lock = Lock::acquire(&environment::cache_dir()?.join("start.lock"))?;
        self.child = Self::spawn(self.kind, &self.program, self.dir.path(), &self.endpoints)?;
        self.wait_ready().map_err(|unready| match unready {
            Unready::PortLost(error) | Unready::Failed(error) => {
                self.suspect();
                error
            }
        })
    }

    /// Reads the backend's own metrics.
    pub fn metrics(&self) -> Result<Metrics, Error> {
        let at = match self.version() {
            Version::V1 => self.endpoints.health,
            Version::V2 => self.endpoints.metrics,
        };
        Ok(Metrics::parse(&self.get(at, "/metrics")?.success()?))
    }

    /// Posts `body` to one of the [`endpoints`](Self::endpoints) and returns the status of the
    /// answer.
    pub fn post(
        &self,
        at: SocketAddr,
        path: &str,
        content_type: &str,
        body: &[u8],
    ) -> Result<u16, Error> {
        let answer = self.http.post(at, path, content_type, body);
        Ok(answer.inspect_err(|_| self.suspect())?.status)
    }

    /// Requests a path. The process may have crashed if this fails, so its log is shown at the end.
    pub(crate) fn get(&self, at: SocketAddr, path: &str) -> Result<Answer, Error> {
        self.http.get(at, path).inspect_err(|_| self.suspect())
    }

    /// Returns the process, for signals, unless it [has ended](Self::has_ended).
    pub(crate) fn process(&self) -> Pid {
        Pid::from_child(&self.child)
    }

    pub(crate) fn has_ended(&mut self) -> io::Result<bool> {
        Ok(self.child.try_wait()?.is_some())
    }

    /// Lets the log be shown at the end although the test may not panic, because a deadline passed.
    pub(crate) fn suspect(&self) {
        self.is_suspect.store(true, Ordering::Relaxed);
    }

    fn start_once(kind: Kind, program: &Path, endpoints: Endpoints) -> Result<Self, Error> {
        let dir = tempfile::Builder::new()
            .prefix("tracehound-interop-")
            .tempdir()
            .map_err(Error::io("creating a folder for a backend"))?;
        let child = Self::spawn(kind, program, dir.path(), &endpoints)?;
        let program = program.to_owned();
        Ok(Self {
            kind,
            endpoints,
            program,
            child,
            dir,
            http: Client::new(),
            is_suspect: AtomicBool::new(false),
        })
    }

    fn spawn(
        kind: Kind,
        program: &Path,
        dir: &Path,
        endpoints: &Endpoints,
    ) -> Result<Child, Error> {
        let out = File::create(dir.join(LOG)).map_err(Error::io("creating a log file"))?;
        let err = out.try_clone().map_err(Error::io("creating a log file"))?;
        launch::command(kind, program, dir, endpoints)?
            .stdin(Stdio::null())
            .stdout(out)
            .stderr(err)
            .spawn()
            .map_err(Error::io(format!("running {}", program.display())))
    }

    fn ready(mut self) -> Result<Self, Unready> {
        match self.wait_ready() {
            Ok(()) => Ok(self),
            Err(unready) => {
                if matches!(unready, Unready::Failed(_)) {
                    self.dir.disable_cleanup(true);
                }
                Err(unready)
            }
        }
    }

    fn wait_ready(&mut self) -> Result<(), Unready> {
        let log = self.log_path();
        let seen = poll(START_WITHIN, START_POLL, || match self.child.try_wait() {
            Ok(None) => match self.is_ready() {
                // The last check: v2 can become ready, or hang, without one of its ports.
                _ if log::contains(&log, PORT_LOST) => Ok(Some("a port is taken".to_owned())),
                Ok(()) => Ok(None),
                Err(error) => Err(error.to_string()),
            },
            Ok(Some(status)) => Ok(Some(format!("the process ended with {status}"))),
            Err(error) => Ok(Some(format!("the process cannot be waited for: {error}"))),
        });
        // Nothing answers at first, which is no failure. The error of a failed start contains the log.
        *self.is_suspect.get_mut() = false;
        let reason = match seen {
            Ok(None) => return Ok(()),
            Ok(Some(reason)) => reason,
            Err(reason) => format!("not ready after {} s: {reason}", START_WITHIN.as_secs()),
        };
        let is_port_lost = log::contains(&log, PORT_LOST);
        let tail = log::tail(&log);
        let error = Error::Start {
            version: self.version(),
            reason,
            log,
            tail,
        };
        Err(if is_port_lost {
            Unready::PortLost(error)
        } else {
            Unready::Failed(error)
        })
    }

    /// Returns whether a span sent now would be stored.
    ///
    /// Health alone is not enough: v1's agent connects to its collector with the first request that
    /// it has to pass on, and loses spans until then. A sampling request is such a request.
    fn is_ready(&self) -> Result<(), Error> {
        let path = match self.version() {
            Version::V1 => "/",
            Version::V2 => "/status",
        };
        self.get(self.endpoints.health, path)?.success()?;
        self.get(self.endpoints.sampling_http, "/sampling?service=readiness")?
            .success()?;
        self.services().map(drop)
    }

    /// Returns the folder in which the process runs.
    pub(crate) fn dir(&self) -> &Path {
        self.dir.path()
    }

    fn log_path(&self) -> PathBuf {
        self.dir.path().join(LOG)
    }

    fn terminate(&mut self) -> io::Result<()> {
        if self.has_ended()? {
            return Ok(());
        }
        kill_process(self.process(), Signal::TERM)?;
        let ended = poll(STOP_WITHIN, STOP_POLL, || match self.child.try_wait() {
            Ok(None) => Err(()),
            Ok(Some(_)) => Ok(Ok(())),
            Err(error) => Ok(Err(error)),
        });
        match ended {
            Ok(result) => result,
            Err(()) => {
                self.child.kill()?;
                self.child.wait().map(drop)
            }
        }
    }

    fn report(&self) {
        let log = self.log_path();
        environment::say(&format!(
            "{} ({}) ran at\n{:#?}\nThe end of {}:\n{}",
            self.version(),
            self.program.display(),
            self.endpoints,
            log.display(),
            log::tail(&log),
        ));
    }
}

impl Drop for Backend {
    fn drop(&mut self) {
        if let Err(error) = self.terminate() {
            environment::say(&format!("ending {}: {error}", self.version()));
        }
        if thread::panicking() || *self.is_suspect.get_mut() {
            self.report();
            self.dir.disable_cleanup(true);
        }
    }
}

/// The reason why a started process cannot be used.
#[derive(Debug)]
enum Unready {
    PortLost(Error),
    Failed(Error),
}

const LOG: &str = "jaeger.log";
const PORT_LOST: &str = "address already in use";
const START_ATTEMPTS: u32 = 5;
const START_WITHIN: Duration = Duration::from_secs(30);
const START_POLL: Duration = Duration::from_millis(50);
const STOP_WITHIN: Duration = Duration::from_secs(10);
const STOP_POLL: Duration = Duration::from_millis(10);

#[cfg(test)]
mod tests {
    use std::net::{TcpListener, UdpSocket};

    use super::*;

    #[test]
    fn a_backend_with_a_taken_port_is_never_ready() -> Result<(), Error> {
        let tcp = TcpListener::bind("127.0.0.1:0").map_err(Error::io("taking a port"))?;
        let udp = UdpSocket::bind("127.0.0.1:0").map_err(Error::io("taking a port"))?;
        let query_http = tcp.local_addr().map_err(Error::io("taking a port"))?;
        let compact = udp.local_addr().map_err(Error::io("taking a port"))?;
        for version in Version::ALL {
            let program = match binary(version) {
                Err(error @ Error::NoGo) if !environment::is_required() => {
                    environment::skipped(error.to_string());
                    return Ok(());
                }
                program => program?,
            };
            for endpoints in [
                Endpoints {
                    query_http,
                    ..Endpoints::pick()?
                },
                Endpoints {
                    compact,
                    ..Endpoints::pick()?
                },
            ] {
                let kind = Kind {
                    version,
                    room: Room::Usual,
                    sampling: Sampling::File,
                };
                let started = Backend::start_once(kind, &program, endpoints)?.ready();
                assert!(
                    matches!(started, Err(Unready::PortLost(_))),
                    "{version}: {started:?}"
                );
            }
        }
        Ok(())
    }
}
