mod conditions;
#[cfg(any(feature = "_grpc-receiver", all(tracehound_fuzz, feature = "tower")))]
mod grpc;
pub(crate) mod http;
mod ingest;
mod listener;
pub(crate) mod peer;
mod ports;
mod query;
pub(crate) mod state;
mod viewer;

use std::fmt;
use std::io::Write;
use std::mem;
use std::net::{SocketAddr, TcpListener, UdpSocket};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Weak};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use tokio::sync::oneshot;

use crate::clock::{deadline_after, instant_now};
use crate::decode::ReceivedBatch;
use crate::dev::error::DevError;
use crate::dev::options::DevOptions;
use crate::dev::printing::printer::Printer;
use crate::dev::server::conditions::services;
use crate::dev::server::http::{Listeners, server};
use crate::dev::server::peer::{Identity, Peer};
use crate::dev::server::ports::Ports;
use crate::dev::server::state::{Progress, ServerState};
use crate::dev::store::{DevTotals, StoreLimits, TraceStore};
use crate::dev::strategies::{AdaptiveStrategies, ServedStrategies, StrategyFile};
use crate::model::TraceId;
use crate::reporter::sender::BatchFormat;
use crate::sync::generation;
use crate::thrift::Protocol;
use crate::view::Trace;

/// An agent, a collector and a viewer inside this program.
///
/// A handle; clones share the server. When the last one is dropped, the server reads the datagrams that are in its
/// sockets, prints the remaining traces, and ends its threads.
///
/// ```
/// use std::net::UdpSocket;
/// use std::time::Duration;
/// use tracehound::dev::{DevOptions, DevServer, Waterfall};
///
/// let server = DevServer::start(DevOptions::new().any_ports().waterfall(Waterfall::Never))?;
/// let socket = UdpSocket::bind("127.0.0.1:0")?;
/// socket.send_to(b"no Thrift at all", server.agent_address())?;
/// assert!(!server.wait_for_spans(1, Duration::from_millis(1)));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct DevServer {
    inner: Arc<Inner>,
}

struct Inner {
    state: Arc<ServerState>,
    addresses: Addresses,
    /// Sends the marks.
    marker: UdpSocket,
    marks: AtomicU64,
    columns: Option<usize>,
    details: bool,
    strategies: Option<Arc<ServedStrategies>>,
    stop_http: Option<oneshot::Sender<()>>,
    threads: Vec<JoinHandle<()>>,
    /// The process that has the threads.
    generation: u32,
}

#[derive(Clone, Copy, Debug)]
struct Addresses {
    /// Compact, binary.
    agents: [SocketAddr; 2],
    collector: SocketAddr,
    sampling: SocketAddr,
    query: SocketAddr,
    otlp: Option<SocketAddr>,
    #[cfg_attr(
        not(feature = "_grpc-receiver"),
        expect(dead_code, reason = "no port for gRPC is open")
    )]
    otlp_grpc: Option<SocketAddr>,
    #[cfg_attr(
        not(feature = "_grpc-receiver"),
        expect(dead_code, reason = "no port for gRPC is open")
    )]
    jaeger_grpc: Option<SocketAddr>,
    zipkin: Option<SocketAddr>,
    jaeger_query: Option<SocketAddr>,
}

impl DevServer {
    /// Opens the sockets and starts the threads, whose names begin with `tracehound-dev-`.
    ///
    /// # Errors
    ///
    /// Fails if the loopback interface has no free port, or a thread cannot be started.
    pub fn start(options: DevOptions) -> Result<Self, DevError> {
        let mut ports = Ports::default();
        let query = ports.viewer(options.query_port)?;
        let diagnostics = options.diagnostics.clone();
        let (server, lines) = Self::start_at(query, ports, options)?;
        for line in lines {
            diagnostics.say(&line);
        }
        Ok(server)
    }

    /// Starts a server, unless the viewer's port belongs to an embedded agent that runs already. Also returns lines to
    /// the user: about ports that were taken, and about the file of strategies.
    pub(crate) fn start_or_find(options: DevOptions) -> Result<(Found, Vec<String>), DevError> {
        let mut ports = Ports::default();
        let query = ports.viewer(options.query_port)?;
        match ports.peer() {
            Some(peer) => Ok((Found::Peer(peer.clone()), Vec::new())),
            None => {
                let (server, lines) = Self::start_at(query, ports, options)?;
                Ok((Found::Own(server), lines))
            }
        }
    }

    fn start_at(
        query: TcpListener,
        mut ports: Ports,
        mut options: DevOptions,
    ) -> Result<(Self, Vec<String>), DevError> {
        let compact = ports.udp("agent", options.agent_port)?;
        let binary = ports.udp("agent (binary)", options.binary_agent_port)?;
        let collector = ports.tcp("collector", options.collector_port)?;
        let sampling = ports.tcp("sampling", options.sampling_port)?;
        let mut extra =
            |what, port: Option<u16>| port.map(|port| ports.tcp(what, port)).transpose();
        let otlp = extra("OTLP", options.otlp_port)?;
        let otlp_grpc = extra("OTLP (gRPC)", options.otlp_grpc_port)?;
        let jaeger_grpc = extra("collector (gRPC)", options.jaeger_grpc_port)?;
        let zipkin = extra("Zipkin", options.zipkin_port)?;
        let jaeger_query = extra("query", options.jaeger_query_port)?;
        let marker = ports.udp("marker", 0)?;
        let address_of_tcp = |socket: &TcpListener| socket.local_addr().map_err(DevError::Socket);
        let address_of_udp = |socket: &UdpSocket| socket.local_addr().map_err(DevError::Socket);
        let address_of =
            |socket: &Option<TcpListener>| socket.as_ref().map(address_of_tcp).transpose();
        let addresses = Addresses {
            agents: [address_of_udp(&compact)?, address_of_udp(&binary)?],
            collector: address_of_tcp(&collector)?,
            sampling: address_of_tcp(&sampling)?,
            query: address_of_tcp(&query)?,
            otlp: address_of(&otlp)?,
            otlp_grpc: address_of(&otlp_grpc)?,
            jaeger_grpc: address_of(&jaeger_grpc)?,
            zipkin: address_of(&zipkin)?,
            jaeger_query: address_of(&jaeger_query)?,
        };
        let store = TraceStore::new(StoreLimits {
            traces: options.max_traces,
            bytes: options.max_bytes,
        });
        let printer = Printer::new(&mut options);
        let (strategies, strategies_line) = match (options.strategies_file, options.adaptive) {
            (Some(path), _) => {
                let (file, line) = StrategyFile::open(path, options.diagnostics);
                (Some(ServedStrategies::OfFile(file)), line)
            }
            (None, Some((target, interval))) => {
                let strategies = AdaptiveStrategies::new(target, interval, instant_now());
                (Some(ServedStrategies::Adaptive(strategies)), None)
            }
            (None, None) => (None, None),
        };
        let strategies = strategies.map(Arc::new);
        let marks_from = address_of_udp(&marker)?;
        let state = ServerState::new(
            store,
            printer,
            strategies.clone(),
            marks_from,
            addresses.query,
        );
        let state = Arc::new(state);
        let (stop_http, stop) = oneshot::channel();
        let mut inner = Inner {
            state: state.clone(),
            addresses,
            marker,
            marks: AtomicU64::new(0),
            columns: options.columns,
            details: options.details,
            strategies: strategies.clone(),
            stop_http: Some(stop_http),
            threads: Vec::new(),
            generation: generation(),
        };
        let listeners = Listeners {
            ingest: [Some(collector), otlp, zipkin]
                .into_iter()
                .flatten()
                .collect(),
            grpc: [otlp_grpc, jaeger_grpc].into_iter().flatten().collect(),
            sampling,
            query: [Some(query), jaeger_query].into_iter().flatten().collect(),
        };
        let sampling = strategies.is_some().then_some(addresses.sampling);
        let identity = Identity::new(addresses.agents[0], sampling);
        let serve = server(listeners, &state, strategies, identity, stop);
        let serve = serve.map_err(DevError::Socket)?;
        inner.spawn("compact", {
            let state = state.clone();
            move || state.receive(&compact, Protocol::Compact)
        })?;
        inner.spawn("binary", {
            let state = state.clone();
            move || state.receive(&binary, Protocol::Binary)
        })?;
        inner.spawn("http", serve)?;
        inner.spawn("print", move || state.print())?;
        let server = Self {
            inner: Arc::new(inner),
        };
        let lines = [ports.taken(), strategies_line];
        Ok((server, lines.into_iter().flatten().collect()))
    }

    /// Returns where to send Thrift by UDP in the compact protocol: 127.0.0.1:6831 unless it was taken.
    pub fn agent_address(&self) -> SocketAddr {
        self.inner.addresses.agents[0]
    }

    /// Returns where to send Thrift by UDP in the binary protocol: 127.0.0.1:6832 unless it was taken.
    pub fn binary_agent_address(&self) -> SocketAddr {
        self.inner.addresses.agents[1]
    }

    /// Returns where to send Thrift by HTTP, as `POST /api/traces`: 127.0.0.1:14268 unless it was taken.
    pub fn collector_address(&self) -> SocketAddr {
        self.inner.addresses.collector
    }

    /// Returns where to ask for sampling strategies, as `GET /sampling?service=`: 127.0.0.1:5778 unless it was
    /// taken.
    ///
    /// The paths `/` and `/api/sampling` answer alike, and so does `/api/sampling` of the collector. The answer is
    /// JSON as of an agent of Jaeger 1 or of Jaeger 2.16: to keep everything, unless there is a
    /// [`DevOptions::strategies_file`], or [adaptive sampling](DevOptions::adaptive_sampling).
    pub fn sampling_address(&self) -> SocketAddr {
        self.inner.addresses.sampling
    }

    /// Returns where to read traces: 127.0.0.1:16699 unless it was taken.
    ///
    /// | request | answer |
    /// |---|---|
    /// | `GET /` | the search for a browser, a list of the newest traces for others |
    /// | `GET /trace/{id}` | the page for a browser, the picture in text for others; `?format=html` or `text` says which |
    /// | `GET /trace/{id}?format=text&details=on` | the picture with tags and logs |
    /// | `GET /live`, `/graph`, `/compare?a={id}&b={id}`, `/open-spans` | the other views |
    /// | `GET /trace/{id}?format=jaeger`, `GET /api/traces/{id}` | the JSON of Jaeger's query API |
    /// | `GET /api/traces?service=` | the same of a search: `operation`, `tags`, `tag`, `start`, `end`, `minDuration`, `maxDuration`, `limit`; of several `traceID`s |
    /// | `GET /api/services`, `/api/services/{service}/operations`, `/api/operations?service=&spanKind=` | names |
    /// | `GET /api/dependencies?endTs=&lookback=` | the calls between services |
    /// | `POST /api/transform` | the JSON of traces that come as OTLP in JSON |
    /// | `POST /api/archive/{id}`, `GET /api/metrics/calls` and its kin | that there is no archive, and no store of metrics |
    /// | `GET /api/v3/capabilities`, `/services`, `/operations`, `/dependencies`, `/trace-summaries`, `/traces`, `/traces/{id}` | the third version of Jaeger's API, with traces in OTLP |
    /// | `GET /api/live` | server-sent events: what a search would find, as it comes |
    /// | `GET /api/open-spans` | the spans that are open |
    /// | `POST /api/ai/mcp/` | tools for a language model, over the Model Context Protocol |
    /// | `GET /api/identity` | that this is an embedded agent, its version, and where it takes spans |
    pub fn query_address(&self) -> SocketAddr {
        self.inner.addresses.query
    }

    /// Returns where to send OTLP over HTTP, if a [port](DevOptions::otlp_port) is open for it.
    pub fn otlp_address(&self) -> Option<SocketAddr> {
        self.inner.addresses.otlp
    }

    /// Returns where to send OTLP over gRPC, if a [port](DevOptions::otlp_grpc_port) is open for it.
    #[cfg(feature = "_grpc-receiver")]
    #[cfg_attr(docsrs, doc(cfg(feature = "cli")))]
    pub fn otlp_grpc_address(&self) -> Option<SocketAddr> {
        self.inner.addresses.otlp_grpc
    }

    /// Returns where to send Jaeger's own gRPC, if a [port](DevOptions::jaeger_grpc_port) is open for it.
    #[cfg(feature = "_grpc-receiver")]
    #[cfg_attr(docsrs, doc(cfg(feature = "cli")))]
    pub fn jaeger_grpc_address(&self) -> Option<SocketAddr> {
        self.inner.addresses.jaeger_grpc
    }

    /// Returns where to send spans of Zipkin, if a [port](DevOptions::zipkin_port) is open for it.
    pub fn zipkin_address(&self) -> Option<SocketAddr> {
        self.inner.addresses.zipkin
    }

    /// Returns the second address for reading traces, if there is [one](DevOptions::jaeger_query_port).
    pub fn jaeger_query_address(&self) -> Option<SocketAddr> {
        self.inner.addresses.jaeger_query
    }

    /// Takes traces as if their spans had come now: those of a file, for example.
    ///
    /// ```
    /// use tracehound::dev::{DevOptions, DevServer, Waterfall};
    /// use tracehound::view::Trace;
    ///
    /// let server = DevServer::start(DevOptions::new().any_ports().waterfall(Waterfall::Never))?;
    /// let earlier = r#"{"data": [{"traceID": "7f3c", "processes": {"p1": {"serviceName": "shop"}},
    ///     "spans": [{"spanID": "1", "operationName": "checkout", "processID": "p1",
    ///                "startTime": 1, "duration": 2}]}]}"#;
    /// server.add(Trace::from_json(earlier)?);
    /// assert_eq!(server.services(), ["shop"]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn add(&self, traces: impl IntoIterator<Item = Trace>) {
        let spans = traces.into_iter().flat_map(|trace| trace.spans);
        self.inner.state.insert(spans.map(|received| ReceivedBatch {
            process: received.process.clone(),
            spans: vec![received.span.clone()],
            format: BatchFormat::BinaryBatch,
            left_out: 0,
            sequence_number: None,
            losses: None,
        }));
    }

    /// Returns all traces that the server holds, the oldest first.
    pub fn traces(&self) -> Vec<Trace> {
        self.inner.state.look(TraceStore::traces)
    }

    /// Returns one trace, if the server holds it.
    pub fn trace(&self, trace_id: TraceId) -> Option<Trace> {
        self.inner.state.look(|store| store.trace(trace_id))
    }

    /// Returns the names of the services in the traces that the server holds, sorted.
    pub fn services(&self) -> Vec<String> {
        services(&self.traces())
    }

    /// Returns what the server has counted since its start.
    pub fn totals(&self) -> DevTotals {
        self.inner.state.look(TraceStore::totals)
    }

    /// Blocks until `n` spans have been received since the start. Returns false if that takes longer than `timeout`.
    pub fn wait_for_spans(&self, n: u64, timeout: Duration) -> bool {
        self.inner
            .state
            .wait_until(deadline_after(timeout), |progress| progress.received() >= n)
    }

    /// Blocks until all datagrams that had reached the sockets before this call have been read. Returns false if that
    /// takes longer than `timeout`.
    pub fn wait_until_read(&self, timeout: Duration) -> bool {
        self.inner.wait_until_read(deadline_after(timeout))
    }

    /// Blocks until all traces that have been received are at rest and printed. Returns false if that takes longer than
    /// `timeout`, and true at once if nothing is printed.
    ///
    /// A program calls it to print its own lines before or after a picture. Flush the tracers first.
    pub fn wait_until_printed(&self, timeout: Duration) -> bool {
        self.inner
            .state
            .wait_until(deadline_after(timeout), Progress::has_printed)
    }

    /// Drops all traces. The totals stay as they are.
    pub fn clear(&self) {
        self.inner.state.clear();
    }

    /// Prints traces to `writer` from now on, in ASCII. Begins with those that have not been printed yet.
    pub fn print_waterfalls_to(&self, writer: impl Write + Send + 'static) {
        let printer = Printer::to_writer(Box::new(writer), self.inner.columns, self.inner.details);
        self.inner.state.print_to(printer);
    }

    /// Returns whether traces are drawn.
    pub(crate) fn is_printing(&self) -> bool {
        self.inner.state.is_printing()
    }

    /// Returns the state that the threads share, which does not keep the server running.
    pub(crate) fn state(&self) -> &Arc<ServerState> {
        &self.inner.state
    }

    /// Returns the strategies that the agent serves, if it does not keep everything.
    pub(crate) fn strategies(&self) -> Option<&Arc<ServedStrategies>> {
        self.inner.strategies.as_ref()
    }

    pub(crate) fn downgrade(&self) -> WeakServer {
        WeakServer(Arc::downgrade(&self.inner))
    }
}

/// The embedded agent that takes a program's spans.
#[derive(Debug)]
pub(crate) enum Found {
    /// This program's own.
    Own(DevServer),
    /// An agent that runs already, as a rule in another program.
    Peer(Peer),
}

/// A handle that does not keep the server running.
pub(crate) struct WeakServer(Weak<Inner>);

impl WeakServer {
    /// Returns a handle to no server.
    pub(crate) const fn new() -> Self {
        Self(Weak::new())
    }

    /// Returns a handle that keeps the server running, unless it has ended.
    pub(crate) fn upgrade(&self) -> Option<DevServer> {
        self.0.upgrade().map(|inner| DevServer { inner })
    }
}

impl fmt::Debug for DevServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DevServer")
            .field("addresses", &self.inner.addresses)
            .finish_non_exhaustive()
    }
}

impl Inner {
    fn spawn(&mut self, name: &str, run: impl FnOnce() + Send + 'static) -> Result<(), DevError> {
        let thread = thread::Builder::new().name(format!("tracehound-dev-{name}"));
        self.threads
            .push(thread.spawn(run).map_err(DevError::Thread)?);
        Ok(())
    }

    /// Sends a mark, a datagram of the server's own, and waits until it is read: the datagrams before it are read then.
    fn wait_until_read(&self, deadline: Instant) -> bool {
        let mark = self.marks.fetch_add(1, Ordering::Relaxed) + 1;
        loop {
            self.send_mark(mark);
            // A full socket drops the mark, so it is sent again.
            let again = deadline.min(deadline_after(Duration::from_millis(20)));
            let is_seen = |progress: &Progress| progress.has_seen(mark);
            if self.state.wait_until(again, is_seen) {
                return true;
            }
            if instant_now() >= deadline {
                return false;
            }
        }
    }

    fn send_mark(&self, mark: u64) {
        for agent in self.addresses.agents {
            let _ = self.marker.send_to(&mark.to_be_bytes(), agent);
        }
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        if self.generation != generation() {
            // The threads are the parent's, and so are the sockets that it reads.
            mem::forget(mem::take(&mut self.threads));
            return;
        }
        // If the start has failed, some thread is missing, and no mark would be seen.
        if self.threads.len() == THREADS {
            self.wait_until_read(deadline_after(LAST_READ));
        }
        self.state.stop();
        self.stop_http = None;
        self.send_mark(0);
        let own = thread::current().id();
        for thread in self.threads.drain(..) {
            // The writer of the pictures may drop the last handle, on the thread that prints.
            if thread.thread().id() != own {
                let _ = thread.join();
            }
        }
        self.state.print_remaining();
    }
}

const THREADS: usize = 4;
/// How long a drop waits until the datagrams in the sockets are read.
const LAST_READ: Duration = Duration::from_millis(500);
