use std::fmt;
use std::io;
use std::mem;
use std::time::Duration;

use crate::decode::Refusal;
use crate::testkit::collector::connection::Connection;
use crate::testkit::collector::request::{MAX_BODY, ReceivedRequest};
use crate::testkit::collector::shared::Shared;
use crate::testkit::watched::Watched;

/// The requests of a connection.
pub(super) struct Input {
    wire: Box<dyn Connection>,
    /// Bytes that were read and not used yet.
    buffer: Vec<u8>,
}

impl Input {
    pub(super) fn new(wire: Box<dyn Connection>) -> Self {
        let buffer = Vec::new();
        Self { wire, buffer }
    }

    pub(super) fn wire(&mut self) -> &mut dyn Connection {
        &mut *self.wire
    }

    /// Reads a request without its body. Returns `None` if the client has left.
    ///
    /// # Errors
    ///
    /// Fails with `InvalidData` if it is no HTTP, else if the connection fails.
    pub(super) fn read_head(&mut self) -> io::Result<Option<ReceivedRequest>> {
        let end = loop {
            if let Some(end) = find(&self.buffer, b"\r\n\r\n") {
                break end;
            }
            if self.buffer.len() > MAX_HEAD {
                return Err(invalid("the head of a request is too long"));
            }
            if self.read_more(CHUNK)? == 0 {
                return match self.buffer.is_empty() {
                    true => Ok(None),
                    false => Err(invalid("a request was cut short in its head")),
                };
            }
        };
        let head: Vec<u8> = self.buffer.drain(..end + 4).collect();
        let head = String::from_utf8_lossy(&head);
        let mut lines = head.split("\r\n");
        let mut first = lines.next().unwrap_or_default().split(' ');
        let (Some(method), Some(target), Some("HTTP/1.1" | "HTTP/1.0"), None) =
            (first.next(), first.next(), first.next(), first.next())
        else {
            return Err(invalid("a request does not begin as HTTP does"));
        };
        let mut request = ReceivedRequest {
            method: method.to_owned(),
            target: target.to_owned(),
            ..ReceivedRequest::default()
        };
        for line in lines.filter(|line| !line.is_empty()) {
            let (name, value) = line
                .split_once(':')
                .ok_or_else(|| invalid("a header has no colon"))?;
            let header = (name.to_owned(), value.trim().to_owned());
            request.headers.push(header);
        }
        Ok(Some(request))
    }

    /// Reads the body of a request, so many bytes a second if there is a rate.
    ///
    /// # Errors
    ///
    /// Fails if the body is cut short, malformed or too long.
    pub(super) fn read_body(
        &mut self,
        request: &mut ReceivedRequest,
        rate: Option<u64>,
        shared: &Watched<Shared>,
    ) -> io::Result<()> {
        let is = |name, expected| {
            let header: Option<&str> = request.header(name);
            header.is_some_and(|value| value.eq_ignore_ascii_case(expected))
        };
        if is("expect", "100-continue") {
            self.wire.write_all(b"HTTP/1.1 100 Continue\r\n\r\n")?;
        }
        let pace = Pace { rate, shared };
        if is("transfer-encoding", "chunked") {
            return self.read_chunks(request, &pace);
        }
        let length = match request.header("content-length") {
            None => 0,
            Some(length) => length
                .parse()
                .map_err(|_| invalid("the length is no number"))?,
        };
        request.body = self.read_exactly(length, &pace)?;
        Ok(())
    }

    fn read_chunks(&mut self, request: &mut ReceivedRequest, pace: &Pace<'_>) -> io::Result<()> {
        loop {
            let line = self.read_line()?;
            let length = line.split(';').next().unwrap_or_default().trim();
            let length = usize::from_str_radix(length, 16);
            let length = length.map_err(|_| invalid("the length of a chunk is no number"))?;
            if request.body.len().saturating_add(length) > MAX_BODY {
                return Err(invalid(Refusal::TooLong));
            }
            request.body.extend(self.read_exactly(length, pace)?);
            let line = self.read_line()?;
            if !line.is_empty() {
                return Err(invalid("a chunk is longer than it says"));
            }
            if length == 0 {
                return Ok(());
            }
        }
    }

    fn read_line(&mut self) -> io::Result<String> {
        loop {
            if let Some(end) = find(&self.buffer, b"\r\n") {
                let line: Vec<u8> = self.buffer.drain(..end + 2).collect();
                return Ok(String::from_utf8_lossy(&line[..end]).into_owned());
            }
            if self.buffer.len() > MAX_HEAD || self.read_more(CHUNK)? == 0 {
                return Err(invalid("a chunk was cut short"));
            }
        }
    }

    fn read_exactly(&mut self, length: usize, pace: &Pace<'_>) -> io::Result<Vec<u8>> {
        if length > MAX_BODY {
            return Err(invalid(Refusal::TooLong));
        }
        // These came together with what stands before them.
        pace.pause(self.buffer.len().min(length));
        while self.buffer.len() < length {
            match self.read_more(pace.chunk())? {
                0 => return Err(invalid("the body was cut short")),
                came => pace.pause(came),
            }
        }
        let rest = self.buffer.split_off(length);
        Ok(mem::replace(&mut self.buffer, rest))
    }

    /// Reads at most so many bytes. Returns how many came; none at the end.
    fn read_more(&mut self, most: usize) -> io::Result<usize> {
        let length = self.buffer.len();
        self.buffer.resize(length + most, 0);
        let read = loop {
            match self.wire.read(&mut self.buffer[length..]) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                other => break other,
            }
        };
        let came = read.as_ref().map_or(0, |came| *came);
        self.buffer.truncate(length + came);
        read
    }
}

/// The rate at which a body is read.
struct Pace<'a> {
    rate: Option<u64>,
    shared: &'a Watched<Shared>,
}

impl Pace<'_> {
    fn chunk(&self) -> usize {
        let chunk = self.rate.map_or(CHUNK as u64, |rate| rate / 100);
        usize::try_from(chunk.clamp(1, CHUNK as u64)).unwrap_or(CHUNK)
    }

    /// Waits as long as it takes to read so many bytes.
    fn pause(&self, bytes: usize) {
        if let Some(rate) = self.rate {
            let time = Duration::from_secs_f64(bytes as f64 / rate as f64);
            self.shared.wait(time, |shared| shared.is_over);
        }
    }
}

fn find(bytes: &[u8], wanted: &[u8]) -> Option<usize> {
    bytes
        .windows(wanted.len())
        .position(|window| window == wanted)
}

fn invalid(why: impl fmt::Display) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, why.to_string())
}

const CHUNK: usize = 64 << 10;
const MAX_HEAD: usize = 64 << 10;
