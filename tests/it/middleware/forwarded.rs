//! Tests of what a server believes of the headers of proxies, over loopback.

use std::net::SocketAddr;

use axum::Router;
use axum::routing::any;
use bytes::Bytes;
use http::header::HeaderName;
use http_body_util::Empty;
use tower::{ServiceExt, service_fn};
use tracehound::clock::ManualClock;
use tracehound::middleware::{ServerLayer, TrustedProxies};
use tracehound::reporter::OwnedSpan;

use crate::support::web::{call_with, get, listener, one_span, reply, run};
use crate::support::{fixed_tracer, recording_tracer};

const REQUEST_START: HeaderName = HeaderName::from_static("x-request-start");

type Headers<'a> = &'a [(&'a str, &'a str)];

/// Sends a request to an axum server whose caller has the address 127.0.0.1, and returns the server's span.
async fn span_of(proxies: TrustedProxies, headers: Headers<'_>) -> OwnedSpan {
    let (tracer, reporter) = recording_tracer();
    let layer = ServerLayer::new(tracer).trusted_proxies(proxies);
    let app = Router::new().route("/cart", any(|| async {})).layer(layer);
    let app = app.into_make_service_with_connect_info::<SocketAddr>();
    let (listener, address) = listener().await;
    tokio::spawn(async move { axum::serve(listener, app).await });
    let mut request = get(format!("http://{address}/cart?id=7"));
    for (name, value) in headers {
        let name: HeaderName = name.parse().expect("a name");
        let value = value.replace("{address}", &address.to_string());
        request
            .headers_mut()
            .append(name, value.parse().expect("a value"));
    }
    assert_eq!(call_with(request).await.0, 200);
    one_span(&reporter).await
}

fn loopback() -> TrustedProxies {
    TrustedProxies::networks(["127.0.0.0/8", "10.0.0.0/8"]).expect("networks")
}

/// Returns the URL without the address of the server, and the client.
fn seen(span: &OwnedSpan) -> (String, String) {
    let url = span.tag_text("http.url");
    let url = match url.strip_prefix("http://127.0.0.1:") {
        Some(rest) => rest[rest.find('/').expect("a path")..].to_owned(),
        None => url.into_owned(),
    };
    (url, span.tag_text("http.client_ip").into_owned())
}

const ALL: Headers<'static> = &[
    ("x-forwarded-for", "6.6.6.6, 203.0.113.7, 10.0.0.2"),
    ("x-forwarded-proto", "https"),
    ("x-forwarded-host", "shop.example:8443"),
    ("forwarded", "for=9.9.9.9;proto=http;host=evil.example"),
];

#[test]
pub(in crate::middleware) fn a_trusted_proxy_tells_the_client_and_the_url() {
    run(async {
        let ours = "https://shop.example:8443/cart?id=";
        let other = |it| TrustedProxies::networks([it]).expect("networks");
        let rows = [
            (loopback(), ours, "203.0.113.7"),
            (other("127.0.0.1"), ours, "10.0.0.2"),
            (other("127.0.0.2"), "/cart?id=", ""),
            (other("::/0"), "/cart?id=", ""),
            (other("0.0.0.0/0"), ours, "6.6.6.6"),
            (TrustedProxies::hops(0), "/cart?id=", ""),
            (TrustedProxies::hops(1), ours, "10.0.0.2"),
            (TrustedProxies::hops(2), ours, "203.0.113.7"),
            (TrustedProxies::hops(9), ours, "6.6.6.6"),
            (
                loopback().standard_header(true),
                "http://evil.example/cart?id=",
                "9.9.9.9",
            ),
        ];
        for (proxies, url, client) in rows {
            let text = format!("{proxies:?}");
            let span = span_of(proxies, ALL).await;
            assert_eq!(seen(&span), (url.to_owned(), client.to_owned()), "{text}");
            assert_eq!(span.tag_text("peer.ipv4"), "127.0.0.1", "{text}");
        }
    });
}

#[test]
fn a_part_that_the_proxy_does_not_tell_is_that_of_the_request() {
    run(async {
        let rows: [(Headers<'_>, &str, &str); 5] = [
            (&[], "/cart?id=", ""),
            (
                &[("x-forwarded-for", "203.0.113.7")],
                "/cart?id=",
                "203.0.113.7",
            ),
            (
                &[("x-forwarded-host", "shop.example")],
                "http://shop.example/cart?id=",
                "",
            ),
            (&[("x-forwarded-proto", "javascript")], "/cart?id=", ""),
            (
                &[
                    ("x-forwarded-proto", "https"),
                    ("x-forwarded-host", "user:canary@shop/?canary"),
                    ("x-forwarded-for", "canary, unknown"),
                ],
                "https://{address}/cart?id=",
                "",
            ),
        ];
        for (headers, url, client) in rows {
            let span = span_of(loopback(), headers).await;
            let (found, found_client) = seen(&span);
            let host = found.strip_prefix("https://127.0.0.1:");
            let expected = match host.and_then(|it| it.split_once('/')) {
                Some((port, _)) => url.replace("{address}", &format!("127.0.0.1:{port}")),
                None => url.to_owned(),
            };
            assert_eq!((found, found_client), (expected, client.to_owned()));
            assert!(!format!("{span:?}").contains("canary"), "{span:?}");
        }
    });
}

#[test]
fn a_url_of_the_users_own_is_not_replaced() {
    run(async {
        let (tracer, reporter) = recording_tracer();
        let server = ServerLayer::new(tracer)
            .trusted_proxies(TrustedProxies::hops(1))
            .url(|_| Some("mine".to_owned()))
            .wrap(service_fn(|_: http::Request<()>| async {
                reply(200, Empty::<Bytes>::new())
            }));
        let request = http::Request::get("/").header("x-forwarded-proto", "https");
        let answer = server.oneshot(request.body(()).expect("a request")).await;
        drop(answer.expect("infallible"));
        assert_eq!(one_span(&reporter).await.tag_text("http.url"), "mine");
    });
}

/// Returns the queue time of a request that a proxy has taken at a time, while the clock stands at 1 500 000 000 s.
async fn queue_time(proxies: TrustedProxies, headers: Headers<'_>) -> String {
    let (tracer, reporter, clock): (_, _, ManualClock) = fixed_tracer();
    let server = ServerLayer::new(tracer)
        .trusted_proxies(proxies)
        .wrap(service_fn(move |_: http::Request<()>| {
            clock.advance(std::time::Duration::from_secs(9));
            async { reply(200, Empty::<Bytes>::new()) }
        }));
    let mut request = http::Request::get("/");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let request = request.extension(SocketAddr::from(([10, 0, 0, 1], 80)));
    let answer = server.oneshot(request.body(()).expect("a request")).await;
    drop(answer.expect("infallible"));
    one_span(&reporter)
        .await
        .tag_text("http.queue_ms")
        .into_owned()
}

#[test]
pub(in crate::middleware) fn a_trusted_proxy_tells_how_long_a_request_has_waited() {
    run(async {
        let proxies = || loopback().queue_time(REQUEST_START);
        let stranger = TrustedProxies::networks(["10.0.0.2"]).expect("networks");
        let start = "x-request-start";
        let rows: [(TrustedProxies, Headers<'_>, &str); 9] = [
            (proxies(), &[(start, "t=1499999999.750")], "250"),
            (proxies(), &[(start, "1499999998000")], "2000"),
            (proxies(), &[(start, "1"), (start, "1499999999999000")], "1"),
            (proxies(), &[(start, "t=1500000001.0")], "0"),
            (proxies(), &[(start, "t=1400000000")], ""),
            (proxies(), &[(start, "t=canary")], ""),
            (proxies(), &[("x-queue-start", "t=1499999999")], ""),
            (loopback(), &[(start, "t=1499999999")], ""),
            (
                stranger.queue_time(REQUEST_START),
                &[(start, "t=1499999999")],
                "",
            ),
        ];
        for (proxies, headers, expected) in rows {
            let text = format!("{proxies:?} {headers:?}");
            assert_eq!(queue_time(proxies, headers).await, expected, "{text}");
        }
    });
}
