//! A port that is closed and opened again.

use std::io;
use std::net::TcpListener;
use std::thread;
use std::time::Duration;

use crate::clock::{deadline_after, instant_now};

/// Binds a port that was just closed here.
///
/// A child process that another thread is starting has a copy of the closed socket until its program runs, and the
/// port with it: so this tries again for a while.
pub(super) fn bind_again<S>(bind: impl Fn() -> io::Result<S>) -> io::Result<S> {
    let deadline = deadline_after(MAX_START_TIME);
    loop {
        match bind() {
            Err(error) if error.kind() == io::ErrorKind::AddrInUse && instant_now() < deadline => {
                thread::sleep(PAUSE);
            }
            bound => return bound,
        }
    }
}

/// Makes a listener refuse connections at once, also while a child process has a copy of it.
#[cfg(target_os = "linux")]
pub(super) fn refuse_connections(listener: &TcpListener) {
    // Fails for a socket that does not listen, which refuses already.
    let _ = rustix::net::shutdown(listener, rustix::net::Shutdown::Both);
}

#[cfg(not(target_os = "linux"))]
pub(super) fn refuse_connections(_: &TcpListener) {}

/// The longest time that a child process may take until its program runs.
const MAX_START_TIME: Duration = Duration::from_secs(2);
const PAUSE: Duration = Duration::from_millis(1);
