//! Strategies over encrypted connections: from a server whose certificate is good, and from none else.

use tracehound::metrics::Counter;
use tracehound::sampler::remote::HttpStrategyFetcher;

use super::{Fleet, until};
use crate::support::strategy_server::{Answer, StrategyServer};
use crate::support::tls::{EXPIRED, Identity, LOCALHOST, OTHER_HOST, ROOT, server_of};

/// Starts a server with this certificate.
fn encrypted(identity: &Identity, answer: Answer) -> StrategyServer {
    StrategyServer::start_with(answer, server_of(identity))
}

fn url(server: &StrategyServer) -> String {
    server.url().replace("http://", "https://")
}

fn fetcher(server: &StrategyServer) -> HttpStrategyFetcher {
    HttpStrategyFetcher::new(&url(server)).expect("a URL")
}

#[test]
fn strategies_come_over_an_encrypted_connection() {
    let server = encrypted(&LOCALHOST, Answer::probabilistic(1.0));
    let fetcher = fetcher(&server)
        .root_certificates(ROOT)
        .expect("a certificate");
    let fleet = Fleet::asking(server, fetcher);
    until("the strategy", || {
        fleet.count(Counter::SamplerUpdatesOk) == 1
    });
    assert!(fleet.decisions().iter().all(|is_kept| *is_kept));
    assert_eq!(fleet.server.targets()[0], "/sampling?service=test");
}

#[test]
fn a_certificate_that_is_not_to_be_trusted_ends_the_connection_before_the_request() {
    let trusted = |server: &StrategyServer| {
        let fetcher = fetcher(server).root_certificates(ROOT);
        fetcher.expect("a certificate")
    };
    let untrusted = |server: &StrategyServer| fetcher(server);
    type Fetch<'f> = &'f dyn Fn(&StrategyServer) -> HttpStrategyFetcher;
    let rows: [(&Identity, Fetch<'_>, &str); 3] = [
        (
            &LOCALHOST,
            &untrusted,
            "no authority that is known vouches for it",
        ),
        (&EXPIRED, &trusted, "expired in 2021"),
        (&OTHER_HOST, &trusted, "of another host"),
    ];
    for (identity, fetcher, what) in rows {
        let server = encrypted(identity, Answer::probabilistic(1.0));
        let fetcher = fetcher(&server);
        let fleet = Fleet::asking(server, fetcher);
        until(what, || fleet.count(Counter::SamplerQueriesErr) >= 2);
        assert!(fleet.decisions().iter().all(|is_kept| !is_kept), "{what}");
        let lines = fleet.lines.lock().unwrap();
        assert_eq!(lines.len(), 1, "{what}: {lines:?}");
        assert!(lines[0].contains("ertificate"), "{what}: {lines:?}");
        let is_empty = |target: &String| target.is_empty();
        assert!(fleet.server.targets().iter().all(is_empty), "{what}");
    }
}

#[test]
fn a_server_without_encryption_fails_where_it_is_expected() {
    let server = StrategyServer::start(Answer::probabilistic(1.0));
    let fetcher = fetcher(&server);
    let fleet = Fleet::asking(server, fetcher);
    until("a failure", || fleet.count(Counter::SamplerQueriesErr) >= 1);
    assert!(fleet.decisions().iter().all(|is_kept| !is_kept));
}

#[test]
fn a_text_without_a_certificate_is_refused() {
    let server = StrategyServer::start(Answer::HangUp);
    for pem in [
        "",
        "certificate",
        "-----BEGIN CERTIFICATE-----\nAAAA",
        "-----BEGIN CERTIFICATE-----\n????\n-----END CERTIFICATE-----\n",
    ] {
        assert!(fetcher(&server).root_certificates(pem).is_err(), "{pem}");
    }
}
