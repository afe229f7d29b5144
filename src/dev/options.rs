use std::fmt;
use std::io::Write;
use std::path::PathBuf;
use std::time::Duration;

use crate::diagnostics::Diagnostics;
use crate::environment;

/// The options of the embedded agent: where it listens, how much it keeps and what it prints.
///
/// ```
/// use tracehound::dev::{DevOptions, DevServer, Waterfall};
///
/// let server = DevServer::start(DevOptions::new().any_ports().waterfall(Waterfall::Never))?;
/// assert!(server.agent_address().ip().is_loopback());
/// # Ok::<(), tracehound::dev::DevError>(())
/// ```
#[must_use = "nothing listens until DevServer::start"]
pub struct DevOptions {
    pub(crate) agent_port: u16,
    pub(crate) binary_agent_port: u16,
    pub(crate) collector_port: u16,
    pub(crate) sampling_port: u16,
    pub(crate) query_port: u16,
    pub(crate) otlp_port: Option<u16>,
    pub(crate) otlp_grpc_port: Option<u16>,
    pub(crate) jaeger_grpc_port: Option<u16>,
    pub(crate) zipkin_port: Option<u16>,
    pub(crate) jaeger_query_port: Option<u16>,
    pub(crate) strategies_file: Option<PathBuf>,
    pub(crate) adaptive: Option<(f64, Duration)>,
    pub(crate) max_traces: usize,
    pub(crate) max_bytes: usize,
    pub(crate) waterfall: Waterfall,
    pub(crate) writer: Option<Box<dyn Write + Send>>,
    pub(crate) color: bool,
    pub(crate) columns: Option<usize>,
    pub(crate) details: bool,
    pub(crate) diagnostics: Diagnostics,
}

/// A whole backend for a test of another program, with every port and a bound on its memory:
///
/// ```
/// use tracehound::dev::{DevOptions, DevServer};
/// use tracehound::diagnostics::Diagnostics;
///
/// let options = DevOptions::new()
///     .agent_port(6831)
///     .binary_agent_port(6832)
///     .collector_port(14268)
///     .sampling_port(5778)
///     .query_port(16699)
///     .jaeger_query_port(16686)
///     .otlp_port(4318)
///     .zipkin_port(9411)
///     .any_ports() // in a test: all of them, where the system likes
///     .max_traces(100)
///     .max_bytes(1 << 20)
///     .waterfall_to(Vec::new()) // a writer of your own
///     .color(false)
///     .diagnostics(Diagnostics::silent());
/// # #[cfg(feature = "_grpc-receiver")]
/// let options = options.otlp_grpc_port(0).jaeger_grpc_port(0);
/// let server = DevServer::start(options)?;
/// assert!(server.zipkin_address().is_some() && server.jaeger_query_address().is_some());
/// # Ok::<(), tracehound::dev::DevError>(())
/// ```
impl DevOptions {
    /// Returns the defaults: the ports of a Jaeger agent and collector, 1,000 traces or 32 MiB, pictures on a terminal.
    pub fn new() -> Self {
        Self {
            agent_port: 6831,
            binary_agent_port: 6832,
            collector_port: 14268,
            sampling_port: 5778,
            query_port: 16699,
            otlp_port: None,
            otlp_grpc_port: None,
            jaeger_grpc_port: None,
            zipkin_port: None,
            jaeger_query_port: None,
            strategies_file: environment::variable(STRATEGIES_FILE)
                .map(|path| path.trim_ascii().to_owned())
                .filter(|path| !path.is_empty())
                .map(PathBuf::from),
            adaptive: None,
            max_traces: 1_000,
            max_bytes: 32 * 1024 * 1024,
            waterfall: Waterfall::default(),
            writer: None,
            color: environment::variable("NO_COLOR").is_none_or(|value| value.is_empty()),
            columns: None,
            details: false,
            diagnostics: Diagnostics::default(),
        }
    }

    /// Lets the system choose every port, on loopback as always: for tests. Ports that are not open stay so.
    pub fn any_ports(mut self) -> Self {
        for port in [
            &mut self.otlp_port,
            &mut self.otlp_grpc_port,
            &mut self.jaeger_grpc_port,
            &mut self.zipkin_port,
            &mut self.jaeger_query_port,
        ] {
            *port = port.map(|_| 0);
        }
        self.agent_port(0)
            .binary_agent_port(0)
            .collector_port(0)
            .sampling_port(0)
            .query_port(0)
    }

    /// Sets the UDP port for Thrift in the compact protocol. If it is taken or 0, the system chooses one.
    ///
    /// Defaults to 6831.
    pub fn agent_port(mut self, port: u16) -> Self {
        self.agent_port = port;
        self
    }

    /// Sets the UDP port for Thrift in the binary protocol. If it is taken or 0, the system chooses one.
    ///
    /// Defaults to 6832.
    pub fn binary_agent_port(mut self, port: u16) -> Self {
        self.binary_agent_port = port;
        self
    }

    /// Sets the TCP port for Thrift over HTTP. If it is taken or 0, the system chooses one.
    ///
    /// Defaults to 14268.
    pub fn collector_port(mut self, port: u16) -> Self {
        self.collector_port = port;
        self
    }

    /// Sets the TCP port for sampling strategies. If it is taken or 0, the system chooses one.
    ///
    /// Defaults to 5778.
    pub fn sampling_port(mut self, port: u16) -> Self {
        self.sampling_port = port;
        self
    }

    /// Sets the TCP port for reading traces. If it is taken or 0, the system chooses one.
    ///
    /// Defaults to 16699. A real Jaeger has 16686, so both can run.
    pub fn query_port(mut self, port: u16) -> Self {
        self.query_port = port;
        self
    }

    /// Opens a TCP port for OTLP over HTTP, as a Jaeger has it at 4318. If it is taken or 0, the system chooses one.
    ///
    /// Defaults to no such port.
    ///
    /// ```
    /// use tracehound::dev::{DevOptions, DevServer, Waterfall};
    ///
    /// let options = DevOptions::new().otlp_port(4318).any_ports().waterfall(Waterfall::Never);
    /// let server = DevServer::start(options)?;
    /// assert!(server.otlp_address().is_some());
    /// # Ok::<(), tracehound::dev::DevError>(())
    /// ```
    pub fn otlp_port(mut self, port: u16) -> Self {
        self.otlp_port = Some(port);
        self
    }

    /// Opens a TCP port for OTLP over gRPC, as a Jaeger has it at 4317. If it is taken or 0, the system chooses one.
    ///
    /// Defaults to no such port.
    #[cfg(feature = "_grpc-receiver")]
    #[cfg_attr(docsrs, doc(cfg(feature = "cli")))]
    pub fn otlp_grpc_port(mut self, port: u16) -> Self {
        self.otlp_grpc_port = Some(port);
        self
    }

    /// Opens a TCP port for Jaeger's own gRPC, as a collector has it at 14250: for spans, and for questions about
    /// sampling strategies. If it is taken or 0, the system chooses one.
    ///
    /// Defaults to no such port.
    #[cfg(feature = "_grpc-receiver")]
    #[cfg_attr(docsrs, doc(cfg(feature = "cli")))]
    pub fn jaeger_grpc_port(mut self, port: u16) -> Self {
        self.jaeger_grpc_port = Some(port);
        self
    }

    /// Opens a TCP port for spans over HTTP, as a Zipkin has it at 9411. If it is taken or 0, the system chooses one.
    ///
    /// | path | `Content-Type` | sent by |
    /// |---|---|---|
    /// | `/api/v2/spans` | `application/json` | most clients; this crate |
    /// | `/api/v2/spans` | `application/x-protobuf` | Envoy, Brave, zipkin-go, if they are set so |
    /// | `/api/v1/spans` | `application/json` | zipkin-js by default, zipkin-cpp |
    /// | `/api/v1/spans` | `application/x-thrift` | old py_zipkin, old Brave |
    ///
    /// With the feature `cli` the port also takes gRPC: the call `Report` of `zipkin.proto3.SpanService`.
    ///
    /// Defaults to no such port.
    pub fn zipkin_port(mut self, port: u16) -> Self {
        self.zipkin_port = Some(port);
        self
    }

    /// Opens a second TCP port for reading traces, as a Jaeger has it at 16686. If it is taken or 0, the system chooses
    /// one.
    ///
    /// Defaults to no such port.
    pub fn jaeger_query_port(mut self, port: u16) -> Self {
        self.jaeger_query_port = Some(port);
        self
    }

    /// Sets a file of sampling strategies, by which the agent answers at the sampling port, and by which its tracers
    /// sample.
    ///
    /// The format is that of Jaeger's `--sampling.strategies-file`, with the rules of Jaeger 2. A strategy is
    /// `probabilistic` with a probability, or `ratelimiting` with a whole number of traces a second:
    ///
    /// ```json
    /// {
    ///   "default_strategy": {"type": "probabilistic", "param": 0.1},
    ///   "service_strategies": [
    ///     {"service": "shop", "type": "probabilistic", "param": 0.5,
    ///      "operation_strategies": [
    ///        {"operation": "GET /health", "type": "probabilistic", "param": 0}
    ///      ]},
    ///     {"service": "cart", "type": "ratelimiting", "param": 5}
    ///   ]
    /// }
    /// ```
    ///
    /// The operations of the default strategy also apply to services that do not name them. Without a default
    /// strategy, a service that the file does not name keeps one trace in a thousand.
    ///
    /// A change of the file is in effect at the next request; a tracer of the embedded agent asks twice a second. The
    /// agent writes a line about each change. If the file cannot be used because it is missing, larger than 1 MiB,
    /// broken, or has a number out of range, then the line says why, and the last good strategies stay. Until there
    /// are any, every trace is kept.
    ///
    /// Defaults to the environment variable `TRACEHOUND_DEV_STRATEGIES_FILE`. If it is unset or empty too, every trace
    /// is kept.
    ///
    /// ```
    /// use tracehound::dev::{DevOptions, DevServer, Waterfall};
    /// use tracehound::prelude::*;
    /// # let path = std::env::temp_dir().join(format!("tracehound-doc-{}.json", std::process::id()));
    ///
    /// std::fs::write(&path, r#"{"default_strategy": {"type": "probabilistic", "param": 0}}"#)?;
    /// let options = DevOptions::new().any_ports().waterfall(Waterfall::Never).strategies_file(&path);
    /// let server = DevServer::start(options)?;
    /// assert!(!server.tracer("shop")?.start_span("checkout").context().is_sampled());
    /// # std::fs::remove_file(&path)?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn strategies_file(mut self, path: impl Into<PathBuf>) -> Self {
        self.strategies_file = Some(path.into());
        self
    }

    /// Serves a probability for each operation, by which about `traces` a second are kept of each, and corrects it after
    /// each `interval`. Requests for a strategy, and this agent's tracers, get these probabilities.
    ///
    /// The rule is that of Jaeger's adaptive sampling. The number of kept traces a second, divided by the wanted one,
    /// corrects the probability; it falls at once, at most doubles, and stays if the number is within 30 % of the wanted
    /// one. A new operation has the probability 1, where Jaeger has 0.001 and so shows nothing at first. Of a rare
    /// operation the clients keep a trace a minute. Two faults of Jaeger's are mended: a trace counts by the probability
    /// that its root tells in `sampler.param`, so clients that have not asked again do not distort the rate; and roots of
    /// OpenTelemetry's SDKs, which tell none, count too.
    ///
    /// At most 2,000 operations of 256 services have a probability of their own. One without traces in ten intervals is
    /// forgotten. A [`strategies_file`](Self::strategies_file) has precedence. An interval is at least 10 ms, and a
    /// number that is not above 0 counts as 1; Jaeger has an interval of a minute and 1 trace a second.
    ///
    /// Defaults to no adaptive sampling.
    ///
    /// ```
    /// use std::time::Duration;
    /// use tracehound::dev::{DevOptions, DevServer, Waterfall};
    /// use tracehound::prelude::*;
    ///
    /// let options = DevOptions::new().any_ports().waterfall(Waterfall::Never);
    /// let server = DevServer::start(options.adaptive_sampling(1.0, Duration::from_secs(10)))?;
    /// assert!(server.tracer("shop")?.start_span("checkout").context().is_sampled());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn adaptive_sampling(mut self, traces: f64, interval: Duration) -> Self {
        let traces = if traces.is_finite() && traces > 0.0 {
            traces
        } else {
            1.0
        };
        self.adaptive = Some((traces, interval));
        self
    }

    /// Sets how many traces are kept before the oldest is dropped. At least 1.
    ///
    /// Defaults to 1,000.
    pub fn max_traces(mut self, traces: usize) -> Self {
        self.max_traces = traces.max(1);
        self
    }

    /// Sets about how many bytes of spans are kept before the oldest trace is dropped.
    ///
    /// Defaults to 32 MiB.
    pub fn max_bytes(mut self, bytes: usize) -> Self {
        self.max_bytes = bytes;
        self
    }

    /// Sets whether traces that are at rest are printed to standard output.
    ///
    /// Defaults to [`Waterfall::OnTerminal`].
    pub fn waterfall(mut self, waterfall: Waterfall) -> Self {
        self.waterfall = waterfall;
        self
    }

    /// Prints traces to `writer`, in ASCII, in place of standard output. [`DevOptions::waterfall`] has no effect then.
    pub fn waterfall_to(mut self, writer: impl Write + Send + 'static) -> Self {
        self.writer = Some(Box::new(writer));
        self
    }

    /// Sets whether pictures on a terminal have colours. Other pictures never have them.
    ///
    /// Defaults to true, and to false if the environment variable [`NO_COLOR`](https://no-color.org) is set and not
    /// empty.
    pub fn color(mut self, color: bool) -> Self {
        self.color = color;
        self
    }

    /// Sets the width of the picture in columns. At least 40.
    ///
    /// Defaults to the width of the terminal, and to 100 if there is none.
    pub fn columns(mut self, columns: usize) -> Self {
        self.columns = Some(columns);
        self
    }

    /// Sets whether the picture shows the tags and logs of each span below its row.
    ///
    /// Defaults to false.
    ///
    /// ```
    /// use tracehound::dev::{DevOptions, Waterfall};
    ///
    /// let options = DevOptions::new().any_ports().waterfall(Waterfall::Always).details(true);
    /// # let _ = options;
    /// ```
    pub fn details(mut self, details: bool) -> Self {
        self.details = details;
        self
    }

    /// Sets where the agent's lines go: where its traces can be read, and which ports were taken.
    ///
    /// Defaults to standard error.
    pub fn diagnostics(mut self, diagnostics: Diagnostics) -> Self {
        self.diagnostics = diagnostics;
        self
    }
}

impl Default for DevOptions {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for DevOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DevOptions")
            .field("agent_port", &self.agent_port)
            .field("binary_agent_port", &self.binary_agent_port)
            .field("collector_port", &self.collector_port)
            .field("sampling_port", &self.sampling_port)
            .field("query_port", &self.query_port)
            .field("strategies_file", &self.strategies_file)
            .field("waterfall", &self.waterfall)
            .finish_non_exhaustive()
    }
}

/// The choice of whether traces are printed to standard output.
///
/// ```
/// use tracehound::dev::{DevOptions, Waterfall};
///
/// // Pictures in the log of a build, where standard output is no terminal.
/// let options = DevOptions::new().any_ports().waterfall(Waterfall::Always).columns(120);
/// # drop(options);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Waterfall {
    /// Only if it is a terminal. Output that is piped elsewhere stays the program's own.
    #[default]
    OnTerminal,
    /// Also to a pipe or a file, then in ASCII and without colours.
    Always,
    /// Never.
    Never,
}

/// The variable that names the file of strategies.
pub(crate) const STRATEGIES_FILE: &str = "TRACEHOUND_DEV_STRATEGIES_FILE";
