use std::io;
use std::net::TcpStream;
use std::time::Duration;

use crate::testkit::collector::connection::Connection;
use crate::testkit::collector::shared::Shared;
use crate::testkit::fault::{Fault, Kind, Reply};
use crate::testkit::watched::Watched;

/// Replies to a request as its fault says, with `reply` if that does not speak against it. Returns whether the
/// connection can take another request.
///
/// # Errors
///
/// Fails if the client is gone.
pub(super) fn give(
    fault: &Fault,
    reply: Reply,
    wire: &mut dyn Connection,
    handle: &TcpStream,
    shared: &Watched<Shared>,
) -> io::Result<bool> {
    let pause = |time: Duration| shared.wait(time, |shared| shared.is_over);
    match &fault.0 {
        Kind::None | Kind::SlowReader(_) | Kind::PartialSuccess { .. } => write(wire, &reply)?,
        Kind::Delay(time) => {
            pause(*time);
            write(wire, &reply)?;
        }
        Kind::Reply(reply) => write(wire, reply)?,
        Kind::HangUp => return Ok(false),
        Kind::Reset(bytes) => {
            wire.write_all(bytes)?;
            wire.flush()?;
            reset_at_close(handle);
            return Ok(false);
        }
        Kind::Garbage(bytes) => {
            wire.write_all(bytes)?;
            wire.flush()?;
            return Ok(false);
        }
        Kind::Drop => return hold(wire),
        Kind::Stall(bytes) => {
            wire.write_all(bytes)?;
            wire.flush()?;
            return hold(wire);
        }
        Kind::Drip(bytes, time) => {
            for byte in bytes {
                if pause(*time) {
                    break;
                }
                wire.write_all(&[*byte])?;
                wire.flush()?;
            }
            return Ok(false);
        }
        Kind::Endless(first, again) => {
            wire.write_all(first)?;
            // An empty piece would keep a processor busy.
            while !again.is_empty() {
                wire.write_all(again)?;
            }
            return hold(wire);
        }
    }
    Ok(true)
}

fn write(wire: &mut dyn Connection, reply: &Reply) -> io::Result<()> {
    let mut bytes = format!("HTTP/1.1 {} {}\r\n", reply.status, reason(reply.status));
    for (name, value) in &reply.headers {
        bytes += &format!("{name}: {value}\r\n");
    }
    // RFC 9110 has no length for these.
    if reply.status >= 200 && reply.status != 204 {
        bytes += &format!("Content-Length: {}\r\n", reply.body.len());
    }
    bytes += "\r\n";
    let mut bytes = bytes.into_bytes();
    bytes.extend(&reply.body);
    wire.write_all(&bytes)?;
    wire.flush()
}

/// Waits until the client leaves or the collector stops, which ends the connection.
fn hold(wire: &mut dyn Connection) -> io::Result<bool> {
    let mut bytes = [0; 1_024];
    while wire.read(&mut bytes)? > 0 {}
    Ok(false)
}

/// Makes the close of the connection a reset, so that the client loses what it has not read.
#[cfg(target_os = "linux")]
fn reset_at_close(handle: &TcpStream) {
    // Fails on a connection that is gone, which needs no reset.
    let _ = rustix::net::sockopt::set_socket_linger(handle, Some(Duration::ZERO));
}

#[cfg(not(target_os = "linux"))]
fn reset_at_close(_: &TcpStream) {}

/// Returns the words for a status.
fn reason(status: u16) -> &'static str {
    match status {
        200 => "OK",
        202 => "Accepted",
        204 => "No Content",
        400 => "Bad Request",
        401 => "Unauthorized",
        404 => "Not Found",
        405 => "Method Not Allowed",
        413 => "Content Too Large",
        415 => "Unsupported Media Type",
        429 => "Too Many Requests",
        500 => "Internal Server Error",
        503 => "Service Unavailable",
        _ => "Other",
    }
}
