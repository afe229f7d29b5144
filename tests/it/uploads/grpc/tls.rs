//! Encrypted calls: to a server whose certificate is good, and to none else.

use std::net::Ipv4Addr;

use tonic::transport::{Certificate, Identity, Server, ServerTlsConfig};

use super::*;
use crate::support::tls::ROOT;

const CERTIFICATE: &[u8] = include_bytes!("../../support/tls/localhost.pem");
const KEY: &[u8] = include_bytes!("../../support/tls/localhost.key.pem");

/// Starts a collector with the certificate of `localhost`.
fn encrypted(more: impl Fn(ServerTlsConfig) -> ServerTlsConfig) -> GrpcCollector {
    let tls = ServerTlsConfig::new().identity(Identity::from_pem(CERTIFICATE, KEY));
    let server = Server::builder().tls_config(more(tls)).expect("they fit");
    GrpcCollector::start_on(server, (Ipv4Addr::LOCALHOST, 0).into(), |_| Act::Accept)
}

fn encrypted_sender_to(collector: &GrpcCollector) -> OtlpGrpcSender {
    let url = format!("https://localhost:{}", collector.address.port());
    OtlpGrpcSender::new(&url).expect("an endpoint")
}

#[test]
fn batches_arrive_over_an_encrypted_connection() {
    let collector = encrypted(|tls| tls);
    let sender = encrypted_sender_to(&collector).root_certificates(ROOT);
    let sender = sender.expect("a certificate").bearer_token("t0ken");
    let shop = Shop::new(sender.expect("encrypted"));
    assert_eq!(shop.finish(3).flush().sent, 3);
    assert!(collector.calls()[0].headers.contains_key("authorization"));
}

#[test]
fn a_certificate_that_is_not_trusted_ends_the_connection_before_the_call() {
    let collector = encrypted(|tls| tls);
    let shop = Shop::new(encrypted_sender_to(&collector));
    assert_lost(&shop.finish(3).flush(), DropCause::Tls);
    let lines = shop.lines();
    assert!(lines[0].contains("root_certificates"), "{lines:?}");
    assert!(collector.calls().is_empty());
}

#[test]
fn a_server_without_encryption_fails_where_it_is_expected() {
    let collector = GrpcCollector::start(Act::Accept);
    let sender = encrypted_sender_to(&collector).timeout(Duration::from_secs(2));
    let report = Shop::new(sender).finish(2).flush();
    assert_eq!((report.sent, report.dropped.total()), (0, 2), "{report}");
    assert!(collector.calls().is_empty());
}

#[test]
fn a_server_that_wants_a_certificate_gets_one() {
    let collector = encrypted(|tls| tls.client_ca_root(Certificate::from_pem(ROOT)));
    let sender = || encrypted_sender_to(&collector).root_certificates(ROOT);
    let with = sender()
        .expect("a certificate")
        .client_certificate(CERTIFICATE, KEY);
    let shop = Shop::new(with.expect("they fit"));
    assert_eq!(shop.finish(3).flush().sent, 3);

    let without = sender().expect("a certificate");
    let report = Shop::new(without.timeout(Duration::from_secs(2)))
        .finish(3)
        .flush();
    assert_eq!((report.sent, report.dropped.total()), (0, 3), "{report}");
    assert_eq!(collector.spans(), 3);
}
