//! The embedded agent: the spans it receives, its answers by HTTP, and its pictures.

mod agent;
#[cfg(all(feature = "_grpc-receiver", feature = "zipkin"))]
mod formats;
#[cfg(feature = "_grpc-receiver")]
mod grpc;
mod http;
mod mcp;
mod page;
mod printing;
mod query;
mod strategies;
mod tracer;
mod vectors;
mod views;
mod zipkin;

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream, UdpSocket};
use std::time::Duration;

use tracehound::dev::{DevOptions, DevServer, Waterfall};

/// Longer than any step takes. Only a test that fails waits for so long.
const PATIENCE: Duration = Duration::from_secs(20);

/// Returns options with ports that the system chooses, and without output.
fn quiet() -> DevOptions {
    DevOptions::new().any_ports().waterfall(Waterfall::Never)
}

fn start() -> DevServer {
    DevServer::start(quiet()).unwrap()
}

/// Sends a datagram and returns when it has been read.
fn send(server: &DevServer, agent: SocketAddr, bytes: &[u8]) {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    assert_eq!(socket.send_to(bytes, agent).unwrap(), bytes.len());
    assert!(server.wait_until_read(PATIENCE), "the agent does not read");
}

fn unhex(text: &str) -> Vec<u8> {
    let digits = text.as_bytes().chunks(2);
    let byte = |pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap();
    digits.map(byte).collect()
}

/// A datagram with one span `GET /` of the service `svc`, written by the Apache Thrift library for Python.
const GOLDEN_TRACE: &str = "0102030405060708ffffffffffffffff";
const GOLDEN: &str = "\
    82810009656d697442617463681c1c1803737663191c18016b15001801760000191c160116909cb0d080c181820216b0\
    dcb0d182c589922216001805474554202f191c1500160116909cb0d080c1818202160a001502168080f2818389850616\
    b817196c180173150018017600180164150227000000000000e03f001801621504310018016615043200180\
    16c150646050018017915085802007f00191c168280f28183898506191c18056576656e7415001801650000000000";

/// An answer by HTTP.
struct Answer {
    status: u16,
    head: String,
    body: Vec<u8>,
}

impl Answer {
    fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }

    fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap()
    }
}

/// Sends a whole request, which must ask to close the connection, and reads the answer to its end.
fn exchange(server: SocketAddr, request: &[u8]) -> Answer {
    let mut stream = TcpStream::connect(server).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    // A server that refuses may close before it has read everything.
    let _ = stream.write_all(request);
    let mut bytes = Vec::new();
    let read = stream.read_to_end(&mut bytes);
    let text = String::from_utf8_lossy(&bytes);
    let Some((head, _)) = text.split_once("\r\n\r\n") else {
        panic!("no answer: {read:?} {text:?}");
    };
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    let is_chunked = head
        .to_ascii_lowercase()
        .contains("transfer-encoding: chunked");
    assert!(!is_chunked, "answers have a length");
    Answer {
        status,
        head: head.to_ascii_lowercase(),
        body: bytes[head.len() + 4..].to_vec(),
    }
}

fn get(server: SocketAddr, path: &str) -> Answer {
    let request = format!("GET {path} HTTP/1.1\r\nHost: {server}\r\nConnection: close\r\n\r\n");
    exchange(server, request.as_bytes())
}

fn post(server: SocketAddr, path: &str, content_type: &str, body: &[u8]) -> Answer {
    let mut request = format!(
        "POST {path} HTTP/1.1\r\nHost: {server}\r\nConnection: close\r\nContent-Type: {content_type}\r\n\
         Content-Length: {}\r\n\r\n",
        body.len(),
    )
    .into_bytes();
    request.extend_from_slice(body);
    exchange(server, &request)
}
