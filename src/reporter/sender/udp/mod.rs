mod datagrams;

use std::fmt;
use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::thread;
use std::time::{Duration, Instant};

use crate::clock::{deadline_after, instant_now};
use crate::metrics::DropCause;
use crate::reporter::sender::resolver::Resolver;
use crate::reporter::sender::udp::datagrams::{Datagrams, Failure, Open, open};
use crate::reporter::sender::{
    AgentAddress, Batch, BatchFormat, MakeSender, SendOutcome, SendResult, Sender,
};

/// Sends batches to an agent, one to a datagram.
///
/// UDP has no receipt. What can be known is read back from the socket, which is connected for that: on this host
/// a port where nobody listens refuses each datagram at once; from another host the refusal comes later, and is
/// counted against the datagram before.
///
/// The socket is bound to the loopback address where the agent is there, else to any of the agent's family.
/// A name is resolved when the first batch is sent, on a thread of its own; where there is no answer yet, spans
/// are lost as `no_address`. Of several addresses those of version 4 come first, and the next one takes over
/// where one refuses.
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
    agent: AgentAddress,
    family: SocketFamily,
    format: BatchFormat,
    /// What the user wants.
    max_packet_bytes: Option<usize>,
    /// What the system allows, as far as it has said.
    learnt_bytes: usize,
    resolver: Resolver,
    addresses: Vec<SocketAddr>,
    /// Which of the addresses the socket is connected to, or is to be.
    current: usize,
    open: Box<Open>,
    socket: Option<Box<dyn Datagrams>>,
    /// Spans of the last datagram, as long as a refusal may concern it.
    unconfirmed: u64,
    /// The system has not been asked yet what became of a datagram of this socket, or it had bad news.
    is_doubtful: bool,
    /// No socket and no address are asked for until then.
    not_before: Option<Instant>,
    pause: Duration,
    least_pause: Duration,
    sleep: fn(Duration),
    /// What went wrong last.
    problem: Option<Failure>,
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
            agent: agent.into(),
            family: SocketFamily::Any,
            format: BatchFormat::Compact,
            max_packet_bytes: None,
            learnt_bytes: usize::MAX,
            resolver: Resolver::system(),
            addresses: Vec::new(),
            current: 0,
            open: Box::new(open),
            socket: None,
            unconfirmed: 0,
            is_doubtful: true,
            not_before: None,
            pause: Duration::ZERO,
            least_pause: LEAST_PAUSE,
            sleep: thread::sleep,
            problem: None,
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
        self.family = family;
        self
    }

    /// The largest datagram, in bytes, of one span or of many; at most 65,000.
    ///
    /// By default spans are packed up to 16,000 bytes for an agent on this host, of whose default receive buffer
    /// that is a twelfth, and up to 1,400 elsewhere, which is not fragmented; a single span may take 65,000.
    #[must_use]
    pub fn max_packet_bytes(mut self, bytes: usize) -> Self {
        self.max_packet_bytes = Some(bytes.min(Self::MAX_PACKET_BYTES));
        self
    }

    /// Sends one datagram, and again while the system has no room or speaks of the datagram before.
    fn send_datagram(
        &mut self,
        socket: &dyn Datagrams,
        batch: &Batch<'_>,
        deadline: Instant,
    ) -> SendOutcome {
        let mut stale = None;
        let mut wait = FIRST_WAIT;
        let failed = loop {
            let Err(error) = socket.send(batch.bytes) else {
                break None;
            };
            let failure = Failure::from(error);
            match failure.cause {
                _ if failure.error.kind() == ErrorKind::Interrupted => {}
                DropCause::NetBuffer => {
                    let left = deadline.saturating_duration_since(instant_now());
                    if left.is_zero() {
                        break Some(failure);
                    }
                    (self.sleep)(wait.min(left));
                    wait = (wait * 2).min(LONGEST_WAIT);
                }
                // The system tells of the datagram before in this way too, and then has not sent this one.
                DropCause::Refused if stale.is_none() && self.addresses.len() > 1 => {
                    stale = Some(Failure::afterwards(failure.error));
                    break Some(Failure::from(ErrorKind::ConnectionRefused.into()));
                }
                cause
                    if stale.is_none() && (self.unconfirmed > 0 || cause == DropCause::Refused) =>
                {
                    stale = Some(Failure::afterwards(failure.error));
                }
                _ => break Some(failure),
            }
        };
        self.is_doubtful |= stale.is_some() || failed.is_some();
        match failed {
            None => {
                let outcome = self.lose_earlier(SendOutcome::default(), stale);
                self.confirm(socket, batch, outcome)
            }
            Some(failure) => {
                let stale = stale.filter(|stale| stale.cause == DropCause::Refused);
                let outcome = self.lose_earlier(SendOutcome::default(), stale);
                self.lose(failure, batch, outcome)
            }
        }
    }

    /// Asks what became of a datagram that was sent, where the answer is there at once and was not good before.
    /// Otherwise the next call of the system tells, so that there is one for each datagram.
    fn confirm(
        &mut self,
        socket: &dyn Datagrams,
        batch: &Batch<'_>,
        outcome: SendOutcome,
    ) -> SendOutcome {
        if self.is_doubtful && self.is_loopback() {
            if let Some(error) = socket.take_error() {
                self.unconfirmed = 0;
                return self.lose(Failure::afterwards(error), batch, outcome);
            }
            self.is_doubtful = false;
        }
        self.unconfirmed = batch.span_count;
        outcome
    }

    fn lose(
        &mut self,
        failure: Failure,
        batch: &Batch<'_>,
        mut outcome: SendOutcome,
    ) -> SendOutcome {
        outcome.this = SendResult::Lost(failure.cause);
        if failure.cause == DropCause::TooLarge {
            let half = (batch.bytes.len() / 2).max(LEAST_LEARNT_BYTES);
            self.learnt_bytes = self.learnt_bytes.min(half);
            outcome.this = SendResult::TooLarge;
        }
        self.problem = Some(failure);
        outcome
    }

    /// Counts a failure against the datagram before.
    fn lose_earlier(&mut self, outcome: SendOutcome, failure: Option<Failure>) -> SendOutcome {
        let Some(failure) = failure else {
            return outcome;
        };
        let cause = failure.cause;
        self.problem = Some(failure);
        let known = outcome.earlier.map_or(0, |(_, spans)| spans);
        match known + std::mem::take(&mut self.unconfirmed) {
            0 => outcome,
            spans => outcome.with_earlier_loss(cause, spans),
        }
    }

    /// The socket, a new one if need be. Whoever takes it puts it back.
    fn connect(&mut self, deadline: Instant) -> Result<Box<dyn Datagrams>, DropCause> {
        if let Some(socket) = self.socket.take() {
            return Ok(socket);
        }
        if let (Some(not_before), Some(problem)) = (self.not_before, &self.problem)
            && instant_now() < not_before
        {
            return Err(problem.cause);
        }
        if self.addresses.is_empty() {
            self.resolve(deadline)?;
        }
        for _ in 0..self.addresses.len() {
            match (self.open)(self.addresses[self.current]) {
                Ok(socket) => {
                    self.unconfirmed = 0;
                    self.is_doubtful = true;
                    self.not_before = None;
                    self.pause = Duration::ZERO;
                    return Ok(socket);
                }
                Err(error) => {
                    self.problem = Some(Failure::new(DropCause::SendFailed, error));
                    self.current = (self.current + 1) % self.addresses.len();
                }
            }
        }
        self.back_off();
        Err(DropCause::SendFailed)
    }

    fn resolve(&mut self, deadline: Instant) -> Result<(), DropCause> {
        let family = self.family;
        let found = self.resolver.resolve(&self.agent, deadline);
        let is_late = matches!(&found, Err(error) if error.kind() == ErrorKind::TimedOut);
        let found = found.and_then(|mut addresses| {
            addresses.retain(|address| match family {
                SocketFamily::Any => true,
                SocketFamily::V4 => address.is_ipv4(),
                SocketFamily::V6 => address.is_ipv6(),
            });
            if addresses.is_empty() {
                return Err(io::Error::other("none of the family that is asked for"));
            }
            Ok(addresses)
        });
        match found {
            Ok(addresses) => {
                self.addresses = addresses;
                self.current = 0;
                Ok(())
            }
            Err(error) => {
                self.problem = Some(Failure::new(DropCause::NoAddress, error));
                if !is_late {
                    self.back_off();
                }
                Err(DropCause::NoAddress)
            }
        }
    }

    fn back_off(&mut self) {
        self.pause = (self.pause * 2).clamp(self.least_pause, LONGEST_PAUSE);
        self.not_before = Some(deadline_after(self.pause));
    }

    /// The next address, if there is another.
    fn turn_to_next_address(&mut self) -> bool {
        if self.addresses.len() < 2 {
            return false;
        }
        self.current = (self.current + 1) % self.addresses.len();
        self.socket = None;
        true
    }

    fn address(&self) -> Option<SocketAddr> {
        let known = self.addresses.get(self.current).copied();
        known.or_else(|| self.agent.literal())
    }

    fn is_loopback(&self) -> bool {
        match self.address() {
            Some(address) => address.ip().to_canonical().is_loopback(),
            None => self.agent.host().eq_ignore_ascii_case("localhost"),
        }
    }
}

impl Sender for UdpSender {
    fn format(&self) -> BatchFormat {
        self.format
    }

    fn max_bytes(&self) -> usize {
        let default = if self.is_loopback() {
            LOOPBACK_PACKET_BYTES
        } else {
            PACKET_BYTES
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
        let mut earlier: Option<(DropCause, u64)> = None;
        let mut tries = 1;
        loop {
            let mut outcome = match self.connect(deadline) {
                Ok(socket) => {
                    let outcome = self.send_datagram(&*socket, batch, deadline);
                    self.socket = Some(socket);
                    outcome
                }
                Err(cause) => SendOutcome::new(SendResult::Lost(cause)),
            };
            if let Some((cause, spans)) = earlier.take() {
                let more = outcome.earlier.map_or(0, |(_, spans)| spans);
                outcome = outcome.with_earlier_loss(cause, spans + more);
            }
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
        let error = self.socket.as_ref().and_then(|socket| socket.take_error());
        let failure = error.map(Failure::afterwards);
        self.is_doubtful |= failure.is_some();
        let is_refused = matches!(&failure, Some(failure) if failure.cause == DropCause::Refused);
        let outcome = self.lose_earlier(SendOutcome::default(), failure);
        if is_refused {
            self.turn_to_next_address();
        }
        outcome
    }

    fn retry_after(&self) -> Duration {
        // Kernels answer datagrams from elsewhere with one refusal a second; on this host they answer each.
        if self.is_loopback() {
            Duration::ZERO
        } else {
            Duration::from_secs(1)
        }
    }

    fn destination(&self) -> String {
        match (self.addresses.get(self.current), self.agent.literal()) {
            (Some(address), None) => format!("{} ({})", self.agent, address.ip()),
            _ => self.agent.to_string(),
        }
    }

    fn explain(&self, cause: DropCause) -> String {
        let destination = self.destination();
        let reason = match &self.problem {
            Some(problem) if problem.cause == cause => problem.reason(),
            _ => cause.to_string(),
        };
        match cause {
            DropCause::Refused => format!(
                "nobody is listening on {destination} ({reason}); start Jaeger, or see traces without one: tracehound::dev, feature \"dev\""
            ),
            DropCause::NoAddress => format!(
                "{destination} has no address ({reason}); look at the agent's host in the configuration"
            ),
            DropCause::NetBuffer => format!(
                "the system has no room for datagrams to {destination} ({reason}); spans are lost until it has"
            ),
            _ if self.socket.is_none() => {
                format!(
                    "no socket to {destination} can be opened ({reason}); spans are lost until one can"
                )
            }
            _ => format!(
                "datagrams to {destination} cannot be sent ({reason}); look at the agent's address and the network"
            ),
        }
    }

    fn for_child(&self) -> Option<MakeSender> {
        let (agent, family, format) = (self.agent.clone(), self.family, self.format);
        let max_packet_bytes = self.max_packet_bytes;
        Some(Box::new(move || {
            Box::new(Self {
                family,
                format,
                max_packet_bytes,
                ..Self::new(agent.clone())
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
/// No smaller datagrams are tried, however often the system finds them too large.
const LEAST_LEARNT_BYTES: usize = 1_024;

/// While the system has no room.
const FIRST_WAIT: Duration = Duration::from_millis(1);
const LONGEST_WAIT: Duration = Duration::from_millis(64);

/// Between attempts to find an address or to open a socket.
const LEAST_PAUSE: Duration = Duration::from_millis(250);
const LONGEST_PAUSE: Duration = Duration::from_secs(8);

#[cfg(test)]
mod tests;
