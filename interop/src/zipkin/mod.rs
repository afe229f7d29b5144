mod expected;
mod span;
pub(crate) mod text;

use std::{
    fs::File,
    net::SocketAddr,
    process::{Child, Stdio},
    time::Duration,
};

use tempfile::TempDir;

use crate::{
    Error,
    crossdock::{free_address, recipe::java},
    environment,
    http::{Answer, Client},
    log, poll,
    ready::wait_until_ready,
};

pub use span::{ZipkinAnnotation, ZipkinEndpoint, ZipkinSpan};

/// A running Zipkin server 3.5.1 with an empty store in memory, at a free address of 127.0.0.0/8.
///
/// The process is killed when this value is dropped; its store is in memory, so nothing is lost.
///
/// ```no_run
/// use tracehound_interop::{Error, Zipkin};
///
/// # fn main() -> Result<(), Error> {
/// let zipkin = Zipkin::start()?;
/// // Send spans to http://{zipkin.address()}/api/v2/spans, then:
/// let spans = zipkin.trace(0x5af7_183f_b1d4_cf5f, 1)?;
/// assert_eq!(spans[0].name.as_deref(), Some("checkout"));
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Zipkin {
    address: SocketAddr,
    child: Child,
    dir: TempDir,
    http: Client,
}

impl Zipkin {
    /// Downloads the server if the cache does not have it, starts it and waits until it takes spans.
    ///
    /// # Errors
    ///
    /// [`Error::NoTools`] if the machine has no `java`, or no `mvn` to download with; [`Error::Build`]
    /// if the download fails; [`Error::Service`] if the server ends on its own or is not ready within
    /// two minutes.
    pub fn start() -> Result<Self, Error> {
        let starting = || "starting Zipkin".to_owned();
        let mut command = java::ZIPKIN.command()?;
        let address = free_address(None)?;
        let dir = tempfile::tempdir().map_err(Error::io(starting()))?;
        let out = File::create(dir.path().join(LOG)).map_err(Error::io(starting()))?;
        let err = out.try_clone().map_err(Error::io(starting()))?;
        // Without these it listens on every interface.
        for (setting, value) in [
            ("ip", address.ip().to_string()),
            ("port", address.port().to_string()),
            ("protocols[0]", "http".to_owned()),
        ] {
            command.arg(format!("--armeria.ports[0].{setting}={value}"));
        }
        let child = command
            .current_dir(dir.path())
            .env_clear()
            .envs(environment::passed_on())
            .stdin(Stdio::null())
            .stdout(out)
            .stderr(err)
            .spawn()
            .map_err(Error::io(starting()))?;
        let mut zipkin = Self {
            address,
            child,
            dir,
            http: Client::new(),
        };
        zipkin.wait_ready()?;
        Ok(zipkin)
    }

    /// Starts the server. On a machine without the tools for it, says that the running test is skipped
    /// and returns `None`.
    ///
    /// # Errors
    ///
    /// Like [`start`](Self::start); [`Error::NoTools`] only if [`REQUIRED`](crate::REQUIRED) is `1`.
    pub fn start_or_skip() -> Result<Option<Self>, Error> {
        match Self::start() {
            Err(error) if error.is_missing_tools() && !environment::is_required() => {
                environment::skipped(error.to_string());
                Ok(None)
            }
            started => started.map(Some),
        }
    }

    /// Returns the address at which the server takes spans and shows them.
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Returns the spans of the trace once it has at least `spans`.
    ///
    /// The server is asked every 100 ms for up to 10 s.
    ///
    /// # Errors
    ///
    /// [`Error::Deadline`] with the server's last answer if the spans do not come.
    pub fn trace(&self, trace_id: u128, spans: usize) -> Result<Vec<ZipkinSpan>, Error> {
        let seen = poll(SEEN_WITHIN, SEEN_POLL, || match self.trace_now(trace_id) {
            Ok(seen) if seen.len() >= spans => Ok(Ok(seen)),
            Ok(seen) => Err(seen),
            Err(error) => Ok(Err(error)),
        });
        seen.unwrap_or_else(|last| {
            Err(Error::Deadline {
                wanted: format!("{spans} spans of trace {trace_id:x} at Zipkin"),
                last: format!("{last:#?}\n{}", self.tail()),
            })
        })
    }

    /// Returns the spans of the trace that are stored now; empty if there is no such trace.
    pub fn trace_now(&self, trace_id: u128) -> Result<Vec<ZipkinSpan>, Error> {
        let path = format!("/api/v2/trace/{trace_id:016x}");
        let Some(body) = self.http.get(self.address, &path)?.found()? else {
            return Ok(Vec::new());
        };
        let read = serde_json::from_str(&body);
        read.map_err(|error| Error::shape(path, &format!("{error} in {body}")))
    }

    /// Returns the number of spans that the server has taken since it started.
    pub fn received(&self) -> Result<u64, Error> {
        let body = self.http.get(self.address, "/metrics")?.success()?;
        let read = serde_json::from_str(&body);
        let metrics: serde_json::Value = read.map_err(|error| Error::shape("/metrics", &error))?;
        let count = &metrics["counter.zipkin_collector.spans.http"];
        count
            .as_f64()
            .map(|spans| spans as u64)
            .ok_or_else(|| Error::shape("/metrics", &metrics))
    }

    /// Posts `body` to the server and returns the status of the answer.
    pub fn post(&self, path: &str, content_type: &str, body: &[u8]) -> Result<u16, Error> {
        let answer = self.http.post(self.address, path, content_type, body)?;
        Ok(answer.status)
    }

    fn wait_ready(&mut self) -> Result<(), Error> {
        let (http, address) = (&self.http, self.address);
        wait_until_ready(&mut self.child, START_WITHIN, START_POLL, || {
            let answer = http.get(address, "/health").and_then(Answer::success);
            answer.map(drop).map_err(|error| error.to_string())
        })
        .map_err(|reason| Error::Service {
            name: "Zipkin".to_owned(),
            reason,
            tail: self.tail(),
        })
    }

    fn tail(&self) -> String {
        log::tail(&self.dir.path().join(LOG))
    }
}

impl Drop for Zipkin {
    fn drop(&mut self) {
        // It may have ended, and then both fail.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

const LOG: &str = "zipkin.log";
/// It takes 10 to 20 s on an idle machine.
const START_WITHIN: Duration = Duration::from_secs(120);
const START_POLL: Duration = Duration::from_millis(100);
const SEEN_WITHIN: Duration = Duration::from_secs(10);
const SEEN_POLL: Duration = Duration::from_millis(100);
