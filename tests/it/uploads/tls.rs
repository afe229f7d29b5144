//! Encrypted uploads: to a server whose certificate is good, and to none else.

use std::io::{self, Read as _, Write as _};
use std::net::TcpListener;
use std::thread;

use super::*;
use crate::support::tls::{
    EXPIRED, Identity, LOCALHOST, OTHER_HOST, ROOT, server_of, strict_server_of,
};

fn encrypted(identity: &Identity) -> CollectorServer {
    CollectorServer::wrapped(|_| Act::status(202), server_of(identity))
}

fn encrypted_sender_to(server: &CollectorServer) -> HttpSender {
    let url = server.url("").replace("http://", "https://");
    HttpSender::new(&url).expect("a URL")
}

#[test]
fn batches_arrive_over_an_encrypted_connection() {
    let server = encrypted(&LOCALHOST);
    let sender = encrypted_sender_to(&server).root_certificates(ROOT);
    let sender = sender.expect("a certificate").basic_auth("me", "secret");
    let shop = Shop::new(sender.expect("encrypted"));
    for sent in 1..=3 {
        assert_eq!(shop.finish(1).flush().sent, sent);
    }
    let requests = server.received();
    assert!(requests.iter().all(|request| request.connection == 0));
    assert!(requests[0].header("authorization").is_some());
}

#[test]
fn a_certificate_that_is_not_trusted_ends_the_connection_before_the_request() {
    for (identity, root, what) in [
        (
            &LOCALHOST,
            None,
            "no authority that is known vouches for it",
        ),
        (&EXPIRED, Some(ROOT), "expired in 2021"),
        (&OTHER_HOST, Some(ROOT), "of another host"),
    ] {
        let server = encrypted(identity);
        let mut sender = encrypted_sender_to(&server);
        if let Some(root) = root {
            sender = sender.root_certificates(root).expect("a certificate");
        }
        let shop = Shop::new(sender);
        for _ in 0..2 {
            let report = shop.finish(2).flush();
            assert_lost(&report, DropCause::Tls);
        }
        let lines = shop.lines();
        assert_eq!(lines.len(), 1, "{what}: {lines:?}");
        assert!(lines[0].contains("ertificate"), "{what}: {lines:?}");
        assert!(server.received().is_empty(), "{what}");
    }
}

#[test]
fn a_client_shows_its_certificate() {
    let certificate = include_bytes!("../support/tls/localhost.pem");
    let key = include_bytes!("../support/tls/localhost.key.pem");
    let server = || CollectorServer::wrapped(|_| Act::status(202), strict_server_of(&LOCALHOST));
    let sender_to = |server: &CollectorServer| {
        let sender = encrypted_sender_to(server).root_certificates(ROOT);
        sender.expect("a certificate")
    };
    let strict = server();
    let sender = sender_to(&strict).client_certificate(certificate, key);
    let report = Shop::new(sender.expect("they belong together"))
        .finish(2)
        .flush();
    assert_eq!(report.sent, 2, "{report}");
    let strict = server();
    let report = Shop::new(sender_to(&strict)).finish(2).flush();
    assert_eq!(report.sent, 0, "without one: {report}");
    assert!(strict.received().is_empty());
}

#[test]
fn a_key_of_another_certificate_is_refused() {
    let server = CollectorServer::start(Act::status(202));
    let key = include_bytes!("../support/tls/localhost.key.pem");
    let error = encrypted_sender_to(&server).client_certificate(ROOT, key);
    let error = error.expect_err("the key of another one");
    assert!(error.to_string().contains("private key"), "{error}");
}

#[test]
fn a_server_without_encryption_fails_where_it_is_expected() {
    let server = CollectorServer::start(Act::Raw(b"HTTP/1.1 400 Bad Request\r\n\r\n".to_vec()));
    let sender = encrypted_sender_to(&server).timeout(Duration::from_secs(2));
    let report = Shop::new(sender).finish(2).flush();
    assert_eq!(report.sent, 0, "{report}");
    assert!(server.received().is_empty());
}

#[test]
fn an_answer_that_is_not_encrypted_is_told_from_a_bad_certificate() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("bound");
    let answering = thread::spawn(move || {
        // What most servers of HTTP answer to the beginning of a TLS connection.
        let (mut stream, _) = listener.accept()?;
        stream.read_exact(&mut [0; 5])?;
        stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n")?;
        io::copy(&mut stream, &mut io::sink()) // until the client has left
    });
    let sender = HttpSender::new(&format!("https://{address}/api/traces")).expect("a URL");
    let shop = Shop::new(sender);
    let report = shop.finish(2).flush();
    answering.join().expect("no panic").expect("a connection");
    assert_lost(&report, DropCause::Tls);
    let lines = shop.lines();
    assert!(lines[0].contains("does not encrypt"), "{lines:?}");
}

#[test]
fn a_text_without_a_certificate_is_refused() {
    let server = CollectorServer::start(Act::status(202));
    for pem in ["", "certificate", "-----BEGIN CERTIFICATE-----\nAAAA"] {
        let sender = encrypted_sender_to(&server);
        assert!(sender.root_certificates(pem).is_err(), "{pem}");
        let sender = encrypted_sender_to(&server);
        let error = sender.client_certificate(pem, pem).expect_err(pem);
        assert!(error.to_string().contains("certificates in PEM"), "{error}");
    }
    let sender = encrypted_sender_to(&server);
    let error = sender.client_certificate(ROOT, ROOT).expect_err("no key");
    assert!(error.to_string().contains("private key"), "{error}");
}
