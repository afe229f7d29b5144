//! Tests of a client's layer, with hyper-util's client over loopback and with services by hand.

use std::collections::HashSet;
use std::convert::Infallible;
use std::future::{Pending, Ready, pending, ready};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::routing::get as route;
use bytes::Bytes;
use http::header::{self, HeaderMap, HeaderValue};
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt, Empty, Full};
use tower::retry::{Policy, RetryLayer};
use tower::timeout::TimeoutLayer;
use tower::{BoxError, Layer, Service, ServiceBuilder, ServiceExt, service_fn};
use tracehound::middleware::{ClientLayer, ServerLayer};
use tracehound::prelude::*;
use tracehound::scope::active_span;
use tracehound::{JaegerTracer, NoopTracer, SpanContext};

use crate::closed_port::closed_port;
use crate::support::recording_tracer;
use crate::support::web::{
    client, events, get, log_field, of_kind, one_span, reply, run, serve, spans,
};

type Reply = Response<Empty<Bytes>>;

/// The headers that have arrived at a server.
#[derive(Clone, Default)]
struct Arrived(Arc<Mutex<Vec<HeaderMap>>>);

impl Arrived {
    /// Returns a service that notes the headers and answers with one status after the other.
    fn service(
        &self,
        statuses: &[u16],
    ) -> impl Service<Request<()>, Response = Reply, Error = Infallible, Future: Send> + Clone + use<>
    {
        let (arrived, statuses) = (self.0.clone(), statuses.to_vec());
        service_fn(move |request: Request<()>| {
            let mut arrived = arrived.lock().unwrap();
            let status = statuses[arrived.len() % statuses.len()];
            arrived.push(request.into_parts().0.headers);
            ready(reply(status, Empty::new()))
        })
    }

    fn contexts(&self) -> Vec<String> {
        let arrived = self.0.lock().unwrap();
        let values = arrived.iter().flat_map(|headers| {
            let values = headers.get_all("uber-trace-id");
            assert!(values.iter().count() <= 1, "{headers:?}");
            values.iter().next()
        });
        values
            .map(|value| value.to_str().expect("text").to_owned())
            .collect()
    }
}

#[test]
fn a_request_has_a_client_span_and_the_server_joins_its_trace() {
    run(async {
        let (tracer, reporter) = recording_tracer();
        let app = Router::new()
            .route("/users/{id}", route(|| async { "Ada" }))
            .layer(ServerLayer::new(tracer.clone()));
        let address = serve(app).await;
        let client = ClientLayer::new(tracer.clone()).wrap(client());
        let request = get(format!("http://{address}/users/7?page=2"));
        let parent = tracer.start_span("parent");
        let response = client.oneshot(request).in_span(parent.clone()).await;
        let response = response.expect("an answer");
        let body = response.into_body().collect().await.expect("a body");
        assert_eq!(body.to_bytes(), "Ada");
        let spans = spans(&reporter, 2).await;
        let (client, server) = (of_kind(&spans, "client"), of_kind(&spans, "server"));
        assert_eq!(server.parent_id, Some(client.span_id));
        assert_eq!(client.parent_id, parent.context().span_id());
        assert_eq!(server.trace_id, client.trace_id);
        let rows = [
            ("component", "tower"),
            ("http.method", "GET"),
            ("http.url", &*format!("http://{address}/users/7?page=")),
            ("http.status_code", "200"),
            ("peer.address", &address.to_string()),
            ("error", ""),
        ];
        assert_eq!(client.operation_name, "HTTP GET");
        for (key, value) in rows {
            assert_eq!(client.tag_text(key), value, "{key}");
        }
        assert_eq!(events(client), ["headers_received"]);
    });
}

#[test]
fn the_target_of_a_request_is_recorded_if_it_is_known() {
    run(async {
        let rows = [
            ("http://u:p@shop:80/cart", None, None, "shop:80"),
            ("/cart", Some("shop:80"), None, "shop:80"),
            ("/cart", Some("u:p@shop"), None, "shop"),
            ("/cart", Some("no/../authority?a=b"), None, ""),
            ("/cart", None, None, ""),
            ("/cart", None, Some("stock:1"), "stock:1"),
            (
                "http://shop/cart",
                Some("other"),
                Some("stock:1"),
                "stock:1",
            ),
        ];
        for (uri, host, setting, expected) in rows {
            let (tracer, reporter) = recording_tracer();
            let mut layer = ClientLayer::new(tracer);
            if let Some(address) = setting {
                layer = layer.peer_address(address);
            }
            let mut request = Request::builder().uri(uri);
            if let Some(host) = host {
                request = request.header(header::HOST, host);
            }
            let client = layer.wrap(Arrived::default().service(&[200]));
            let request = request.body(()).expect("a request");
            client.oneshot(request).await.expect("infallible");
            let span = one_span(&reporter).await;
            assert_eq!(span.tag_text("peer.address"), expected, "{uri} {host:?}");
        }
    });
}

#[test]
fn injection_replaces_another_context() {
    run(async {
        let (tracer, reporter) = recording_tracer();
        let arrived = Arrived::default();
        let client = ClientLayer::new(tracer).wrap(arrived.service(&[200]));
        let mut request = Request::new(());
        for stale in ["1:2:0:1", "3:4:0:1"] {
            let stale = HeaderValue::from_static(stale);
            request.headers_mut().append("uber-trace-id", stale);
        }
        client.oneshot(request).await.expect("infallible");
        let span = one_span(&reporter).await;
        let expected = format!("{}:{}:0:1", span.trace_id, span.span_id);
        assert_eq!(arrived.contexts(), [expected]);
    });
}

#[test]
fn baggage_that_a_decorator_sets_travels_with_the_request() {
    run(async {
        let (tracer, _reporter) = recording_tracer();
        let arrived = Arrived::default();
        let client = ClientLayer::new(tracer)
            .decorate(|span, _| {
                span.set_baggage_item("user", "7");
            })
            .wrap(arrived.service(&[200]));
        client.oneshot(Request::new(())).await.expect("infallible");
        assert_eq!(arrived.0.lock().unwrap()[0]["uberctx-user"], "7");
    });
}

#[test]
fn a_filter_a_setting_and_a_disabled_tracer_prevent_injection() {
    run(async {
        let rows = [("filtered out", 0), ("not injecting", 1), ("off", 0)];
        for (name, count) in rows {
            let (tracer, reporter) = recording_tracer();
            let layer = match name {
                "filtered out" => ClientLayer::new(tracer).filter(|_| false),
                "not injecting" => ClientLayer::new(tracer).injection(false),
                _ => ClientLayer::new(NoopTracer),
            };
            let arrived = Arrived::default();
            let mut request = Request::new(());
            let headers = request.headers_mut();
            headers.insert("uber-trace-id", HeaderValue::from_static("untouched"));
            let client = layer.wrap(arrived.service(&[200]));
            client.oneshot(request).await.expect("infallible");
            assert_eq!(arrived.contexts(), ["untouched"], "{name}");
            spans(&reporter, count).await;
        }
    });
}

#[test]
fn the_span_is_active_while_the_request_is_sent() {
    run(async {
        let (tracer, reporter) = recording_tracer();
        let seen = Arc::new(Mutex::new(Vec::<SpanContext>::new()));
        let note = seen.clone();
        let sender = service_fn(move |_: Request<()>| {
            note.lock().unwrap().push(active_span().context());
            let note = note.clone();
            async move {
                tokio::task::yield_now().await;
                note.lock().unwrap().push(active_span().context());
                reply(200, Empty::<Bytes>::new())
            }
        });
        let client = ClientLayer::new(tracer).wrap(sender);
        client.oneshot(Request::new(())).await.expect("infallible");
        let id = one_span(&reporter).await.span_id;
        let seen: Vec<_> = seen
            .lock()
            .unwrap()
            .iter()
            .map(SpanContext::span_id)
            .collect();
        assert_eq!(seen, [Some(id), Some(id)]);
        assert!(active_span().is_noop());
    });
}

#[test]
fn a_status_is_an_error_from_500_or_as_the_hook_decides() {
    run(async {
        for (status, by_default) in [(200, false), (404, false), (500, true)] {
            let (tracer, reporter) = recording_tracer();
            let layers = [
                ClientLayer::new(tracer.clone()),
                ClientLayer::new(tracer).error_status(|status| status.as_u16() >= 400),
            ];
            for layer in layers {
                let client = layer.wrap(Arrived::default().service(&[status]));
                client.oneshot(Request::new(())).await.expect("infallible");
            }
            let spans = spans(&reporter, 2).await;
            assert_eq!(spans[0].tag("error").is_some(), by_default, "{status}");
            assert_eq!(spans[1].tag("error").is_some(), status >= 400, "{status}");
        }
    });
}

#[test]
fn a_refused_connection_is_an_error_with_its_cause() {
    run(async {
        let (tracer, reporter) = recording_tracer();
        let (_socket, address) = closed_port();
        let plain = ClientLayer::new(tracer.clone()).wrap(client());
        let boxed = ServiceBuilder::new()
            .layer(ClientLayer::new(tracer))
            .layer(TimeoutLayer::new(Duration::from_secs(20)))
            .service(client());
        let request = || get(format!("http://{address}/"));
        let error = plain.oneshot(request()).await.expect_err("refused");
        assert!(error.is_connect());
        boxed.oneshot(request()).await.expect_err("refused");
        for span in spans(&reporter, 2).await {
            assert_eq!(span.tag_text("error"), "true");
            assert!(span.tag("http.status_code").is_none());
            let field = |key| log_field(&span, "error", key).expect(key);
            assert_eq!(field("message"), "client error (Connect)");
            assert_eq!(field("error.kind"), "connect");
            assert!(field("error.object").contains("refused"), "{span:#?}");
        }
    });
}

#[test]
fn an_error_of_an_unknown_kind_has_the_name_of_its_type() {
    run(async {
        let (tracer, reporter) = recording_tracer();
        let sender = service_fn(|_: Request<()>| async {
            Err::<Response<Empty<Bytes>>, _>(std::fmt::Error)
        });
        let client = ClientLayer::new(tracer).wrap(sender);
        client.oneshot(Request::new(())).await.expect_err("failed");
        let span = one_span(&reporter).await;
        let kind = log_field(&span, "error", "error.kind");
        assert_eq!(kind.as_deref(), Some("core::fmt::Error"));
    });
}

/// An error whose `Display` panics.
#[derive(Debug)]
struct Unspeakable;

impl std::fmt::Display for Unspeakable {
    fn fmt(&self, _: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        panic!("in the text of an error")
    }
}

#[test]
fn an_error_whose_display_panics_breaks_nothing() {
    run(async {
        let (tracer, reporter) = recording_tracer();
        let sender =
            service_fn(|_: Request<()>| async { Err::<Response<Empty<Bytes>>, _>(Unspeakable) });
        let client = ClientLayer::new(tracer).wrap(sender);
        client.oneshot(Request::new(())).await.expect_err("failed");
        assert_eq!(one_span(&reporter).await.tag_text("error"), "true");
    });
}

#[test]
fn dropping_a_request_cancels_it_without_an_error() {
    run(async {
        let (tracer, reporter) = recording_tracer();
        let sender =
            service_fn(|_: Request<()>| pending::<Result<Response<Empty<Bytes>>, Infallible>>());
        let client = ServiceBuilder::new()
            .layer(TimeoutLayer::new(Duration::from_millis(1)))
            .layer(ClientLayer::new(tracer))
            .service(sender);
        let error = client.oneshot(Request::new(())).await.expect_err("late");
        assert!(error.is::<tower::timeout::error::Elapsed>());
        let span = one_span(&reporter).await;
        assert_eq!(events(&span), ["cancelled"]);
        assert_eq!(span.tag_text("http.cancelled"), "true");
        assert!(span.tag("error").is_none());
    });
}

/// Retries while the answer is 503.
#[derive(Clone)]
pub(super) struct Again;

impl<Q: Clone, B, E> Policy<Request<Q>, Response<B>, E> for Again {
    type Future = Ready<()>;

    fn retry(
        &mut self,
        _request: &mut Request<Q>,
        result: &mut Result<Response<B>, E>,
    ) -> Option<Ready<()>> {
        let status = result.as_ref().ok().map(Response::status);
        (status == Some(StatusCode::SERVICE_UNAVAILABLE)).then(|| ready(()))
    }

    fn clone_request(&mut self, request: &Request<Q>) -> Option<Request<Q>> {
        Some(request.clone())
    }
}

#[test]
fn a_layer_inside_of_retries_traces_each_attempt_and_one_outside_traces_all() {
    run(async {
        let (tracer, reporter) = recording_tracer();
        let arrived = Arrived::default();
        let retry = RetryLayer::new(Again);
        let layer = ClientLayer::new(tracer.clone());
        let inside = retry.layer(layer.wrap(arrived.service(&[503, 503, 200])));
        inside.oneshot(Request::new(())).await.expect("infallible");
        let attempts = spans(&reporter, 3).await;
        let statuses: Vec<_> = attempts
            .iter()
            .map(|span| span.tag_text("http.status_code").into_owned())
            .collect();
        assert_eq!(statuses, ["503", "503", "200"]);
        let sent: HashSet<_> = arrived.contexts().into_iter().collect();
        let expected = attempts
            .iter()
            .map(|span| format!("{}:{}:0:1", span.trace_id, span.span_id));
        assert_eq!(sent, expected.collect());

        let (tracer, reporter) = recording_tracer();
        let arrived = Arrived::default();
        let outside = ClientLayer::new(tracer).wrap(retry.layer(arrived.service(&[503, 503, 200])));
        outside.oneshot(Request::new(())).await.expect("infallible");
        let span = one_span(&reporter).await;
        let sent = format!("{}:{}:0:1", span.trace_id, span.span_id);
        assert_eq!(arrived.contexts(), [sent.clone(), sent.clone(), sent]);
    });
}

#[test]
fn concurrent_requests_keep_their_own_parents() {
    run(async {
        let (tracer, reporter) = recording_tracer();
        let call = |tracer: &JaegerTracer, name: &'static str| {
            let client = ClientLayer::new(tracer.clone())
                .operation_name(move |_| name.into())
                .wrap(service_fn(|_: Request<()>| async {
                    tokio::task::yield_now().await;
                    reply(200, Empty::<Bytes>::new())
                }));
            let work = async move { client.oneshot(Request::new(())).await };
            let parent = tracer.build_span(name).start();
            work.in_span(parent)
        };
        let (one, two) = tokio::join!(call(&tracer, "one"), call(&tracer, "two"));
        assert!(one.is_ok() && two.is_ok());
        let spans = spans(&reporter, 4).await;
        for name in ["one", "two"] {
            let [client, parent] = &*spans
                .iter()
                .filter(|span| span.operation_name == name)
                .collect::<Vec<_>>()
            else {
                panic!("two spans of each name: {spans:#?}");
            };
            assert_eq!(client.parent_id, Some(parent.span_id), "{name}");
        }
    });
}

#[test]
fn a_service_that_is_not_ready_starts_no_span() {
    #[derive(Clone)]
    struct Busy;
    impl Service<Request<()>> for Busy {
        type Response = Response<Empty<Bytes>>;
        type Error = BoxError;
        type Future = Pending<Result<Self::Response, BoxError>>;

        fn poll_ready(
            &mut self,
            _cx: &mut std::task::Context<'_>,
        ) -> std::task::Poll<Result<(), BoxError>> {
            std::task::Poll::Ready(Err("too busy".into()))
        }

        fn call(&mut self, _request: Request<()>) -> Self::Future {
            pending()
        }
    }
    run(async {
        let (tracer, reporter) = recording_tracer();
        let client = ClientLayer::new(tracer).wrap(Busy);
        let error = client.oneshot(Request::new(())).await.expect_err("busy");
        assert_eq!(error.to_string(), "too busy");
        assert!(reporter.spans().is_empty());
    });
}

#[test]
fn chosen_headers_are_recorded() {
    run(async {
        let (tracer, reporter) = recording_tracer();
        let sender = service_fn(|_: Request<()>| async {
            let mut response = reply(200, Full::<Bytes>::from("all"))?;
            let server = HeaderValue::from_static("koala/1");
            response.headers_mut().insert(header::SERVER, server);
            Ok::<_, Infallible>(response)
        });
        let client = ClientLayer::new(tracer.clone())
            .request_headers([header::ACCEPT, header::COOKIE])
            .response_headers([header::SERVER])
            .wrap(sender);
        let request = Request::get("http://shop/")
            .header(header::ACCEPT, "text/plain")
            .header(header::COOKIE, "id=1")
            .body(());
        let response = client.oneshot(request.expect("a request")).await;
        drop(response.expect("infallible"));
        let span = one_span(&reporter).await;
        assert_eq!(span.tag_text("http.header.accept"), "text/plain");
        assert_eq!(span.tag_text("http.response.header.server"), "koala/1");
        assert!(span.tag("http.header.cookie").is_none());
    });
}
