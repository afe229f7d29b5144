mod expected;
mod span;

use std::{
    fs::{self, File},
    net::SocketAddr,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::Duration,
};

use tempfile::TempDir;

use crate::{
    Error, Version,
    binary::{Wanted, use_module_files},
    crossdock::free_address,
    environment,
    http::Client,
    load_program::hash,
    log, poll,
    ready::wait_until_ready,
    toolchain::{Go, Toolchain},
};

pub use span::{OtlpAttribute, OtlpEvent, OtlpFields, OtlpLink, OtlpSpan, OtlpStatus, OtlpValue};

/// A running OpenTelemetry Collector 0.140.0 that takes OTLP by HTTP and by gRPC, each at a free address
/// of 127.0.0.0/8, and keeps every request as it came.
///
/// A Jaeger backend shows spans in Jaeger's terms, without flags for instance. This shows what was sent.
///
/// The process is killed when this value is dropped.
///
/// ```no_run
/// use tracehound_interop::{Collector, Error};
///
/// # fn main() -> Result<(), Error> {
/// let collector = Collector::start(0)?;
/// // Send a span to http://{collector.http_addr()}/v1/traces, then:
/// let spans = collector.spans(1)?;
/// assert_eq!(spans[0].fields.name, "checkout");
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Collector {
    http_addr: SocketAddr,
    grpc_addr: SocketAddr,
    child: Child,
    dir: TempDir,
}

impl Collector {
    /// Builds the collector if the cache does not have it, starts it and waits until it takes spans.
    ///
    /// It says of the first `busy` requests that it cannot take them now: 503 by HTTP, `UNAVAILABLE`
    /// by gRPC.
    ///
    /// # Errors
    ///
    /// [`Error::NoGo`] and [`Error::Build`] as from [`binary()`](crate::binary()); [`Error::Service`]
    /// if it ends on its own or is not ready within 30 s.
    pub fn start(busy: u32) -> Result<Self, Error> {
        let starting = || "starting a collector".to_owned();
        let wanted = Wanted {
            what: "an OpenTelemetry Collector",
            file: &format!("otelcol-0.140.0-{:016x}", hash(&[MAIN])),
        };
        let cache = environment::cache_dir()?;
        let program = wanted.cached(&cache, &Toolchain::go(), environment::say, build)?;
        let (http_addr, grpc_addr) = (free_address(None)?, free_address(None)?);
        let dir = tempfile::tempdir().map_err(Error::io(starting()))?;
        let configuration = format!(
            "receivers: {{otlp: {{protocols: {{http: {{endpoint: \"{http_addr}\"}}, grpc: {{endpoint: \
             \"{grpc_addr}\"}}}}}}}}\n\
             exporters: {{lines: {{busy: {busy}}}}}\n\
             service:\n  pipelines: {{traces: {{receivers: [otlp], exporters: [lines]}}}}\n  telemetry: \
             {{metrics: {{level: none}}}}\n"
        );
        let file = |name| File::create(dir.path().join(name)).map_err(Error::io(starting()));
        fs::write(dir.path().join("collector.yaml"), configuration)
            .map_err(Error::io(starting()))?;
        let child = Command::new(program)
            .arg("file:collector.yaml")
            .current_dir(dir.path())
            .env_clear()
            .envs(environment::passed_on())
            .stdin(Stdio::null())
            .stdout(file(REQUESTS)?)
            .stderr(file(LOG)?)
            .spawn()
            .map_err(Error::io(starting()))?;
        let mut collector = Self {
            http_addr,
            grpc_addr,
            child,
            dir,
        };
        collector.wait_ready()?;
        Ok(collector)
    }

    /// Starts the collector, or says that the running test is skipped and returns `None`, if there is no
    /// cached binary and no `go` to build it.
    ///
    /// # Errors
    ///
    /// Like [`start`](Self::start); [`Error::NoGo`] only if [`REQUIRED`](crate::REQUIRED) is `1`.
    pub fn start_or_skip(busy: u32) -> Result<Option<Self>, Error> {
        match Self::start(busy) {
            Err(error @ Error::NoGo) if !environment::is_required() => {
                environment::skipped(error.to_string());
                Ok(None)
            }
            started => started.map(Some),
        }
    }

    /// Returns the address at which the collector takes OTLP by HTTP.
    pub const fn http_addr(&self) -> SocketAddr {
        self.http_addr
    }

    /// Returns the address at which the collector takes OTLP by gRPC.
    pub const fn grpc_addr(&self) -> SocketAddr {
        self.grpc_addr
    }

    /// Returns all spans that the collector has taken since it started, in the order taken, once there
    /// are at least `spans`.
    ///
    /// # Errors
    ///
    /// [`Error::Deadline`] if they do not come within 10 s.
    pub fn spans(&self, spans: usize) -> Result<Vec<OtlpSpan>, Error> {
        let seen = poll(SEEN_WITHIN, POLL, || match self.spans_now() {
            Ok(seen) if seen.len() >= spans => Ok(Ok(seen)),
            Ok(seen) => Err(seen.len()),
            Err(error) => Ok(Err(error)),
        });
        seen.unwrap_or_else(|last| {
            Err(Error::Deadline {
                wanted: format!("{spans} spans at the collector"),
                last: format!("{last} spans\n{}", self.tail()),
            })
        })
    }

    fn spans_now(&self) -> Result<Vec<OtlpSpan>, Error> {
        let text = fs::read_to_string(self.dir.path().join(REQUESTS));
        let text = text.map_err(Error::io("reading the requests of a collector"))?;
        let mut spans = Vec::new();
        // The last line may be half written.
        for line in text
            .split_inclusive('\n')
            .filter(|line| line.ends_with('\n'))
        {
            let request: span::Request = serde_json::from_str(line)
                .map_err(|error| Error::shape("a request", &format!("{error} in {line}")))?;
            spans.extend(request.spans());
        }
        Ok(spans)
    }

    fn wait_ready(&mut self) -> Result<(), Error> {
        let http = Client::new();
        let (log, address) = (self.dir.path().join(LOG), self.http_addr);
        wait_until_ready(&mut self.child, START_WITHIN, POLL, || {
            // A request of this kind is refused, but only by a collector that listens.
            match http.get(address, "/v1/traces") {
                Ok(_) if log::contains(&log, READY) => Ok(()),
                Ok(answer) => Err(answer.status.to_string()),
                Err(error) => Err(error.to_string()),
            }
        })
        .map_err(|reason| Error::Service {
            name: "OpenTelemetry Collector".to_owned(),
            reason,
            tail: self.tail(),
        })
    }

    fn tail(&self) -> String {
        log::tail(&self.dir.path().join(LOG))
    }
}

impl Drop for Collector {
    fn drop(&mut self) {
        // It may have ended, and then both fail.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Builds the program with the modules of the backend, which has the same receiver. Their files pin and
/// verify every module.
fn build(go: &Go<'_>) -> Result<PathBuf, Error> {
    let (name, text) = MAIN;
    fs::write(go.dir.join(name), text).map_err(Error::io(format!("writing {name}")))?;
    use_module_files(Version::V2, go)?;
    go.run(&["mod", "edit", "-module=otelcol"])?;
    go.run(&["build", "-p", "2", "-buildvcs=false", "-o", "otelcol", "."])?;
    Ok(Path::new(go.dir).join("otelcol"))
}

const MAIN: (&str, &str) = ("main.go", include_str!("../../go/otelcol/main.go"));
const REQUESTS: &str = "requests.json";
const LOG: &str = "collector.log";
const READY: &str = "Everything is ready";
const START_WITHIN: Duration = Duration::from_secs(30);
const SEEN_WITHIN: Duration = Duration::from_secs(10);
const POLL: Duration = Duration::from_millis(20);
