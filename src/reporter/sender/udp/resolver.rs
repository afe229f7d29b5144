//! Look-ups of an agent's name on a thread of their own, because a name server may take half a minute to answer.

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, ToSocketAddrs as _};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::thread;
use std::time::{Duration, Instant};

use crate::clock::instant_now;
use crate::reporter::sender::AgentAddress;

/// The number of a name's addresses that are kept.
const MAX_ADDRESSES: usize = 16;

/// A function that looks up a host and a port.
pub(super) type Lookup = dyn Fn(&str, u16) -> io::Result<Vec<SocketAddr>> + Send + Sync;

/// Looks up names, one at a time.
pub(super) struct Resolver {
    lookup: Arc<Lookup>,
    /// How long the batch that asks waits for the answer. Those behind it do not wait.
    pub(super) patience: Duration,
    running: Option<Receiver<io::Result<Vec<SocketAddr>>>>,
}

impl Resolver {
    /// Returns a resolver that asks the operating system.
    pub(super) fn system() -> Self {
        Self::with(|host: &str, port| {
            let answer = (host, port).to_socket_addrs().map(Iterator::collect);
            or_loopback(answer, host, port)
        })
    }

    pub(super) fn with(
        lookup: impl Fn(&str, u16) -> io::Result<Vec<SocketAddr>> + Send + Sync + 'static,
    ) -> Self {
        Self {
            lookup: Arc::new(lookup),
            patience: Duration::from_secs(1),
            running: None,
        }
    }

    /// Returns the addresses of the agent. Those of IP version 4 come first, because an agent that listens on one
    /// family listens on that.
    ///
    /// # Errors
    ///
    /// Fails if the look-up fails, or with `TimedOut` if it takes longer than `deadline`. Then it goes on, and a later
    /// call returns its answer.
    pub(super) fn resolve(
        &mut self,
        agent: &AgentAddress,
        deadline: Instant,
    ) -> io::Result<Vec<SocketAddr>> {
        if let Some(literal) = agent.literal() {
            return Ok(vec![literal]);
        }
        let (answer, patience) = match self.running.take() {
            Some(running) => (running, Duration::ZERO),
            None => {
                let left = deadline.saturating_duration_since(instant_now());
                (self.ask(agent)?, left.min(self.patience))
            }
        };
        match answer.recv_timeout(patience) {
            Ok(addresses) => {
                let mut addresses = addresses?;
                addresses.sort_by_key(SocketAddr::is_ipv6);
                addresses.truncate(MAX_ADDRESSES);
                Ok(addresses)
            }
            Err(RecvTimeoutError::Timeout) => {
                self.running = Some(answer);
                Err(io::ErrorKind::TimedOut.into())
            }
            Err(RecvTimeoutError::Disconnected) => {
                Err(io::Error::other("the look-up has panicked"))
            }
        }
    }

    fn ask(&self, agent: &AgentAddress) -> io::Result<Receiver<io::Result<Vec<SocketAddr>>>> {
        let (answer, receiver) = sync_channel(1);
        let (lookup, agent) = (self.lookup.clone(), agent.clone());
        thread::Builder::new()
            .name("tracehound-name".to_owned())
            .spawn(move || {
                // The sender may have been dropped in between.
                let _ = answer.send(lookup(agent.host(), agent.port()));
            })?;
        Ok(receiver)
    }
}

/// Answers for `localhost` if the system cannot: a container made from nothing has no `/etc/hosts`, and the name means
/// this host all the same (RFC 6761, section 6.3).
fn or_loopback(
    answer: io::Result<Vec<SocketAddr>>,
    host: &str,
    port: u16,
) -> io::Result<Vec<SocketAddr>> {
    let is_localhost = host.eq_ignore_ascii_case("localhost");
    answer.or_else(|error| match is_localhost {
        true => Ok(vec![
            (Ipv4Addr::LOCALHOST, port).into(),
            (Ipv6Addr::LOCALHOST, port).into(),
        ]),
        false => Err(error),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn localhost_is_this_host_where_the_system_does_not_know_the_name() {
        let unknown = || Err(io::ErrorKind::NotFound.into());
        for host in ["localhost", "LocalHost"] {
            let addresses = or_loopback(unknown(), host, 6831).expect(host);
            let texts: Vec<_> = addresses.iter().map(ToString::to_string).collect();
            assert_eq!(texts, ["127.0.0.1:6831", "[::1]:6831"]);
        }
        assert!(or_loopback(unknown(), "jaeger-agent", 6831).is_err());
        let known: SocketAddr = ([127, 0, 0, 9], 6831).into();
        let kept = or_loopback(Ok(vec![known]), "localhost", 6831).expect("as it was");
        assert_eq!(kept, [known]);
    }
}
