use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use super::get::HttpError;
use super::*;

/// Answers each connection by `answer`, which gets the lines of the request. Tells the requests.
fn server(
    mut answer: impl FnMut(&mut TcpStream) + Send + 'static,
) -> (SocketAddr, mpsc::Receiver<Vec<String>>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port of loopback");
    let address = listener.local_addr().expect("bound");
    let (tell, told) = mpsc::channel();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.expect("a connection");
            let lines = BufReader::new(stream.try_clone().expect("a socket")).lines();
            let lines = lines.map_while(Result::ok);
            let lines = lines.take_while(|line| !line.is_empty()).collect();
            if tell.send(lines).is_err() {
                return;
            }
            answer(&mut stream);
        }
    });
    (address, told)
}

/// A server that writes one text.
fn reply(text: &'static str) -> (SocketAddr, mpsc::Receiver<Vec<String>>) {
    server(move |stream| {
        let _ = stream.write_all(text.as_bytes());
    })
}

fn get(address: SocketAddr, client: &HttpClient) -> Result<Vec<u8>, HttpError> {
    let endpoint = Endpoint::parse(&format!("http://{address}/s")).expect("a URL");
    client.get(&endpoint.url_with(&[("service", "a b")]), 16)
}

#[test]
fn a_body_arrives_and_the_request_is_plain() {
    let (address, requests) = reply("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}");
    assert_eq!(get(address, &HttpClient::new()), Ok(b"{}".to_vec()));
    let request = requests.recv().expect("one");
    assert_eq!(request[0], "GET /s?service=a%20b HTTP/1.1");
    let mut headers: Vec<_> = request[1..]
        .iter()
        .map(|line| line.to_lowercase())
        .collect();
    headers.sort();
    let version = env!("CARGO_PKG_VERSION");
    let expected = [
        "accept: application/json".to_owned(),
        format!("host: {address}"),
        format!("user-agent: tracehound/{version}"),
    ];
    assert_eq!(headers, expected);
}

#[test]
fn only_a_status_of_success_brings_a_body() {
    for (status, expected) in [
        ("200 OK", Ok(b"{}".to_vec())),
        ("299 Fine", Ok(b"{}".to_vec())),
        ("304 Not Modified", Err(HttpError::Status(304))),
        ("400 Bad Request", Err(HttpError::Status(400))),
        ("500 Oops", Err(HttpError::Status(500))),
        ("503 Later", Err(HttpError::Status(503))),
    ] {
        let (address, _requests) = server(move |stream| {
            let _ = write!(stream, "HTTP/1.1 {status}\r\ncontent-length: 2\r\n\r\n{{}}");
        });
        assert_eq!(get(address, &HttpClient::new()), expected, "{status}");
    }
}

#[test]
fn no_redirect_is_followed() {
    let (target, requests) = reply("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}");
    for status in [301, 302, 303, 307, 308] {
        let (address, _requests) = server(move |stream| {
            let _ = write!(
                stream,
                "HTTP/1.1 {status} Moved\r\nlocation: http://{target}/\r\ncontent-length: 0\r\n\r\n"
            );
        });
        let error = get(address, &HttpClient::new());
        assert_eq!(error, Err(HttpError::Status(status)));
    }
    assert!(requests.try_recv().is_err());
}

#[test]
fn a_body_beyond_the_limit_is_refused_however_it_comes() {
    let long = "HTTP/1.1 200 OK\r\ncontent-length: 17\r\n\r\n12345678901234567";
    let claimed = "HTTP/1.1 200 OK\r\ncontent-length: 99999999999\r\n\r\n12345678901234567";
    let chunked =
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n11\r\n12345678901234567\r\n";
    for text in [long, claimed, chunked] {
        let (address, _requests) = reply(text);
        assert_eq!(
            get(address, &HttpClient::new()),
            Err(HttpError::TooLarge(16))
        );
    }
    let (address, _requests) = server(|stream| {
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n");
        // Endless, until the client has gone.
        while stream.write_all(&[b' '; 1_024]).is_ok() {}
    });
    assert_eq!(
        get(address, &HttpClient::new()),
        Err(HttpError::TooLarge(16))
    );
}

#[test]
fn a_reply_that_ends_early_or_is_no_http_fails() {
    for text in [
        "",
        "SSH-2.0-OpenSSH\r\n",
        "HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n{}",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n",
    ] {
        let (address, _requests) = reply(text);
        let error = get(address, &HttpClient::new()).expect_err(text);
        assert!(matches!(error, HttpError::Failed(_)), "{error:?}");
    }
}

#[test]
fn a_server_that_drips_does_not_outlast_the_deadline() {
    let (address, _requests) = server(|stream| {
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\n");
        // One byte after the other: each read succeeds, and the headers never end.
        while stream.write_all(b"x").is_ok() {
            thread::yield_now();
        }
    });
    let client = HttpClient::with_deadline(Duration::from_millis(200));
    let error = get(address, &client).expect_err("no reply");
    let is_bounded = matches!(error, HttpError::TimedOut | HttpError::Failed(_));
    assert!(is_bounded, "{error:?}");
    let (address, _requests) = server(|stream| {
        let _ = stream.read(&mut [0]);
    });
    let error = get(address, &client);
    assert_eq!(error, Err(HttpError::TimedOut), "a silent server");
}

#[test]
fn a_request_in_flight_ends_when_the_client_is_shut_down() {
    let (address, requests) = server(|stream| {
        let _ = stream.read(&mut [0]);
    });
    let client = HttpClient::new();
    let other = client.clone();
    let waiting = thread::spawn(move || get(address, &other));
    requests.recv().expect("the request is in flight");
    client.shut_down();
    let error = waiting.join().expect("no panic").expect_err("ended");
    assert!(matches!(error, HttpError::Failed(_)), "{error:?}");
}

#[test]
fn a_refused_connection_says_so() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port of loopback");
    let address = listener.local_addr().expect("bound");
    drop(listener);
    let error = get(address, &HttpClient::new()).expect_err("nobody listens");
    assert!(
        error.to_string().to_lowercase().contains("refused"),
        "{error}"
    );
}

#[test]
fn only_a_host_name_is_looked_up() {
    for (url, expected) in [
        ("http://127.0.0.1:5778/sampling", false),
        ("http://[::1]:5778/sampling", false),
        ("http://u:p@127.0.0.1/", false),
        ("http://localhost:5778/sampling", true),
        ("http://1.2.3/", true),
    ] {
        assert_eq!(needs_lookup(url), expected, "{url}");
    }
}
