mod addresses;
mod bucket;
mod connection;
mod connector;
mod explain;
mod failure;
mod protocol;
mod resolver;
mod setters;
mod socket;
mod socket_table;
mod watch;

use std::fmt;
use std::io::ErrorKind;
use std::mem;
use std::time::{Duration, Instant};

pub use addresses::SocketFamily;
pub use protocol::AgentProtocol;

use crate::clock::instant_now;
use crate::metrics::{DropCause, DropCounts};
use crate::reporter::sender::udp::bucket::Bucket;
use crate::reporter::sender::udp::connection::{Connection, NoRoom};
use crate::reporter::sender::udp::connector::Connector;
use crate::reporter::sender::udp::failure::Failure;
use crate::reporter::sender::udp::watch::{Room, memory_of};
use crate::reporter::sender::{
    AgentAddress, Batch, BatchFormat, MakeSender, SendOutcome, SendResult, Sender,
};

/// A sender that sends batches to an agent by UDP, one in each datagram.
///
/// UDP has no receipt and no flow control, so this sender finds out what it can:
///
/// | the agent is | the sender knows | so it |
/// |---|---|---|
/// | on this host, on Linux | how full the agent's receive buffer is, and how many datagrams the kernel dropped there | sends when half of the buffer is free; counts drops as `agent_kernel_drops` |
/// | elsewhere, or on another system | nothing | sends 64 KiB at once, then [`max_bytes_per_second`](Self::max_bytes_per_second); counts all as sent |
/// | not there | a refusal: on this host at once, from another host later, for the datagram before | counts spans as `refused`; tries again with a batch of one span each second |
///
/// Spans that cannot go out yet wait in the queue.
///
/// The kernel counts the dropped datagrams of all programs together, and each sender takes as many on itself as it has
/// sent since its last look. So several senders that meet a full buffer may count more losses than there were, and none
/// counts a dropped datagram as sent. Some losses stay unknown: datagrams that lay unread in an agent when it ended,
/// and those that an agent drops after it has read them. If a proxy passes datagrams on to an agent in a container, the
/// sender watches the proxy.
///
/// The socket is bound to the loopback address if the agent is there, else to any address of the agent's family. When
/// it cannot send any more, as after a change of this host's addresses, the sender opens another one, at most once a
/// second.
///
/// A thread of its own looks up an agent's name when the first batch is sent, again every 30 seconds, and after
/// refusals. Spans are lost as `no_address` until there is an answer. `localhost` is this host also where the system
/// does not know the name, as in a container without `/etc/hosts`. Of several addresses those of IP version 4 come
/// first, and when one refuses, the sender turns to the next.
///
/// ```
/// use tracehound::reporter::RemoteReporter;
/// use tracehound::reporter::sender::{AgentAddress, UdpSender};
///
/// let agent: AgentAddress = "localhost:6831".parse()?;
/// let reporter = RemoteReporter::new(UdpSender::new(agent));
/// # Ok::<(), tracehound::reporter::sender::AddressError>(())
/// ```
///
/// The page `docs/delivery.md` tells more, with figures measured against real agents.
pub struct UdpSender {
    connector: Connector,
    connection: Option<Connection>,
    protocol: AgentProtocol,
    /// The limit that the user has set.
    max_packet_bytes: Option<usize>,
    /// The limit that the system's refusals have taught.
    learnt_bytes: usize,
    /// Spans that were found to be dropped when a connection was closed, and are not reported yet.
    lost_before: u64,
    /// The pace for an agent that is watched.
    bucket: Bucket,
    /// The pace for an agent that cannot be watched.
    blind_bucket: Bucket,
    bytes_per_second: u64,
    /// The last failure of a datagram.
    problem: Option<Failure>,
    /// The reason why a batch has to wait.
    waits_for: Option<WaitsFor>,
}

/// A reason to wait.
#[derive(Clone, Copy)]
enum WaitsFor {
    /// The agent does not read fast enough.
    Reader,
    /// As many bytes have gone as may without word from the agent.
    Pace,
    /// The system has no room.
    System,
}

impl UdpSender {
    /// The largest datagram that an agent reads, in bytes.
    ///
    /// ```
    /// use std::time::Duration;
    /// use tracehound::reporter::RemoteReporter;
    /// use tracehound::reporter::sender::{AgentAddress, AgentProtocol, SocketFamily, UdpSender};
    ///
    /// let agent = AgentAddress::new("jaeger-agent", AgentAddress::BINARY_PORT);
    /// let sender = UdpSender::new(agent)
    ///     .protocol(AgentProtocol::Binary)
    ///     .family(SocketFamily::V4)
    ///     .lookup_interval(Some(Duration::from_secs(300)))
    ///     .max_packet_bytes(UdpSender::MAX_PACKET_BYTES)
    ///     .max_bytes_per_second(50_000_000);
    /// let reporter = RemoteReporter::new(sender);
    /// # drop(reporter);
    /// ```
    pub const MAX_PACKET_BYTES: usize = 65_000;

    /// Makes a sender to `agent` that speaks the compact protocol.
    pub fn new(agent: impl Into<AgentAddress>) -> Self {
        Self {
            connector: Connector::new(agent.into()),
            connection: None,
            protocol: AgentProtocol::Compact,
            max_packet_bytes: None,
            learnt_bytes: usize::MAX,
            lost_before: 0,
            bucket: Bucket::new(BYTES_PER_SECOND, BURST),
            blind_bucket: Bucket::new(BYTES_PER_SECOND, BLIND_BURST),
            bytes_per_second: BYTES_PER_SECOND,
            problem: None,
            waits_for: None,
        }
    }

    /// Sends one datagram. Tries again if the system has told of the datagram before in place of sending this one.
    fn send_datagram(&mut self, connection: &mut Connection, batch: &Batch<'_>) -> SendOutcome {
        connection.is_broken = false;
        let mut stale = None;
        let failed = loop {
            let Err(error) = connection.socket.send(batch.bytes) else {
                break None;
            };
            let failure = Failure::from(error);
            match failure.cause {
                _ if failure.error.kind() == ErrorKind::Interrupted => {}
                DropCause::NetBuffer => match connection.no_room.wait(instant_now()) {
                    Some(until) => {
                        self.problem = Some(failure);
                        self.waits_for = Some(WaitsFor::System);
                        return SendOutcome::new(SendResult::Later(until));
                    }
                    None => break Some(failure),
                },
                // This may be about the datagram before, and then this one was not sent: the next address gets it.
                DropCause::Refused if stale.is_none() && self.connector.addresses.len() > 1 => {
                    stale = Some(Failure::afterwards(failure.error));
                    break Some(Failure::from(ErrorKind::ConnectionRefused.into()));
                }
                cause
                    if stale.is_none()
                        && (connection.unconfirmed > 0 || cause == DropCause::Refused) =>
                {
                    stale = Some(Failure::afterwards(failure.error));
                }
                _ => break Some(failure),
            }
        };
        connection.is_doubtful |= stale.is_some() || failed.is_some();
        match failed {
            None => {
                connection.no_room = NoRoom::default();
                let outcome = self.lose_earlier(connection, SendOutcome::default(), stale);
                self.confirm(connection, batch, outcome)
            }
            Some(failure) => {
                connection.is_broken = failure.cause == DropCause::SendFailed;
                let stale = stale.filter(|stale| stale.cause == DropCause::Refused);
                let outcome = self.lose_earlier(connection, SendOutcome::default(), stale);
                self.lose(failure, batch, outcome)
            }
        }
    }

    /// Asks the system what became of a datagram, if it is doubtful and the answer is there at once.
    ///
    /// Otherwise the next `send` tells, so that a datagram costs one system call.
    fn confirm(
        &mut self,
        connection: &mut Connection,
        batch: &Batch<'_>,
        outcome: SendOutcome,
    ) -> SendOutcome {
        if connection.is_doubtful && self.connector.addresses.is_loopback() {
            if let Some(error) = connection.socket.take_error() {
                connection.unconfirmed = 0;
                return self.lose(Failure::afterwards(error), batch, outcome);
            }
            connection.is_doubtful = false;
        }
        connection.unconfirmed = batch.span_count;
        connection.has_sent = true;
        if let Some(watch) = &mut connection.watch {
            watch.sent(batch.span_count);
        }
        outcome
    }

    fn lose(
        &mut self,
        failure: Failure,
        batch: &Batch<'_>,
        mut outcome: SendOutcome,
    ) -> SendOutcome {
        outcome.this = SendResult::Lost(failure.cause);
        match failure.cause {
            DropCause::TooLarge => {
                let half = (batch.bytes.len() / 2).max(MIN_LEARNT_BYTES);
                self.learnt_bytes = self.learnt_bytes.min(half);
                outcome.this = SendResult::TooLarge;
            }
            DropCause::Refused => self.connector.addresses.count_refusal(),
            _ => {}
        }
        self.problem = Some(failure);
        outcome
    }

    /// Counts the datagram before as lost, if there is a failure.
    fn lose_earlier(
        &mut self,
        connection: &mut Connection,
        outcome: SendOutcome,
        failure: Option<Failure>,
    ) -> SendOutcome {
        let Some(failure) = failure else {
            return outcome;
        };
        let cause = failure.cause;
        if cause == DropCause::Refused {
            self.connector.addresses.count_refusal();
        }
        self.problem = Some(failure);
        if let Some(watch) = &mut connection.watch {
            watch.take_back();
        }
        match mem::take(&mut connection.unconfirmed) {
            0 => outcome,
            spans => outcome.with_earlier_loss(cause, spans),
        }
    }

    /// Takes room for a datagram from the agent's buffer and from the pace, or returns when there will be room.
    ///
    /// Adds the losses that a look at the agent's socket finds to `outcome`.
    fn make_room(
        &mut self,
        connection: &mut Connection,
        bytes: usize,
        outcome: &mut SendOutcome,
    ) -> Result<(), Instant> {
        let (now, mut lost) = (instant_now(), 0);
        let memory = memory_of(bytes);
        let watch = connection.watch.as_mut();
        let room = watch.map_or(Room::Unknown, |watch| {
            watch.room_for(memory, now, &mut lost)
        });
        outcome.earlier.add(DropCause::AgentKernelDrops, lost);
        let (bucket, bytes) = match room {
            Room::NotBefore(at) => {
                self.waits_for = Some(WaitsFor::Reader);
                return Err(at);
            }
            Room::Enough => (&mut self.bucket, bytes as u64),
            Room::Unknown => (&mut self.blind_bucket, memory),
        };
        if let Some(at) = bucket.ready_at(bytes, now) {
            self.waits_for = Some(WaitsFor::Pace);
            return Err(at);
        }
        bucket.take(bytes);
        self.waits_for = None;
        Ok(())
    }

    /// Takes the connection, or opens one. The caller puts it back.
    fn connect(&mut self, deadline: Instant) -> Result<Connection, DropCause> {
        if self.connector.addresses.refresh(instant_now()) {
            self.let_go();
        }
        match self.connection.take() {
            Some(connection) => Ok(connection),
            None => self.connector.connect(deadline),
        }
    }

    /// Turns to the next address. Returns false if there is no other.
    fn turn_to_next_address(&mut self) -> bool {
        let has_turned = self.connector.addresses.turn_to_next();
        if has_turned {
            self.let_go();
        }
        has_turned
    }

    /// Returns whether a socket that cannot send may be replaced now. One whose number is that of another file always
    /// is.
    fn may_replace(&mut self) -> bool {
        let problem = self.problem.as_ref();
        problem.is_some_and(Failure::is_closed_elsewhere) || self.connector.may_replace()
    }

    /// Closes the connection, after a last look at what became of its datagrams.
    fn let_go(&mut self) {
        let Some(connection) = self.connection.take() else {
            return;
        };
        let problem = self.problem.as_ref().filter(|_| connection.is_broken);
        if problem.is_some_and(Failure::is_closed_elsewhere) {
            // To close a file that is none of ours may end the program.
            mem::forget(connection);
        } else if let Some(mut watch) = connection.watch {
            self.lost_before += watch.settle(instant_now());
        }
    }

    /// Returns whether datagrams to the agent stay on this host.
    fn is_on_this_host(&self) -> bool {
        let connection = self.connection.as_ref();
        self.connector.addresses.is_loopback() || connection.is_some_and(|it| it.watch.is_some())
    }
}

impl Sender for UdpSender {
    fn format(&self) -> BatchFormat {
        self.protocol.format()
    }

    fn max_bytes(&self) -> usize {
        let path_mtu = self.connection.as_ref().and_then(|it| it.path_mtu);
        let default = if self.is_on_this_host() {
            LOOPBACK_PACKET_BYTES
        } else {
            let most = path_mtu.map_or(PACKET_BYTES, |mtu| mtu.saturating_sub(HEADER_BYTES));
            most.clamp(MIN_LEARNT_BYTES, PACKET_BYTES)
        };
        self.max_packet_bytes
            .unwrap_or(default)
            .min(self.learnt_bytes)
    }

    fn max_single_bytes(&self) -> usize {
        self.max_packet_bytes
            .unwrap_or(Self::MAX_PACKET_BYTES)
            .min(self.learnt_bytes)
    }

    fn send(&mut self, batch: &Batch<'_>, deadline: Instant) -> SendOutcome {
        let mut earlier = DropCounts::default();
        let mut tries = 1;
        loop {
            let mut outcome = SendOutcome::default();
            let mut has_broken = false;
            match self.connect(deadline) {
                Ok(mut connection) => {
                    let bytes = batch.bytes.len();
                    match self.make_room(&mut connection, bytes, &mut outcome) {
                        Ok(()) => {
                            let sent = self.send_datagram(&mut connection, batch);
                            outcome.this = sent.this;
                            outcome.earlier.merge(&sent.earlier);
                        }
                        Err(at) => outcome.this = SendResult::Later(at),
                    }
                    let is_replaced = connection.is_broken && self.may_replace();
                    has_broken = is_replaced && connection.has_sent;
                    self.connection = Some(connection);
                    if is_replaced {
                        self.let_go();
                    }
                }
                Err(cause) => outcome.this = SendResult::Lost(cause),
            }
            outcome.earlier.merge(&earlier);
            let lost = mem::take(&mut self.lost_before);
            outcome.earlier.add(DropCause::AgentKernelDrops, lost);
            let is_refused = outcome.this == SendResult::Lost(DropCause::Refused);
            // A socket that has sent stays at the address that this host had then: another one may have a way.
            if has_broken {
                earlier = outcome.earlier;
            } else if is_refused
                && self.turn_to_next_address()
                && tries < self.connector.addresses.len()
            {
                tries += 1;
                earlier = outcome.earlier;
            } else {
                return outcome;
            }
        }
    }

    fn poll(&mut self) -> SendOutcome {
        let mut outcome = SendOutcome::default();
        let Some(mut connection) = self.connection.take() else {
            return outcome;
        };
        let failure = connection.socket.take_error().map(Failure::afterwards);
        connection.is_doubtful |= failure.is_some();
        let is_refused = matches!(&failure, Some(failure) if failure.cause == DropCause::Refused);
        outcome = self.lose_earlier(&mut connection, outcome, failure);
        if let Some(watch) = &mut connection.watch {
            let lost = watch.settle(instant_now());
            outcome.earlier.add(DropCause::AgentKernelDrops, lost);
        }
        self.connection = Some(connection);
        if is_refused {
            self.turn_to_next_address();
        }
        outcome
    }

    fn retry_after(&self) -> Duration {
        let connection = self.connection.as_ref();
        // For an agent at the loopback address the system tells at once what the last datagram has met.
        if self.connector.addresses.is_loopback() && connection.is_some_and(|it| !it.is_doubtful) {
            Duration::ZERO
        } else {
            Duration::from_secs(1)
        }
    }

    fn destination(&self) -> String {
        self.connector.addresses.describe()
    }

    fn explain(&self, cause: DropCause) -> String {
        self.line_about(cause)
    }

    fn explain_wait(&self) -> Option<String> {
        self.line_about_wait()
    }

    fn after_fork(&self) -> Option<MakeSender> {
        let addresses = &self.connector.addresses;
        let (agent, family) = (addresses.agent().clone(), addresses.family);
        let lookup_interval = addresses.lookup_interval;
        let (protocol, max_packet_bytes) = (self.protocol, self.max_packet_bytes);
        let bytes_per_second = self.bytes_per_second;
        Some(Box::new(move || {
            Box::new(Self {
                protocol,
                max_packet_bytes,
                ..Self::new(agent.clone())
                    .family(family)
                    .lookup_interval(lookup_interval)
                    .max_bytes_per_second(bytes_per_second)
            })
        }))
    }
}

impl fmt::Debug for UdpSender {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "UdpSender({})", self.destination())
    }
}

/// The size of packets to an agent on this host, of which a default receive buffer holds a dozen.
const LOOPBACK_PACKET_BYTES: usize = 16_000;
/// The size of packets to an agent elsewhere, which no common network fragments.
const PACKET_BYTES: usize = 1_400;
/// The headers of IP version 6 and UDP.
const HEADER_BYTES: usize = 48;
/// The smallest limit that is learnt, however often the system finds datagrams too large.
const MIN_LEARNT_BYTES: usize = 1_024;

/// The default pace. A Jaeger agent was seen to decode about as much on two cores.
const BYTES_PER_SECOND: u64 = 20_000_000;
/// The burst to an agent that is watched: half of what the agent of Jaeger 1 queues behind its socket.
const BURST: u64 = 8 * 1024 * 1024;
/// The burst to an agent that cannot be watched: a third of a default receive buffer.
const BLIND_BURST: u64 = 64 * 1024;

#[cfg(test)]
mod tests;
