//! Requests that pass through the middleware, with a layer and without. Nothing goes over a socket, and the clock stands
//! still.

use std::convert::Infallible;
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

use self::requests::{
    BROWSER, GRPC, browser_request, drain, grpc_request, grpc_response, header_map, ready,
};

#[path = "../requests/mod.rs"]
mod requests;

/// Measures a piece of work that is done for many requests.
pub(crate) trait Measure: Sized {
    type Figure;

    /// Makes the requests before it measures. Their spans are of `tracer`.
    fn requests<R>(
        self,
        tracer: &JaegerTracer,
        request: impl Fn() -> R,
        work: impl FnMut(R),
    ) -> Self::Figure;
}

/// Whether a piece has a layer, and what its tracer does.
#[derive(Clone, Copy)]
pub(crate) enum Layer {
    Absent,
    /// A layer that does nothing: what the library itself asks for a layer.
    Bare,
    Off,
    Unsampled,
    Sampled,
    /// As the last one, by a server layer that puts the span into the request.
    Carried,
}

use Layer::{Absent, Bare, Carried, Off, Sampled, Unsampled};

/// A request of a browser to a router with a route, whose handler returns a text.
pub(crate) fn axum<M: Measure>(layer: Layer, measure: M) -> M::Figure {
    let router = Router::new().route("/users/{id}", get(|| async { "Ada" }));
    let tracer = tracer(layer);
    let router = match layer {
        Absent => router,
        Bare => router.layer(tower::util::MapRequestLayer::new(
            |request: Request<Body>| request,
        )),
        _ => router.layer(server_layer(&tracer, layer)),
    };
    // As `axum::serve` does: without it, axum would put the layer around the handler anew for each request.
    let mut router: Router = router.with_state(());
    let request = || browser_request(headers(layer, &BROWSER), Body::empty());
    measure.requests(&tracer, request, |request| {
        drain(ready(router.call(request)).expect("infallible"));
    })
}

/// A unary gRPC call to a server, which answers with one message.
pub(crate) fn grpc_server<M: Measure>(layer: Layer, measure: M) -> M::Figure {
    let tracer = tracer(layer);
    let method = service_fn(async |_: Request<Body>| Ok::<_, Infallible>(grpc_response()));
    let layered = server_layer(&tracer, layer);
    let request = || grpc_request(headers(layer, &GRPC), Body::empty());
    if let Absent = layer {
        let mut service = method;
        measure.requests(&tracer, request, |request| {
            drain(ready(service.call(request)).expect("infallible"));
        })
    } else {
        let mut service = layered.wrap(method);
        measure.requests(&tracer, request, |request| {
            drain(ready(Service::call(&mut service, request)).expect("infallible"));
        })
    }
}

/// A unary gRPC call of a client, in a span of the caller.
pub(crate) fn grpc_client<M: Measure>(layer: Layer, measure: M) -> M::Figure {
    let tracer = tracer(layer);
    let caller = caller(&tracer, layer);
    let _scope = caller.activate();
    let channel = service_fn(async |_: Request<Body>| Ok::<_, Infallible>(grpc_response()));
    let layered = ClientLayer::new(tracer.clone()).peer_address("stock:50051");
    let request = || grpc_request(headers(Absent, &GRPC), Body::empty());
    if let Absent = layer {
        let mut service = channel;
        measure.requests(&tracer, request, |request| {
            drain(ready(service.call(request)).expect("infallible"));
        })
    } else {
        let mut service = layered.wrap(channel);
        measure.requests(&tracer, request, |request| {
            drain(ready(Service::call(&mut service, request)).expect("infallible"));
        })
    }
}

/// A request of a reqwest client with a middleware, in a span of the caller.
pub(crate) fn reqwest<M: Measure>(layer: Layer, measure: M) -> M::Figure {
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
    measure.requests(&tracer, request, |request| {
        let response = ready(client.execute(request)).expect("an answer");
        ready(response.bytes()).expect("a body");
    })
}

fn server_layer(tracer: &JaegerTracer, layer: Layer) -> ServerLayer {
    let is_carried = matches!(layer, Carried);
    ServerLayer::new(tracer.clone()).request_span(is_carried)
}

fn tracer(layer: Layer) -> JaegerTracer {
    match layer {
        Absent | Bare | Off => JaegerTracer::disabled(),
        Unsampled | Sampled | Carried => JaegerTracer::builder("bench")
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
        Sampled | Carried | Off => Some("6309ab92c95468edea0dc1a9772ae2dc:409423a204bc17a8:0:1"),
        Unsampled => Some("6309ab92c95468edea0dc1a9772ae2dc:409423a204bc17a8:0:0"),
    };
    let trace_header = trace_header.map(|value| ("uber-trace-id", value));
    let all = ordinary.iter().copied().chain(trace_header);
    header_map(all)
}
