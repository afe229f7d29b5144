//! As much of HTTP/1.1 as an exporter of OTLP needs.

use std::io::{self, BufRead, BufReader, Write};
use std::net::TcpStream;

/// Hands the body of each request to `take`, and answers that all is well.
pub fn serve(mut connection: &TcpStream, take: impl Fn(&[u8])) {
    let _ = connection.set_nodelay(true);
    let mut requests = BufReader::new(connection);
    let mut body = Vec::new();
    while let Ok(true) = read(&mut requests, &mut body) {
        take(&body);
        if connection.write_all(ANSWER).is_err() {
            break;
        }
    }
}

/// False at the end.
fn read(requests: &mut impl BufRead, body: &mut Vec<u8>) -> io::Result<bool> {
    let mut length = 0;
    let mut line = String::new();
    loop {
        line.clear();
        if requests.read_line(&mut line)? == 0 {
            return Ok(false);
        }
        match line.trim_end().split_once(':') {
            Some((name, value)) if name.eq_ignore_ascii_case("content-length") => {
                length = value.trim().parse().map_err(io::Error::other)?;
            }
            None if line.trim_end().is_empty() => break,
            _ => {}
        }
    }
    body.resize(length, 0);
    requests.read_exact(body)?;
    Ok(true)
}

const ANSWER: &[u8] =
    b"HTTP/1.1 200 OK\r\ncontent-type: application/x-protobuf\r\ncontent-length: 0\r\n\r\n";

#[cfg(test)]
mod tests {
    use super::read;

    #[test]
    fn bodies_are_as_long_as_the_header_says() {
        let mut requests =
            &b"POST / HTTP/1.1\r\nContent-Length: 3\r\na: b\r\n\r\nonePOST / HTTP/1.1\r\n\r\n"[..];
        let mut body = Vec::new();
        assert!(read(&mut requests, &mut body).expect("well-formed"));
        assert_eq!(body, b"one");
        assert!(read(&mut requests, &mut body).expect("well-formed"));
        assert_eq!(body, b"");
        assert!(!read(&mut requests, &mut body).expect("at the end"));
    }
}
