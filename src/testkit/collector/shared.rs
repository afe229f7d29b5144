use std::collections::HashMap;
use std::fmt;
use std::net::TcpStream;
use std::sync::Arc;

use crate::testkit::Fault;
use crate::testkit::collector::request::ReceivedRequest;
use crate::testkit::received::Received;

/// The state that the threads of a collector share.
#[derive(Debug, Default)]
pub(super) struct Shared {
    pub(super) received: Received,
    pub(super) requests: Vec<ReceivedRequest>,
    pub(super) request_count: u64,
    pub(super) request_bytes: usize,
    pub(super) ignores_requests: bool,
    pub(super) documents: HashMap<String, Vec<u8>>,
    pub(super) decide: Decide,
    /// The connections that are open.
    pub(super) connections: HashMap<u64, Arc<TcpStream>>,
    pub(super) last_connection: u64,
    pub(super) is_listening: bool,
    pub(super) is_over: bool,
}

/// The function that a test has given in place of a script.
#[derive(Clone, Default)]
pub(super) struct Decide(pub(super) Option<Arc<DecideFn>>);

/// A function of a test that chooses a fault.
type DecideFn = dyn Fn(&ReceivedRequest) -> Fault + Send + Sync;

impl fmt::Debug for Decide {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Decide({})", self.0.is_some())
    }
}
