//! The views of the viewer other than the trace: search, live, comparison, service graph, open spans.

use std::io::{Read, Write};
use std::net::TcpStream;

use serde_json::{Value, json};
use tracehound::dev::DevServer;
use tracehound::prelude::*;

use super::page::{HOSTILE, assert_sealed, browse, element, policy_of};
use super::{PATIENCE, get, start};

/// Makes a trace through three services, and returns its id.
fn order(server: &DevServer, items: i64, fails: bool) -> String {
    let [shop, cart, pay] = ["shop", "cart", "pay"].map(|name| server.tracer(name).unwrap());
    let checkout = shop.build_span("checkout").tag("items", items).start();
    cart.build_span("read").child_of(&checkout).start().finish();
    let charge = pay.build_span("charge").child_of(&checkout).start();
    if fails {
        charge.set_tag("error", true);
    }
    charge.finish();
    let id = checkout.context().trace_id().unwrap().to_string();
    checkout.finish();
    for tracer in [shop, cart, pay] {
        tracer.flush(PATIENCE);
    }
    id
}

fn cards(page: &str) -> usize {
    page.matches("class=\"share\"").count()
}

#[test]
fn the_search_finds_traces_by_what_they_have() {
    let server = start();
    let (paid, failed) = (order(&server, 1, false), order(&server, 2, true));
    for (query, found) in [
        ("", &[&paid, &failed][..]),
        ("service=shop", &[&paid, &failed]),
        ("service=mail", &[]),
        ("service=shop&operation=charge", &[]),
        ("service=pay&operation=charge", &[&paid, &failed]),
        ("tags=items%3D2", &[&failed]),
        ("tags=%7B%22items%22%3A%221%22%7D", &[&paid]),
        ("errors=on", &[&failed]),
        ("minDuration=1h", &[]),
        ("maxDuration=1h", &[&paid, &failed]),
    ] {
        let page = browse(&server, &format!("/?{query}"));
        assert_eq!(
            (page.status, cards(page.text())),
            (200, found.len()),
            "{query}"
        );
        let json = get(server.query_address(), &format!("/api/traces?{query}")).json();
        let traces = json["data"].as_array().unwrap();
        assert_eq!(traces.len(), found.len(), "{query}");
        for id in found {
            assert!(
                page.text().contains(&format!("href=\"/trace/{id}\"")),
                "{query}"
            );
            assert!(
                traces.iter().any(|trace| trace["traceID"] == **id),
                "{query}"
            );
        }
    }
    let one = browse(&server, "/?limit=1&order=longest");
    assert_eq!(cards(one.text()), 1);
}

#[test]
fn a_search_that_cannot_be_read_says_why() {
    let server = start();
    order(&server, 1, false);
    let page = browse(&server, "/?minDuration=%3Cb%3E");
    assert_eq!((page.status, cards(page.text())), (200, 0));
    assert!(
        page.text()
            .contains("role=\"alert\">minDuration: a duration is like")
    );
    assert!(!page.text().contains("<b>"), "{}", page.text());
    let answer = get(server.query_address(), "/api/traces?limit=many");
    let message = json!("unable to parse param 'limit': parsing \"many\": invalid syntax");
    assert_eq!(
        (answer.status, &answer.json()["errors"][0]["msg"]),
        (400, &message)
    );
}

#[test]
fn names_and_calls_are_answered_in_the_json_of_jaeger() {
    let server = start();
    order(&server, 1, false);
    let data = |path| get(server.query_address(), path).json()["data"].take();
    assert_eq!(data("/api/services/pay/operations"), json!(["charge"]));
    assert_eq!(data("/api/services/mail/operations"), json!([]));
    let calls = |child| json!({"parent": "shop", "child": child, "callCount": 1});
    assert_eq!(
        data("/api/dependencies"),
        json!([calls("cart"), calls("pay")])
    );
}

#[test]
fn the_graph_shows_rates_errors_and_durations() {
    let server = start();
    order(&server, 1, false);
    order(&server, 1, true);
    let page = browse(&server, "/graph");
    let text = page.text();
    assert!(text.contains("1 (50.0 %)"), "{text}");
    for service in ["shop", "cart", "pay"] {
        assert!(
            text.contains(&format!(
                "<a href=\"/?service={service}\"><bdi>{service}</bdi>"
            )),
            "{text}"
        );
    }
    assert_eq!(text.matches("class=\"arrow").count(), 2, "{text}");
    assert!(
        browse(&start(), "/graph")
            .text()
            .contains("No trace has come yet")
    );
}

#[test]
fn two_traces_are_compared() {
    let server = start();
    let (a, b) = (order(&server, 1, false), order(&server, 2, true));
    let page = browse(&server, &format!("/compare?a={a}&b={b}"));
    let text = page.text();
    assert_eq!(text.matches("<tr class=\"is-same\">").count(), 3, "{text}");
    assert!(
        text.contains("1 <span class=\"error\">(1 !)</span>"),
        "{text}"
    );
    assert!(
        text.contains(&format!("href=\"/compare?a={b}&amp;b={a}\"")),
        "{text}"
    );
    let missing = browse(&server, &format!("/compare?a={a}&b=abc"));
    assert!(
        missing
            .text()
            .contains("there is no trace <bdi class=\"mono\">abc</bdi>")
    );
    assert_eq!(browse(&server, "/compare").status, 200);
}

#[test]
fn open_spans_are_listed_with_their_places() {
    let server = start();
    assert!(
        browse(&server, "/open-spans")
            .text()
            .contains("No span is open")
    );
    let shop = server.tracer("shop").unwrap();
    let waits = shop.start_span("waits");
    let page = browse(&server, "/open-spans");
    assert!(page.text().contains("<bdi>waits</bdi>"), "{}", page.text());
    assert!(page.text().contains("views.rs:"), "{}", page.text());
    drop(waits);
}

#[test]
fn no_name_of_a_client_can_add_to_a_view() {
    let server = start();
    let mut ids = Vec::new();
    let mut open = Vec::new();
    for text in HOSTILE {
        let tracer = server.tracer(format!("x{text}")).unwrap();
        let root = tracer.start_span(text);
        ids.push(root.context().trace_id().unwrap().to_string());
        let below = server.tracer(format!("y{text}")).unwrap();
        below
            .build_span(text)
            .child_of(&root)
            .tag(text, text)
            .start()
            .finish();
        root.finish();
        let waits = tracer.start_span(text);
        tracer.flush(PATIENCE);
        below.flush(PATIENCE);
        open.push((waits, tracer));
    }
    let evil = "%22%3E%3Cscript%3Ealert(1)%3C/script%3E%27";
    let compared = format!("/compare?a={}&b={}", ids[0], ids[1]);
    for path in [
        "/",
        "/live",
        "/graph",
        "/open-spans",
        "/compare",
        &compared,
        &format!("/?service={evil}&operation={evil}&tags={evil}&minDuration={evil}&limit={evil}"),
        &format!("/?service=x&tags=a%3D{evil}"),
        &format!("/live?service={evil}&tags={evil}"),
        &format!("/compare?a={evil}&b={evil}"),
    ] {
        let page = browse(&server, path);
        assert_eq!(page.status, 200, "{path}");
        assert_sealed(page.text(), &policy_of(&page));
        // One for the script of the page, and none more.
        assert_eq!(
            page.text().to_ascii_lowercase().matches("<script").count(),
            1,
            "{path}"
        );
        assert_eq!(page.text().matches("<img").count(), 0, "{path}");
        let (head, _) = page.text().split_once("</head>").unwrap();
        let title = element(head, "<title>", "</title>");
        assert!(title.ends_with(" – tracehound"), "{title}");
    }
}

/// Reads the events of a live view, until one has come that the function wants.
fn read_events(stream: &mut TcpStream, mut wants: impl FnMut(&Value) -> bool) {
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut text = String::new();
    let mut buffer = [0; 4_096];
    loop {
        let read = stream.read(&mut buffer).expect("an event in time");
        assert_ne!(read, 0, "the stream has ended: {text}");
        text.push_str(std::str::from_utf8(&buffer[..read]).expect("text in whole pieces"));
        let events = text.lines().filter_map(|line| line.strip_prefix("data: "));
        let mut events = events.filter_map(|data| serde_json::from_str(data).ok());
        if events.any(|event: Value| wants(&event)) {
            return;
        }
    }
}

#[test]
fn traces_are_told_of_as_they_come_if_they_fit() {
    let server = start();
    order(&server, 7, false);
    let query = server.query_address();
    let mut stream = TcpStream::connect(query).unwrap();
    write!(
        stream,
        "GET /api/live?service=pay&errors=on HTTP/1.1\r\nHost: {query}\r\n\r\n"
    )
    .unwrap();
    let mut head = [0; 12];
    stream.read_exact(&mut head).unwrap();
    assert_eq!(&head, b"HTTP/1.1 200");
    let failed = order(&server, 1, true);
    read_events(&mut stream, |event| {
        let traces = event.as_array().unwrap();
        // One trace may come in several pieces.
        assert!(
            traces.iter().all(|trace| trace["traceID"] == *failed),
            "{event}"
        );
        traces
            .iter()
            .any(|trace| trace["spans"] == 3 && trace["errors"] == 1)
    });
    let refused = get(query, "/api/live?tags=x");
    assert_eq!(refused.status, 400);
}
