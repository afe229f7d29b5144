//! A server of strategies that answers as a test says: rightly, wrongly, slowly, without end or not at all.

use std::io;
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use super::loopback_server::{self, LoopbackServer, Wire, close};

/// A [`StrategyServer`]'s treatment of a request.
#[derive(Clone, Debug)]
pub(crate) enum Answer {
    /// Sends a status, `Content-Type: application/json`, and a body of the length that it states.
    Reply(u16, Vec<u8>),
    /// Sends these bytes and closes the connection.
    Raw(Vec<u8>),
    /// Sends these bytes one at a time, with a pause before each, and closes the connection.
    Drip(Vec<u8>, Duration),
    /// Sends the first bytes, then the second ones over and over, until the client goes.
    Endless(Vec<u8>, Vec<u8>),
    /// Sends these bytes and then holds the connection without a word.
    Hang(Vec<u8>),
    /// Sends these bytes and resets the connection.
    Reset(Vec<u8>),
    /// Closes the connection before the request is read.
    HangUp,
}

impl Answer {
    /// Returns an answer with status 200.
    pub(crate) fn ok(body: impl AsRef<[u8]>) -> Self {
        Self::Reply(200, body.as_ref().to_vec())
    }

    /// Returns an answer with status 200 and a probabilistic strategy.
    pub(crate) fn probabilistic(rate: f64) -> Self {
        Self::ok(probabilistic(rate))
    }
}

/// Returns the document of a probabilistic strategy, as Jaeger 1 writes it.
pub(crate) fn probabilistic(rate: f64) -> String {
    format!(
        r#"{{"strategyType":"PROBABILISTIC","probabilisticSampling":{{"samplingRate":{rate}}}}}"#
    )
}

/// Returns the head of a reply with status 200, with these headers.
pub(crate) fn head(headers: &[&str]) -> Vec<u8> {
    let mut head = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n".to_owned();
    for header in headers {
        head.push_str(header);
        head.push_str("\r\n");
    }
    (head + "\r\n").into_bytes()
}

/// A server on a free port of loopback. It ends with its last connection after it is dropped.
pub(crate) struct StrategyServer(LoopbackServer<State>);

type Shared = loopback_server::Shared<State>;

struct State {
    answer: Answer,
    /// The target of each request, such as `/sampling?service=shop`; empty if none came before the connection ended.
    targets: Vec<String>,
}

impl StrategyServer {
    /// Starts a server that gives this answer to every request.
    pub(crate) fn start(answer: Answer) -> Self {
        Self::start_with(answer, |stream| Some(Box::new(stream)))
    }

    /// Starts a server that speaks through what `wrap` makes of a connection, if it makes anything.
    pub(crate) fn start_with(
        answer: Answer,
        wrap: impl Fn(TcpStream) -> Option<Box<dyn Wire>> + Send + Sync + 'static,
    ) -> Self {
        let state = State {
            answer,
            targets: Vec::new(),
        };
        let serve = move |connection, shared: &Shared| serve(connection, &wrap, shared);
        Self(LoopbackServer::start(state, serve))
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.0.address()
    }

    /// Returns the URL of the strategies.
    pub(crate) fn url(&self) -> String {
        format!("http://{}/sampling", self.address())
    }

    /// Gives this answer from the next request on.
    pub(crate) fn answer(&self, answer: Answer) {
        self.0.shared().change(|state| state.own.answer = answer);
    }

    /// Returns the targets of the requests so far.
    pub(crate) fn targets(&self) -> Vec<String> {
        self.0.shared().state().own.targets.clone()
    }

    /// Waits until this many requests have come, and returns their targets.
    pub(crate) fn wait_for(&self, requests: usize) -> Vec<String> {
        self.0
            .shared()
            .wait_until("requests", |state| state.targets.len() >= requests);
        self.targets()
    }
}

fn serve(
    connection: TcpStream,
    wrap: &dyn Fn(TcpStream) -> Option<Box<dyn Wire>>,
    shared: &Shared,
) {
    // A client that goes silent must not keep the thread.
    let _ = connection.set_read_timeout(Some(Duration::from_secs(30)));
    let Ok(handle) = connection.try_clone() else {
        return;
    };
    let answer = || shared.state().own.answer.clone();
    if let Answer::HangUp = answer() {
        note(shared, String::new());
        return;
    }
    let Some(mut wire) = wrap(connection) else {
        return;
    };
    // The last byte of a request whose answer is a reset stays unread: closing the connection then resets it.
    let is_reset = matches!(answer(), Answer::Reset(_));
    if let Some(target) = request(&mut *wire, is_reset) {
        let answer = answer();
        note(shared, target);
        // An error means that the client is gone.
        let _ = give(&answer, &mut *wire, &handle, shared);
    }
    if !is_reset {
        close(&handle);
    }
}

fn note(shared: &Shared, target: String) {
    shared.change(|state| state.own.targets.push(target));
}

/// Reads the head of a request and returns its target.
fn request(wire: &mut dyn Wire, leaves_last_byte: bool) -> Option<String> {
    let mut head = Vec::new();
    let mut byte = [0];
    let end: &[u8] = if leaves_last_byte {
        b"\r\n\r"
    } else {
        b"\r\n\r\n"
    };
    while !head.ends_with(end) {
        if head.len() > 64 << 10 || wire.read(&mut byte).ok()? == 0 {
            return None;
        }
        head.extend(byte);
    }
    let head = String::from_utf8_lossy(&head);
    head.split(' ').nth(1).map(str::to_owned)
}

fn give(
    answer: &Answer,
    wire: &mut dyn Wire,
    connection: &TcpStream,
    shared: &Shared,
) -> io::Result<()> {
    match answer {
        Answer::Reply(status, body) => {
            let length = body.len();
            write!(
                wire,
                "HTTP/1.1 {status} Any\r\nContent-Type: application/json\r\n\
                 Content-Length: {length}\r\nConnection: close\r\n\r\n"
            )?;
            wire.write_all(body)?;
        }
        Answer::Raw(bytes) | Answer::Reset(bytes) => wire.write_all(bytes)?,
        Answer::Drip(bytes, pause) => {
            for byte in bytes {
                if !shared.pause(*pause) {
                    break;
                }
                wire.write_all(&[*byte])?;
                wire.flush()?;
            }
        }
        Answer::Endless(first, again) => {
            wire.write_all(first)?;
            while !shared.is_over() {
                wire.write_all(again)?;
            }
        }
        Answer::Hang(bytes) => {
            wire.write_all(bytes)?;
            wire.flush()?;
            connection.set_read_timeout(Some(Duration::from_millis(20)))?;
            let mut byte = [0];
            while !shared.is_over() {
                match wire.read(&mut byte) {
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                    Ok(1..) => {}
                    _ => break,
                }
            }
        }
        Answer::HangUp => {}
    }
    wire.flush()
}
