//! Tests that the response, and not a header of the caller, decides whether a server's span is a gRPC call.

use std::convert::Infallible;
use std::pin::pin;
use std::task::{Context, Waker};

use axum::Router;
use axum::routing::post as route;
use http::{HeaderMap, Request, Response, StatusCode};
use http_body_util::BodyExt;
use tower::{Service, ServiceExt, service_fn};
use tracehound::JaegerTracer;
use tracehound::middleware::{RequestSpan, ServerLayer};
use tracehound::reporter::OwnedSpan;

use crate::support::grpc::outcome;
use crate::support::recording_tracer;
use crate::support::web::{Fed, events, one_span, run, spans};

const PATH: &str = "/test.Echo/Unary";

fn post<B: Default>(path: &str) -> Request<B> {
    Request::post(path)
        .header("content-type", "application/grpc")
        .body(B::default())
        .expect("a request")
}

/// The response of a server to a call.
#[derive(Clone, Copy, Debug)]
enum Reply {
    /// A message, and trailers with this status, if any.
    Trailers(Option<u8>),
    /// Headers with a status, and no body.
    Headers(u8),
    /// A response that is not gRPC.
    Http(u16),
}

/// Calls a method of a server that sends `reply`, and reads the response to its end.
async fn call(layer: &ServerLayer, path: &str, reply: Reply) {
    let service = layer.wrap(service_fn(move |_: Request<()>| async move {
        let (feeder, body) = Fed::new();
        let mut response = Response::new(body);
        let headers = response.headers_mut();
        match reply {
            Reply::Http(status) => {
                *response.status_mut() = StatusCode::from_u16(status).expect("a status");
            }
            Reply::Headers(status) => {
                headers.insert("content-type", "application/grpc".parse().expect("legal"));
                headers.insert("grpc-status", u16::from(status).into());
            }
            Reply::Trailers(status) => {
                headers.insert("content-type", "application/grpc".parse().expect("legal"));
                feeder.data("message");
                if let Some(status) = status {
                    let mut trailers = HeaderMap::new();
                    trailers.insert("grpc-status", u16::from(status).into());
                    feeder.trailers(trailers);
                }
            }
        }
        Ok::<_, Infallible>(response)
    }));
    let response = service.oneshot(post(path)).await.expect("infallible");
    response.into_body().collect().await.expect("no error");
}

#[test]
fn a_plain_route_has_the_same_span_for_any_content_type() {
    async fn spans_of(path: &str, layers: [bool; 2]) -> [OwnedSpan; 2] {
        let mut found = Vec::new();
        for content_type in ["application/json", "application/grpc"] {
            let (tracer, reporter) = recording_tracer();
            let fail = || async { (StatusCode::INTERNAL_SERVER_ERROR, "no such table") };
            let mut app = Router::new().route("/shop/pay", route(fail)).route(
                "/shop/{item}/buy",
                route(|_: RequestSpan| async { "bought" }),
            );
            let layer = ServerLayer::new(tracer);
            if layers[0] {
                app = app.layer(layer.clone());
            }
            let mut request = post::<axum::body::Body>(path);
            let headers = request.headers_mut();
            headers.insert("content-type", content_type.parse().expect("legal"));
            headers.insert("host", "shop".parse().expect("legal"));
            if layers[1] {
                let response = layer.wrap(app).oneshot(request).await.expect("infallible");
                response.into_body().collect().await.expect("a body");
            } else {
                let response = app.oneshot(request).await.expect("infallible");
                response.into_body().collect().await.expect("a body");
            }
            found.push(one_span(&reporter).await);
        }
        found.try_into().expect("two spans")
    }
    run(async {
        let rows = [
            ("/shop/pay", [true, false], "POST /shop/pay", "500", "true"),
            ("/shop/pay", [false, true], "HTTP POST", "500", "true"),
            ("/shop/pay", [true, true], "POST /shop/pay", "500", "true"),
            (
                "/shop/7/buy",
                [true, false],
                "POST /shop/{item}/buy",
                "200",
                "",
            ),
            (
                "/shop/7/buy",
                [false, true],
                "POST /shop/{item}/buy",
                "200",
                "",
            ),
            ("/no/where", [true, true], "HTTP POST", "404", ""),
        ];
        for (path, layers, name, status, error) in rows {
            for span in spans_of(path, layers).await {
                let expected = [
                    ("component", "tower"),
                    ("http.method", "POST"),
                    ("http.url", &*format!("http://shop{path}")),
                    ("http.status_code", status),
                    ("error", error),
                    ("response_code", ""),
                ];
                assert_eq!(span.operation_name, name, "{path} {layers:?}");
                for (key, value) in expected {
                    assert_eq!(span.tag_text(key), value, "{key} of {path} {layers:?}");
                }
                assert!(!events(&span).contains(&"error".to_owned()));
            }
        }
    });
}

#[test]
fn a_call_without_a_status_is_an_error_on_the_server() {
    run(async {
        let rows = [
            (Reply::Trailers(None), ["Unknown", "0xx", "true"]),
            (Reply::Trailers(Some(2)), ["Unknown", "0xx", "true"]),
            (Reply::Headers(2), ["Unknown", "0xx", "true"]),
            (Reply::Trailers(Some(5)), ["NotFound", "4xx", ""]),
        ];
        for (reply, expected) in rows {
            let (tracer, reporter) = recording_tracer();
            call(&ServerLayer::new(tracer), PATH, reply).await;
            let span = one_span(&reporter).await;
            assert_eq!(outcome(&span), expected, "{reply:?}");
            assert_eq!(span.tag_text("component"), "gRPC");
        }
    });
}

#[test]
fn an_http_response_of_a_known_method_has_the_code_that_the_caller_sees() {
    run(async {
        let rows = [
            (200, ["Unknown", "0xx", "true"]),
            (401, ["Unauthenticated", "4xx", ""]),
            (429, ["Unavailable", "5xx", "true"]),
            (500, ["Unknown", "0xx", "true"]),
            (504, ["Unavailable", "5xx", "true"]),
        ];
        for (status, expected) in rows {
            let (tracer, reporter) = recording_tracer();
            let layer = ServerLayer::new(tracer);
            call(&layer, PATH, Reply::Trailers(Some(0))).await;
            call(&layer, PATH, Reply::Http(status)).await;
            let span = &spans(&reporter, 2).await[1];
            assert_eq!(outcome(span), expected, "{status}");
            assert_eq!(span.operation_name, PATH);
            assert_eq!(span.tag_text("http.status_code"), status.to_string());
        }
    });
}

/// Calls a method twice, the second time by `end`, and returns the names of both spans.
async fn names(first: Reply, end: impl AsyncFnOnce(&ServerLayer)) -> [String; 2] {
    let (tracer, reporter) = recording_tracer();
    let layer = ServerLayer::new(tracer);
    call(&layer, PATH, first).await;
    end(&layer).await;
    let spans = spans(&reporter, 2).await;
    spans
        .into_iter()
        .map(|span| span.operation_name)
        .collect::<Vec<_>>()
        .try_into()
        .expect("two spans")
}

#[test]
fn a_method_becomes_a_name_after_a_call_has_reached_it() {
    run(async {
        let error = Reply::Headers(5);
        let rows = [
            (Reply::Trailers(Some(0)), PATH, PATH),
            (Reply::Trailers(Some(5)), PATH, PATH),
            (Reply::Trailers(None), PATH, PATH),
            (Reply::Trailers(Some(12)), "HTTP POST", "HTTP POST"),
            // Layers that know no methods answer like this.
            (Reply::Headers(0), "HTTP POST", "HTTP POST"),
            (Reply::Headers(16), "HTTP POST", "HTTP POST"),
            (Reply::Http(200), "HTTP POST", "HTTP POST"),
        ];
        for (first, first_name, second_name) in rows {
            let names = names(first, async |layer| call(layer, PATH, error).await).await;
            assert_eq!(names, [first_name, second_name], "{first:?}");
        }
    });
}

#[test]
fn a_dropped_call_is_named_after_a_known_method() {
    run(async {
        for (first, name) in [
            (Reply::Trailers(Some(0)), PATH),
            (Reply::Headers(5), "HTTP POST"),
        ] {
            let names = names(first, async |layer| {
                let mut service = layer.wrap(service_fn(|_: Request<()>| {
                    std::future::pending::<Result<Response<Fed>, Infallible>>()
                }));
                drop(service.call(post(PATH)));
            });
            assert_eq!(names.await[1], name, "{first:?}");
        }
    });
}

#[test]
fn a_call_without_a_response_is_recorded_for_both_protocols() {
    let (tracer, reporter) = recording_tracer();
    let mut service = ServerLayer::new(tracer).wrap(service_fn(|_: Request<()>| {
        std::future::pending::<Result<Response<Fed>, Infallible>>()
    }));
    drop(service.call(post(PATH)));
    let span = &reporter.spans()[0];
    assert_eq!(outcome(span), ["Canceled", "2xx", ""]);
    assert_eq!(events(span), ["cancelled"]);
    assert_eq!(span.tag_text("http.cancelled"), "true");
    assert_eq!(span.tag_text("http.url"), PATH);
}

#[test]
fn a_name_from_the_user_stays() {
    run(async {
        let (tracer, reporter) = recording_tracer();
        let layer = ServerLayer::new(tracer.clone());
        let rename = |layer: ServerLayer| {
            layer.decorate(|span, _| {
                span.set_operation_name("own");
            })
        };
        let hook = ServerLayer::new(tracer).operation_name(|_| "own".into());
        for reply in [
            Reply::Trailers(Some(0)),
            Reply::Headers(5),
            Reply::Http(500),
        ] {
            call(&rename(layer.clone()), PATH, reply).await;
            call(&hook, PATH, reply).await;
        }
        for span in spans(&reporter, 6).await {
            assert_eq!(span.operation_name, "own");
        }
    });
}

#[test]
fn a_server_that_answers_every_path_names_at_most_a_thousand() {
    run(async {
        let (tracer, reporter) = recording_tracer();
        let layer = ServerLayer::new(tracer);
        for n in 0..1_200 {
            call(&layer, &format!("/made.up/x{n}"), Reply::Trailers(Some(0))).await;
        }
        let names: std::collections::HashSet<_> = reporter
            .spans()
            .into_iter()
            .map(|span| span.operation_name)
            .collect();
        assert_eq!(names.len(), 1_001);
        assert!(names.contains("HTTP POST"));
    });
}

/// Polls a call once and drops it.
fn give_up<S: Service<Request<()>, Future: Future>>(service: &mut S, path: &str) {
    let future = service.call(post(path));
    let mut cx = Context::from_waker(Waker::noop());
    let _ = pin!(future).poll(&mut cx);
}

#[test]
fn callers_cannot_make_up_names() {
    fn layer() -> (
        JaegerTracer,
        tracehound::reporter::InMemoryReporter,
        ServerLayer,
    ) {
        let (tracer, reporter) = recording_tracer();
        let layer = ServerLayer::new(tracer.clone());
        (tracer, reporter, layer)
    }
    const MANY: u16 = 10_000;
    run(async {
        let (_tracer, reporter, layer) = layer();
        let app = Router::new()
            .route("/users/{id}", axum::routing::any(|| async { "Ada" }))
            .layer(layer.clone());
        for n in 0..MANY {
            let path = format!("/made.up/x{n}");
            // HTTP: each request has its own method, path and status.
            let status = 200 + n % 400;
            let mut plain = layer.wrap(service_fn(move |_: Request<()>| async move {
                let mut response = Response::new(axum::body::Body::empty());
                *response.status_mut() = StatusCode::from_u16(status).expect("a status");
                Ok::<_, Infallible>(response)
            }));
            let request = Request::builder().method(&*format!("M{n}")).uri(&path);
            let request = request.body(()).expect("a request");
            drop(plain.call(request).await);
            let request = Request::builder()
                .method(&*format!("M{n}"))
                .uri(format!("/users/{n}"));
            let request = request.body(axum::body::Body::empty());
            drop(app.clone().oneshot(request.expect("a request")).await);
            // gRPC: every kind of response that no method sends, and none at all.
            match n % 5 {
                0 => call(&layer, &path, Reply::Headers((n % 256) as u8)).await,
                1 => call(&layer, &path, Reply::Http(status)).await,
                2 => call(&layer, &path, Reply::Trailers(Some(12))).await,
                3 => give_up(
                    &mut layer.wrap(service_fn(|_: Request<()>| {
                        std::future::pending::<Result<Response<Fed>, Infallible>>()
                    })),
                    &path,
                ),
                _ => {
                    let mut fails = layer.wrap(service_fn(|_: Request<()>| async {
                        Err::<Response<Fed>, _>(std::io::Error::other("shed"))
                    }));
                    give_up(&mut fails, &path);
                }
            }
        }
        let spans = reporter.spans();
        assert_eq!(spans.len(), 3 * usize::from(MANY));
        let names: std::collections::BTreeSet<_> =
            spans.into_iter().map(|span| span.operation_name).collect();
        assert_eq!(
            names.iter().take(4).map(|name| &**name).collect::<Vec<_>>(),
            ["HTTP", "HTTP /users/{id}", "HTTP POST"]
        );
    });
}
