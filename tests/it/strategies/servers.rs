//! Servers that do not answer a request as they should: nothing of it reaches a decision.

use std::thread;
use std::time::{Duration, Instant};

use tracehound::metrics::Counter;
use tracehound::sampler::remote::HttpStrategyFetcher;

use super::{BY_OPERATION, Fleet, until};
use crate::support::strategy_server::{Answer, StrategyServer, head, probabilistic};

const FAILED: Counter = Counter::SamplerQueriesErr;
const UNUSABLE: Counter = Counter::SamplerUpdatesErr;

/// Lets a tracer of its own withstand each answer, all at once, because some take the ten seconds of a request.
fn all_withstand(answers: Vec<(&str, Answer, Counter)>) {
    thread::scope(|scope| {
        for (what, answer, counter) in answers {
            scope.spawn(move || {
                let fleet = Fleet::following(BY_OPERATION);
                fleet.withstands(what, answer, counter);
                recovers(&fleet, what);
            });
        }
    });
}

/// Checks that the tracer follows the server when it answers well again.
fn recovers(fleet: &Fleet, what: &str) {
    fleet.server.answer(Answer::probabilistic(0.0));
    until(what, || fleet.count(Counter::SamplerUpdatesOk) == 2);
    assert!(fleet.decisions().iter().all(|is_kept| !is_kept), "{what}");
}

fn reply(status: u16) -> Answer {
    Answer::Reply(status, probabilistic(0.0).into_bytes())
}

/// Returns a whole reply in these words.
fn raw(text: &str) -> Answer {
    Answer::Raw(text.replace('\n', "\r\n").into_bytes())
}

#[test]
fn a_status_that_is_no_success_is_a_failed_query() {
    let statuses = [
        300, 304, 305, 400, 401, 403, 404, 407, 408, 413, 418, 421, 426, 429, 451, 499, 500, 501,
        502, 503, 504, 511, 599, 600, 999,
    ];
    let fleet = Fleet::following(BY_OPERATION);
    for status in statuses {
        fleet.withstands(&status.to_string(), reply(status), FAILED);
        let queries = fleet.count(Counter::SamplerQueriesOk);
        fleet.server.answer(Answer::ok(BY_OPERATION));
        until("a good reply", || {
            fleet.count(Counter::SamplerQueriesOk) > queries
        });
    }
    fleet.withstands("no content", raw("HTTP/1.1 204 No Content\n\n"), UNUSABLE);
    recovers(&fleet, "after all");
}

#[test]
fn a_server_that_asks_for_time_is_asked_again_all_the_same() {
    let later = [
        "-1",
        "0",
        "1",
        "nan",
        "1e300",
        "99999999999999999999",
        "Fri, 31 Dec 9999 23:59:59 GMT",
        "",
        "soon",
    ];
    let fleet = Fleet::following(BY_OPERATION);
    for status in [429, 503] {
        for after in later {
            let answer = raw(&format!(
                "HTTP/1.1 {status} Later\nRetry-After: {after}\nContent-Length: 0\n\n"
            ));
            fleet.withstands(after, answer, FAILED);
            let queries = fleet.count(Counter::SamplerQueriesOk);
            fleet.server.answer(Answer::ok(BY_OPERATION));
            until("a good reply", || {
                fleet.count(Counter::SamplerQueriesOk) > queries
            });
        }
    }
    recovers(&fleet, "after all");
}

#[test]
fn a_redirect_is_not_followed() {
    let target = StrategyServer::start(Answer::probabilistic(0.0));
    let fleet = Fleet::following_at(StrategyServer::start(Answer::ok(BY_OPERATION)), |url| {
        url.replace("http://", "http://me:secret@")
    });
    for status in [301, 302, 303, 307, 308] {
        let location = target.url();
        let answer = raw(&format!(
            "HTTP/1.1 {status} Elsewhere\nLocation: {location}\nContent-Length: 0\n\n"
        ));
        fleet.withstands("a redirect", answer, FAILED);
        let queries = fleet.count(Counter::SamplerQueriesOk);
        fleet.server.answer(Answer::ok(BY_OPERATION));
        until("a good reply", || {
            fleet.count(Counter::SamplerQueriesOk) > queries
        });
    }
    for line in fleet.lines.lock().unwrap().iter() {
        assert!(!line.contains("secret"), "{line}");
    }
    assert_eq!(target.targets(), Vec::<String>::new());
}

#[test]
fn a_reply_that_is_not_http_or_is_cut_is_a_failed_query() {
    let half = &probabilistic(0.0)[..20];
    let short = head(&["Content-Length: 1000"]);
    let with = |head: &[u8], body: &str| [head, body.as_bytes()].concat();
    let whole = probabilistic(0.0);
    all_withstand(vec![
        ("nothing", Answer::Raw(Vec::new()), FAILED),
        ("closed unread", Answer::HangUp, FAILED),
        ("not HTTP", raw("220 mail.example.com ESMTP\n"), FAILED),
        (
            "bytes",
            Answer::Raw((0..=255).cycle().take(100_000).collect()),
            FAILED,
        ),
        ("a cut head", raw("HTTP/1.1 200 OK\nContent-Le"), FAILED),
        (
            "HTTP/2 only",
            Answer::Raw(b"\0\0\x06\x04\0\0\0\0\0".repeat(10)),
            FAILED,
        ),
        ("a cut body", Answer::Raw(with(&short, &whole)), FAILED),
        (
            "two lengths",
            Answer::Raw(with(
                &head(&["Content-Length: 5", "Content-Length: 7"]),
                &whole,
            )),
            FAILED,
        ),
        (
            "no length",
            Answer::Raw(with(&head(&["Content-Length: -1"]), &whole)),
            FAILED,
        ),
        (
            "a cut chunk",
            Answer::Raw(with(&head(&["Transfer-Encoding: chunked"]), "ff\r\n{}")),
            FAILED,
        ),
        (
            "a bad chunk",
            Answer::Raw(with(&head(&["Transfer-Encoding: chunked"]), "zz\r\n{}\r\n")),
            FAILED,
        ),
        ("a reset at once", Answer::Reset(Vec::new()), FAILED),
        (
            "a reset in the head",
            Answer::Reset(b"HTTP/1.1 200 OK\r\nConte".to_vec()),
            FAILED,
        ),
        (
            "a reset in the body",
            Answer::Reset(with(&short, half)),
            FAILED,
        ),
        // It was not asked to compress, and what it says is not JSON.
        (
            "compressed",
            Answer::Raw(with(
                &head(&["Content-Encoding: gzip", "Content-Length: 4"]),
                "\u{1f}abc",
            )),
            UNUSABLE,
        ),
    ]);
}

#[test]
fn a_reply_that_is_slow_or_has_no_end_is_given_up_after_ten_seconds() {
    let whole = [
        &head(&["Content-Length: 82"])[..],
        probabilistic(0.0).as_bytes(),
    ]
    .concat();
    let chunked = head(&["Transfer-Encoding: chunked"]);
    let chunk = [&b"1000\r\n"[..], &[b' '; 0x1000], b"\r\n"].concat();
    let started = Instant::now();
    all_withstand(vec![
        ("silence", Answer::Hang(Vec::new()), FAILED),
        (
            "silence in the head",
            Answer::Hang(b"HTTP/1.1 200 OK\r\n".to_vec()),
            FAILED,
        ),
        (
            "silence in the body",
            Answer::Hang(whole[..whole.len() - 1].to_vec()),
            FAILED,
        ),
        (
            "a byte now and then",
            Answer::Drip(whole, Duration::from_millis(300)),
            FAILED,
        ),
        (
            "a head without end",
            Answer::Endless(b"HTTP/1.1 200 OK\r\n".to_vec(), b"A: b\r\n".repeat(500)),
            FAILED,
        ),
        (
            "a header without end",
            Answer::Endless(b"HTTP/1.1 200 OK\r\nA: ".to_vec(), vec![b'b'; 4_096]),
            FAILED,
        ),
        (
            "2 GiB",
            Answer::Endless(head(&["Content-Length: 2147483648"]), vec![b' '; 4_096]),
            FAILED,
        ),
        (
            "a body without end",
            Answer::Endless(head(&[]), vec![b' '; 4_096]),
            FAILED,
        ),
        (
            "chunks without end",
            Answer::Endless(chunked.clone(), chunk),
            FAILED,
        ),
        (
            "a chunk without end",
            Answer::Endless([&chunked[..], b"ffffffff\r\n"].concat(), vec![b' '; 4_096]),
            FAILED,
        ),
        (
            "tiny chunks without end",
            Answer::Endless(chunked, b"1\r\n \r\n".repeat(500)),
            FAILED,
        ),
    ]);
    assert!(started.elapsed() < Duration::from_secs(60));
}

#[test]
fn a_server_that_stops_and_comes_back_is_followed_again() {
    let fleet = Fleet::following(BY_OPERATION);
    let lines = fleet.lines.lock().unwrap().len();
    fleet.withstands("gone", Answer::HangUp, FAILED);
    // Many failures in a row.
    until("more failures", || fleet.count(FAILED) >= 3);
    recovers(&fleet, "back");
    // One line says that it is gone, and at most one that it is back, beside the one for the new strategy.
    let lines = fleet.lines.lock().unwrap()[lines..].to_vec();
    assert!((1..=3).contains(&lines.len()), "{lines:?}");
}

#[test]
fn a_slow_reply_counts_if_it_is_whole_in_time() {
    let body = probabilistic(1.0);
    let length = format!("Content-Length: {}", body.len());
    let whole = [&head(&[&length])[..], body.as_bytes()].concat();
    let server = StrategyServer::start(Answer::Drip(whole, Duration::from_millis(2)));
    let fetcher = HttpStrategyFetcher::new(&server.url()).expect("a URL");
    let fleet = Fleet::asking(server, fetcher);
    until("the strategy", || {
        fleet.count(Counter::SamplerUpdatesOk) == 1
    });
    assert!(fleet.decisions().iter().all(|is_kept| *is_kept));
}
