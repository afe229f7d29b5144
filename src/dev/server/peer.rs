//! How one embedded agent recognises another: each says at its viewer's port who it is.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::clock::{deadline_after, instant_now};

/// The answer of an embedded agent to `GET /api/identity`.
///
/// ```json
/// {"name":"tracehound","version":"0.1.0","agent":"127.0.0.1:6831"}
/// ```
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Identity {
    name: String,
    version: String,
    /// Where it takes Thrift by UDP in the compact protocol.
    agent: SocketAddr,
    /// The address at which it answers with sampling strategies; `None` if it keeps everything.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    sampling: Option<SocketAddr>,
}

impl Identity {
    /// The identity of this program's agent, which listens at `agent`, and at `sampling` for programs that it samples.
    pub(crate) fn new(agent: SocketAddr, sampling: Option<SocketAddr>) -> Self {
        Self {
            name: NAME.to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            agent,
            sampling,
        }
    }
}

/// An embedded agent that runs already, most likely in another program of this host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Peer {
    /// The version of this crate that it was built with.
    pub(crate) version: String,
    /// Where it takes spans.
    pub(crate) agent: SocketAddr,
    /// The address at which it answers with sampling strategies; `None` if it keeps everything.
    pub(crate) sampling: Option<SocketAddr>,
    /// Where its traces can be read.
    pub(crate) viewer: SocketAddr,
}

impl Peer {
    /// Asks who listens at `viewer`. Returns `None` if it is not an embedded agent or does not answer within a second.
    pub(crate) fn ask(viewer: SocketAddr) -> Option<Self> {
        Self::ask_within(viewer, PATIENCE)
    }

    fn ask_within(viewer: SocketAddr, timeout: Duration) -> Option<Self> {
        Self::of_answer(viewer, &exchange(viewer, timeout)?)
    }

    /// Reads the whole answer of a server that listens at `viewer`.
    pub(crate) fn of_answer(viewer: SocketAddr, answer: &[u8]) -> Option<Self> {
        let text = std::str::from_utf8(answer).ok()?;
        let (head, body) = text.split_once("\r\n\r\n")?;
        if !head.starts_with("HTTP/1.1 200 ") {
            return None;
        }
        let identity: Identity = serde_json::from_str(body).ok()?;
        // The answer may be anybody's: spans must stay on this host, and the version goes into a line on a terminal.
        let is_local = |address: SocketAddr| address.ip().is_loopback() && address.port() != 0;
        let is_version = |c: char| c.is_ascii_alphanumeric() || ".+-".contains(c);
        let is_ours = identity.name == NAME
            && is_local(identity.agent)
            && identity.sampling.is_none_or(is_local)
            && identity.version.len() <= LONGEST_VERSION
            && identity.version.chars().all(is_version);
        is_ours.then_some(Self {
            version: identity.version,
            agent: identity.agent,
            sampling: identity.sampling,
            viewer,
        })
    }
}

/// Sends the question and returns the whole answer, if it ends before the time-out and is not too long.
fn exchange(viewer: SocketAddr, timeout: Duration) -> Option<Vec<u8>> {
    let deadline = deadline_after(timeout);
    let left = || {
        let left = deadline.saturating_duration_since(instant_now());
        (!left.is_zero()).then_some(left)
    };
    let mut stream = TcpStream::connect_timeout(&viewer, left()?).ok()?;
    stream.set_write_timeout(Some(left()?)).ok()?;
    let question = format!("GET {PATH} HTTP/1.1\r\nHost: {viewer}\r\nConnection: close\r\n\r\n");
    stream.write_all(question.as_bytes()).ok()?;
    let mut answer = vec![0; LONGEST_ANSWER];
    let mut length = 0;
    loop {
        // A server that sends a byte now and then must not keep the caller longer than one that is silent.
        stream.set_read_timeout(Some(left()?)).ok()?;
        match stream.read(answer.get_mut(length..)?).ok()? {
            0 if length < LONGEST_ANSWER => {
                answer.truncate(length);
                return Some(answer);
            }
            0 => return None,
            read => length += read,
        }
    }
}

/// Where an embedded agent says who it is.
pub(crate) const PATH: &str = "/api/identity";

const NAME: &str = "tracehound";
/// An agent on loopback answers within a few milliseconds, but the machine may be busy.
const PATIENCE: Duration = Duration::from_secs(1);
const LONGEST_ANSWER: usize = 4_096;
const LONGEST_VERSION: usize = 32;

#[cfg(test)]
mod tests {
    use std::net::TcpListener;
    use std::thread;

    use super::*;

    /// Asks a server that reads the question, sends `answer`, and closes the connection.
    fn ask(answer: &[u8]) -> (SocketAddr, Option<Peer>) {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port of loopback");
        let viewer = listener.local_addr().expect("bound");
        let peer = thread::scope(|scope| {
            scope.spawn(|| {
                let (mut stream, _) = listener.accept().expect("the question");
                let mut question = Vec::new();
                while !question.ends_with(b"\r\n\r\n") {
                    let mut byte = [0];
                    stream.read_exact(&mut byte).expect("the whole question");
                    question.extend(byte);
                }
                // The other end may refuse to read on.
                let _ = stream.write_all(answer);
            });
            Peer::ask_within(viewer, Duration::from_secs(20))
        });
        (viewer, peer)
    }

    fn ok(body: &str) -> String {
        format!("HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n\r\n{body}")
    }

    #[test]
    fn a_peer_tells_its_version_and_where_it_takes_spans() {
        let sampling = Some(([127, 0, 0, 1], 5778).into());
        let identity = Identity::new(([127, 0, 0, 1], 6831).into(), sampling);
        let body = serde_json::to_string(&identity).expect("JSON");
        let (viewer, peer) = ask(ok(&body).as_bytes());
        let expected = Peer {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            agent: ([127, 0, 0, 1], 6831).into(),
            sampling,
            viewer,
        };
        assert_eq!(peer, Some(expected));
        let newer =
            r#"{"name":"tracehound","version":"2.0.0-rc.1","agent":"127.0.0.1:7000","more":[]}"#;
        let (_, peer) = ask(ok(newer).as_bytes());
        assert_eq!(peer.map(|peer| peer.version).as_deref(), Some("2.0.0-rc.1"));
    }

    #[test]
    fn other_servers_are_no_peers() {
        let long = format!(
            r#"{{"name":"tracehound","version":"{}","agent":"127.0.0.1:1"}}"#,
            "1".repeat(33)
        );
        for answer in [
            String::new(),
            "SSH-2.0-OpenSSH_9.9\r\n".to_owned(),
            "HTTP/1.1 404 Not Found\r\n\r\n".to_owned(),
            ok(""),
            ok(r#"{"data":[],"total":0}"#),
            ok(r#"{"name":"jaeger","version":"2.0.0","agent":"127.0.0.1:6831"}"#),
            ok(r#"{"name":"tracehound","version":"0.1.0","agent":"203.0.113.9:6831"}"#),
            ok(r#"{"name":"tracehound","version":"0.1.0","agent":"127.0.0.1:0"}"#),
            ok(
                r#"{"name":"tracehound","version":"0.1.0","agent":"127.0.0.1:1","sampling":"203.0.113.9:1"}"#,
            ),
            ok(r#"{"name":"tracehound","version":"\u001b[31m","agent":"127.0.0.1:6831"}"#),
            ok(&long),
            ok(&" ".repeat(LONGEST_ANSWER)),
        ] {
            assert_eq!(ask(answer.as_bytes()).1, None, "{answer}");
        }
        assert_eq!(ask(&[0xff; 100]).1, None);
    }

    #[test]
    fn a_silent_server_is_given_up_on() {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port of loopback");
        let viewer = listener.local_addr().expect("bound");
        assert_eq!(Peer::ask_within(viewer, Duration::from_millis(20)), None);
        drop(listener);
        assert_eq!(Peer::ask_within(viewer, Duration::from_secs(20)), None);
    }
}
