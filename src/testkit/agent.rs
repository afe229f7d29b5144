use std::fmt;
use std::io;
use std::mem;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, ToSocketAddrs, UdpSocket};
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use crate::decode;
use crate::reporter::OwnedSpan;
use crate::testkit::fault::Kind;
use crate::testkit::port::bind_again;
use crate::testkit::received::{PATIENCE, Received};
use crate::testkit::watched::Watched;
use crate::testkit::{Fault, ReceivedBatch};

/// A Jaeger agent that records: a UDP socket on a free port of loopback.
///
/// It takes Thrift in the compact and the binary protocol, and decodes each datagram as it comes. What cannot be read
/// is told by [`errors`](Self::errors). Its thread ends with it.
///
/// ```
/// use std::time::Duration;
/// use tracehound::JaegerTracer;
/// use tracehound::prelude::*;
/// use tracehound::reporter::RemoteReporter;
/// use tracehound::reporter::sender::UdpSender;
/// use tracehound::sampler::ConstSampler;
/// use tracehound::testkit::{MockAgent, assert_trace};
///
/// let agent = MockAgent::start()?;
/// let tracer = JaegerTracer::builder("shop")
///     .sampler(ConstSampler::new(true))
///     .reporter(RemoteReporter::new(UdpSender::new(agent.address())))
///     .build()?;
/// let checkout = tracer.start_active_span("checkout");
/// tracer.start_span("pay").finish();
/// checkout.finish();
/// tracer.close(Duration::from_secs(5));
///
/// let spans = agent.wait_for_spans(2, Duration::from_secs(5));
/// assert_trace(&spans, "checkout\n  pay");
/// assert!(agent.errors().is_empty());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct MockAgent {
    address: SocketAddr,
    shared: Arc<Watched<Shared>>,
    /// Sends empty datagrams, to wake the thread.
    waker: UdpSocket,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug, Default)]
struct Shared {
    received: Received,
    datagrams: Vec<Vec<u8>>,
    datagram_bytes: usize,
    wanted: Mode,
    /// The state of the thread, or the reason why it cannot have the wanted one.
    reached: Mode,
    failure: Option<io::Error>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Mode {
    #[default]
    Listening,
    Stopped,
    Over,
}

impl MockAgent {
    /// Starts an agent on a free port of 127.0.0.1.
    ///
    /// # Errors
    ///
    /// Fails if there is no free port, or the thread cannot be started.
    ///
    /// ```
    /// use tracehound::testkit::MockAgent;
    ///
    /// let agent = MockAgent::start()?;
    /// assert!(agent.address().ip().is_loopback());
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn start() -> io::Result<Self> {
        Self::start_at((Ipv4Addr::LOCALHOST, 0))
    }

    /// Starts an agent at this address.
    ///
    /// # Errors
    ///
    /// Fails if the address is taken or is none of this host, or the thread cannot be started.
    ///
    /// ```
    /// use tracehound::testkit::MockAgent;
    ///
    /// let agent = MockAgent::start_at("127.0.0.1:0")?;
    /// assert_ne!(agent.address().port(), 0);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn start_at(address: impl ToSocketAddrs) -> io::Result<Self> {
        let socket = UdpSocket::bind(address)?;
        let address = socket.local_addr()?;
        let waker = UdpSocket::bind((address.ip(), 0))?;
        waker.connect(address)?;
        let woken_by = waker.local_addr()?;
        let shared = Arc::new(Watched::new(Shared::default()));
        let for_thread = shared.clone();
        let thread = thread::Builder::new()
            .name("tracehound-mock-agent".to_owned())
            .spawn(move || run(socket, address, woken_by, &for_thread))?;
        let thread = Some(thread);
        Ok(Self {
            address,
            shared,
            waker,
            thread,
        })
    }

    /// Returns the address that takes datagrams. It stays during a [`stop`](Self::stop).
    ///
    /// ```
    /// use tracehound::reporter::sender::UdpSender;
    /// use tracehound::testkit::MockAgent;
    ///
    /// let agent = MockAgent::start()?;
    /// let sender = UdpSender::new(agent.address());
    /// # let _ = sender;
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Returns copies of the spans so far, each with its process.
    ///
    /// ```
    /// use tracehound::testkit::MockAgent;
    ///
    /// assert!(MockAgent::start()?.spans().is_empty());
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn spans(&self) -> Vec<OwnedSpan> {
        self.look(Received::spans)
    }

    /// Waits until `count` spans have come, or until the time is up. Returns the spans so far.
    ///
    /// ```
    /// use std::time::Duration;
    /// use tracehound::testkit::MockAgent;
    ///
    /// let agent = MockAgent::start()?;
    /// assert!(agent.wait_for_spans(1, Duration::from_millis(1)).is_empty());
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn wait_for_spans(&self, count: usize, timeout: Duration) -> Vec<OwnedSpan> {
        let enough = |shared: &Shared| shared.received.span_count() >= count as u64;
        self.shared.wait(timeout, enough);
        self.spans()
    }

    /// Returns copies of the batches so far: one for each datagram that could be read.
    ///
    /// ```
    /// use tracehound::testkit::MockAgent;
    ///
    /// assert!(MockAgent::start()?.batches().is_empty());
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn batches(&self) -> Vec<ReceivedBatch> {
        self.look(Received::batches)
    }

    /// Returns the datagrams so far as they came, those that could not be read included. Those beyond the first 64 MiB
    /// are not kept.
    ///
    /// ```
    /// use tracehound::testkit::MockAgent;
    ///
    /// assert!(MockAgent::start()?.datagrams().is_empty());
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn datagrams(&self) -> Vec<Vec<u8>> {
        self.shared.look(|shared| shared.datagrams.clone())
    }

    /// Returns how many spans have come, those that are [not kept](Self::keep_at_most) included.
    ///
    /// ```
    /// use tracehound::testkit::MockAgent;
    ///
    /// assert_eq!(MockAgent::start()?.span_count(), 0);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn span_count(&self) -> u64 {
        self.look(Received::span_count)
    }

    /// Returns what could not be read so far, and why. Those beyond the first thousand are not kept.
    ///
    /// ```
    /// use std::net::UdpSocket;
    /// use std::time::Duration;
    /// use tracehound::testkit::MockAgent;
    ///
    /// let agent = MockAgent::start()?;
    /// UdpSocket::bind("127.0.0.1:0")?.send_to(b"no Thrift at all", agent.address())?;
    /// let errors = agent.wait_for_errors(1, Duration::from_secs(5));
    /// assert!(errors[0].starts_with("a datagram of 16 bytes: "));
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn errors(&self) -> Vec<String> {
        self.look(Received::errors)
    }

    /// Waits until there are `count` [`errors`](Self::errors), or until the time is up. Returns the errors so far.
    pub fn wait_for_errors(&self, count: usize, timeout: Duration) -> Vec<String> {
        let enough = |shared: &Shared| shared.received.error_count() >= count;
        self.shared.wait(timeout, enough);
        self.errors()
    }

    /// Forgets the spans, datagrams and errors so far. Faults stay.
    ///
    /// ```
    /// use tracehound::testkit::MockAgent;
    ///
    /// let agent = MockAgent::start()?;
    /// agent.clear();
    /// assert_eq!(agent.span_count(), 0);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn clear(&self) {
        self.shared.change(|shared| {
            shared.received.clear();
            shared.datagrams.clear();
            shared.datagram_bytes = 0;
        });
    }

    /// Sets how many spans are kept; more are only counted. Defaults to 100,000.
    ///
    /// ```
    /// use tracehound::testkit::MockAgent;
    ///
    /// MockAgent::start()?.keep_at_most(0); // a flood is counted, in flat memory
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn keep_at_most(&self, spans: usize) {
        self.shared
            .change(|shared| shared.received.keep_at_most(spans));
    }

    /// Meets the next datagrams with these faults, one after the other, after those that were set before.
    ///
    /// ```
    /// use tracehound::testkit::{Fault, MockAgent};
    ///
    /// let agent = MockAgent::start()?;
    /// agent.next_faults([Fault::drop()]); // the second datagram is taken again
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn next_faults(&self, faults: impl IntoIterator<Item = Fault>) {
        self.shared.change(|shared| shared.received.script(faults));
    }

    /// Meets every datagram from now on with this fault, in place of all that were set before.
    ///
    /// ```
    /// use tracehound::testkit::{Fault, MockAgent};
    ///
    /// let agent = MockAgent::start()?;
    /// agent.always(Fault::drop());
    /// agent.always(Fault::none()); // all is well again
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn always(&self, fault: Fault) {
        self.shared.change(|shared| shared.received.always(fault));
    }

    /// Stops listening: from now on the system refuses datagrams, as it does where no agent runs. What came before is
    /// recorded. Other programs do not get the port.
    ///
    /// # Errors
    ///
    /// Fails if the system does not give the port back.
    ///
    /// ```
    /// use tracehound::testkit::MockAgent;
    ///
    /// let agent = MockAgent::start()?;
    /// agent.stop()?;
    /// agent.restart()?; // on the same port
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn stop(&self) -> io::Result<()> {
        self.reach(Mode::Stopped)
    }

    /// Listens again after a [`stop`](Self::stop).
    ///
    /// # Errors
    ///
    /// Fails if the system does not give the port back.
    pub fn restart(&self) -> io::Result<()> {
        self.reach(Mode::Listening)
    }

    fn reach(&self, mode: Mode) -> io::Result<()> {
        self.shared.change(|shared| {
            shared.wanted = mode;
            shared.failure = None;
        });
        self.wake();
        let is_reached = |shared: &Shared| shared.reached == mode || shared.failure.is_some();
        if !self.shared.wait(PATIENCE, is_reached) {
            return Err(io::ErrorKind::TimedOut.into());
        }
        let failure = self.shared.change(|shared| shared.failure.take());
        failure.map_or(Ok(()), Err)
    }

    fn wake(&self) {
        // The first attempt may fail for a datagram that was refused earlier. One that finds no room is not needed,
        // because then the thread has others to read.
        let _ = self.waker.send(&[]).or_else(|_| self.waker.send(&[]));
    }

    fn look<R>(&self, look: impl FnOnce(&Received) -> R) -> R {
        self.shared.look(|shared| look(&shared.received))
    }
}

impl fmt::Debug for MockAgent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "MockAgent({}, {} spans)",
            self.address,
            self.span_count()
        )
    }
}

impl Drop for MockAgent {
    fn drop(&mut self) {
        self.shared.change(|shared| shared.wanted = Mode::Over);
        self.wake();
        if let Some(thread) = self.thread.take() {
            // It does not panic.
            let _ = thread.join();
        }
    }
}

/// Receives until the agent is dropped.
fn run(mut socket: UdpSocket, address: SocketAddr, woken_by: SocketAddr, shared: &Watched<Shared>) {
    let mut buffer = vec![0; MAX_DATAGRAM];
    loop {
        match shared.look(|shared| shared.wanted) {
            Mode::Over => return,
            Mode::Stopped => match pause(socket, address, woken_by, shared, &mut buffer) {
                Some(again) => socket = again,
                None => return,
            },
            Mode::Listening => {
                // Fails after a datagram of this socket's was refused, but it sends none.
                let Ok((length, from)) = socket.recv_from(&mut buffer) else {
                    continue;
                };
                if from != woken_by {
                    take(&buffer[..length], shared);
                }
            }
        }
    }
}

/// Holds the port without listening. Returns a socket that listens again, or none at the end.
fn pause(
    socket: UdpSocket,
    address: SocketAddr,
    woken_by: SocketAddr,
    shared: &Watched<Shared>,
    buffer: &mut [u8],
) -> Option<UdpSocket> {
    let failure = make_deaf(&socket, address).err();
    if socket.set_nonblocking(true).is_ok() {
        while let Ok((length, from)) = socket.recv_from(buffer) {
            if from != woken_by {
                take(&buffer[..length], shared);
            }
        }
    }
    shared.change(|shared| {
        shared.reached = Mode::Stopped;
        shared.failure = failure;
    });
    let mut deaf = Some(socket);
    loop {
        shared.wait(Duration::MAX, |shared| {
            shared.wanted != Mode::Stopped && shared.failure.is_none()
        });
        if shared.look(|shared| shared.wanted) == Mode::Over {
            return None;
        }
        drop(mem::take(&mut deaf));
        match bind_again(|| UdpSocket::bind(address)) {
            Ok(socket) => {
                shared.change(|shared| shared.reached = Mode::Listening);
                return Some(socket);
            }
            Err(error) => shared.change(|shared| {
                shared.failure = Some(error);
                shared.wanted = Mode::Stopped;
            }),
        }
    }
}

/// Makes a socket keep its port but take datagrams only from a place that sends none, so that the system refuses all
/// others.
fn make_deaf(socket: &UdpSocket, address: SocketAddr) -> io::Result<()> {
    let nobody: IpAddr = match address {
        SocketAddr::V4(_) => Ipv4Addr::LOCALHOST.into(),
        SocketAddr::V6(_) => Ipv6Addr::LOCALHOST.into(),
    };
    socket.connect((nobody, 1))
}

fn take(datagram: &[u8], shared: &Watched<Shared>) {
    let fault = shared.change(|shared| {
        if shared.datagram_bytes + datagram.len() <= MAX_KEPT_BYTES {
            shared.datagram_bytes += datagram.len();
            shared.datagrams.push(datagram.to_vec());
        }
        shared.received.next_fault()
    });
    let pause = match fault.0 {
        Kind::Drop => return,
        Kind::Delay(time) => time,
        Kind::SlowReader(bytes_per_second) => {
            Duration::from_secs_f64(datagram.len() as f64 / bytes_per_second as f64)
        }
        _ => Duration::ZERO,
    };
    shared.wait(pause, |shared| shared.wanted == Mode::Over);
    let batch = decode::datagram(datagram);
    shared.change(|shared| match batch {
        Ok(batch) => shared.received.push(batch),
        Err(error) => {
            let length = datagram.len();
            let error = format!("a datagram of {length} bytes: {error}");
            shared.received.push_error(error);
        }
    });
}

/// The largest datagram that there can be.
const MAX_DATAGRAM: usize = 65_536;
const MAX_KEPT_BYTES: usize = 64 << 20;
