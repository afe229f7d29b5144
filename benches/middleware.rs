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
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::routing::get;
use http::{HeaderMap, Request};
use reqwest_middleware::{ClientBuilder, ClientWithMiddleware};
use tower::{Service, service_fn};

use tracehound::JaegerTracer;
use tracehound::clock::ManualClock;
use tracehound::middleware::{ClientLayer, ServerLayer, TracingMiddleware};
use tracehound::prelude::*;
use tracehound::propagation::Propagation;
use tracehound::reporter::NullReporter;
use tracehound::sampler::ConstSampler;

use crate::pieces::{Piece, WARM_UP};
use crate::requests::{
    BROWSER, GRPC, browser_request, drain, grpc_request, grpc_response, header_map, ready,
};

mod pieces;
mod requests;

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
    let request = || browser_request(headers(layer, &BROWSER), Body::empty());
    measured(&tracer, times, request, |request| {
        drain(ready(router.call(request)).expect("infallible"));
    });
}

/// A unary gRPC call to a server, which answers with one message.
fn grpc_server(layer: Layer, times: u64) {
    let tracer = tracer(layer);
    let method = service_fn(async |_: Request<Body>| Ok::<_, Infallible>(grpc_response()));
    let layered = ServerLayer::new(tracer.clone());
    let request = || grpc_request(headers(layer, &GRPC), Body::empty());
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
    let request = || grpc_request(headers(Absent, &GRPC), Body::empty());
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
    .with(requests::reqwest::Answers)
    .build();
    let request = || requests::reqwest::request(headers(Absent, &BROWSER[1..]));
    measured(&tracer, times, request, |request| {
        let response = ready(client.execute(request)).expect("an answer");
        ready(response.bytes()).expect("a body");
    });
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
    header_map(all)
}
