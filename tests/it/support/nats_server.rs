//! A server that speaks the protocol of NATS, with behaviours for tests.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;

use crate::support::loopback_server::{LoopbackServer, Shared, close};

/// A server that keeps the published messages: subject and headers. How it answers depends on the subject.
pub(crate) type NatsServer = LoopbackServer<Vec<Published>>;

#[derive(Clone, Debug)]
pub(crate) struct Published {
    pub(crate) subject: String,
    pub(crate) headers: String,
}

/// A message to this subject ends the connection.
pub(crate) const CLOSES: &str = "closes";

/// Messages to subjects that begin so are acknowledged as JetStream does, and as duplicates if they end in `.again`.
pub(crate) const STORED: &str = "stored.";

/// Messages to this subject are refused as JetStream does, with an error that quotes data.
pub(crate) const REFUSED: &str = "refused";

/// Nobody listens to this subject.
pub(crate) const UNHEARD: &str = "unheard";

pub(crate) fn start() -> NatsServer {
    LoopbackServer::start(Vec::new(), serve)
}

/// A subscription of the connection.
struct Subscription {
    subject: String,
    id: String,
}

impl Subscription {
    /// Whether a subject fits, where `*` is a word and `>` the rest.
    fn fits(&self, subject: &str) -> bool {
        let (mut words, mut parts) = (subject.split('.'), self.subject.split('.'));
        loop {
            match (parts.next(), words.next()) {
                (Some(">"), Some(_)) | (None, None) => return true,
                (Some(part), Some(word)) if part == "*" || part == word => {}
                _ => return false,
            }
        }
    }
}

fn serve(connection: TcpStream, shared: &Shared<Vec<Published>>) {
    let mut reader = BufReader::new(&connection);
    let mut subscriptions = Vec::new();
    let port = connection.local_addr().map_or(0, |address| address.port());
    let hello = format!(
        "INFO {{\"server_id\":\"test\",\"server_name\":\"test\",\"version\":\"2.10.0\",\"go\":\"\",\"host\":\"127.0.0.1\",\
         \"port\":{port},\"headers\":true,\"max_payload\":1048576,\"proto\":1,\"client_id\":1}}\r\n"
    );
    let mut is_open = (&connection).write_all(hello.as_bytes()).is_ok();
    while is_open {
        let reply = step(&mut reader, &mut subscriptions, shared);
        is_open = reply.is_some_and(|reply| (&connection).write_all(&reply).is_ok());
    }
    close(&connection);
}

/// Reads one command and returns what is sent after it, or `None` to end the connection.
fn step(
    reader: &mut impl BufRead,
    subscriptions: &mut Vec<Subscription>,
    shared: &Shared<Vec<Published>>,
) -> Option<Vec<u8>> {
    let mut line = String::new();
    if reader.read_line(&mut line).ok()? == 0 {
        return None;
    }
    let words: Vec<_> = line.split_ascii_whitespace().collect();
    let (subject, reply, lengths) = match words[..] {
        ["PING"] => return Some(b"PONG\r\n".to_vec()),
        ["SUB", subject, .., id] => {
            let (subject, id) = (subject.to_owned(), id.to_owned());
            subscriptions.push(Subscription { subject, id });
            return Some(Vec::new());
        }
        ["PUB", subject, length] => (subject, None, (0, length.parse().ok()?)),
        ["PUB", subject, reply, length] => (subject, Some(reply), (0, length.parse().ok()?)),
        ["HPUB", subject, head, all] => (subject, None, (head.parse().ok()?, all.parse().ok()?)),
        ["HPUB", subject, reply, head, all] => {
            let lengths = (head.parse().ok()?, all.parse().ok()?);
            (subject, Some(reply), lengths)
        }
        _ => return Some(Vec::new()),
    };
    let (head, all): (usize, usize) = lengths;
    let mut body = vec![0; all + 2];
    reader.read_exact(&mut body).ok()?;
    body.truncate(all);
    shared.change(|state| {
        state.own.push(Published {
            subject: subject.to_owned(),
            headers: String::from_utf8_lossy(&body[..head]).into_owned(),
        });
    });
    let mut sent = Vec::new();
    let mut deliver = |subject: &str, reply: Option<&str>, head: usize, body: &[u8]| {
        for subscription in subscriptions.iter().filter(|to| to.fits(subject)) {
            let reply = reply.map(|reply| format!("{reply} ")).unwrap_or_default();
            let id = &subscription.id;
            let line = match head {
                0 => format!("MSG {subject} {id} {reply}{}\r\n", body.len()),
                head => format!("HMSG {subject} {id} {reply}{head} {}\r\n", body.len()),
            };
            sent.extend([line.as_bytes(), body, b"\r\n"].concat());
        }
    };
    match reply {
        _ if subject == CLOSES => return None,
        Some(inbox) if subject == UNHEARD => {
            let none = b"NATS/1.0 503\r\n\r\n";
            deliver(inbox, None, none.len(), none);
        }
        Some(inbox) if subject == REFUSED => {
            let error =
                br#"{"error":{"code":400,"err_code":10071,"description":"not after 'canary'"}}"#;
            deliver(inbox, None, 0, error);
        }
        Some(inbox) if subject.starts_with(STORED) => {
            let ack: &[u8] = match subject.ends_with(".again") {
                true => br#"{"stream":"ORDERS","seq":7,"duplicate":true}"#,
                false => br#"{"stream":"ORDERS","seq":7}"#,
            };
            deliver(inbox, None, 0, ack);
        }
        reply => deliver(subject, reply, head, &body),
    }
    Some(sent)
}
