use std::io;
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use crate::testkit::collector::connection::Wrap;
use crate::testkit::collector::input::Input;
use crate::testkit::collector::reply::give;
use crate::testkit::collector::request::ReceivedRequest;
use crate::testkit::collector::routes::answer;
use crate::testkit::collector::shared::Shared;
use crate::testkit::fault::Kind;
use crate::testkit::port::refuse_connections;
use crate::testkit::watched::Watched;

/// The threads of a collector.
#[derive(Clone)]
pub(super) struct Server {
    pub(super) shared: Arc<Watched<Shared>>,
    pub(super) wrap: Arc<Wrap>,
}

impl Server {
    /// Serves connections, each on a thread of its own, until the collector stops.
    pub(super) fn accept(&self, listener: TcpListener) {
        loop {
            let socket = listener.accept();
            if self.shared.look(|shared| shared.is_over) {
                break;
            }
            let Ok((socket, _)) = socket else {
                // Most likely the process has no file descriptor left.
                self.shared.wait(RETRY, |shared| shared.is_over);
                continue;
            };
            let Some((number, handle)) = self.open(&socket) else {
                continue;
            };
            let server = self.clone();
            let thread = thread::Builder::new().name("tracehound-mock-collector".to_owned());
            let started = thread.spawn(move || {
                let _open = Open(&server.shared, number);
                // Dropped before.
                let handle = handle;
                // An error means that the client is gone.
                let _ = server.serve(socket, &handle);
            });
            if started.is_err() {
                drop(Open(&self.shared, number));
            }
        }
        refuse_connections(&listener);
        drop(listener);
        self.shared.change(|shared| shared.is_listening = false);
    }

    fn open(&self, socket: &TcpStream) -> Option<(u64, Arc<TcpStream>)> {
        let handle = Arc::new(socket.try_clone().ok()?);
        self.shared.change(|shared| {
            if shared.connections.len() >= MAX_CONNECTIONS {
                shared
                    .received
                    .push_error("too many connections".to_owned());
                return None;
            }
            shared.last_connection += 1;
            let number = shared.last_connection;
            shared.connections.insert(number, handle.clone());
            Some((number, handle))
        })
    }

    /// Answers requests until the client leaves, a fault ends the connection, or the collector stops.
    fn serve(&self, socket: TcpStream, handle: &TcpStream) -> io::Result<()> {
        socket.set_nodelay(true)?;
        let Some(wire) = (self.wrap)(socket) else {
            return Ok(());
        };
        let mut input = Input::new(wire);
        while let Some(mut request) = self.head(&mut input)? {
            let mut fault = self.shared.change(|shared| shared.received.next_fault());
            let rate = match fault.0 {
                Kind::SlowReader(bytes_per_second) => Some(bytes_per_second),
                _ => None,
            };
            if let Err(error) = input.read_body(&mut request, rate, &self.shared) {
                let error = format!("{}: {error}", request.target());
                self.shared
                    .change(|shared| shared.received.push_error(error));
                return Ok(());
            }
            if let Kind::None = fault.0 {
                let decide = self.shared.look(|shared| shared.decide.clone());
                fault = decide.0.map_or(fault, |decide| decide(&request));
            }
            self.note(&request);
            let reply = answer(&request, &fault, &self.shared);
            let wants_close = request.wants_close();
            if !give(&fault, reply, input.wire(), handle, &self.shared)? || wants_close {
                break;
            }
        }
        Ok(())
    }

    fn head(&self, input: &mut Input) -> io::Result<Option<ReceivedRequest>> {
        let head = input.read_head();
        if let Err(error) = &head
            && error.kind() == io::ErrorKind::InvalidData
        {
            let error = error.to_string();
            self.shared
                .change(|shared| shared.received.push_error(error));
        }
        head
    }

    fn note(&self, request: &ReceivedRequest) {
        self.shared.change(|shared| {
            shared.request_count += 1;
            let bytes = shared.request_bytes + request.size();
            if bytes <= MAX_KEPT_BYTES && !shared.ignores_requests {
                shared.request_bytes = bytes;
                shared.requests.push(request.clone());
            }
        });
    }
}

/// Removes a connection at its end.
struct Open<'a>(&'a Watched<Shared>, u64);

impl Drop for Open<'_> {
    fn drop(&mut self) {
        self.0.change(|shared| shared.connections.remove(&self.1));
    }
}

/// The time that the collector waits when it cannot accept.
const RETRY: Duration = Duration::from_millis(10);
const MAX_CONNECTIONS: usize = 256;
const MAX_KEPT_BYTES: usize = 64 << 20;
