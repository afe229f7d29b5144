//! An agent that answers every question with one document. A forked child asks it, too.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

/// An HTTP server on a free port of loopback. It closes each connection after one answer.
pub(crate) struct Agent {
    address: String,
    document: Arc<Mutex<String>>,
}

impl Agent {
    pub(crate) fn start(document: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("bound").to_string();
        let document = Arc::new(Mutex::new(document.to_owned()));
        let served = document.clone();
        thread::spawn(move || {
            for connection in listener.incoming().flatten() {
                serve(connection, &served);
            }
        });
        Self { address, document }
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// Sets the document of all answers from now on.
    pub(crate) fn answers(&self, document: &str) {
        document.clone_into(&mut self.document.lock().unwrap());
    }
}

fn serve(mut connection: TcpStream, document: &Mutex<String>) -> Option<()> {
    connection
        .set_read_timeout(Some(Duration::from_secs(20)))
        .ok()?;
    // To the end of the head. No request here has a body.
    let lines = BufReader::new(connection.try_clone().ok()?).lines();
    lines
        .take_while(|line| line.as_ref().is_ok_and(|line| !line.is_empty()))
        .for_each(drop);
    let body = document.lock().unwrap().clone();
    let length = body.len();
    let head = format!("HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n");
    connection.write_all((head + &body).as_bytes()).ok()
}
