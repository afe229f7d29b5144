mod connection;
mod input;
mod reply;
mod request;
mod routes;
mod server;
mod shared;

use std::fmt;
use std::io;
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

pub use connection::Connection;
pub use request::ReceivedRequest;

use crate::reporter::OwnedSpan;
use crate::testkit::collector::connection::Wrap;
use crate::testkit::collector::server::Server;
use crate::testkit::collector::shared::{Decide, Shared};
use crate::testkit::port::bind_again;
use crate::testkit::received::{PATIENCE, Received};
use crate::testkit::watched::Watched;
use crate::testkit::{Fault, ReceivedBatch};

/// A collector that records: an HTTP server on a free port of loopback.
///
/// It takes spans in three formats, with or without gzip, and decodes them as they come:
///
/// | request | format | reply |
/// |---|---|---|
/// | `POST /api/traces` | Jaeger's Thrift, binary protocol | 202 |
/// | `POST /v1/traces` | OTLP, protobuf | 200 |
/// | `POST /api/v2/spans` | Zipkin, JSON | 202 |
/// | `GET` of a path of [`serve`](Self::serve) | | 200 and the document |
///
/// All else is refused as a collector does: 400, 404, 405 or 415. What cannot be read is told by
/// [`errors`](Self::errors). A request has at most 16 MiB, unpacked. Its threads end with it.
///
/// ```
/// use std::io::{Read, Write};
/// use std::net::TcpStream;
/// use std::time::Duration;
/// use tracehound::testkit::{MockCollector, assert_trace};
///
/// let collector = MockCollector::start()?;
/// // In a test, this is your program.
/// let body = r#"[{"traceId":"a1","id":"b2","name":"checkout",
///                "localEndpoint":{"serviceName":"shop"}}]"#;
/// let mut connection = TcpStream::connect(collector.address())?;
/// write!(
///     connection,
///     "POST /api/v2/spans HTTP/1.1\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\
///      Authorization: Bearer t0ken\r\nConnection: close\r\n\r\n{body}",
///     body.len(),
/// )?;
/// let mut reply = String::new();
/// connection.read_to_string(&mut reply)?;
/// assert!(reply.starts_with("HTTP/1.1 202 "));
///
/// let spans = collector.wait_for_spans(1, Duration::from_secs(5));
/// assert_trace(&spans, "checkout");
/// assert_eq!(spans[0].service_name(), "shop");
/// assert_eq!(collector.requests()[0].header("authorization"), Some("Bearer t0ken"));
/// # Ok::<(), std::io::Error>(())
/// ```
pub struct MockCollector {
    address: SocketAddr,
    wrap: Arc<Wrap>,
    shared: Arc<Watched<Shared>>,
}

impl MockCollector {
    /// Starts a collector on a free port of 127.0.0.1.
    ///
    /// # Errors
    ///
    /// Fails if there is no free port, or a thread cannot be started.
    ///
    /// ```
    /// use tracehound::testkit::MockCollector;
    ///
    /// let collector = MockCollector::start()?;
    /// assert!(collector.address().ip().is_loopback());
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn start() -> io::Result<Self> {
        Self::start_with(|connection| Some(Box::new(connection)))
    }

    /// Starts a collector that speaks through what `wrap` makes of a connection, such as a TLS stream. A connection of
    /// which it makes nothing is closed.
    ///
    /// # Errors
    ///
    /// Fails if there is no free port, or a thread cannot be started.
    ///
    /// ```
    /// use tracehound::testkit::MockCollector;
    ///
    /// let unreachable = MockCollector::start_with(|_connection| None)?;
    /// # let _ = unreachable;
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn start_with(
        wrap: impl Fn(TcpStream) -> Option<Box<dyn Connection>> + Send + Sync + 'static,
    ) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let collector = Self {
            address: listener.local_addr()?,
            wrap: Arc::new(wrap),
            shared: Arc::default(),
        };
        collector.listen(listener)?;
        Ok(collector)
    }

    /// Returns the address that takes requests. It stays during a [`stop`](Self::stop).
    ///
    /// ```
    /// use tracehound::testkit::MockCollector;
    ///
    /// assert_ne!(MockCollector::start()?.address().port(), 0);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Returns the URL of a path of this collector.
    ///
    /// ```
    /// use tracehound::testkit::MockCollector;
    ///
    /// let collector = MockCollector::start()?;
    /// let port = collector.address().port();
    /// assert_eq!(collector.url("/v1/traces"), format!("http://127.0.0.1:{port}/v1/traces"));
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// Returns copies of the spans so far, each with its process.
    ///
    /// ```
    /// use tracehound::testkit::MockCollector;
    ///
    /// assert!(MockCollector::start()?.spans().is_empty());
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn spans(&self) -> Vec<OwnedSpan> {
        self.look(Received::spans)
    }

    /// Waits until `count` spans have come, or until the time is up. Returns the spans so far.
    ///
    /// ```
    /// use std::time::Duration;
    /// use tracehound::testkit::MockCollector;
    ///
    /// let collector = MockCollector::start()?;
    /// assert!(collector.wait_for_spans(1, Duration::from_millis(1)).is_empty());
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn wait_for_spans(&self, count: usize, timeout: Duration) -> Vec<OwnedSpan> {
        let enough = |shared: &Shared| shared.received.span_count() >= count as u64;
        self.shared.wait(timeout, enough);
        self.spans()
    }

    /// Returns copies of the batches so far: one for each process of each request whose spans were taken.
    ///
    /// ```
    /// use tracehound::testkit::MockCollector;
    ///
    /// assert!(MockCollector::start()?.batches().is_empty());
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn batches(&self) -> Vec<ReceivedBatch> {
        self.look(Received::batches)
    }

    /// Returns copies of the requests so far, those that met a fault included. Those beyond the first 64 MiB are not
    /// kept.
    ///
    /// ```
    /// use tracehound::testkit::MockCollector;
    ///
    /// assert!(MockCollector::start()?.requests().is_empty());
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn requests(&self) -> Vec<ReceivedRequest> {
        self.shared.look(|shared| shared.requests.clone())
    }

    /// Returns how many requests have come, those that are not kept included.
    ///
    /// ```
    /// use tracehound::testkit::MockCollector;
    ///
    /// assert_eq!(MockCollector::start()?.request_count(), 0);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn request_count(&self) -> u64 {
        self.shared.look(|shared| shared.request_count)
    }

    /// Waits until `count` requests have come, or until the time is up. Returns the requests so far.
    ///
    /// ```
    /// use std::time::Duration;
    /// use tracehound::testkit::MockCollector;
    ///
    /// let collector = MockCollector::start()?;
    /// assert!(collector.wait_for_requests(1, Duration::from_millis(1)).is_empty());
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn wait_for_requests(&self, count: usize, timeout: Duration) -> Vec<ReceivedRequest> {
        let enough = |shared: &Shared| shared.request_count >= count as u64;
        self.shared.wait(timeout, enough);
        self.requests()
    }

    /// Returns how many spans were taken, those that are [not kept](Self::keep_at_most) included.
    ///
    /// ```
    /// use tracehound::testkit::MockCollector;
    ///
    /// assert_eq!(MockCollector::start()?.span_count(), 0);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn span_count(&self) -> u64 {
        self.look(Received::span_count)
    }

    /// Returns what could not be read so far, and why. Those beyond the first thousand are not kept.
    ///
    /// ```
    /// use tracehound::testkit::MockCollector;
    ///
    /// assert!(MockCollector::start()?.errors().is_empty());
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn errors(&self) -> Vec<String> {
        self.look(Received::errors)
    }

    /// Forgets the spans, requests and errors so far. Faults and documents stay.
    ///
    /// ```
    /// use tracehound::testkit::MockCollector;
    ///
    /// let collector = MockCollector::start()?;
    /// collector.clear();
    /// assert_eq!(collector.span_count(), 0);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn clear(&self) {
        self.shared.change(|shared| {
            shared.received.clear();
            shared.requests.clear();
            (shared.request_count, shared.request_bytes) = (0, 0);
        });
    }

    /// Sets how many spans are kept; more are only counted. At 0, no request is kept either. Defaults to 100,000.
    ///
    /// ```
    /// use tracehound::testkit::MockCollector;
    ///
    /// MockCollector::start()?.keep_at_most(0); // a flood is counted, in flat memory
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn keep_at_most(&self, spans: usize) {
        self.shared.change(|shared| {
            shared.received.keep_at_most(spans);
            shared.ignores_requests = spans == 0;
        });
    }

    /// Answers a `GET` of this path with a document, of the type `application/json`. A path has one document.
    ///
    /// ```
    /// use tracehound::testkit::MockCollector;
    ///
    /// let collector = MockCollector::start()?;
    /// let keep_all = r#"{"probabilisticSampling":{"samplingRate":1}}"#;
    /// collector.serve("/sampling", keep_all);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn serve(&self, path: impl Into<String>, document: impl Into<Vec<u8>>) {
        let (path, document) = (path.into(), document.into());
        self.shared
            .change(|shared| shared.documents.insert(path, document));
    }

    /// Meets the next requests with these faults, one after the other, after those that were set before.
    ///
    /// ```
    /// use tracehound::testkit::{Fault, MockCollector};
    ///
    /// let collector = MockCollector::start()?;
    /// collector.next_faults([Fault::status(503), Fault::reset()]); // the third request is taken
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn next_faults(&self, faults: impl IntoIterator<Item = Fault>) {
        self.shared.change(|shared| shared.received.script(faults));
    }

    /// Meets every request from now on with this fault, in place of all that were set before.
    ///
    /// ```
    /// use tracehound::testkit::{Fault, MockCollector};
    ///
    /// let collector = MockCollector::start()?;
    /// collector.always(Fault::status(503));
    /// collector.always(Fault::none()); // all is well again
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn always(&self, fault: Fault) {
        self.shared.change(|shared| shared.received.always(fault));
    }

    /// Asks this function about every request that meets no other fault.
    ///
    /// ```
    /// use tracehound::testkit::{Fault, MockCollector};
    ///
    /// let collector = MockCollector::start()?;
    /// collector.on_request(|request| match request.header("authorization") {
    ///     Some("Bearer t0ken") => Fault::none(),
    ///     _ => Fault::status(401),
    /// });
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn on_request(&self, decide: impl Fn(&ReceivedRequest) -> Fault + Send + Sync + 'static) {
        let decide = Arc::new(decide);
        self.shared
            .change(|shared| shared.decide = Decide(Some(decide)));
    }

    /// Stops listening and closes all connections: from now on the system refuses connections, as it does where no
    /// collector runs.
    ///
    /// # Errors
    ///
    /// Fails if the threads do not end within ten seconds.
    ///
    /// ```
    /// use tracehound::testkit::MockCollector;
    ///
    /// let collector = MockCollector::start()?;
    /// collector.stop()?;
    /// assert!(std::net::TcpStream::connect(collector.address()).is_err());
    /// collector.restart()?; // on the same port
    /// assert!(std::net::TcpStream::connect(collector.address()).is_ok());
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn stop(&self) -> io::Result<()> {
        let handles = self.shared.change(|shared| {
            shared.is_over = true;
            shared.connections.values().cloned().collect::<Vec<_>>()
        });
        for handle in handles {
            // Fails for a connection that has just ended.
            let _ = handle.shutdown(Shutdown::Both);
        }
        // Wakes the thread that accepts.
        drop(TcpStream::connect(self.address));
        let is_over = |shared: &Shared| !shared.is_listening && shared.connections.is_empty();
        match self.shared.wait(PATIENCE, is_over) {
            true => Ok(()),
            false => Err(io::ErrorKind::TimedOut.into()),
        }
    }

    /// Listens again after a [`stop`](Self::stop).
    ///
    /// # Errors
    ///
    /// Fails if another program has taken the port meanwhile, or a thread cannot be started.
    pub fn restart(&self) -> io::Result<()> {
        if self.shared.look(|shared| shared.is_listening) {
            return Ok(());
        }
        self.listen(bind_again(|| TcpListener::bind(self.address))?)
    }

    fn listen(&self, listener: TcpListener) -> io::Result<()> {
        self.shared.change(|shared| {
            shared.is_over = false;
            shared.is_listening = true;
        });
        let server = Server {
            shared: self.shared.clone(),
            wrap: self.wrap.clone(),
        };
        let thread = thread::Builder::new().name("tracehound-mock-collector".to_owned());
        let started = thread.spawn(move || server.accept(listener));
        if started.is_err() {
            self.shared.change(|shared| shared.is_listening = false);
        }
        started.map(drop)
    }

    fn look<R>(&self, look: impl FnOnce(&Received) -> R) -> R {
        self.shared.look(|shared| look(&shared.received))
    }
}

impl fmt::Debug for MockCollector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (address, spans) = (self.address, self.span_count());
        write!(f, "MockCollector({address}, {spans} spans)")
    }
}

impl Drop for MockCollector {
    fn drop(&mut self) {
        // A thread that does not end has nothing left to serve.
        let _ = self.stop();
    }
}
