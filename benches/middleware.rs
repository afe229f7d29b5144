//! A program that sends a request through the middleware many times. `.ci/instructions` counts its instructions.
//!
//! ```text
//! middleware --list        prints the names of the pieces
//! middleware NAME TIMES    does a piece, after a warm-up, in a function whose name has `counted_pieces` in it
//! middleware               does every piece a few times
//! ```
//!
//! Each library has a piece without a layer, to subtract from the others, and pieces with a layer: of a tracer that is
//! off, for a caller whose trace is dropped, and for one whose trace is kept. axum boxes what passes a layer, so it has a
//! piece with a layer that does nothing, too. Nothing goes over a socket, the clock
//! stands still, and requests are made before the count begins.

use std::convert::Infallible;
use std::hint::black_box;
use std::pin::pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::routing::get;
use bytes::Bytes;
use http::{HeaderMap, Request, Response};
use http_body::{Body as _, Frame};
use http_body_util::StreamBody;
use reqwest::ResponseBuilderExt;
use reqwest_middleware::{ClientBuilder, ClientWithMiddleware, Middleware, Next};
use tower::{Service, service_fn};

use tracehound::JaegerTracer;
use tracehound::clock::ManualClock;
use tracehound::middleware::{ClientLayer, ServerLayer, TracingMiddleware};
use tracehound::prelude::*;
use tracehound::propagation::Propagation;
use tracehound::reporter::NullReporter;
use tracehound::sampler::ConstSampler;

use crate::pieces::{Piece, WARM_UP};

mod pieces;

/// Whether a piece has a layer, and what its tracer does.
#[derive(Clone, Copy)]
enum Layer {
    Absent,
    /// A layer that does nothing: what the library itself asks for a layer.
    Bare,
    Off,
    Unsampled,
    Sampled,
}

use Layer::{Absent, Bare, Off, Sampled, Unsampled};

const PIECES: [Piece; 17] = [
    ("axum-without", |n| axum(Absent, n)),
    ("axum-bare", |n| axum(Bare, n)),
    ("axum-off", |n| axum(Off, n)),
    ("axum-unsampled", |n| axum(Unsampled, n)),
    ("axum-sampled", |n| axum(Sampled, n)),
    ("grpc-server-without", |n| grpc_server(Absent, n)),
    ("grpc-server-off", |n| grpc_server(Off, n)),
    ("grpc-server-unsampled", |n| grpc_server(Unsampled, n)),
    ("grpc-server-sampled", |n| grpc_server(Sampled, n)),
    ("grpc-client-without", |n| grpc_client(Absent, n)),
    ("grpc-client-off", |n| grpc_client(Off, n)),
    ("grpc-client-unsampled", |n| grpc_client(Unsampled, n)),
    ("grpc-client-sampled", |n| grpc_client(Sampled, n)),
    ("reqwest-without", |n| reqwest(Absent, n)),
    ("reqwest-off", |n| reqwest(Off, n)),
    ("reqwest-unsampled", |n| reqwest(Unsampled, n)),
    ("reqwest-sampled", |n| reqwest(Sampled, n)),
];

fn main() {
    pieces::main(&PIECES);
}

/// A request of a browser to a router with a route, whose handler returns a text.
fn axum(layer: Layer, times: u64) {
    let router = Router::new().route("/users/{id}", get(|| async { "Ada" }));
    let tracer = tracer(layer);
    let router = match layer {
        Absent => router,
        Bare => router.layer(tower::util::MapRequestLayer::new(
            |request: Request<Body>| request,
        )),
        _ => router.layer(ServerLayer::new(tracer.clone())),
    };
    // As `axum::serve` does: without it, axum would put the layer around the handler anew for each request.
    let mut router: Router = router.with_state(());
    let request = || {
        let mut request = Request::get("/users/7?plan=free").body(Body::empty());
        let request = request.as_mut().expect("well-formed");
        *request.headers_mut() = headers(layer, &BROWSER);
        std::mem::take(request)
    };
    measured(&tracer, times, request, |request| {
        drain(ready(router.call(request)).expect("infallible"));
    });
}

/// A unary gRPC call to a server, which answers with one message.
fn grpc_server(layer: Layer, times: u64) {
    let tracer = tracer(layer);
    let method = service_fn(async |_: Request<Body>| Ok::<_, Infallible>(grpc_response()));
    let layered = ServerLayer::new(tracer.clone());
    let request = || grpc_request(headers(layer, &GRPC));
    if let Absent = layer {
        let mut service = method;
        measured(&tracer, times, request, |request| {
            drain(ready(service.call(request)).expect("infallible"));
        });
    } else {
        let mut service = layered.wrap(method);
        measured(&tracer, times, request, |request| {
            drain(ready(Service::call(&mut service, request)).expect("infallible"));
        });
    }
}

/// A unary gRPC call of a client, in a span of the caller.
fn grpc_client(layer: Layer, times: u64) {
    let tracer = tracer(layer);
    let caller = caller(&tracer, layer);
    let _scope = caller.activate();
    let channel = service_fn(async |_: Request<Body>| Ok::<_, Infallible>(grpc_response()));
    let layered = ClientLayer::new(tracer.clone()).peer_address("stock:50051");
    let request = || grpc_request(headers(Absent, &GRPC));
    if let Absent = layer {
        let mut service = channel;
        measured(&tracer, times, request, |request| {
            drain(ready(service.call(request)).expect("infallible"));
        });
    } else {
        let mut service = layered.wrap(channel);
        measured(&tracer, times, request, |request| {
            drain(ready(Service::call(&mut service, request)).expect("infallible"));
        });
    }
}

/// A request of a reqwest client with a middleware, in a span of the caller.
fn reqwest(layer: Layer, times: u64) {
    let tracer = tracer(layer);
    let caller = caller(&tracer, layer);
    let _scope = caller.activate();
    let builder = ClientBuilder::new(reqwest::Client::new());
    let client: ClientWithMiddleware = match layer {
        Absent => builder,
        _ => builder.with(TracingMiddleware::new(tracer.clone())),
    }
    .with(Answers)
    .build();
    let request = || {
        let url = "http://stock.internal:8080/items/104711?limit=50";
        let mut request = reqwest::Request::new(http::Method::GET, url.parse().expect("a URL"));
        *request.headers_mut() = headers(Absent, &BROWSER[1..]);
        request
    };
    measured(&tracer, times, request, |request| {
        let response = ready(client.execute(request)).expect("an answer");
        ready(response.bytes()).expect("a body");
    });
}

/// Answers each request instead of sending it.
struct Answers;

#[async_trait::async_trait]
impl Middleware for Answers {
    async fn handle(
        &self,
        request: reqwest::Request,
        _: &mut http::Extensions,
        _: Next<'_>,
    ) -> reqwest_middleware::Result<reqwest::Response> {
        let url = request.url().clone();
        let response = Response::builder().url(url).body("Ada");
        drop(black_box(request));
        Ok(response.expect("well-formed").into())
    }
}

fn grpc_request(headers: HeaderMap) -> Request<Body> {
    let mut request = Request::new(Body::empty());
    *request.method_mut() = http::Method::POST;
    *request.uri_mut() = "/shop.Stock/Reserve".parse().expect("a path");
    *request.version_mut() = http::Version::HTTP_2;
    *request.headers_mut() = headers;
    request
}

type Frames = std::vec::IntoIter<Result<Frame<Bytes>, Infallible>>;

/// Yields its frames, one a poll.
struct Ready(Frames);

impl futures_core::Stream for Ready {
    type Item = Result<Frame<Bytes>, Infallible>;

    fn poll_next(
        mut self: std::pin::Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Self::Item>> {
        Poll::Ready(self.0.next())
    }
}

fn grpc_response() -> Response<StreamBody<Ready>> {
    let mut trailers = HeaderMap::with_capacity(2);
    trailers.insert("grpc-status", http::HeaderValue::from_static("0"));
    let message = Bytes::from_static(b"\0\0\0\0\x02\x08\x07");
    let frames = vec![Ok(Frame::data(message)), Ok(Frame::trailers(trailers))];
    let mut response = Response::new(StreamBody::new(Ready(frames.into_iter())));
    let content_type = http::HeaderValue::from_static("application/grpc");
    response
        .headers_mut()
        .insert(http::header::CONTENT_TYPE, content_type);
    response
}

/// Polls a future that is ready at once.
fn ready<F: Future>(future: F) -> F::Output {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => output,
        Poll::Pending => unreachable!("nothing waits for anything"),
    }
}

/// Reads a body as a server does: until it says that it has ended.
fn drain<B: http_body::Body>(response: Response<B>) {
    let mut body = pin!(response.into_body());
    let mut cx = Context::from_waker(Waker::noop());
    while !body.is_end_stream() {
        match body.as_mut().poll_frame(&mut cx) {
            Poll::Ready(Some(Ok(frame))) => drop(black_box(frame)),
            _ => break,
        }
    }
}

fn measured<R>(
    tracer: &JaegerTracer,
    times: u64,
    request: impl Fn() -> R,
    mut work: impl FnMut(R),
) {
    let mut requests: Vec<R> = (0..WARM_UP + times).map(|_| request()).collect();
    for request in requests.drain(..WARM_UP as usize) {
        work(request);
    }
    // Nothing waits for the worker when the count begins.
    let patience = Duration::from_secs(60);
    assert!(tracer.flush(patience).is_complete());
    counted_pieces(requests, work);
    let report = tracer.flush(patience);
    assert!(report.is_complete(), "spans were lost: {report}");
}

#[inline(never)]
fn counted_pieces<R>(requests: Vec<R>, mut work: impl FnMut(R)) {
    for request in requests {
        work(black_box(request));
    }
}

fn tracer(layer: Layer) -> JaegerTracer {
    match layer {
        Absent | Bare | Off => JaegerTracer::disabled(),
        Unsampled | Sampled => JaegerTracer::builder("bench")
            .propagation([Propagation::Jaeger])
            .sampler(ConstSampler::new(true))
            .reporter(NullReporter::new())
            .clock(ManualClock::at_micros(1_700_000_000_000_000))
            .flush_interval(Duration::from_secs(3_600))
            .build()
            .expect("named"),
    }
}

/// Returns the span in which a client works, with fixed ids: random ones take more or fewer bytes from run to run.
fn caller(tracer: &JaegerTracer, layer: Layer) -> Span {
    let context = tracer.extract(&headers(layer, &[]));
    let context = context.ok().flatten().unwrap_or_default();
    tracer.build_span("get_account").context(context).start()
}

fn headers(layer: Layer, ordinary: &[(&'static str, &'static str)]) -> HeaderMap {
    let trace_header = match layer {
        Absent | Bare => None,
        Sampled | Off => Some("6309ab92c95468edea0dc1a9772ae2dc:409423a204bc17a8:0:1"),
        Unsampled => Some("6309ab92c95468edea0dc1a9772ae2dc:409423a204bc17a8:0:0"),
    };
    let trace_header = trace_header.map(|value| ("uber-trace-id", value));
    let all = ordinary.iter().copied().chain(trace_header);
    all.map(|(name, value)| {
        let name = http::HeaderName::from_static(name);
        (name, http::HeaderValue::from_static(value))
    })
    .collect()
}

const BROWSER: [(&str, &str); 8] = [
    ("host", "shop.example.com"),
    (
        "user-agent",
        "Mozilla/5.0 (X11; Linux x86_64) Gecko/20100101",
    ),
    ("accept", "application/json"),
    ("accept-encoding", "gzip, br"),
    ("content-type", "application/json"),
    ("cache-control", "no-cache"),
    ("x-request-id", "7b0c9f3e-0f7e-4f1b-9d53-9a2c7b1f0a11"),
    ("x-forwarded-for", "203.0.113.7"),
];

const GRPC: [(&str, &str); 4] = [
    ("content-type", "application/grpc"),
    ("te", "trailers"),
    ("user-agent", "tonic/0.14"),
    ("grpc-timeout", "1S"),
];
