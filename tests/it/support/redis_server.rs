//! A server that speaks the protocol of Redis, with answers for tests.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;

use crate::support::loopback_server::{LoopbackServer, Shared, close};

/// A server that keeps the commands that it gets. How it answers depends on the key, or on the name of the command.
pub(crate) type RedisServer = LoopbackServer<Vec<Vec<String>>>;

/// The key that is never answered.
pub(crate) const HANGS: &str = "hangs";

/// The key whose command ends the connection.
pub(crate) const CLOSES: &str = "closes";

/// The key at which commands fail, with an error that quotes data.
pub(crate) const FAILS: &str = "fails";

pub(crate) fn start() -> RedisServer {
    LoopbackServer::start(Vec::new(), serve)
}

fn serve(connection: TcpStream, shared: &Shared<Vec<Vec<String>>>) {
    let mut reader = BufReader::new(&connection);
    let mut queued = None;
    while let Some(command) = read(&mut reader) {
        let Some(reply) = reply(&command, &mut queued) else {
            break;
        };
        shared.change(|state| state.own.push(command));
        if (&connection).write_all(reply.as_bytes()).is_err() {
            break;
        }
    }
    close(&connection);
}

/// Returns the reply to a command, or `None` to end the connection. `queued` counts the commands of a transaction.
fn reply(command: &[String], queued: &mut Option<usize>) -> Option<String> {
    let word = |at: usize| command.get(at).map(String::as_str);
    let name = word(0)?.to_uppercase();
    if let Some(count) = queued
        && name != "EXEC"
    {
        *count += 1;
        return Some("+QUEUED\r\n".to_owned());
    }
    let reply = match (name.as_str(), word(1)) {
        (_, Some(HANGS)) => "",
        (_, Some(CLOSES)) => return None,
        (_, Some(FAILS)) => {
            "-WRONGTYPE cannot use 'canary', with args beginning with: 'canary'\r\n"
        }
        ("GET", Some("missing")) => "$-1\r\n",
        ("GET" | "ECHO", _) => "$12\r\ncanary-value\r\n",
        ("MGET", _) => "*1\r\n$6\r\ncanary\r\n",
        ("INCR", _) => ":1\r\n",
        ("MULTI", _) => {
            *queued = Some(0);
            "+OK\r\n"
        }
        ("EXEC", _) => {
            let count = queued.take().unwrap_or_default();
            return Some(format!("*{count}\r\n{}", "+OK\r\n".repeat(count)));
        }
        _ => "+OK\r\n",
    };
    Some(reply.to_owned())
}

/// Reads a command: `*2\r\n$3\r\nGET\r\n$1\r\na\r\n`.
fn read(reader: &mut impl BufRead) -> Option<Vec<String>> {
    let count = number(reader, '*')?;
    let part = |_| {
        let mut bytes = vec![0; number(reader, '$')? + 2];
        reader.read_exact(&mut bytes).ok()?;
        bytes.truncate(bytes.len() - 2);
        String::from_utf8(bytes).ok()
    };
    (0..count).map(part).collect()
}

fn number(reader: &mut impl BufRead, mark: char) -> Option<usize> {
    let mut line = String::new();
    reader.read_line(&mut line).ok()?;
    line.strip_prefix(mark)?.trim_end().parse().ok()
}
