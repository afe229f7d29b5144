//! Tests of what reqwest takes along when it is redirected, between servers on two loopback addresses.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::http::{HeaderMap, Method, Uri};
use axum::response::{IntoResponse, Response};
use axum::routing::any;
use http::StatusCode;
use reqwest::Body;
use reqwest::redirect::Policy;
use reqwest_middleware::{ClientBuilder, ClientWithMiddleware};
use tracehound::middleware::{Destinations, TracingMiddleware};
use tracehound::{JaegerTracer, NoopTracer};

use crate::support::recording_tracer;
use crate::support::web::{log_field, one_span, reqwest_builder, reqwest_client, run, serve_at};

/// The address that the list names, and one that it does not name.
const INSIDE: Ipv4Addr = Ipv4Addr::LOCALHOST;
const OUTSIDE: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 2);

/// A request that has arrived.
#[derive(Clone, Debug)]
struct Arrived {
    method: Method,
    path: String,
    headers: HeaderMap,
    body: Bytes,
}

impl Arrived {
    /// Returns which of the trace headers the request has: those of the span, or those of an earlier caller.
    fn trace(&self) -> &'static str {
        let has = |name: &str| self.headers.contains_key(name);
        let stale = ["uberctx-caller", "jaeger-debug-id", "tracestate"];
        let stale = stale.into_iter().any(has);
        assert_eq!(has("traceparent"), has("uber-trace-id"), "{self:?}");
        assert_eq!(has("baggage"), has("uberctx-own"), "{self:?}");
        match (has("uber-trace-id"), has("uberctx-own"), stale) {
            (true, true, false) => "all",
            (true, false, false) => "trace",
            (false, false, false) => "nothing",
            _ => panic!("{self:?}"),
        }
    }
}

/// Servers inside and outside. Each answers `/301/in/x` with a redirect to `/x` on the one inside, and so on; other
/// paths are the end.
struct World {
    inside: SocketAddr,
    arrived: Arc<Mutex<Vec<Arrived>>>,
}

impl World {
    async fn new() -> Self {
        let arrived = Arc::new(Mutex::new(Vec::new()));
        let addresses = Arc::new(Mutex::new(Vec::<SocketAddr>::new()));
        let app = {
            let (arrived, addresses) = (arrived.clone(), addresses.clone());
            let handler = move |method: Method, uri: Uri, headers: HeaderMap, body: Bytes| async move {
                let path = uri.path().to_owned();
                let answer = answer(&path, &addresses.lock().unwrap());
                arrived.lock().unwrap().push(Arrived {
                    method,
                    path,
                    headers,
                    body,
                });
                answer
            };
            Router::new().fallback(any(handler))
        };
        let inside = serve_at(INSIDE, app.clone()).await;
        let outside = serve_at(OUTSIDE, app).await;
        addresses.lock().unwrap().extend([inside, outside]);
        Self { inside, arrived }
    }

    fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.inside)
    }

    fn arrived(&self) -> Vec<Arrived> {
        std::mem::take(&mut *self.arrived.lock().unwrap())
    }

    /// Returns the path and the trace headers of each request that has arrived.
    fn traces(&self) -> Vec<(String, &'static str)> {
        let arrived = self.arrived().into_iter();
        arrived.map(|it| (it.path.clone(), it.trace())).collect()
    }
}

fn answer(path: &str, addresses: &[SocketAddr]) -> Response {
    let mut parts = path.splitn(4, '/').skip(1);
    let status = parts.next().and_then(|status| status.parse::<u16>().ok());
    let (Some(status), Some(to)) = (status, parts.next()) else {
        return "the end".into_response();
    };
    let rest = parts.next().unwrap_or_default();
    let status = StatusCode::from_u16(status).expect("a status");
    let location = match to {
        "in" => format!("http://{}/{rest}", addresses[0]),
        "out" => format!("http://{}/{rest}", addresses[1]),
        _ => format!("/{rest}"),
    };
    (status, [("location", location)], "moved").into_response()
}

fn inside() -> Destinations {
    let all = Destinations::all();
    all.trace_headers_to([INSIDE.to_string()]).expect("hosts")
}

fn tracing(tracer: impl tracehound::Tracer + 'static) -> TracingMiddleware {
    TracingMiddleware::new(tracer).decorate(|span, _| {
        span.set_baggage_item("own", "1");
    })
}

/// Returns a client that sends headers to the server inside only.
fn client(tracer: &JaegerTracer) -> ClientWithMiddleware {
    client_of(tracing(tracer.clone()), inside())
}

/// Like [`client`], with a client for redirects outward.
fn following_client(tracer: &JaegerTracer) -> ClientWithMiddleware {
    let tracing = tracing(tracer.clone()).redirect_client(reqwest_client());
    client_of(tracing, inside())
}

fn client_of(tracing: TracingMiddleware, destinations: Destinations) -> ClientWithMiddleware {
    let (tracing, redirects) = tracing.destinations(destinations, Policy::default());
    let mut secret = HeaderMap::new();
    secret.insert("authorization", "Bearer secret".parse().expect("a value"));
    let client = reqwest_builder()
        .redirect(redirects)
        .default_headers(secret)
        .build()
        .expect("a client");
    ClientBuilder::new(client).with(tracing).build()
}

#[test]
fn a_redirect_outward_is_the_response_unless_there_is_a_client_for_it() {
    run(async {
        let (tracer, reporter) = recording_tracer();
        let world = World::new().await;
        let client = client(&tracer);
        let response = client.get(world.url("/302/in/302/out/end")).send().await;
        let response = response.expect("an answer");
        assert_eq!(response.status(), 302);
        let location = response.headers()["location"].to_str().expect("text");
        assert!(location.contains(&OUTSIDE.to_string()), "{location}");
        drop(response);
        let expected = [("/302/in/302/out/end", "all"), ("/302/out/end", "all")];
        let expected = expected.map(|(path, trace)| (path.to_owned(), trace));
        assert_eq!(world.traces(), expected);
        let span = one_span(&reporter).await;
        assert_eq!(span.tag_text("http.status_code"), "302");
    });
}

#[test]
fn redirects_outward_are_followed_without_headers_by_a_client_for_it() {
    run(async {
        let rows: [(&str, &[&str]); 5] = [
            ("/302/in/end", &["all", "all"]),
            ("/302/same/end", &["all", "all"]),
            ("/302/out/end", &["all", "nothing"]),
            (
                "/307/in/308/out/301/same/end",
                &["all", "all", "nothing", "nothing"],
            ),
            // What has lost the headers once does not get them back.
            ("/302/out/302/in/end", &["all", "nothing", "nothing"]),
        ];
        for (path, expected) in rows {
            let (tracer, reporter) = recording_tracer();
            let world = World::new().await;
            let request = following_client(&tracer).get(world.url(path));
            let response = request.send().await.expect("an answer");
            assert_eq!(response.status(), 200, "{path}");
            assert_eq!(response.text().await.expect("a body"), "the end", "{path}");
            let traces = world.traces();
            let traces: Vec<_> = traces.iter().map(|(_, trace)| *trace).collect();
            assert_eq!(traces, expected, "{path}");
            let span = one_span(&reporter).await;
            let url = log_field(&span, "redirected", "http.url").expect("a URL");
            assert!(url.ends_with("/end"), "{path}: {url}");
        }
    });
}

#[test]
fn headers_of_an_earlier_caller_do_not_leave_either() {
    run(async {
        for is_off in [false, true] {
            let (tracer, _reporter) = recording_tracer();
            let world = World::new().await;
            // Without a span, too.
            let tracing = tracing(tracer)
                .filter(move |_| !is_off)
                .redirect_client(reqwest_client());
            let (tracing, redirects) = tracing.destinations(inside(), Policy::default());
            let client = reqwest_builder().redirect(redirects).build();
            let client = ClientBuilder::new(client.expect("a client"))
                .with(tracing)
                .build();
            let paths = ["/302/out/end", "/302/in/end"];
            for path in paths {
                let request = client
                    .get(world.url(path))
                    .header("uber-trace-id", "1:2:0:1")
                    .header("uberctx-caller", "7")
                    .header("jaeger-debug-id", "find-me")
                    .header("tracestate", "other=1");
                request.send().await.expect("an answer");
            }
            let arrived = world.arrived();
            assert_eq!(arrived.len(), 4);
            assert_eq!(arrived[1].trace(), "nothing");
            for inside in [0, 2, 3] {
                let caller = arrived[inside].headers.contains_key("uberctx-caller");
                assert_eq!(caller, is_off, "a request without a span stays as it is");
            }
        }
    });
}

#[test]
fn a_redirect_outward_takes_no_secrets_and_no_name_of_the_first_host_along() {
    run(async {
        let (tracer, _reporter) = recording_tracer();
        let world = World::new().await;
        let request = following_client(&tracer)
            .get(world.url("/302/in/302/out/end"))
            .header("cookie", "session=1")
            .header("proxy-authorization", "Basic secret")
            .header("x-harmless", "kept");
        request.send().await.expect("an answer");
        let arrived = world.arrived();
        let [first, _, last] = &arrived[..] else {
            panic!("{arrived:?}")
        };
        for name in ["authorization", "cookie", "proxy-authorization"] {
            assert!(first.headers.contains_key(name), "{name}");
            assert!(!last.headers.contains_key(name), "{name}");
        }
        assert_eq!(last.headers["x-harmless"], "kept");
        let host = last.headers["host"].to_str().expect("text");
        assert!(host.starts_with(&OUTSIDE.to_string()), "{host}");
    });
}

#[test]
fn a_redirect_outward_changes_the_method_as_reqwest_does() {
    run(async {
        // The method, the status, and the method and the body that arrive outside.
        let rows = [
            ("GET", 301, "GET", ""),
            ("HEAD", 303, "HEAD", ""),
            ("POST", 301, "GET", ""),
            ("POST", 302, "GET", ""),
            ("POST", 303, "GET", ""),
            ("POST", 307, "POST", "payload"),
            ("PUT", 302, "PUT", "payload"),
            ("PUT", 303, "GET", ""),
            ("PUT", 308, "PUT", "payload"),
        ];
        for (method, status, expected, body) in rows {
            let row = format!("{method} {status}");
            let (tracer, _reporter) = recording_tracer();
            let world = World::new().await;
            let method = Method::from_bytes(method.as_bytes()).expect("a method");
            let path = format!("/{status}/out/end");
            let request = |client: &ClientWithMiddleware| {
                let request = client.request(method.clone(), world.url(&path));
                match method {
                    Method::GET | Method::HEAD => request,
                    _ => request.header("content-type", "text/x").body("payload"),
                }
            };
            request(&following_client(&tracer))
                .send()
                .await
                .expect("an answer");
            let plain = ClientBuilder::new(reqwest_client()).build();
            request(&plain).send().await.expect("an answer");
            let arrived = world.arrived();
            let [_, ours, _, reqwests] = &arrived[..] else {
                panic!("{row}: {arrived:?}")
            };
            for arrived in [ours, reqwests] {
                assert_eq!(arrived.method, expected, "{row}");
                assert_eq!(arrived.body, body, "{row}");
                let has_type = arrived.headers.contains_key("content-type");
                assert_eq!(has_type, !body.is_empty(), "{row}");
            }
        }
    });
}

#[test]
fn a_redirect_outward_that_cannot_be_followed_is_the_response() {
    run(async {
        let (tracer, _reporter) = recording_tracer();
        let world = World::new().await;
        let client = following_client(&tracer);
        let stream = || Body::wrap(http_body_util::Full::new(Bytes::from_static(b"payload")));
        // A stream cannot be sent twice. After another redirect, the method is not known any more.
        let rows = [
            ("/307/out/end", true, 307),
            ("/303/out/end", true, 200),
            ("/307/in/307/out/end", false, 307),
        ];
        for (path, is_stream, status) in rows {
            let request = client.put(world.url(path));
            let request = match is_stream {
                true => request.body(stream()),
                false => request.body("payload"),
            };
            let response = request.send().await.expect("an answer");
            assert_eq!(response.status(), status, "{path}");
        }
    });
}

#[test]
fn the_policy_of_the_user_is_asked_about_other_redirects() {
    run(async {
        let (tracer, _reporter) = recording_tracer();
        let world = World::new().await;
        let (tracing, redirects) = tracing(tracer).destinations(inside(), Policy::none());
        let client = reqwest_builder().redirect(redirects).build();
        let client = ClientBuilder::new(client.expect("a client"))
            .with(tracing)
            .build();
        let response = client.get(world.url("/302/in/end")).send().await;
        assert_eq!(response.expect("an answer").status(), 302);
        assert_eq!(world.arrived().len(), 1);
    });
}

#[test]
fn a_host_that_gets_no_baggage_is_outward_too() {
    run(async {
        let (tracer, _reporter) = recording_tracer();
        let world = World::new().await;
        let destinations = Destinations::all().baggage_to([INSIDE.to_string()]);
        let destinations = destinations.expect("hosts");
        let tracing = tracing(tracer).redirect_client(reqwest_client());
        let client = client_of(tracing, destinations);
        client
            .get(world.url("/302/out/end"))
            .send()
            .await
            .expect("an answer");
        assert_eq!(world.arrived()[1].trace(), "nothing");
    });
}

#[test]
fn every_host_gets_the_headers_by_default() {
    run(async {
        let (tracer, _reporter) = recording_tracer();
        let world = World::new().await;
        let client = client_of(tracing(tracer), Destinations::all());
        client
            .get(world.url("/302/out/end"))
            .send()
            .await
            .expect("an answer");
        let traces: Vec<_> = world.arrived().iter().map(Arrived::trace).collect();
        assert_eq!(traces, ["all", "all"]);
    });
}

#[test]
fn a_request_to_a_host_outside_gets_no_headers_and_redirects_from_there_neither() {
    run(async {
        let (tracer, reporter) = recording_tracer();
        let world = World::new().await;
        let there = serve_at(
            OUTSIDE,
            Router::new().fallback(any({
                let inside = world.inside;
                move |headers: HeaderMap| async move {
                    let has = headers.keys().any(|name| name.as_str().starts_with("uber"));
                    assert!(!has, "{headers:?}");
                    (
                        StatusCode::FOUND,
                        [("location", format!("http://{inside}/end"))],
                    )
                }
            })),
        );
        let url = format!("http://{}/", there.await);
        let response = client(&tracer).get(url).send().await.expect("an answer");
        assert_eq!(response.status(), 200);
        assert_eq!(world.traces(), [("/end".to_owned(), "nothing")]);
        drop(response);
        one_span(&reporter).await;
    });
}

#[test]
fn a_disabled_tracer_follows_redirects_outward_all_the_same() {
    run(async {
        let world = World::new().await;
        let tracing = tracing(NoopTracer).redirect_client(reqwest_client());
        let client = client_of(tracing, inside());
        let request = client.get(world.url("/302/out/end"));
        let response = request.send().await.expect("an answer");
        assert_eq!(response.status(), 200);
    });
}
