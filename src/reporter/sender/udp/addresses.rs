//! The addresses of an agent: found by its name, looked up again from time to time, used one after the other.

use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use crate::metrics::DropCause;
use crate::reporter::sender::AgentAddress;
use crate::reporter::sender::udp::failure::Failure;
use crate::reporter::sender::udp::resolver::Resolver;

/// The family of addresses by which a [`UdpSender`](crate::reporter::sender::UdpSender) reaches an agent.
///
/// ```
/// use tracehound::reporter::sender::{AgentAddress, SocketFamily, UdpSender};
///
/// // For a host whose name has addresses of both families, of which the agent listens on one.
/// let sender = UdpSender::new(AgentAddress::new("jaeger-agent", 6831)).family(SocketFamily::V4);
/// # drop(sender);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "there are two families")]
pub enum SocketFamily {
    /// Either family.
    #[default]
    Any,
    /// IP version 4: `udp4`.
    V4,
    /// IP version 6: `udp6`.
    V6,
}

/// An agent, the addresses of its name, and the one in use.
pub(super) struct Addresses {
    agent: AgentAddress,
    pub(super) family: SocketFamily,
    /// The longest age of an answer; `None` for ever.
    pub(super) lookup_interval: Option<Duration>,
    pub(super) resolver: Resolver,
    known: Vec<SocketAddr>,
    /// The index of the address that the socket is connected to, or should be.
    current: usize,
    /// When the last answer came.
    answered_at: Option<Instant>,
    /// A look-up for a change is under way.
    is_asking: bool,
    /// Refusals since the last answer.
    refusals: u32,
}

impl Addresses {
    pub(super) fn new(agent: AgentAddress) -> Self {
        Self {
            agent,
            family: SocketFamily::Any,
            lookup_interval: Some(LOOKUP_INTERVAL),
            resolver: Resolver::system(),
            known: Vec::new(),
            current: 0,
            answered_at: None,
            is_asking: false,
            refusals: 0,
        }
    }

    pub(super) fn agent(&self) -> &AgentAddress {
        &self.agent
    }

    pub(super) fn len(&self) -> usize {
        self.known.len()
    }

    /// Returns the address in use, or the one that will be used.
    pub(super) fn current(&self) -> Option<SocketAddr> {
        let known = self.known.get(self.current).copied();
        known.or_else(|| self.agent.literal())
    }

    /// Turns to the next address. Returns false if there is no other.
    pub(super) fn turn_to_next(&mut self) -> bool {
        if self.known.len() < 2 {
            return false;
        }
        self.current = (self.current + 1) % self.known.len();
        true
    }

    pub(super) fn count_refusal(&mut self) {
        self.refusals = self.refusals.saturating_add(1);
    }

    /// Looks the name up if it has no address yet. Waits for the answer until `deadline` at most.
    pub(super) fn resolve(&mut self, now: Instant, deadline: Instant) -> Result<(), Failure> {
        if !self.known.is_empty() {
            return Ok(());
        }
        match self.ask(deadline) {
            Ok(addresses) => {
                self.known = addresses;
                self.current = 0;
                self.note_answer(now);
                Ok(())
            }
            Err(error) => Err(Failure::new(DropCause::NoAddress, error)),
        }
    }

    /// Looks the name up again when the interval is over and after some refusals, without waiting for the answer.
    /// Returns true if the address in use is no longer the agent's.
    ///
    /// Keeps the known addresses if the look-up fails.
    pub(super) fn refresh(&mut self, now: Instant) -> bool {
        let (Some(answered_at), Some(interval)) = (self.answered_at, self.lookup_interval) else {
            return false;
        };
        let age = now.saturating_duration_since(answered_at);
        let is_old = age >= interval
            || (self.refusals >= REFRESH_AFTER_REFUSALS && age >= BETWEEN_REFRESHES);
        if self.agent.literal().is_some() || !(is_old || self.is_asking) {
            return false;
        }
        match self.ask(now) {
            Err(error) if error.kind() == ErrorKind::TimedOut => {
                self.is_asking = true;
                false
            }
            Err(_) => {
                self.note_answer(now);
                false
            }
            Ok(addresses) => {
                let current = self.current();
                let stays = addresses.iter().position(|it| Some(*it) == current);
                self.known = addresses;
                self.current = stays.unwrap_or(0);
                self.note_answer(now);
                stays.is_none()
            }
        }
    }

    fn ask(&mut self, deadline: Instant) -> io::Result<Vec<SocketAddr>> {
        let mut addresses = self.resolver.resolve(&self.agent, deadline)?;
        let family = self.family;
        addresses.retain(|address| match family {
            SocketFamily::Any => true,
            SocketFamily::V4 => address.is_ipv4(),
            SocketFamily::V6 => address.is_ipv6(),
        });
        if addresses.is_empty() {
            return Err(io::Error::other("none of the family that is asked for"));
        }
        Ok(addresses)
    }

    fn note_answer(&mut self, now: Instant) {
        self.answered_at = Some(now);
        self.is_asking = false;
        self.refusals = 0;
    }

    /// Returns whether the agent is at the loopback address. A name without an answer is taken at its word:
    /// `localhost`.
    pub(super) fn is_loopback(&self) -> bool {
        match self.current() {
            Some(address) => address.ip().to_canonical().is_loopback(),
            None => self.agent.host().eq_ignore_ascii_case("localhost"),
        }
    }

    /// Returns the agent for lines to the user: as it is configured, with its address if that is a name.
    pub(super) fn describe(&self) -> String {
        match (self.known.get(self.current), self.agent.literal()) {
            (Some(address), None) => format!("{} ({})", self.agent, address.ip()),
            _ => self.agent.to_string(),
        }
    }
}

/// As in the Go client.
const LOOKUP_INTERVAL: Duration = Duration::from_secs(30);
const REFRESH_AFTER_REFUSALS: u32 = 3;
const BETWEEN_REFRESHES: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};
    use std::sync::{Arc, Mutex};
    use std::thread;

    use super::*;
    use crate::clock::{deadline_after, instant_now};

    type Answer = Arc<Mutex<Option<&'static str>>>;

    /// Returns an agent with the answer that look-ups of its name get, and their number.
    fn agent() -> (Addresses, Answer, Arc<AtomicU32>) {
        let (answer, asked) = (Answer::default(), Arc::new(AtomicU32::new(0)));
        let mut addresses = Addresses::new("agent.example:7".parse().expect("one"));
        let (for_lookup, count) = (answer.clone(), asked.clone());
        addresses.resolver = Resolver::with(move |_, _| {
            count.fetch_add(1, Ordering::Relaxed);
            match *for_lookup.lock().expect("not poisoned") {
                Some(address) => Ok(vec![address.parse().expect(address)]),
                None => Err(io::Error::other("no such host")),
            }
        });
        addresses.resolver.patience = Duration::from_secs(3_600);
        (addresses, answer, asked)
    }

    /// Refreshes until the answer has come. Returns the last result.
    fn refresh(addresses: &mut Addresses, now: Instant) -> bool {
        let deadline = deadline_after(Duration::from_secs(30));
        loop {
            let has_moved = addresses.refresh(now);
            if has_moved || !addresses.is_asking {
                return has_moved;
            }
            assert!(instant_now() < deadline, "no answer");
            thread::yield_now();
        }
    }

    #[test]
    fn a_name_is_looked_up_once_if_there_is_no_interval() {
        let (mut addresses, answer, asked) = agent();
        *answer.lock().expect("not poisoned") = Some("192.0.2.1:7");
        addresses.lookup_interval = None;
        let start = instant_now();
        let far = deadline_after(Duration::from_secs(60));
        assert!(addresses.resolve(start, far).is_ok());
        for _ in 0..REFRESH_AFTER_REFUSALS {
            addresses.count_refusal();
        }
        assert!(!addresses.refresh(start + Duration::from_secs(86_400)));
        assert_eq!(asked.load(Ordering::Relaxed), 1);
    }

    #[test]
    fn a_name_is_looked_up_again_after_30_seconds_and_a_failure_changes_nothing() {
        let (mut addresses, answer, asked) = agent();
        let set = |address| *answer.lock().expect("not poisoned") = address;
        set(Some("192.0.2.1:7"));
        let start = instant_now();
        let far = deadline_after(Duration::from_secs(60));
        assert!(addresses.resolve(start, far).is_ok());
        assert!(!addresses.refresh(start + LOOKUP_INTERVAL / 2));
        assert_eq!(asked.load(Ordering::Relaxed), 1);

        let mut now = start + LOOKUP_INTERVAL;
        assert!(!refresh(&mut addresses, now), "it has not moved");
        assert_eq!(asked.load(Ordering::Relaxed), 2);
        set(None);
        now += LOOKUP_INTERVAL;
        assert!(!refresh(&mut addresses, now));
        assert_eq!(
            addresses.current().map(|it| it.to_string()).as_deref(),
            Some("192.0.2.1:7")
        );
        set(Some("192.0.2.2:7"));
        now += LOOKUP_INTERVAL;
        assert!(refresh(&mut addresses, now), "it has moved");
        assert_eq!(
            addresses.current().map(|it| it.to_string()).as_deref(),
            Some("192.0.2.2:7")
        );
    }

    #[test]
    fn after_refusals_a_name_is_looked_up_again_once_a_second_at_most() {
        let (mut addresses, answer, asked) = agent();
        *answer.lock().expect("not poisoned") = Some("192.0.2.1:7");
        let start = instant_now();
        assert!(
            addresses
                .resolve(start, deadline_after(Duration::from_secs(60)))
                .is_ok()
        );
        let mut now = start + BETWEEN_REFRESHES;
        for _ in 0..REFRESH_AFTER_REFUSALS {
            assert!(!addresses.refresh(now));
            addresses.count_refusal();
        }
        assert_eq!(asked.load(Ordering::Relaxed), 1);
        refresh(&mut addresses, now);
        assert_eq!(asked.load(Ordering::Relaxed), 2);
        for _ in 0..100 {
            addresses.count_refusal();
            now += BETWEEN_REFRESHES / 200;
            addresses.refresh(now);
        }
        assert_eq!(asked.load(Ordering::Relaxed), 2);
    }
}
