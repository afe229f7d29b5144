mod addresses;
mod bucket;
mod connection;
mod explain;
mod resolver;
mod socket;
mod socket_table;
mod watch;

use std::fmt;
use std::io::ErrorKind;
use std::time::{Duration, Instant};

use crate::clock::{deadline_after, instant_now};
use crate::metrics::{DropCause, DropCounts};
use crate::reporter::sender::udp::addresses::Addresses;
use crate::reporter::sender::udp::bucket::Bucket;
use crate::reporter::sender::udp::connection::{Connection, NoRoom};
use crate::reporter::sender::udp::socket::{Failure, Open, open};
use crate::reporter::sender::udp::socket_table::SocketTable;
use crate::reporter::sender::udp::watch::{Room, memory_of};
use crate::reporter::sender::{
    AgentAddress, Batch, BatchFormat, MakeSender, SendOutcome, SendResult, Sender,
};

/// Sends batches to an agent, one to a datagram.
///
/// UDP has no receipt and no flow control, so this sender finds out what it can:
///
/// | the agent | what is known | what is done |
/// |---|---|---|
/// | on this host, on Linux | how much of its receive buffer is unread, and how many datagrams the kernel has dropped there | a datagram goes when half of the buffer is free; dropped ones are `agent_kernel_drops`, not sent |
/// | elsewhere, or another system | nothing | 64 KiB at once, then [`max_bytes_per_second`](Self::max_bytes_per_second); whether datagrams arrive is unknown, and they count as sent |
/// | not there | a refusal: on this host at once, from another one later, for the datagram before | spans are `refused`; a batch of one span a second tries again |
///
/// What waits for the agent waits in the queue. The kernel counts the dropped datagrams of all programs; each sender takes
/// as many on itself as it has sent since it last looked. So several senders that meet a full buffer may together count more
/// losses than there were, and none counts as sent what was dropped. Nobody tells what lay unread in an agent that has ended,
/// nor what an agent drops after it has read it; and what is watched of an agent in a container is the proxy that passes
/// datagrams on, if there is one.
///
/// The socket is bound to the loopback address where the agent is there, else to any of the agent's family.
/// A name is resolved when the first batch is sent, and again every 30 seconds and after refusals, on a thread of its own;
/// where there is no answer yet, spans are lost as `no_address`. Of several addresses those of version 4 come first, and the
/// next one takes over where one refuses.
///
/// ```
/// use tracehound::reporter::RemoteReporter;
/// use tracehound::reporter::sender::{AgentAddress, UdpSender};
///
/// let agent: AgentAddress = "localhost:6831".parse()?;
/// let reporter = RemoteReporter::new(UdpSender::new(agent));
/// # Ok::<(), tracehound::reporter::sender::AddressError>(())
/// ```
pub struct UdpSender {
    addresses: Addresses,
    format: BatchFormat,
    /// What the user wants.
    max_packet_bytes: Option<usize>,
    /// What the system allows, as far as it has said.
    learnt_bytes: usize,
    open: Box<Open>,
    table: fn() -> Box<dyn SocketTable>,
    connection: Option<Connection>,
    /// Spans that were found to be dropped when a connection was closed, and have not been told yet.
    lost_before: u64,
    /// For an agent that is watched, and for one that cannot be.
    bucket: Bucket,
    blind_bucket: Bucket,
    bytes_per_second: u64,
    /// No socket and no address are asked for until then.
    not_before: Option<Instant>,
    pause: Duration,
    least_pause: Duration,
    /// What went wrong last.
    problem: Option<Failure>,
    /// Why a batch has to wait.
    waits_for: Option<WaitsFor>,
}

#[derive(Clone, Copy)]
enum WaitsFor {
    /// The agent does not read fast enough.
    Reader,
    /// As many datagrams have gone as may without word from the agent.
    Pace,
    /// The system has no room.
    System,
}

/// Which addresses of an agent are used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "there are two families")]
pub enum SocketFamily {
    /// Any.
    #[default]
    Any,
    /// Those of version 4: `udp4`.
    V4,
    /// Those of version 6: `udp6`.
    V6,
}

impl UdpSender {
    /// The most that any agent reads.
    pub const MAX_PACKET_BYTES: usize = 65_000;

    /// Sends to that agent, in the compact protocol.
    pub fn new(agent: impl Into<AgentAddress>) -> Self {
        Self {
            addresses: Addresses::new(agent.into()),
            format: BatchFormat::Compact,
            max_packet_bytes: None,
            learnt_bytes: usize::MAX,
            open: Box::new(open),
            table: socket_table::system,
            connection: None,
            lost_before: 0,
            bucket: Bucket::new(BYTES_PER_SECOND, BURST),
            blind_bucket: Bucket::new(BYTES_PER_SECOND, BLIND_BURST),
            bytes_per_second: BYTES_PER_SECOND,
            not_before: None,
            pause: Duration::ZERO,
            least_pause: LEAST_PAUSE,
            problem: None,
            waits_for: None,
        }
    }

    /// The protocol. Compact unless this says binary, for which agents have another port (6832).
    #[must_use]
    pub fn batch_format(mut self, format: BatchFormat) -> Self {
        self.format = format;
        self
    }

    /// Which of the agent's addresses are used. Any by default.
    #[must_use]
    pub fn family(mut self, family: SocketFamily) -> Self {
        self.addresses.family = family;
        self
    }

    /// The largest datagram, in bytes, of one span or of many; at most 65,000.
    ///
    /// By default spans are packed up to 16,000 bytes for an agent on this host, of whose default receive buffer
    /// that is a twelfth, and up to 1,400 elsewhere, or less where the path carries less, which is not fragmented; a single
    /// span may take 65,000.
    #[must_use]
    pub fn max_packet_bytes(mut self, bytes: usize) -> Self {
        self.max_packet_bytes = Some(bytes.min(Self::MAX_PACKET_BYTES));
        self
    }

    /// How many bytes a second go to the agent, apart from bursts of 8 MiB.
    ///
    /// Defaults to 20,000,000, some 35,000 spans of a web request: about what a Jaeger agent was seen to decode on two cores.
    /// An agent drops what comes faster than it decodes, and tells nobody, whereas spans that wait here and find no room are
    /// counted. Raise it for a receiver that keeps up.
    #[must_use]
    pub fn max_bytes_per_second(mut self, bytes: u64) -> Self {
        self.bytes_per_second = bytes.max(1);
        self.bucket.set_bytes_per_second(self.bytes_per_second);
        self.blind_bucket
            .set_bytes_per_second(self.bytes_per_second);
        self
    }

    /// Sends one datagram; again where the system speaks of the datagram before.
    fn send_datagram(&mut self, connection: &mut Connection, batch: &Batch<'_>) -> SendOutcome {
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
                // The system tells of the datagram before in this way too, and then has not sent this one.
                DropCause::Refused if stale.is_none() && self.addresses.len() > 1 => {
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
                let stale = stale.filter(|stale| stale.cause == DropCause::Refused);
                let outcome = self.lose_earlier(connection, SendOutcome::default(), stale);
                self.lose(failure, batch, outcome)
            }
        }
    }

    /// Asks what became of a datagram that was sent, where the answer is there at once and was not good before.
    /// Otherwise the next call of the system tells, so that there is one for each datagram.
    fn confirm(
        &mut self,
        connection: &mut Connection,
        batch: &Batch<'_>,
        outcome: SendOutcome,
    ) -> SendOutcome {
        if connection.is_doubtful && self.addresses.is_loopback() {
            if let Some(error) = connection.socket.take_error() {
                connection.unconfirmed = 0;
                return self.lose(Failure::afterwards(error), batch, outcome);
            }
            connection.is_doubtful = false;
        }
        connection.unconfirmed = batch.span_count;
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
                let half = (batch.bytes.len() / 2).max(LEAST_LEARNT_BYTES);
                self.learnt_bytes = self.learnt_bytes.min(half);
                outcome.this = SendResult::TooLarge;
            }
            DropCause::Refused => self.addresses.count_refusal(),
            _ => {}
        }
        self.problem = Some(failure);
        outcome
    }

    /// Counts a failure against the datagram before.
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
            self.addresses.count_refusal();
        }
        self.problem = Some(failure);
        if let Some(watch) = &mut connection.watch {
            watch.take_back();
        }
        match std::mem::take(&mut connection.unconfirmed) {
            0 => outcome,
            spans => outcome.with_earlier_loss(cause, spans),
        }
    }

    /// When the agent, or the network on the way to it, has room for a datagram; adds what is found to be lost to `outcome`.
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

    /// The connection, a new one if need be. The caller puts it back.
    fn connect(&mut self, deadline: Instant) -> Result<Connection, DropCause> {
        let now = instant_now();
        if self.addresses.refresh(now) {
            self.let_go();
        }
        if let Some(connection) = self.connection.take() {
            return Ok(connection);
        }
        if let (Some(not_before), Some(problem)) = (self.not_before, &self.problem)
            && now < not_before
        {
            return Err(problem.cause);
        }
        if let Err(failure) = self.addresses.resolve(now, deadline) {
            let is_late = failure.error.kind() == ErrorKind::TimedOut;
            self.problem = Some(failure);
            if !is_late {
                self.back_off();
            }
            return Err(DropCause::NoAddress);
        }
        for _ in 0..self.addresses.len() {
            let Some(agent) = self.addresses.current() else {
                break;
            };
            match (self.open)(agent) {
                Ok(socket) => {
                    self.not_before = None;
                    self.pause = Duration::ZERO;
                    return Ok(Connection::new(socket, agent, self.table));
                }
                Err(error) => {
                    self.problem = Some(Failure::new(DropCause::SendFailed, error));
                    self.addresses.turn_to_next();
                }
            }
        }
        self.back_off();
        Err(DropCause::SendFailed)
    }

    fn back_off(&mut self) {
        self.pause = (self.pause * 2).clamp(self.least_pause, LONGEST_PAUSE);
        self.not_before = Some(deadline_after(self.pause));
    }

    /// Turns to the next address, if there is another.
    fn turn_to_next_address(&mut self) -> bool {
        let has_turned = self.addresses.turn_to_next();
        if has_turned {
            self.let_go();
        }
        has_turned
    }

    /// Closes the connection, after a last look at what became of its datagrams.
    fn let_go(&mut self) {
        let connection = self.connection.take();
        if let Some(watch) = connection.and_then(|it| it.watch) {
            self.lost_before += { watch }.settle(instant_now());
        }
    }

    /// Whether the agent's datagrams stay on this host.
    fn is_on_this_host(&self) -> bool {
        let connection = self.connection.as_ref();
        self.addresses.is_loopback() || connection.is_some_and(|it| it.watch.is_some())
    }
}

impl Sender for UdpSender {
    fn format(&self) -> BatchFormat {
        self.format
    }

    fn max_bytes(&self) -> usize {
        let path_mtu = self.connection.as_ref().and_then(|it| it.path_mtu);
        let default = if self.is_on_this_host() {
            LOOPBACK_PACKET_BYTES
        } else {
            let most = path_mtu.map_or(PACKET_BYTES, |mtu| mtu.saturating_sub(HEADER_BYTES));
            most.clamp(LEAST_LEARNT_BYTES, PACKET_BYTES)
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
                    self.connection = Some(connection);
                }
                Err(cause) => outcome.this = SendResult::Lost(cause),
            }
            outcome.earlier.merge(&earlier);
            let lost = std::mem::take(&mut self.lost_before);
            outcome.earlier.add(DropCause::AgentKernelDrops, lost);
            let is_refused = outcome.this == SendResult::Lost(DropCause::Refused);
            if is_refused && self.turn_to_next_address() && tries < self.addresses.len() {
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
        // What the last datagram met is known at once where the agent is at the loopback address.
        if self.addresses.is_loopback() && connection.is_some_and(|it| !it.is_doubtful) {
            Duration::ZERO
        } else {
            Duration::from_secs(1)
        }
    }

    fn destination(&self) -> String {
        self.addresses.describe()
    }

    fn explain(&self, cause: DropCause) -> String {
        self.line_about(cause)
    }

    fn explain_wait(&self) -> Option<String> {
        self.line_about_wait()
    }

    fn after_fork(&self) -> Option<MakeSender> {
        let (agent, family) = (self.addresses.agent().clone(), self.addresses.family);
        let (format, max_packet_bytes) = (self.format, self.max_packet_bytes);
        let bytes_per_second = self.bytes_per_second;
        Some(Box::new(move || {
            Box::new(Self {
                format,
                max_packet_bytes,
                ..Self::new(agent.clone())
                    .family(family)
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

/// Packed for an agent on this host: a default receive buffer holds a dozen.
const LOOPBACK_PACKET_BYTES: usize = 16_000;
/// Packed for an agent elsewhere: not fragmented on any common network.
const PACKET_BYTES: usize = 1_400;
/// Of IP version 6 and UDP.
const HEADER_BYTES: usize = 48;
/// No smaller datagrams are tried, however often the system finds them too large.
const LEAST_LEARNT_BYTES: usize = 1_024;

/// About what a Jaeger agent was seen to decode on two cores.
const BYTES_PER_SECOND: u64 = 20_000_000;
/// At once to an agent that is watched: half of what the agent of Jaeger 1 queues behind its socket.
const BURST: u64 = 8 * 1024 * 1024;
/// At once to an agent that cannot be watched: a third of a default receive buffer.
const BLIND_BURST: u64 = 64 * 1024;

/// Between attempts to find an address or to open a socket.
const LEAST_PAUSE: Duration = Duration::from_millis(250);
const LONGEST_PAUSE: Duration = Duration::from_secs(8);

#[cfg(test)]
mod tests;
