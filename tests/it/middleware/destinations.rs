//! Tests of what a client sends to which host: tower services, hyper-util's client and tonic channels.

use std::convert::Infallible;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::response::Redirect;
use axum::routing::any;
use bytes::Bytes;
use http::header::{self, HeaderMap, HeaderValue};
use http::{Request, Uri};
use http_body_util::{Empty, Full};
use tonic::transport::Server;
use tower::{Service, ServiceExt, service_fn};
use tracehound::middleware::{ClientLayer, Destinations, ServerLayer};
use tracehound::{JaegerTracer, NoopTracer, Tracer};

use crate::support::grpc::{self, channel, message, unary};
use crate::support::recording_tracer;
use crate::support::web::{client, get, reply, run, serve, serve_at, spans};

/// The headers that have arrived somewhere.
#[derive(Clone, Default)]
struct Arrived(Arc<Mutex<Vec<HeaderMap>>>);

impl Arrived {
    fn push(&self, headers: &HeaderMap) {
        self.0.lock().unwrap().push(headers.clone());
    }

    fn only(&self) -> HeaderMap {
        let mut arrived = std::mem::take(&mut *self.0.lock().unwrap());
        assert_eq!(arrived.len(), 1);
        arrived.remove(0)
    }

    /// Returns a router that keeps the headers.
    fn app(&self) -> Router {
        let arrived = self.clone();
        let handler = move |headers: HeaderMap| async move { arrived.push(&headers) };
        Router::new().fallback(any(handler))
    }

    /// Returns a service that keeps the headers.
    fn service<B: Send + 'static>(
        &self,
    ) -> impl Service<
        Request<B>,
        Response = http::Response<Empty<Bytes>>,
        Error = Infallible,
        Future: Send,
    > + Clone
    + use<B> {
        let arrived = self.clone();
        service_fn(move |request: Request<B>| {
            arrived.push(request.headers());
            async { reply(200, Empty::<Bytes>::new()) }
        })
    }
}

/// What a request has brought along.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Came {
    Nothing,
    Trace,
    TraceAndBaggage,
    /// The headers of the caller whose request is forwarded.
    Callers,
    CallersTrace,
}

const CALLERS_TRACE: &str = "5b2b4e1f9d3a7c60:6ad04c2b18e7f935:0:1";
const CALLERS_TRACEPARENT: &str = "00-00000000000000005b2b4e1f9d3a7c60-6ad04c2b18e7f935-01";

/// Says what came along, and fails if it is in between.
fn came(headers: &HeaderMap) -> Came {
    let count = |name: &str| headers.get_all(name).iter().count();
    assert!(count("uber-trace-id") <= 1, "{headers:?}");
    assert_eq!(count("traceparent"), count("uber-trace-id"), "{headers:?}");
    let trace = headers.get("uber-trace-id").map(HeaderValue::as_bytes);
    let is_callers = trace == Some(CALLERS_TRACE.as_bytes());
    assert!(is_callers || count("tracestate") == 0, "{headers:?}");
    let own = headers.get("uberctx-own").is_some();
    let callers = headers.get("uberctx-caller").is_some();
    let expected = match (own, callers) {
        (true, _) => Some("own=1"),
        (_, true) => Some("caller=7"),
        (false, false) => None,
    };
    let baggage = headers.get("baggage").map(HeaderValue::as_bytes);
    assert_eq!(baggage, expected.map(str::as_bytes), "{headers:?}");
    let debug = headers.get("jaeger-debug-id").is_some();
    match (trace, is_callers, own, callers, debug) {
        (None, _, false, false, false) => Came::Nothing,
        (Some(_), false, false, false, false) => Came::Trace,
        (Some(_), false, true, false, false) => Came::TraceAndBaggage,
        (Some(_), true, false, false, false) => Came::CallersTrace,
        (Some(_), true, false, true, true) => Came::Callers,
        _ => panic!("{headers:?}"),
    }
}

/// Adds the headers of a caller, as a proxy forwards them.
fn forward(headers: &mut HeaderMap) {
    let rows = [
        ("uber-trace-id", CALLERS_TRACE),
        ("uberctx-caller", "7"),
        ("jaeger-debug-id", "find-me"),
        ("traceparent", CALLERS_TRACEPARENT),
        ("tracestate", "other=1"),
        ("baggage", "caller=7"),
    ];
    for (name, value) in rows {
        headers.insert(name, HeaderValue::from_static(value));
    }
}

fn layer(tracer: impl Tracer + 'static) -> ClientLayer {
    ClientLayer::new(tracer).decorate(|span, _| {
        span.set_baggage_item("own", "1");
    })
}

fn destinations(trace: &[&str], baggage: &[&str]) -> Destinations {
    let all = Destinations::all();
    let some = all.trace_headers_to(trace).expect("hosts");
    some.baggage_to(baggage).expect("hosts")
}

#[test]
fn a_host_gets_what_the_lists_grant() {
    run(async {
        let (tracer, _reporter) = recording_tracer();
        let destinations = destinations(&["internal.example", "10.0.0.7"], &["b.internal.example"]);
        // The URI, the host header, the peer address.
        let rows = [
            ("http://internal.example/", None, None, Came::Trace),
            ("http://A.Internal.Example:8080/", None, None, Came::Trace),
            (
                "http://b.internal.example",
                None,
                None,
                Came::TraceAndBaggage,
            ),
            (
                "https://a.b.internal.example:1/x",
                None,
                None,
                Came::TraceAndBaggage,
            ),
            ("http://ab.internal.example", None, None, Came::Trace),
            ("http://10.0.0.7:80/", None, None, Came::Trace),
            ("http://10.0.0.70/", None, None, Came::Nothing),
            ("http://notinternal.example/", None, None, Came::Nothing),
            ("http://internal.example.org/", None, None, Came::Nothing),
            (
                "http://internal.example@evil.example/",
                None,
                None,
                Came::Nothing,
            ),
            (
                "http://evil.example/internal.example",
                None,
                None,
                Came::Nothing,
            ),
            // The URI says where a request goes, whatever its host header says.
            (
                "http://evil.example/",
                Some("internal.example"),
                None,
                Came::Nothing,
            ),
            (
                "http://evil.example/",
                None,
                Some("internal.example:80"),
                Came::Nothing,
            ),
            ("/", Some("internal.example:80"), None, Came::Trace),
            ("/", Some("evil.example"), None, Came::Nothing),
            ("/", Some("no/../authority"), None, Came::Nothing),
            ("/", None, None, Came::Nothing),
            (
                "/",
                None,
                Some("b.internal.example:50051"),
                Came::TraceAndBaggage,
            ),
            (
                "/",
                Some("evil.example"),
                Some("internal.example"),
                Came::Trace,
            ),
            (
                "/",
                Some("internal.example"),
                Some("evil.example:1"),
                Came::Nothing,
            ),
        ];
        for (uri, host, peer, expected) in rows {
            for is_forwarded in [false, true] {
                let mut request = Request::new(());
                *request.uri_mut() = uri.parse().expect("a URI");
                if is_forwarded {
                    forward(request.headers_mut());
                }
                if let Some(host) = host {
                    let host = host.parse().expect("a value");
                    request.headers_mut().insert(header::HOST, host);
                }
                let mut layer = layer(tracer.clone()).destinations(destinations.clone());
                if let Some(peer) = peer {
                    layer = layer.peer_address(peer);
                }
                let arrived = Arrived::default();
                let sent = layer.wrap(arrived.service()).oneshot(request).await;
                drop(sent.expect("infallible"));
                let came = came(&arrived.only());
                assert_eq!(came, expected, "{uri} {host:?} {peer:?} {is_forwarded}");
            }
        }
    });
}

#[test]
fn a_request_without_a_span_loses_what_its_host_may_not_get() {
    run(async {
        let rows = [
            ("none.example", Came::Nothing),
            ("trace.example", Came::CallersTrace),
            ("both.example", Came::Callers),
        ];
        for (host, expected) in rows {
            for way in ["filtered out", "no span", "not injecting"] {
                let (tracer, _reporter) = recording_tracer();
                let destinations =
                    destinations(&["trace.example", "both.example"], &["both.example"]);
                let layer = match way {
                    "filtered out" => layer(tracer).filter(|_| false),
                    "no span" => layer(WithoutSpans(tracer)),
                    _ => layer(tracer).injection(false),
                };
                let mut request = Request::new(());
                *request.uri_mut() = format!("http://{host}/").parse().expect("a URI");
                forward(request.headers_mut());
                let arrived = Arrived::default();
                let client = layer.destinations(destinations).wrap(arrived.service());
                drop(client.oneshot(request).await.expect("infallible"));
                assert_eq!(came(&arrived.only()), expected, "{host}, {way}");
            }
        }
    });
}

/// A tracer of the user's that starts no spans and yet injects and extracts.
struct WithoutSpans(JaegerTracer);

impl Tracer for WithoutSpans {
    fn start(&self, _: tracehound::tracer::StartSpanOptions<'_>) -> tracehound::Span {
        tracehound::Span::noop()
    }

    fn inject(
        &self,
        context: &tracehound::SpanContext,
        carrier: &mut dyn tracehound::propagation::InjectCarrier,
    ) {
        self.0.inject(context, carrier);
    }

    fn extract(
        &self,
        carrier: &dyn tracehound::propagation::ExtractCarrier,
    ) -> Result<Option<tracehound::SpanContext>, tracehound::propagation::ExtractError> {
        self.0.extract(carrier)
    }
}

#[test]
fn a_disabled_tracer_leaves_requests_to_all_hosts_untouched() {
    run(async {
        let mut request = Request::new(());
        forward(request.headers_mut());
        let arrived = Arrived::default();
        let client = layer(NoopTracer)
            .destinations(destinations(&[], &[]))
            .wrap(arrived.service());
        drop(client.oneshot(request).await.expect("infallible"));
        assert_eq!(came(&arrived.only()), Came::Callers);
    });
}

/// An address of loopback that no list names.
const OUTSIDE: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 2);

#[test]
fn hyper_sends_nothing_to_a_server_outside_of_the_list() {
    run(async {
        let (tracer, reporter) = recording_tracer();
        let arrived = Arrived::default();
        let rows = [
            (serve(arrived.app()).await, Came::TraceAndBaggage),
            (serve_at(OUTSIDE, arrived.app()).await, Came::Nothing),
        ];
        for (address, expected) in rows {
            let client = layer(tracer.clone())
                .destinations(destinations(&["127.0.0.1"], &["127.0.0.1"]))
                .wrap(client());
            let mut request = get(format!("http://{address}/"));
            forward(request.headers_mut());
            drop(client.oneshot(request).await.expect("an answer"));
            assert_eq!(came(&arrived.only()), expected, "{address}");
        }
        // A host that gets no headers has a span all the same.
        spans(&reporter, 2).await;
    });
}

/// Follows redirects, as a layer around a client does: with the headers of the first request.
async fn follow<S, B>(mut client: S, mut uri: Uri)
where
    S: Service<Request<Full<Bytes>>, Response = http::Response<B>, Error: std::fmt::Debug>,
{
    for _ in 0..4 {
        let mut request = get(uri.to_string());
        forward(request.headers_mut());
        let response = client.ready().await.expect("ready").call(request).await;
        let response = response.expect("an answer");
        let Some(location) = response.headers().get(header::LOCATION) else {
            return;
        };
        uri = location.to_str().expect("text").parse().expect("a URI");
    }
    panic!("too many redirects");
}

#[test]
fn each_hop_of_a_redirect_is_judged_by_its_own_host() {
    run(async {
        let (tracer, _reporter) = recording_tracer();
        let arrived = Arrived::default();
        let redirecting = |to: SocketAddr| {
            let arrived = arrived.clone();
            let handler = move |headers: HeaderMap| async move {
                arrived.push(&headers);
                Redirect::temporary(&format!("http://{to}/"))
            };
            Router::new().fallback(any(handler))
        };
        let third = serve(arrived.app()).await;
        let second = serve_at(OUTSIDE, redirecting(third)).await;
        let first = serve(redirecting(second)).await;
        let client = layer(tracer)
            .destinations(destinations(&["127.0.0.1"], &["127.0.0.1"]))
            .wrap(client());
        let uri = format!("http://{first}/").parse().expect("a URI");
        follow(client, uri).await;
        let arrived: Vec<_> = arrived.0.lock().unwrap().iter().map(came).collect();
        let expected = [Came::TraceAndBaggage, Came::Nothing, Came::TraceAndBaggage];
        assert_eq!(arrived, expected);
    });
}

#[test]
fn a_tonic_channel_is_judged_by_its_peer_address() {
    run(async {
        let (tracer, _reporter) = recording_tracer();
        let arrived = Arrived::default();
        let note = arrived.clone();
        let handler = service_fn(move |request: Request<tonic::body::Body>| {
            note.push(request.headers());
            async move {
                let answer = service_fn(|request: tonic::Request<String>| async {
                    Ok(tonic::Response::new(request.into_inner()))
                });
                let mut grpc = tonic::server::Grpc::new(grpc::Text);
                Ok::<_, Infallible>(grpc.unary(answer, request).await)
            }
        });
        let server = ServerLayer::new(NoopTracer);
        let address = grpc::serve_by(Server::builder(), server, handler).await;
        let rows = [
            (Some("stock.internal.example:50051"), Came::TraceAndBaggage),
            (Some("shop.internal.example"), Came::Trace),
            (Some("stock.example:50051"), Came::Nothing),
            (None, Came::Nothing),
        ];
        for (peer, expected) in rows {
            let destinations = destinations(&["internal.example"], &["stock.internal.example"]);
            let mut layer = layer(tracer.clone()).destinations(destinations);
            if let Some(peer) = peer {
                layer = layer.peer_address(peer);
            }
            let mut request = message("hello");
            forward_metadata(request.metadata_mut());
            let call = unary(layer.wrap(channel(address)), request);
            call.await.expect("an answer");
            assert_eq!(came(&arrived.only()), expected, "{peer:?}");
        }
    });
}

fn forward_metadata(metadata: &mut tonic::metadata::MetadataMap) {
    let mut headers = HeaderMap::new();
    forward(&mut headers);
    *metadata = tonic::metadata::MetadataMap::from_headers(headers);
}
