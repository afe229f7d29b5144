//! An agent that answers what a test tells it to.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use crate::support::until;

/// An HTTP server on a free port of loopback. It closes each connection after one answer.
#[derive(Clone)]
pub(crate) struct Agent {
    address: String,
    state: Arc<Mutex<State>>,
}

struct State {
    answer: Answer,
    requests: Vec<String>,
}

/// The answer of an agent.
#[derive(Clone)]
pub(crate) enum Answer {
    /// A status and a body.
    Reply(u16, String),
    /// Nothing, and the connection stays open.
    Silence,
}

impl Agent {
    pub(crate) fn start(answer: Answer) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("bound").to_string();
        let requests = Vec::new();
        let state = Arc::new(Mutex::new(State { answer, requests }));
        let served = state.clone();
        thread::spawn(move || {
            let mut silent = Vec::new();
            for connection in listener.incoming().flatten() {
                if let Some(connection) = serve(connection, &served) {
                    silent.push(connection);
                }
            }
        });
        Self { address, state }
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// Sets the answer of all requests from now on.
    pub(crate) fn answers(&self, answer: Answer) {
        self.state.lock().unwrap().answer = answer;
    }

    /// Returns the paths of the requests so far, with their queries.
    pub(crate) fn requests(&self) -> Vec<String> {
        self.state.lock().unwrap().requests.clone()
    }

    /// Waits until `count` more requests were answered in full.
    pub(crate) fn wait_for_more(&self, count: usize) {
        // The next request proves that the answer before it was taken.
        let target = self.requests().len() + count + 1;
        until("more requests", || self.requests().len() >= target);
    }
}

/// Answers one request. Returns the connection if it must stay open.
fn serve(mut connection: TcpStream, state: &Mutex<State>) -> Option<TcpStream> {
    connection
        .set_read_timeout(Some(Duration::from_secs(20)))
        .ok()?;
    let mut lines = BufReader::new(connection.try_clone().ok()?).lines();
    let first = lines.next()?.ok()?;
    // To the end of the head. No request here has a body.
    lines
        .by_ref()
        .take_while(|line| line.as_ref().is_ok_and(|line| !line.is_empty()))
        .for_each(drop);
    let answer = {
        let mut state = state.lock().unwrap();
        let path = first.split(' ').nth(1).unwrap_or_default();
        state.requests.push(path.to_owned());
        state.answer.clone()
    };
    match answer {
        Answer::Reply(status, body) => {
            let head = format!(
                "HTTP/1.1 {status} X\r\nlocation: /elsewhere\r\nconnection: close\r\ncontent-length: {}\r\n\r\n",
                body.len()
            );
            let _ = connection.write_all((head + &body).as_bytes());
            None
        }
        Answer::Silence => Some(connection),
    }
}

impl Answer {
    pub(crate) fn ok(body: &str) -> Self {
        Self::Reply(200, body.to_owned())
    }
}
