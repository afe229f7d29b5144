//! Passwords and tokens: who gets them, and where they never show.

use tracehound::reporter::sender::{InvalidEndpoint, InvalidHeader};

use super::*;

/// `me:secret` in base64.
const BASIC: &str = "Basic bWU6c2VjcmV0";

fn header_sent(sender: impl FnOnce(&CollectorServer) -> HttpSender, name: &str) -> Option<String> {
    let server = CollectorServer::start(Act::status(202));
    let shop = Shop::new(sender(&server));
    assert_eq!(shop.finish(1).flush().sent, 1);
    let requests = server.received();
    requests[0].header(name).map(str::to_owned)
}

#[test]
fn credentials_go_with_each_request() {
    let authorization = |sender: &dyn Fn(HttpSender) -> HttpSender| {
        header_sent(|server| sender(sender_to(server)), "authorization")
    };
    let plain = authorization(&|sender| sender);
    assert_eq!(plain, None);
    let basic = authorization(&|sender| sender.basic_auth("me", "secret").expect("loopback"));
    assert_eq!(basic.as_deref(), Some(BASIC));
    let token = authorization(&|sender| sender.bearer_token("t0ken").expect("loopback"));
    assert_eq!(token.as_deref(), Some("Bearer t0ken"));
    let latest = authorization(&|sender| {
        let sender = sender.basic_auth("me", "secret").expect("loopback");
        sender.bearer_token("t0ken").expect("loopback")
    });
    assert_eq!(latest.as_deref(), Some("Bearer t0ken"));
}

#[test]
fn credentials_of_the_endpoint_become_a_header() {
    let sender = |server: &CollectorServer| {
        let url = server.url("").replace("http://", "http://me:secret@");
        HttpSender::new(&url).expect("loopback")
    };
    let authorization = header_sent(sender, "authorization");
    assert_eq!(authorization.as_deref(), Some(BASIC));
    let host = header_sent(sender, "host").expect("a host");
    assert!(host.starts_with("127.0.0.1:"), "{host}");
}

#[test]
fn a_header_goes_with_each_request() {
    let sender = |server: &CollectorServer| {
        let sender = sender_to(server).header("X-Scope-OrgID", "shop");
        sender.expect("a header")
    };
    let tenant = header_sent(sender, "x-scope-orgid");
    assert_eq!(tenant.as_deref(), Some("shop"));
}

#[test]
fn a_header_that_the_request_has_by_itself_goes_once() {
    for (set, expected) in [(None, "application/x-thrift"), (Some("*/*"), "*/*")] {
        let server = CollectorServer::start(Act::status(202));
        let mut sender = sender_to(&server);
        if let Some(value) = set {
            sender = sender.header("Accept", value).expect("a header");
        }
        assert_eq!(Shop::new(sender).finish(1).flush().sent, 1);
        let request = &server.received()[0];
        let is_accept = |name: &str| name.eq_ignore_ascii_case("accept");
        let sent = request.headers.iter().filter(|(name, _)| is_accept(name));
        let values: Vec<_> = sent.map(|(_, value)| value.as_str()).collect();
        assert_eq!(values, [expected]);
    }
}

#[test]
fn secrets_are_not_sent_in_the_clear_to_another_host() {
    let url = "http://me:secret@collector:14268";
    let error = HttpSender::new(url).err();
    assert_eq!(error, Some(InvalidEndpoint::ExposedCredentials));
    let sender = || HttpSender::new("http://collector:14268").expect("a URL");
    for refused in [
        sender().basic_auth("me", "secret"),
        sender().bearer_token("t0ken"),
        sender().header("X-Api-Key", "secret"),
        sender().header("cookie", "secret"),
    ] {
        let error = refused.expect_err("refused");
        assert_eq!(error, InvalidHeader::ExposedCredentials);
        assert!(error.to_string().contains("https"));
    }
    assert!(sender().header("x-scope-orgid", "shop").is_ok());
    let opted_in = sender().cleartext_credentials(true);
    assert!(opted_in.basic_auth("me", "secret").is_ok());
}

#[test]
fn secrets_are_not_sent_in_the_clear_to_a_proxy_of_another_host() {
    let sender = || HttpSender::new("http://localhost:14268").expect("a URL");
    let proxy = "http://proxy:3128";
    let before = sender().bearer_token("t0ken").expect("loopback");
    let error = before.proxy(proxy).err();
    assert_eq!(error, Some(InvalidEndpoint::ExposedCredentials));
    let of_endpoint = HttpSender::new("http://me:secret@localhost:14268").expect("loopback");
    let error = of_endpoint.proxy(proxy).err();
    assert_eq!(error, Some(InvalidEndpoint::ExposedCredentials));
    let after = sender().proxy(proxy).expect("nothing to show");
    let error = after.bearer_token("t0ken").err();
    assert_eq!(error, Some(InvalidHeader::ExposedCredentials));
    let near = sender().proxy("http://127.0.0.1:3128").expect("a proxy");
    let near = near.bearer_token("t0ken").expect("all on this host");
    assert!(near.proxy("http://[::1]:3128").is_ok());
    let opted_in = sender().cleartext_credentials(true).proxy(proxy);
    assert!(opted_in.expect("a proxy").bearer_token("t0ken").is_ok());
}

#[test]
fn no_secret_is_shown() {
    let server = CollectorServer::start(Act::text(
        401,
        "unknown user at http://me:hunter2@gateway/?token=hunter2",
    ));
    let url = server.url("/api/traces?key=hunter2");
    let url = url.replace("http://", "http://me:hunter2@");
    let sender = HttpSender::new(&url).expect("loopback");
    let sender = sender.header("x-auth-token", "hunter2").expect("loopback");
    let sender = sender.bearer_token("hunter2").expect("loopback");
    assert!(!format!("{sender:?}").contains("hunter2"), "{sender:?}");
    assert!(!sender.destination().contains("hunter2"));
    let shop = Shop::new(sender);
    assert_lost(&shop.finish(1).flush(), DropCause::Rejected);
    let lines = shop.lines();
    assert_eq!(lines.len(), 1, "{lines:?}");
    assert!(lines[0].contains("it answered 401"), "{lines:?}");
    assert!(lines[0].contains("unknown user"), "{lines:?}");
    assert!(!lines[0].contains("hunter2"), "{lines:?}");
}

#[test]
fn a_secret_that_the_collector_repeats_is_not_shown() {
    let long = "x".repeat(190); // the secret stands where the text is cut
    for (answer, shown) in [
        (
            "no such token: hunter2hunter2",
            "no such token: …".to_owned(),
        ),
        (
            "got Authorization: Bearer hunter2hunter2",
            "got Authorization: …".to_owned(),
        ),
        ("hunter2hunter2, hunter2hunter2!", "…, …!".to_owned()),
        (&format!("{long} hunter2hunter2"), format!("{long} …")),
    ] {
        let server = CollectorServer::start(Act::text(401, answer));
        let sender = sender_to(&server).bearer_token("hunter2hunter2");
        let shop = Shop::new(sender.expect("loopback"));
        assert_lost(&shop.finish(1).flush(), DropCause::Rejected);
        let lines = shop.lines();
        assert!(lines[0].contains(&format!("({shown})")), "{lines:?}");
    }
    for (answer, is_by_hand) in [
        ("no user me with hunter2", false),
        ("no login me:hunter2", false),
        ("no login me:hunter2", true),
        ("no bWU6aHVudGVyMg==", false),
    ] {
        let server = CollectorServer::start(Act::text(403, answer));
        let sender = match is_by_hand {
            false => sender_to(&server).basic_auth("me", "hunter2"),
            true => sender_to(&server).header("authorization", "basic bWU6aHVudGVyMg"),
        };
        let shop = Shop::new(sender.expect("loopback"));
        assert_lost(&shop.finish(1).flush(), DropCause::Rejected);
        let line = &shop.lines()[0];
        assert!(line.contains("it answered 403 (no "), "{line}");
        assert!(
            !line.contains("hunter2") && !line.contains("bWU6"),
            "{line}"
        );
    }
}

#[test]
fn a_token_with_a_line_break_is_refused() {
    let server = CollectorServer::start(Act::status(202));
    let refused = sender_to(&server).bearer_token("t\r\nx: y");
    assert_eq!(refused.err(), Some(InvalidHeader::Value));
}
