//! A server on a free port of loopback, to which a test gives its behaviour.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

/// A connection, plain or encrypted.
pub(crate) trait Wire: Read + Write {}

impl<T: Read + Write> Wire for T {}

/// A server that keeps an `S`. It ends with its last connection after it is dropped.
pub(crate) struct LoopbackServer<S> {
    address: SocketAddr,
    shared: Arc<Shared<S>>,
}

/// The state of a server, for its connections and for the test.
pub(crate) struct Shared<S> {
    state: Mutex<State<S>>,
    changed: Condvar,
}

pub(crate) struct State<S> {
    pub(crate) own: S,
    pub(crate) is_over: bool,
}

impl<S: Send + 'static> LoopbackServer<S> {
    /// Starts a server that calls `serve` with each connection, on a thread of its own.
    pub(crate) fn start(
        own: S,
        serve: impl Fn(TcpStream, &Shared<S>) + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
        let address = listener.local_addr().expect("bound");
        let is_over = false;
        let shared = Arc::new(Shared {
            state: Mutex::new(State { own, is_over }),
            changed: Condvar::new(),
        });
        let (serving, serve) = (shared.clone(), Arc::new(serve));
        thread::spawn(move || {
            for connection in listener.incoming() {
                if serving.is_over() {
                    break;
                }
                let Ok(connection) = connection else { continue };
                let (serving, serve) = (serving.clone(), serve.clone());
                thread::spawn(move || serve(connection, &serving));
            }
        });
        Self { address, shared }
    }
}

impl<S> LoopbackServer<S> {
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    pub(crate) fn shared(&self) -> &Shared<S> {
        &self.shared
    }
}

impl<S> Drop for LoopbackServer<S> {
    fn drop(&mut self) {
        self.shared.change(|state| state.is_over = true);
        // Wakes the thread that accepts.
        drop(TcpStream::connect(self.address));
    }
}

impl<S> Shared<S> {
    pub(crate) fn state(&self) -> MutexGuard<'_, State<S>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes the state and wakes all who wait for a change.
    pub(crate) fn change<R>(&self, change: impl FnOnce(&mut State<S>) -> R) -> R {
        let changed = change(&mut self.state());
        self.changed.notify_all();
        changed
    }

    pub(crate) fn is_over(&self) -> bool {
        self.state().is_over
    }

    /// Waits, unless the server ends meanwhile. Returns whether it still runs.
    pub(crate) fn pause(&self, time: Duration) -> bool {
        !self.wait(time, |state| state.is_over)
    }

    /// Waits until the state is so.
    pub(crate) fn wait_until(&self, what: &str, is_so: impl Fn(&S) -> bool) {
        let patience = Duration::from_secs(60);
        let is_so = self.wait(patience, |state| is_so(&state.own));
        assert!(is_so, "waited too long for {what}");
    }

    /// Waits until the state is so, at most for `time`. Returns whether it is.
    fn wait(&self, time: Duration, is_so: impl Fn(&State<S>) -> bool) -> bool {
        let deadline = Instant::now() + time;
        let mut state = self.state();
        while !is_so(&state) {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return false;
            }
            let waited = self.changed.wait_timeout(state, left);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        true
    }
}

/// Closes a connection even if clones of its socket are left.
pub(crate) fn close(connection: &TcpStream) {
    let _ = connection.shutdown(Shutdown::Both);
}
