//! Lines to the user: one for each cause, with what is wrong and how to mend it.

use super::*;

fn line_after(act: Act) -> String {
    let server = CollectorServer::start(act);
    let shop = Shop::uploading_to(&server);
    shop.finish(1).flush();
    let mut lines = shop.lines();
    assert_eq!(lines.len(), 1, "{lines:?}");
    let line = lines.remove(0);
    assert!(line.contains(&server.url("/api/traces")), "{line}");
    line
}

#[test]
fn a_line_names_the_status_the_reason_and_the_cure() {
    for (act, parts) in [
        (
            Act::text(404, "404 page not found\n"),
            &["it answered 404", "page not found", "/api/traces"][..],
        ),
        (Act::status(405), &["it answered 405", "/api/traces"]),
        (Act::status(401), &["it answered 401", "JAEGER_PASSWORD"]),
        (Act::status(403), &["it answered 403", "JAEGER_AUTH_TOKEN"]),
        (
            Act::text(400, "Unsupported content type"),
            &["400 (Unsupported content type)"],
        ),
        (Act::status(307), &["it answered 307", "not followed"]),
        (Act::status(413), &["413", "no more than"]),
        (Act::status(503), &["503", "no room"]),
        (Act::retry_after("100"), &["503"]),
        (
            Act::Raw(b"\0\0\x18\x04\0\0\0\0\0".to_vec()),
            &["does not speak HTTP/1.1"],
        ),
    ] {
        let what = format!("{act:?}");
        let line = line_after(act);
        for part in parts {
            assert!(line.contains(part), "{what}: {line}");
        }
        assert!(!line.contains('\n'), "{line}");
    }
}

#[test]
fn a_line_shows_what_is_not_seen_in_an_answer() {
    let line = line_after(Act::text(400, "a\u{202e}b\u{200b}c\u{1b}[31md\te"));
    assert!(
        line.contains(r"400 (a\u{202e}b\u{200b}c\u{1b}[31md e)"),
        "{line}"
    );
}

#[test]
fn a_line_holds_little_of_a_long_answer() {
    let line = line_after(Act::text(400, &"x".repeat(10_000)));
    let count = line.chars().filter(|c| *c == 'x').count();
    assert!((190..=210).contains(&count), "{line}");
}

#[test]
fn a_collector_that_comes_back_is_noted_once() {
    let server = CollectorServer::by(|n| Act::status(if n == 0 { 400 } else { 202 }));
    let shop = Shop::uploading_to(&server);
    for _ in 0..6 {
        shop.finish(1).flush();
    }
    let lines = shop.lines();
    let again = lines.iter().filter(|line| line.contains("again")).count();
    assert_eq!((lines.len(), again), (2, 1), "{lines:?}");
}

#[test]
fn losses_of_one_cause_have_one_line() {
    let server = CollectorServer::start(Act::status(400));
    let shop = Shop::uploading_to(&server);
    for _ in 0..6 {
        shop.finish(1).flush();
    }
    assert_eq!(shop.lines().len(), 1, "{:?}", shop.lines());
}

#[test]
fn a_collector_that_is_away_has_a_line_with_the_ways_out() {
    let server = CollectorServer::start(Act::status(202));
    let sender = sender_to(&server);
    let address = server.address();
    drop(server);
    until("the port to be free", || {
        std::net::TcpListener::bind(address).is_ok()
    });
    let shop = Shop::new(sender);
    assert_lost(&shop.finish(1).flush(), DropCause::Refused);
    let lines = shop.lines();
    assert_eq!(lines.len(), 1, "{lines:?}");
    for part in ["connection refused", "14268", "4318"] {
        assert!(lines[0].contains(part), "{lines:?}");
    }
}
