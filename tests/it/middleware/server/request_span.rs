//! Tests of the ways in which a handler and a second layer find the span of a request.

use std::convert::Infallible;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Body;
use axum::extract::Request as AxumRequest;
use axum::middleware::{Next, from_fn};
use axum::response::Response;
use axum::routing::any;
use bytes::Bytes;
use http::{HeaderValue, Request};
use http_body_util::{BodyExt, Empty};
use tower::buffer::BufferLayer;
use tower::{Layer, ServiceBuilder, ServiceExt, service_fn};
use tracehound::metrics::Counter;
use tracehound::middleware::{ClientLayer, RequestSpan, ServerLayer, Trust};
use tracehound::model::SpanId;
use tracehound::prelude::*;
use tracehound::reporter::{InMemoryReporter, OwnedSpan};
use tracehound::scope::active_span;
use tracehound::{JaegerTracer, SpanContext};

use super::PARENT;
use crate::support::web::{call, one_span, reply, run, serve, spans};
use crate::support::{recording_builder, recording_tracer};

/// A caller in a trace that no other request of these tests belongs to.
const FOREIGN: &str = "77:78:0:1";

/// Ids of spans that handlers have found.
type Found = Arc<Mutex<Vec<Option<SpanId>>>>;

fn note(found: &Found, span: &Span) {
    found.lock().unwrap().push(span.context().span_id());
}

/// Asks a service of axum for a path, without a socket.
async fn ask(app: Router, path: &str, parent: Option<&str>) {
    let mut request = Request::get(path);
    if let Some(parent) = parent {
        request = request.header("uber-trace-id", parent);
    }
    let request = request.body(Body::empty()).expect("a request");
    let response = app.oneshot(request).await.expect("infallible");
    response.into_body().collect().await.expect("a body");
}

/// Returns the operation names of the finished spans.
fn names(reporter: &InMemoryReporter) -> Vec<String> {
    let name = |span: OwnedSpan| span.operation_name;
    reporter.take().into_iter().map(name).collect()
}

#[test]
fn the_handler_finds_its_span_in_each_way() {
    for is_carried in [false, true] {
        run(async {
            let (tracer, reporter) = recording_tracer();
            let found = Found::default();
            let handler = {
                let (tracer, found) = (tracer.clone(), found.clone());
                move |extracted: RequestSpan, request: AxumRequest| async move {
                    let carried = request.extensions().get::<RequestSpan>();
                    assert_eq!(carried.is_some(), is_carried);
                    for span in [&extracted, carried.unwrap_or(&extracted)] {
                        note(&found, span);
                    }
                    tokio::task::yield_now().await;
                    note(&found, &active_span());
                    let _child = tracer.start_active_span("child");
                    note(&found, &RequestSpan::active());
                }
            };
            let layer = ServerLayer::new(tracer.clone()).request_span(is_carried);
            let app = Router::new().route("/", any(handler)).layer(layer);
            let address = serve(app).await;
            call(format!("http://{address}/")).await;
            let spans = spans(&reporter, 2).await;
            let server = spans.iter().find(|span| span.operation_name == "GET /");
            let server = server.expect("the span of the request").span_id;
            assert_eq!(*found.lock().unwrap(), [Some(server); 4]);
            let child = spans.iter().find(|span| span.operation_name == "child");
            assert_eq!(child.expect("the child").parent_id, Some(server));
        });
    }
}

#[test]
fn a_kept_request_span_keeps_no_request_open() {
    run(async {
        let (tracer, reporter) = recording_tracer();
        let kept = Arc::new(Mutex::new(None));
        let handler = {
            let kept = kept.clone();
            move |span: RequestSpan| async move {
                *kept.lock().unwrap() = Some((span.clone(), RequestSpan::active(), active_span()));
            }
        };
        let app = Router::new()
            .route("/", any(handler))
            .layer(ServerLayer::new(tracer.clone()));
        call(format!("http://{}/", serve(app).await)).await;
        one_span(&reporter).await;
        assert!(kept.lock().unwrap().is_some());
    });
}

#[test]
fn a_span_that_another_layer_makes_active_does_not_hide_that_of_the_request() {
    run(async {
        let (tracer, reporter) = recording_tracer();
        let found = Found::default();
        let middle = {
            let tracer = tracer.clone();
            move |request: AxumRequest, next: Next| {
                next.run(request).in_span(tracer.start_span("middle"))
            }
        };
        let handler = {
            let found = found.clone();
            move |span: RequestSpan| async move {
                note(&found, &span);
                note(&found, &RequestSpan::active());
                note(&found, &active_span());
            }
        };
        let app = Router::new()
            .route("/", any(handler))
            .layer(from_fn(middle))
            .layer(ServerLayer::new(tracer.clone()));
        ask(app, "/", None).await;
        let spans = reporter.take();
        let id = |name| spans.iter().find(|span| span.operation_name == name);
        let [server, middle] = ["GET /", "middle"].map(|name| id(name).map(|span| span.span_id));
        assert_eq!(*found.lock().unwrap(), [server, server, middle]);
    });
}

#[cfg(feature = "tracing")]
#[test]
fn a_span_of_tracing_does_not_hide_that_of_the_request() {
    use tracing_subscriber::layer::SubscriberExt;

    #[tracing::instrument]
    async fn priced() -> &'static str {
        tokio::task::yield_now().await;
        RequestSpan::active().set_tag("cart.items", 3);
        "7"
    }

    let (tracer, reporter) = recording_tracer();
    let bridge = tracehound::bridge::TracingLayer::new(tracer.clone());
    let subscriber = tracing_subscriber::registry().with(bridge);
    tracing::subscriber::with_default(subscriber, || {
        run(async {
            let app = Router::new()
                .route("/", any(priced))
                .layer(ServerLayer::new(tracer.clone()));
            ask(app, "/", None).await;
        });
    });
    let spans = reporter.take();
    let [priced, server] = &spans[..] else {
        panic!("two spans: {spans:?}");
    };
    assert_eq!(priced.operation_name, "priced");
    assert_eq!(priced.parent_id, Some(server.span_id));
    assert_eq!(priced.tag_text("cart.items"), "");
    assert_eq!(server.tag_text("cart.items"), "3");
}

#[test]
fn the_body_is_part_of_the_work_on_a_request() {
    run(async {
        let (tracer, reporter) = recording_tracer();
        let handler = async || {
            let frames = futures_util::stream::once(async {
                RequestSpan::active().set_tag("rows", 7);
                Ok::<_, Infallible>(Bytes::from_static(b"rows"))
            });
            Body::from_stream(frames)
        };
        let app = Router::new()
            .route("/", any(handler))
            .layer(ServerLayer::new(tracer.clone()));
        ask(app, "/", None).await;
        assert_eq!(one_span(&reporter).await.tag_text("rows"), "7");
    });
}

#[test]
fn outside_of_a_request_there_is_the_noop_span() {
    run(async {
        let (tracer, reporter) = recording_tracer();
        let span = tracer.start_active_span("job");
        assert!(RequestSpan::active().is_noop());
        drop(span);
        let handler = async |taken: RequestSpan| {
            let bare = tokio::spawn(async { RequestSpan::active().is_noop() });
            assert!(bare.await.expect("no panic"));
            let handed = async { (RequestSpan::active().is_noop(), active_span().is_noop()) };
            let handed = tokio::spawn(handed.in_active_span()).await;
            assert_eq!(handed.expect("no panic"), (true, false));
            let taken = tokio::spawn(async move { taken.set_tag("taken", true).is_noop() });
            assert!(!taken.await.expect("no panic"));
        };
        let app = Router::new()
            .route("/", any(handler))
            .layer(ServerLayer::new(tracer.clone()));
        let address = serve(app).await;
        call(format!("http://{address}/")).await;
        let spans = spans(&reporter, 2).await;
        assert_eq!(spans[1].tag_text("taken"), "true");
        assert!(RequestSpan::active().is_noop());
    });
}

/// Yields to the runtime, so that what is behind is polled anew.
async fn wait(request: AxumRequest, next: Next) -> Response {
    tokio::task::yield_now().await;
    let response = next.run(request).await;
    tokio::task::yield_now().await;
    response
}

#[test]
fn a_second_layer_names_the_span_of_the_first() {
    let rows = [
        (None, None, "GET /users/{id}"),
        (None, Some("mine"), "mine"),
        (Some("ours"), None, "ours"),
        (Some("ours"), Some("mine"), "mine"),
    ];
    for is_carried in [false, true] {
        for (outer, inner, name) in rows {
            for parent in [None, Some(PARENT)] {
                run(async {
                    let (tracer, reporter) = recording_tracer();
                    let layer = |name: Option<&'static str>| {
                        let layer = ServerLayer::new(tracer.clone()).request_span(is_carried);
                        match name {
                            Some(name) => layer.operation_name(move |_| name.into()),
                            None => layer,
                        }
                    };
                    // The extractor would name the span after the route.
                    let handler = async |span: RequestSpan| assert!(!span.is_noop());
                    let app = Router::new()
                        .route("/users/{id}", any(handler))
                        .layer(from_fn(wait))
                        .layer(layer(inner));
                    let outer = layer(outer);
                    let app = Router::new().fallback_service(outer.layer(app));
                    ask(app, "/users/7", parent).await;
                    assert_eq!(names(&reporter), [name], "{is_carried} {parent:?}");
                });
            }
        }
    }
}

#[test]
fn a_second_layer_finds_a_span_that_shares_the_ids_of_its_caller() {
    run(async {
        let (builder, reporter) = recording_builder();
        let tracer = builder.zipkin_shared_rpc_span(true).build().expect("named");
        let layer = ServerLayer::new(tracer);
        let app = Router::new()
            .route("/users/{id}", any(async || ()))
            .layer(layer.clone());
        let app = Router::new().fallback_service(layer.layer(app));
        ask(app, "/users/7", Some(PARENT)).await;
        let spans = reporter.take();
        let [span] = &spans[..] else {
            panic!("one span: {spans:#?}");
        };
        assert_eq!(span.span_id.to_string(), PARENT[17..33]);
        assert_eq!(span.operation_name, "GET /users/{id}");
    });
}

#[test]
fn a_second_layer_finds_the_span_of_a_caller_who_is_not_believed() {
    run(async {
        let (tracer, reporter) = recording_tracer();
        let layer = ServerLayer::new(tracer.clone()).trust(Trust::restart());
        let inner = layer.wrap(service_fn(async |_: Request<Body>| {
            reply(200, Empty::<Bytes>::new())
        }));
        let outer = service_fn(move |mut request: Request<Body>| {
            if request.uri().path() == "/foreign" {
                let value = HeaderValue::from_static(FOREIGN);
                request.headers_mut().insert("uber-trace-id", value);
            }
            inner.clone().oneshot(request)
        });
        let app = layer.layer(outer);
        for (path, expected) in [("/passed-on", 1), ("/foreign", 2)] {
            let app = Router::new().fallback_service(app.clone());
            ask(app, path, Some(PARENT)).await;
            assert_eq!(reporter.take().len(), expected, "{path}");
        }
    });
}

#[test]
fn an_extractor_does_not_take_the_span_of_the_request_that_asks() {
    run(async {
        let (tracer, reporter) = recording_tracer();
        let stock = async |span: RequestSpan| assert!(span.is_noop());
        let stock = Router::new().route("/stock/{id}", any(stock));
        let stock = ClientLayer::new(tracer.clone()).wrap(stock);
        let handler = async move |_: AxumRequest| {
            let request = Request::get("/stock/7").body(Body::empty());
            let response = stock.oneshot(request.expect("a request")).await;
            drop(response.expect("infallible"));
        };
        let app = Router::new()
            .fallback(handler)
            .layer(ServerLayer::new(tracer));
        ask(app, "/shop", None).await;
        // The span of the client, and that of the request, which has no route.
        assert_eq!(names(&reporter), ["HTTP GET"; 2]);
    });
}

#[test]
fn an_extractor_names_a_span_that_a_layer_around_the_router_has_started() {
    run(async {
        let (tracer, reporter) = recording_tracer();
        let app = Router::new().route("/users/{id}", any(async |_: RequestSpan| ()));
        let app = ServerLayer::new(tracer.clone()).layer(app);
        ask(Router::new().fallback_service(app), "/users/7", None).await;
        assert_eq!(names(&reporter), ["GET /users/{id}"]);
    });
}

#[test]
fn a_request_that_goes_to_another_task_has_to_carry_its_span() {
    for is_carried in [false, true] {
        run(async {
            let (tracer, reporter) = recording_tracer();
            let layer = ServerLayer::new(tracer.clone()).request_span(is_carried);
            let found = Found::default();
            let inner = {
                let found = found.clone();
                service_fn(move |_: Request<Body>| {
                    let found = found.clone();
                    // It is polled in this task, though it was called in the other one.
                    async move {
                        note(&found, &RequestSpan::active());
                        reply(200, Empty::<Bytes>::new())
                    }
                })
            };
            let server = ServiceBuilder::new()
                .layer(layer.clone())
                .layer(BufferLayer::<Request<Body>>::new(4))
                .service(layer.wrap(inner));
            let request = Request::new(Body::empty());
            let response = server.oneshot(request).await.expect("an answer");
            response.into_body().collect().await.expect("a body");
            let spans = spans(&reporter, if is_carried { 1 } else { 2 }).await;
            // The inner layer's span, if there are two, is the nearer one.
            assert_eq!(*found.lock().unwrap(), [Some(spans[0].span_id)]);
        });
    }
}

/// A handler sends a request to another service of its process in one of these ways.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Sent {
    /// Through a layer of a client.
    Traced,
    /// With a context in its headers, but past every layer.
    Injected,
    /// With this value of `uber-trace-id`, past every layer.
    Header(&'static str),
    /// Without a context.
    Bare,
}

/// Serves a request whose handler asks a second service of the process.
async fn asks_another(
    tracer: &JaegerTracer,
    is_carried: bool,
    sent: Sent,
    parent: Option<&'static str>,
) {
    let layer = ServerLayer::new(tracer.clone()).request_span(is_carried);
    let stock = layer.wrap(service_fn(async |_: Request<Body>| {
        RequestSpan::active().set_tag("is", "stock");
        reply(200, Empty::<Bytes>::new())
    }));
    let layer = layer.operation_name(|_| "shop".into());
    let tracer = tracer.clone();
    let handler = async move |_: AxumRequest| {
        let mut request = Request::new(Body::empty());
        match sent {
            Sent::Traced => {
                let client = ClientLayer::new(tracer).wrap(stock);
                drop(client.oneshot(request).await.expect("infallible"));
            }
            Sent::Injected => {
                let context = active_span().context();
                tracer.inject(&context, request.headers_mut());
                drop(stock.oneshot(request).await.expect("infallible"));
            }
            Sent::Header(value) => {
                let value = HeaderValue::from_static(value);
                request.headers_mut().insert("uber-trace-id", value);
                drop(stock.oneshot(request).await.expect("infallible"));
            }
            Sent::Bare => drop(stock.oneshot(request).await.expect("infallible")),
        }
        RequestSpan::active().set_tag("is", "shop");
    };
    let app = Router::new().route("/", any(handler)).layer(layer);
    ask(app, "/", parent).await;
}

#[test]
fn a_request_within_a_request_has_a_span_of_its_own() {
    let rows = [
        (false, Sent::Traced, None, 3),
        (false, Sent::Traced, Some(PARENT), 3),
        (true, Sent::Traced, None, 3),
        (false, Sent::Injected, None, 2),
        (false, Sent::Injected, Some(PARENT), 2),
        (true, Sent::Injected, Some(PARENT), 2),
        (false, Sent::Bare, Some(PARENT), 2),
        (true, Sent::Bare, None, 2),
        (false, Sent::Header(FOREIGN), None, 2),
        (false, Sent::Header(FOREIGN), Some(PARENT), 2),
        (true, Sent::Header(FOREIGN), None, 2),
        (false, Sent::Header("broken"), Some(PARENT), 2),
        (true, Sent::Header("broken"), None, 2),
        (true, Sent::Header(PARENT), Some(PARENT), 2),
        // Nothing tells these from the request that the handler works on.
        (false, Sent::Header(PARENT), Some(PARENT), 1),
        (false, Sent::Header("broken"), None, 1),
        (false, Sent::Bare, None, 1),
    ];
    for (is_carried, sent, parent, expected) in rows {
        run(async {
            let (tracer, reporter) = recording_tracer();
            asks_another(&tracer, is_carried, sent, parent).await;
            let spans = reporter.take();
            let row = format!("{is_carried} {sent:?} {parent:?}: {spans:#?}");
            assert_eq!(spans.len(), expected, "{row}");
            let shop = spans.last().expect("the outer span ends last");
            assert_eq!(shop.operation_name, "shop", "{row}");
            assert_eq!(shop.tag_text("is"), "shop", "{row}");
            if expected > 1 {
                assert_eq!(spans[0].operation_name, "HTTP GET", "{row}");
                assert_eq!(spans[0].tag_text("is"), "stock", "{row}");
                let is_same_trace = spans[0].trace_id == shop.trace_id;
                let is_of_ours = !matches!(sent, Sent::Bare | Sent::Header(FOREIGN | "broken"));
                assert_eq!(is_same_trace, is_of_ours, "{row}");
            }
            let errors = u64::from(sent == Sent::Header("broken"));
            assert_eq!(
                tracer.metrics().get(Counter::DecodingErrors),
                errors,
                "{row}"
            );
        });
    }
}

#[test]
fn two_servers_that_work_in_turn_on_one_thread_have_each_their_own() {
    run(async {
        let (tracer, reporter) = recording_tracer();
        let serve = |name: &'static str| {
            let handler = async move |extracted: RequestSpan| {
                for _ in 0..3 {
                    tokio::task::yield_now().await;
                    let active: SpanContext = RequestSpan::active().context();
                    assert_eq!(active, extracted.context());
                }
                extracted.set_tag("server", name);
            };
            let layer = ServerLayer::new(tracer.clone()).operation_name(move |_| name.into());
            let app = Router::new().route("/", any(handler)).layer(layer);
            ask(app, "/", None)
        };
        tokio::join!(serve("one"), serve("two"));
        let spans = reporter.take();
        assert_eq!(spans.len(), 2);
        for span in spans {
            assert_eq!(span.operation_name, span.tag_text("server"));
        }
    });
}
