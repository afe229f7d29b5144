//! An agent's name to its addresses, on a thread of its own: a name server may take half a minute to answer.

use std::io;
use std::net::{SocketAddr, ToSocketAddrs as _};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::thread;
use std::time::{Duration, Instant};

use crate::clock::instant_now;
use crate::reporter::sender::AgentAddress;

/// No more addresses are kept of a name.
const MOST_ADDRESSES: usize = 16;

/// Looks a host and a port up.
pub(super) type Lookup = dyn Fn(&str, u16) -> io::Result<Vec<SocketAddr>> + Send + Sync;

/// At most one question at a time.
pub(super) struct Resolver {
    lookup: Arc<Lookup>,
    /// How long a batch waits for an answer. Those behind it do not wait.
    pub(super) patience: Duration,
    running: Option<Receiver<io::Result<Vec<SocketAddr>>>>,
}

impl Resolver {
    /// Asks the operating system.
    pub(super) fn system() -> Self {
        Self::with(|host: &str, port| Ok((host, port).to_socket_addrs()?.collect()))
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

    /// The addresses of a name, version 4 first: that is what agents listen on where they listen on one.
    ///
    /// The question goes on where it takes longer than `deadline` (`TimedOut`); later calls ask for its answer.
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
                addresses.truncate(MOST_ADDRESSES);
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
                // Nobody may be there to take it any more.
                let _ = answer.send(lookup(agent.host(), agent.port()));
            })?;
        Ok(receiver)
    }
}
