//! A collector of HTTP that keeps what it gets, and answers as a test says: rightly, wrongly, slowly or not at all.

use std::io::{self, Read as _};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use super::loopback_server::{self, LoopbackServer, Wire, close};

/// A [`CollectorServer`]'s treatment of a request.
#[derive(Clone, Debug)]
pub(crate) enum Act {
    /// Reads the request and sends a status, these headers, each with a line break, and a body of the length that it
    /// states. The connection stays.
    Reply(u16, String, Vec<u8>),
    /// Reads the request, sends these bytes and closes the connection.
    Raw(Vec<u8>),
    /// Reads the request, sends the first bytes, then the second ones over and over, with a pause between them, until
    /// the client goes.
    Endless(Vec<u8>, Vec<u8>, Duration),
    /// Reads the request, and then holds the connection without a word.
    Hang,
    /// Reads so many bytes of the request and closes the connection.
    CloseAfter(usize),
    /// Reads nothing and holds the connection.
    Deaf,
}

impl Act {
    pub(crate) fn status(status: u16) -> Self {
        Self::Reply(status, String::new(), Vec::new())
    }

    pub(crate) fn text(status: u16, text: &str) -> Self {
        Self::Reply(status, String::new(), text.as_bytes().to_vec())
    }

    /// A page of HTML, as a login or a proxy answers.
    pub(crate) fn page(status: u16, content_type: &str) -> Self {
        let header = format!("Content-Type: {content_type}\r\n");
        Self::Reply(status, header, b"<html>Sign in</html>".to_vec())
    }

    /// A reply with status 503 and this `Retry-After`.
    pub(crate) fn retry_after(value: &str) -> Self {
        Self::Reply(503, format!("Retry-After: {value}\r\n"), Vec::new())
    }
}

/// A request that a server got.
#[derive(Clone, Debug)]
pub(crate) struct Received {
    /// The first line.
    pub(crate) line: String,
    /// The names in lower case, and the values.
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
    /// The number of the connection.
    pub(crate) connection: usize,
}

impl Received {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let header = self.headers.iter().find(|(known, _)| known == name);
        header.map(|(_, value)| value.as_str())
    }
}

/// A server on a free port of loopback. It ends with its last connection after it is dropped.
pub(crate) struct CollectorServer(LoopbackServer<State>);

type Shared = loopback_server::Shared<State>;

#[derive(Default)]
struct State {
    /// The number of requests that have begun. A server that cannot read them counts connections.
    begun: usize,
    connections: usize,
    received: Vec<Received>,
}

impl CollectorServer {
    /// Starts a server that treats every request like this.
    pub(crate) fn start(act: Act) -> Self {
        Self::by(move |_| act.clone())
    }

    /// Starts a server that treats request number `n`, counted from zero, as `act(n)` says.
    pub(crate) fn by(act: impl Fn(usize) -> Act + Send + Sync + 'static) -> Self {
        Self::wrapped(act, |stream| Some(Box::new(stream)))
    }

    /// Starts a server that speaks through what `wrap` makes of a connection, if it makes anything.
    pub(crate) fn wrapped(
        act: impl Fn(usize) -> Act + Send + Sync + 'static,
        wrap: impl Fn(TcpStream) -> Option<Box<dyn Wire>> + Send + Sync + 'static,
    ) -> Self {
        let serve = move |connection, shared: &Shared| serve(connection, &wrap, &act, shared);
        Self(LoopbackServer::start(State::default(), serve))
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.0.address()
    }

    /// Returns the URL of a path.
    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address())
    }

    /// Returns the requests that were read whole so far.
    pub(crate) fn received(&self) -> Vec<Received> {
        self.0.shared().state().own.received.clone()
    }

    /// Returns how many requests have begun.
    pub(crate) fn begun(&self) -> usize {
        self.0.shared().state().own.begun
    }

    /// Waits until this many requests have begun.
    pub(crate) fn wait_for(&self, requests: usize) {
        let shared = self.0.shared();
        shared.wait_until("requests", |state| state.begun >= requests);
    }
}

fn serve(
    connection: TcpStream,
    wrap: &dyn Fn(TcpStream) -> Option<Box<dyn Wire>>,
    act: &dyn Fn(usize) -> Act,
    shared: &Shared,
) {
    // A client that goes silent must not keep the thread.
    let _ = connection.set_read_timeout(Some(Duration::from_secs(30)));
    let number = shared.change(|state| {
        state.own.connections += 1;
        state.own.connections - 1
    });
    let Ok(handle) = connection.try_clone() else {
        return;
    };
    if let Some(mut wire) = wrap(connection) {
        // An error means that the client is gone.
        while let Ok(true) = answer(&mut *wire, &handle, act, shared, number) {}
    }
    close(&handle);
}

/// Answers one request. Returns whether the connection stays.
fn answer(
    wire: &mut dyn Wire,
    handle: &TcpStream,
    act: &dyn Fn(usize) -> Act,
    shared: &Shared,
    connection: usize,
) -> io::Result<bool> {
    let mut first = [0];
    if wire.read(&mut first)? == 0 || shared.is_over() {
        return Ok(false);
    }
    let number = shared.change(|state| {
        state.own.begun += 1;
        state.own.begun - 1
    });
    let act = act(number);
    match act {
        Act::Deaf => {
            shared.pause(Duration::from_secs(30));
            return Ok(false);
        }
        Act::CloseAfter(bytes) => {
            io::copy(&mut wire.take(bytes as u64), &mut io::sink())?;
            return Ok(false);
        }
        _ => {}
    }
    let mut received = read_request(wire, first[0])?;
    received.connection = connection;
    shared.state().own.received.push(received);
    match act {
        Act::Reply(status, headers, body) => {
            let length = body.len();
            write!(
                wire,
                "HTTP/1.1 {status} Any\r\n{headers}Content-Length: {length}\r\n\r\n"
            )?;
            wire.write_all(&body)?;
            wire.flush()?;
            return Ok(true);
        }
        Act::Raw(bytes) => wire.write_all(&bytes)?,
        Act::Endless(start, again, pause) => {
            wire.write_all(&start)?;
            while shared.pause(pause) {
                wire.write_all(&again)?;
                wire.flush()?;
            }
        }
        Act::Hang => {
            handle.set_read_timeout(Some(Duration::from_millis(20)))?;
            while !shared.is_over() {
                match wire.read(&mut first) {
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                    _ => break,
                }
            }
        }
        Act::Deaf | Act::CloseAfter(_) => {}
    }
    wire.flush()?;
    Ok(false)
}

/// Reads the rest of a request whose body has a stated length.
fn read_request(wire: &mut dyn Wire, first: u8) -> io::Result<Received> {
    let mut head = vec![first];
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") {
        if head.len() > 64 << 10 || wire.read(&mut byte)? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        head.extend(byte);
    }
    let head = String::from_utf8_lossy(&head).into_owned();
    let mut lines = head.trim_end().lines();
    let line = lines.next().unwrap_or_default().to_owned();
    let headers: Vec<_> = lines
        .filter_map(|line| line.split_once(": "))
        .map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()))
        .collect();
    let mut received = Received {
        line,
        headers,
        body: Vec::new(),
        connection: 0,
    };
    let length = received.header("content-length").expect("a length");
    received.body = vec![0; length.parse().expect("a number")];
    wire.read_exact(&mut received.body)?;
    Ok(received)
}
