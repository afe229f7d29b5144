//! The test kit, used as a test of another program would use it.

mod agent;
mod collector;
mod encodings;
mod faults;
mod formats;
#[cfg(unix)]
mod ports;
mod shapes;

use std::io::{self, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

/// A timeout that no test reaches.
const LONG: Duration = Duration::from_secs(30);

/// A Zipkin list of one span.
const ZIPKIN: &str = r#"[{"traceId":"a1","id":"b2","name":"checkout"}]"#;

/// Returns a POST with these headers.
fn post(path: &str, media_type: &str, headers: &str, body: &[u8]) -> Vec<u8> {
    let head = format!(
        "POST {path} HTTP/1.1\r\nContent-Type: {media_type}\r\n{headers}Content-Length: {}\r\n\r\n",
        body.len()
    );
    [head.as_bytes(), body].concat()
}

/// Returns a request with one span, after which the connection stays open.
fn zipkin() -> Vec<u8> {
    post("/api/v2/spans", "application/json", "", ZIPKIN.as_bytes())
}

fn connect(address: SocketAddr) -> TcpStream {
    let connection = TcpStream::connect(address).expect("a collector");
    connection.set_read_timeout(Some(LONG)).unwrap();
    connection
}

/// Sends a request on a connection of its own and returns all that comes back until the end.
fn exchange(address: SocketAddr, request: &[u8]) -> io::Result<String> {
    let mut connection = connect(address);
    connection.write_all(request)?;
    let mut reply = Vec::new();
    connection.read_to_end(&mut reply)?;
    Ok(String::from_utf8_lossy(&reply).into_owned())
}

/// Reads one reply whose head tells its length.
fn reply(connection: &mut TcpStream) -> String {
    let mut reply = Vec::new();
    let mut byte = [0];
    while !reply.ends_with(b"\r\n\r\n") {
        assert_eq!(connection.read(&mut byte).expect("a reply"), 1);
        reply.extend(byte);
    }
    let head = String::from_utf8(reply).expect("text");
    let length = head.split("Content-Length: ").nth(1).expect("a length");
    let length: usize = length.split("\r\n").next().unwrap().parse().unwrap();
    let mut body = vec![0; length];
    connection.read_exact(&mut body).expect("a body");
    head + &String::from_utf8_lossy(&body)
}
